#ifndef HXS_BASE_CLOCK_H
#define HXS_BASE_CLOCK_H

/*
 * The time of day, and its two spellings: ids (YYYYmmddTHHMMSSZ) and RFC
 * 3339. All UTC, proleptic Gregorian, years 0001 to 9999. Injectable: a test
 * lets ten years pass by setting another clock.
 */
#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define HXS_ID_LEN 16 /* without the NUL */
#define HXS_CLOCK_SKEW 60 /* seconds that two machines' clocks may be apart */

struct hxs_clock {
	void (*now)(struct timespec *out, void *ctx);
	/* Wait until now() is at or past @sec; may return early on a signal. */
	void (*wait_until)(int64_t sec, void *ctx);
	void *ctx;
};

/* NULL restores the real clock. Call it before threads start. */
void hxs_clock_set(const struct hxs_clock *clock);
void hxs_clock_now(struct timespec *out);
void hxs_clock_wait_until(int64_t sec);

/* Monotonic seconds, for rates and durations only. */
double hxs_clock_ticks(void);

/* @out gets HXS_ID_LEN characters and a NUL; -ERANGE outside the years. */
int hxs_clock_format_id(int64_t sec, char out[HXS_ID_LEN + 1]);

/* -EINVAL unless @id is exactly an id of a real date (no 30 February). */
int hxs_clock_parse_id(const char *id, int64_t *sec);
bool hxs_clock_is_id(const char *id);

#define HXS_RFC3339_LEN 20 /* "2026-02-05T15:29:00Z" */
int hxs_clock_format_rfc3339(int64_t sec, char out[HXS_RFC3339_LEN + 1]);

/* Date, 'T', 't' or blank, time, optional fraction (cut off), Z or +hh:mm. */
int hxs_clock_parse_rfc3339(const char *s, int64_t *sec);

#endif
