#include "tests/lib/tap.h"
#include "tests/unit/oom.h"
#include "tests/unit/scratch.h"

#include "base/digest.h"
#include "base/json.h"
#include "store/audit.h"

#include <sys/file.h>
#include <sys/resource.h>

#define LOG "s/" HXS_AUDIT_LOG

static struct scratch here;
static struct hxs_store *s;

static const struct hxs_audit plain = {
	.act = "restore",
	.env = "dev",
	.reference = "dev/20260205T152900Z",
	.rollback_id = "20260205T152901Z",
	.from = "command line",
	.uid = 0,
	.pid = 4711,
	.seconds = 1.5,
};

static int append(const struct hxs_audit *a)
{
	struct hxs_err err = HXS_ERR_INIT;

	return hxs_audit_append(s, a, &err);
}

static char *text(size_t *len)
{
	HXS_AUTO_CLOSE int fd = open(LOG, O_RDONLY | O_CLOEXEC);
	char *out = NULL;

	if (fd < 0 || hxs_io_read_all(fd, 1 << 24, &out, len) < 0)
		scratch_die(LOG);
	return out;
}

/* Put @len bytes in the log's place. */
static void put(const char *data, size_t len)
{
	int fd = open(LOG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || hxs_io_write_full(fd, data, len) < 0)
		scratch_die(LOG);
	(void)close(fd);
}

static void fill(int lines)
{
	(void)unlink(LOG);
	while (lines--)
		if (append(&plain) < 0)
			scratch_die("append");
}

/* Line @n, from 0: where it begins, and its length with the newline. */
static char *line_of(char *log, int n, size_t *len)
{
	while (n--)
		log = strchr(log, '\n') + 1;
	*len = (size_t)(strchr(log, '\n') - log) + 1;
	return log;
}

/* The text of @key in the JSON of @line; "null" for null, the caller's. */
static char *value_of(const char *line, size_t len, const char *key)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	const struct hxs_json *v;
	const char *str;

	if (hxs_json_parse(line, len, &doc, NULL) < 0)
		return strdup("no JSON");
	v = hxs_json_get(hxs_json_root(doc), key);
	if (!v)
		return strdup("missing");
	if (hxs_json_type(v) == HXS_JSON_NULL)
		return strdup("null");
	return strdup(hxs_json_string(v, &str, NULL) == 0 ? str : "no text");
}

static void is_value(int n, const char *key, const char *want)
{
	HXS_AUTO_FREE char *log = NULL;
	HXS_AUTO_FREE char *got = NULL;
	size_t len;
	char *line;

	log = text(&len);
	line = line_of(log, n, &len);
	got = value_of(line, len, key);
	is_str(got, want, "line %d, '%s'", n + 1, key);
}

static void is_checked(int want, uint64_t lines, const char *label)
{
	struct hxs_err err = HXS_ERR_INIT;
	uint64_t n = 99;

	is_int(hxs_audit_check(s, &n, &err), want, "%s", label);
	if (want == 0)
		is_int((long long)n, (long long)lines, "with its lines");
	else
		ok(strstr(err.message, "of the audit log"), "told: %s",
		   err.message);
}

static void test_lines(void)
{
	struct hxs_audit refused = {
		.act = "restore",
		.env = "live",
		.from = "control",
		.uid = 4294967294,
		.status = -HXS_ECONFIRM,
		.message = "wants \"yes\"\nand a second line",
	};
	HXS_AUTO_FREE char *log = NULL;
	char hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest d;
	struct stat st;
	size_t len;
	char *line;

	is_checked(0, 0, "no log");
	is_int(append(&plain), 0, "a line");
	is_int(append(&refused), 0, "another");
	is_checked(0, 2, "a chain");
	is_value(0, "act", "restore");
	is_value(0, "reference", "dev/20260205T152900Z");
	is_value(0, "rollback_id", "20260205T152901Z");
	is_value(0, "from", "command line");
	is_value(0, "message", "null");
	is_value(0, "user", "root");
	is_value(0, "previous",
		 "0000000000000000000000000000000000000000000000000000000000"
		 "000000");
	is_value(1, "user", "null");
	is_value(1, "reference", "null");
	is_value(1, "pid", "null");
	is_value(1, "message", "wants \"yes\"\nand a second line");
	log = text(&len);
	line = line_of(log, 0, &len);
	hxs_digest_of(line, len, &d);
	hxs_digest_to_hex(&d, hex);
	is_value(1, "previous", hex);
	ok(strstr(log, "\"status\":5") && strstr(log, "\"ok\":false"),
	   "with the result");
	ok(stat(LOG, &st) == 0 && (st.st_mode & 07777) == 0600,
	   "nobody else can read it, or hold its lock");
}

static void test_odd_texts(void)
{
	struct hxs_audit odd = plain;
	HXS_AUTO_FREE char *log = NULL;
	char huge[20000];
	size_t len;

	(void)unlink(LOG);
	odd.message = "cannot open 'a\xff\xfe\033[2J': no";
	is_int(append(&odd), 0, "a name that is no UTF-8");
	is_value(0, "message", "cannot open 'a\\377\\376\\033[2J': no");
	odd.message = "cannot reach postgresql://app:hunter2@host/db";
	is_int(append(&odd), 0, "a password");
	is_value(1, "message", "left out: it holds a password");
	memset(huge, 'a', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	memcpy(huge + 4093, "\xc3\xa9\xc3\xa9", 4);
	odd.message = huge;
	is_int(append(&odd), 0, "a message without end");
	is_int(append(&plain), 0, "and one behind it");
	is_checked(0, 4, "a chain");
	log = text(&len);
	ok(!strstr(log, "hunter2"), "the password is nowhere");
	ok(len < 10000, "the message was cut");
}

static void test_changed(void)
{
	HXS_AUTO_FREE char *log = NULL;
	HXS_AUTO_FREE char *all = NULL;
	size_t len, n, i;
	char *line;

	fill(5);
	all = text(&len);
	log = malloc(len * 2 + 100);
	if (!log)
		scratch_die("malloc");

	/* Every byte of the middle line. */
	line = line_of(all, 2, &n);
	for (i = 0; i < n; i++) {
		struct hxs_err err = HXS_ERR_INIT;
		uint64_t lines;

		memcpy(log, all, len);
		log[(size_t)(line - all) + i] ^= 1;
		put(log, len);
		if (hxs_audit_check(s, &lines, &err) != -HXS_ECORRUPT)
			break;
	}
	is_int((long long)i, (long long)n, "any changed byte shows");

	memcpy(log, all, len);
	line = line_of(log, 2, &n);
	memmove(line, line + n, len - (size_t)(line - log) - n);
	put(log, len - n);
	is_checked(-HXS_ECORRUPT, 0, "a line taken out");
	put(all + (line_of(all, 1, &n) - all),
	    len - (size_t)(line_of(all, 1, &n) - all));
	is_checked(-HXS_ECORRUPT, 0, "the first one taken out");
	line = line_of(all, 3, &n);
	memcpy(log, all, (size_t)(line - all));
	memcpy(log + (line - all), "{}\n", 3);
	memcpy(log + (line - all) + 3, line, len - (size_t)(line - all));
	put(log, len + 3);
	is_checked(-HXS_ECORRUPT, 0, "a line put between");
	memcpy(log + (line - all), "???", 2);
	put(log, len + 3);
	is_checked(-HXS_ECORRUPT, 0, "even one that looks cut short");
	put(all, len);
	is_checked(0, 5, "untouched");
	put("[]\n", 3);
	is_checked(-HXS_ECORRUPT, 0, "JSON that is none of ours");
}

/* A crash may leave any beginning of a line, and then it goes on. */
static void test_torn(void)
{
	HXS_AUTO_FREE char *all = NULL;
	size_t len, cut, first, bad = 0;

	fill(2);
	all = text(&len);
	(void)line_of(all, 0, &first);
	for (cut = first; cut < len; cut++) {
		HXS_AUTO_FREE char *log = NULL;
		struct hxs_err err = HXS_ERR_INIT;
		uint64_t before = 0, after = 0;
		size_t now;

		put(all, cut);
		if (hxs_audit_check(s, &before, &err) != 0 ||
		    append(&plain) != 0 ||
		    hxs_audit_check(s, &after, &err) != 0 ||
		    after != before + 1)
			bad++;
		log = text(&now);
		if (memcmp(log, all, cut) != 0) /* what was there stays */
			bad++;
	}
	is_int((long long)bad, 0, "cut off at every byte of the last line");
	put(all, len - 7);
	is_int(append(&plain), 0, "a cut one");
	is_value(1, "act", "no JSON");
	is_value(2, "act", "restore");
	is_int(append(&plain), 0, "and on");
	is_checked(0, 4, "a chain");

	put("\0\0\0\0", 4);
	is_int(append(&plain), 0, "zeros that a power cut left");
	is_checked(0, 2, "a chain");
}

static void test_long_line(void)
{
	HXS_AUTO_FREE char *data = malloc(3 << 20);
	struct hxs_err err = HXS_ERR_INIT;
	uint64_t lines;

	if (!data)
		scratch_die("malloc");
	memset(data, 'x', 3 << 20);
	data[200000] = '\n';
	put(data, 400000); /* the last one is longer than a chunk */
	is_int(append(&plain), 0, "behind a line of 200,000 bytes");
	is_checked(0, 3, "a chain");
	put(data, 3 << 20);
	is_int(hxs_audit_check(s, &lines, &err), -HXS_ECORRUPT,
	       "a line without end");
}

/* What fits not at all, or in part, leaves the log as it was. */
static void test_full(void)
{
	HXS_AUTO_FREE char *before = NULL;
	struct rlimit old, small;
	size_t len, room, bad = 0;
	struct hxs_err err = HXS_ERR_INIT;

	fill(3);
	before = text(&len);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(RLIMIT_FSIZE, &old) < 0)
		scratch_die("getrlimit");
	for (room = 0; room < 100; room += 7) {
		HXS_AUTO_FREE char *after = NULL;
		size_t now;
		int r;

		small = old;
		small.rlim_cur = len + room;
		if (setrlimit(RLIMIT_FSIZE, &small) < 0)
			scratch_die("setrlimit");
		r = hxs_audit_append(s, &plain, &err);
		if (setrlimit(RLIMIT_FSIZE, &old) < 0)
			scratch_die("setrlimit");
		after = text(&now);
		bad += r >= 0 || now != len || memcmp(before, after, len) != 0;
	}
	is_int((long long)bad, 0, "no half line stays");
	ok(strstr(err.message, "cannot write to the audit log"), "told: %s",
	   err.message);
	is_int(append(&plain), 0, "and with room it goes on");
	is_checked(0, 4, "a chain");
}

static void test_odd_logs(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	uint64_t lines;

	(void)unlink(LOG);
	scratch_file(here.fd, "elsewhere", "");
	if (symlink("../../elsewhere", LOG) < 0)
		scratch_die("symlink");
	ok(hxs_audit_append(s, &plain, &err) < 0, "a link is not followed");
	ok(strstr(err.message, "audit.log"), "told: %s", err.message);
	ok(hxs_audit_check(s, &lines, &err) < 0, "nor to check it");
	ok(scratch_holds(here.fd, "elsewhere", ""), "nothing was written");
	(void)unlink(LOG);
	if (mkfifo(LOG, 0600) < 0)
		scratch_die("mkfifo");
	ok(hxs_audit_append(s, &plain, &err) < 0, "a FIFO does not block");
	ok(hxs_audit_check(s, &lines, &err) < 0, "nor a check");
	(void)unlink(LOG);
	scratch_dir(here.fd, LOG);
	ok(hxs_audit_append(s, &plain, &err) < 0, "a directory");
	(void)rmdir(LOG);
	is_int(append(&plain), 0, "and on");
}

#define WRITERS 4
#define EACH 25

static void test_together(void)
{
	pid_t pid[WRITERS];
	int i, n, status, bad = 0;

	(void)unlink(LOG);
	(void)fflush(NULL);
	for (i = 0; i < WRITERS; i++) {
		pid[i] = fork();
		if (pid[i] != 0)
			continue;
		for (n = 0; n < EACH; n++)
			if (append(&plain) < 0)
				_exit(1);
		_exit(0);
	}
	for (i = 0; i < WRITERS; i++)
		bad += waitpid(pid[i], &status, 0) < 0 || status != 0;
	is_int(bad, 0, "%d processes append", WRITERS);
	is_checked(0, WRITERS * EACH, "each line, in one chain");
}

/* One that is moved away while another waits for its lock. */
static void test_moved(void)
{
	HXS_AUTO_CLOSE int fd = -1;
	int status;
	pid_t pid;

	fill(1);
	fd = open(LOG, O_RDWR | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		scratch_die("flock");
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)close(fd); /* or the lock were its own, too */
		_exit(append(&plain) < 0);
	}
	if (rename(LOG, "s/.hxsnap/audit.log.1") < 0)
		scratch_die("rename");
	(void)close(fd);
	fd = -1;
	(void)waitpid(pid, &status, 0);
	is_int(status, 0, "appends while the log is moved away");
	is_checked(0, 2, "the line is in the new one, and follows the other");
	(void)unlink(LOG ".1");
}

/* Logs moved aside by logrotate(8), and what may have become of them. */
static void test_rotated(void)
{
	HXS_AUTO_FREE char *log = NULL;
	size_t len;
	int fd;

	fill(2);
	if (rename(LOG, LOG ".1") < 0 || append(&plain) < 0 ||
	    append(&plain) < 0)
		scratch_die("rename");
	is_checked(0, 4, "a chain over two files");
	if (rename(LOG ".1", LOG ".2") < 0 || rename(LOG, LOG ".1") < 0 ||
	    append(&plain) < 0)
		scratch_die("rename");
	is_checked(0, 5, "a chain over three files");

	log = text(&len);
	put(log, 0);
	is_checked(0, 4, "the newest is empty");
	if (append(&plain) < 0)
		scratch_die("append");
	is_checked(0, 5, "an empty one goes on from the one before");
	if (rename(LOG ".2", LOG ".2.gz") < 0)
		scratch_die("rename");
	is_checked(0, 3, "the oldest was compressed");

	fd = open(LOG ".1", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, " ", 1, 0) != 1)
		scratch_die(LOG ".1");
	(void)close(fd);
	is_checked(-HXS_ECORRUPT, 0, "a changed line of a moved log shows");
	(void)unlink(LOG ".1");
	is_checked(-HXS_ECORRUPT, 0, "a moved log that was removed shows");

	fill(1);
	fd = open(LOG, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0 || write(fd, "{\"whe", 6) != 6)
		scratch_die(LOG);
	(void)close(fd);
	if (rename(LOG, LOG ".1") < 0 || append(&plain) < 0)
		scratch_die("rename");
	is_checked(0, 3, "the moved one ends in a line cut short");
	(void)unlink(LOG ".1");
	if (mkdir(LOG ".1", 0700) < 0)
		scratch_die("mkdir");
	(void)unlink(LOG);
	ok(append(&plain) < 0, "something else of its name is refused");
	(void)rmdir(LOG ".1");
	(void)unlink(LOG ".2.gz");
}

static int append_and_check(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	uint64_t lines;
	int r;

	(void)unlink(LOG);
	r = hxs_audit_append(s, &plain, &err);
	if (r == 0)
		r = hxs_audit_check(s, &lines, &err);
	if (r < 0 && !err.message[0])
		return -EPROTO;
	return r;
}

int main(void)
{
	struct hxs_err err = HXS_ERR_INIT;

	scratch_open(&here);
	if (hxs_store_init("s", false, &err) < 0 ||
	    hxs_store_open("s", &s, &err) < 0)
		scratch_die(err.message);
	test_lines();
	test_odd_texts();
	test_changed();
	test_torn();
	test_long_line();
	test_full();
	test_odd_logs();
	test_together();
	test_moved();
	test_rotated();
	oom_each("the audit log", append_and_check);
	hxs_store_close(s);
	scratch_close(&here);
	return tap_done();
}
