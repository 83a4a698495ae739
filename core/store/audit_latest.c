#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "store/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define TAIL (1u << 20) /* of the log: many lines */

/* Whether the line is one of ours that tells the time; *@sec is that. */
static bool tells(const char *line, size_t len, int64_t *sec)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	const struct hxs_json *root, *when, *act, *good;
	const char *text = NULL;
	bool done = false;

	if (memchr(line, '\0', len) || hxs_json_parse(line, len, &doc, NULL))
		return false;
	root = hxs_json_root(doc);
	when = hxs_json_get(root, "when");
	act = hxs_json_get(root, "act");
	good = hxs_json_get(root, "ok");
	if (!when || hxs_json_string(when, &text, NULL) < 0 ||
	    hxs_clock_parse_rfc3339(text, sec) < 0)
		return false;
	if (!act || hxs_json_string(act, &text, NULL) < 0 || !good ||
	    hxs_json_bool(good, &done, NULL) < 0)
		return false;
	return done || strcmp(text, "prune") != 0;
}

/* Of log @name: 1, 0 if no line of it tells, -ENOENT, -errno. */
static int latest_of(const struct hxs_store *s, const char *name, int64_t *sec)
{
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	struct stat st = { .st_size = 0 };
	const char *nl;
	uint64_t from;
	size_t len;
	ssize_t n;

	fd = hxs_io_open_regular(hxs_store_fd(s), name, &st);
	if (fd < 0)
		return fd;
	from = (uint64_t)st.st_size > TAIL ? (uint64_t)st.st_size - TAIL : 0;
	text = malloc(TAIL);
	n = text ? hxs_io_pread_full(fd, text, TAIL, from) : -ENOMEM;
	if (n < 0)
		return (int)n;
	for (len = (size_t)n; len; len = nl ? (size_t)(nl - text) : 0) {
		nl = memrchr(text, '\n', len);
		if (tells(nl ? nl + 1 : text,
			  nl ? len - (size_t)(nl + 1 - text) : len, sec))
			return 1;
	}
	return 0;
}

int hxs_audit_latest(const struct hxs_store *s, int64_t *sec,
		     struct hxs_err *err)
{
	char name[HXS_AUDIT_NAME_SIZE];
	unsigned n;
	int r = 0;

	/* Just moved aside, and nothing has begun the next one. */
	for (n = 0; n <= HXS_AUDIT_MOVED_MAX && r == 0; n++) {
		hxs_audit_name(n, name);
		r = latest_of(s, name, sec);
		if (r == -ENOENT && n == 0)
			r = 0;
	}
	if (r == -ENOENT)
		return 0;
	return r < 0 ? hxs_err_errno(err, -r,
				     "cannot read the audit log '%s/%s'",
				     hxs_store_path(s), name)
		     : r;
}
