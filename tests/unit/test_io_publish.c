#include "tests/unit/scratch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/resource.h>

#define TMP ".tmp-name"
#define WRITERS 4
#define ROUNDS 40
#define BIG 50000

static struct scratch dir;

static int count_one(const char *name HXS_UNUSED,
		     unsigned char d_type HXS_UNUSED, void *ctx)
{
	++*(int *)ctx;
	return 0;
}

static int entries(void)
{
	int n = 0;

	return hxs_io_list(dir.fd, count_one, &n) < 0 ? -1 : n;
}

static void test_plain(void)
{
	struct stat st;
	mode_t old = umask(0777);

	is_int(hxs_io_publish(dir.fd, "name", "one", 3, 0640), 0, "a new file");
	ok(scratch_holds(dir.fd, "name", "one"), "holds the bytes");
	is_int(fstatat(dir.fd, "name", &st, 0), 0, "and has");
	is_int(st.st_mode & 07777, 0640, "its mode whatever the umask");
	(void)umask(0);
	is_int(hxs_io_publish(dir.fd, "name", "two!", 4, 0600), 0, "again");
	ok(scratch_holds(dir.fd, "name", "two!"), "holds the new bytes");
	is_int(fstatat(dir.fd, "name", &st, 0), 0, "and has");
	is_int(st.st_mode & 07777, 0600, "its new mode");
	(void)umask(old);
	is_int(hxs_io_publish(dir.fd, "name", NULL, 0, 0600), 0, "no bytes");
	ok(scratch_holds(dir.fd, "name", ""), "an empty file");
	is_int(entries(), 1, "and nothing beside it");
}

static void test_refused(void)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/a", "../a" };
	char name[300];
	size_t i;
	int gone;

	for (i = 0; i < HXS_ARRAY_LEN(bad); i++)
		is_int(hxs_io_publish(dir.fd, bad[i], "x", 1, 0600), -EINVAL,
		       "no name: '%s'", bad[i]);
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	is_int(hxs_io_publish(dir.fd, name, "x", 1, 0600), -ENAMETOOLONG,
	       "no room for the temporary's name");
	name[250] = '\0';
	is_int(hxs_io_publish(dir.fd, name, "x", 1, 0600), 0, "just enough");
	(void)unlinkat(dir.fd, name, 0);
	scratch_dir(dir.fd, "directory");
	is_int(hxs_io_publish(dir.fd, "directory", "x", 1, 0600), -EISDIR,
	       "over a directory");
	gone = openat(dir.fd, "directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)unlinkat(dir.fd, "directory", AT_REMOVEDIR);
	is_int(hxs_io_publish(gone, "name", "x", 1, 0600), -ENOENT,
	       "in a directory that is gone");
	(void)close(gone);
	is_int(entries(), 1, "no temporary stays");
}

/* In a directory where names that end in ".prom" are read. */
static void test_watched(void)
{
	scratch_dir(dir.fd, ".tmp-m.prom~");
	is_int(hxs_io_publish_watched(dir.fd, "m.prom", "x", 1, 0644), -EISDIR,
	       "the temporary ends in something else");
	is_int(hxs_io_publish(dir.fd, "m.prom", "x", 1, 0644), 0,
	       "as that of others does not");
	(void)unlinkat(dir.fd, ".tmp-m.prom~", AT_REMOVEDIR);
	is_int(hxs_io_publish_watched(dir.fd, "m.prom", "yy", 2, 0644), 0,
	       "it is written");
	ok(scratch_holds(dir.fd, "m.prom", "yy"), "whole");
	(void)unlinkat(dir.fd, "m.prom", 0);
}

/* The disk is full in the middle: a limit on file sizes stands for it. */
static void test_full(void)
{
	struct rlimit old, small;
	int r;

	(void)hxs_io_publish(dir.fd, "name", "old", 3, 0600);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 2;
	(void)setrlimit(RLIMIT_FSIZE, &small);
	r = hxs_io_publish(dir.fd, "name", "newer", 5, 0600);
	(void)setrlimit(RLIMIT_FSIZE, &old);
	is_int(r, -EFBIG, "no room for it");
	ok(scratch_holds(dir.fd, "name", "old"), "the old one stays");
	is_int(entries(), 1, "no temporary stays");
}

/* What a crash, or somebody else, left under the temporary's name. */
static void test_leftovers(void)
{
	struct stat st;

	scratch_file(dir.fd, TMP, "half of something that was longer");
	is_int(hxs_io_publish(dir.fd, "name", "new", 3, 0600), 0,
	       "a leftover file");
	ok(scratch_holds(dir.fd, "name", "new"), "adds nothing");
	is_int(fstatat(dir.fd, "name", &st, 0), 0, "and");
	is_int(st.st_mode & 07777, 0600, "no mode of its own");

	scratch_file(dir.fd, "victim", "untouched");
	if (symlinkat("victim", dir.fd, TMP) < 0)
		scratch_die("symlink");
	is_int(hxs_io_publish(dir.fd, "name", "n2", 2, 0600), 0, "a link");
	ok(scratch_holds(dir.fd, "victim", "untouched"), "is not followed");
	ok(scratch_holds(dir.fd, "name", "n2"), "and replaced");

	if (linkat(dir.fd, "victim", dir.fd, TMP, 0) < 0)
		scratch_die("link");
	is_int(hxs_io_publish(dir.fd, "name", "n3", 2, 0600), 0, "a hard link");
	ok(scratch_holds(dir.fd, "victim", "untouched"), "is not written to");
	(void)unlinkat(dir.fd, "victim", 0);

	if (mkfifoat(dir.fd, TMP, 0600) < 0)
		scratch_die("mkfifo");
	is_int(hxs_io_publish(dir.fd, "name", "n4", 2, 0600), 0,
	       "a FIFO does not block");
	if (symlinkat("nowhere", dir.fd, TMP) < 0)
		scratch_die("symlink");
	is_int(hxs_io_publish(dir.fd, "name", "n5", 2, 0600), 0,
	       "a link to nothing");
	ok(!scratch_exists(dir.fd, "nowhere"), "makes nothing there");
	scratch_dir(dir.fd, TMP);
	is_int(hxs_io_publish(dir.fd, "name", "n6", 2, 0600), -EISDIR,
	       "a directory is left alone");
	ok(scratch_holds(dir.fd, "name", "n5"), "and the old file too");
	(void)unlinkat(dir.fd, TMP, AT_REMOVEDIR);
	is_int(entries(), 1, "no temporary stays");
}

/* A writer that holds the lock and is killed does not stop the next one. */
static void test_killed(void)
{
	char byte = 0;
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		scratch_die("pipe");
	pid = fork();
	if (pid == 0) {
		int fd = openat(dir.fd, TMP, O_WRONLY | O_CREAT | O_EXCL, 0600);

		if (fd < 0 || flock(fd, LOCK_EX) < 0 ||
		    write(fd, "half", 4) != 4 || write(fds[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(fds[1]);
	is_int(hxs_io_read_full(fds[0], &byte, 1), 1, "another is writing");
	(void)close(fds[0]);
	(void)kill(pid, SIGKILL);
	is_int(hxs_io_publish(dir.fd, "name", "n7", 2, 0600), 0,
	       "it is killed, and its lock goes with it");
	ok(scratch_holds(dir.fd, "name", "n7"), "the file is ours");
	(void)waitpid(pid, NULL, 0);
	is_int(entries(), 1, "no temporary stays");
}

/* What was left of a name that nobody publishes any more. */
static void test_clean(void)
{
	scratch_file(dir.fd, TMP, "half");
	is_int(hxs_io_publish_clean(dir.fd, "other"), 0, "another's");
	ok(scratch_exists(dir.fd, TMP), "is left alone");
	is_int(hxs_io_publish_clean(dir.fd, "name"), 0, "what was left");
	is_int(entries(), 1, "is removed, and the file stays");
	is_int(hxs_io_publish_clean(dir.fd, "name"), 0, "nothing was left");
	is_int(hxs_io_publish_clean(dir.fd, "a/b"), -EINVAL, "no name");
}

static atomic_int failures, running;

static void *publish_many(void *arg)
{
	const char *letter = arg;
	HXS_AUTO_FREE char *data = malloc(BIG);

	if (!data) {
		atomic_fetch_add(&failures, 1);
		return NULL;
	}
	memset(data, *letter, BIG);
	for (int i = 0; i < ROUNDS; i++)
		if (hxs_io_publish(dir.fd, "name", data, BIG, 0600) < 0)
			atomic_fetch_add(&failures, 1);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static bool is_whole(void)
{
	HXS_AUTO_CLOSE int fd = openat(dir.fd, "name", O_RDONLY | O_CLOEXEC);
	HXS_AUTO_FREE char *data = NULL;
	size_t len = 0, i;

	if (fd < 0 || hxs_io_read_all(fd, BIG, &data, &len) < 0 || len != BIG)
		return false;
	for (i = 1; i < len; i++)
		if (data[i] != data[0])
			return false;
	return true;
}

static void test_together(void)
{
	static const char letters[WRITERS] = { 'a', 'b', 'c', 'd' };
	pthread_t t[WRITERS];
	int i, n = 0, torn = 0, looks = 0;
	char first[BIG];

	memset(first, 'z', sizeof(first));
	(void)hxs_io_publish(dir.fd, "name", first, sizeof(first), 0600);
	atomic_store(&running, WRITERS);
	for (i = 0; i < WRITERS; i++)
		n += pthread_create(&t[i], NULL, publish_many,
				    (void *)&letters[i]) == 0;
	if (n != WRITERS)
		scratch_die("threads");
	while (atomic_load(&running) > 0) {
		torn += !is_whole();
		looks++;
	}
	for (i = 0; i < n; i++)
		(void)pthread_join(t[i], NULL);
	is_int(atomic_load(&failures), 0, "%d write one name at once", n);
	is_int(torn, 0, "whole at each of %d looks", looks);
	ok(is_whole(), "and at the end");
	is_int(entries(), 1, "no temporary stays");
}

int main(void)
{
	scratch_open(&dir);
	test_plain();
	test_refused();
	test_watched();
	test_full();
	test_leftovers();
	test_killed();
	test_clean();
	test_together();
	scratch_close(&dir);
	return tap_done();
}
