#ifndef HXS_BASE_HOLDERS_H
#define HXS_BASE_HOLDERS_H

/*
 * Which processes use a directory tree or a file: have it open, mapped, as
 * working or root directory, or run a program from it. After a swap they
 * would go on with the old one.
 *
 * Found by /proc, so only processes of this pid namespace that this user may
 * look into; loop devices and swap areas backed by a file of the tree count
 * as held by the kernel (pid 0).
 */
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct hxs_holder {
	pid_t pid; /* 0: the kernel */
	char command[64]; /* as in /proc/PID/comm, or "loop0", "swap" */
	char path[512]; /* the first it holds, shown text */
};

struct hxs_holders {
	struct hxs_holder *holder; /* ascending by pid, each process once */
	size_t count;
	size_t hidden; /* processes that could not be looked into */
};
#define HXS_HOLDERS_INIT       \
	{                      \
		.holder = NULL \
	}
void hxs_holders_release(struct hxs_holders *h);
#define HXS_AUTO_HOLDERS __attribute__((cleanup(hxs_holders_release)))

/*
 * Find who uses @path (absolute, without symbolic links), a directory with
 * everything below it, other mounts included, or a single file; for a file the
 * -wal, -shm and -journal beside it count as the file. The calling process
 * itself is passed over. By file system and path inside it: a container that
 * sees the tree under another path is found, and one that has something else
 * under this path is not. Deleted files do not count. What is not there is
 * held by nobody. 0 or -errno; no /proc here: -ENOSYS.
 */
HXS_MUST_CHECK
int hxs_holders_find(const char *path, struct hxs_holders *out,
		     struct hxs_err *err);

#endif
