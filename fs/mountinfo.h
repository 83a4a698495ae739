#ifndef HXFS_MOUNTINFO_H
#define HXFS_MOUNTINFO_H

/*
 * The place where the mount goes: what is mounted there, whether it may go
 * there, and the dead mount of a daemon that was killed.
 */
#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct hxfs_mounted {
	unsigned major, minor;
	char type[64];
	char source[512];
	/* who may ask it anything, if it is a FUSE mount: one user, or all */
	unsigned uid, gid;
	bool allow_other;
};

/*
 * What is mounted on @path, the uppermost if several are, according to @text,
 * the content of /proc/self/mountinfo. False when nothing is. Does no I/O.
 */
bool hxfs_mountinfo_find(const char *text, size_t len, const char *path,
			 struct hxfs_mounted *out);

/* The same from the file itself; 1, 0 or -errno. */
int hxfs_mountinfo_ask(const char *path, struct hxfs_mounted *out);

/*
 * Look at @path, where a mount is to go: a directory neither inside the store
 * nor around it, without a live mount of ours. *@out is @path made absolute,
 * the caller's. A dead mount of ours there is left for the next function.
 */
HXS_MUST_CHECK
int hxfs_mountpoint_check(const struct hxs_store *store, const char *path,
			  char **out, struct hxs_err *err);

/*
 * Unmount what is dead of ours on @path and look once more. To be called when
 * all else is ready: until the new mount is there, the directory below shows.
 */
HXS_MUST_CHECK
int hxfs_mountpoint_clear(const struct hxs_store *store, const char *path,
			  struct hxs_err *err);

/*
 * Unmount what is on @path, whoever still uses it, without a look at it. 0 or
 * -errno.
 */
HXS_MUST_CHECK
int hxfs_mountpoint_detach(const char *path);

/* Ask the kernel to read ahead far enough on what is mounted at @path. */
void hxfs_mountpoint_tune(const char *path);

#endif
