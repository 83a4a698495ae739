/*
 * Removing a tree of any depth with a bounded number of descriptors and no
 * recursion. The way down is a stack of frames; only the lowest KEEP_OPEN of
 * them keep their directory open. A frame that lost its handle is opened
 * again by its path beneath the starting point, and read from the start:
 * what was removed meanwhile does not come up again.
 */
#include "base/buf.h"
#include "base/io.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define KEEP_OPEN 16 /* directories kept open on the way down */

struct frame {
	DIR *dir; /* NULL: opened again when it is needed */
	size_t path_len; /* of the path of this directory */
	bool removed; /* something, since it was last read from the start */
};

struct removal {
	int top; /* the directory that holds the tree; not ours */
	struct hxs_buf path; /* of the directory at hand, beneath top */
	struct frame *frames;
	size_t depth, cap;
};

static void release(struct removal *rm)
{
	size_t i;

	for (i = 0; i < rm->depth; i++)
		if (rm->frames[i].dir)
			(void)closedir(rm->frames[i].dir); /* only read */
	free(rm->frames);
	hxs_buf_release(&rm->path);
}

/* Open directory @name, whatever its mode says; NULL with *@r negative. */
static DIR *open_passable(int dirfd, const char *name, int *r)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct stat st;
	DIR *dir;

	fd = hxs_io_open_dir(dirfd, name);
	if (fd == -EACCES &&
	    fchmodat(dirfd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = hxs_io_open_dir(dirfd, name);
	if (fd < 0) {
		*r = fd;
		return NULL;
	}
	if (fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700); /* else the removal says why not */
	dir = fdopendir(fd);
	*r = dir ? 0 : -errno;
	if (dir)
		fd = -1; /* now the stream's */
	return dir;
}

static int reserve_frame(struct removal *rm)
{
	struct frame *frames;
	size_t cap = rm->cap ? rm->cap * 2 : 64;

	if (rm->depth < rm->cap)
		return 0;
	frames = reallocarray(rm->frames, cap, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	rm->frames = frames;
	rm->cap = cap;
	return 0;
}

/* Enter directory @name of the directory at hand, whose handle is @dirfd. */
static int push(struct removal *rm, int dirfd, const char *name)
{
	size_t old = rm->path.len;
	struct frame *far;
	DIR *dir;
	int r;

	r = reserve_frame(rm);
	if (r < 0)
		return r;
	dir = open_passable(dirfd, name, &r);
	if (!dir)
		return r;
	if (old)
		(void)hxs_buf_putc(&rm->path, '/');
	r = hxs_buf_puts(&rm->path, name);
	if (r < 0) {
		(void)closedir(dir); /* only read */
		return r;
	}
	rm->frames[rm->depth++] =
		(struct frame){ .dir = dir, .path_len = rm->path.len };
	if (rm->depth <= KEEP_OPEN)
		return 0;
	far = &rm->frames[rm->depth - 1 - KEEP_OPEN];
	if (far->dir)
		(void)closedir(far->dir); /* only read */
	far->dir = NULL;
	return 0;
}

/* Open frame @i again; the one above it is open unless @by_path. */
static int reopen_one(struct removal *rm, size_t i, bool by_path)
{
	struct frame *f = &rm->frames[i];
	size_t from = by_path ? 0 : f[-1].path_len + 1;
	HXS_AUTO_FREE char *path = NULL;
	int r;

	assert(!f->dir);
	path = strndup(rm->path.data + from, f->path_len - from);
	if (!path)
		return -ENOMEM;
	f->dir = open_passable(by_path ? rm->top : dirfd(f[-1].dir), path, &r);
	f->removed = true; /* at least what was entered from here */
	return r;
}

/*
 * Make sure that frame @i is open. The path to it may be as long as the tree
 * is deep, so those above it are opened with it: they are needed next.
 */
static int reopen(struct removal *rm, size_t i)
{
	/* With the frame at hand, which is the next, that makes KEEP_OPEN. */
	size_t lowest = i < KEEP_OPEN - 1 ? 0 : i - (KEEP_OPEN - 2), k;
	int r;

	if (rm->frames[i].dir)
		return 0;
	for (k = lowest; k <= i; k++) {
		r = reopen_one(rm, k, k == lowest);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The next entry, NULL at the end (*@r 0) or after a failure. */
static const struct dirent *next_entry(DIR *dir, int *r)
{
	const struct dirent *e;

	do {
		errno = 0;
		e = readdir(dir);
	} while (e &&
		 (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	*r = e ? 0 : -errno;
	return e;
}

/* Remove everything in the directory at hand, or enter its next directory. */
static int step_down(struct removal *rm, struct frame *f, bool *entered)
{
	const struct dirent *e;
	int r, pushed, fd = dirfd(f->dir);

	*entered = false;
	while ((e = next_entry(f->dir, &r)) != NULL) {
		f->removed = true; /* now, or when it comes back here */
		if (e->d_type != DT_DIR) {
			if (unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT)
				continue;
			r = -errno;
			/* EPERM is POSIX's word for a directory. */
			if (r != -EISDIR && r != -EPERM)
				return r;
		}
		*entered = true;
		pushed = push(rm, fd, e->d_name);
		/* No directory after all: then the first answer stands. */
		if (r < 0 && (pushed == -ENOTDIR || pushed == -ELOOP))
			return r;
		return pushed;
	}
	return r;
}

/* Remove the directory at hand, which was read to its end, and go back. */
static int step_up(struct removal *rm, struct frame *f)
{
	const char *name;
	size_t parent_len;
	struct frame *up;
	int fd, r;

	assert(f); /* there is a directory at hand */
	up = rm->depth > 1 ? f - 1 : NULL;
	parent_len = up ? up->path_len : 0;
	name = hxs_buf_str(&rm->path) + parent_len + (up ? 1 : 0);
	if (up) {
		r = reopen(rm, rm->depth - 2);
		if (r < 0)
			return r;
	}
	fd = up ? dirfd(up->dir) : rm->top;
	if (unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		r = -errno;
		if ((r != -ENOTEMPTY && r != -EEXIST) || !f->removed)
			return r;
		/* Some file systems skip entries while others are removed. */
		f->removed = false;
		rewinddir(f->dir);
		return 0;
	}
	(void)closedir(f->dir); /* only read */
	rm->depth--;
	hxs_buf_truncate(&rm->path, parent_len);
	return 0;
}

static int remove_dir(int top, const char *name)
{
	struct removal rm = { .top = top, .path = HXS_BUF_INIT };
	bool entered;
	int r;

	r = push(&rm, top, name);
	while (r == 0 && rm.depth > 0) {
		struct frame *f = &rm.frames[rm.depth - 1];

		r = step_down(&rm, f, &entered);
		if (r == 0 && !entered)
			r = step_up(&rm, f);
	}
	release(&rm);
	return r;
}

int hxs_io_remove_tree(int dirfd, const char *name)
{
	HXS_AUTO_CLOSE int parent = -1;
	HXS_AUTO_FREE char *copy = NULL;
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	struct stat st;

	if (base[0] == '\0' || strcmp(base, ".") == 0 ||
	    strcmp(base, "..") == 0 || name[0] == '/')
		return -EINVAL;
	if (slash) {
		copy = strndup(name, (size_t)(slash - name));
		if (!copy)
			return -ENOMEM;
		parent = hxs_io_open_beneath(dirfd, copy, O_PATH | O_DIRECTORY,
					     0);
		if (parent == -ENOENT)
			return 0;
		if (parent < 0)
			return parent;
		dirfd = parent;
	}
	if (fstatat(dirfd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return remove_dir(dirfd, base);
	if (unlinkat(dirfd, base, 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}
