/* Logs of records: that each line is one, and which of them is the newest. */
#include "base/io.h"
#include "verbs/drill_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIECE (256u << 10)
#define LINE_MAX (16u << 20)
#define TEXT_MAX 63

struct reader {
	struct hxs_drill_run *run;
	struct hxs_drill_records *rec;
	const char *shown;
	uint32_t line;
	struct hxs_buf rest; /* the beginning of a line */
};

/* ---- one record -------------------------------------------------------- */

/* -HXS_ECORRUPT, with the file before the message in @err. */
static int bad(const struct reader *rd, struct hxs_err *err)
{
	if (err)
		err->code = -HXS_ECORRUPT;
	return hxs_err_prefix(err, -HXS_ECORRUPT, "'%s'", rd->shown);
}

static bool is_blank(const char *s, size_t len)
{
	while (len && memchr(" \t\r\n", s[len - 1], 4))
		len--;
	return len == 0;
}

/* What is under a record's key, as a point; false if it can be none. */
static bool to_point(const struct hxs_json_span *v, bool by_time,
		     struct hxs_until *out)
{
	size_t quotes = by_time ? 1 : 0;
	char text[TEXT_MAX + 1];

	if (v->len < 2 * quotes || v->len - 2 * quotes > TEXT_MAX ||
	    (by_time && *v->at != '"'))
		return false;
	memcpy(text, v->at + quotes, v->len - 2 * quotes);
	text[v->len - 2 * quotes] = '\0';
	return hxs_until_parse(text, out, NULL) == 0 && out->by_time == by_time;
}

/* Take in value @v of @key: *@newest is the greatest of all so far. */
static int take(const struct reader *rd, const char *key, bool by_time,
		const struct hxs_json_span *v, bool *has,
		struct hxs_until *newest, struct hxs_err *err)
{
	int after = 1;

	if (!v->at)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "line %u: the record has no '%s'", rd->line,
				   key);
	if (*has)
		after = hxs_until_is_after(newest, v);
	if (after == 0)
		return 0;
	if (after > 0 && to_point(v, by_time, newest)) {
		*has = true;
		return 0;
	}
	return hxs_err_set(err, HXS_ECORRUPT,
			   by_time ? "line %u: its '%s' is no time of RFC 3339"
				   : "line %u: its '%s' is no whole number",
			   rd->line, key);
}

static int judge(struct reader *rd, const char *line, size_t len,
		 struct hxs_err *err)
{
	struct hxs_json_span values[2] = { { .at = NULL } };
	struct hxs_drill_records *rec = rd->rec;
	const char *keys[2];
	size_t n = 0, i = 0;
	int r;

	if (rec->sequence)
		keys[n++] = rec->sequence;
	if (rec->time)
		keys[n++] = rec->time;
	r = hxs_json_find(line, len, rd->line, keys, n, values, err);
	if (r == 0 && rec->sequence)
		r = take(rd, rec->sequence, false, &values[i++],
			 &rec->has_sequence, &rec->newest_sequence, err);
	if (r == 0 && rec->time)
		r = take(rd, rec->time, true, &values[i], &rec->has_time,
			 &rec->newest_time, err);
	if (r == 0)
		rec->records++;
	return r;
}

/* One line, its newline included. */
static int take_line(struct reader *rd, const char *line, size_t len,
		     struct hxs_err *err)
{
	int r;

	rd->line++;
	if (is_blank(line, len))
		return 0;
	if (line[len - 1] == '\n')
		len--; /* what is missing is missing in this line */
	r = judge(rd, line, len, err);
	return r < 0 && r != -ENOMEM ? bad(rd, err) : r;
}

/* ---- lines ------------------------------------------------------------- */

static int add_rest(struct reader *rd, const char *data, size_t len,
		    struct hxs_err *err)
{
	if (rd->rest.len > LINE_MAX - len) {
		(void)hxs_err_set(err, HXS_ECORRUPT,
				  "line %u: it is longer than 16 MiB",
				  rd->line + 1);
		return bad(rd, err);
	}
	return hxs_buf_append(&rd->rest, data, len) < 0
		       ? hxs_err_errno(err, ENOMEM, "cannot take in a line")
		       : 0;
}

static int feed(struct reader *rd, const char *at, size_t len,
		struct hxs_err *err)
{
	const char *end = at + len, *next;
	int r = 0;

	for (; r == 0 && at < end; at = next) {
		next = memchr(at, '\n', (size_t)(end - at));
		if (next && rd->rest.len == 0) {
			next++;
			r = take_line(rd, at, (size_t)(next - at), err);
			continue;
		}
		next = next ? next + 1 : end;
		r = add_rest(rd, at, (size_t)(next - at), err);
		if (r == 0 && next[-1] == '\n') {
			r = take_line(rd, rd->rest.data, rd->rest.len, err);
			hxs_buf_truncate(&rd->rest, 0);
		}
	}
	return r;
}

/* The last line, which has no newline: what was being written, perhaps. */
static int take_last(struct reader *rd, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	struct hxs_json_span none;
	const char *key = "";
	int r;

	r = hxs_json_find(rd->rest.data, rd->rest.len, rd->line + 1, &key, 0,
			  &none, &why);
	if (r != -HXS_EUSAGE || is_blank(rd->rest.data, rd->rest.len))
		return take_line(rd, rd->rest.data, rd->rest.len, err);
	(void)hxs_buf_printf(&text, "'%s': line %u, the last, is incomplete",
			     rd->shown, rd->line + 1);
	hxs_relay_warn(&rd->run->relay, hxs_buf_str(&text));
	return 0;
}

int hxs_drill_records_read(struct hxs_drill_run *run,
			   struct hxs_drill_records *rec, int fd,
			   const char *shown, struct hxs_err *err)
{
	struct reader rd = { run, rec, shown, 0, HXS_BUF_INIT };
	HXS_AUTO_FREE char *mem = malloc(PIECE);
	ssize_t n = 0;
	int r = mem ? 0 : hxs_err_errno(err, ENOMEM, "cannot read '%s'", shown);

	while (r == 0 && (n = hxs_io_read_full(fd, mem, PIECE)) > 0) {
		r = hxs_relay_goes_on(&run->relay, err);
		if (r == 0)
			r = feed(&rd, mem, (size_t)n, err);
	}
	if (r == 0 && n < 0)
		r = hxs_err_errno(err, (int)-n, "cannot read '%s'", shown);
	if (r == 0 && rd.rest.len)
		r = take_last(&rd, err);
	hxs_buf_release(&rd.rest);
	rec->files++;
	return r;
}

/* ---- the recovery point ------------------------------------------------ */

/* Whether @rec tells of something newer than what is known so far. */
static bool is_newer(const struct hxs_drill_run *run,
		     const struct hxs_drill_records *rec)
{
	const struct hxs_until *a = &rec->newest_time, *b = &run->newest;

	if (!rec->has_sequence && !rec->has_time)
		return false;
	if (!run->rep->point.source[0])
		return true;
	if (!rec->has_time || !run->rep->point.has_time)
		return rec->has_time;
	return a->sec != b->sec ? a->sec > b->sec : a->nsec > b->nsec;
}

void hxs_drill_records_note(struct hxs_drill_run *run, const char *source,
			    const struct hxs_drill_records *rec)
{
	struct hxs_drill_point *p = &run->rep->point;
	int64_t made = 0;

	if (!is_newer(run, rec))
		return;
	*p = (struct hxs_drill_point){
		.has_sequence = rec->has_sequence,
		.has_time = rec->has_time,
		.sequence = rec->newest_sequence.sequence,
	};
	(void)snprintf(p->source, sizeof(p->source), "%s", source);
	if (!rec->has_time || hxs_clock_parse_id(run->id, &made) < 0)
		return;
	(void)snprintf(p->time, sizeof(p->time), "%s", rec->newest_time.text);
	p->age = made - rec->newest_time.sec;
	run->newest = rec->newest_time;
}
