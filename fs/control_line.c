/* Lines put together from writes. */
#include "fs/control_parse.h"

#include <errno.h>
#include <string.h>

void hxfs_line_release(struct hxfs_line *l)
{
	hxs_buf_release(&l->text);
}

static bool all_blank(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] != ' ' && s[i] != '\t' && s[i] != '\n')
			return false;
	return true;
}

static int spoil(struct hxfs_line *l, int r)
{
	l->spoilt = true;
	hxs_buf_truncate(&l->text, 0);
	return r;
}

static int append(struct hxfs_line *l, const char *buf, size_t len,
		  struct hxs_err *err)
{
	if (l->text.len + len > HXFS_LINE_MAX)
		return spoil(l, hxs_err_set(err, HXS_EUSAGE,
					    "the line is longer than %u bytes",
					    HXFS_LINE_MAX));
	/* Reserved first: a buffer that failed once takes nothing more. */
	if (hxs_buf_reserve(&l->text, len) < 0) {
		hxs_buf_release(&l->text);
		return spoil(l, hxs_err_errno(err, ENOMEM,
					      "cannot read the command"));
	}
	return hxs_buf_append(&l->text, buf, len);
}

/* The write is over and no newline has come. @alone: it began the line. */
static int without_end(struct hxfs_line *l, enum hxfs_place place, bool alone,
		       struct hxs_err *err)
{
	const char *text = hxs_buf_str(&l->text);
	struct hxfs_command c;
	int r;

	if (alone && l->text.len < HXFS_LINE_MAX) {
		r = hxfs_command_parse(text, l->text.len, place, &c, NULL);
		if (r == 0) {
			hxfs_command_release(&c);
			return 1;
		}
	}
	if (hxfs_command_may_begin(text, l->text.len))
		return 0;
	r = hxfs_command_parse(text, l->text.len, place, &c, err);
	if (r == 0) /* so it might have begun one */
		hxfs_command_release(&c);
	return spoil(l, r < 0 ? r : -HXS_EUSAGE);
}

int hxfs_line_feed(struct hxfs_line *l, enum hxfs_place place, const char *buf,
		   size_t size, size_t *taken, struct hxs_err *err)
{
	const char *end;
	size_t pos = 0, n;
	bool alone;
	int r;

	if (l->spoilt) {
		(void)hxs_err_set(err, HXS_EUSAGE,
				  "an earlier line was not understood before "
				  "its end came");
		hxs_err_hint(err, "open the control file anew");
		return -HXS_EUSAGE;
	}
	while (pos < size) {
		end = memchr(buf + pos, '\n', size - pos);
		n = end ? (size_t)(end - (buf + pos)) : size - pos;
		alone = l->text.len == 0;
		r = append(l, buf + pos, n, err);
		if (r < 0)
			return r;
		pos += n + (end != NULL);
		if (!end) {
			*taken = size;
			return without_end(l, place, alone, err);
		}
		if (all_blank(l->text.data, l->text.len)) {
			hxs_buf_truncate(&l->text, 0);
			continue;
		}
		*taken = all_blank(buf + pos, size - pos) ? size : pos;
		return 1;
	}
	*taken = size;
	return 0;
}
