/* Owners, modes, times and extended attributes of what is in the store. */
#include "source/copy.h"

#include "base/xattr.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CAPABILITY "security.capability"

/* Append to @out the attributes of @blob that a copy may carry. */
static int harmless(const void *blob, size_t len, struct hxs_buf *out)
{
	size_t pos = 0, before = 0;
	struct hxs_xattr x;

	while (hxs_xattr_next(blob, len, &pos, &x) > 0) {
		if (x.name_len != strlen(CAPABILITY) ||
		    memcmp(x.name, CAPABILITY, x.name_len) != 0)
			(void)hxs_buf_append(out, (const char *)blob + before,
					     pos - before);
		before = pos;
	}
	return hxs_buf_status(out);
}

static int set_xattrs(int fd, const void *blob, size_t len, bool *lost)
{
	HXS_AUTO_BUF struct hxs_buf rest = HXS_BUF_INIT;
	struct hxs_xattr x;
	int r;

	if (len == 0)
		return 0;
	if (hxs_xattr_find(blob, len, CAPABILITY, &x)) {
		r = harmless(blob, len, &rest);
		if (r < 0)
			return r;
		blob = rest.data;
		len = rest.len;
	}
	r = len ? hxs_xattr_write(fd, blob, len, NULL) : 0;
	/*
	 * What another kind of file system could hold may not fit here. The
	 * index has it all. A disk that is full says so again at once.
	 */
	if (r == -E2BIG || r == -ENOSPC || r == -ERANGE) {
		if (lost)
			*lost = true;
		r = 0;
	}
	return r;
}

/* What could be had of the owner and group. */
struct had {
	bool owner, group;
};

static int set_owner(int fd, const struct hxs_tree_stat *st, struct had *had)
{
	struct stat now;

	*had = (struct had){ true, true };
	if (fstat(fd, &now) < 0)
		return -errno;
	if (now.st_uid == st->uid && now.st_gid == st->gid)
		return 0;
	if (fchown(fd, st->uid, st->gid) == 0)
		return 0;
	if (errno != EPERM && errno != EINVAL)
		return -errno;
	had->owner = now.st_uid == st->uid;
	had->group =
		now.st_gid == st->gid || fchown(fd, (uid_t)-1, st->gid) == 0;
	return 0;
}

static mode_t safe_mode(const struct hxs_tree_stat *st, struct had had)
{
	mode_t mode = hxs_copy_mode(st->mode);

	/* We could read the original; as its owner we must be able to again. */
	if (!had.owner)
		mode |= S_ISDIR(st->mode) ? 0500 : 0400;
	/* Another group than the original's: no more than for anybody. */
	if (!had.group)
		mode &= (mode_t)(~0070u | ((mode & 0007u) << 3));
	return mode;
}

int hxs_copy_attributes(int fd, const struct hxs_tree_stat *st,
			const void *xattrs, size_t xattrs_len, bool *lost)
{
	const struct timespec times[2] = { st->atime, st->mtime };
	struct had had;
	int r;

	/* In this order: each step may undo what a later one sets. */
	r = set_owner(fd, st, &had);
	if (r == 0)
		r = set_xattrs(fd, xattrs, xattrs_len, lost);
	if (r < 0)
		return r;
	if (fchmod(fd, safe_mode(st, had)) < 0)
		return -errno;
	if (futimens(fd, times) < 0)
		return -errno;
	return 0;
}

int hxs_copy_link_attributes(int dirfd, const char *name,
			     const struct hxs_tree_stat *st, const void *xattrs,
			     size_t xattrs_len)
{
	const struct timespec times[2] = { st->atime, st->mtime };
	HXS_AUTO_CLOSE int fd = -1;
	int r;

	if (fchownat(dirfd, name, st->uid, st->gid, AT_SYMLINK_NOFOLLOW) < 0 &&
	    errno != EPERM && errno != EINVAL)
		return -errno;
	if (xattrs_len) {
		fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		r = set_xattrs(fd, xattrs, xattrs_len, NULL);
		if (r < 0)
			return r;
	}
	if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}
