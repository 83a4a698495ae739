#include "tests/unit/scratch.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sys/resource.h>

static struct scratch dir;
static bool mounts;

/*
 * Stands in front of the C library's: a file system that says no types, and
 * that leaves entries out while others are removed.
 */
static bool odd_file_system;
static unsigned entries_seen;

struct dirent *readdir(DIR *d)
{
	static struct dirent *(*real)(DIR *);
	struct dirent *e;

	if (!real) /* which is what 64-bit offsets make of readdir */
		*(void **)&real = dlsym(RTLD_NEXT, "readdir64");
	do
		e = real(d);
	while (odd_file_system && e && e->d_name[0] != '.' &&
	       ++entries_seen % 3 == 0);
	if (odd_file_system && e)
		e->d_type = DT_UNKNOWN;
	return e;
}

static void test_names(void)
{
	static const char *const bad[] = { "",	 ".",	 "..",	 "/",
					   "a/", "a/..", "/tmp", "a/." };
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(bad); i++)
		is_int(hxs_io_remove_tree(dir.fd, bad[i]), -EINVAL,
		       "no name: '%s'", bad[i]);
	is_int(hxs_io_remove_tree(dir.fd, "../x"), -EXDEV, "a way out");
	is_int(hxs_io_remove_tree(dir.fd, "none"), 0, "absent is success");
	is_int(hxs_io_remove_tree(dir.fd, "none/x"), 0, "below absent too");
}

static void test_links(void)
{
	scratch_dir(dir.fd, "outside");
	scratch_file(dir.fd, "outside/precious", "kept");
	scratch_dir(dir.fd, "tree");
	scratch_dir(dir.fd, "tree/sub");
	scratch_file(dir.fd, "tree/sub/file", "");
	if (symlinkat("../outside", dir.fd, "tree/way-out") < 0 ||
	    symlinkat("../../outside", dir.fd, "tree/sub/way-out") < 0 ||
	    symlinkat("outside", dir.fd, "link") < 0 ||
	    linkat(dir.fd, "outside/precious", dir.fd, "tree/hard", 0) < 0 ||
	    mkfifoat(dir.fd, "tree/fifo", 0600) < 0)
		scratch_die("links");
	is_int(hxs_io_remove_tree(dir.fd, "link/precious"), -ELOOP,
	       "never through a link");
	is_int(hxs_io_remove_tree(dir.fd, "tree"), 0, "a tree with links");
	ok(!scratch_exists(dir.fd, "tree"), "is gone");
	is_int(hxs_io_remove_tree(dir.fd, "link"), 0, "a link");
	ok(!scratch_exists(dir.fd, "link"), "is gone");
	ok(scratch_holds(dir.fd, "outside/precious", "kept"),
	   "what they led to is there");
	is_int(hxs_io_remove_tree(dir.fd, "outside/precious"), 0, "a file");
	ok(!scratch_exists(dir.fd, "outside/precious"), "is gone");
}

/* With few descriptors, so that one a level would not do. */
static void test_deep(void)
{
	static const struct {
		const char *label;
		int len, depth;
	} shapes[] = {
		{ "15, as many as are kept open", 1, 15 },
		{ "16, one more", 1, 16 },
		{ "2,000 levels", 1, 2000 },
		{ "500 levels of 200 bytes", 200, 500 },
	};
	struct rlimit old, few;
	char step[201];
	size_t i;
	int r;

	(void)getrlimit(RLIMIT_NOFILE, &old);
	for (i = 0; i < HXS_ARRAY_LEN(shapes); i++) {
		memset(step, 's', sizeof(step));
		step[shapes[i].len] = '\0';
		scratch_deep(dir.fd, "deep", step, shapes[i].depth);
		few = old;
		few.rlim_cur = 32;
		(void)setrlimit(RLIMIT_NOFILE, &few);
		r = hxs_io_remove_tree(dir.fd, "deep");
		(void)setrlimit(RLIMIT_NOFILE, &old);
		is_int(r, 0, "%s", shapes[i].label);
		ok(!scratch_exists(dir.fd, "deep"), "is gone");
	}
}

/* Deep and wide: the way back meets directories that were closed. */
static void test_wide(void)
{
	char name[64];
	int at, next, i, j;

	scratch_dir(dir.fd, "wide");
	at = openat(dir.fd, "wide", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < 40; i++) {
		for (j = 0; j < 10; j++) {
			(void)snprintf(name, sizeof(name), "d%d", j);
			scratch_dir(at, name);
			(void)snprintf(name, sizeof(name), "d%d/f", j);
			scratch_file(at, name, "");
			(void)snprintf(name, sizeof(name), "f%d", j);
			scratch_file(at, name, "");
		}
		next = openat(at, i % 2 ? "d3" : "d9",
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(at);
		at = next;
	}
	for (i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "many-%d", i);
		scratch_file(at, name, "");
	}
	(void)close(at);
	is_int(hxs_io_remove_tree(dir.fd, "wide"), 0, "deep and wide");
	ok(!scratch_exists(dir.fd, "wide"), "is gone");
}

static void test_odd(void)
{
	char name[32];

	scratch_deep(dir.fd, "odd", "d", 30);
	for (int i = 0; i < 50; i++) {
		(void)snprintf(name, sizeof(name), "odd/d/x%d", i);
		scratch_file(dir.fd, name, "");
	}
	odd_file_system = true;
	is_int(hxs_io_remove_tree(dir.fd, "odd"), 0,
	       "a file system that leaves entries out");
	odd_file_system = false;
	ok(entries_seen > 0, "was asked");
	ok(!scratch_exists(dir.fd, "odd"), "is gone");
}

/* As somebody who is not root: what a mode forbids, its owner may allow. */
static void test_modes(void)
{
	int status = -1;
	pid_t pid;

	if (fchmod(dir.fd, 0777) < 0)
		scratch_die("chmod");
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && (setresgid(65534, 65534, 65534) < 0 ||
				       setresuid(65534, 65534, 65534) < 0))
			_exit(100);
		scratch_dir(dir.fd, "locked");
		scratch_dir(dir.fd, "locked/none");
		scratch_file(dir.fd, "locked/none/file", "");
		scratch_dir(dir.fd, "locked/none/sub");
		scratch_dir(dir.fd, "locked/readable");
		scratch_file(dir.fd, "locked/readable/file", "");
		if (fchmodat(dir.fd, "locked/none/sub", 0, 0) < 0 ||
		    fchmodat(dir.fd, "locked/none", 0, 0) < 0 ||
		    fchmodat(dir.fd, "locked/readable", 0444, 0) < 0 ||
		    fchmodat(dir.fd, "locked", 0500, 0) < 0)
			_exit(101);
		_exit(hxs_io_remove_tree(dir.fd, "locked") == 0 ? 0 : 102);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		scratch_die("fork");
	is_int(status, 0, "directories that forbid it to their owner");
	ok(!scratch_exists(dir.fd, "locked"), "are gone");
}

static void test_refusal(void)
{
	int status = -1;
	pid_t pid;

	if (geteuid() != 0) {
		tap_skip("ROOT", "wants a second user");
		return;
	}
	scratch_dir(dir.fd, "roots");
	scratch_file(dir.fd, "roots/file", "kept");
	pid = fork();
	if (pid == 0) {
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(100);
		_exit(hxs_io_remove_tree(dir.fd, "roots") == -EACCES ? 0 : 102);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		scratch_die("fork");
	is_int(status, 0, "somebody else's: the system's own answer");
	ok(scratch_holds(dir.fd, "roots/file", "kept"), "and nothing lost");
}

static void test_mounts(void)
{
	if (!mounts) {
		tap_skip("ROOT", "mounting is not allowed");
		return;
	}
	scratch_dir(dir.fd, "host");
	scratch_dir(dir.fd, "host/mount");
	scratch_dir(dir.fd, "other");
	scratch_file(dir.fd, "other/precious", "kept");
	if (mount("none", "host/mount", "tmpfs", 0, NULL) < 0) {
		tap_skip("ROOT", "mounting is not allowed");
		return;
	}
	scratch_file(dir.fd, "host/mount/precious", "kept");
	is_int(hxs_io_remove_tree(dir.fd, "host"), -EXDEV,
	       "another file system below");
	ok(scratch_holds(dir.fd, "host/mount/precious", "kept"),
	   "is not entered");
	is_int(hxs_io_remove_tree(dir.fd, "host/mount"), -EXDEV,
	       "nor is it one to start with");
	ok(scratch_holds(dir.fd, "host/mount/precious", "kept"), "it stays");
	if (umount("host/mount") < 0 ||
	    mount("other", "host/mount", NULL, MS_BIND, NULL) < 0)
		scratch_die("bind mount");
	is_int(hxs_io_remove_tree(dir.fd, "host"), -EXDEV,
	       "the same file system, mounted below");
	ok(scratch_holds(dir.fd, "other/precious", "kept"), "is not entered");
	(void)umount("host/mount");
	is_int(hxs_io_remove_tree(dir.fd, "host"), 0, "afterwards");
}

int main(void)
{
	mounts = scratch_own_mounts();
	scratch_open(&dir);
	test_names();
	test_links();
	test_deep();
	test_wide();
	test_odd();
	test_modes();
	test_refusal();
	test_mounts();
	scratch_close(&dir);
	return tap_done();
}
