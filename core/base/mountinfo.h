#ifndef HXS_BASE_MOUNTINFO_H
#define HXS_BASE_MOUNTINFO_H

/* Reading /proc/PID/mountinfo (proc(5)). Does no I/O. */
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define HXS_MOUNTINFO "/proc/self/mountinfo"
#define HXS_MOUNTINFO_MAX (64u << 20) /* bytes, of many thousand mounts */

struct hxs_mount {
	uint64_t id, parent;
	unsigned major, minor; /* of the file system */
	char root[PATH_MAX]; /* what of the file system is seen there */
	char where[PATH_MAX]; /* the mount point */
	char type[64], source[512];
	char options[512]; /* of the file system, not of the mount */
};

/*
 * Call @fn for each mount in @text (@len bytes, no NUL needed), those that
 * lie above others last. What is no line of a mountinfo, and a last line
 * without its end, is passed over. Non-zero from @fn stops and is returned.
 */
typedef int (*hxs_mountinfo_fn)(const struct hxs_mount *m, void *ctx);
int hxs_mountinfo_each(const char *text, size_t len, hxs_mountinfo_fn fn,
		       void *ctx);

#endif
