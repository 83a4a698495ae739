#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* From @*off on, or with NULL from where @fd stands. */
static ssize_t read_full(int fd, void *buf, size_t len, const uint64_t *off)
{
	size_t done = 0;
	ssize_t n;

	if (len > SSIZE_MAX)
		return -EINVAL;
	while (done < len) {
		if (off)
			n = pread(fd, (char *)buf + done, len - done,
				  (off_t)(*off + done));
		else
			n = read(fd, (char *)buf + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t hxs_io_pread_full(int fd, void *buf, size_t len, uint64_t off)
{
	uint64_t end;

	if (__builtin_add_overflow(off, len, &end) || end > INT64_MAX)
		return -EINVAL;
	return read_full(fd, buf, len, &off);
}

ssize_t hxs_io_read_full(int fd, void *buf, size_t len)
{
	return read_full(fd, buf, len, NULL);
}

static int write_full(int fd, const void *buf, size_t len, const uint64_t *off)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		if (off)
			n = pwrite(fd, (const char *)buf + done, len - done,
				   (off_t)(*off + done));
		else
			n = write(fd, (const char *)buf + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* else this would turn for ever */
		done += (size_t)n;
	}
	return 0;
}

int hxs_io_write_full(int fd, const void *buf, size_t len)
{
	return write_full(fd, buf, len, NULL);
}

int hxs_io_pwrite_full(int fd, const void *buf, size_t len, uint64_t off)
{
	uint64_t end;

	if (__builtin_add_overflow(off, len, &end) || end > INT64_MAX)
		return -EFBIG;
	return write_full(fd, buf, len, &off);
}

/* How much to ask for first: a regular file says, a pipe does not. */
static size_t guess_size(int fd, size_t max)
{
	struct stat st;
	size_t size = 4096;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uint64_t)st.st_size < SSIZE_MAX)
		size = (size_t)st.st_size;
	return size < max ? size : max;
}

int hxs_io_read_all(int fd, size_t max, char **out, size_t *len)
{
	HXS_AUTO_FREE char *buf = NULL;
	size_t cap, done = 0;
	ssize_t n;
	char *grown;

	if (max > SSIZE_MAX / 2)
		max = SSIZE_MAX / 2;
	cap = guess_size(fd, max);
	for (;;) {
		/* One byte more, to see the end, and later for the NUL. */
		grown = realloc(buf, cap + 1);
		if (!grown)
			return -ENOMEM;
		buf = grown;
		n = hxs_io_read_full(fd, buf + done, cap + 1 - done);
		if (n < 0)
			return (int)n;
		done += (size_t)n;
		if (done <= cap)
			break;
		if (cap == max)
			return -EFBIG;
		cap = cap > max / 2 ? max : cap * 2;
	}
	buf[done] = '\0';
	*len = done;
	*out = HXS_STEAL(buf);
	return 0;
}

int hxs_io_mkdirs(int dirfd, const char *path, mode_t mode)
{
	HXS_AUTO_FREE char *copy = strdup(path);
	struct stat st;
	char *p, c;
	int e;

	if (!copy)
		return -ENOMEM;
	if (path[0] == '\0')
		return -ENOENT;
	for (p = copy; *p;) {
		p += strspn(p, "/");
		p += strcspn(p, "/");
		c = *p;
		*p = '\0';
		if (mkdirat(dirfd, copy, mode) < 0) {
			/*
			 * Not only EEXIST: an existing one may also answer
			 * EROFS or EACCES, and only the last word counts.
			 */
			e = errno;
			if (fstatat(dirfd, copy, &st, 0) < 0)
				return -e;
			if (!S_ISDIR(st.st_mode))
				return -ENOTDIR;
		}
		*p = c;
	}
	return 0;
}

int hxs_io_sync_dir(int dirfd, const char *path)
{
	HXS_AUTO_CLOSE int fd = -1;

	fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int hxs_io_list(int dirfd, hxs_io_list_fn fn, void *ctx)
{
	struct dirent *e;
	int fd, r = 0;
	DIR *dir;

	/* Opened anew and not dup()ed: a dup shares the offset. */
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		(void)close(fd); /* nothing was written through it */
		return r;
	}
	while (r == 0) {
		errno = 0;
		e = readdir(dir);
		if (!e) {
			r = -errno;
			break;
		}
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = fn(e->d_name, e->d_type, ctx);
	}
	(void)closedir(dir); /* nothing was written through it */
	return r;
}
