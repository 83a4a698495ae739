/*
 * Opening beneath a directory handle. openat2 does it in one call; where a
 * kernel or a sandbox does not have it, the path is walked component by
 * component with the same answers: -ELOOP for a symbolic link in any place,
 * -EXDEV for a way out and for another mount.
 */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define PIECE_MAX (PATH_MAX - 1)
#define RESOLVE_ALL                                                \
	(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | \
	 RESOLVE_NO_MAGICLINKS)

static int call_openat2(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		/*
		 * Without O_NOFOLLOW, which RESOLVE_NO_SYMLINKS includes:
		 * it would let O_PATH open a link at the end.
		 */
		.flags = (uint64_t)(unsigned)(flags & ~O_NOFOLLOW),
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
		.resolve = RESOLVE_ALL,
	};
	long r;

	do
		r = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : (int)r;
}

/*
 * Whether @r means that the call does not exist: ENOSYS from a kernel before
 * 5.6, EPERM from sandboxes of that time, which a real EPERM is told from by
 * a call that every kernel that knows it refuses with EINVAL.
 */
static bool no_openat2(int r)
{
	struct open_how how = { 0 };

	if (r == -ENOSYS)
		return true;
	return r == -EPERM &&
	       syscall(SYS_openat2, AT_FDCWD, ".", &how, (size_t)0) < 0 &&
	       errno != EINVAL;
}

/*
 * Open one component, which is no "..", without leaving @dirfd's device.
 * With O_NOFOLLOW alone a link answers ENOTDIR to O_DIRECTORY and is itself
 * opened by O_PATH; both are -ELOOP here.
 */
static int open_step(int dirfd, const char *name, int flags, mode_t mode)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct stat here, there;
	int e;

	if (fstatat(dirfd, "", &here, AT_EMPTY_PATH) < 0)
		return -errno;
	do
		fd = openat(dirfd, name, flags | O_NOFOLLOW, mode);
	while (fd < 0 && errno == EINTR);
	e = errno;
	if (fd < 0 && e == ENOTDIR &&
	    fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(there.st_mode))
		return -ELOOP;
	if (fd < 0)
		return -e;
	if (fstat(fd, &there) < 0)
		return -errno;
	if (S_ISLNK(there.st_mode))
		return -ELOOP;
	return there.st_dev == here.st_dev ? HXS_STEAL_FD(fd) : -EXDEV;
}

/* The same as openat2 for a relative @path of 1 to PIECE_MAX bytes. */
static int walk(int dirfd, const char *path, int flags, mode_t mode)
{
	const int dir_flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	HXS_AUTO_CLOSE int at = -1;
	char name[PATH_MAX];
	size_t n;
	int fd, from = dirfd;

	for (;;) {
		n = strcspn(path, "/");
		memcpy(name, path, n);
		name[n] = '\0';
		path += n;
		path += strspn(path, "/");
		if (*path == '\0')
			return open_step(from, name,
					 path[-1] == '/' ? flags | O_DIRECTORY
							 : flags,
					 mode);
		fd = open_step(from, name, dir_flags, 0);
		if (fd < 0)
			return fd;
		if (at >= 0)
			(void)close(at); /* nothing was written through it */
		from = at = fd;
	}
}

static int open_piece(int dirfd, const char *path, int flags, mode_t mode)
{
	int r = call_openat2(dirfd, path, flags, mode);

	return no_openat2(r) ? walk(dirfd, path, flags, mode) : r;
}

/* -EXDEV for what leads out, whatever the kernel would make of it. */
static int leads_out(const char *path)
{
	size_t n;

	if (path[0] == '/')
		return -EXDEV;
	for (;;) {
		n = strcspn(path, "/");
		if (n == 2 && path[0] == '.' && path[1] == '.')
			return -EXDEV;
		if (path[n] == '\0')
			return 0;
		path += n + 1;
	}
}

/*
 * The length of the part of @path that is opened next: all of it, or as many
 * whole components as one call takes; 0 if one alone is too long.
 */
static size_t next_piece(const char *path, size_t len)
{
	size_t n;

	if (len <= PIECE_MAX)
		return len;
	for (n = PIECE_MAX; n > 0 && path[n] != '/'; n--)
		;
	return n;
}

int hxs_io_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	HXS_AUTO_CLOSE int at = -1;
	char piece[PATH_MAX];
	size_t len, n;
	int fd, r;

	r = leads_out(path);
	if (r < 0)
		return r;
	if (path[0] == '\0')
		path = ".";
	flags |= O_CLOEXEC;
	/* openat2 takes nothing beside O_PATH that means nothing with it. */
	if (!(flags & O_PATH))
		flags |= O_NONBLOCK | O_NOCTTY;
	for (len = strlen(path);; len = strlen(path)) {
		n = next_piece(path, len);
		if (n == len)
			return open_piece(at >= 0 ? at : dirfd, path, flags,
					  mode);
		if (n == 0)
			return -ENAMETOOLONG;
		memcpy(piece, path, n);
		piece[n] = '\0';
		fd = open_piece(at >= 0 ? at : dirfd, piece,
				O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (fd < 0)
			return fd;
		if (at >= 0)
			(void)close(at); /* nothing was written through it */
		at = fd;
		path += n;
		path += strspn(path, "/");
		if (*path == '\0')
			path = "./"; /* the slash asked for a directory */
	}
}

int hxs_io_open_dir(int dirfd, const char *path)
{
	return hxs_io_open_beneath(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
}

int hxs_io_open_regular(int dirfd, const char *path, struct stat *st)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct stat own;

	fd = hxs_io_open_beneath(dirfd, path, O_RDONLY, 0);
	if (fd == -ENXIO) /* a socket, or a device without a driver */
		return -EINVAL;
	if (fd < 0)
		return fd;
	if (!st)
		st = &own;
	if (fstat(fd, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	return HXS_STEAL_FD(fd);
}
