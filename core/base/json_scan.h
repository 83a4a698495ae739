#ifndef HXS_BASE_JSON_SCAN_H
#define HXS_BASE_JSON_SCAN_H

/*
 * The grammar, checked before cJSON sees a byte: cJSON is lenient (numbers
 * like 01, blanks that are none, strings cut at "\u0000") and does not say
 * where. Also the place of each value, for messages. Private to json*.c.
 */
#include "base/json.h"

#include <stdint.h>

struct hxs_json_place {
	uint32_t line, column; /* from 1; a column is a character */
};

struct hxs_json_scan {
	/*
	 * Of each value in document order, a container before what it holds.
	 * The place of a member is that of its key.
	 */
	struct hxs_json_place *places;
	size_t count, cap;
};

/*
 * Check @text: RFC 8259 and the limits of json.h. On success *@out holds the
 * places, to be given back with hxs_json_scan_release().
 */
HXS_MUST_CHECK
int hxs_json_scan(const char *text, size_t len, struct hxs_json_scan *out,
		  struct hxs_err *err);
void hxs_json_scan_release(struct hxs_json_scan *s);

/*
 * Check @text the same, which has to be an object, and tell its members in
 * their order: both as they stand there, the key with its quotes. What @fn
 * returns, if negative, ends it. @line is the number of its first line.
 */
typedef int (*hxs_json_member_fn)(const struct hxs_json_span *key,
				  const struct hxs_json_span *value, void *ctx);
HXS_MUST_CHECK
int hxs_json_scan_members(const char *text, size_t len, uint32_t line,
			  hxs_json_member_fn fn, void *ctx,
			  struct hxs_err *err);

#endif
