/* Finding where a log is to be cut, line by line. */
#include "format/until.h"

#include <errno.h>
#include <string.h>

#define LINE_MAX (16u << 20)

void hxs_cut_init(struct hxs_cut *c, const struct hxs_until *until,
		  const char *key)
{
	*c = (struct hxs_cut){
		.until = until,
		.key = key,
		.rest = HXS_BUF_INIT,
	};
	hxs_hasher_init(&c->hasher);
}

void hxs_cut_release(struct hxs_cut *c)
{
	hxs_buf_release(&c->rest);
}

static bool is_blank(const char *s, size_t len)
{
	while (len && memchr(" \t\r\n", s[len - 1], 4))
		len--;
	return len == 0;
}

static void keep(struct hxs_cut *c, const char *line, size_t len)
{
	hxs_hasher_update(&c->hasher, line, len);
	c->end += len;
}

/* Whether the record in @line lies after the point: 1, 0 or a fault. */
static int judge(const struct hxs_cut *c, const char *line, size_t len,
		 struct hxs_err *err)
{
	struct hxs_json_span value = { .at = NULL };
	int r;

	if (line[len - 1] == '\n')
		len--; /* what is missing is missing in this line */
	r = hxs_json_find(line, len, c->lines, &c->key, 1, &value, err);
	if (r < 0)
		return r;
	if (!value.at)
		return hxs_err_set(err, HXS_EUSAGE,
				   "line %u: the record has no '%s'", c->lines,
				   c->key);
	r = hxs_until_is_after(c->until, &value);
	if (r >= 0)
		return r;
	return hxs_err_set(err, HXS_EUSAGE,
			   c->until->by_time
				   ? "line %u: its '%s' is no time of RFC 3339"
				   : "line %u: its '%s' is no whole number",
			   c->lines, c->key);
}

static int take_record(struct hxs_cut *c, const char *line, size_t len,
		       struct hxs_err *err)
{
	int r = judge(c, line, len, err);

	if (r < 0)
		return r;
	if (r > 0) {
		if (!c->first_after)
			c->first_after = c->lines;
		c->dropped++;
		return 0;
	}
	if (c->first_after)
		return hxs_err_set(err, HXS_EUSAGE,
				   "line %u: its '%s' is not after the point, "
				   "and that of line %u is: it cannot be cut "
				   "at one line",
				   c->lines, c->key, c->first_after);
	c->kept++;
	keep(c, line, len);
	return 0;
}

/* One line, its newline included. */
static int take_line(struct hxs_cut *c, const char *line, size_t len,
		     struct hxs_err *err)
{
	c->lines++;
	if (!is_blank(line, len))
		return take_record(c, line, len, err);
	if (!c->first_after)
		keep(c, line, len);
	return 0;
}

static int add_rest(struct hxs_cut *c, const char *data, size_t len,
		    struct hxs_err *err)
{
	if (len > LINE_MAX || c->rest.len > LINE_MAX - len)
		return hxs_err_set(err, HXS_EUSAGE,
				   "line %u: it is longer than 16 MiB",
				   c->lines + 1);
	return hxs_buf_append(&c->rest, data, len) < 0
		       ? hxs_err_errno(err, ENOMEM, "cannot take in a line")
		       : 0;
}

int hxs_cut_feed(struct hxs_cut *c, const void *data, size_t len,
		 struct hxs_err *err)
{
	const char *at = data, *end = at + len, *next;
	int r;

	for (; at < end; at = next) {
		next = memchr(at, '\n', (size_t)(end - at));
		if (next && c->rest.len == 0) {
			next++;
			r = take_line(c, at, (size_t)(next - at), err);
			if (r < 0)
				return r;
			continue;
		}
		next = next ? next + 1 : end;
		r = add_rest(c, at, (size_t)(next - at), err);
		if (r == 0 && next[-1] == '\n') {
			r = take_line(c, c->rest.data, c->rest.len, err);
			hxs_buf_truncate(&c->rest, 0);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* The last line, which has no newline. */
static int take_last(struct hxs_cut *c, struct hxs_err *err)
{
	struct hxs_json_span value = { .at = NULL };
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	if (is_blank(c->rest.data, c->rest.len))
		return take_line(c, c->rest.data, c->rest.len, err);
	r = hxs_json_find(c->rest.data, c->rest.len, c->lines + 1, &c->key, 1,
			  &value, &why);
	if (r != -HXS_EUSAGE)
		return r < 0 ? hxs_err_errno(err, -r, "cannot take in a line")
			     : take_line(c, c->rest.data, c->rest.len, err);
	c->lines++;
	if (!c->first_after)
		return hxs_err_set(err, HXS_EUSAGE,
				   "line %u: it is incomplete, and whether it "
				   "is after the point cannot be told",
				   c->lines);
	c->incomplete = true;
	return 0;
}

int hxs_cut_finish(struct hxs_cut *c, struct hxs_digest *kept,
		   struct hxs_err *err)
{
	int r = c->rest.len ? take_last(c, err) : 0;

	hxs_hasher_final(&c->hasher, kept);
	return r;
}
