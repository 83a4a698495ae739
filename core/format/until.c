#include "format/until.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NSEC_DIGITS 9
#define SEQUENCE_DIGITS 18 /* which fit into 63 bits, whatever they are */
#define TIME_MAX 63

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A whole number, all of the @len bytes at @s. */
static int parse_whole(const char *s, size_t len, int64_t *out)
{
	bool minus = len > 0 && s[0] == '-';
	size_t i = minus ? 1 : 0;
	int64_t n = 0;

	if (i == len || len - i > SEQUENCE_DIGITS)
		return -EINVAL;
	for (; i < len; i++) {
		if (!is_digit(s[i]))
			return -EINVAL;
		n = n * 10 + (s[i] - '0');
	}
	*out = minus ? -n : n;
	return 0;
}

/* Nanoseconds, of the fraction that begins with the dot at @p. */
static uint32_t parse_fraction(const char *p)
{
	uint32_t n = 0;
	int i;

	for (i = 0; i < NSEC_DIGITS; i++) {
		if (is_digit(p[1])) /* else it is followed by zeros */
			p++;
		else
			p = ".";
		n = n * 10 + (is_digit(*p) ? (uint32_t)(*p - '0') : 0);
	}
	return n;
}

static int parse_time(const char *s, int64_t *sec, uint32_t *nsec)
{
	const char *dot = strchr(s, '.');

	*nsec = 0;
	if (hxs_clock_parse_rfc3339(s, sec) < 0)
		return -EINVAL;
	if (dot)
		*nsec = parse_fraction(dot);
	return 0;
}

int hxs_until_parse(const char *text, struct hxs_until *out,
		    struct hxs_err *err)
{
	struct hxs_until u = { .by_time = false };
	size_t len = strlen(text);
	int r;

	r = parse_whole(text, len, &u.sequence);
	if (r < 0 && len < sizeof(u.text)) {
		u.by_time = true;
		r = parse_time(text, &u.sec, &u.nsec);
	}
	if (r < 0) {
		r = hxs_err_set(err, HXS_EUSAGE,
				"'%s' is neither a sequence number nor a time",
				text);
		hxs_err_hint(err, "such as 12345, or 2026-02-05T15:29:00Z");
		return r;
	}
	memcpy(u.text, text, len + 1);
	*out = u;
	return 0;
}

int hxs_until_is_after(const struct hxs_until *u,
		       const struct hxs_json_span *value)
{
	char text[TIME_MAX + 1];
	int64_t n;
	uint32_t nsec;

	if (!u->by_time) {
		if (parse_whole(value->at, value->len, &n) < 0)
			return -EINVAL;
		return n > u->sequence;
	}
	if (value->len < 2 || value->len - 2 > TIME_MAX || *value->at != '"')
		return -EINVAL;
	memcpy(text, value->at + 1, value->len - 2);
	text[value->len - 2] = '\0';
	if (parse_time(text, &n, &nsec) < 0)
		return -EINVAL;
	return n != u->sec ? n > u->sec : nsec > u->nsec;
}
