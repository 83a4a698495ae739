/*
 * Dates are computed here and not by timegm() and friends: those depend on
 * the time zone's tables, accept the 30th of February by normalising it, and
 * know no bounds. The arithmetic counts days from 0000-03-01, so that the
 * leap day is the last of its year.
 */
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SEC_PER_DAY 86400
#define SEC_MIN (-62135596800) /* 0001-01-01T00:00:00Z */
#define SEC_MAX 253402300799 /* 9999-12-31T23:59:59Z */
#define DAYS_TO_EPOCH 719468 /* from 0000-03-01 to 1970-01-01 */
#define DAYS_PER_ERA 146097 /* 400 years */

struct fields {
	int year, month, day, hour, minute, second;
};

static void real_now(struct timespec *out, void *ctx HXS_UNUSED)
{
	(void)clock_gettime(CLOCK_REALTIME, out); /* this clock always is */
}

static void real_wait_until(int64_t sec, void *ctx HXS_UNUSED)
{
	struct timespec until = { .tv_sec = sec };

	/* Absolute, so a clock set forward meanwhile ends the wait. */
	(void)clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}

static const struct hxs_clock real_clock = {
	.now = real_now,
	.wait_until = real_wait_until,
};
static struct hxs_clock the_clock = {
	.now = real_now,
	.wait_until = real_wait_until,
};

void hxs_clock_set(const struct hxs_clock *clock)
{
	the_clock = clock ? *clock : real_clock;
}

void hxs_clock_now(struct timespec *out)
{
	the_clock.now(out, the_clock.ctx);
}

void hxs_clock_wait_until(int64_t sec)
{
	the_clock.wait_until(sec, the_clock.ctx);
}

double hxs_clock_ticks(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* this clock always is */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* -EINVAL for what is on no clock; a leap second cannot be told apart. */
static int fields_to_sec(const struct fields *f, int64_t *sec)
{
	int64_t y = f->year - (f->month <= 2), era, doe;
	int yoe, doy;

	if (f->year < 1 || f->year > 9999 || f->month < 1 || f->month > 12 ||
	    f->day < 1 || f->day > days_in_month(f->year, f->month) ||
	    f->hour > 23 || f->minute > 59 || f->second > 59)
		return -EINVAL;
	era = y / 400;
	yoe = (int)(y - era * 400);
	doy = (153 * (f->month + (f->month > 2 ? -3 : 9)) + 2) / 5 + f->day - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	*sec = (era * DAYS_PER_ERA + doe - DAYS_TO_EPOCH) * SEC_PER_DAY +
	       f->hour * 3600 + f->minute * 60 + f->second;
	return 0;
}

static int sec_to_fields(int64_t sec, struct fields *f)
{
	int64_t days, rest, era;
	int doe, yoe, doy, mp;

	if (sec < SEC_MIN || sec > SEC_MAX)
		return -ERANGE;
	days = sec / SEC_PER_DAY;
	rest = sec % SEC_PER_DAY;
	if (rest < 0) {
		rest += SEC_PER_DAY;
		days--;
	}
	days += DAYS_TO_EPOCH; /* not negative from year 1 on */
	era = days / DAYS_PER_ERA;
	doe = (int)(days - era * DAYS_PER_ERA);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	f->day = doy - (153 * mp + 2) / 5 + 1;
	f->month = mp < 10 ? mp + 3 : mp - 9;
	f->year = (int)(yoe + era * 400) + (f->month <= 2);
	f->hour = (int)(rest / 3600);
	f->minute = (int)(rest / 60 % 60);
	f->second = (int)(rest % 60);
	return 0;
}

static void put_digits(char *out, const char *shape, const struct fields *f)
{
	int value[6] = { f->year, f->month,  f->day,
			 f->hour, f->minute, f->second };
	size_t len = strlen(shape), i;

	out[len] = '\0';
	for (i = len; i-- > 0;) {
		int *v;

		out[i] = shape[i];
		if (shape[i] < '0' || shape[i] > '5')
			continue;
		v = &value[shape[i] - '0'];
		out[i] = (char)('0' + *v % 10);
		*v /= 10;
	}
}

/* Each digit of @shape stands for a digit of that field, see put_digits(). */
static bool get_digits(const char *s, const char *shape, struct fields *f)
{
	int value[6] = { 0 };
	size_t i;

	for (i = 0; shape[i]; i++) {
		if (shape[i] < '0' || shape[i] > '5') {
			if (s[i] != shape[i])
				return false;
			continue;
		}
		if (s[i] < '0' || s[i] > '9')
			return false;
		value[shape[i] - '0'] =
			value[shape[i] - '0'] * 10 + (s[i] - '0');
	}
	*f = (struct fields){ value[0], value[1], value[2],
			      value[3], value[4], value[5] };
	return true;
}

#define ID_SHAPE "00001122T334455Z"
#define RFC3339_SHAPE "0000-11-22T33:44:55Z"
#define DATE_SHAPE "0000-11-22"
#define TIME_SHAPE "33:44:55"
#define ZONE_SHAPE "33:44"

int hxs_clock_format_id(int64_t sec, char out[HXS_ID_LEN + 1])
{
	struct fields f;
	int r = sec_to_fields(sec, &f);

	if (r < 0)
		return r;
	put_digits(out, ID_SHAPE, &f);
	return 0;
}

int hxs_clock_parse_id(const char *id, int64_t *sec)
{
	struct fields f;

	if (strnlen(id, HXS_ID_LEN + 1) != HXS_ID_LEN ||
	    !get_digits(id, ID_SHAPE, &f))
		return -EINVAL;
	return fields_to_sec(&f, sec);
}

bool hxs_clock_is_id(const char *id)
{
	int64_t sec;

	return hxs_clock_parse_id(id, &sec) == 0;
}

int hxs_clock_format_rfc3339(int64_t sec, char out[HXS_RFC3339_LEN + 1])
{
	struct fields f;
	int r = sec_to_fields(sec, &f);

	if (r < 0)
		return r;
	put_digits(out, RFC3339_SHAPE, &f);
	return 0;
}

/* What must be added to local time to have UTC; the whole of @s is used. */
static int parse_zone(const char *s, int *sec)
{
	struct fields f;

	if ((s[0] == 'Z' || s[0] == 'z') && s[1] == '\0') {
		*sec = 0;
		return 0;
	}
	if ((s[0] != '+' && s[0] != '-') ||
	    !get_digits(s + 1, ZONE_SHAPE, &f) ||
	    s[1 + strlen(ZONE_SHAPE)] != '\0' || f.hour > 23 || f.minute > 59)
		return -EINVAL;
	*sec = f.hour * 3600 + f.minute * 60;
	if (s[0] == '+')
		*sec = -*sec;
	return 0;
}

int hxs_clock_parse_rfc3339(const char *s, int64_t *sec)
{
	struct fields date, time;
	int64_t local;
	int zone, r;

	if (!get_digits(s, DATE_SHAPE, &date))
		return -EINVAL;
	s += strlen(DATE_SHAPE);
	if (*s != 'T' && *s != 't' && *s != ' ')
		return -EINVAL;
	s++;
	if (!get_digits(s, TIME_SHAPE, &time))
		return -EINVAL;
	s += strlen(TIME_SHAPE);
	if (*s == '.') {
		size_t n = strspn(s + 1, "0123456789");

		if (n == 0)
			return -EINVAL;
		s += 1 + n;
	}
	date.hour = time.hour;
	date.minute = time.minute;
	date.second = time.second;
	r = fields_to_sec(&date, &local);
	if (r < 0)
		return r;
	r = parse_zone(s, &zone);
	if (r < 0)
		return r;
	if (local + zone < SEC_MIN || local + zone > SEC_MAX)
		return -EINVAL;
	*sec = local + zone;
	return 0;
}
