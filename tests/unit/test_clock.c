#include "base/clock.h"
#include "tests/lib/tap.h"

#include <errno.h>

static const struct {
	const char *id;
	int64_t sec;
} ids[] = {
	{ "19700101T000000Z", 0 },
	{ "19691231T235959Z", -1 },
	{ "00010101T000000Z", -62135596800 },
	{ "99991231T235959Z", 253402300799 },
	{ "20000229T120000Z", 951825600 },
	{ "19000301T000000Z", -2203891200 },
	{ "20240229T235959Z", 1709251199 },
	{ "20380119T031407Z", 2147483647 },
	{ "20380119T031408Z", 2147483648 },
	{ "21060207T062815Z", 4294967295 },
	{ "21060207T062816Z", 4294967296 },
	{ "20260205T152900Z", 1770305340 },
};

static const char *const bad_ids[] = {
	"",
	"2026",
	"20260205T152900",
	"20260205T152900ZZ",
	"20260205T152900z",
	"20260205t152900Z",
	"20260205 152900Z",
	"2026-02-05T15:29",
	"+0260205T152900Z",
	" 0260205T152900Z",
	"20260230T152900Z",
	"20250229T000000Z",
	"19000229T000000Z",
	"20260431T000000Z",
	"20260001T000000Z",
	"20261301T000000Z",
	"20260200T000000Z",
	"20260205T240000Z",
	"20260205T156000Z",
	"20260205T152960Z",
	"00000101T000000Z",
	"..",
	"latest",
};

static const struct {
	const char *text;
	int r;
	int64_t sec;
} rfc3339[] = {
	{ "2026-02-05T15:29:00Z", 0, 1770305340 },
	{ "2026-02-05t15:29:00z", 0, 1770305340 },
	{ "2026-02-05 15:29:00Z", 0, 1770305340 },
	{ "2026-02-05T15:29:00.999999999Z", 0, 1770305340 },
	{ "2026-02-05T16:29:00+01:00", 0, 1770305340 },
	{ "2026-02-05T10:14:00-05:15", 0, 1770305340 },
	{ "2026-02-06T00:29:00.5+09:00", 0, 1770305340 },
	{ "2026-02-05T15:29:00-00:00", 0, 1770305340 },
	{ "2024-02-29T23:59:59Z", 0, 1709251199 },
	{ "0001-01-01T00:00:00Z", 0, -62135596800 },
	{ "9999-12-31T23:59:59Z", 0, 253402300799 },
	{ "0001-01-01T00:00:00+00:01", -EINVAL, 0 },
	{ "9999-12-31T23:59:59-00:01", -EINVAL, 0 },
	{ "2026-02-05T15:29:00", -EINVAL, 0 },
	{ "2026-02-05T15:29:00.Z", -EINVAL, 0 },
	{ "2026-02-05T15:29:00,5Z", -EINVAL, 0 },
	{ "2026-02-05T15:29:00Z ", -EINVAL, 0 },
	{ "2026-02-05T15:29:00+0100", -EINVAL, 0 },
	{ "2026-02-05T15:29:00+24:00", -EINVAL, 0 },
	{ "2026-02-05T15:29:00+01:60", -EINVAL, 0 },
	{ "2026-02-05T15:29Z", -EINVAL, 0 },
	{ "2026-02-05", -EINVAL, 0 },
	{ "2026-2-5T15:29:00Z", -EINVAL, 0 },
	{ "2023-02-29T00:00:00Z", -EINVAL, 0 },
	{ "2026-02-05T23:59:60Z", -EINVAL, 0 },
	{ "12026-02-05T15:29:00Z", -EINVAL, 0 },
	{ "", -EINVAL, 0 },
};

/* Every day from year 1 to 9999, counted on the fingers. */
static void test_every_day(void)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31 };
	int64_t want = -62135596800, sec;
	char id[HXS_ID_LEN + 1], text[80];
	unsigned wrong = 0;

	for (int y = 1; y <= 9999; y++)
		for (int m = 1; m <= 12; m++) {
			bool leap =
				(y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
			int n = days[m - 1] + (m == 2 && leap);

			for (int d = 1; d <= n; d++, want += 86400) {
				/* One of each month's days by snprintf. */
				if (hxs_clock_format_id(want, id) < 0 ||
				    hxs_clock_parse_id(id, &sec) < 0 ||
				    sec != want)
					wrong++;
				if (d != n && d != 1)
					continue;
				(void)snprintf(text, sizeof(text),
					       "%04d%02d%02dT000000Z", y, m, d);
				if (strcmp(text, id) != 0)
					wrong++;
			}
		}
	is_int(wrong, 0, "every day of 9999 years");
	is_int(want, 253402300800, "and no day more");
}

static void fake_now(struct timespec *out, void *ctx)
{
	*out = (struct timespec){ .tv_sec = *(int64_t *)ctx, .tv_nsec = 5 };
}

static void fake_wait(int64_t sec, void *ctx)
{
	*(int64_t *)ctx = sec;
}

static void test_clocks(void)
{
	int64_t at = 4102444800;
	struct hxs_clock fake = { fake_now, fake_wait, &at };
	struct timespec ts, real;
	double ticks = hxs_clock_ticks();

	hxs_clock_set(&fake);
	memset(&fake, 0, sizeof(fake));
	hxs_clock_now(&ts);
	is_int(ts.tv_sec, 4102444800, "another clock is asked");
	hxs_clock_wait_until(4102444900);
	hxs_clock_now(&ts);
	is_int(ts.tv_sec, 4102444900, "and waited for");
	is_int(ts.tv_nsec, 5, "to the nanosecond");
	hxs_clock_set(NULL);
	(void)clock_gettime(CLOCK_REALTIME, &real);
	hxs_clock_now(&ts);
	ok(ts.tv_sec >= real.tv_sec && ts.tv_sec < 4102444800,
	   "NULL brings the real one back");
	hxs_clock_wait_until(real.tv_sec - 10);
	hxs_clock_wait_until(real.tv_sec + 1);
	hxs_clock_now(&ts);
	ok(ts.tv_sec >= real.tv_sec + 1, "waits until then");
	ok(hxs_clock_ticks() > ticks, "ticks grow");
}

int main(void)
{
	char text[HXS_RFC3339_LEN + 1];
	int64_t sec;
	size_t i;

	/* Nothing here may ask for it: it is on the other side of the date. */
	(void)setenv("TZ", "Pacific/Kiritimati", 1);
	tzset();
	for (i = 0; i < HXS_ARRAY_LEN(ids); i++) {
		sec = 42;
		is_int(hxs_clock_parse_id(ids[i].id, &sec), 0, "parse %s",
		       ids[i].id);
		is_int(sec, ids[i].sec, "%s in seconds", ids[i].id);
		is_int(hxs_clock_format_id(ids[i].sec, text), 0, "format");
		is_str(text, ids[i].id, "%s and back", ids[i].id);
	}
	for (i = 0; i < HXS_ARRAY_LEN(bad_ids); i++) {
		sec = 42;
		is_int(hxs_clock_parse_id(bad_ids[i], &sec), -EINVAL,
		       "no id: '%s'", bad_ids[i]);
		is_int(sec, 42, "and nothing written");
	}
	is_int(hxs_clock_format_id(-62135596801, text), -ERANGE, "year 0");
	is_int(hxs_clock_format_id(253402300800, text), -ERANGE, "year 10000");
	is_int(hxs_clock_format_rfc3339(INT64_MIN, text), -ERANGE, "minimum");
	is_int(hxs_clock_format_rfc3339(INT64_MAX, text), -ERANGE, "maximum");
	for (i = 0; i < HXS_ARRAY_LEN(rfc3339); i++) {
		sec = 0;
		is_int(hxs_clock_parse_rfc3339(rfc3339[i].text, &sec),
		       rfc3339[i].r, "parse '%s'", rfc3339[i].text);
		is_int(sec, rfc3339[i].sec, "'%s' in seconds", rfc3339[i].text);
	}
	is_int(hxs_clock_format_rfc3339(1770305340, text), 0, "format");
	is_str(text, "2026-02-05T15:29:00Z", "as RFC 3339");
	test_every_day();
	test_clocks();
	return tap_done();
}
