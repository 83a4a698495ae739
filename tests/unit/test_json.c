#include "base/json.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <pthread.h>

static const struct {
	const char *text, *message; /* NULL: accepted */
} texts[] = {
	{ "null", NULL },
	{ " [ ] ", NULL },
	{ "{}", NULL },
	{ "-0", NULL },
	{ "1.5e+3", NULL },
	{ "0E-0", NULL },
	{ "\"\"", NULL },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"", NULL },
	{ "\"\\ud83d\\ude00\"", NULL },
	{ "\"\xf0\x9f\x98\x80\x7f\"", NULL },
	{ "{\"a\": [1, {\"a\": 2}], \"\": {}}", NULL },
	{ "\t\r\n[1,\n2]\n", NULL },
	{ "\"\xc3\xa4\" ", NULL },
	{ "", "line 1, column 1: it ends too early" },
	{ " \n ", "line 2, column 2: it ends too early" },
	{ "[", "line 1, column 2: it ends too early" },
	{ "{\"a\"", "line 1, column 5: it ends too early" },
	{ "{\"a\":", "line 1, column 6: it ends too early" },
	{ "{\"a\":1", "line 1, column 7: it ends too early" },
	{ "[1", "line 1, column 3: it ends too early" },
	{ "[1,", "line 1, column 4: it ends too early" },
	{ "\"abc", "line 1, column 5: a string does not end" },
	{ "\"abc\\", "line 1, column 6: it ends too early" },
	{ "\"abc\\\"", "line 1, column 7: a string does not end" },
	{ "-", "line 1, column 2: it ends too early" },
	{ "1.", "line 1, column 3: it ends too early" },
	{ "1e", "line 1, column 3: it ends too early" },
	{ "1e+", "line 1, column 4: it ends too early" },
	{ "[1,]", "line 1, column 4: a comma before the end" },
	{ "{\"a\":1,\n}", "line 2, column 1: a comma before the end" },
	{ "[,1]", "line 1, column 2: expected a value" },
	{ "[1,,2]", "line 1, column 4: expected a value" },
	{ "[1 2]", "line 1, column 4: expected ',' or ']'" },
	{ "[1}", "line 1, column 3: expected ',' or ']'" },
	{ "{\"a\":1 \"b\":2}", "line 1, column 8: expected ',' or '}'" },
	{ "{\"a\" 1}", "line 1, column 6: expected ':'" },
	{ "{\"a\":}", "line 1, column 6: expected a value" },
	{ "{a:1}", "line 1, column 2: expected a key in double quotes" },
	{ "{1:1}", "line 1, column 2: expected a key in double quotes" },
	{ "{'a':1}",
	  "line 1, column 2: strings are written with double quotes" },
	{ "[1] x", "line 1, column 5: something follows the value" },
	{ "{}{}", "line 1, column 3: something follows the value" },
	{ "[\n  // no\n]", "line 2, column 3: comments are not allowed" },
	{ "{} /* no */", "line 1, column 4: comments are not allowed" },
	{ "# no\n{}", "line 1, column 1: comments are not allowed" },
	{ "\xef\xbb\xbf{}",
	  "line 1, column 1: a byte order mark is not allowed" },
	{ "NaN", "line 1, column 1: NaN is not a number of JSON" },
	{ "[Infinity]", "line 1, column 2: Infinity is not a number of JSON" },
	{ "-Infinity", "line 1, column 2: Infinity is not a number of JSON" },
	{ "True", "line 1, column 1: expected a value" },
	{ "nul", "line 1, column 1: expected a value" },
	{ "truex", "line 1, column 5: something follows the value" },
	{ "+1", "line 1, column 1: expected a value" },
	{ ".5", "line 1, column 1: expected a value" },
	{ "01", "line 1, column 1: a number begins with 0" },
	{ "-01", "line 1, column 1: a number begins with 0" },
	{ "1.x", "line 1, column 3: a number wants digits" },
	{ "1ex", "line 1, column 3: a number wants digits" },
	{ "0x10", "line 1, column 2: something follows the value" },
	{ "[1e999]", "line 1, column 2: the number is too large" },
	{ "{\"a\":\n -1e999}", "line 1, column 2: the number is too large" },
	{ "[10000000000000000000000000000000000000000000000000000000000000000]",
	  "line 1, column 67: a number of more than 63 characters" },
	{ "\"\\u0000\"", "line 1, column 2: '\\u0000' is not allowed" },
	{ "\"\\u00g0\"", "line 1, column 2: '\\u' wants four hex digits" },
	{ "\"\\u12\"", "line 1, column 2: '\\u' wants four hex digits" },
	{ "\"\\x41\"", "line 1, column 2: an unknown escape" },
	{ "\"\\ud800\"", "line 1, column 2: half of a surrogate pair" },
	{ "\"\\ud800x\"", "line 1, column 2: half of a surrogate pair" },
	{ "\"\\ud800\\u0041\"", "line 1, column 2: half of a surrogate pair" },
	{ "\"\\ud800\\ud800\"", "line 1, column 2: half of a surrogate pair" },
	{ "\"\xc3\xa4\\udc00\"", "line 1, column 3: half of a surrogate pair" },
	{ "\"a\tb\"", "line 1, column 3: a control character in a string" },
	{ "\"a\nb\"", "line 1, column 3: a control character in a string" },
	{ "\"\xff\"", "line 1, column 2: bytes that are not UTF-8" },
	{ "\"\xc0\x80\"", "line 1, column 2: bytes that are not UTF-8" },
	{ "\"\xed\xa0\x80\"", "line 1, column 2: bytes that are not UTF-8" },
	{ "\"\xc3\"", "line 1, column 2: bytes that are not UTF-8" },
	{ "[\"\xc3\xa4\xe2\x82\xac\", x]",
	  "line 1, column 8: expected a value" },
	{ "[1,\f2]", "line 1, column 4: expected a value" },
	{ "[\xc2\xa0]", "line 1, column 2: expected a value" },
	{ "{\"a\":1,\n \"b\":2,\n \"a\":3}",
	  "line 3, column 2: key 'a' occurs twice" },
	{ "{\"a\":1,\"\\u0061\":2}", "line 1, column 8: key 'a' occurs twice" },
	{ "[{\"x\":{\"k\":1,\"k\":1,\"k\":1}}]",
	  "line 1, column 14: key 'k' occurs twice" },
};

static void test_texts(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(texts); i++) {
		HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
		struct hxs_err err = HXS_ERR_INIT;
		/* A copy of just that size, so that reading on is seen. */
		size_t len = strlen(texts[i].text);
		HXS_AUTO_FREE char *exact = malloc(len ? len : 1);
		int r;

		if (!exact)
			continue;
		memcpy(exact, texts[i].text, len);
		r = hxs_json_parse(exact, len, &doc, &err);
		is_int(r, texts[i].message ? -HXS_EUSAGE : 0, "'%s'",
		       texts[i].text);
		is_str(err.message, texts[i].message ? texts[i].message : "",
		       "'%s': message", texts[i].text);
		ok(!doc == !!texts[i].message, "a document or an error");
	}
}

static int parse(const char *text, size_t len, struct hxs_json_doc **doc,
		 struct hxs_err *err)
{
	hxs_err_clear(err);
	hxs_json_free(*doc);
	*doc = NULL;
	return hxs_json_parse(text, len, doc, err);
}

static void test_limits(void)
{
	const size_t big = 16u << 20;
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	HXS_AUTO_FREE char *text = malloc(big + 2);
	struct hxs_err err = HXS_ERR_INIT;
	size_t i;

	if (!text) {
		ok(false, "memory");
		return;
	}
	is_int(parse("[1]\0", 4, &doc, &err), -HXS_EUSAGE, "a NUL after it");
	is_int(parse("\"a\0b\"", 5, &doc, &err), -HXS_EUSAGE, "a NUL in it");

	memset(text, '[', 100000);
	is_int(parse(text, 100000, &doc, &err), -HXS_EUSAGE, "100,000 deep");
	is_str(err.message, "line 1, column 65: more than 64 levels deep",
	       "says so");
	for (i = 0; i < 100000; i++)
		memcpy(text + 5 * i, "{\"a\":", 5);
	is_int(parse(text, 500000, &doc, &err), -HXS_EUSAGE,
	       "100,000 objects deep");
	is_str(err.message, "line 1, column 321: more than 64 levels deep",
	       "says so");
	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	is_int(parse(text, 128, &doc, &err), 0, "64 deep");

	memset(text, ' ', big + 1);
	text[0] = '1';
	is_int(parse(text, big, &doc, &err), 0, "16 MiB");
	is_int(parse(text, big + 1, &doc, &err), -HXS_EUSAGE,
	       "16 MiB and a byte");
	is_str(err.message, "it is larger than 16 MiB", "says so");

	memset(text, ',', big);
	for (i = 0; i < 262144; i++)
		text[2 * i + 1] = '1';
	text[0] = '[';
	text[2 * 262143] = ']';
	is_int(parse(text, 2 * 262143 + 1, &doc, &err), 0, "262,144 values");
	text[2 * 262143] = ',';
	text[2 * 262144] = ']';
	is_int(parse(text, 2 * 262144 + 1, &doc, &err), -HXS_EUSAGE,
	       "and one more");
	ok(strstr(err.message, "it holds more than 262144 values"), "says so");
}

/* 100,000 keys of one object, then a duplicate of the first. */
static void test_many_keys(void)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	const struct hxs_json *v;
	int i;

	(void)hxs_buf_putc(&b, '{');
	for (i = 0; i < 100000; i++)
		(void)hxs_buf_printf(&b, "\"key%d\":%d,\n", i * 7 % 100000, i);
	(void)hxs_buf_puts(&b, "\"last\":0}");
	is_int(parse(b.data, b.len, &doc, &err), 0, "100,001 keys");
	v = doc ? hxs_json_get(hxs_json_root(doc), "last") : NULL;
	ok(v, "the last is found");
	hxs_buf_truncate(&b, b.len - strlen("last\":0}"));
	(void)hxs_buf_puts(&b, "key0\":0}");
	is_int(parse(b.data, b.len, &doc, &err), -HXS_EUSAGE, "a duplicate");
	is_str(err.message, "line 100001, column 1: key 'key0' occurs twice",
	       "is found and named");
}

static const char sample[] =
	"{\n"
	"  \"environments\": {\n"
	"    \"live\": {\n"
	"      \"confirm\": true,\n"
	"      \"sources\": {\"events\": {\"path\": \"/srv/\\u00e4\"}},\n"
	"      \"hooks\": {\"health\": [[\"curl\", 5], []]}\n"
	"    }\n"
	"  },\n"
	"  \"n\": [0, -1, 1.5, 9007199254740991, -9007199254740991,\n"
	"        9007199254740992, 9007199254740993, 1e3, 1e300, -0]\n"
	"}\n";

static const struct hxs_json *at(const struct hxs_json *v, const char *const *k)
{
	for (; v && *k; k++)
		v = hxs_json_get(v, *k);
	return v;
}

#define AT(...) at(root, (const char *const[]){ __VA_ARGS__, NULL })

static void test_getters(const struct hxs_json *root)
{
	const struct hxs_json *v;
	struct hxs_err err = HXS_ERR_INIT;
	const char *s = NULL;
	int64_t n = 42;
	bool b = false;

	is_str(hxs_json_path(root), "", "the root's path");
	ok(!hxs_json_next(root) && !hxs_json_key(root), "stands alone");
	v = AT("environments", "live", "confirm");
	is_str(hxs_json_path(v), "environments.live.confirm", "a path");
	is_int(hxs_json_bool(v, &b, &err), 0, "true");
	ok(b, "is true");
	is_int(hxs_json_string(v, &s, &err), -HXS_EUSAGE, "is no string");
	is_str(err.message,
	       "'environments.live.confirm': expected a string, found true or "
	       "false (line 4, column 7)",
	       "says where");
	v = AT("environments", "live", "sources", "events", "path");
	is_int(hxs_json_string(v, &s, &err), 0, "a string");
	is_str(s, "/srv/\xc3\xa4", "its text");
	is_int(hxs_json_bool(v, &b, &err), -HXS_EUSAGE, "is no boolean");
	is_int(hxs_json_int(v, &n, &err), -HXS_EUSAGE, "is no number");
	is_str(err.message,
	       "'environments.live.sources.events.path': expected a whole "
	       "number, found a string (line 5, column 30)",
	       "says where");
	is_int(n, 42, "and writes nothing");
	v = hxs_json_first(AT("environments", "live", "hooks", "health"));
	is_str(hxs_json_path(v), "environments.live.hooks.health[0]",
	       "in a list");
	ok(!hxs_json_key(v), "has no key");
	v = hxs_json_next(hxs_json_first(v));
	is_str(hxs_json_path(v), "environments.live.hooks.health[0][1]",
	       "in a list in a list");
	is_int(hxs_json_string(v, &s, NULL), -HXS_EUSAGE, "NULL for the error");
	is_int(hxs_json_expect(root, HXS_JSON_ARRAY, &err), -HXS_EUSAGE,
	       "the root is no list");
	is_str(err.message,
	       "expected a list, found an object (line 1, column 1)",
	       "says so");
	is_int(hxs_json_expect(root, HXS_JSON_OBJECT, &err), 0, "an object");
	ok(!hxs_json_get(root, "none") && !hxs_json_get(v, "none"),
	   "what is not there");
}

static void test_ints(const struct hxs_json *root)
{
	static const struct {
		int r;
		int64_t n;
	} want[] = {
		{ 0, 0 },
		{ 0, -1 },
		{ -HXS_EUSAGE, 0 },
		{ 0, 9007199254740991 },
		{ 0, -9007199254740991 },
		{ -HXS_EUSAGE, 0 },
		{ -HXS_EUSAGE, 0 },
		{ 0, 1000 },
		{ -HXS_EUSAGE, 0 },
		{ 0, 0 },
	};
	const struct hxs_json *v = hxs_json_first(AT("n"));
	struct hxs_err err = HXS_ERR_INIT;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(want); i++, v = hxs_json_next(v)) {
		int64_t n = 0;

		is_int(hxs_json_int(v, &n, &err), want[i].r, "number %zu", i);
		is_int(n, want[i].n, "its value");
	}
	ok(!v, "the last has no next");
	(void)hxs_json_int(hxs_json_next(
				   hxs_json_next(hxs_json_first(AT("n")))),
			   &(int64_t){ 0 }, &err);
	is_str(err.message,
	       "'n[2]': expected a whole number below 2^53, found 1.5 "
	       "(line 9, column 16)",
	       "a fraction is named");
}

static void test_keys(const struct hxs_json *root)
{
	static const char *const both[] = { "n", "environments", NULL };
	static const char *const one[] = { "environments", NULL };
	static const char *const none[] = { NULL };
	const struct hxs_json *v = hxs_json_first(root);
	struct hxs_err err = HXS_ERR_INIT;

	is_str(hxs_json_key(v), "environments", "the first key");
	is_str(hxs_json_key(hxs_json_next(v)), "n", "the second");
	is_int(hxs_json_only_keys(root, both, &err), 0, "known keys");
	is_int(hxs_json_only_keys(root, one, &err), -HXS_EUSAGE, "an unknown");
	is_str(err.message, "'n' is not a known key (line 9, column 3)",
	       "is named");
	is_int(hxs_json_only_keys(AT("environments", "live"), none, &err),
	       -HXS_EUSAGE, "an unknown one below");
	is_str(err.message,
	       "'environments.live.confirm' is not a known key "
	       "(line 4, column 7)",
	       "is named with its path");
	is_int(hxs_json_only_keys(AT("n"), none, &err), -HXS_EUSAGE, "a list");
	is_int(hxs_json_type(AT("n")), HXS_JSON_ARRAY, "its type");
}

static void test_types(void)
{
	static const struct {
		const char *text;
		enum hxs_json_type type;
	} cases[] = {
		{ "null", HXS_JSON_NULL },   { "true", HXS_JSON_BOOL },
		{ "false", HXS_JSON_BOOL },  { "1", HXS_JSON_NUMBER },
		{ "\"\"", HXS_JSON_STRING }, { "[]", HXS_JSON_ARRAY },
		{ "{}", HXS_JSON_OBJECT },
	};
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	struct hxs_err err;
	size_t i, j;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		if (parse(cases[i].text, strlen(cases[i].text), &doc, &err) < 0)
			ok(false, "'%s'", cases[i].text);
		is_int(hxs_json_type(hxs_json_root(doc)), cases[i].type,
		       "type of %s", cases[i].text);
		for (j = 0; j < HXS_ARRAY_LEN(cases); j++)
			is_int(hxs_json_expect(hxs_json_root(doc),
					       cases[j].type, NULL),
			       cases[i].type == cases[j].type ? 0 : -HXS_EUSAGE,
			       "%s where %s is expected", cases[i].text,
			       cases[j].text);
	}
}

static void *ask_paths(void *arg)
{
	const struct hxs_json *v = arg;
	size_t *len = calloc(1, sizeof(*len));

	for (v = hxs_json_first(v); v && len; v = hxs_json_next(v))
		*len += strlen(hxs_json_path(v));
	return len;
}

/* A document is shared without a lock. */
static void test_threads(const struct hxs_json *root)
{
	const struct hxs_json *list = AT("n");
	pthread_t t[4];
	int n = 0, good = 0;
	void *len;

	while (n < 4 &&
	       pthread_create(&t[n], NULL, ask_paths, (void *)list) == 0)
		n++;
	for (int i = 0; i < n; i++) {
		(void)pthread_join(t[i], &len);
		good += len && *(size_t *)len == 10 * strlen("n[0]");
		free(len);
	}
	is_int(good, n, "%d threads ask for paths", n);
}

int main(void)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	struct hxs_err err = HXS_ERR_INIT;

	test_texts();
	test_limits();
	test_many_keys();
	test_types();
	is_int(hxs_json_parse(sample, sizeof(sample) - 1, &doc, &err), 0,
	       "the sample: %s", err.message);
	if (doc) {
		test_threads(hxs_json_root(doc));
		test_getters(hxs_json_root(doc));
		test_ints(hxs_json_root(doc));
		test_keys(hxs_json_root(doc));
	}
	hxs_json_free(NULL);
	return tap_done();
}
