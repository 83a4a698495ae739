#ifndef HXFS_CONTROL_LIMIT_H
#define HXFS_CONTROL_LIMIT_H

/*
 * How often what changed nothing is put on record. Whoever may write to a
 * control file could otherwise fill the disk with refusals. A token bucket:
 * so many at once, then one a second; what is left out is counted.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HXFS_LIMIT_BURST 100.0
#define HXFS_LIMIT_RATE 1.0 /* a second */

struct hxfs_limit {
	double used; /* tokens that are not there again yet */
	double then; /* hxs_clock_ticks() of that */
	uint64_t left_out; /* since the last one that was let through */
	uid_t uid; /* of the last of them */
	pid_t pid;
};

/*
 * Whether one more is to be recorded at the time @now, which is never set
 * back. If not, it counts as left out.
 */
bool hxfs_limit_take(struct hxfs_limit *l, double now, uid_t uid, pid_t pid);

#endif
