#include "tests/unit/oom.h"
#include "tests/unit/scratch.h"

#include "base/clock.h"
#include "store/result.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "verbs/create.h"

static struct scratch here;
static struct hxs_store *store;
static struct hxs_config *config;

/* A clock that stands still until it is set or waited for. */
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

static void set_up(void)
{
	static const char text[] =
		"{\"store\": \"s\", \"environments\": {\"dev\": {\"sources\": {"
		"\"e\": {\"kind\": \"directory\", \"path\": \"live\"}},"
		"\"settings\": [\"PORT\"]}}}";
	struct hxs_err err = HXS_ERR_INIT;

	if (hxs_store_init("s", false, &err) < 0 ||
	    hxs_store_open("s", &store, &err) < 0 ||
	    hxs_config_parse(text, strlen(text), "hxsnap.json", here.path,
			     &config, &err) < 0)
		scratch_die(err.message);
	scratch_dir(here.fd, "live");
	scratch_dir(here.fd, "live/d");
	scratch_file(here.fd, "live/a", "aaa");
	scratch_file(here.fd, "live/d/b", "bbbb");
	scratch_file(here.fd, "live/.env", "hush");
	if (link("live/a", "live/d/again") < 0 || symlink("a", "live/l") < 0 ||
	    mkfifo("live/fifo", 0600) < 0)
		scratch_die("cannot fill the source");
}

static struct hxs_create_opts opts(void)
{
	return (struct hxs_create_opts){
		.config = config,
		.env = "dev",
		.threads = 2,
		.tool_version = "test",
	};
}

/* ---- what counts as unchanged ------------------------------------------ */

/* Say that backup @id was verified and found right. */
static void bless(const char *id)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	struct hxs_result res = { .passed = true, .when = 1 };
	struct hxs_err err = HXS_ERR_INIT;

	if (hxs_snapshot_open(store, HXS_BACKUP, "dev", id, &snap, &err) < 0)
		scratch_die(err.message);
	res.manifest = *hxs_snapshot_manifest_digest(snap);
	if (hxs_result_save(store, HXS_BACKUP, "dev", id, &res, &err) < 0)
		scratch_die(err.message);
}

/*
 * Make a backup @ns after the files last changed, bless it, make another:
 * how many files were linked.
 */
static long long linked_after(int64_t ns)
{
	struct hxs_create_report rep = { .files = 0 };
	struct hxs_create_opts o = opts();
	struct hxs_err err = HXS_ERR_INIT;
	struct stat st;
	int64_t total;

	if (stat("live/d/b", &st) < 0)
		scratch_die("live/d/b");
	total = (int64_t)st.st_ctim.tv_nsec + ns;
	fake.tv_sec = st.st_ctim.tv_sec + total / 1000000000;
	fake.tv_nsec = total % 1000000000;
	if (fake.tv_nsec < 0) {
		fake.tv_nsec += 1000000000;
		fake.tv_sec--;
	}
	if (hxs_create(store, &o, &rep, &err) < 0)
		scratch_die(err.message);
	bless(rep.id);
	fake.tv_sec += 100;
	if (hxs_create(store, &o, &rep, &err) < 0)
		scratch_die(err.message);
	if (hxs_io_remove_tree(here.fd, "s/backups/dev") < 0)
		scratch_die("cannot empty the store");
	return (long long)rep.linked_files;
}

static void test_racy(void)
{
	/* Both names of a have one inode, which changed when it was linked. */
	if (unlink("live/d/b") < 0)
		scratch_die("live/d/b");
	scratch_file(here.fd, "live/d/b", "bbbb");
	is_int(linked_after(2000000000), 3, "settled for long: linked");
	is_int(linked_after(999000000) >= 1, 1, "or for a while");
	is_int(linked_after(60000000) >= 1, 1, "or for 60 ms");
	is_int(linked_after(49000000) >= 3, 0, "but not for 49 ms");
	is_int(linked_after(0) >= 3, 0, "nor for none");
	is_int(linked_after(-500000000), 0,
	       "nor if it changed after the backup");
	is_int(linked_after(-5000000000), 0, "nor long after");
}

/* ---- the listener ------------------------------------------------------ */

static struct {
	int asked, cancel_at, warnings;
	uint64_t files, bytes;
	bool backwards;
	char last[256];
} heard;

static bool cancelled(void *ctx HXS_UNUSED)
{
	int n = __atomic_add_fetch(&heard.asked, 1, __ATOMIC_SEQ_CST);

	return heard.cancel_at && n >= heard.cancel_at;
}

static void warning(const char *text, void *ctx HXS_UNUSED)
{
	heard.warnings++;
	(void)snprintf(heard.last, sizeof(heard.last), "%s", text);
}

static void progress(const struct hxs_progress *p, void *ctx HXS_UNUSED)
{
	heard.backwards |=
		p->files < heard.files || p->bytes < heard.bytes || !p->phase;
	heard.files = p->files;
	heard.bytes = p->bytes;
}

static const struct hxs_listener listener = {
	.progress = progress,
	.warning = warning,
	.cancelled = cancelled,
};

static void test_listener(void)
{
	struct hxs_create_report rep = { .files = 0 };
	struct hxs_create_opts o = opts();
	struct hxs_err err = HXS_ERR_INIT;
	int asked, i;

	memset(&heard, 0, sizeof(heard));
	o.listener = &listener;
	fake.tv_sec += 10;
	is_int(hxs_create(store, &o, &rep, &err), 0, "create: %s", err.message);
	is_int((long long)rep.files, 3, "three files");
	is_int((long long)rep.bytes, 10, "ten bytes, counted by name");
	is_int(heard.warnings, 2, "the FIFO and .env are told of");
	is_int(rep.warnings, 2, "and counted");
	ok(!heard.backwards, "progress goes forward");
	is_int((long long)heard.files, 3, "to the end");
	asked = heard.asked;
	ok(asked > 3, "whether to go on is asked often");
	if (hxs_io_remove_tree(here.fd, "s/backups/dev") < 0)
		scratch_die("cannot empty the store");
	for (i = 1; i <= asked; i++) {
		memset(&heard, 0, sizeof(heard));
		heard.cancel_at = i;
		hxs_err_clear(&err);
		is_int(hxs_create(store, &o, &rep, &err), -ECANCELED,
		       "cancelled when asked %d times", i);
		is_str(err.message, "cancelled; no snapshot was made",
		       "and says so");
		ok(!scratch_exists(here.fd, "s/backups/dev"),
		   "leaving nothing");
	}
}

static void test_keep(void)
{
	struct hxs_create_report rep = { .files = 0 };
	struct hxs_create_opts o = opts();
	struct hxs_err err = HXS_ERR_INIT;
	char want[128];

	o.keep = true;
	is_int(hxs_create(store, &o, &rep, &err), 0, "with keep");
	ok(hxs_result_is_pinned(store, HXS_BACKUP, "dev", rep.id), "pinned");
	if (hxs_io_remove_tree(here.fd, "s/.hxsnap/pins") < 0)
		scratch_die("pins");
	scratch_file(here.fd, "s/.hxsnap/pins", "in the way");
	ok(hxs_create(store, &o, &rep, &err) < 0, "where it cannot be pinned");
	(void)snprintf(want, sizeof(want), "snapshot 'dev/%s' was made",
		       rep.id);
	ok(strstr(err.message, want), "it says that it was made: %s",
	   err.message);
	(void)unlink("s/.hxsnap/pins");
}

/* ---- out of memory ----------------------------------------------------- */

/* Remove what was made, or there would be more to list each time. */
static void forget(void)
{
#if OOM_HERE
	long countdown = oom_countdown_;

	oom_countdown_ = 0;
#endif
	if (hxs_io_remove_tree(here.fd, "s/backups/dev") < 0)
		scratch_die("cannot empty the store");
#if OOM_HERE
	oom_countdown_ = countdown;
#endif
}

static int work(void)
{
	struct hxs_create_report rep;
	struct hxs_create_opts o = opts();
	struct hxs_err err = HXS_ERR_INIT;
	int r;

	o.threads = 1;
	r = hxs_create(store, &o, &rep, &err);
	if (r < 0 && !strstr(err.message, "no snapshot was made"))
		return -EPROTO;
	if (r == 0)
		forget();
	return r;
}

static void test_memory(void)
{
	forget();
	oom_each("making a backup", work);
	ok(!scratch_exists(here.fd, "s/backups/dev"), "nothing is left");
}

int main(void)
{
	/* syncfs is quick in memory; no git is to be asked a thousand times */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	(void)setenv("PATH", "/nonexistent", 1);
	scratch_open(&here);
	set_up();
	hxs_clock_set(&still);
	test_racy();
	test_listener();
	test_keep();
	test_memory();
	hxs_config_free(config);
	hxs_store_close(store);
	(void)setenv("PATH", "/usr/bin:/bin", 1);
	scratch_close(&here);
	return tap_done();
}
