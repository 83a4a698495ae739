#ifndef HXFS_DAEMON_H
#define HXFS_DAEMON_H

/*
 * Becoming a daemon, and saying that one is ready.
 *
 * The process that was started waits until the mount answers and only then
 * ends, so whoever started it may use the mount, or has read why not.
 */
#include "base/err.h"

#include <stdbool.h>

/* Exit statuses of the program. */
#define HXFS_EXIT_OK 0
#define HXFS_EXIT_USAGE 1
#define HXFS_EXIT_SYSTEM 2
#define HXFS_EXIT_MOUNT 32

struct hxfs_daemon {
	int report; /* where the parent listens, or -1 */
	bool foreground;
};

/*
 * Leave the terminal and the parent, unless @foreground. Returns in the
 * daemon only; the parent ends with the status that is reported, after
 * looking whether @mountpoint answers if that is success.
 */
HXS_MUST_CHECK
int hxfs_daemon_begin(struct hxfs_daemon *d, bool foreground,
		      const char *mountpoint, struct hxs_err *err);

/* Success: the parent may end; standard streams go to /dev/null. */
void hxfs_daemon_ready(struct hxfs_daemon *d);

/* Failure: the reason has been printed. */
void hxfs_daemon_failed(struct hxfs_daemon *d, int status);

#endif
