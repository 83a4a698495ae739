/* Who uses a tree: real processes that hold something of it, each its way. */
#include "tests/lib/tap.h"
#include "tests/unit/oom.h"
#include "tests/unit/scratch.h"

#include "base/holders.h"

#include <linux/loop.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static struct scratch here;

static char tree[PATH_MAX], file[PATH_MAX];

/* What a child does before it says so and waits; it never returns. */
typedef void (*hold_fn)(const char *what);

static void ready(const char *ok)
{
	(void)!write(STDOUT_FILENO, ok, 1); /* the parent sees it missing */
	for (;;)
		(void)pause();
}

/* Start a child and wait until it holds @what. 0 if it could not. */
static pid_t start(hold_fn fn, const char *what)
{
	char c = 0;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		scratch_die("pipe");
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
		    dup2(fds[1], STDOUT_FILENO) < 0)
			_exit(1);
		(void)close(fds[0]);
		(void)close(fds[1]);
		fn(what);
		_exit(1);
	}
	(void)close(fds[1]);
	if (pid < 0 || read(fds[0], &c, 1) != 1 || c != 'y') {
		(void)waitpid(pid, NULL, 0);
		pid = 0;
	}
	(void)close(fds[0]);
	return pid;
}

static void stop(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* ---- ways to hold --------------------------------------------------------- */

static void by_open(const char *what)
{
	if (open(what, O_RDONLY | O_CLOEXEC) >= 0)
		ready("y");
}

static void by_directory(const char *what)
{
	if (chdir(what) == 0)
		ready("y");
}

static void by_root(const char *what)
{
	/* and not by its directory, nor by a descriptor */
	if (chroot(what) == 0)
		ready("y");
}

static void by_mapping(const char *what)
{
	int fd = open(what, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		return;
	(void)close(fd);
	ready("y");
}

static void by_running(const char *what)
{
	(void)execl(what, "sh", "-c", "printf y; kill -STOP $$", (char *)NULL);
}

static void by_deleted(const char *what)
{
	if (open(what, O_RDONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 &&
	    unlink(what) == 0)
		ready("y");
}

static void *thread_main(void *what)
{
	if (unshare(CLONE_FILES) == 0)
		by_open(what);
	_exit(1);
}

/* A second thread with descriptors of its own. */
static void by_thread(const char *what)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_main,
			   (void *)(uintptr_t)what) == 0)
		(void)pthread_join(thread, NULL); /* which never ends */
}

/* The same, and the first thread has ended. */
static void by_orphan(const char *what)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_main,
			   (void *)(uintptr_t)what) == 0)
		pthread_exit(NULL);
}

/* Another namespace, where the tree is seen at "other" and nowhere else. */
static void by_other_path(const char *what)
{
	if (scratch_own_mounts() &&
	    mount(tree, "other", NULL, MS_BIND, NULL) == 0 &&
	    mount("none", tree, "tmpfs", 0, NULL) == 0)
		by_open(what);
}

/* Another namespace, where only a part of it is seen. */
static void by_part(const char *what)
{
	char sub[PATH_MAX + 8];

	(void)snprintf(sub, sizeof(sub), "%s/sub", tree);
	if (scratch_own_mounts() &&
	    mount(sub, "other", NULL, MS_BIND, NULL) == 0)
		by_open(what);
}

/* The same path, and another file system. */
static void by_name_only(const char *what)
{
	if (!scratch_own_mounts() || mount("none", tree, "tmpfs", 0, NULL) < 0)
		return;
	scratch_file(AT_FDCWD, what, "not the same");
	by_open(what);
}

/* ---- asking --------------------------------------------------------------- */

static const struct hxs_holder *find(const struct hxs_holders *h, pid_t pid)
{
	size_t i;

	for (i = 0; i < h->count; i++)
		if (h->holder[i].pid == pid)
			return &h->holder[i];
	return NULL;
}

static const struct {
	const char *label;
	hold_fn fn;
	const char *what; /* below here */
	const char *path; /* what is told, below the tree; NULL: no holder */
	bool root; /* only root can */
} cases[] = {
	{ "a file", by_open, "tree/a", "/a", false },
	{ "the directory itself", by_open, "tree", "", false },
	{ "a directory below", by_open, "tree/sub", "/sub", false },
	{ "a working directory", by_directory, "tree/sub", "/sub", false },
	{ "the tree as working directory", by_directory, "tree", "", false },
	{ "a root directory", by_root, "tree/sub", "/sub", true },
	{ "a mapping", by_mapping, "tree/a", "/a", false },
	{ "a mapping with a newline", by_mapping, "tree/new\nline",
	  "/new\\nline", false },
	{ "a running program", by_running, "tree/sh", "/sh", false },
	{ "a thread's own descriptor", by_thread, "tree/a", "/a", false },
	{ "a thread that outlived the first", by_orphan, "tree/a", "/a",
	  false },
	{ "a live file named so", by_open, "tree/x (deleted)", "/x (deleted)",
	  false },
	{ "control characters", by_open, "tree/\033[2J", "/\\033[2J", false },
	{ "through another mount", by_other_path, "other/a", "/a", true },
	{ "through a mount of a part", by_part, "other/b", "/sub/b", true },
	{ "a deleted file", by_deleted, "tree/gone", NULL, false },
	{ "the sibling with a longer name", by_open, "tree2/a", NULL, false },
	{ "the sibling as directory", by_directory, "tree2", NULL, false },
	{ "the parent", by_directory, ".", NULL, false },
	{ "another file system there", by_name_only, "tree/a", NULL, true },
};

static void test_ways(void)
{
	struct hxs_holders h = HXS_HOLDERS_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	const struct hxs_holder *one;
	char want[PATH_MAX + 64];
	size_t i;
	pid_t pid;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		if (cases[i].root && geteuid() != 0) {
			tap_skip("ROOT", cases[i].label);
			continue;
		}
		pid = start(cases[i].fn, cases[i].what);
		if (!ok(pid, "%s: set up", cases[i].label))
			continue;
		is_int(hxs_holders_find(tree, &h, &err), 0, "%s: found out",
		       cases[i].label);
		one = find(&h, pid);
		if (cases[i].path) {
			(void)snprintf(want, sizeof(want), "%s%s", tree,
				       cases[i].path);
			is_str(one ? one->path : NULL, want, "with its path");
			is_int((long long)h.count, 1, "and nobody else");
		} else {
			is_int((long long)h.count, 0, "held by nobody");
		}
		hxs_holders_release(&h);
		stop(pid);
	}
}

static void test_command(void)
{
	struct hxs_holders h = HXS_HOLDERS_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	pid_t a = start(by_running, "tree/sh"), b = start(by_open, "tree/a");

	ok(a && b, "set up");
	is_int(hxs_holders_find(tree, &h, &err), 0, "two of them");
	is_int((long long)h.count, 2, "are told");
	ok(h.count == 2 && h.holder[0].pid < h.holder[1].pid, "by number");
	is_str(find(&h, a) ? find(&h, a)->command : NULL, "sh",
	       "with the command");
	hxs_holders_release(&h);
	stop(a);
	stop(b);
}

/* A single file is held with what SQLite keeps beside it, and only so. */
static void test_file(void)
{
	static const struct {
		const char *name;
		bool held;
	} beside[] = {
		{ "tree/db", true },	    { "tree/db-wal", true },
		{ "tree/db-shm", true },    { "tree/db-journal", true },
		{ "tree/db-other", false }, { "tree/a", false },
		{ "tree", false },
	};
	struct hxs_holders h = HXS_HOLDERS_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	char want[PATH_MAX + 64];
	size_t i;
	pid_t pid;

	for (i = 0; i < HXS_ARRAY_LEN(beside); i++) {
		pid = start(by_open, beside[i].name);
		is_int(hxs_holders_find(file, &h, &err), 0,
		       "a file and '%s': found out", beside[i].name);
		is_int((long long)h.count, beside[i].held, "%s",
		       beside[i].held ? "held" : "not held");
		(void)snprintf(want, sizeof(want), "%s/%s", here.path,
			       beside[i].name);
		if (beside[i].held)
			is_str(h.count ? h.holder[0].path : NULL, want,
			       "and told which");
		hxs_holders_release(&h);
		stop(pid);
	}
}

static void test_self(void)
{
	HXS_AUTO_CLOSE int fd = open("tree/a", O_RDONLY | O_CLOEXEC);
	struct hxs_holders h = HXS_HOLDERS_INIT;
	struct hxs_err err = HXS_ERR_INIT;

	ok(fd >= 0, "set up");
	is_int(hxs_holders_find(tree, &h, &err), 0, "found out");
	is_int((long long)h.count, 0, "the caller is passed over");
	hxs_holders_release(&h);
	is_int(hxs_holders_find("/nowhere/at/all", &h, &err), 0,
	       "what is not there");
	is_int((long long)h.count, 0, "is held by nobody");
	is_int(hxs_holders_find("tree", &h, &err), -EINVAL,
	       "a relative path is none");
	ok(strstr(err.message, "'tree'"), "and named: %s", err.message);
	hxs_holders_release(&h);
}

/* An ordinary user is told how many it could not look into. */
static void test_hidden(void)
{
	struct hxs_holders h = HXS_HOLDERS_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	int status;
	pid_t pid, holder;

	if (geteuid() != 0) {
		tap_skip("ROOT", "wants another user's process");
		return;
	}
	holder = start(by_open, "tree/a");
	is_int(hxs_holders_find(tree, &h, &err), 0, "root looks");
	is_int((long long)h.count, 1, "and sees it");
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		size_t hidden = h.hidden;

		if (setresgid(65534, 65534, 65534) < 0 ||
		    setresuid(65534, 65534, 65534) < 0 ||
		    hxs_holders_find(tree, &h, &err) < 0)
			_exit(100);
		_exit(h.count ? 101 : h.hidden <= hidden ? 102 : 0);
	}
	(void)waitpid(pid, &status, 0);
	is_int(WEXITSTATUS(status), 0,
	       "another user does not, and is told that some are hidden");
	hxs_holders_release(&h);
	stop(holder);
}

static void test_nested(void)
{
	struct hxs_holders h = HXS_HOLDERS_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	pid_t pid;

	if (geteuid() != 0 || !scratch_own_mounts()) {
		tap_skip("ROOT", "wants mounts of its own");
		return;
	}
	if (chdir(here.path) < 0 ||
	    mount("none", "tree/sub", "tmpfs", 0, NULL) < 0)
		scratch_die("mount");
	scratch_file(AT_FDCWD, "tree/sub/inner", "x");
	pid = start(by_open, "tree/sub/inner");
	is_int(hxs_holders_find(tree, &h, &err), 0, "a mount inside the tree");
	is_int((long long)h.count, 1, "is part of it");
	hxs_holders_release(&h);
	stop(pid);
	(void)umount2("tree/sub", MNT_DETACH);

	/* Held, and then covered: the path is the same, the file is not. */
	pid = start(by_open, "tree/sub/b");
	if (mount("none", "tree/sub", "tmpfs", 0, NULL) < 0)
		scratch_die("mount");
	is_int(hxs_holders_find("/proc", &h, &err), 0, "another mount");
	hxs_holders_release(&h);
	is_int(hxs_holders_find(tree, &h, &err), 0, "a covered file");
	is_int((long long)h.count, 1, "is part of the tree");
	hxs_holders_release(&h);
	{
		char sub[PATH_MAX + 8];

		(void)snprintf(sub, sizeof(sub), "%s/sub", tree);
		is_int(hxs_holders_find(sub, &h, &err), 0,
		       "and what covers it");
		is_int((long long)h.count, 0, "is held by nobody");
	}
	hxs_holders_release(&h);
	stop(pid);
	(void)umount2("tree/sub", MNT_DETACH);
}

static int attach(int control, int back, char name[32])
{
	int n = ioctl(control, LOOP_CTL_GET_FREE), fd;

	(void)snprintf(name, 32, "loop%d", n);
	if (n < 0 || chdir("/dev") < 0)
		return -1;
	fd = open(name, O_RDWR | O_CLOEXEC);
	if (chdir(here.path) < 0)
		scratch_die(here.path);
	if (fd >= 0 && ioctl(fd, LOOP_SET_FD, back) < 0) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

static int look(void)
{
	struct hxs_holders h = HXS_HOLDERS_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	int r = hxs_holders_find(tree, &h, &err);

	if (r == 0 && h.count != 1)
		r = -EPROTO;
	hxs_holders_release(&h);
	return r;
}

static void test_memory(void)
{
	pid_t pid = start(by_mapping, "tree/a");

	oom_each("looking for holders", look);
	stop(pid);
}

static void test_loop(void)
{
	HXS_AUTO_CLOSE int control =
		open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	HXS_AUTO_CLOSE int back =
		open("tree/image", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	HXS_AUTO_CLOSE int dev = -1;
	struct hxs_holders h = HXS_HOLDERS_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	char name[32], want[PATH_MAX + 64];

	if (back < 0 || ftruncate(back, 1 << 20) < 0)
		scratch_die("image");
	if (control >= 0)
		dev = attach(control, back, name);
	if (dev < 0) {
		tap_skip("LOOP", "no loop device here");
		return;
	}
	(void)snprintf(want, sizeof(want), "%s/image", tree);
	is_int(hxs_holders_find(tree, &h, &err), 0, "a loop device");
	is_int(h.count ? h.holder[0].pid : -1, 0, "is the kernel's");
	is_str(h.count ? h.holder[0].command : NULL, name, "with its name");
	is_str(h.count ? h.holder[0].path : NULL, want, "and file");
	hxs_holders_release(&h);
	(void)ioctl(dev, LOOP_CLR_FD, 0);
}

static void copy_shell(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl("/bin/cp", "cp", "-L", "/bin/sh", "tree/sh",
			    (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		scratch_die("cannot copy the shell");
}

int main(void)
{
	static const char *const files[] = {
		"tree/a",	   "tree/sub/b",    "tree2/a",
		"tree/db",	   "tree/db-wal",   "tree/db-shm",
		"tree/db-journal", "tree/db-other", "tree/x (deleted)",
		"tree/new\nline",  "tree/\033[2J",
	};
	size_t i;

	scratch_open(&here);
	if (!realpath(".", here.path))
		scratch_die("realpath");
	(void)snprintf(tree, sizeof(tree), "%.4000s/tree", here.path);
	(void)snprintf(file, sizeof(file), "%.4000s/tree/db", here.path);
	if (chmod(here.path, 0755) < 0)
		scratch_die(here.path);
	scratch_dir(here.fd, "tree");
	scratch_dir(here.fd, "tree/sub");
	scratch_dir(here.fd, "tree2");
	scratch_dir(here.fd, "other");
	for (i = 0; i < HXS_ARRAY_LEN(files); i++)
		scratch_file(here.fd, files[i], "x");
	copy_shell();
	test_ways();
	test_command();
	test_file();
	test_self();
	test_hidden();
	test_memory();
	test_loop();
	test_nested();
	scratch_close(&here);
	return tap_done();
}
