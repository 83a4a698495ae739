#include "base/json.h"
#include "tests/lib/tap.h"

#include <math.h>

static void write_sample(struct hxs_json_out *o)
{
	hxs_json_out_object(o, NULL);
	hxs_json_out_string(o, "s", "x");
	hxs_json_out_string(o, "none", NULL);
	hxs_json_out_array(o, "list");
	hxs_json_out_int(o, NULL, -9223372036854775807 - 1);
	hxs_json_out_uint(o, NULL, 18446744073709551615u);
	hxs_json_out_bool(o, NULL, true);
	hxs_json_out_object(o, NULL);
	hxs_json_out_end_object(o);
	hxs_json_out_end_array(o);
	hxs_json_out_array(o, "empty");
	hxs_json_out_end_array(o);
	hxs_json_out_object(o, "deep");
	hxs_json_out_null(o, "k");
	hxs_json_out_bool(o, "f", false);
	hxs_json_out_end_object(o);
	hxs_json_out_end_object(o);
}

static void test_layout(void)
{
	HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_json_out o;

	hxs_json_out_init(&o, &b, true);
	write_sample(&o);
	is_str(hxs_buf_str(&b),
	       "{\n"
	       "  \"s\": \"x\",\n"
	       "  \"none\": null,\n"
	       "  \"list\": [\n"
	       "    -9223372036854775808,\n"
	       "    18446744073709551615,\n"
	       "    true,\n"
	       "    {}\n"
	       "  ],\n"
	       "  \"empty\": [],\n"
	       "  \"deep\": {\n"
	       "    \"k\": null,\n"
	       "    \"f\": false\n"
	       "  }\n"
	       "}\n",
	       "laid out");
	is_int(hxs_json_parse(b.data, b.len, &doc, &err), 0, "reads back");

	hxs_buf_truncate(&b, 0);
	hxs_json_out_init(&o, &b, false);
	write_sample(&o);
	(void)hxs_buf_putc(&b, '\n');
	hxs_json_out_int(&o, NULL, 1);
	is_str(hxs_buf_str(&b),
	       "{\"s\":\"x\",\"none\":null,\"list\":[-9223372036854775808,"
	       "18446744073709551615,true,{}],\"empty\":[],"
	       "\"deep\":{\"k\":null,\"f\":false}}\n1",
	       "on one line, and another value after it");
}

static const struct {
	const char *label, *text;
	size_t len;
	const char *want;
} strings[] = {
	{ "plain", "a b/c", 5, "\"a b/c\"" },
	{ "nothing", "", 0, "\"\"" },
	{ "quotes", "\"\\'", 3, "\"\\\"\\\\'\"" },
	{ "blanks", "\n\r\t", 3, "\"\\n\\r\\t\"" },
	{ "controls", "\x1b[\x01\x7f", 4, "\"\\u001b[\\u0001\\u007f\"" },
	{ "a NUL", "a\0b", 3, "\"a\\u0000b\"" },
	{ "UTF-8", "\xc3\xa4\xf0\x9f\x98\x80", 6,
	  "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
	{ "C1", "\xc2\x9b", 2, "\"\\u009b\"" },
	{ "a line separator", "\xe2\x80\xa8", 3, "\"\\u2028\"" },
	{ "Latin-1", "a\xe4z", 3, "\"a\\udce4z\"" },
	{ "cut off", "\xf0\x9f\x98", 3, "\"\\udcf0\\udc9f\\udc98\"" },
	{ "an encoded surrogate", "\xed\xb3\xa4", 3,
	  "\"\\udced\\udcb3\\udca4\"" },
};

static void test_strings(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(strings); i++) {
		HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
		struct hxs_json_out o;

		hxs_json_out_init(&o, &b, false);
		hxs_json_out_stringn(&o, NULL, strings[i].text, strings[i].len);
		is_str(hxs_buf_str(&b), strings[i].want, "%s",
		       strings[i].label);
	}
}

static void test_keys(void)
{
	HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
	struct hxs_json_out o;

	hxs_json_out_init(&o, &b, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_int(&o, "a\n\"", 1);
	hxs_json_out_int(&o, "", 2);
	hxs_json_out_end_object(&o);
	is_str(hxs_buf_str(&b), "{\"a\\n\\\"\":1,\"\":2}", "keys are escaped");
}

static void test_doubles(void)
{
	static const struct {
		double n;
		const char *want;
	} cases[] = {
		{ 0, "0" },
		{ 1.5, "1.5" },
		{ 0.1, "0.1" },
		{ -1e300, "-1e+300" },
		{ 1.0 / 3, "0.33333333333333331" },
		{ INFINITY, "null" },
		{ -INFINITY, "null" },
		{ NAN, "null" },
	};
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
		struct hxs_json_out o;

		hxs_json_out_init(&o, &b, false);
		hxs_json_out_double(&o, NULL, cases[i].n);
		is_str(hxs_buf_str(&b), cases[i].want, "%g", cases[i].n);
	}
}

/* A failure in the middle is still known at the end. */
static void test_failure(void)
{
	HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
	struct hxs_json_out o;

	hxs_json_out_init(&o, &b, true);
	hxs_json_out_object(&o, NULL);
	(void)hxs_buf_reserve(&b, SIZE_MAX);
	hxs_json_out_string(&o, "k", "v");
	hxs_json_out_end_object(&o);
	ok(hxs_buf_status(&b) < 0, "the buffer's status keeps it");
}

int main(void)
{
	test_layout();
	test_strings();
	test_keys();
	test_doubles();
	test_failure();
	return tap_done();
}
