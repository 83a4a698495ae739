#include "base/digest.h"
#include "base/io.h"
#include "base/json.h"
#include "store/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define CHUNK 65536
#define LINE_MAX_BYTES (1u << 20) /* a longer one is none of ours */

struct check {
	struct hxs_digest before; /* of the line before */
	uint64_t lines;
	struct hxs_err *err;
};

static int broken(const struct check *c, const char *why)
{
	return hxs_err_set(c->err, HXS_ECORRUPT,
			   "line %" PRIu64 " of the audit log '%s' %s",
			   c->lines, HXS_AUDIT_LOG, why);
}

/* @line ends in a newline, or is the last one. */
static int check_line(struct check *c, const char *line, size_t len)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	struct hxs_digest named;
	const char *hex;
	int r;

	c->lines++;
	if (memchr(line, '\0', len))
		r = -HXS_EUSAGE; /* what a crash may leave */
	else
		r = hxs_json_parse(line, len, &doc, NULL);
	if (r == -ENOMEM)
		return hxs_err_errno(c->err, ENOMEM, "cannot read '%s'",
				     HXS_AUDIT_LOG);
	if (r == 0) {
		const struct hxs_json *v =
			hxs_json_get(hxs_json_root(doc), "previous");

		if (!v || hxs_json_string(v, &hex, NULL) < 0 ||
		    hxs_digest_from_hex(hex, &named) < 0)
			return broken(c, "does not say which it follows");
		if (!hxs_digest_equal(&named, &c->before))
			return broken(c, "does not follow from the one before "
					 "it: one of them was changed, or "
					 "lines between them taken out");
	}
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
	c->lines++;
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
					     HXS_AUDIT_LOG);
		n = hxs_io_read_full(fd, buf.data + buf.len, CHUNK);
		if (n < 0)
			return hxs_err_errno(c->err, (int)-n,
					     "cannot read '%s'", HXS_AUDIT_LOG);
		buf.len += (size_t)n;
		r = check_lines(c, &buf);
		if (r < 0)
			return r;
	} while (n > 0);
	return buf.len ? check_line(c, buf.data, buf.len) : 0;
}

int hxs_audit_check(const struct hxs_store *s, uint64_t *lines,
		    struct hxs_err *err)
{
	struct check c = { .err = err };
	HXS_AUTO_CLOSE int fd = -1;
	int r = 0;

	fd = hxs_io_open_regular(hxs_store_fd(s), HXS_AUDIT_LOG, NULL);
	if (fd < 0 && fd != -ENOENT)
		return hxs_err_errno(err, -fd, "cannot open '%s/%s'",
				     hxs_store_path(s), HXS_AUDIT_LOG);
	if (fd >= 0)
		r = check_log(fd, &c);
	*lines = c.lines;
	return r;
}
