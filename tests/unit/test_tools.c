/* The tool's own parts that need no store: command line, sizes, progress. */
#include "tests/lib/tap.h"
#include "tools/args.h"
#include "tools/cmd.h"
#include "tools/out.h"
#include "tools/progress.h"

#include <inttypes.h>
#include <string.h>

#define MIB (1024ull * 1024)

static void test_sizes(void)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} cases[] = {
		{ 0, "0 B" },
		{ 1, "1 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ MIB - 1, "1.0 MiB" },
		{ MIB, "1.0 MiB" },
		{ 1023 * MIB, "1023.0 MiB" },
		{ 1024 * MIB, "1.0 GiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	char text[HXS_SIZE_TEXT];
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++)
		is_str(hxs_out_size(cases[i].bytes, text), cases[i].want,
		       "size %" PRIu64, cases[i].bytes);
}

static void test_counts(void)
{
	char text[HXS_COUNT_TEXT];

	is_str(hxs_out_count(0, "file", text), "0 files", "no file");
	is_str(hxs_out_count(1, "file", text), "1 file", "one file");
	is_str(hxs_out_count(UINT64_MAX, "file", text),
	       "18446744073709551615 files", "every file");
}

static void test_table(void)
{
	struct hxs_table t = { .align = "lrl" };
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;

	hxs_table_add(&t, "a");
	hxs_table_add(&t, "1");
	hxs_table_add(&t, "x");
	hxs_table_add(&t, "caf\303\251");
	hxs_table_add(&t, "100");
	hxs_table_add(&t, "");
	hxs_table_add(&t, "n\nl");
	hxs_table_add(&t, "");
	hxs_table_add(&t, "\033[31m");
	hxs_table_print(&t, &out, ">");
	is_str(hxs_buf_str(&out),
	       ">a       1  x\n"
	       ">caf\303\251  100  -\n"
	       ">n\\nl    -  \\033[31m\n",
	       "columns fit, and nothing acts on a terminal");
	hxs_table_release(&t);
}

static void test_meter_line(void)
{
	static const struct {
		const char *label;
		struct hxs_progress p;
		double elapsed;
		size_t width;
		const char *want;
	} cases[] = {
		{ "all that is known",
		  { "reading", 10, 100, 10 * MIB, 100 * MIB },
		  2,
		  79,
		  "reading: 10.0 MiB of 100.0 MiB (10%), 10 of 100 files, "
		  "5.0 MiB/s, 0:18 left" },
		{ "no totals",
		  { "reading", 3, 0, 2048, 0 },
		  1,
		  79,
		  "reading: 2.0 KiB, 3 files, 2.0 KiB/s" },
		{ "nothing yet",
		  { "reading", 0, 5, 0, 100 },
		  3,
		  79,
		  "reading: 0 B of 100 B (0%), 0 of 5 files" },
		{ "no time yet",
		  { "reading", 1, 5, 50, 100 },
		  0,
		  79,
		  "reading: 50 B of 100 B (50%), 1 of 5 files" },
		{ "hours",
		  { "v", 0, 0, 1024, 1024 * 3725 },
		  1,
		  79,
		  "v: 1.0 KiB of 3.6 MiB (0%), 0 files, 1.0 KiB/s, "
		  "1:02:04 left" },
		{ "more than there was to be",
		  { "v", 9, 3, 200, 100 },
		  1,
		  79,
		  "v: 200 B of 100 B (200%), 9 of 3 files, 200 B/s" },
		{ "a narrow terminal",
		  { "reading", 10, 100, 10 * MIB, 100 * MIB },
		  2,
		  12,
		  "reading: 10." },
		{ "no phase",
		  { NULL, 0, 0, 0, 0 },
		  1,
		  79,
		  "working: 0 B, 0 files" },
	};
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;

		hxs_meter_line(&cases[i].p, cases[i].elapsed, cases[i].width,
			       &out);
		is_str(hxs_buf_str(&out), cases[i].want, "progress: %s",
		       cases[i].label);
	}
}

static void test_line(void)
{
	char *argv[] = { "hxsnap", "--store",	"a",   "create",
			 "dev",	   "--tag=x",	"-qq", "--tag",
			 "--",	   "--store=b", "--",  "-w" };
	int argc = (int)HXS_ARRAY_LEN(argv), r;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_args args;

	r = hxs_args_parse(argc, argv, &args, &err);
	is_int(r, 0, "a line of everything is understood");
	ok(args.cmd == &hxs_cmd_create, "its command");
	is_int((int)args.word_count, 2, "its words");
	is_str(args.word[0], "dev", "the first");
	is_str(args.word[1], "-w", "the one after --");
	is_str(hxs_args_value(&args, "store"), "b", "the last one counts");
	is_str(hxs_args_value(&args, "tag"), "--", "a value may be anything");
	ok(hxs_args_has(&args, "quiet"), "letters");
	ok(!hxs_args_has(&args, "json"), "what was not given is not there");
	is_int((int)args.given_count, 6, "every option once");
	hxs_args_release(&args);
}

/* Every cut of a line, and every word in every place, ends without harm. */
static void test_all_lines(void)
{
	static const char *const words[] = { "",       "-",	  "--",
					     "-q",     "-",	  "--tag",
					     "--tag=", "--store", "list",
					     "create", "-\377" };
	const size_t n = HXS_ARRAY_LEN(words);
	int understood = 0, refused = 0, other = 0;
	size_t a, b, c;

	for (a = 0; a < n; a++) {
		for (b = 0; b < n; b++) {
			for (c = 0; c < n; c++) {
				char *argv[] = { "hxsnap", (char *)words[a],
						 (char *)words[b],
						 (char *)words[c], NULL };
				struct hxs_err err = HXS_ERR_INIT;
				struct hxs_args args;
				int r;

				r = hxs_args_parse(4, argv, &args, &err);
				if (r == 0)
					understood++;
				else if (r == -HXS_EUSAGE && err.message[0] &&
					 err.hint[0])
					refused++;
				else
					other++;
				hxs_args_release(&args);
			}
		}
	}
	ok(understood > 0 && refused > 0, "lines of three words: some each");
	is_int(other, 0, "every refusal has a reason and a hint");
}

int main(void)
{
	test_sizes();
	test_counts();
	test_table();
	test_meter_line();
	test_line();
	test_all_lines();
	return tap_done();
}
