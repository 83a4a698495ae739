#include "source/apart.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define MOUNT_TYPE "fuse.hxsnapfs"
#define MOUNTS_MAX (16u << 20) /* bytes */

/* The store's root comes first, then the parts that are there. */
int hxs_apart_note(struct hxs_capture *cap, const struct hxs_store *s,
		   struct hxs_err *err)
{
	static const char *const names[] = { "", "backups", "rollbacks",
					     ".hxsnap" };
	struct stat st;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(names); i++) {
		if (fstatat(hxs_store_fd(s), names[i], &st,
			    AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0) {
			if (errno == ENOENT)
				continue;
			return hxs_err_errno(err, errno,
					     "cannot look at '%s/%s'",
					     hxs_store_path(s), names[i]);
		}
		cap->own[cap->own_count].dev = st.st_dev;
		cap->own[cap->own_count++].ino = st.st_ino;
	}
	cap->store_fd = hxs_store_fd(s);
	return 0;
}

/*
 * Call @fn for the directory @fd and each one above it; a non-zero result
 * stops and is returned.
 */
static int climb(int fd, int (*fn)(const struct stat *st, const void *ctx),
		 const void *ctx)
{
	HXS_AUTO_CLOSE int at = -1;
	struct stat st, above;
	int up, r;

	if (fstat(fd, &st) < 0)
		return -errno;
	for (;;) {
		r = fn(&st, ctx);
		if (r != 0)
			return r;
		up = openat(at >= 0 ? at : fd, "..",
			    O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (up < 0)
			return -errno;
		if (at >= 0)
			(void)close(at); /* only a place */
		at = up;
		if (fstat(at, &above) < 0)
			return -errno;
		if (above.st_dev == st.st_dev && above.st_ino == st.st_ino)
			return 0;
		st = above;
	}
}

static int is_part(const struct stat *st, const void *ctx)
{
	const struct hxs_capture *cap = ctx;
	unsigned i;

	for (i = 1; i < cap->own_count; i++)
		if (cap->own[i].dev == st->st_dev &&
		    cap->own[i].ino == st->st_ino)
			return 1;
	return 0;
}

static int is_same(const struct stat *st, const void *ctx)
{
	const struct stat *other = ctx;

	return st->st_dev == other->st_dev && st->st_ino == other->st_ino;
}

/* Whether @line of mountinfo is a mount of backups with device @dev. */
static bool is_backup_mount(char *line, dev_t dev)
{
	unsigned maj, min;
	char *type;

	if (sscanf(line, "%*u %*u %u:%u ", &maj, &min) != 2 ||
	    makedev(maj, min) != dev)
		return false;
	type = strstr(line, " - ");
	return type &&
	       strncmp(type + 3, MOUNT_TYPE " ", strlen(MOUNT_TYPE " ")) == 0;
}

/* 1 if @dev is a mount of backups, or -errno. */
static int on_backup_mount(dev_t dev)
{
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	char *line, *rest;
	size_t len;
	int r;

	fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno; /* no /proc here */
	r = hxs_io_read_all(fd, MOUNTS_MAX, &text, &len);
	if (r < 0)
		return r;
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		if (is_backup_mount(line, dev))
			return 1;
	return 0;
}

int hxs_apart_look(const struct hxs_capture *cap, int fd, bool single)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = on_backup_mount(st.st_dev);
	if (r != 0)
		return r < 0 ? r : HXS_APART_MOUNT;
	r = climb(fd, is_part, cap);
	if (r != 0)
		return r < 0 ? r : HXS_APART_INSIDE;
	r = single ? 0 : climb(cap->store_fd, is_same, &st);
	if (r != 0)
		return r < 0 ? r : HXS_APART_AROUND;
	return HXS_APART;
}

int hxs_apart_check(const struct hxs_capture *cap, const char *name, int fd,
		    bool single, struct hxs_err *err)
{
	static const char *const what[][2] = {
		[HXS_APART_MOUNT] = { "", " lies in a mount of backups" },
		[HXS_APART_INSIDE] = { "", " lies in the store" },
		[HXS_APART_AROUND] = { "the store lies in ", "" },
	};
	int r = hxs_apart_look(cap, fd, single);

	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot tell where source '%s' lies",
				     name);
	if (r == HXS_APART)
		return 0;
	return hxs_err_set(err, HXS_EDENIED, "refused: %ssource '%s'%s",
			   what[r][0], name, what[r][1]);
}
