#include "base/path.h"
#include "base/utf8.h"
#include "tests/lib/tap.h"

#define EMPTY "a component is empty"
#define DOT "a component is '.'"
#define DOTDOT "a component is '..'"

static const struct {
	const char *path;
	size_t len; /* 0: its string's length */
	const char *fault;
} paths[] = {
	{ "a", 0, NULL },
	{ "a/b/c", 0, NULL },
	{ "events/2025-01.jsonl", 0, NULL },
	{ ".hidden/..x/x..", 0, NULL },
	{ "...", 0, NULL },
	{ " ", 0, NULL },
	{ "-rf", 0, NULL },
	{ "a\nb/\x1b[0m", 0, NULL },
	{ "\xff\xfe", 0, NULL },
	{ "a\\b", 0, NULL },
	{ "", 0, "it is empty" },
	{ "/", 0, "it is absolute" },
	{ "/etc/passwd", 0, "it is absolute" },
	{ "//a", 0, "it is absolute" },
	{ "a/", 0, "it ends with a slash" },
	{ "a//b", 0, EMPTY },
	{ ".", 0, DOT },
	{ "./a", 0, DOT },
	{ "a/./b", 0, DOT },
	{ "a/.", 0, DOT },
	{ "..", 0, DOTDOT },
	{ "../a", 0, DOTDOT },
	{ "a/../b", 0, DOTDOT },
	{ "a/..", 0, DOTDOT },
	{ "a\0b", 3, "it holds a NUL byte" },
	{ "a/\0", 3, "it holds a NUL byte" },
};

static const struct {
	const char *name;
	bool good;
} names[] = {
	{ "dev", true },	 { "a", true },	   { "0", true },
	{ "a-b_c9", true },	 { "", false },	   { "-a", false },
	{ "_a", false },	 { "Dev", false }, { "dEv", false },
	{ ".rollbacks", false }, { "a.b", false }, { "a/b", false },
	{ "a b", false },	 { "a\n", false }, { "\xc3\xa4", false },
	{ "..", false },
};

static const struct {
	const char *label, *in;
	size_t len;
	const char *out;
	bool plain;
} shown[] = {
	{ "plain", "events/a b.json", 15, "events/a b.json", true },
	{ "nothing", "", 0, "", true },
	{ "UTF-8", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
	  "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", true },
	{ "backslash", "a\\b", 3, "a\\\\b", true },
	{ "a literal \\n", "a\\nb", 4, "a\\\\nb", true },
	{ "newline", "a\nb", 3, "a\\nb", false },
	{ "tab", "a\tb", 3, "a\\tb", false },
	{ "carriage return", "a\rb", 3, "a\\rb", false },
	{ "escape", "\x1b[31m", 5, "\\033[31m", false },
	{ "NUL before a digit", "\0007", 2, "\\0007", false },
	{ "DEL", "\x7f", 1, "\\177", false },
	{ "C1", "\xc2\x9b", 2, "\\302\\233", false },
	{ "line separator", "\xe2\x80\xa8", 3, "\\342\\200\\250", false },
	{ "right to left", "a\xe2\x80\xae", 4, "a\\342\\200\\256", false },
	{ "Latin-1", "\xe4", 1, "\\344", false },
	{ "cut off", "\xe2\x82", 2, "\\342\\202", false },
	{ "overlong", "\xc0\xaf", 2, "\\300\\257", false },
	{ "surrogate", "\xed\xa0\x80", 3, "\\355\\240\\200", false },
	{ "above Unicode", "\xf4\x90\x80\x80", 4, "\\364\\220\\200\\200",
	  false },
	{ "a good one after a bad one", "\xe2\xc3\xa4", 3, "\\342\xc3\xa4",
	  false },
};

/* What a reader of a shown name does. */
static size_t unshow(const char *s, char *out)
{
	size_t n = 0;

	while (*s) {
		if (*s != '\\') {
			out[n++] = *s++;
			continue;
		}
		s++;
		if (*s == 'n' || *s == 't' || *s == 'r' || *s == '\\') {
			out[n++] = *s == 'n'   ? '\n'
				   : *s == 't' ? '\t'
				   : *s == 'r' ? '\r'
					       : '\\';
			s++;
			continue;
		}
		out[n++] = (char)((s[0] - '0') << 6 | (s[1] - '0') << 3 |
				  (s[2] - '0'));
		s += 3;
	}
	return n;
}

static void test_limits(void)
{
	static char path[HXS_PATH_LEN_MAX + 2];
	size_t i;

	memset(path, 'x', sizeof(path));
	is_str(hxs_path_name_fault(path, 255), NULL, "255 bytes");
	is_str(hxs_path_name_fault(path, 256),
	       "a component is longer than 255 bytes", "256 bytes");
	is_str(hxs_path_fault(path, 256),
	       "a component is longer than 255 bytes", "256 in a path");
	is_str(hxs_path_name_fault("a/b", 3), "a name holds a slash",
	       "a slash in a name");
	for (i = 1; i < sizeof(path); i += 2)
		path[i] = '/';
	is_str(hxs_path_fault(path, 2 * 4096 - 1), NULL, "4096 levels");
	is_str(hxs_path_fault(path, 2 * 4097 - 1),
	       "it is more than 4096 levels deep", "4097 levels");
	memset(path, 'x', sizeof(path));
	for (i = 255; i < sizeof(path); i += 256)
		path[i] = '/';
	is_str(hxs_path_fault(path, HXS_PATH_LEN_MAX - 1), NULL,
	       "as long as the depth allows");
	is_str(hxs_path_fault(path, HXS_PATH_LEN_MAX + 1),
	       "it is longer than 1 MiB", "1 MiB and a byte");
}

static void test_names(void)
{
	char name[66];
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(names); i++)
		is_int(hxs_path_is_name(names[i].name), names[i].good,
		       "name '%s'", names[i].name);
	memset(name, 'a', sizeof(name));
	name[64] = '\0';
	ok(hxs_path_is_name(name), "a name of 64");
	name[64] = 'a';
	name[65] = '\0';
	ok(!hxs_path_is_name(name), "a name of 65");
}

/* Every string of three bytes of an alphabet that holds every kind. */
static void test_reversible(void)
{
	static const char kinds[] = { 'a',    '\\',   'n',    '0',    '7',
				      '\n',   '\0',   '\x1b', '\x7f', '\x80',
				      '\xbf', '\xc2', '\xc3', '\xe2', '\xed',
				      '\xf0', '\xf4', '\xff', '\x9b', '\xa0' };
	const size_t n = sizeof(kinds);
	char s[3], back[16];
	bool same = true, printable = true;
	size_t i, j;

	for (i = 0; i < n * n * n; i++) {
		HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;

		s[0] = kinds[i % n];
		s[1] = kinds[i / n % n];
		s[2] = kinds[i / n / n];
		if (hxs_path_show(&b, s, 3) < 0 || b.len > 12) {
			ok(false, "show of case %zu", i);
			return;
		}
		same = same && unshow(b.data, back) == 3 &&
		       memcmp(back, s, 3) == 0;
		for (j = 0; j < b.len; j++)
			printable =
				printable && (unsigned char)b.data[j] >= 0x20;
		printable = printable && hxs_path_is_plain(b.data, b.len);
	}
	ok(same, "%zu strings come back", i);
	ok(printable, "and none of them acts on a terminal");
}

/* Against a table made the other way round: by encoding. */
static void test_utf8(void)
{
	unsigned good = 0;
	uint32_t cp, got;
	char s[4];

	for (cp = 0; cp <= 0x10ffff; cp++) {
		size_t n = cp < 0x80	  ? 1
			   : cp < 0x800	  ? 2
			   : cp < 0x10000 ? 3
					  : 4;

		if (n == 1) {
			s[0] = (char)cp;
		} else {
			static const unsigned lead[] = { 0, 0, 0xc0, 0xe0,
							 0xf0 };
			for (size_t i = 0; i < n; i++)
				s[i] = (char)(0x80 |
					      (cp >> 6 * (n - 1 - i) & 0x3f));
			s[0] = (char)(lead[n] | cp >> 6 * (n - 1));
		}
		if (hxs_utf8_char(s, n, &got) == n && got == cp)
			good++;
		if (hxs_utf8_char(s, n - 1, NULL) != 0)
			ok(false, "U+%04X cut off is accepted", cp);
	}
	is_int(good, 0x110000 - 0x800, "every character but the surrogates");
}

int main(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(paths); i++)
		is_str(hxs_path_fault(paths[i].path,
				      paths[i].len ? paths[i].len
						   : strlen(paths[i].path)),
		       paths[i].fault, "path '%s'", paths[i].path);
	for (i = 0; i < HXS_ARRAY_LEN(shown); i++) {
		HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;

		is_int(hxs_path_show(&b, shown[i].in, shown[i].len), 0,
		       "show %s", shown[i].label);
		is_str(hxs_buf_str(&b), shown[i].out, "%s", shown[i].label);
		is_int(hxs_path_is_plain(shown[i].in, shown[i].len),
		       shown[i].plain, "%s: plain?", shown[i].label);
	}
	test_limits();
	test_names();
	test_reversible();
	test_utf8();
	return tap_done();
}
