/* What comes back of a backup: all of it, or the reason why not. */
#include "tests/unit/oom.h"
#include "tests/unit/stage.h"

#include "base/pool.h"
#include "source/stage.h"

#include <sqlite3.h>

#define LARGE (68u << 20) /* three ranges */

static struct hxs_pool *pool;
static char id[HXS_ID_LEN + 1];
static struct hxs_snapshot *snap;

static struct {
	int warnings, asked, cancel_at;
	char last[512];
} heard;

static void warning(const char *text, void *ctx HXS_UNUSED)
{
	heard.warnings++;
	(void)snprintf(heard.last, sizeof(heard.last), "%s", text);
}

static bool cancelled(void *ctx HXS_UNUSED)
{
	int n = __atomic_add_fetch(&heard.asked, 1, __ATOMIC_SEQ_CST);

	return heard.cancel_at && n >= heard.cancel_at;
}

static struct hxs_stage new_stage(void)
{
	memset(&heard, 0, sizeof(heard));
	return (struct hxs_stage){
		.snap = snap,
		.pool = pool,
		.ears = { .warning = warning, .cancelled = cancelled },
	};
}

/* Stage @path as @name, from nothing. */
static int stage(struct hxs_stage *s, const char *path, const char *name,
		 struct hxs_err *err)
{
	hxs_err_clear(err);
	if (hxs_io_remove_tree(here.fd, name) < 0)
		scratch_die(name);
	return hxs_stage_entry(s, stage_find(snap, path), here.fd, name, err);
}

/* ---- what is backed up ------------------------------------------------- */

static const unsigned char acl[] = {
	2,  0, 0, 0, /* version */
	1,  0, 7, 0, 255, 255, 255, 255, /* owner */
	2,  0, 5, 0, 2,	  4,   0,   0, /* user 1026 */
	4,  0, 0, 0, 255, 255, 255, 255, /* group */
	16, 0, 5, 0, 255, 255, 255, 255, /* mask */
	32, 0, 4, 0, 255, 255, 255, 255, /* others */
};
static const unsigned char capability[20] = { 1, 0, 0, 2, 0, 4 };

static void set_time(const char *path, long nsec)
{
	const struct timespec t[2] = {
		{ .tv_sec = 1000000000 },
		{ .tv_sec = 1234567890, .tv_nsec = nsec },
	};

	if (utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW) < 0)
		scratch_die(path);
}

/* Data at both ends and in the middle of a hole. */
static void make_large(const char *path)
{
	static const off_t at[] = { 0, 33 << 20, LARGE - 5000 };
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char data[5000];
	size_t i;

	if (fd < 0 || ftruncate(fd, LARGE) < 0)
		scratch_die(path);
	for (i = 0; i < HXS_ARRAY_LEN(at); i++) {
		memset(data, 'a' + (int)i, sizeof(data));
		if (pwrite(fd, data, sizeof(data), at[i]) < 0)
			scratch_die(path);
	}
	(void)close(fd);
}

static void make_database(const char *path, const char *mode)
{
	char sql[256];
	sqlite3 *db;

	(void)snprintf(sql, sizeof(sql),
		       "PRAGMA journal_mode=%s; CREATE TABLE t(x);"
		       "CREATE INDEX i ON t(x); INSERT INTO t VALUES(1),(2)",
		       mode);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		scratch_die(path);
	(void)sqlite3_close(db);
}

static void set_owners(void)
{
	if (geteuid() != 0)
		return;
	if (chown("live/setuid", 1234, 2345) < 0 ||
	    chmod("live/setuid", 06755) < 0 || lchown("live/link", 7, 8) < 0 ||
	    chown("live/d/empty", 1234, 2345) < 0 ||
	    setxattr("live/d/b", "security.capability", capability,
		     sizeof(capability), 0) < 0)
		scratch_die("cannot give files away");
}

static void fill_live(void)
{
	scratch_dir(here.fd, "live");
	scratch_dir(here.fd, "live/d");
	scratch_dir(here.fd, "live/d/empty");
	scratch_dir(here.fd, "live/acl");
	scratch_file(here.fd, "live/a", "aaa");
	scratch_file(here.fd, "live/setuid", "sss");
	scratch_file(here.fd, "live/d/b", "bbbb");
	scratch_file(here.fd, "live/d/nothing", "");
	scratch_file(here.fd, "live/acl/f", "ffff");
	make_large("live/large");
	make_database("live/wal.db", "wal");
	make_database("live/rollback.db", "delete");
	if (link("live/a", "live/d/again") < 0 ||
	    link("live/a", "live/acl/more") < 0 ||
	    symlink("no/such\nthing", "live/link") < 0 ||
	    link("live/link", "live/d/link") < 0)
		scratch_die("cannot fill the source");
	set_owners();
	if (setxattr("live/acl", "system.posix_acl_default", acl, sizeof(acl),
		     0) < 0 ||
	    setxattr("live/acl/f", "system.posix_acl_access", acl, sizeof(acl),
		     0) < 0 ||
	    setxattr("live/d", "user.note", "x\0y", 3, 0) < 0)
		tap_skip("XATTR", "this file system has no ACLs");
	if (chmod("live/d/b", 0000) < 0 || chmod("live/d/empty", 0500) < 0 ||
	    chmod("live", 02751) < 0)
		scratch_die("modes");
	set_time("live/a", 1);
	set_time("live/link", 999999999);
	set_time("live/d/empty", 5);
	set_time("live/d", 123);
	set_time("live", 7);
}

/* ---- whole ------------------------------------------------------------- */

static int64_t blocks_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : (int64_t)st.st_blocks;
}

static void test_whole(void)
{
	struct hxs_stage s = new_stage();
	struct hxs_err err = HXS_ERR_INIT;
	mode_t mask;

	is_int(stage(&s, "e", "out", &err), 0, "staged: %s", err.message);
	ok(stage_is_equal(snap, "out"), "and equal to the last attribute");
	is_int((long long)s.files, 8, "eight files");
	is_int(heard.warnings, 0, "nothing to warn of: %s", heard.last);
	ok(blocks_of("out/large") <= blocks_of("live/large") + 64,
	   "holes are holes");
	is_int(stage(&s, "e/d", "out", &err), 0, "a directory of it");
	ok(scratch_holds(here.fd, "out/again", "aaa"),
	   "the first name here of a file need not be its first");
	is_int(stage(&s, "e/a", "out", &err), 0, "a single file");
	ok(scratch_holds(here.fd, "out", "aaa"), "is there");
	is_int(stage(&s, "e/large", "out", &err), 0, "a large one");
	is_int(stage(&s, "e/link", "out", &err), 0, "a link");
	s.pool = NULL;
	mask = umask(0777);
	is_int(stage(&s, "e", "out", &err), 0, "without pool or umask: %s",
	       err.message);
	(void)umask(mask);
	ok(stage_is_equal(snap, "out"), "is equal, too");
	hxs_err_clear(&err);
	is_int(hxs_stage_entry(&s, stage_find(snap, "e"), here.fd, "out", &err),
	       -EEXIST, "what is there is not touched");
	is_int(hxs_stage_entry(&s, stage_find(snap, "e/a"), here.fd, "out",
			       &err),
	       -EEXIST, "by a file neither");
	ok(stage_is_equal(snap, "out"), "not at all");
}

/* A directory that gives what is made in it a group and ACLs. */
static void test_inherited(void)
{
	struct hxs_stage s = new_stage();
	struct hxs_err err = HXS_ERR_INIT;
	HXS_AUTO_CLOSE int dir = -1;

	scratch_dir(here.fd, "heir");
	if (geteuid() == 0 && chown("heir", 0, 4321) < 0)
		scratch_die("heir");
	if (chmod("heir", 02777) < 0)
		scratch_die("heir");
	(void)setxattr("heir", "system.posix_acl_default", acl, sizeof(acl), 0);
	dir = hxs_io_open_dir(here.fd, "heir");
	is_int(hxs_stage_entry(&s, stage_find(snap, "e"), dir, "out", &err), 0,
	       "staged where names inherit: %s", err.message);
	ok(stage_is_equal(snap, "heir/out"), "nothing was inherited");
	is_int(hxs_stage_entry(&s, stage_find(snap, "e/a"), dir, "a", &err), 0,
	       "a file there");
	ok(getxattr("heir/a", "system.posix_acl_access", NULL, 0) < 0,
	   "without an ACL");
}

static void test_deep(void)
{
	struct hxs_snapshot *before = snap;
	char deep[HXS_ID_LEN + 1];
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_stage s;

	scratch_deep(here.fd, "deep", "a-name-of-some-length", 1000);
	stage_backup("deep", "deep", deep);
	snap = stage_open("deep", deep);
	s = new_stage();
	is_int(stage(&s, "e", "out", &err), 0, "a thousand levels: %s",
	       err.message);
	ok(stage_is_equal(snap, "out"), "are equal");
	hxs_snapshot_unref(snap);
	snap = before;
}

/* ---- damage ------------------------------------------------------------ */

#define STORED "s/backups/dev/%s/e/%s"

static void expect_damage(const char *what, enum hxs_fault_kind kind,
			  const char *path, uint64_t offset)
{
	struct hxs_stage s = new_stage();
	struct hxs_err err = HXS_ERR_INIT;

	is_int(stage(&s, "e", "out", &err), -HXS_ECORRUPT, "%s: refused", what);
	is_int(s.fault.kind, kind, "%s: it is %s", what,
	       hxs_fault_name(s.fault.kind));
	is_int(s.fault.entry, stage_find(snap, path), "%s: of the entry", what);
	is_int((long long)s.fault.offset, (long long)offset, "%s: there", what);
	ok(strstr(err.message, path), "%s: named: %s", what, err.message);
}

static void test_damage(void)
{
	char path[512], aside[600];

	(void)snprintf(path, sizeof(path), STORED, id, "large");
	stage_flip(path, (33 << 20) + 100);
	expect_damage("a flipped byte in a large file", HXS_FAULT_BLOCK,
		      "e/large", 33 << 20);
	stage_flip(path, (33 << 20) + 100);
	(void)snprintf(path, sizeof(path), STORED, id, "wal.db");
	stage_flip(path, 5000);
	expect_damage("in a small one", HXS_FAULT_BLOCK, "e/wal.db", 0);
	stage_flip(path, 5000);
	(void)snprintf(aside, sizeof(aside), "%s.aside", path);
	if (rename(path, aside) < 0)
		scratch_die(path);
	expect_damage("a missing file", HXS_FAULT_MISSING, "e/wal.db", 0);
	if (symlink("wal.db.aside", path) < 0)
		scratch_die(path);
	expect_damage("a link to it", HXS_FAULT_TYPE, "e/wal.db", 0);
	(void)unlink(path);
	if (mkfifo(path, 0600) < 0)
		scratch_die(path);
	expect_damage("a FIFO", HXS_FAULT_TYPE, "e/wal.db", 0);
	(void)unlink(path);
	scratch_file(here.fd, path, "short");
	expect_damage("a short file", HXS_FAULT_SIZE, "e/wal.db", 0);
	if (rename(aside, path) < 0)
		scratch_die(path);
}

static void test_cancelled(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_stage s = new_stage();
	bool right = true;
	int asked, i;

	s.pool = NULL;
	is_int(stage(&s, "e", "out", &err), 0, "not cancelled");
	asked = heard.asked;
	ok(asked > 20, "asked often enough (%d)", asked);
	for (i = 1; right && i <= asked; i++) {
		s = new_stage();
		s.pool = i % 2 ? pool : NULL;
		heard.cancel_at = i;
		right = stage(&s, "e", "out", &err) == -ECANCELED &&
			strcmp(err.message, "cancelled") == 0;
	}
	ok(right, "cancelled whenever asked (%d)", i - 1);
}

/* ---- foreign snapshots ------------------------------------------------- */

#define FOREIGN "20200101T000000Z"

static void list_file(int dir, const char *path, struct hxs_buf *out)
{
	HXS_AUTO_FREE char *data = NULL;
	HXS_AUTO_CLOSE int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	char hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest d;
	size_t len;

	if (fd < 0 || hxs_io_read_all(fd, LARGE, &data, &len) < 0)
		scratch_die(path);
	hxs_digest_of(data, len, &d);
	hxs_digest_to_hex(&d, hex);
	(void)hxs_buf_printf(out, "%s  %s\n", hex, path);
}

/* How many bytes this process has read. */
static unsigned long long bytes_read(void)
{
	unsigned long long n = 0;
	FILE *f = fopen("/proc/self/io", "re");

	if (!f || fscanf(f, "rchar: %llu", &n) != 1)
		scratch_die("/proc/self/io");
	(void)fclose(f);
	return n;
}

static void test_foreign(void)
{
	struct hxs_snapshot *before = snap;
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int dir = -1;
	struct hxs_err err = HXS_ERR_INIT;
	unsigned long long before_it;
	struct hxs_stage s;

	if (hxs_io_mkdirs(here.fd, "s/backups/dev/" FOREIGN "/e/d", 0755) < 0)
		scratch_die(FOREIGN);
	dir = hxs_io_open_dir(here.fd, "s/backups/dev/" FOREIGN);
	scratch_file(dir, "e/a", "aaa");
	scratch_file(dir, "e/d/b", "bbb");
	if (linkat(dir, "e/a", dir, "e/d/a", 0) < 0 ||
	    symlinkat("a", dir, "e/l") < 0 || fchdir(dir) < 0)
		scratch_die(FOREIGN);
	make_large("e/large");
	set_time("e/large", 77);
	list_file(dir, "e/a", &text);
	list_file(dir, "e/d/a", &text);
	list_file(dir, "e/d/b", &text);
	list_file(dir, "e/large", &text);
	scratch_file(dir, "manifest.sha256", hxs_buf_str(&text));
	if (fchdir(here.fd) < 0)
		scratch_die(FOREIGN);
	snap = stage_open("dev", FOREIGN);
	s = new_stage();
	before_it = bytes_read();
	is_int(stage(&s, "e", "out", &err), 0, "a foreign snapshot: %s",
	       err.message);
	ok(bytes_read() - before_it < LARGE + LARGE / 8, "read only once");
	is_int(s.bytes, LARGE + 6, "all of it counted, once");
	ok(stage_is_equal(snap, "out"), "is equal");
	/* what checks its blocks is known now */
	s = new_stage();
	is_int(stage(&s, "e", "out", &err), 0, "once more: %s", err.message);
	ok(stage_is_equal(snap, "out"), "is equal again");
	ok(blocks_of("out/large") < 2000, "with its holes");
	hxs_snapshot_unref(snap);
	snap = stage_open("dev", FOREIGN);
	stage_flip("s/backups/dev/" FOREIGN "/e/large", LARGE - 1);
	s = new_stage();
	is_int(stage(&s, "e", "out", &err), -HXS_ECORRUPT, "a wrong byte");
	is_int(s.fault.kind, HXS_FAULT_DIGEST, "is found by the digest");
	hxs_snapshot_unref(snap);
	snap = before;
}

/* ---- databases --------------------------------------------------------- */

static void test_databases(void)
{
	struct hxs_stage s = new_stage();
	struct hxs_err err = HXS_ERR_INIT;
	struct stat before, after;
	uint32_t e = stage_find(snap, "e");

	is_int(stage(&s, "e", "out", &err), 0, "staged");
	if (stat("out", &before) < 0)
		scratch_die("out");
	is_int(hxs_stage_check(&s, e, here.fd, "out", &err), 0,
	       "its databases are whole: %s", err.message);
	is_int(heard.warnings, 0, "all could be checked: %s", heard.last);
	ok(stage_is_equal(snap, "out"), "checking them changed nothing");
	ok(stat("out", &after) == 0 &&
		   before.st_ctim.tv_nsec == after.st_ctim.tv_nsec,
	   "nor was anything made beside them");
	stage_flip("out/wal.db", 4096 + 4);
	is_int(hxs_stage_check(&s, e, here.fd, "out", &err), -HXS_ECORRUPT,
	       "a broken one is found");
	ok(strstr(err.message, "'e/wal.db': the database is damaged"),
	   "and named: %s", err.message);
	hxs_err_clear(&err);
	scratch_file(here.fd, "out/wal.db-wal", "newer pages");
	hxs_err_clear(&err);
	is_int(hxs_stage_check(&s, e, here.fd, "out", &err), 0,
	       "with changes beside it nobody can tell: %s", err.message);
	is_int(heard.warnings, 1, "which is told: %s", heard.last);
}

/* ---- an ordinary user -------------------------------------------------- */

static int as_nobody(void)
{
	struct hxs_stage s = new_stage();
	struct hxs_err err = HXS_ERR_INIT;
	HXS_AUTO_CLOSE int dir = -1;
	struct stat st;

	s.pool = NULL;
	if (setgid(65534) < 0 || setuid(65534) < 0 || chdir("theirs") < 0)
		return 1;
	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (hxs_stage_entry(&s, stage_find(snap, "e/setuid"), dir, "f", &err) <
		    0 ||
	    stat("f", &st) < 0)
		return 2;
	if (st.st_uid != 65534 || st.st_mode != (S_IFREG | 0755))
		return 3;
	if (heard.warnings != 1 ||
	    strcmp(heard.last,
		   "the owner of 'e/setuid' could not be set here") != 0)
		return 4;
	/* Its group may read what that group may not: so nobody may. */
	if (hxs_stage_entry(&s, stage_find(snap, "e/acl"), dir, "d", &err) <
		    0 ||
	    stat("d/f", &st) < 0)
		return 5;
	return (st.st_mode & 07777) == 0700 && heard.warnings == 2 ? 0 : 6;
}

static void test_nobody(void)
{
	int status = -1;
	pid_t pid;

	if (geteuid() != 0) {
		tap_skip("ROOT", "wants root for becoming somebody else");
		return;
	}
	scratch_dir(here.fd, "theirs");
	if (chmod("theirs", 0777) < 0)
		scratch_die("theirs");
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(as_nobody());
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	is_int(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0,
	       "an ordinary user gets its own, without set-id bits");
}

/* ---- out of memory ----------------------------------------------------- */

static int work(void)
{
	struct hxs_stage s = new_stage();
	struct hxs_err err = HXS_ERR_INIT;
	uint32_t e = stage_find(snap, "e");
	int r;

	s.pool = NULL;
	r = hxs_stage_entry(&s, e, here.fd, "out", &err);
	if (r == 0)
		r = hxs_stage_check(&s, e, here.fd, "out", &err);
	if (r < 0 && !err.message[0])
		r = -EPROTO;
#if OOM_HERE
	long countdown = oom_countdown_;

	oom_countdown_ = 0;
#endif
	if (hxs_io_remove_tree(here.fd, "out") < 0)
		scratch_die("out");
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
	if (hxs_pool_new(3, 4, &pool) < 0)
		scratch_die("threads");
	stage_backup("dev", "live", id);
	snap = stage_open("dev", id);
	test_whole();
	test_inherited();
	test_deep();
	test_damage();
	test_cancelled();
	test_foreign();
	test_databases();
	test_nobody();
	(void)hxs_io_remove_tree(here.fd, "out");
	oom_each("staging", work);
	hxs_snapshot_unref(snap);
	hxs_pool_free(pool);
	stage_tear_down();
	return tap_done();
}
