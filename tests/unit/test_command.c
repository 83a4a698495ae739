/* Programs that the configuration names: what they are told, and may say. */
#include "source/program.h"
#include "source/system.h"
#include "tests/unit/oom.h"
#include "tests/unit/scratch.h"

#include "store/store.h"
#include "verbs/create.h"

static struct scratch here;

/* ---- what they said ----------------------------------------------------- */

#define ARGV(...)                           \
	{                                   \
		"prog", ##__VA_ARGS__, NULL \
	}

static const struct {
	const char *label;
	const char *argv[5];
	const char *said, *want;
} said_cases[] = {
	{ "nothing", ARGV(), "", "" },
	{ "a line", ARGV(), "no such host", ": no such host" },
	{ "what a terminal would act on", ARGV(), "\033[31m", ": \\033[31m" },
	{ "a password in an address", ARGV(), "http://a:b@c",
	  ": what it said holds a password" },
	{ "a secret word of its own", ARGV("--token=hunter2"),
	  "unknown hunter2", ": what it said holds a secret" },
	{ "the word after it", ARGV("--api-key", "hunter2", "x"),
	  "key 'hunter2' is old", ": what it said holds a secret" },
	{ "a header", ARGV("-H", "Authorization: Bearer hunter2"), "> hunter2",
	  ": what it said holds a secret" },
	{ "a password for an address", ARGV("ftp://me:hunter2@host/dir"),
	  "me:hunter2@host/dir", ": what it said holds a secret" },
	{ "the word after one that is no option", ARGV("token", "words"),
	  "some words", ": some words" },
	{ "words that are no secret", ARGV("--user", "hunter2"),
	  "hunter2 is away", ": hunter2 is away" },
	{ "too little to be one", ARGV("--token=a"), "a word", ": a word" },
	{ "a secret word that is not repeated", ARGV("--token=hunter2"),
	  "no such host", ": no such host" },
};

static void test_said(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(said_cases); i++) {
		HXS_AUTO_BUF struct hxs_buf said = HXS_BUF_INIT;
		HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;

		(void)hxs_buf_puts(&said, said_cases[i].said);
		hxs_program_put_said(said_cases[i].argv, &said, &out);
		is_str(hxs_buf_str(&out), said_cases[i].want, "said: %s",
		       said_cases[i].label);
	}
}

static void test_long_said(void)
{
	static const char *const argv[] = ARGV();
	HXS_AUTO_BUF struct hxs_buf said = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	int i;

	(void)hxs_buf_append(&said, "a\0b", 3);
	for (i = 0; i < 300; i++)
		(void)hxs_buf_putc(&said, 'x');
	hxs_program_put_said(argv, &said, &out);
	is_int((int)out.len, 202, "no more than one can read");
	ok(strncmp(hxs_buf_str(&out), ": a bxx", 7) == 0, "and no NUL");
	(void)hxs_buf_puts(&said, " password=hunter2");
	hxs_buf_truncate(&out, 0);
	hxs_program_put_said(argv, &said, &out);
	is_str(hxs_buf_str(&out), ": what it said holds a password",
	       "a password beyond that counts");
}

/* ---- what they are told ------------------------------------------------- */

static bool has(const struct hxs_program_env *e, const char *text)
{
	size_t i;

	for (i = 0; e->list[i]; i++)
		if (strcmp(e->list[i], text) == 0)
			return true;
	return false;
}

static int fill_env(void)
{
	const char *const value[HXS_PROGRAM_VARIABLES] = {
		[HXS_PROGRAM_ENV] = "dev",
		[HXS_PROGRAM_SOURCE] = "a",
		[HXS_PROGRAM_ID] = "",
	};
	struct hxs_program_env e = HXS_PROGRAM_ENV_INIT;
	int r = hxs_program_env_fill(&e, value);

	if (r == 0 &&
	    !(has(&e, "HXSNAP_ENV=dev") && has(&e, "HXSNAP_SOURCE=a") &&
	      has(&e, "OTHER=x") && !has(&e, "HXSNAP_ID=old") &&
	      !has(&e, "HXSNAP_ID=") && !has(&e, "CONFIRM_LIVE=YES")))
		r = -EPROTO;
	hxs_program_env_release(&e);
	return r;
}

static void test_env(void)
{
	(void)setenv("OTHER", "x", 1);
	(void)setenv("CONFIRM_LIVE", "YES", 1);
	(void)setenv("HXSNAP_ID", "old", 1);
	oom_each("surroundings", fill_env);
	(void)unsetenv("CONFIRM_LIVE");
	(void)unsetenv("HXSNAP_ID");
}

/* ---- a source ----------------------------------------------------------- */

static char *sh_capture[] = { "sh", "-c", "printf state", NULL };
static char *sh_restore[] = { "sh", "-c", "cat >got; echo $HXSNAP_EVENT >event",
			      NULL };
static struct hxs_config_source source = {
	.name = "a",
	.kind = HXS_SOURCE_COMMAND,
	.command = { .capture = sh_capture,
		     .restore = sh_restore,
		     .file = "f",
		     .timeout_ms = 60000 },
};

/* Where it is noted what runs. */
static struct hxs_store *noted;

static struct hxs_system sys_of(const struct hxs_config_source *src)
{
	return (struct hxs_system){
		.src = src,
		.base = here.path,
		.store = here.path,
		.at = noted,
		.env = "dev",
		.id = "",
		.rollback_id = "",
	};
}

/* Whether @name holds @text, without taking memory for that. */
static bool holds(const char *name, const char *text)
{
	char buf[64];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		(void)close(fd);
	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static int fetch(void)
{
	struct hxs_system sys = sys_of(&source);
	int r;

	(void)unlink("f");
	r = hxs_system_command.fetch(&sys, here.fd, here.path, NULL);
	return r < 0 || holds("f", "state") ? r : -EPROTO;
}

static int give(void)
{
	struct hxs_system sys = sys_of(&source);
	int r;

	(void)unlink("got");
	r = hxs_system_command.swap(&sys, here.fd, here.path, NULL);
	return r < 0 || holds("got", "state") ? r : -EPROTO;
}

static bool is_noted(void)
{
	return access(".hxsnap/running/dev.a", F_OK) == 0;
}

/* What cannot be noted is not begun, but to be undone it is. */
static void test_noted(void)
{
	struct hxs_system sys = sys_of(&source);
	struct hxs_err err = HXS_ERR_INIT;

	ok(!is_noted(), "what has ended well is not noted any more");
	sh_restore[2] = "exit 1";
	is_int(hxs_system_command.swap(&sys, here.fd, here.path, &err), -EIO,
	       "it fails");
	ok(is_noted(), "that stays until it was undone");
	sh_restore[2] = "cat >got";
	is_int(hxs_system_command.back(&sys, here.fd, here.path, &err), 0,
	       "undone");
	ok(!is_noted(), "then not");
	(void)rmdir(".hxsnap/running");
	scratch_file(here.fd, ".hxsnap/running", "");
	(void)unlink("got");
	is_int(hxs_system_command.swap(&sys, here.fd, here.path, &err),
	       -ENOTDIR, "no directory to note it in (%s)", err.message);
	ok(access("got", F_OK) < 0, "not begun");
	is_int(hxs_system_command.back(&sys, here.fd, here.path, &err),
	       -ENOTDIR, "nor if it cannot be read who is at work (%s)",
	       err.message);
	(void)unlink(".hxsnap/running");
}

static void test_source(void)
{
	const struct hxs_system_ops *ops = hxs_system_ops(HXS_SOURCE_COMMAND);
	struct hxs_system sys = sys_of(&source);
	struct hxs_err err = HXS_ERR_INIT;
	mode_t old = umask(0777);
	struct stat st;

	if (!ok(ops, "it is one of the systems"))
		return;
	is_int(ops->fetch(&sys, here.fd, here.path, &err), 0, "captured (%s)",
	       err.message);
	(void)umask(old);
	is_int(stat("f", &st), 0, "its file");
	is_int((int)(st.st_mode & 07777), 0600, "for nobody else");
	is_int(ops->fetch(&sys, here.fd, here.path, &err), -EEXIST,
	       "a file that is there is not replaced");
	is_int(ops->probe(&sys, &err), 0, "can be given back");
	is_int(ops->plan(&sys, &err), 0, "without a plan");
	is_int(ops->stage(&sys, here.fd, here.path, &err), 0, "nor a stage");
	is_int(ops->intend(&sys, &err), 0, "nor names");
	is_int(ops->swap(&sys, here.fd, here.path, &err), 0, "given back (%s)",
	       err.message);
	ok(holds("got", "state"), "all of it");
	ok(holds("event", "restore\n"), "as a restore");
	is_int(ops->back(&sys, here.fd, here.path, &err), 0, "and back");
	ok(holds("event", "undo\n"), "as an undo");
	is_int(ops->back(&sys, -1, NULL, &err), -HXS_ENOSUCH,
	       "but not what was not captured");
	is_str(err.message,
	       "source 'a': its old state was not captured, and cannot be "
	       "given back to 'sh'",
	       "and it is said");
	is_int(ops->clean(&sys, true, &err), 0, "nothing is left over");
	is_int(ops->sweep(&sys, NULL, &err), 0, "and nothing is kept");
	ok(!ops->part_fault, "no part of it can be restored");
	test_noted();
	(void)unlink("f");
	is_int(ops->stage(&sys, here.fd, here.path, &err), -HXS_EUSAGE,
	       "another file");
	is_str(err.message,
	       "source 'a': the snapshot has no 'f' of it, as the "
	       "configuration calls the file",
	       "is named");
	oom_each("capturing", fetch);
	oom_each("giving back", give);
}

static bool yes(void *ctx HXS_UNUSED)
{
	return true;
}

static void test_cancelled(void)
{
	struct hxs_system sys = sys_of(&source);
	struct hxs_err err = HXS_ERR_INIT;

	sys.ears.cancelled = yes;
	(void)unlink("f");
	sh_capture[2] = "while :; do :; done";
	is_int(hxs_system_command.fetch(&sys, here.fd, here.path, &err),
	       -ECANCELED, "cancelled");
	is_str(err.message, "source 'a': 'sh' was cancelled", "and said");
	sh_capture[2] = "printf state";
	(void)unlink("f");
}

/* ---- whether there is such a program ------------------------------------ */

static const struct {
	const char *label, *path, *name;
	int want;
} probes[] = {
	{ "along the path", "/nowhere:/usr/bin:/bin", "sh", 0 },
	{ "not there", "/nowhere:/usr/bin:/bin", "hxs-none", -ENOENT },
	{ "where the configuration is", "/nowhere:", "prog", 0 },
	{ "below it", "/nowhere", "./sub/prog", 0 },
	{ "in a relative directory of the path", "sub", "prog", 0 },
	{ "one that is no program", "/nowhere:sub:", "data", -EACCES },
	{ "that, before one that is", "sub:/usr/bin:/bin", "env", 0 },
	{ "a directory", "", "sub", -ENOENT },
	{ "one elsewhere", "/nowhere", "/bin/sh", 0 },
};

static void test_probe(void)
{
	char *argv[] = { NULL, NULL };
	struct hxs_config_source src = source;
	struct hxs_system sys = sys_of(&src);
	char *path = strdup(getenv("PATH"));
	size_t i;

	scratch_dir(here.fd, "sub");
	scratch_file(here.fd, "prog", "");
	scratch_file(here.fd, "sub/prog", "");
	scratch_file(here.fd, "sub/data", "");
	scratch_file(here.fd, "sub/env", "");
	if (chmod("prog", 0755) < 0 || chmod("sub/prog", 0755) < 0 ||
	    chdir("/") < 0)
		scratch_die("cannot make programs");
	src.command.restore = argv;
	for (i = 0; i < HXS_ARRAY_LEN(probes); i++) {
		struct hxs_err err = HXS_ERR_INIT;

		(void)setenv("PATH", probes[i].path, 1);
		argv[0] = (char *)probes[i].name;
		is_int(hxs_system_command.probe(&sys, &err), probes[i].want,
		       "a program %s (%s)", probes[i].label, err.message);
	}
	(void)setenv("PATH", path, 1);
	free(path);
	if (chdir(here.path) < 0)
		scratch_die(here.path);
}

/* ---- a backup of several ------------------------------------------------ */

static struct hxs_store *store;
static struct hxs_config *config;

static int make(void)
{
	const struct hxs_create_opts o = {
		.config = config,
		.env = "dev",
		.threads = 1,
		.tool_version = "test",
	};
	struct hxs_create_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	int r = hxs_create(store, &o, &rep, &err);
#if OOM_HERE
	long countdown = oom_countdown_;

	oom_countdown_ = 0;
#endif
	if (hxs_io_remove_tree(here.fd, "s/backups/dev") < 0)
		scratch_die("cannot empty the store");
#if OOM_HERE
	oom_countdown_ = countdown;
#endif
	if (r < 0 && !strstr(err.message, "no snapshot was made"))
		return -EPROTO;
	return r;
}

static void test_create(void)
{
	static const char text[] =
		"{\"store\": \"s\", \"environments\": {\"dev\": {\"parallel\": "
		"2, \"sources\": {\"a\": {\"kind\": \"command\", \"capture\": "
		"[\"echo\", \"a\"], \"restore\": [\"cat\"], \"file\": \"f\"}, "
		"\"b\": {\"kind\": \"command\", \"capture\": [\"echo\", \"b\"],"
		" \"restore\": [\"cat\"], \"file\": \"f\"}}}}}";
	struct hxs_err err = HXS_ERR_INIT;

	if (hxs_store_init("s", false, &err) < 0 ||
	    hxs_store_open("s", &store, &err) < 0 ||
	    hxs_config_parse(text, strlen(text), "hxsnap.json", here.path,
			     &config, &err) < 0)
		scratch_die(err.message);
	oom_each("a backup of two programs", make);
	hxs_config_free(config);
	hxs_store_close(store);
}

int main(void)
{
	/* syncfs is quick in memory */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	(void)setenv("PATH", "/usr/bin:/bin", 1);
	scratch_open(&here);
	if (hxs_store_init(here.path, true, NULL) < 0 ||
	    hxs_store_open(here.path, &noted, NULL) < 0)
		scratch_die("cannot make a store");
	test_said();
	test_long_said();
	test_env();
	test_source();
	test_cancelled();
	test_probe();
	test_create();
	hxs_store_close(noted);
	scratch_close(&here);
	return tap_done();
}
