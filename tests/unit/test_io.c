#include "tests/unit/scratch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>

static struct scratch dir;

/* Writes a few bytes at a time into a pipe, as a slow writer does. */
static void *drip(void *arg)
{
	const int *fd = arg;

	for (int i = 0; i < 1000; i++)
		if (write(*fd, &"abcdefghij"[i % 10], 1) != 1)
			break;
	(void)close(*fd);
	return NULL;
}

static void test_read(void)
{
	HXS_AUTO_FREE char *all = NULL;
	char buf[2000] = "";
	pthread_t t;
	size_t len = 0;
	int fds[2], fd;

	scratch_file(dir.fd, "ten", "0123456789");
	fd = openat(dir.fd, "ten", O_RDWR | O_CLOEXEC);
	is_int(hxs_io_pread_full(fd, buf, 4, 3), 4, "pread");
	ok(memcmp(buf, "3456", 4) == 0, "its bytes");
	is_int(hxs_io_pread_full(fd, buf, 100, 7), 3, "pread to the end");
	is_int(hxs_io_pread_full(fd, buf, 100, 10), 0, "pread at the end");
	is_int(hxs_io_pread_full(fd, buf, 1, UINT64_MAX), -EINVAL,
	       "pread beyond any file");
	is_int(hxs_io_pread_full(fd, buf, SIZE_MAX, 0), -EINVAL,
	       "pread of too much");
	is_int(hxs_io_pread_full(-1, buf, 1, 0), -EBADF, "pread of nothing");
	is_int(hxs_io_pwrite_full(fd, "xy", 2, 4), 0, "pwrite");
	is_int(hxs_io_pwrite_full(fd, "x", 1, INT64_MAX), -EFBIG,
	       "pwrite beyond any file");
	ok(scratch_holds(dir.fd, "ten", "0123xy6789"), "its result");
	is_int(hxs_io_read_full(fd, buf, 6), 6, "read");
	is_int(hxs_io_read_full(fd, buf, 6), 4, "read to the end");
	is_int(hxs_io_read_full(fd, buf, SIZE_MAX), -EINVAL,
	       "read of too much");
	is_int(hxs_io_read_full(-1, buf, 1), -EBADF, "read of nothing");
	is_int(hxs_io_read_all(-1, 10, &all, &len), -EBADF, "all of nothing");
	is_int(hxs_io_pwrite_full(-1, "x", 1, 0), -EBADF, "pwrite to nothing");
	(void)close(fd);
	is_int(hxs_io_write_full(-1, "x", 1), -EBADF, "write to nothing");
	is_int(hxs_io_write_full(-1, "x", 0), 0, "no byte is no write");

	if (pipe(fds) < 0 || pthread_create(&t, NULL, drip, &fds[1]) != 0)
		scratch_die("pipe");
	is_int(hxs_io_read_full(fds[0], buf, 500), 500, "read from a pipe");
	is_int(hxs_io_read_all(fds[0], 10000, &all, &len), 0,
	       "read_all of a pipe");
	is_int((long long)len, 500, "the rest of it");
	ok(all[0] == 'a' && all[len] == '\0', "its bytes and a NUL");
	(void)pthread_join(t, NULL);
	(void)close(fds[0]);
}

static void test_read_all(void)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 65536, 100000 };
	static char data[100001];
	size_t i, len;

	memset(data, 'd', sizeof(data) - 1);
	for (i = 0; i < HXS_ARRAY_LEN(sizes); i++) {
		HXS_AUTO_FREE char *out = NULL, *none = NULL;
		int fd, r;

		data[sizes[i]] = '\0';
		scratch_file(dir.fd, "all", data);
		fd = openat(dir.fd, "all", O_RDONLY | O_CLOEXEC);
		r = hxs_io_read_all(fd, sizes[i], &out, &len);
		ok(r == 0 && len == sizes[i] && strcmp(out, data) == 0,
		   "%zu bytes with just that limit", sizes[i]);
		(void)lseek(fd, 0, SEEK_SET);
		if (sizes[i])
			is_int(hxs_io_read_all(fd, sizes[i] - 1, &none, &len),
			       -EFBIG, "%zu bytes, one too many", sizes[i]);
		ok(!none, "nothing given then");
		(void)close(fd);
		data[sizes[i]] = 'd';
	}
	{
		HXS_AUTO_FREE char *out = NULL;
		/* It says 0 bytes and has some; and an end at SIZE_MAX. */
		HXS_AUTO_CLOSE int fd = open("/proc/self/status", O_RDONLY);

		ok(hxs_io_read_all(fd, SIZE_MAX, &out, &len) == 0 && len > 100,
		   "a file that does not tell its size");
	}
}

/* Shared with a child: how often each was interrupted. */
static struct {
	atomic_int reader, writer;
} * alarms;
static atomic_int *mine;

static void on_alarm(int sig HXS_UNUSED)
{
	atomic_fetch_add(mine, 1);
}

static void interrupt_often(atomic_int *counter)
{
	const struct itimerval often = { { 0, 500 }, { 0, 500 } };
	struct sigaction sa = { .sa_handler = on_alarm }; /* no SA_RESTART */

	mine = counter;
	(void)sigaction(SIGALRM, &sa, NULL);
	(void)setitimer(ITIMER_REAL, &often, NULL);
}

static void wait_for(atomic_int *counter, int n)
{
	while (atomic_load(counter) < n)
		(void)sched_yield();
}

#define MUCH (1 << 20) /* more than a pipe holds */

/* Lets the reader wait for its first byte through ten interruptions. */
static void slow_writer(int fd, const char *out)
{
	interrupt_often(&alarms->writer);
	wait_for(&alarms->reader, 10);
	_exit(hxs_io_write_full(fd, out, MUCH) != 0);
}

/* A timer interrupts waits in the middle: nothing is lost. */
static void test_interrupts(void)
{
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	static char out[MUCH], in[MUCH];
	int fds[2], status = -1;
	char first;
	pid_t pid;

	for (size_t i = 0; i < MUCH; i++)
		out[i] = (char)(i * 7 + i / 251);
	alarms = mmap(NULL, sizeof(*alarms), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (alarms == MAP_FAILED || pipe(fds) < 0)
		scratch_die("pipe");
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		slow_writer(fds[1], out);
	}
	(void)close(fds[1]);
	interrupt_often(&alarms->reader);
	is_int(hxs_io_read_full(fds[0], &first, 1), 1,
	       "a byte that is long in coming");
	(void)setitimer(ITIMER_REAL, &never, NULL);
	/* Now the writer waits, for room. */
	wait_for(&alarms->writer, atomic_load(&alarms->writer) + 10);
	is_int(hxs_io_read_full(fds[0], in, MUCH), MUCH - 1, "all the others");
	ok(first == out[0] && memcmp(in, out + 1, MUCH - 1) == 0, "and right");
	(void)close(fds[0]);
	(void)waitpid(pid, &status, 0);
	is_int(status, 0, "the writer noticed nothing either");
}

static void *pour(void *arg)
{
	static const char data[100000] = "x";
	const int *fd = arg;

	(void)hxs_io_write_full(*fd, data, sizeof(data)); /* seen by reader */
	(void)close(*fd);
	return NULL;
}

/* More than the first guess, and no size to ask for. */
static void test_growing(size_t max, int want)
{
	HXS_AUTO_FREE char *all = NULL;
	size_t len = 0;
	pthread_t t;
	int fds[2];

	(void)signal(SIGPIPE, SIG_IGN);
	if (pipe(fds) < 0 || pthread_create(&t, NULL, pour, &fds[1]) != 0)
		scratch_die("pipe");
	is_int(hxs_io_read_all(fds[0], max, &all, &len), want,
	       "100,000 bytes of a pipe, %zu allowed", max);
	is_int((long long)len, want ? 0 : 100000, "how many came");
	(void)close(fds[0]);
	(void)pthread_join(t, NULL);
}

static void test_mkdirs(void)
{
	struct stat st;
	mode_t old = umask(0);

	is_int(hxs_io_mkdirs(dir.fd, "m/n/o", 0750), 0, "three at once");
	is_int(fstatat(dir.fd, "m/n/o", &st, 0), 0, "are there");
	is_int(st.st_mode & 07777, 0750, "with their mode");
	is_int(hxs_io_mkdirs(dir.fd, "m/n/o", 0700), 0, "again");
	is_int(hxs_io_mkdirs(dir.fd, "m//n/p/", 0700), 0, "slashes");
	ok(scratch_exists(dir.fd, "m/n/p"), "are no names");
	is_int(hxs_io_mkdirs(dir.fd, ".", 0700), 0, "the directory itself");
	is_int(hxs_io_mkdirs(dir.fd, "", 0700), -ENOENT, "no name");
	is_int(hxs_io_mkdirs(dir.fd, "/", 0700), 0, "the root");
	scratch_file(dir.fd, "m/file", "");
	is_int(hxs_io_mkdirs(dir.fd, "m/file", 0700), -ENOTDIR, "a file");
	is_int(hxs_io_mkdirs(dir.fd, "m/file/x", 0700), -ENOTDIR,
	       "below a file");
	if (symlinkat("m/n", dir.fd, "way") < 0 ||
	    symlinkat("nowhere", dir.fd, "dangling") < 0)
		scratch_die("symlink");
	is_int(hxs_io_mkdirs(dir.fd, "way/q", 0700), 0, "through a link");
	ok(scratch_exists(dir.fd, "m/n/q"), "to where it leads");
	is_int(hxs_io_mkdirs(dir.fd, "dangling/x", 0700), -EEXIST,
	       "through a link to nothing");
	(void)umask(old);
}

static int collect(const char *name, unsigned char d_type, void *ctx)
{
	(void)snprintf((char *)ctx + strlen(ctx), 100, "%s:%d ", name, d_type);
	return 0;
}

static int stop_at_once(const char *name HXS_UNUSED,
			unsigned char d_type HXS_UNUSED, void *ctx)
{
	++*(int *)ctx;
	return 77;
}

static void test_list(void)
{
	HXS_AUTO_CLOSE int fd = -1, path_fd = -1;
	char first[400] = "", second[400] = "", third[400] = "";
	int calls = 0;

	scratch_dir(dir.fd, "l");
	fd = openat(dir.fd, "l", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	path_fd = openat(dir.fd, "l", O_PATH | O_DIRECTORY | O_CLOEXEC);
	is_int(hxs_io_list(fd, collect, first), 0, "an empty directory");
	is_str(first, "", "has no entry");
	scratch_file(fd, "..a", "");
	scratch_file(fd, ".b", "");
	scratch_dir(fd, "...");
	is_int(hxs_io_list(fd, collect, first), 0, "three entries");
	is_int(hxs_io_list(fd, collect, second), 0, "a second time");
	is_int(hxs_io_list(path_fd, collect, third), 0, "by an O_PATH handle");
	ok(strstr(first, "..a:8 ") && strstr(first, ".b:8 ") &&
		   strstr(first, "...:4 ") && strlen(first) == 6 + 5 + 6,
	   "those three: %s", first);
	is_str(second, first, "the same");
	is_str(third, first, "and the same");
	is_int(lseek(fd, 0, SEEK_CUR), 0, "the handle's offset is untouched");
	is_int(hxs_io_list(fd, stop_at_once, &calls), 77, "a result stops it");
	is_int(calls, 1, "at once");
	is_int(hxs_io_list(-1, collect, first), -EBADF, "no directory");
}

int main(void)
{
	scratch_open(&dir);
	test_read();
	test_read_all();
	test_interrupts();
	test_growing(100000, 0);
	test_growing(99999, -EFBIG);
	test_growing(150000, 0);
	test_growing(0, -EFBIG);
	test_mkdirs();
	test_list();
	is_int(hxs_io_sync_dir(dir.fd, "."), 0, "sync of itself");
	is_int(hxs_io_sync_dir(dir.fd, "m/n"), 0, "sync of another");
	is_int(hxs_io_sync_dir(dir.fd, "ten"), -ENOTDIR, "sync of a file");
	is_int(hxs_io_sync_dir(dir.fd, "none"), -ENOENT, "sync of nothing");
	scratch_close(&dir);
	return tap_done();
}
