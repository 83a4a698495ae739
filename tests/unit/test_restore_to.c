/* Writing a snapshot elsewhere: where, which part of it, and nothing else. */
#include "tests/unit/oom.h"
#include "tests/unit/stage.h"

#include "verbs/restore.h"

static char id[HXS_ID_LEN + 1];

static struct {
	int asked, cancel_at;
} heard;

static bool cancelled(void *ctx HXS_UNUSED)
{
	int n = __atomic_add_fetch(&heard.asked, 1, __ATOMIC_SEQ_CST);

	return heard.cancel_at && n >= heard.cancel_at;
}

static const struct hxs_listener listener = { .cancelled = cancelled };

static int restore(const char *dir, const char *const *paths, size_t count,
		   struct hxs_restore_report *rep, struct hxs_err *err)
{
	const struct hxs_restore_opts o = {
		.env = "dev",
		.kind = HXS_BACKUP,
		.id = id,
		.paths = paths,
		.path_count = count,
		.threads = 1,
		.listener = &listener,
	};

	hxs_err_clear(err);
	return hxs_restore_to(store, &o, dir, rep, err);
}

static int count_name(const char *name HXS_UNUSED,
		      unsigned char type HXS_UNUSED, void *ctx)
{
	++*(int *)ctx;
	return 0;
}

/* How many names directory @path has; -1 if it is not there. */
static int names_in(const char *path)
{
	HXS_AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n = 0;

	if (fd < 0)
		return -1;
	return hxs_io_list(fd, count_name, &n) < 0 ? -1 : n;
}

static void drop(const char *path)
{
	if (hxs_io_remove_tree(here.fd, path) < 0)
		scratch_die(path);
}

static void fill_live(void)
{
	const struct timespec t[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	scratch_dir(here.fd, "live");
	scratch_dir(here.fd, "live/d");
	scratch_dir(here.fd, "live/d/dd");
	scratch_file(here.fd, "live/a", "aaa");
	scratch_file(here.fd, "live/d/b", "bbbb");
	scratch_file(here.fd, "live/d/dd/c", "c");
	if (symlink("a", "live/l") < 0 || chmod("live/d", 0500) < 0 ||
	    utimensat(AT_FDCWD, "live/d", t, 0) < 0)
		scratch_die("cannot fill the source");
}

static void test_where(void)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = stage_open("dev", id);
	struct hxs_restore_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	struct stat before, st;
	int names = names_in(".");

	is_int(restore("out", NULL, 0, &rep, &err), 0, "a new directory: %s",
	       err.message);
	ok(stage_is_equal(snap, "out/e"), "has the source");
	is_int(names_in("out"), 1, "and nothing else");
	is_int((long long)rep.files, 3, "three files");
	is_int((long long)rep.bytes, 8, "eight bytes");
	is_str(rep.rollback_id, "", "no rollback point");
	ok(stat("out", &st) == 0 && (st.st_mode & 07777) == 0700,
	   "which is for its owner alone");
	is_int(restore("out", NULL, 0, &rep, &err), -ENOTEMPTY, "not twice: %s",
	       err.message);
	drop("out");
	scratch_dir(here.fd, "out");
	if (chmod("out", 0751) < 0 || stat("out", &before) < 0)
		scratch_die("out");
	is_int(restore("out///", NULL, 0, &rep, &err), 0, "one that is empty");
	ok(stage_is_equal(snap, "out/e"), "has the source");
	is_int(names_in("out"), 1, "and nothing else");
	ok(stat("out", &st) == 0 && st.st_ino == before.st_ino &&
		   st.st_mode == before.st_mode,
	   "and is the one it was");
	drop("out");
	if (symlink("elsewhere", "out") < 0)
		scratch_die("out");
	is_int(restore("out", NULL, 0, &rep, &err), -EEXIST,
	       "nothing in the place of a dangling link: %s", err.message);
	scratch_dir(here.fd, "elsewhere");
	is_int(restore("out", NULL, 0, &rep, &err), 0, "but through one");
	is_int(names_in("elsewhere"), 1, "it went there");
	drop("elsewhere");
	drop("out");
	scratch_file(here.fd, "out", "a file");
	is_int(restore("out", NULL, 0, &rep, &err), -ENOTDIR, "a file");
	ok(scratch_holds(here.fd, "out", "a file"), "stays");
	drop("out");
	is_int(restore("no/out", NULL, 0, &rep, &err), -ENOENT,
	       "in nothing: %s", err.message);
	is_int(restore("", NULL, 0, &rep, &err), -HXS_EUSAGE, "no name");
	is_int(restore("s/backups/dev/out", NULL, 0, &rep, &err), -HXS_EDENIED,
	       "in the store: %s", err.message);
	is_int(restore("s/.hxsnap/out", NULL, 0, &rep, &err), -HXS_EDENIED,
	       "in the store's own");
	is_int(names_in("."), names, "nothing is left of all that");
}

static void test_paths(void)
{
	static const char *const some[] = { "e/d/dd/", "e/l", "e/d/b",
					    "e/d/dd/c", "e/l" };
	static const char *const all[] = { "e/a", "e" };
	static const struct {
		const char *path;
		int want;
	} bad[] = {
		{ "e/none", -HXS_ENOSUCH },    { "meta.json", -HXS_ENOSUCH },
		{ "index.hxi", -HXS_ENOSUCH }, { "e/a/b", -HXS_ENOSUCH },
		{ "../e", -HXS_EUSAGE },       { "/e", -HXS_EUSAGE },
		{ "", -HXS_EUSAGE },	       { "e//a", -HXS_EUSAGE },
	};
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = stage_open("dev", id);
	struct hxs_restore_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	struct stat st;
	size_t i;

	is_int(restore("out", some, HXS_ARRAY_LEN(some), &rep, &err), 0,
	       "some paths: %s", err.message);
	is_int((long long)rep.files, 2, "each once");
	ok(scratch_holds(here.fd, "out/e/d/b", "bbbb") &&
		   scratch_holds(here.fd, "out/e/d/dd/c", "c") &&
		   scratch_exists(here.fd, "out/e/l"),
	   "these are there");
	ok(!scratch_exists(here.fd, "out/e/a"), "another is not");
	ok(stat("out/e/d", &st) == 0 && st.st_mode == (S_IFDIR | 0500) &&
		   st.st_mtim.tv_sec == 1,
	   "what they are in is as it was");
	drop("out");
	is_int(restore("out", all, HXS_ARRAY_LEN(all), &rep, &err), 0,
	       "a source and what is in it");
	ok(stage_is_equal(snap, "out/e"), "is the source");
	drop("out");
	for (i = 0; i < HXS_ARRAY_LEN(bad); i++) {
		is_int(restore("out", &bad[i].path, 1, &rep, &err), bad[i].want,
		       "'%s': %s", bad[i].path, err.message);
		ok(!scratch_exists(here.fd, "out"), "nothing is made");
	}
}

static void test_extras(void)
{
	static const char *const other[] = { "e/d/dd", "e/a" };
	static const char *const one[] = { "e/d" };
	struct hxs_restore_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	char path[128];

	(void)snprintf(path, sizeof(path), "s/backups/dev/%s/e/d/extra", id);
	scratch_file(here.fd, path, "");
	is_int(restore("out", NULL, 0, &rep, &err), -HXS_ECORRUPT,
	       "an unlisted file");
	ok(strstr(err.message, "e/d/extra"), "is named: %s", err.message);
	is_int(restore("out", one, 1, &rep, &err), -HXS_ECORRUPT,
	       "also in what was named");
	is_int(restore("out", other, 2, &rep, &err), 0,
	       "elsewhere it does no harm");
	drop("out");
	drop(path);
}

static void test_damage(void)
{
	struct hxs_restore_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	int names = names_in(".");
	char path[128];

	(void)snprintf(path, sizeof(path), "s/backups/dev/%s/e/d/b", id);
	stage_flip(path, 1);
	is_int(restore("out", NULL, 0, &rep, &err), -HXS_ECORRUPT,
	       "a wrong byte: %s", err.message);
	is_int(names_in("."), names, "nothing is left");
	scratch_dir(here.fd, "out");
	is_int(restore("out", NULL, 0, &rep, &err), -HXS_ECORRUPT,
	       "in a directory that is there");
	is_int(names_in("out"), 0, "nothing is left");
	drop("out");
	stage_flip(path, 1);
}

static void test_cancelled(void)
{
	struct hxs_restore_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	int names = names_in("."), asked, i;
	bool right = true;

	memset(&heard, 0, sizeof(heard));
	is_int(restore("out", NULL, 0, &rep, &err), 0, "not cancelled");
	drop("out");
	asked = heard.asked;
	ok(asked > 5, "asked often enough (%d)", asked);
	for (i = 1; right && i <= asked; i++) {
		memset(&heard, 0, sizeof(heard));
		heard.cancel_at = i;
		right = restore("out", NULL, 0, &rep, &err) == -ECANCELED &&
			names_in(".") == names;
	}
	ok(right, "cancelled whenever asked (%d), nothing is left", i - 1);
	memset(&heard, 0, sizeof(heard));
}

static int work(void)
{
	static const char *const paths[] = { "e/d/b", "e/l" };
	struct hxs_restore_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	int r;

	r = restore("out", paths, 2, &rep, &err);
	if (r < 0 && (!strstr(err.message, "nothing was written") ||
		      scratch_exists(here.fd, "out")))
		return -EPROTO;
#if OOM_HERE
	long countdown = oom_countdown_;

	oom_countdown_ = 0;
#endif
	drop("out");
#if OOM_HERE
	oom_countdown_ = countdown;
#endif
	return r;
}

int main(void)
{
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	(void)setenv("PATH", "/usr/bin:/bin", 1);
	stage_set_up();
	fill_live();
	stage_backup("dev", "live", id);
	test_where();
	test_paths();
	test_extras();
	test_damage();
	test_cancelled();
	oom_each("restoring elsewhere", work);
	stage_tear_down();
	return tap_done();
}
