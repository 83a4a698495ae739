#ifndef HXS_TOOLS_OUT_H
#define HXS_TOOLS_OUT_H

/*
 * The one place that prints. Results go to standard output, talk to standard
 * error. Names come from strangers: what a terminal would act on is escaped.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Make descriptors 0 to 2 exist, so that no file we open becomes standard
 * output. One that was closed is opened in the wrong direction: using it
 * fails with EBADF, as it should.
 */
HXS_MUST_CHECK
int hxs_out_guard(struct hxs_err *err);

/* "hxsnap: message", and the hint on a line of its own. */
void hxs_out_error(const struct hxs_err *err);

/* "hxsnap: warning: text". */
void hxs_out_warning(const char *text);

/* One short line of talk, escaped. */
void hxs_out_talk(const char *fmt, ...) HXS_PRINTF(1, 2);

/* Write @buf to standard output and empty it. -ENOMEM for a failed buffer. */
HXS_MUST_CHECK
int hxs_out_print(struct hxs_buf *buf, struct hxs_err *err);

/*
 * Hand everything printed so far to the system: -errno if standard output
 * did not take it. A loss is told once.
 */
HXS_MUST_CHECK
int hxs_out_finish(struct hxs_err *err);

/* Append a line "@label: @value", values escaped and in one column. */
void hxs_out_field(struct hxs_buf *out, const char *label, const char *value);

/* Append @text escaped. Failures stay in the buffer's status. */
void hxs_out_shown(struct hxs_buf *out, const char *text);

/* "0 B", "12.3 MiB". */
#define HXS_SIZE_TEXT 16
const char *hxs_out_size(uint64_t bytes, char text[HXS_SIZE_TEXT]);

/* "2026-02-05T15:29:00Z", or "-" for a time outside the calendar. */
const char *hxs_out_time(int64_t sec, char text[HXS_RFC3339_LEN + 1]);

/* "1 file", "2 files". */
#define HXS_COUNT_TEXT 48
const char *hxs_out_count(uint64_t n, const char *one,
			  char text[HXS_COUNT_TEXT]);

/*
 * A key with a digest's 64 digits; with a time as RFC 3339, to the second or
 * to the nanosecond; with seconds to the microsecond.
 */
void hxs_out_json_digest(struct hxs_json_out *o, const char *key,
			 const struct hxs_digest *digest);
void hxs_out_json_time(struct hxs_json_out *o, const char *key, int64_t sec);
void hxs_out_json_nanos(struct hxs_json_out *o, const char *key,
			const struct timespec *ts);
void hxs_out_json_seconds(struct hxs_json_out *o, const char *key, double n);

/*
 * A table of text. @align has one letter a column: 'l' or 'r'; the last one
 * is not padded. Each line begins with @indent. Cells are added row by row, escaped, empty ones as "-".
 */
struct hxs_table {
	const char *align;
	char **cell;
	size_t count, cap;
	int status; /* 0, or -ENOMEM */
};
void hxs_table_add(struct hxs_table *t, const char *text);
void hxs_table_print(const struct hxs_table *t, struct hxs_buf *out,
		     const char *indent);
void hxs_table_release(struct hxs_table *t);

#endif
