/*
 * reads METHOD FILE [OFFSET LEN]: read a file, or a range of it, in one of
 * the ways that programs have, and write what came to standard output. Stops
 * at the first failure, prints its name (EIO) and exits with status 1. With
 * --list it names the methods.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536
#define DIRECT_ALIGN 4096

/* Each gives 0 or an errno, having written what it got. */
struct job {
	int fd;
	off_t at, end; /* of the range; end is not past the file's */
};

static unsigned char buf[1 << 20] __attribute__((aligned(DIRECT_ALIGN)));

static void put(const void *data, size_t len)
{
	if (fwrite(data, 1, len, stdout) != len) {
		perror("reads: cannot write");
		exit(2);
	}
}

static int read_by(const struct job *j, size_t step, int seek)
{
	off_t at = j->at;

	if (seek && lseek(j->fd, at, SEEK_SET) < 0)
		return errno;
	while (at < j->end) {
		size_t want = (size_t)(j->end - at);
		ssize_t n;

		if (want > step)
			want = step;
		n = seek ? read(j->fd, buf, want) : pread(j->fd, buf, want, at);
		if (n < 0)
			return errno;
		if (n == 0)
			return ENODATA; /* shorter than it says */
		put(buf, (size_t)n);
		at += n;
	}
	return 0;
}

static int by_read(const struct job *j)
{
	return read_by(j, CHUNK, 1);
}

static int by_read1m(const struct job *j)
{
	return read_by(j, sizeof(buf), 1);
}

static int by_pread4k(const struct job *j)
{
	return read_by(j, 4096, 0);
}

static int by_odd(const struct job *j)
{
	return read_by(j, 977, 0);
}

static int by_readahead(const struct job *j)
{
	int r = posix_fadvise(j->fd, 0, 0, POSIX_FADV_WILLNEED);

	return r ? r : read_by(j, CHUNK, 1);
}

static int by_random(const struct job *j)
{
	(void)posix_fadvise(j->fd, 0, 0, POSIX_FADV_RANDOM); /* advice */
	return read_by(j, 4096, 0);
}

/* From the end to the beginning, against every readahead. */
static int by_backwards(const struct job *j)
{
	size_t len = (size_t)(j->end - j->at), at = len;
	char *all = malloc(len ? len : 1);
	int r = all ? 0 : ENOMEM;

	while (!r && at > 0) {
		size_t step = at < 4096 ? at : 4096;
		ssize_t n = pread(j->fd, all + at - step, step,
				  j->at + (off_t)(at - step));

		if (n < 0)
			r = errno;
		else if ((size_t)n != step)
			r = ENODATA;
		else
			at -= step;
	}
	if (all)
		put(all + at, len - at);
	free(all);
	return r;
}

static sigjmp_buf on_bus;

static void bus(int sig)
{
	siglongjmp(on_bus, sig);
}

static int map_with(const struct job *j, int flags)
{
	struct sigaction sa = { .sa_handler = bus };
	long page = sysconf(_SC_PAGESIZE);
	off_t base = j->at / page * page;
	size_t len = (size_t)(j->end - base);
	volatile size_t at = (size_t)(j->at - base);
	unsigned char *map;
	volatile int r = 0;

	map = mmap(NULL, len, PROT_READ, flags, j->fd, base);
	if (map == MAP_FAILED)
		return errno;
	(void)sigaction(SIGBUS, &sa, NULL); /* the arguments are right */
	if (sigsetjmp(on_bus, 1) == 0) {
		while (at < len) {
			size_t step = (size_t)page - at % (size_t)page;

			if (step > len - at)
				step = len - at;
			memcpy(buf, map + at, step);
			put(buf, step);
			at += step;
		}
	} else {
		r = EIO; /* all that a mapping can say */
	}
	(void)munmap(map, len); /* the program ends soon */
	return r;
}

static int by_mmap(const struct job *j)
{
	return map_with(j, MAP_SHARED);
}

static int by_mmap_private(const struct job *j)
{
	return map_with(j, MAP_PRIVATE);
}

static int by_populate(const struct job *j)
{
	return map_with(j, MAP_SHARED | MAP_POPULATE);
}

static int by_splice(const struct job *j)
{
	loff_t at = j->at;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return errno;
	while (at < j->end) {
		size_t want = (size_t)(j->end - at);
		ssize_t n, got;

		if (want > CHUNK)
			want = CHUNK;
		n = splice(j->fd, &at, p[1], NULL, want, 0);
		if (n < 0)
			return errno;
		if (n == 0)
			return ENODATA;
		while (n > 0) {
			got = read(p[0], buf, (size_t)n);
			if (got <= 0)
				return got ? errno : ENODATA;
			put(buf, (size_t)got);
			n -= got;
		}
	}
	return 0;
}

static int by_sendfile(const struct job *j)
{
	off_t at = j->at;

	if (fflush(stdout))
		return errno;
	while (at < j->end) {
		ssize_t n = sendfile(STDOUT_FILENO, j->fd, &at,
				     (size_t)(j->end - at));

		if (n < 0)
			return errno;
		if (n == 0)
			return ENODATA;
	}
	return 0;
}

static int by_direct(const struct job *j)
{
	off_t at = j->at / DIRECT_ALIGN * DIRECT_ALIGN;

	if (fcntl(j->fd, F_SETFL, O_DIRECT) < 0)
		return errno;
	while (at < j->end) {
		ssize_t n = pread(j->fd, buf, CHUNK, at);
		ssize_t skip = at < j->at ? j->at - at : 0;
		ssize_t take = n;

		if (n < 0)
			return errno;
		if (at + take > j->end)
			take = j->end - at;
		if (take <= skip)
			return ENODATA;
		put(buf + skip, (size_t)(take - skip));
		at += n;
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const struct job *j);
} methods[] = {
	{ "read", by_read },
	{ "read1m", by_read1m },
	{ "pread4k", by_pread4k },
	{ "odd", by_odd },
	{ "readahead", by_readahead },
	{ "random", by_random },
	{ "backwards", by_backwards },
	{ "mmap", by_mmap },
	{ "mmap-private", by_mmap_private },
	{ "populate", by_populate },
	{ "splice", by_splice },
	{ "sendfile", by_sendfile },
	{ "direct", by_direct },
};

static int usage(void)
{
	fputs("usage: reads METHOD FILE [OFFSET LEN]\n       reads --list\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const size_t n = sizeof(methods) / sizeof(methods[0]);
	struct job j = { .at = 0 };
	struct stat st;
	size_t m;
	int r;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (m = 0; m < n; m++)
			puts(methods[m].name);
		return 0;
	}
	if (argc != 3 && argc != 5)
		return usage();
	for (m = 0; m < n && strcmp(argv[1], methods[m].name) != 0; m++)
		;
	if (m == n)
		return usage();
	j.fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (j.fd < 0 || fstat(j.fd, &st) < 0) {
		fprintf(stderr, "%s\n", strerrorname_np(errno));
		return 1;
	}
	j.end = st.st_size;
	if (argc == 5) {
		j.at = strtoll(argv[3], NULL, 0);
		if (j.at > st.st_size)
			j.at = st.st_size;
		if (j.end - j.at > strtoll(argv[4], NULL, 0))
			j.end = j.at + strtoll(argv[4], NULL, 0);
	}
	r = j.at < j.end ? methods[m].run(&j) : 0;
	if (fflush(stdout)) {
		perror("reads: cannot write");
		return 2;
	}
	if (r)
		fprintf(stderr, "%s\n", strerrorname_np(r));
	return r ? 1 : 0;
}
