/*
 * Restore and recovery without memory: every allocation fails once, and what
 * is there then is what was said.
 */
#include "tests/unit/oom.h"
#include "tests/unit/scratch.h"

#include "base/clock.h"
#include "store/store.h"
#include "verbs/create.h"
#include "verbs/recover.h"
#include "verbs/restore.h"

#include <sys/syscall.h>

#define KILLED 77

static struct scratch here;
static struct hxs_store *store;
static struct hxs_config *config;
static char backup[HXS_ID_LEN + 1];

/* ---- a process that ends in the middle --------------------------------- */

/* Renames until this process ends; 0: it does not. */
static int renames_left;

/* The C library's, and ours. */
int renameat2(int from_dir, const char *from, int to_dir, const char *to,
	      unsigned flags)
{
	if (renames_left && --renames_left == 0)
		_exit(KILLED);
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

/* ---- the clock --------------------------------------------------------- */

static struct timespec fake;

static void now(struct timespec *out, void *ctx HXS_UNUSED)
{
	*out = fake;
}

static void wait_until(int64_t sec, void *ctx HXS_UNUSED)
{
	fake = (struct timespec){ .tv_sec = sec };
}

static const struct hxs_clock still = { .now = now, .wait_until = wait_until };

/* ---- what is restored -------------------------------------------------- */

static long paused HXS_UNUSED; /* a sanitizer's malloc never fails */

/* Memory is to be had again, for what is not tested. */
static void pause_oom(void)
{
#if OOM_HERE
	paused = oom_countdown_;
	oom_countdown_ = 0;
#endif
}

static void resume_oom(void)
{
#if OOM_HERE
	oom_countdown_ = paused;
#endif
}

static void set_up(void)
{
	static const char text[] =
		"{\"store\": \"s\", \"environments\": {\"dev\": {\"sources\": {"
		"\"e\": {\"kind\": \"directory\", \"path\": \"live/e\"},"
		"\"f\": {\"kind\": \"directory\", \"path\": \"live/f\"}}}}}";
	struct hxs_create_opts o = { .env = "dev",
				     .threads = 1,
				     .tool_version = "test" };
	struct hxs_create_report rep;
	struct hxs_err err = HXS_ERR_INIT;

	if (hxs_store_init("s", false, &err) < 0 ||
	    hxs_store_open("s", &store, &err) < 0 ||
	    hxs_config_parse(text, strlen(text), "hxsnap.json", here.path,
			     &config, &err) < 0)
		scratch_die(err.message);
	scratch_dir(here.fd, "live");
	scratch_dir(here.fd, "live/e");
	scratch_dir(here.fd, "live/e/d");
	scratch_file(here.fd, "live/e/a", "new");
	scratch_file(here.fd, "live/e/d/b", "new");
	scratch_dir(here.fd, "live/f");
	scratch_file(here.fd, "live/f/c", "new");
	/* Has names elsewhere: is copied, where the other one is adopted. */
	if (link("live/f/c", "live/beside") < 0 ||
	    link("live/e/a", "live/e/d/again") < 0 ||
	    symlink("a", "live/e/l") < 0)
		scratch_die("cannot fill the sources");
	o.config = config;
	if (hxs_create(store, &o, &rep, &err) < 0)
		scratch_die(err.message);
	memcpy(backup, rep.id, sizeof(backup));
}

static struct hxs_restore_opts opts(void)
{
	return (struct hxs_restore_opts){
		.config = config,
		.env = "dev",
		.kind = HXS_BACKUP,
		.id = backup,
		.threads = 1,
		.tool_version = "test",
	};
}

/* The live data as they are before each restore, and no rollback point. */
static void make_old(void)
{
	if (hxs_io_remove_tree(here.fd, "live/e/gone") < 0 ||
	    hxs_io_remove_tree(here.fd, "s/rollbacks") < 0)
		scratch_die("cannot begin anew");
	scratch_file(here.fd, "live/e/a", "old");
	scratch_file(here.fd, "live/e/gone", "old");
	scratch_file(here.fd, "live/f/c", "old");
}

static bool is_old(void)
{
	return scratch_holds(here.fd, "live/e/a", "old") &&
	       scratch_holds(here.fd, "live/e/gone", "old") &&
	       scratch_holds(here.fd, "live/e/d/b", "new") &&
	       scratch_holds(here.fd, "live/f/c", "old");
}

static bool is_new(void)
{
	return scratch_holds(here.fd, "live/e/a", "new") &&
	       !scratch_exists(here.fd, "live/e/gone") &&
	       scratch_holds(here.fd, "live/e/d/again", "new") &&
	       scratch_holds(here.fd, "live/f/c", "new");
}

static int see_ours(const char *name, unsigned char type HXS_UNUSED,
		    void *ctx HXS_UNUSED)
{
	return strncmp(name, ".hxsnap-", 8) == 0 ||
	       strncmp(name, ".new-", 5) == 0;
}

static bool has_ours(const char *dir)
{
	HXS_AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && hxs_io_list(fd, see_ours, NULL) != 0;
}

/* Recovered, and nothing is left but what is there. */
static bool is_clean(void)
{
	struct hxs_recover_report rep;
	struct hxs_err err = HXS_ERR_INIT;

	if (hxs_recover(store, NULL, "dev", &rep, &err) < 0) {
		printf("# recovery: %s\n", err.message);
		return false;
	}
	return !hxs_recover_needed(store) && !has_ours("live") &&
	       !has_ours("s/rollbacks/dev") &&
	       !scratch_exists(here.fd, "s/.hxsnap/journal/dev");
}

/* ---- restore ----------------------------------------------------------- */

/* Whether what was said, @r and @err, is so. */
static bool is_so(int r, const struct hxs_err *err)
{
	if (r == 0)
		return is_new() && is_clean() && is_new();
	if (strstr(err->message, "; nothing was changed"))
		return is_old() && !has_ours("live") && is_clean() && is_old();
	if (strstr(err->message, "could not be undone"))
		return is_clean() && is_old();
	return false;
}

static int restore(void)
{
	struct hxs_restore_opts o = opts();
	struct hxs_restore_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	int r;

	pause_oom();
	make_old();
	resume_oom();
	r = hxs_restore(store, &o, &rep, &err);
	pause_oom();
	if (!is_so(r, &err)) {
		printf("# %d: %s\n", r, err.message);
		r = -EPROTO;
	}
	resume_oom();
	return r;
}

/* ---- recovery ---------------------------------------------------------- */

static int last_rename; /* after which the process ended */

static void interrupt(void)
{
	struct hxs_restore_opts o = opts();
	struct hxs_restore_report rep;
	int status;
	pid_t pid;

	make_old();
	pid = fork();
	if (pid == 0) {
		renames_left = last_rename;
		_exit(hxs_restore(store, &o, &rep, NULL) < 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != KILLED)
		scratch_die("the restore was not interrupted");
}

static int recover(void)
{
	struct hxs_recover_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	int r;

	pause_oom();
	interrupt();
	resume_oom();
	r = hxs_recover(store, NULL, "dev", &rep, &err);
	pause_oom();
	if ((r < 0 && !err.message[0]) || !is_clean() ||
	    !(last_rename <= 2 ? is_old() : is_new())) {
		printf("# %d: %s\n", r, err.message);
		r = -EPROTO;
	}
	resume_oom();
	return r;
}

/* ---- all --------------------------------------------------------------- */

/*
 * Few processes to look at, where that is allowed: each costs memory. Leaks
 * are not looked for in a namespace of processes: LeakSanitizer fails there.
 */
static void own_processes(void)
{
#if OOM_HERE
	int status;
	pid_t pid;

	if (!scratch_own_mounts() || unshare(CLONE_NEWPID) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		(void)mount("proc", "/proc", "proc", 0, NULL);
		return;
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		scratch_die("cannot wait for the test");
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
#endif
}

int main(void)
{
	/* syncfs is quick in memory; no git is to be asked a thousand times */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	(void)setenv("PATH", "/nonexistent", 1);
	own_processes();
	scratch_open(&here);
	set_up();
	hxs_clock_set(&still);
	fake.tv_sec = time(NULL) + 10;
	oom_each("restoring", restore);
	/* Two exchanges, an adoption, the rollback point's last name. */
	for (last_rename = 1; last_rename <= 4; last_rename++)
		oom_each("recovering", recover);
	hxs_config_free(config);
	hxs_store_close(store);
	(void)setenv("PATH", "/usr/bin:/bin", 1);
	scratch_close(&here);
	return tap_done();
}
