#ifndef HXS_BASE_PROC_LEFT_H
#define HXS_BASE_PROC_LEFT_H

/*
 * Ending a program (base/proc.h) that somebody else started, and left behind
 * when it was killed. A number alone names no process: it may be another's by
 * now. So it goes by the time at which the process was started, too; and
 * where that one has ended, and others of its process group have not, by what
 * they were given as environment. Of the group, if there is none of whom that
 * can be told, it is only told from another by its session: as long as it
 * lasts, what it is stays open.
 *
 * What has left the group, as a service does that the program started, is
 * none of it. Nor can be seen what runs on another machine, or out of this
 * pid namespace.
 */
#include "base/cleanup.h"

#include <stdint.h>
#include <sys/types.h>

struct hxs_proc_left {
	pid_t session; /* that of who started it, and its own */
	pid_t pid; /* which leads its group; 0: that is not known, */
	uint64_t start; /* ... and it was not started before this */
	/* "NAME=value", NULL-terminated: what all of it was given. */
	const char *const *env;
};

/*
 * When child @pid, which was not waited for yet, was started, or with 0 what
 * time it is now, as the kernel counts it. 0 or -errno.
 */
HXS_MUST_CHECK
int hxs_proc_left_start(pid_t pid, uint64_t *out);

/*
 * What tells this boot and pid namespace from all others: where numbers of
 * processes mean the same. 0 or -errno.
 */
#define HXS_PROC_LEFT_PLACE 80
HXS_MUST_CHECK
int hxs_proc_left_place(char out[HXS_PROC_LEFT_PLACE]);

/*
 * End what is left of it, as a time limit does (base/proc.h), and wait until
 * it has ended: 0, also if there was nothing. -HXS_EBUSY when some of it,
 * process *@still, goes on after a while: it may not be ended by us, or
 * cannot be, or it is not to be known whether it is of it. -errno when nothing
 * can be told.
 */
HXS_MUST_CHECK
int hxs_proc_left_end(const struct hxs_proc_left *left, pid_t *still);

#endif
