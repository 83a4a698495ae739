/*
 * Each case is tried with the kernel's openat2, and in children whose sandbox
 * answers ENOSYS or EPERM to it: the answers must not differ.
 */
#include "tests/unit/scratch.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define RD O_RDONLY
#define DIRECTORY (O_RDONLY | O_DIRECTORY)

static struct scratch dir;
static char long_path[3 * PATH_MAX], long_slash[3 * PATH_MAX];
static char long_link[3 * PATH_MAX], long_out[3 * PATH_MAX];
static char long_name[3 * PATH_MAX];

static const struct {
	const char *path;
	int flags, r; /* r: 0 for a descriptor */
} cases[] = {
	{ "file", RD, 0 },
	{ "sub/file", RD, 0 },
	{ "sub//file", RD, 0 },
	{ "sub/./file", RD, 0 },
	{ "./file", RD, 0 },
	{ "", DIRECTORY, 0 },
	{ ".", DIRECTORY, 0 },
	{ "sub", DIRECTORY, 0 },
	{ "sub/", RD, 0 },
	{ "sub/.", RD, 0 },
	{ "...", RD, 0 },
	{ "..x", RD, 0 },
	{ "file", O_PATH, 0 },
	{ "sub", O_PATH | O_DIRECTORY, 0 },
	{ "file", O_RDWR, 0 },
	{ "fifo", RD, 0 },
	{ "none", RD, -ENOENT },
	{ "none/file", RD, -ENOENT },
	{ "file/", RD, -ENOTDIR },
	{ "file/x", RD, -ENOTDIR },
	{ "file", DIRECTORY, -ENOTDIR },
	{ "sub", O_WRONLY, -EISDIR },
	{ "..", RD, -EXDEV },
	{ "../", RD, -EXDEV },
	{ "sub/..", RD, -EXDEV },
	{ "sub/../file", RD, -EXDEV },
	{ "../outside", RD, -EXDEV },
	{ "sub/../../outside", RD, -EXDEV },
	{ "/", RD, -EXDEV },
	{ "/etc/passwd", RD, -EXDEV },
	{ "//etc/passwd", RD, -EXDEV },
	{ "to-file", RD, -ELOOP },
	{ "to-file", O_PATH, -ELOOP },
	{ "to-sub", DIRECTORY, -ELOOP },
	{ "to-sub/", RD, -ELOOP },
	{ "to-sub/file", RD, -ELOOP },
	{ "sub/up/file", RD, -ELOOP },
	{ "to-etc/passwd", RD, -ELOOP },
	{ "itself", RD, -ELOOP },
	{ "dangling", RD, -ELOOP },
	{ "fifo", O_WRONLY, -ENXIO },
	{ "socket", RD, -ENXIO },
	{ "mount", O_PATH, -EXDEV },
	{ "mount/inside", RD, -EXDEV },
	{ long_path, RD, 0 },
	{ long_slash, RD, 0 },
	{ long_link, RD, -ELOOP },
	{ long_out, RD, -EXDEV },
	{ long_name, RD, -ENAMETOOLONG },
};

static bool mounts;

/* How many cases answer otherwise; each is told on standard error. */
static int try_all(const char *mode)
{
	const int want = FD_CLOEXEC;
	int wrong = 0, fd, r;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		if (!mounts && strncmp(cases[i].path, "mount", 5) == 0)
			continue;
		fd = hxs_io_open_beneath(dir.fd, cases[i].path, cases[i].flags,
					 0);
		r = fd < 0 ? fd : 0;
		if (r != cases[i].r) {
			fprintf(stderr, "# %s: '%.60s' %#o: got %d, want %d\n",
				mode, cases[i].path, (unsigned)cases[i].flags,
				r, cases[i].r);
			wrong++;
		}
		if (fd < 0)
			continue;
		if (fcntl(fd, F_GETFD) != want) {
			fprintf(stderr, "# %s: '%.60s' is left to children\n",
				mode, cases[i].path);
			wrong++;
		}
		(void)close(fd);
	}
	fd = hxs_io_open_beneath(dir.fd, "sub/new", O_WRONLY | O_CREAT | O_EXCL,
				 0640);
	if (fd < 0 || unlinkat(dir.fd, "sub/new", 0) < 0) {
		fprintf(stderr, "# %s: cannot create: %d\n", mode, fd);
		wrong++;
	}
	if (fd >= 0)
		(void)close(fd);
	fd = hxs_io_open_beneath(AT_FDCWD, "sub/file", O_RDONLY, 0);
	if (fd < 0) {
		fprintf(stderr, "# %s: by AT_FDCWD: %d\n", mode, fd);
		wrong++;
	} else {
		(void)close(fd);
	}
	return wrong;
}

/* From here on openat2 fails with @errnum. */
static bool forbid_openat2(int errnum)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { HXS_ARRAY_LEN(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0 &&
	       syscall(SYS_openat2, -1, "", NULL, (size_t)0) < 0 &&
	       errno == errnum;
}

static void test_without_openat2(const char *mode, int errnum)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (!forbid_openat2(errnum))
			_exit(200);
		_exit(try_all(mode));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		scratch_die("fork");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 200) {
		tap_skip("SECCOMP", "no system call filter here");
		return;
	}
	is_int(status, 0, "the same answers where openat2 fails with %s", mode);
}

/* A directory chain of 6,000 bytes of path, and paths through it. */
static void make_long_paths(void)
{
	char name[201];
	size_t n = 0;
	int at = openat(dir.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(name, 'n', 200);
	name[200] = '\0';
	for (int i = 0; i < 30; i++) {
		int next;

		scratch_dir(at, name);
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(at);
		at = next;
		memcpy(long_path + n, name, 200);
		long_path[n + 200] = '/';
		n += 201;
	}
	scratch_file(at, "file", "far");
	if (symlinkat(".", at, "link") < 0)
		scratch_die("symlink");
	(void)close(at);
	memcpy(long_slash, long_path, n);
	memcpy(long_link, long_path, n);
	memcpy(long_out, long_path, n);
	memset(long_slash + n, '/', PATH_MAX); /* ends by nothing but those */
	strcpy(long_path + n, "file");
	strcpy(long_link + n, "link/file");
	strcpy(long_out + n, "../file");
	memset(long_name, 'x', sizeof(long_name) - 1);
}

static void make_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		scratch_die("socket");
	(void)close(fd);
}

static void make_tree(void)
{
	scratch_dir(dir.fd, "base");
	scratch_file(dir.fd, "outside", "secret");
	if (fchdir(dir.fd) < 0 || chdir("base") < 0)
		scratch_die("base");
	(void)close(dir.fd);
	dir.fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scratch_file(dir.fd, "file", "1");
	scratch_file(dir.fd, "...", "2");
	scratch_file(dir.fd, "..x", "3");
	scratch_dir(dir.fd, "sub");
	scratch_file(dir.fd, "sub/file", "4");
	scratch_dir(dir.fd, "mount");
	if (symlinkat("file", dir.fd, "to-file") < 0 ||
	    symlinkat("sub", dir.fd, "to-sub") < 0 ||
	    symlinkat("..", dir.fd, "sub/up") < 0 ||
	    symlinkat("/etc", dir.fd, "to-etc") < 0 ||
	    symlinkat("itself", dir.fd, "itself") < 0 ||
	    symlinkat("nowhere", dir.fd, "dangling") < 0 ||
	    mkfifoat(dir.fd, "fifo", 0600) < 0)
		scratch_die("links");
	make_socket();
	make_long_paths();
	mounts = mounts && mount("none", "mount", "tmpfs", 0, NULL) == 0;
	if (mounts)
		scratch_file(dir.fd, "mount/inside", "other");
	else
		tap_skip("ROOT", "mounting is not allowed");
}

static void test_kinds(void)
{
	struct stat st = { .st_size = 0 };
	int fd;

	fd = hxs_io_open_regular(dir.fd, "sub/file", &st);
	ok(fd >= 0 && st.st_size == 1 && S_ISREG(st.st_mode), "a regular file");
	(void)close(fd);
	fd = hxs_io_open_regular(dir.fd, "file", NULL);
	ok(fd >= 0, "without asking about it");
	(void)close(fd);
	is_int(hxs_io_open_regular(dir.fd, "fifo", &st), -EINVAL, "a FIFO");
	is_int(hxs_io_open_regular(dir.fd, "socket", &st), -EINVAL, "a socket");
	is_int(hxs_io_open_regular(dir.fd, "sub", &st), -EINVAL, "a directory");
	is_int(hxs_io_open_regular(dir.fd, "to-file", &st), -ELOOP, "a link");
	is_int(hxs_io_open_regular(dir.fd, "none", &st), -ENOENT, "nothing");
	is_int(hxs_io_open_dir(dir.fd, "file"), -ENOTDIR, "file: no directory");
	is_int(hxs_io_open_dir(dir.fd, "fifo"), -ENOTDIR, "FIFO: no directory");
	is_int(hxs_io_open_dir(dir.fd, "to-sub"), -ELOOP, "link: no directory");
	fd = hxs_io_open_dir(dir.fd, "");
	ok(fd >= 0 && fd != dir.fd, "a fresh handle of itself");
	(void)close(fd);
}

int main(void)
{
	mounts = scratch_own_mounts();
	scratch_open(&dir);
	make_tree();
	is_int(try_all("openat2"), 0, "every path beneath a directory");
	test_kinds();
	test_without_openat2("ENOSYS", ENOSYS);
	test_without_openat2("EPERM", EPERM);
	if (mounts)
		(void)umount("mount");
	scratch_close(&dir);
	return tap_done();
}
