/*
 * Commands as they are written to .control: taken apart, put together from
 * writes, carried out, answered. The snapshot is as a shell script makes it.
 */
#include "fs/control.h"
#include "fs/control_writer.h"
#include "fs/registry.h"
#include "tests/unit/scratch.h"

#include "base/digest.h"

#include <signal.h>

#define ID "20260101T000000Z"
#define ROOT HXFS_AT_ROOT
#define ENV HXFS_AT_ENV
#define SNAP HXFS_AT_SNAPSHOT

/* ---- parsing ------------------------------------------------------------- */

/* "verb [name] {word}{word}~seconds!" for what was understood. */
static void show(const struct hxfs_command *c, char *to, size_t size)
{
	size_t i, n;

	n = (size_t)snprintf(to, size, "%s [%s]", hxfs_verb_name(c->verb),
			     c->name ? c->name : "");
	for (i = 0; i < c->count && n < size; i++)
		n += (size_t)snprintf(to + n, size - n, "{%s}", c->word[i]);
	if (n < size && c->within)
		n += (size_t)snprintf(to + n, size - n, "~%u", c->within);
	if (n < size)
		(void)snprintf(to + n, size - n, "%s", c->confirmed ? "!" : "");
}

static const struct {
	const char *line;
	enum hxfs_place place;
	const char *want; /* as show() says it; or, after "-", of the message */
} cases[] = {
	{ "create dev", ROOT, "create [dev]" },
	{ "create", ROOT, "-'create' wants an environment here" },
	{ "create", ENV, "create []" },
	{ "create", SNAP, "create []" },
	{ "create dev", SNAP, "-'dev' is no tag" },
	{ "create dev tag=a tag=b", ROOT, "create [dev]{a}{b}" },
	{ "create tag=a", ENV, "create []{a}" },
	{ "create tag=a", ROOT, "-wants an environment" },
	{ "create tag=a dev", ENV, "-'dev' is no tag" },
	{ "create dev tag=", ROOT, "-a tag is empty" },
	{ "create dev tag=-x", ROOT, "create [dev]{-x}" },
	{ "create dev CONFIRM_LIVE=YES", ROOT, "-has no meaning" },
	{ "create dev staging", ROOT, "-'staging' is no tag" },
	{ "verify dev/latest", ROOT, "verify [dev/latest]" },
	{ "verify", ROOT, "-'verify' wants a reference here" },
	{ "verify", ENV, "verify []" },
	{ "verify dev/latest", ENV, "verify [dev/latest]" },
	{ "verify dev/latest", SNAP, "-one word too many inside a snapshot" },
	{ "verify dev/latest more", ROOT, "-'more' is one word too many" },
	{ "restore dev/latest", ROOT, "restore [dev/latest]" },
	{ "restore", ROOT, "-'restore' wants a reference here" },
	{ "restore", ENV, "restore []" },
	{ "restore", SNAP, "restore []" },
	{ "restore dev/latest e/a e/b", ROOT,
	  "restore [dev/latest]{e/a}{e/b}" },
	{ "restore e/a e/b", SNAP, "restore []{e/a}{e/b}" },
	{ "restore dev/2026", SNAP, "restore []{dev/2026}" },
	{ "restore CONFIRM_LIVE=YES dev/latest", ROOT,
	  "restore [dev/latest]!" },
	{ "restore dev/latest a CONFIRM_LIVE=YES b", ROOT,
	  "restore [dev/latest]{a}{b}!" },
	{ "restore CONFIRM_LIVE=YES", ENV, "restore []!" },
	{ "restore CONFIRM_LIVE=YES", ROOT, "-wants a reference" },
	{ "restore dev/latest CONFIRM_LIVE=yes", ROOT,
	  "-is not CONFIRM_LIVE=" },
	{ "restore dev/latest CONFIRM_LIVE=", ROOT, "-is not CONFIRM_LIVE=" },
	{ "restore dev/latest confirm_live=YES", ROOT,
	  "restore [dev/latest]{confirm_live=YES}" },
	{ "restore x CONFIRM_LIVE=YES CONFIRM_LIVE=YES", ROOT, "-twice" },
	{ "rollback dev", ROOT, "rollback [dev]" },
	{ "rollback", ROOT, "-'rollback' wants an environment" },
	{ "rollback CONFIRM_LIVE=YES", SNAP, "rollback []!" },
	{ "rollback dev x", ROOT, "-'x' is one word too many" },
	{ "rollback confirm-within=1m", ENV, "rollback []~60" },
	{ "restore confirm-within=10m", ENV, "restore []~600" },
	{ "restore confirm-within=10m", ROOT, "-wants a reference" },
	{ "restore confirm-within=30d x/latest a CONFIRM_LIVE=YES", ROOT,
	  "restore [x/latest]{a}~2592000!" },
	{ "restore a confirm-within=90 b", SNAP,
	  "-'confirm-within=90' has no duration" },
	{ "restore confirm-within=", ENV, "-has no duration" },
	{ "restore confirm-within=0s", ENV, "-has no duration" },
	{ "restore confirm-within=31d", ENV, "-has no duration" },
	{ "restore confirm-within=1m confirm-within=1m", ENV, "-twice" },
	{ "restore a confirm-within", SNAP, "restore []{a}{confirm-within}" },
	{ "create dev confirm-within=1m", ROOT, "-has no meaning" },
	{ "confirm dev", ROOT, "confirm [dev]" },
	{ "confirm", ROOT, "-'confirm' wants an environment" },
	{ "confirm", ENV, "confirm []" },
	{ "confirm", SNAP, "confirm []" },
	{ "confirm dev", SNAP, "-is one word too many inside a snapshot" },
	{ "confirm dev x", ROOT, "-'x' is one word too many" },
	{ "confirm confirm-within=1m", ENV, "-has no meaning" },
	{ "cancel", ROOT, "cancel []" },
	{ "cancel", ENV, "cancel []" },
	{ "cancel", SNAP, "cancel []" },
	{ "cancel it", ROOT, "-'it' is one word too many" },
	{ "cancel CONFIRM_LIVE=YES", ROOT, "-has no meaning" },
	/* words */
	{ " \t create \t dev \t", ROOT, "create [dev]" },
	{ "restore \"dev/latest\" \"a b\"", ROOT, "restore [dev/latest]{a b}" },
	{ "create dev tag=\"a b\"", ROOT, "create [dev]{a b}" },
	{ "restore \"a \\\"b\\\" \\\\c\"", SNAP, "restore []{a \"b\" \\c}" },
	{ "restore a\\b", SNAP, "restore []{a\\b}" },
	{ "restore \"a\tb\"", SNAP, "restore []{a\tb}" },
	{ "restore a\"b c\"d", SNAP, "restore []{ab cd}" },
	{ "restore \xff\xfe/\xc3\xa9", SNAP, "restore []{\xff\xfe/\xc3\xa9}" },
	{ "\"create\" dev", ROOT, "create [dev]" },
	{ "restore \"a", SNAP, "-a quote does not end" },
	{ "restore a\"", SNAP, "-a quote does not end" },
	{ "restore \"a\\", SNAP, "-within quotes a backslash" },
	{ "restore \"a\\n\"", SNAP, "-within quotes a backslash" },
	{ "restore \"\"", SNAP, "-a word is empty" },
	{ "restore\r", SNAP,
	  "-byte 8 of the line is a control character (0x0d)" },
	{ "restore \"a\x1b\"", SNAP, "-control character (0x1b)" },
	{ "restore a\x7f", SNAP, "-control character (0x7f)" },
	/* what is none */
	{ "", ROOT, "-there is no command" },
	{ "   ", ROOT, "-there is no command" },
	{ "Restore dev/latest", ROOT, "-'Restore' is no command" },
	{ "restore; rm -rf /", ROOT, "-'restore;' is no command" },
	{ "$(restore)", ROOT, "-'$(restore)' is no command" },
	{ "#restore", ROOT, "-'#restore' is no command" },
	{ "rest", ROOT, "-'rest' is no command" },
	{ "prune dev", ROOT, "-'prune' is no command" },
	{ "-h", ROOT, "-'-h' is no command" },
	{ "restore --force dev/latest", ROOT,
	  "-'--force' looks like an option" },
	{ "restore dev/latest --to=/tmp/x", ROOT, "-looks like an option" },
	{ "restore dev/latest -", ROOT, "-looks like an option" },
	{ "create -- dev", ROOT, "-'--' looks like an option" },
	{ "restore \"-f\" dev/latest", ROOT, "-'-f' looks like an option" },
};

static void test_parse(void)
{
	struct hxfs_command c;
	struct hxs_err err = HXS_ERR_INIT;
	char got[8192];
	size_t i;
	int r;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		hxs_err_clear(&err);
		r = hxfs_command_parse(cases[i].line, strlen(cases[i].line),
				       cases[i].place, &c, &err);
		if (cases[i].want[0] == '-') {
			ok(r == -HXS_EUSAGE &&
				   strstr(err.message, cases[i].want + 1),
			   "'%s': %s", cases[i].line, err.message);
			if (r == 0)
				hxfs_command_release(&c);
			continue;
		}
		if (!ok(r == 0, "'%s' is understood %s", cases[i].line,
			err.message))
			continue;
		show(&c, got, sizeof(got));
		is_str(got, cases[i].want, "and is that");
		hxfs_command_release(&c);
	}
	r = hxfs_command_parse("verify dev\0/latest", 18, ROOT, &c, &err);
	ok(r == -HXS_EUSAGE && strstr(err.message, "byte 11 "), "NUL: %s",
	   err.message);
}

static void test_long(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxfs_command c;
	char line[HXFS_LINE_MAX];
	int r;

	/* a path a word, as many as there can be */
	memset(line, 'a', sizeof(line));
	memcpy(line, "restore ", 8);
	for (r = 9; r < (int)sizeof(line); r += 2)
		line[r] = ' ';
	is_int(hxfs_command_parse(line, sizeof(line), SNAP, &c, NULL), 0,
	       "as many words as a line holds");
	is_int((long long)c.count, 2044, "all are there");
	hxfs_command_release(&c);
	memset(line, 'x', sizeof(line));
	is_int(hxfs_command_parse(line, sizeof(line), ROOT, &c, &err),
	       -HXS_EUSAGE, "one long word");
	ok(strlen(err.message) < 200 && strstr(err.message, "x'..."),
	   "is shown in part: %s", err.message);
}

/* ---- lines --------------------------------------------------------------- */

/*
 * Writes, each ended by "|", to one handle; what each gives: "+" more wanted,
 * "(line)" with the number of bytes taken where it is less than all, "E".
 * What a write did not take is written again, as programs do.
 */
static void feed(enum hxfs_place place, const char *script, char *to,
		 size_t size)
{
	struct hxfs_line l = HXFS_LINE_INIT;
	const char *at = script, *end;
	size_t taken, n = 0, len;
	int r;

	to[0] = '\0';
	for (; *at; at = end + 1) {
		end = strchr(at, '|');
		for (;;) {
			len = (size_t)(end - at);
			taken = 9999;
			r = hxfs_line_feed(&l, place, at, len, &taken, NULL);
			if (r < 0)
				n += (size_t)snprintf(to + n, size - n, "E");
			else if (r == 0)
				n += (size_t)snprintf(to + n, size - n, "+");
			else
				n += (size_t)snprintf(to + n, size - n, "(%s)",
						      hxs_buf_str(&l.text));
			if (r > 0)
				hxs_buf_truncate(&l.text, 0);
			if (r <= 0 || taken >= len)
				break;
			n += (size_t)snprintf(to + n, size - n, "%zu", taken);
			at += taken;
		}
		if (r == 0 && taken != len)
			n += (size_t)snprintf(to + n, size - n, "?");
	}
	hxfs_line_release(&l);
}

static void test_lines(void)
{
	static const struct {
		const char *label, *writes, *want;
	} lines[] = {
		{ "one line", "create dev\n|", "(create dev)" },
		{ "without a newline", "create dev|", "(create dev)" },
		{ "cut in two", "crea|te dev\n|", "+(create dev)" },
		{ "cut at the newline", "create| dev|\n|", "++(create dev)" },
		{ "byte by byte", "c|a|n|c|e|l|\n|", "++++++(cancel)" },
		{ "a newline alone", "\n|", "+" },
		{ "blanks and newlines", " \n\t\n |", "+" },
		{ "blank lines before", "\n\n cancel\n|", "( cancel)" },
		{ "blank lines after", "cancel\n\n \n|", "(cancel)" },
		{ "an empty write", "|cancel\n|", "+(cancel)" },
		{ "two in one write", "cancel\ncreate dev\n|",
		  "(cancel)7(create dev)" },
		{ "the second without newline", "cancel\ncreate dev|",
		  "(cancel)7(create dev)" },
		{ "a line and a part", "cancel\ncrea|te dev\n|",
		  "(cancel)7+(create dev)" },
		{ "not understood, but a line", "frob\ncancel\n|",
		  "(frob)5(cancel)" },
		{ "not understood without a newline", "frob|cancel\n|", "EE" },
		{ "a first byte that begins no command", "x|cancel\n|", "EE" },
		{ "a verb that is none", "restart |", "E" },
		{ "a verb that goes on", "cancelx|", "E" },
		{ "words that are still missing", "create |dev\n|",
		  "+(create dev)" },
		{ "more words than it takes", "cancel it|\n|", "+(cancel it)" },
		{ "a quote that may end", "verify \"dev/|latest\"\n|",
		  "+(verify \"dev/latest\")" },
		{ "CR before the newline", "cancel\r\n|", "(cancel\r)" },
		{ "CR without newline", "cancel\r|", "E" },
		{ "a part after a part", "can|cel|\n|", "++(cancel)" },
	};
	char got[512];
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(lines); i++) {
		feed(ROOT, lines[i].writes, got, sizeof(got));
		is_str(got, lines[i].want, "%s", lines[i].label);
	}
	feed(SNAP, "restore|", got, sizeof(got));
	is_str(got, "(restore)", "inside a snapshot a verb is enough");
	feed(ROOT, "restore|", got, sizeof(got));
	is_str(got, "+", "in the root it is not");
}

static void test_limits(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxfs_line l = HXFS_LINE_INIT;
	char text[HXFS_LINE_MAX + 8];
	size_t taken;

	memset(text, 'a', sizeof(text));
	memcpy(text, "restore ", 8);
	text[HXFS_LINE_MAX] = '\n';
	is_int(hxfs_line_feed(&l, SNAP, text, HXFS_LINE_MAX + 1, &taken, &err),
	       1, "4096 bytes and a newline are a line");
	is_int((long long)taken, HXFS_LINE_MAX + 1, "taken with its newline");
	hxs_buf_truncate(&l.text, 0);
	is_int(hxfs_line_feed(&l, SNAP, text, HXFS_LINE_MAX, &taken, &err), 0,
	       "4096 without may be a part of more");
	is_int(hxfs_line_feed(&l, SNAP, "\n", 1, &taken, &err), 1,
	       "and are a line when the newline comes");
	hxs_buf_truncate(&l.text, 0);
	is_int(hxfs_line_feed(&l, SNAP, text, HXFS_LINE_MAX - 1, &taken, &err),
	       1, "4095 without are a command");
	hxs_buf_truncate(&l.text, 0);
	text[HXFS_LINE_MAX] = 'a';
	text[HXFS_LINE_MAX + 1] = '\n';
	is_int(hxfs_line_feed(&l, SNAP, text, HXFS_LINE_MAX + 2, &taken, &err),
	       -HXS_EUSAGE, "4097 bytes are too many");
	ok(strstr(err.message, "longer than 4096"), "told: %s", err.message);
	is_int(hxfs_line_feed(&l, SNAP, "cancel\n", 7, &taken, &err),
	       -HXS_EUSAGE, "and nothing more is taken");
	ok(strstr(err.hint, "anew"), "told: %s", err.hint);
	hxfs_line_release(&l);

	l = (struct hxfs_line)HXFS_LINE_INIT;
	is_int(hxfs_line_feed(&l, SNAP, text, 4000, &taken, &err), 1,
	       "a first part that is a command by itself is one");
	hxs_buf_truncate(&l.text, 0);
	is_int(hxfs_line_feed(&l, SNAP, text, HXFS_LINE_MAX, &taken, &err), 0,
	       "a buffer's worth is not");
	is_int(hxfs_line_feed(&l, SNAP, "a\n", 2, &taken, &err), -HXS_EUSAGE,
	       "its rest makes it too long");
	hxfs_line_release(&l);
}

/* ---- signals ------------------------------------------------------------- */

static void test_signals(void)
{
	static const struct {
		const char *label;
		int own, shared, blocked, ignored, caught;
		bool want;
	} signals[] = {
		{ "none", 0, 0, 0, 0, 0, false },
		{ "killed", SIGKILL, 0, 0, 0, 0, true },
		{ "interrupted", 0, SIGINT, 0, 0, 0, true },
		{ "interrupted, caught", 0, SIGINT, 0, 0, SIGINT, true },
		{ "interrupted, ignored", 0, SIGINT, 0, SIGINT, 0, false },
		{ "asked to end, later", 0, SIGTERM, SIGTERM, 0, 0, false },
		{ "an alarm, caught", 0, SIGALRM, 0, 0, SIGALRM, true },
		{ "a child has ended", 0, SIGCHLD, 0, 0, SIGCHLD, false },
		{ "a child has ended, not caught", 0, SIGCHLD, 0, 0, 0, false },
		{ "stopped", 0, SIGSTOP, 0, 0, 0, false },
		{ "stopped at the terminal", SIGTSTP, 0, 0, 0, 0, false },
		{ "the window's size", 0, SIGWINCH, 0, 0, SIGWINCH, false },
		{ "usr1, caught", 0, SIGUSR1, 0, 0, SIGUSR1, false },
		{ "usr1, not caught", 0, SIGUSR1, 0, 0, 0, true },
		{ "abort, not caught", 0, SIGABRT, 0, 0, 0, true },
		{ "the last signal, not caught", 0, 64, 0, 0, 0, true },
	};
	char text[512];
	size_t i;

#define MASK(sig) ((sig) ? 1ull << ((sig)-1) : 0ull)
	for (i = 0; i < HXS_ARRAY_LEN(signals); i++) {
		(void)snprintf(text, sizeof(text),
			       "Name:\tx\nSigQ:\t0/31\nSigPnd:\t%016llx\n"
			       "ShdPnd:\t%016llx\nSigBlk:\t%016llx\n"
			       "SigIgn:\t%016llx\nSigCgt:\t%016llx\nX:\t1\n",
			       MASK(signals[i].own), MASK(signals[i].shared),
			       MASK(signals[i].blocked),
			       MASK(signals[i].ignored),
			       MASK(signals[i].caught));
		is_int(hxfs_writer_ends_by(text), signals[i].want, "%s",
		       signals[i].label);
	}
	ok(hxfs_writer_ends_by("SigPnd:\t0\n"), "what cannot be read");
	ok(hxfs_writer_ends(0), "who cannot be asked");
	ok(!hxfs_writer_ends(getpid()), "this one goes on");
}

/* ---- carrying out -------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned count;
	int r[64];
} answers = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, { 0 } };

static void answer(struct hxfs_ticket *t, int r)
{
	(void)pthread_mutex_lock(&answers.lock);
	answers.r[answers.count++] = r;
	(void)pthread_cond_signal(&answers.changed);
	(void)pthread_mutex_unlock(&answers.lock);
	hxfs_ticket_release(t);
	free(t);
}

/* Write @text, wait for the answer: its status. */
static int say(struct hxfs_control *c, struct hxfs_control_handle *h,
	       const char *text)
{
	struct hxfs_ticket *t = calloc(1, sizeof(*t));
	unsigned before;
	int r;

	if (!t)
		scratch_die("no memory");
	t->h = h;
	t->uid = getuid();
	t->answer = answer;
	(void)pthread_mutex_lock(&answers.lock);
	before = answers.count;
	(void)pthread_mutex_unlock(&answers.lock);
	if (hxfs_control_take(c, t, text, strlen(text)) == 0) {
		hxfs_ticket_release(t);
		free(t);
		return 0;
	}
	hxfs_control_submit(c, t);
	(void)pthread_mutex_lock(&answers.lock);
	while (answers.count == before)
		(void)pthread_cond_wait(&answers.changed, &answers.lock);
	r = answers.r[before];
	(void)pthread_mutex_unlock(&answers.lock);
	return r;
}

/* Whether the reply that @h shows has @want in it. */
static bool shows(struct hxfs_control *c, struct hxfs_control_handle *h,
		  const char *want)
{
	char buf[8192];
	ssize_t n = hxfs_control_read(c, h, 0, buf, sizeof(buf) - 1);

	buf[n < 0 ? 0 : n] = '\0';
	if (strstr(buf, want))
		return true;
	fprintf(stderr, "# %s", buf);
	return false;
}

static void make(const char *word)
{
	char line[256], hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest d;

	if (hxs_io_mkdirs(AT_FDCWD, "store/backups/dev/" ID "/src", 0755) < 0 ||
	    hxs_io_mkdirs(AT_FDCWD, "store/.hxsnap", 0755) < 0)
		scratch_die("cannot make a snapshot");
	scratch_file(AT_FDCWD, "store/backups/dev/" ID "/src/word", word);
	hxs_digest_of("text", 4, &d);
	hxs_digest_to_hex(&d, hex);
	(void)snprintf(line, sizeof(line), "%s  src/word\n", hex);
	scratch_file(AT_FDCWD, "store/backups/dev/" ID "/manifest.sha256",
		     line);
}

static struct hxfs_control_handle *open_at(struct hxfs_control *c,
					   enum hxfs_kind of, uint32_t which)
{
	struct hxfs_control_handle *h;
	struct hxfs_node node;

	hxfs_number_decode(hxfs_number_control(of, which, 1), &node);
	if (hxfs_control_open(c, &node, &h) < 0)
		scratch_die("no memory");
	return h;
}

static void count_tells(void *ctx)
{
	(*(unsigned *)ctx)++;
}

static void test_replies(struct hxfs_control *c)
{
	struct hxfs_control_handle *root = open_at(c, HXFS_IS_ROOT, 0);
	struct hxfs_control_handle *other = open_at(c, HXFS_IS_ROOT, 0);
	char first[16], rest[4096];
	ssize_t n;

	ok(shows(c, other, "{\"ok\":null,\"command\":null"), "no command yet");
	is_int(say(c, root, "verify dev/" ID "\n"), 0, "a right snapshot");
	ok(shows(c, root, "{\"ok\":true,\"command\":\"verify\""), "is told");
	ok(shows(c, root, "\"reference\":\"dev/" ID "\""), "by name");
	ok(shows(c, other, "\"ok\":true"), "to others too");
	is_int(say(c, other, "cancel"), 0, "nothing to cancel");
	ok(shows(c, other, "\"cancelled\":false"), "is told");
	ok(shows(c, root, "\"verify\""), "but to who asked");
	is_int(say(c, root, "verify dev/20250101T000000Z\n"), -HXS_ENOSUCH,
	       "a snapshot that is not there");
	ok(shows(c, root, "\"error\":\"ENOENT\""), "is ENOENT");
	is_int(say(c, root, "verify dev\n"), -HXS_EUSAGE, "an environment");
	is_int(say(c, root, "verify dev/latest-verified\n"), 0, "by link");
	is_int(say(c, root, "fro"), -HXS_EUSAGE, "not understood");
	ok(shows(c, root, "\"error\":\"EINVAL\""), "is EINVAL");
	is_int(say(c, root, "cancel\n"), -HXS_EUSAGE, "and spoils the handle");
	/* from the beginning, and on, whatever place the file is at */
	n = hxfs_control_read(c, root, 0, first, sizeof(first));
	is_int(n, sizeof(first), "a part");
	n = hxfs_control_read(c, root, 12345, rest, sizeof(rest) - 1);
	ok(n > 0 && rest[n - 1] == '\n' &&
		   memcmp(first, "{\"ok\":false", 11) == 0,
	   "and the rest");
	is_int(hxfs_control_read(c, root, 1, rest, sizeof(rest)), 0, "the end");
	hxfs_control_close(c, root);
	is_int(say(c, other, "crea"), 0, "a line that is begun");
	hxfs_control_close(c, other);
	root = open_at(c, HXFS_IS_ROOT, 0);
	ok(shows(c, root, "nothing was done"), "and never ended is told");
	hxfs_control_close(c, root);
}

static void test_places(struct hxfs *fs, struct hxfs_control *c)
{
	struct hxfs_control_handle *env = open_at(c, HXFS_IS_ENV, 0);
	struct hxfs_control_handle *snap = open_at(c, HXFS_IS_SNAPSHOT, 1);
	struct hxfs_control_handle *gone = open_at(c, HXFS_IS_SNAPSHOT, 77);
	struct hxfs_operation op;

	is_int(say(c, env, "verify\n"), 0, "in an environment: its newest");
	ok(shows(c, env, "\"reference\":\"dev/" ID "\""), "it was that");
	is_int(say(c, env, "verify live/latest\n"), -HXS_EUSAGE,
	       "another environment's");
	ok(shows(c, env, "of environment 'dev', not of 'live'"), "is told");
	is_int(say(c, env, "create live\n"), -HXS_EUSAGE, "to create neither");
	is_int(say(c, env, "create ../live\n"), -HXS_EUSAGE, "no name");
	is_int(say(c, snap, "verify\n"), 0, "in a snapshot: it");
	ok(shows(c, snap, "\"reference\":\"dev/" ID "\""), "it was that");
	is_int(say(c, gone, "verify\n"), -HXS_ENOSUCH, "one that has gone");
	ok(shows(c, gone, "no longer in the store"), "is told");
	make("txet");
	is_int(say(c, snap, "verify\n"), -HXS_ECORRUPT, "a damaged one");
	ok(shows(c, snap, "\"error\":\"EIO\"") && shows(c, snap, "src/word") &&
		   shows(c, snap, "\"faults\":1"),
	   "is EIO and the file named");
	ok(!hxfs_control_now(fs->control, &op), "nothing is under way");
	hxfs_control_close(c, env);
	hxfs_control_close(c, snap);
	hxfs_control_close(c, gone);
}

static void test_configuration(struct hxfs_control *c)
{
	struct hxfs_control_handle *h = open_at(c, HXFS_IS_ENV, 0);
	static const char other[] =
		"{\"store\": \"elsewhere\", \"environments\": {\"dev\": {"
		"\"sources\": {\"src\": {\"kind\": \"directory\", "
		"\"path\": \"live\"}}}}}";
	static const char right[] =
		"{\"store\": \"store\", \"environments\": {\"dev\": {"
		"\"sources\": {\"src\": {\"kind\": \"directory\", "
		"\"path\": \"live\"}}}}}";

	if (access("/etc/hxsnap.json", F_OK) == 0) {
		tap_skip("NOCONFIG", "no /etc/hxsnap.json");
	} else {
		is_int(say(c, h, "create\n"), -HXS_ENOSUCH,
		       "there is no configuration");
		ok(shows(c, h, "there is no configuration"), "told");
	}
	scratch_file(AT_FDCWD, "hxsnap.json", "{");
	is_int(say(c, h, "create\n"), -HXS_EUSAGE, "a broken one");
	ok(shows(c, h, "hxsnap.json"), "is named");
	if (hxs_io_mkdirs(AT_FDCWD, "elsewhere/backups", 0755) < 0 ||
	    hxs_io_mkdirs(AT_FDCWD, "live", 0755) < 0)
		scratch_die("cannot make a directory");
	scratch_file(AT_FDCWD, "live/file", "text");
	scratch_file(AT_FDCWD, "hxsnap.json", other);
	is_int(say(c, h, "create\n"), -HXS_EUSAGE, "one of another store");
	ok(shows(c, h, "is mounted"), "told");
	scratch_file(AT_FDCWD, "hxsnap.json", right);
	is_int(say(c, h, "create tag=x\n"), 0, "the right one");
	ok(shows(c, h, "\"files\":1,\"bytes\":4"), "made a backup");
	is_int(say(c, h, "verify\n"), 0, "which is the newest now");
	ok(shows(c, h, "\"faults\":0"), "and right");
	hxfs_control_close(c, h);
}

static void test_end(struct hxfs_control *c)
{
	struct hxfs_control_handle *h = open_at(c, HXFS_IS_ROOT, 0);
	uint64_t commands, failures;

	hxfs_control_counts(c, &commands, &failures);
	ok(commands > failures && failures > 10, "commands are counted");
	hxfs_control_stop(c);
	is_int(say(c, h, "verify dev/" ID "\n"), -ECANCELED, "at the end");
	hxfs_control_stop(c);
	hxfs_control_end(c);
}

int main(void)
{
	const struct hxfs_options options = { .start = (char *)"." };
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_store *store;
	struct scratch here;
	unsigned tells = 0;
	struct hxfs *fs;

	test_parse();
	test_long();
	test_lines();
	test_limits();
	test_signals();

	scratch_open(&here);
	make("text");
	if (hxs_store_open("store", &store, &err) < 0 ||
	    hxfs_new(store, &options, "/nowhere", &fs, &err) < 0)
		scratch_die(err.message);
	if (hxfs_control_start(fs->control, count_tells, &tells) < 0)
		scratch_die("no threads");
	test_replies(fs->control);
	test_places(fs, fs->control);
	test_configuration(fs->control);
	ok(tells > 5, "the kernel was told");
	test_end(fs->control);
	hxfs_free(fs);
	hxs_store_close(store);
	scratch_close(&here);
	return tap_done();
}
