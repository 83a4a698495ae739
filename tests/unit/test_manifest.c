#include "base/path.h"
#include "format/manifest.h"
#include "tests/unit/oom.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* sha256 of "abc" and of nothing */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NIL "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHORT "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a"
#define UPPER "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
#define N16 "aaaaaaaaaaaaaaaa"
#define N256 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16

/* What is taken, and how it reads when written again. */
static const struct {
	const char *label, *text, *canonical; /* NULL: the same */
} good[] = {
	{ "one file", ABC "  events/a.json\n", NULL },
	{ "binary marker", ABC " *a\n", ABC "  a\n" },
	{ "dot slash", ABC "  ./a/b\n", ABC "  a/b\n" },
	{ "both", ABC " *./a\n", ABC "  a\n" },
	{ "sorted anew", ABC "  b\n" NIL "  a\n", NIL "  a\n" ABC "  b\n" },
	{ "bytes, not letters", ABC "  \xff\n" NIL "  B\n" ABC "  a\n",
	  NIL "  B\n" ABC "  a\n" ABC "  \xff\n" },
	{ "slash after full stop",
	  ABC "  a-b\n" ABC "  a.txt\n" ABC "  a/b\n" ABC "  a0\n", NULL },
	{ "newline", "\\" ABC "  a\\nb\n", NULL },
	{ "carriage return", "\\" ABC "  a\\r\n", NULL },
	{ "backslash", "\\" ABC "  \\\\\\\\n\n", NULL },
	{ "escape after dot slash", "\\" ABC "  ./\\n\n", "\\" ABC "  \\n\n" },
	{ "control bytes", ABC "  \x01\t\x1b[31m\x7f\n", NULL },
	{ "not UTF-8", ABC "  \xff\xfe\xc0\x80\n", NULL },
	{ "blanks", ABC "     \n" ABC "   a \n", NULL },
	{ "an asterisk first", ABC "  *a\n", NULL },
	{ "dash", ABC "  -\n" ABC "  --version\n", NULL },
	{ "quotes and shell", ABC "  $(x);'\"`\n", NULL },
	{ "names with dots",
	  ABC "  .a\n" ABC "  ..a\n" ABC "  ...\n" ABC "  a..\n",
	  ABC "  ...\n" ABC "  ..a\n" ABC "  .a\n" ABC "  a..\n" },
	{ "the manifest's name below", ABC "  a/manifest.sha256\n", NULL },
	{ "our own names", ABC "  .control\n" ABC "  index.hxi\n", NULL },
	{ "twins of case and of form",
	  ABC "  A\n" ABC "  \xc3\x84\n" ABC "  a\n" ABC "  a\xcc\x88\n",
	  ABC "  A\n" ABC "  a\n" ABC "  a\xcc\x88\n" ABC "  \xc3\x84\n" },
	{ "one begins the other",
	  ABC "  a\n" ABC "  aa\n" ABC "  aaa/a\n" ABC "  aaaa\n", NULL },
};

static const struct {
	const char *label, *text, *message;
} bad[] = {
	{ "a newline alone", "\n", "line 1: it is empty" },
	{ "one byte", "a", "line 1: it does not end in a newline" },
	{ "no last newline", ABC "  a\n" ABC "  b",
	  "line 2: it does not end in a newline" },
	{ "an empty line", ABC "  a\n\n" ABC "  b\n", "line 2: it is empty" },
	{ "an empty line at the end", ABC "  a\n\n", "line 2: it is empty" },
	{ "CRLF", ABC "  a\r\n", "line 1: it ends in a carriage return" },
	{ "carriage return within", ABC "  a\rb\n",
	  "line 1: a carriage return is not escaped: 'a\\rb'" },
	{ "the same, marked", "\\" ABC "  a\r\\n\n",
	  "line 1: a carriage return is not escaped: 'a\\r\\\\n'" },
	{ "BOM", "\xef\xbb\xbf" ABC "  a\n",
	  "line 1: a byte order mark precedes it" },
	{ "comment", "# made by hand\n" ABC "  a\n",
	  "line 1: it is a comment" },
	{ "upper case", UPPER "  a\n", "line 1: it has an upper-case digit" },
	{ "63 digits", SHORT "  a\n",
	  "line 1: it does not begin with 64 hexadecimal digits" },
	{ "65 digits", ABC "0  a\n",
	  "line 1: it lacks the two blanks after 64 digits" },
	{ "a single blank", ABC " a\n",
	  "line 1: it lacks the two blanks after 64 digits" },
	{ "a tab", ABC "\t a\n",
	  "line 1: it lacks the two blanks after 64 digits" },
	{ "a blank first", " " ABC "  a\n",
	  "line 1: it does not begin with 64 hexadecimal digits" },
	{ "digits alone", ABC "\n",
	  "line 1: it lacks the two blanks after 64 digits" },
	{ "no name", ABC "  \n", "line 1: it is empty: ''" },
	{ "no name after dot slash", ABC "  ./\n", "line 1: it is empty: ''" },
	{ "another digest's form", "SHA256 (a) = " ABC "\n",
	  "line 1: it does not begin with 64 hexadecimal digits" },
	{ "no digest at all", "none  a\n",
	  "line 1: it does not begin with 64 hexadecimal digits" },
	{ "a backslash alone", "\\\n", "line 1: it is a backslash alone" },
	{ "mark without need", "\\" ABC "  a\n",
	  "line 1: it is marked as escaped and has no escape: 'a'" },
	{ "need without mark", ABC "  a\\nb\n",
	  "line 1: a backslash is not escaped: 'a\\\\nb'" },
	{ "unknown escape", "\\" ABC "  a\\q\n",
	  "line 1: it has an unknown escape: 'a\\\\q'" },
	{ "half an escape", "\\" ABC "  a\\\n",
	  "line 1: it has an unknown escape: 'a\\\\'" },
	{ "climbs out", ABC "  ../a\n", "line 1: a component is '..': '../a'" },
	{ "climbs out within", ABC "  a/../b\n",
	  "line 1: a component is '..': 'a/../b'" },
	{ "dot dot", ABC "  ..\n", "line 1: a component is '..': '..'" },
	{ "dot", ABC "  .\n", "line 1: a component is '.': '.'" },
	{ "dot within", ABC "  a/./b\n",
	  "line 1: a component is '.': 'a/./b'" },
	{ "dot slash twice", ABC "  ././a\n",
	  "line 1: a component is '.': './a'" },
	{ "absolute", ABC "  /etc/passwd\n",
	  "line 1: it is absolute: '/etc/passwd'" },
	{ "absolute after dot slash", ABC "  .//etc\n",
	  "line 1: it is absolute: '/etc'" },
	{ "double slash", ABC "  a//b\n",
	  "line 1: a component is empty: 'a//b'" },
	{ "slash at the end", ABC "  a/\n",
	  "line 1: it ends with a slash: 'a/'" },
	{ "itself", ABC "  a\n" ABC "  manifest.sha256\n",
	  "line 2: it lists the manifest itself" },
	{ "itself after dot slash", ABC "  ./manifest.sha256\n",
	  "line 1: it lists the manifest itself" },
	{ "twice, the same digest", ABC "  a\n" ABC "  b\n" ABC "  a\n",
	  "line 3: line 1 lists it too: 'a'" },
	{ "twice, another digest", ABC "  a\n" NIL "  a\n",
	  "line 2: line 1 lists it too: 'a'" },
	{ "twice by dot slash", ABC "  a\n" ABC "  ./a\n",
	  "line 2: line 1 lists it too: 'a'" },
	{ "file and directory", ABC "  a\n" ABC "  a/b\n",
	  "line 2: it is below what line 1 lists as a file: 'a/b'" },
	{ "directory and file", ABC "  a/b\n" ABC "  a\n",
	  "line 2: line 1 lists a file below it: 'a'" },
	{ "not side by side",
	  ABC "  a\n" ABC "  a-b\n" ABC "  a.txt\n" ABC "  a/b\n",
	  "line 4: it is below what line 1 lists as a file: 'a/b'" },
	{ "many levels apart",
	  ABC "  a/b\n" ABC "  a/b!\n" ABC "  a/b.c/d\n" ABC "  a/b/c/d/e\n",
	  "line 4: it is below what line 1 lists as a file: 'a/b/c/d/e'" },
	{ "under a longer beginning",
	  ABC "  a\n" ABC "  aa\n" ABC "  aa.b\n" ABC "  aa/b\n",
	  "line 4: it is below what line 2 lists as a file: 'aa/b'" },
	{ "a name of 256 bytes", ABC "  a/" N256 "\n",
	  "line 1: a component is longer than 255 bytes: 'a/" N256 "'" },
	{ "shows what it refuses", ABC "  ../\x1b[31m\xff\n",
	  "line 1: a component is '..': '../\\033[31m\\377'" },
};

static void render(const struct hxs_manifest *m, struct hxs_buf *out)
{
	const struct hxs_manifest_line *line;
	size_t i;

	for (i = 0; i < hxs_manifest_count(m); i++) {
		line = hxs_manifest_line(m, i);
		hxs_manifest_append(out, &line->digest, line->path,
				    line->path_len);
	}
}

static void test_good(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(good); i++) {
		HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
		HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
		struct hxs_err err = HXS_ERR_INIT;
		int r = hxs_manifest_parse(good[i].text, strlen(good[i].text),
					   &m, &err);

		is_int(r, 0, "%s: taken (%s)", good[i].label, err.message);
		if (r < 0)
			continue;
		render(m, &out);
		is_str(hxs_buf_str(&out),
		       good[i].canonical ? good[i].canonical : good[i].text,
		       "%s: canonical", good[i].label);
	}
}

static void test_bad(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(bad); i++) {
		struct hxs_manifest *m = NULL;
		struct hxs_err err = HXS_ERR_INIT;
		int r = hxs_manifest_parse(bad[i].text, strlen(bad[i].text), &m,
					   &err);

		is_int(r, -HXS_ECORRUPT, "%s: refused", bad[i].label);
		is_str(err.message, bad[i].message, "%s: says why",
		       bad[i].label);
		ok(!m, "%s: gives nothing", bad[i].label);
	}
}

static void test_nul(void)
{
	static const char in_path[] = ABC "  a\0b\n";
	static const char in_digits[] = "ba78\0 \n";
	struct hxs_manifest *m = NULL;
	struct hxs_err err = HXS_ERR_INIT;

	is_int(hxs_manifest_parse(in_path, sizeof(in_path) - 1, &m, &err),
	       -HXS_ECORRUPT, "NUL in a path: refused");
	is_str(err.message, "line 1: it holds a NUL byte", "and said");
	is_int(hxs_manifest_parse(in_digits, sizeof(in_digits) - 1, &m, NULL),
	       -HXS_ECORRUPT, "NUL in the digits: refused");
	is_int(hxs_manifest_parse("", 0, &m, &err), -HXS_ECORRUPT,
	       "nothing: refused");
	is_str(err.message, "it is empty", "and said");
}

static void test_find(void)
{
	static const char text[] = ABC "  b/c\n" NIL "  a\n" ABC "  b.c\n";
	HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
	const struct hxs_manifest_line *line;
	char hex[HXS_DIGEST_HEX_LEN + 1];

	if (!ok(hxs_manifest_parse(text, strlen(text), &m, NULL) == 0, "taken"))
		return;
	is_int(hxs_manifest_count(m), 3, "three lines");
	line = hxs_manifest_find(m, "a");
	if (ok(line, "finds a line")) {
		hxs_digest_to_hex(&line->digest, hex);
		is_str(hex, NIL, "with its digest");
		is_int(line->number, 2, "and its number in the text");
		is_int(line->path_len, 1, "and its length");
	}
	ok(hxs_manifest_find(m, "b/c") && hxs_manifest_find(m, "b.c"),
	   "finds the others");
	ok(!hxs_manifest_find(m, "") && !hxs_manifest_find(m, "b") &&
		   !hxs_manifest_find(m, "b/cc") && !hxs_manifest_find(m, "c"),
	   "finds nothing else");
}

static const char sample[] = ABC "  config.json\n"
				 "\\" ABC "  events/a\\nb\n" NIL
				 "  events/empty\n" ABC "  index.hxi\n";

/* A cut is refused, unless it is between two lines. */
static void test_cuts(void)
{
	size_t len, wrong = 0;

	for (len = 0; len < strlen(sample); len++) {
		HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
		bool whole = len > 0 && sample[len - 1] == '\n';
		/* its own memory, so that reading past the end is seen */
		HXS_AUTO_FREE char *copy = malloc(len ? len : 1);
		int r;

		if (!copy)
			break;
		memcpy(copy, sample, len);
		r = hxs_manifest_parse(copy, len, &m, NULL);
		wrong += r != (whole ? 0 : -HXS_ECORRUPT);
	}
	is_int(len, strlen(sample), "cut at every length");
	is_int(wrong, 0, "refused but for the ends of lines");
}

/* Whatever single byte is changed, it is refused or it shows. */
static void test_changes(void)
{
	char text[sizeof(sample)];
	size_t at, silent = 0;
	unsigned c;

	for (at = 0; at < strlen(sample); at++) {
		memcpy(text, sample, sizeof(sample));
		for (c = 0; c < 256; c++) {
			HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
			HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;

			if ((char)c == sample[at])
				continue;
			text[at] = (char)c;
			if (hxs_manifest_parse(text, strlen(sample), &m, NULL))
				continue;
			render(m, &out);
			/* a marker that means the same is canonical again */
			if (c == '*' && sample[at] == ' ')
				continue;
			silent += strcmp(hxs_buf_str(&out), sample) == 0;
		}
	}
	is_int(silent, 0, "no change of one byte goes unnoticed");
}

/* A million lines in the worst order: right, and memory as promised. */
static void test_million(void)
{
	enum { COUNT = 1000000 };
	HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_digest digest = { { 1 } };
	struct hxs_err err = HXS_ERR_INIT;
	struct rusage before, after;
	char path[64];
	size_t i, wrong = 0;
	int r;

	for (i = COUNT; i-- > 0;) {
		(void)snprintf(path, sizeof(path), "d%03zu/%06zu", i / 1000, i);
		hxs_manifest_append(&text, &digest, path, strlen(path));
	}
	if (!ok(hxs_buf_status(&text) == 0, "made a million lines"))
		return;
	(void)getrusage(RUSAGE_SELF, &before);
	r = hxs_manifest_parse(text.data, text.len, &m, &err);
	(void)getrusage(RUSAGE_SELF, &after);
	if (!is_int(r, 0, "takes them (%s)", err.message))
		return;
	is_int(hxs_manifest_count(m), COUNT, "all of them");
	for (i = 0; i < COUNT; i++)
		wrong += hxs_manifest_line(m, i)->number != COUNT - i;
	is_int(wrong, 0, "in order");
	ok(hxs_manifest_find(m, "d512/512345"), "and finds one");
#if OOM_HERE
	ok((size_t)(after.ru_maxrss - before.ru_maxrss) * 1024 < 2 * text.len,
	   "in less than twice the text's memory (%ld KiB for %zu)",
	   after.ru_maxrss - before.ru_maxrss, text.len / 1024);
#endif
}

/* Each name begins the next one, 250 deep, in 200 directories of that kind. */
static void test_beginnings(void)
{
	HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_digest digest = { { 1 } };
	char path[600];
	size_t i, j;
	int n;

	memset(path, 'x', sizeof(path));
	for (i = 0; i < 200; i++) {
		for (j = 1; j <= 250; j++) {
			n = snprintf(path, 8, "%03zu/", i);
			path[n] = 'x';
			hxs_manifest_append(&text, &digest, path,
					    (size_t)n + j);
		}
	}
	if (ok(hxs_buf_status(&text) == 0, "made lines that begin others"))
		is_int(hxs_manifest_parse(text.data, text.len, &m, NULL), 0,
		       "takes them");
}

static void test_too_large(void)
{
	size_t len = (size_t)HXS_MANIFEST_MAX + 1;
	struct hxs_manifest *m = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	void *text = mmap(NULL, len, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (!ok(text != MAP_FAILED, "made a large text"))
		return;
	is_int(hxs_manifest_parse(text, len, &m, &err), -HXS_ECORRUPT,
	       "refused");
	is_str(err.message, "it is larger than 256 MiB", "and said");
	(void)munmap(text, len);
}

/* A path of a megabyte is refused in a sentence of bounded length. */
static void test_long_path(void)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_manifest *m = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	size_t i;

	(void)hxs_buf_puts(&text, ABC "  a");
	for (i = 0; i < HXS_PATH_LEN_MAX / 2; i++)
		(void)hxs_buf_puts(&text, "/a");
	(void)hxs_buf_putc(&text, '\n');
	is_int(hxs_manifest_parse(text.data, text.len, &m, &err), -HXS_ECORRUPT,
	       "a path over a megabyte: refused");
	ok(strncmp(err.message, "line 1: it is longer than 1 MiB: 'a/a", 37) ==
		   0,
	   "and said");
	hxs_buf_truncate(&text, 2 * 4097 + 66);
	(void)hxs_buf_puts(&text, "a\n");
	is_int(hxs_manifest_parse(text.data, text.len, &m, &err), -HXS_ECORRUPT,
	       "4,098 levels: refused");
}

static int parse_sample(void)
{
	HXS_AUTO(manifest) struct hxs_manifest *m = NULL;

	return hxs_manifest_parse(sample, strlen(sample), &m, NULL);
}

int main(void)
{
	test_good();
	test_bad();
	test_nul();
	test_find();
	test_cuts();
	test_changes();
	test_million();
	test_beginnings();
	test_too_large();
	test_long_path();
	oom_each("parsing", parse_sample);
	return tap_done();
}
