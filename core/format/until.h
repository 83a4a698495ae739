#ifndef HXS_FORMAT_UNTIL_H
#define HXS_FORMAT_UNTIL_H

/*
 * A point in a log of records, and which of its records lie after it. No I/O.
 *
 * A log is JSONL: one object a line. A point is a sequence number or a time,
 * and is itself the last that belongs to what is kept.
 */
#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

#define HXS_UNTIL_TEXT 64

struct hxs_until {
	bool by_time;
	int64_t sequence;
	int64_t sec; /* since 1970 */
	uint32_t nsec;
	char text[HXS_UNTIL_TEXT]; /* as it was given */
};

/*
 * Parse "12345" or "2026-02-05T15:29:00Z" (RFC 3339; a fraction counts).
 * -HXS_EUSAGE for anything else.
 */
HXS_MUST_CHECK
int hxs_until_parse(const char *text, struct hxs_until *out,
		    struct hxs_err *err);

/*
 * Whether a record with @value, as it stands in its line, lies after @u: 1,
 * 0, or -EINVAL when it is neither. A sequence is a whole number, a time a
 * string in RFC 3339 with its zone.
 */
HXS_MUST_CHECK
int hxs_until_is_after(const struct hxs_until *u,
		       const struct hxs_json_span *value);

/*
 * Finding where a log is to be cut. It is fed in pieces of any size.
 *
 * The cut is at the beginning of a line: all records before it are to be
 * kept, all from it on lie after the point. Where there is no such line the
 * log is in no order, and cannot be cut: -HXS_EUSAGE. So it is, naming the
 * line, for a line that is no object, or has not the key, or nothing under it
 * that can be compared, be it before the cut or after. Lines that are blank
 * are part of what is before them. A last line without its newline, and
 * incomplete, is dropped after the cut and a fault where there is none.
 */
struct hxs_cut {
	const struct hxs_until *until; /* borrowed */
	const char *key; /* of the record; borrowed */

	uint32_t lines;
	uint64_t kept, dropped; /* records */
	uint64_t end; /* so many bytes are kept */
	uint32_t first_after; /* the first line after the point, or 0 */
	bool incomplete; /* the last line was, and is dropped */

	struct hxs_hasher hasher; /* of what is kept */
	struct hxs_buf rest; /* the beginning of a line */
};

void hxs_cut_init(struct hxs_cut *c, const struct hxs_until *until,
		  const char *key);
void hxs_cut_release(struct hxs_cut *c);
#define HXS_AUTO_CUT __attribute__((cleanup(hxs_cut_release)))

/* -HXS_EUSAGE as above, -ENOMEM. Messages begin with the line. */
HXS_MUST_CHECK
int hxs_cut_feed(struct hxs_cut *c, const void *data, size_t len,
		 struct hxs_err *err);

/* There is no more; *@kept is the digest of what is kept. */
HXS_MUST_CHECK
int hxs_cut_finish(struct hxs_cut *c, struct hxs_digest *kept,
		   struct hxs_err *err);

#endif
