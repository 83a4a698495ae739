/*
 * A file appears whole or not at all. It is written under a fixed temporary
 * name, so that what a crash leaves is found and removed by the next one who
 * publishes the same name, and does not pile up. Whoever writes holds a lock
 * on the temporary, which ends with the process: a temporary that can be
 * locked and still has its name is left over.
 */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define TMP_PREFIX ".tmp-"
#define TMP_SUFFIX "~"
#define TMP_NAME_SIZE 256 /* a name and its NUL */
#define TRIES 1000

static int lock(int fd)
{
	int r;

	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* Whether the file @fd is still what @name means. */
static bool has_name(int dirfd, const char *name, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 &&
	       fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Wait for whoever writes @tmp to end; remove it if it stayed behind. */
static int remove_leftover(int dirfd, const char *tmp)
{
	HXS_AUTO_CLOSE int fd = -1;
	int r;

	/* For writing, though nothing is written: NFS locks nothing else. */
	fd = openat(dirfd, tmp,
		    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd >= 0) {
		r = lock(fd);
		if (r < 0)
			return r;
		if (!has_name(dirfd, tmp, fd))
			return 0;
	}
	/* What cannot be opened (a link, a socket) is nobody's work either. */
	if (unlinkat(dirfd, tmp, 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/* A new, empty, locked file of that name; an fd or -errno. */
static int create_tmp(int dirfd, const char *tmp)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int i, r, fd;

	for (i = 0; i < TRIES; i++) {
		fd = openat(dirfd, tmp, flags, 0600);
		if (fd < 0 && errno == EEXIST) {
			r = remove_leftover(dirfd, tmp);
			if (r < 0)
				return r;
			continue;
		}
		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0)
			return -errno;
		r = lock(fd);
		/* Another may have taken it for left over before the lock. */
		if (r == 0 && has_name(dirfd, tmp, fd))
			return fd;
		(void)close(fd); /* empty */
		if (r < 0)
			return r;
	}
	return -EBUSY;
}

static int fill(int fd, const void *data, size_t len, mode_t mode)
{
	int r;

	r = hxs_io_write_full(fd, data, len);
	if (r < 0)
		return r;
	/* Not by open: the umask has no say, and it was private until now. */
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static bool is_name(const char *name)
{
	return name[0] != '\0' && !strchr(name, '/') &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* What @name is written under first, into @tmp: 0 or -errno. */
static int name_tmp(char tmp[TMP_NAME_SIZE], const char *name,
		    const char *suffix)
{
	int r;

	if (!is_name(name))
		return -EINVAL;
	r = snprintf(tmp, TMP_NAME_SIZE, TMP_PREFIX "%s%s", name, suffix);
	return r < 0 || r >= TMP_NAME_SIZE ? -ENAMETOOLONG : 0;
}

int hxs_io_publish_clean(int dirfd, const char *name)
{
	char tmp[TMP_NAME_SIZE];
	int r = name_tmp(tmp, name, "");

	return r < 0 ? r : remove_leftover(dirfd, tmp);
}

/* Publish @name, written under @tmp. */
static int publish(int dirfd, const char *tmp, const char *name,
		   const void *data, size_t len, mode_t mode)
{
	HXS_AUTO_CLOSE int fd = -1; /* held to the end: it carries the lock */
	int r;

	fd = create_tmp(dirfd, tmp);
	if (fd < 0)
		return fd;
	r = fill(fd, data, len, mode);
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dirfd, tmp, 0); /* the first error counts */
		return r;
	}
	return hxs_io_sync_dir(dirfd, ".");
}

int hxs_io_publish(int dirfd, const char *name, const void *data, size_t len,
		   mode_t mode)
{
	char tmp[TMP_NAME_SIZE];
	int r = name_tmp(tmp, name, "");

	return r < 0 ? r : publish(dirfd, tmp, name, data, len, mode);
}

int hxs_io_publish_watched(int dirfd, const char *name, const void *data,
			   size_t len, mode_t mode)
{
	char tmp[TMP_NAME_SIZE];
	int r = name_tmp(tmp, name, TMP_SUFFIX);

	return r < 0 ? r : publish(dirfd, tmp, name, data, len, mode);
}
