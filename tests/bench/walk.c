/*
 * walk DIR: list a tree and look at every entry, as find -ls would.
 *
 * Prints SECONDS ENTRIES SUM. The sum is over every name, type, mode, owner,
 * modification time (in seconds: some file systems have no more) and, of
 * files, size, in any order: two trees that are the same have the same.
 */
#include "sum.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t entries, sum;

static uint64_t entry_sum(uint64_t dir, const char *name, const struct stat *st)
{
	uint64_t x = bench_sum_string(dir, name);

	x = bench_mix(x ^ st->st_mode);
	x = bench_mix(x ^ ((uint64_t)st->st_uid << 32 | st->st_gid));
	x = bench_mix(x ^ (uint64_t)st->st_mtim.tv_sec);
	return S_ISREG(st->st_mode) ? bench_mix(x ^ (uint64_t)st->st_size) : x;
}

/* @seed stands for the path of the directory @fd, which it closes. */
static void walk(int fd, uint64_t seed)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	struct stat st;
	int sub;

	if (!d)
		err(2, "fdopendir");
	for (;;) {
		errno = 0;
		e = readdir(d);
		if (!e)
			break;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			err(2, "cannot look at '%s'", e->d_name);
		entries++;
		sum += entry_sum(seed, e->d_name, &st);
		if (!S_ISDIR(st.st_mode))
			continue;
		sub = openat(dirfd(d), e->d_name,
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub < 0)
			err(2, "cannot open '%s'", e->d_name);
		walk(sub, bench_sum_string(seed, e->d_name));
	}
	if (errno)
		err(2, "cannot list a directory");
	(void)closedir(d);
}

int main(int argc, char **argv)
{
	double begin;
	int fd;

	if (argc != 2)
		errx(2, "usage: walk DIR");
	begin = bench_now();
	fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err(2, "cannot open '%s'", argv[1]);
	walk(fd, 0);
	printf("%.6f %llu %016llx\n", bench_now() - begin,
	       (unsigned long long)entries, (unsigned long long)sum);
	return 0;
}
