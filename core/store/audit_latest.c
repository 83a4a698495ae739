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

int hxs_audit_latest(const struct hxs_store *s, int64_t *sec,
		     struct hxs_err *err)
{
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	struct stat st = { .st_size = 0 };
	const char *nl;
	uint64_t from;
	size_t len;
	ssize_t n;

	fd = hxs_io_open_regular(hxs_store_fd(s), HXS_AUDIT_LOG, &st);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return hxs_err_errno(err, -fd,
				     "cannot open the audit log '%s/%s'",
				     hxs_store_path(s), HXS_AUDIT_LOG);
	from = (uint64_t)st.st_size > TAIL ? (uint64_t)st.st_size - TAIL : 0;
	text = malloc(TAIL);
	n = text ? hxs_io_pread_full(fd, text, TAIL, from) : -ENOMEM;
	if (n < 0)
		return hxs_err_errno(err, (int)-n,
				     "cannot read the audit log '%s/%s'",
				     hxs_store_path(s), HXS_AUDIT_LOG);
	for (len = (size_t)n; len; len = nl ? (size_t)(nl - text) : 0) {
		nl = memrchr(text, '\n', len);
		if (tells(nl ? nl + 1 : text,
			  nl ? len - (size_t)(nl + 1 - text) : len, sec))
			return 1;
	}
	return 0;
}
