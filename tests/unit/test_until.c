#include "format/until.h"
#include "tests/unit/oom.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- points ------------------------------------------------------------ */

static const struct {
	const char *text;
	bool by_time;
	int64_t n; /* the sequence, or seconds */
	uint32_t nsec;
} points[] = {
	{ "0", false, 0, 0 },
	{ "12345", false, 12345, 0 },
	{ "-1", false, -1, 0 },
	{ "999999999999999999", false, 999999999999999999, 0 },
	{ "1970-01-01T00:01:00Z", true, 60, 0 },
	{ "1970-01-01T01:00:00+01:00", true, 0, 0 },
	{ "1970-01-01 00:00:07.25z", true, 7, 250000000 },
	{ "1970-01-01T00:00:07.0000000019Z", true, 7, 1 },
	{ "1969-12-31T23:59:59.5Z", true, -1, 500000000 },
};

static const char *const no_points[] = {
	"",
	"-",
	"1.5",
	"1e3",
	" 1",
	"+1",
	"0x10",
	"1000000000000000000",
	"latest",
	"2026-02-05",
	"2026-02-05T15:29:00",
	"2026-02-30T15:29:00Z",
	"2026-02-05T15:29:00.Z",
	"2026-02-05T15:29:00.1111111111111111111111111111111111111111111111Z",
};

static void test_points(void)
{
	struct hxs_until u;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(points); i++) {
		memset(&u, 0x55, sizeof(u));
		is_int(hxs_until_parse(points[i].text, &u, NULL), 0, "'%s'",
		       points[i].text);
		is_int(u.by_time, points[i].by_time, "... by time");
		is_int(u.by_time ? u.sec : u.sequence, points[i].n,
		       "... where");
		if (u.by_time)
			is_int(u.nsec, points[i].nsec, "... and nanoseconds");
		is_str(u.text, points[i].text, "... as it was given");
	}
	for (i = 0; i < HXS_ARRAY_LEN(no_points); i++) {
		struct hxs_err err = HXS_ERR_INIT;

		is_int(hxs_until_parse(no_points[i], &u, &err), -HXS_EUSAGE,
		       "'%s' is none", no_points[i]);
		ok(strstr(err.message, "neither a sequence"), "... it says so");
	}
}

static const struct {
	const char *point, *value;
	int want;
} values[] = {
	{ "5", "5", 0 },
	{ "5", "6", 1 },
	{ "5", "-6", 0 },
	{ "5", "100000000000", 1 },
	{ "5", "5.0", -EINVAL },
	{ "5", "1e1", -EINVAL },
	{ "5", "\"5\"", -EINVAL },
	{ "5", "null", -EINVAL },
	{ "5", "1000000000000000000", -EINVAL },
	{ "2026-02-05T15:29:00Z", "\"2026-02-05T15:29:00Z\"", 0 },
	{ "2026-02-05T15:29:00Z", "\"2026-02-05T15:29:00.000Z\"", 0 },
	{ "2026-02-05T15:29:00Z", "\"2026-02-05T15:29:00.000000001Z\"", 1 },
	{ "2026-02-05T15:29:00.5Z", "\"2026-02-05T15:29:00.499999+00:00\"", 0 },
	{ "2026-02-05T15:29:00Z", "\"2026-02-05T16:29:01+01:00\"", 1 },
	{ "2026-02-05T15:29:00Z", "\"2026-02-05T16:28:59+01:00\"", 0 },
	{ "2026-02-05T15:29:00Z", "\"2026-02-05T15:29:00\"", -EINVAL },
	{ "2026-02-05T15:29:00Z", "\"\"", -EINVAL },
	{ "2026-02-05T15:29:00Z", "1770305340", -EINVAL },
	{ "2026-02-05T15:29:00Z", "true", -EINVAL },
};

static void test_values(void)
{
	struct hxs_json_span span;
	struct hxs_until u;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(values); i++) {
		span.at = values[i].value;
		span.len = strlen(span.at);
		is_int(hxs_until_parse(values[i].point, &u, NULL), 0,
		       "a point");
		is_int(hxs_until_is_after(&u, &span), values[i].want,
		       "%s until %s", values[i].value, values[i].point);
	}
}

/* ---- cutting ----------------------------------------------------------- */

#define R(n) "{\"seq\": " #n ", \"x\": \"\\u00e9\xc3\xa9\"}\n"

static const struct {
	const char *label, *log;
	int keep; /* bytes, or -1: all of it */
	int kept, dropped;
	bool incomplete;
} good[] = {
	{ "nothing at all", "", -1, 0, 0, false },
	{ "blank lines alone", "\n \t\r\n", -1, 0, 0, false },
	{ "all before", R(1) R(3), -1, 2, 0, false },
	{ "all after", R(6) R(7), 0, 0, 2, false },
	{ "the point itself is kept", R(4) R(5) R(6), 2 * (sizeof(R(4)) - 1), 2,
	  1, false },
	{ "it may not exist", R(4) R(6), sizeof(R(4)) - 1, 1, 1, false },
	{ "no order before it", R(3) R(1) R(2) R(9) R(7),
	  3 * (sizeof(R(4)) - 1), 3, 2, false },
	{ "blank lines stay before it and go after", R(4) "\n" R(6) "\n\n",
	  sizeof(R(4) "\n") - 1, 1, 1, false },
	{ "without a last newline, kept", R(4) "{\"seq\":5}", -1, 2, 0, false },
	{ "without a last newline, dropped", R(4) "{\"seq\":6}",
	  sizeof(R(4)) - 1, 1, 1, false },
	{ "an incomplete last line after it", R(5) R(6) "{\"seq\": 7, \"x",
	  sizeof(R(5)) - 1, 1, 1, true },
	{ "no more than a brace", R(5) R(6) "{", sizeof(R(5)) - 1, 1, 1, true },
	{ "CRLF", "{\"seq\":5}\r\n{\"seq\":6}\r\n", 11, 1, 1, false },
	{ "a key that is spelled otherwise", "{\"s\\u0065q\":6}\n", 0, 0, 1,
	  false },
	{ "keys of the same name further down",
	  "{\"a\":{\"seq\":9},\"b\":[{\"seq\":8}],\"seq\":5}\n" R(6), 40, 1, 1,
	  false },
	{ "the key as a value, and as part of one",
	  "{\"x\":\"seq\",\"seqs\":9,\"aseq\":9,\"seq\":5}\n", -1, 1, 0,
	  false },
};

static const struct {
	const char *label, *log, *says;
} bad[] = {
	{ "before it after after it", R(4) R(6) R(5) R(7),
	  "line 3: its 'seq' is not after the point, and that of line 2 is" },
	{ "no JSON", R(4) "seq 5\n", "line 2, column 1: expected an object" },
	{ "no JSON after the cut", R(6) "]\n", "line 2, column 1: " },
	{ "no JSON after blank lines", "\n\n" R(4) "x\n", "line 4, " },
	{ "an array", "[1]\n", "line 1, column 1: expected an object" },
	{ "a number", "5\n", "line 1, column 1: expected an object" },
	{ "two objects in a line", "{\"seq\":1} {\"seq\":2}\n",
	  "line 1, column 11: something follows" },
	{ "a line that is cut short, within", R(4) "{\"seq\": 5, \n" R(6),
	  "line 2, column " },
	{ "zeros", R(4) "\x01\x01\n", "line 2, column 1: " },
	{ "bytes that are not UTF-8", "{\"seq\": 4, \"x\": \"\xff\"}\n",
	  "not UTF-8" },
	{ "no key", R(4) "{\"sequence\": 5}\n",
	  "line 2: the record has no 'seq'" },
	{ "no key after the cut", R(6) "{}\n", "line 2: the record has no" },
	{ "the key twice", "{\"seq\": 4, \"seq\": 9}\n",
	  "line 1: 'seq' occurs twice" },
	{ "twice, once in disguise", "{\"seq\": 4, \"\\u0073eq\": 9}\n",
	  "line 1: 'seq' occurs twice" },
	{ "a string", R(4) "{\"seq\": \"5\"}\n",
	  "line 2: its 'seq' is no whole number" },
	{ "null", "{\"seq\": null}\n", "line 1: its 'seq' is no whole number" },
	{ "an incomplete last line, and no record after the point",
	  R(4) "{\"seq\": 5, \"x", "line 2: it is incomplete" },
	{ "nothing but an incomplete line", "{\"seq\"",
	  "line 1: it is incomplete" },
	{ "complete, without a newline, and without the key", R(6) "{}",
	  "line 2: the record has no" },
};

/* Feed @log in pieces of @piece bytes. */
static int cut(struct hxs_cut *c, const struct hxs_until *u, const char *log,
	       size_t piece, struct hxs_digest *kept, struct hxs_err *err)
{
	size_t len = strlen(log), off, n;
	int r = 0;

	hxs_cut_init(c, u, "seq");
	for (off = 0; r == 0 && off < len; off += n) {
		n = len - off < piece ? len - off : piece;
		r = hxs_cut_feed(c, log + off, n, err);
	}
	return r < 0 ? r : hxs_cut_finish(c, kept, err);
}

static void test_good(void)
{
	static const size_t pieces[] = { 1, 7, 1000 };
	struct hxs_digest kept, want;
	struct hxs_until u;
	size_t i, k, keep;

	is_int(hxs_until_parse("5", &u, NULL), 0, "the point 5");
	for (i = 0; i < HXS_ARRAY_LEN(good); i++) {
		keep = good[i].keep < 0 ? strlen(good[i].log)
					: (size_t)good[i].keep;
		hxs_digest_of(good[i].log, keep, &want);
		for (k = 0; k < HXS_ARRAY_LEN(pieces); k++) {
			HXS_AUTO_CUT struct hxs_cut c;
			struct hxs_err err = HXS_ERR_INIT;

			is_int(cut(&c, &u, good[i].log, pieces[k], &kept, &err),
			       0, "%s, in pieces of %zu: '%s'", good[i].label,
			       pieces[k], err.message);
			is_int(c.end, keep, "... so many bytes are kept");
			is_int(c.kept, good[i].kept, "... so many records");
			is_int(c.dropped, good[i].dropped, "... are dropped");
			is_int(c.incomplete, good[i].incomplete,
			       "... an incomplete line");
			ok(hxs_digest_equal(&kept, &want),
			   "... and that is their digest");
		}
	}
}

static void test_bad(void)
{
	static const size_t pieces[] = { 1, 5, 1000 };
	struct hxs_digest kept;
	struct hxs_until u;
	size_t i, k;

	is_int(hxs_until_parse("5", &u, NULL), 0, "the point 5");
	for (i = 0; i < HXS_ARRAY_LEN(bad); i++) {
		for (k = 0; k < HXS_ARRAY_LEN(pieces); k++) {
			HXS_AUTO_CUT struct hxs_cut c;
			struct hxs_err err = HXS_ERR_INIT;

			is_int(cut(&c, &u, bad[i].log, pieces[k], &kept, &err),
			       -HXS_EUSAGE, "%s", bad[i].label);
			ok(strstr(err.message, bad[i].says), "... '%s' in '%s'",
			   bad[i].says, err.message);
		}
	}
}

/* A line may have 16 MiB, and no more is kept in memory. */
static void test_long(void)
{
	HXS_AUTO_CUT struct hxs_cut c;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_until u;
	char piece[65536];
	int i, r = 0;

	memset(piece, ' ', sizeof(piece));
	is_int(hxs_until_parse("5", &u, NULL), 0, "the point 5");
	hxs_cut_init(&c, &u, "seq");
	is_int(hxs_cut_feed(&c, R(1), sizeof(R(1)) - 1, &err), 0, "a line");
	for (i = 0; r == 0 && i < 1000; i++)
		r = hxs_cut_feed(&c, piece, sizeof(piece), &err);
	is_int(r, -HXS_EUSAGE, "a line without an end");
	is_int(i, (16 << 20) / (int)sizeof(piece) + 1, "... seen at 16 MiB");
	is_str(err.message, "line 2: it is longer than 16 MiB", "... told");
}

static int cut_all(void)
{
	HXS_AUTO_CUT struct hxs_cut c;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_digest kept;
	struct hxs_until u;
	int r = hxs_until_parse("5", &u, NULL);

	if (r < 0)
		hxs_cut_init(&c, &u, "seq");
	return r < 0 ? r
		     : cut(&c, &u, "{\"s\\u0065q\": 3}\n" R(4) R(6) "{\"s", 9,
			   &kept, &err);
}

int main(void)
{
	test_points();
	test_values();
	test_good();
	test_bad();
	test_long();
	oom_each("cutting", cut_all);
	return tap_done();
}
