#include "tests/lib/hxtree_put.h"
#include "tests/lib/hxtree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

int put_dir(int dirfd, const char *name)
{
	int fd;

	if (mkdirat(dirfd, name, 0755) < 0)
		die("cannot make directory '%s'", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die("cannot open directory '%s'", name);
	return fd;
}

static void write_at(struct rng *r, int fd, const struct range *range)
{
	static uint64_t buf[8192];
	uint64_t done = 0;
	size_t i;

	while (done < range->len) {
		uint64_t len = range->len - done;

		if (len > sizeof(buf))
			len = sizeof(buf);
		/* Bytes read in the wrong order must be other bytes. */
		for (i = 0; i < (len + 7) / 8; i++)
			buf[i] = rng_next(r);
		if (pwrite(fd, buf, len, (off_t)(range->at + done)) !=
		    (ssize_t)len)
			die("cannot write");
		done += len;
	}
}

void put_sparse(struct rng *r, int dirfd, const char *name, uint64_t size,
		const struct range *data, unsigned n)
{
	unsigned i;
	int fd;

	fd = openat(dirfd, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		die("cannot make file '%s'", name);
	if (ftruncate(fd, (off_t)size) < 0)
		die("cannot size file '%s'", name);
	for (i = 0; i < n; i++)
		write_at(r, fd, &data[i]);
	if (close(fd) < 0)
		die("cannot write file '%s'", name);
}

void put_file(struct rng *r, int dirfd, const char *name, uint64_t size)
{
	const struct range all = { .at = 0, .len = size };

	put_sparse(r, dirfd, name, size, &all, 1);
}

void put_link(int dirfd, const char *name, const char *target)
{
	if (symlinkat(target, dirfd, name) < 0)
		die("cannot make symbolic link '%s'", name);
}

void put_hard(int dirfd, const char *name, int newdirfd, const char *newname)
{
	if (linkat(dirfd, name, newdirfd, newname, 0) < 0)
		die("cannot make hard link '%s'", newname);
}

void put_mode(int dirfd, const char *name, mode_t mode)
{
	if (fchmodat(dirfd, name, mode, 0) < 0)
		die("cannot set the mode of '%s'", name);
}

void put_owner(int dirfd, const char *name, uid_t uid, gid_t gid)
{
	if (fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		die("cannot set the owner of '%s'", name);
}

void put_time(int dirfd, const char *name, int64_t sec, long nsec)
{
	const struct timespec times[2] = {
		{ .tv_sec = sec, .tv_nsec = nsec },
		{ .tv_sec = sec, .tv_nsec = nsec },
	};

	if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		die("cannot set the times of '%s'", name);
}

bool put_xattr(int dirfd, const char *name, const char *attr, const void *value,
	       size_t len)
{
	char path[64];
	int fd, r;

	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		die("cannot open '%s'", name);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = setxattr(path, attr, value, len, 0);
	if (r < 0 && errno != ENOTSUP && errno != EPERM && errno != ENOSPC)
		die("cannot set attribute '%s' of '%s'", attr, name);
	(void)close(fd); /* a handle only */
	return r == 0;
}

bool put_special(int dirfd, const char *name, mode_t type, dev_t rdev)
{
	if (mknodat(dirfd, name, type | 0644, rdev) == 0)
		return true;
	if (errno != EPERM)
		die("cannot make special file '%s'", name);
	return false;
}
