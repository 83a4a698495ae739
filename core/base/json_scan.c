#include "base/json_scan.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define TEXT_MAX (16u * 1024 * 1024)
#define DEPTH_MAX 64
#define VALUES_MAX (256u * 1024) /* bounds the memory of the tree */
#define NUMBER_MAX 63 /* characters; cJSON reads no more */

struct scanner {
	const char *at, *end;
	const char *counted; /* place is the place of this byte */
	struct hxs_json_place place;
	struct hxs_json_scan *out; /* or NULL, and then: */
	hxs_json_member_fn fn;
	void *ctx;
	struct hxs_err *err;
};

/* The place of @p, which is never before the last one asked for. */
static struct hxs_json_place place_of(struct scanner *s, const char *p)
{
	for (; s->counted < p; s->counted++) {
		if (*s->counted == '\n') {
			s->place.line++;
			s->place.column = 1;
		} else if ((*s->counted & 0xc0) != 0x80) {
			s->place.column++; /* not for a following byte */
		}
	}
	return s->place;
}

/* A fault at @p. */
static int fault(struct scanner *s, const char *p, const char *what)
{
	struct hxs_json_place at = place_of(s, p);

	return hxs_err_set(s->err, HXS_EUSAGE, "line %u, column %u: %s",
			   at.line, at.column, what);
}

static void skip_blanks(struct scanner *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' ||
				  *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

/* What stands where something else should: said so that it is recognised. */
static int unexpected(struct scanner *s, const char *expected)
{
	static const struct {
		const char *text, *what;
	} known[] = {
		{ "\xef\xbb\xbf", "a byte order mark is not allowed" },
		{ "/", "comments are not allowed" },
		{ "#", "comments are not allowed" },
		{ "'", "strings are written with double quotes" },
		{ "NaN", "NaN is not a number of JSON" },
		{ "Infinity", "Infinity is not a number of JSON" },
	};
	size_t i, left = (size_t)(s->end - s->at);

	if (left == 0)
		return fault(s, s->at, "it ends too early");
	for (i = 0; i < HXS_ARRAY_LEN(known); i++) {
		size_t n = strlen(known[i].text);

		if (left >= n && memcmp(s->at, known[i].text, n) == 0)
			return fault(s, s->at, known[i].what);
	}
	return fault(s, s->at, expected);
}

static int add_place(struct scanner *s, const char *p)
{
	struct hxs_json_scan *o = s->out;
	struct hxs_json_place *places;
	size_t cap;

	if (!o)
		return 0;
	if (o->count == VALUES_MAX)
		return fault(s, p, "it holds more than 262144 values");
	if (o->count == o->cap) {
		cap = o->cap ? o->cap * 2 : 64;
		places = reallocarray(o->places, cap, sizeof(*places));
		if (!places)
			return hxs_err_errno(s->err, ENOMEM,
					     "cannot read JSON");
		o->places = places;
		o->cap = cap;
	}
	o->places[o->count++] = place_of(s, p);
	return 0;
}

/* The four digits at @p, or -1. */
static int hex4(const char *p, const char *end)
{
	int i, n = 0;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		char c = p[i];

		n <<= 4;
		if (c >= '0' && c <= '9')
			n |= c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			n |= (c | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return n;
}

/* After the backslash at s->at. */
static int scan_escape(struct scanner *s)
{
	const char *start = s->at++;
	int c, low;

	if (s->at == s->end)
		return unexpected(s, "");
	if (*s->at != 'u') {
		if (!memchr("\"\\/bfnrt", *s->at, 8))
			return fault(s, start, "an unknown escape");
		s->at++;
		return 0;
	}
	c = hex4(s->at + 1, s->end);
	if (c < 0)
		return fault(s, start, "'\\u' wants four hex digits");
	if (c == 0)
		return fault(s, start, "'\\u0000' is not allowed");
	s->at += 5;
	if (c < 0xd800 || c > 0xdfff)
		return 0;
	low = c < 0xdc00 && s->end - s->at >= 6 && s->at[0] == '\\' &&
			      s->at[1] == 'u'
		      ? hex4(s->at + 2, s->end)
		      : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return fault(s, start, "half of a surrogate pair");
	s->at += 6;
	return 0;
}

/* With s->at on the opening quote. */
static int scan_string(struct scanner *s)
{
	size_t n;
	int r;

	s->at++;
	for (;;) {
		unsigned char c;

		if (s->at == s->end)
			return fault(s, s->at, "a string does not end");
		c = (unsigned char)*s->at;
		if (c == '"') {
			s->at++;
			return 0;
		}
		if (c < 0x20)
			return fault(s, s->at,
				     "a control character in a string");
		if (c < 0x80 && c != '\\') {
			s->at++;
			continue;
		}
		if (c == '\\') {
			r = scan_escape(s);
			if (r < 0)
				return r;
			continue;
		}
		n = hxs_utf8_char(s->at, (size_t)(s->end - s->at), NULL);
		if (n == 0)
			return fault(s, s->at, "bytes that are not UTF-8");
		s->at += n;
	}
}

static size_t scan_digits(struct scanner *s)
{
	const char *start = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return (size_t)(s->at - start);
}

static int scan_number(struct scanner *s)
{
	const char *start = s->at;
	bool zero;

	if (*s->at == '-')
		s->at++;
	zero = s->at < s->end && *s->at == '0';
	if (zero ? (s->at++, false) : scan_digits(s) == 0)
		return unexpected(s, "a number wants digits");
	if (zero && s->at < s->end && *s->at >= '0' && *s->at <= '9')
		return fault(s, start, "a number begins with 0");
	if (s->at < s->end && *s->at == '.') {
		s->at++;
		if (scan_digits(s) == 0)
			return unexpected(s, "a number wants digits");
	}
	if (s->at < s->end && (*s->at | 0x20) == 'e') {
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		if (scan_digits(s) == 0)
			return unexpected(s, "a number wants digits");
	}
	if (s->at - start > NUMBER_MAX)
		return fault(s, s->at, "a number of more than 63 characters");
	return 0;
}

static int scan_word(struct scanner *s)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(s->end - s->at) >= n &&
		    memcmp(s->at, words[i], n) == 0) {
			s->at += n;
			return 0;
		}
	}
	return unexpected(s, "expected a value");
}

static int scan_value(struct scanner *s, const char *key, unsigned depth);

/* A member: its key, the colon, its value. */
static int scan_member(struct scanner *s, unsigned depth)
{
	struct hxs_json_span key = { .at = s->at }, value;
	int r;

	if (s->at == s->end || *s->at != '"')
		return unexpected(s, "expected a key in double quotes");
	r = scan_string(s);
	if (r < 0)
		return r;
	key.len = (size_t)(s->at - key.at);
	skip_blanks(s);
	if (s->at == s->end || *s->at != ':')
		return unexpected(s, "expected ':'");
	s->at++;
	skip_blanks(s);
	value.at = s->at;
	r = scan_value(s, key.at, depth);
	if (r < 0 || depth != 1 || !s->fn)
		return r;
	value.len = (size_t)(s->at - value.at);
	return s->fn(&key, &value, s->ctx);
}

/* With s->at on the opening bracket. */
static int scan_container(struct scanner *s, unsigned depth)
{
	const char open = *s->at, close = open == '{' ? '}' : ']';
	int r;

	if (depth == DEPTH_MAX)
		return fault(s, s->at, "more than 64 levels deep");
	s->at++;
	skip_blanks(s);
	if (s->at < s->end && *s->at == close) {
		s->at++;
		return 0;
	}
	for (;;) {
		skip_blanks(s);
		if (s->at < s->end && *s->at == close)
			return fault(s, s->at, "a comma before the end");
		r = open == '{' ? scan_member(s, depth + 1)
				: scan_value(s, NULL, depth + 1);
		if (r < 0)
			return r;
		skip_blanks(s);
		if (s->at < s->end && *s->at == close) {
			s->at++;
			return 0;
		}
		if (s->at == s->end || *s->at != ',')
			return unexpected(s, open == '{'
						     ? "expected ',' or '}'"
						     : "expected ',' or ']'");
		s->at++;
	}
}

/* @key is the place of a member's key, NULL for what has none. */
static int scan_value(struct scanner *s, const char *key, unsigned depth)
{
	int r;

	skip_blanks(s);
	if (s->at == s->end)
		return unexpected(s, "");
	r = add_place(s, key ? key : s->at);
	if (r < 0)
		return r;
	if (*s->at == '{' || *s->at == '[')
		return scan_container(s, depth);
	if (*s->at == '"')
		return scan_string(s);
	if (*s->at == '-' || (*s->at >= '0' && *s->at <= '9'))
		return scan_number(s);
	return scan_word(s);
}

static int scan_all(struct scanner *s, const char *text, size_t len)
{
	int r;

	s->at = s->counted = text;
	s->end = text + len;
	s->place.column = 1;
	if (len > TEXT_MAX)
		return hxs_err_set(s->err, HXS_EUSAGE,
				   "it is larger than 16 MiB");
	r = scan_value(s, NULL, 0);
	if (r < 0)
		return r;
	skip_blanks(s);
	return s->at < s->end ? unexpected(s, "something follows the value")
			      : 0;
}

int hxs_json_scan_members(const char *text, size_t len, uint32_t line,
			  hxs_json_member_fn fn, void *ctx, struct hxs_err *err)
{
	struct scanner s = {
		.place = { .line = line },
		.fn = fn,
		.ctx = ctx,
		.err = err,
	};

	s.at = s.counted = text;
	s.end = text + len;
	skip_blanks(&s);
	if (s.at == s.end || *s.at != '{') {
		s.place.column = 1;
		return fault(&s, s.at, "expected an object");
	}
	return scan_all(&s, text, len);
}

int hxs_json_scan(const char *text, size_t len, struct hxs_json_scan *out,
		  struct hxs_err *err)
{
	struct hxs_json_scan places = { .places = NULL };
	struct scanner s = {
		.place = { .line = 1 },
		.out = &places,
		.err = err,
	};
	int r = scan_all(&s, text, len);

	if (r < 0)
		hxs_json_scan_release(&places);
	else
		*out = places;
	return r;
}

void hxs_json_scan_release(struct hxs_json_scan *s)
{
	free(s->places);
	*s = (struct hxs_json_scan){ .places = NULL };
}
