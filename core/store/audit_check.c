#include "base/digest.h"
#include "base/io.h"
#include "base/json.h"
#include "store/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK 65536
#define LINE_MAX_BYTES (1u << 20) /* a longer one is none of ours */

struct check {
	char name[HXS_AUDIT_NAME_SIZE]; /* of the file at hand */
	struct hxs_digest before; /* of the line before */
	bool open; /* what comes before the first line is not known */
	uint64_t line; /* of the file */
	uint64_t lines; /* of all */
	struct hxs_err *err;
};

static int broken(const struct check *c, const char *why)
{
	return hxs_err_set(c->err, HXS_ECORRUPT,
			   "line %" PRIu64 " of the audit log '%s' %s", c->line,
			   c->name, why);
}

/* @line ends in a newline, or is the last one. */
static int check_line(struct check *c, const char *line, size_t len)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	struct hxs_digest named;
	const char *hex;
	int r;

	c->line++;
	c->lines++;
	if (memchr(line, '\0', len))
		r = -HXS_EUSAGE; /* what a crash may leave */
	else
		r = hxs_json_parse(line, len, &doc, NULL);
	if (r == -ENOMEM)
		return hxs_err_errno(c->err, ENOMEM, "cannot read '%s'",
				     c->name);
	if (r == 0) {
		const struct hxs_json *v =
			hxs_json_get(hxs_json_root(doc), "previous");

		if (!v || hxs_json_string(v, &hex, NULL) < 0 ||
		    hxs_digest_from_hex(hex, &named) < 0)
			return broken(c, "does not say which it follows");
		if (!c->open && !hxs_digest_equal(&named, &c->before))
			return broken(c, "does not follow from the one before "
					 "it: one of them was changed, or "
					 "lines between them taken out");
	}
	c->open = false;
	/* A line that a crash cut short is checked by the next one. */
	hxs_digest_of(line, len, &c->before);
	return 0;
}

/* All whole lines of @buf, which are taken out of it. */
static int check_lines(struct check *c, struct hxs_buf *buf)
{
	char *from = buf->data, *nl;
	size_t left = buf->len;
	int r;

	while (left && (nl = memchr(from, '\n', left)) != NULL) {
		r = check_line(c, from, (size_t)(nl + 1 - from));
		if (r < 0)
			return r;
		left -= (size_t)(nl + 1 - from);
		from = nl + 1;
	}
	if (left)
		memmove(buf->data, from, left);
	hxs_buf_truncate(buf, left);
	if (left <= LINE_MAX_BYTES)
		return 0;
	c->line++;
	return broken(c, "is longer than any of ours");
}

static int check_log(int fd, struct check *c)
{
	HXS_AUTO_BUF struct hxs_buf buf = HXS_BUF_INIT;
	ssize_t n;
	int r;

	do {
		r = hxs_buf_reserve(&buf, CHUNK);
		if (r < 0)
			return hxs_err_errno(c->err, -r, "cannot read '%s'",
					     c->name);
		n = hxs_io_read_full(fd, buf.data + buf.len, CHUNK);
		if (n < 0)
			return hxs_err_errno(c->err, (int)-n,
					     "cannot read '%s'", c->name);
		buf.len += (size_t)n;
		r = check_lines(c, &buf);
		if (r < 0)
			return r;
	} while (n > 0);
	return buf.len ? check_line(c, buf.data, buf.len) : 0;
}

void hxs_audit_name(unsigned n, char out[HXS_AUDIT_NAME_SIZE])
{
	if (n == 0)
		(void)snprintf(out, HXS_AUDIT_NAME_SIZE, "%s", HXS_AUDIT_LOG);
	else
		(void)snprintf(out, HXS_AUDIT_NAME_SIZE, "%s.%u", HXS_AUDIT_LOG,
			       n);
}

/* Log number @n, 0 being the present one. 1 if it is there, 0 if not. */
static int check_number(const struct hxs_store *s, unsigned n, struct check *c)
{
	HXS_AUTO_CLOSE int fd = -1;
	int r;

	hxs_audit_name(n, c->name);
	c->line = 0;
	fd = hxs_io_open_regular(hxs_store_fd(s), c->name, NULL);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return hxs_err_errno(c->err, -fd, "cannot open '%s/%s'",
				     hxs_store_path(s), c->name);
	r = check_log(fd, c);
	return r < 0 ? r : 1;
}

/* How many logs were moved aside and lie there still. */
static unsigned count_moved(const struct hxs_store *s)
{
	char name[HXS_AUDIT_NAME_SIZE];
	struct stat st;
	unsigned n;

	for (n = 0; n < HXS_AUDIT_MOVED_MAX; n++) {
		hxs_audit_name(n + 1, name);
		if (fstatat(hxs_store_fd(s), name, &st, AT_SYMLINK_NOFOLLOW) <
		    0)
			break;
	}
	return n;
}

int hxs_audit_check(const struct hxs_store *s, uint64_t *lines,
		    struct hxs_err *err)
{
	unsigned n = count_moved(s);
	struct check c = { .err = err, .open = n > 0 };
	int r;

	do
		r = check_number(s, n, &c);
	while (r >= 0 && n-- > 0);
	*lines = c.lines;
	return r < 0 ? r : 0;
}
