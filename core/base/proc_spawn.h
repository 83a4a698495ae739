#ifndef HXS_BASE_PROC_SPAWN_H
#define HXS_BASE_PROC_SPAWN_H

/* How a child comes into being. For proc.c only. */
#include "base/proc.h"

#include <sys/types.h>

/*
 * A pipe whose ends are none of the three standard descriptors; nobody waits
 * who reads from it. Both are the caller's, whatever is returned.
 */
HXS_MUST_CHECK
int hxs_proc_spawn_pipe(int *rd, int *wr);

/* The same, with a writing end that can be read from. */
HXS_MUST_CHECK
int hxs_proc_spawn_words(int *rd, int *wr);

/*
 * Start it, with standard output to @out and standard error to @words, or to
 * /dev/null for -1. -errno without a message.
 */
HXS_MUST_CHECK
int hxs_proc_spawn(const struct hxs_proc_opts *opts, int out, int words,
		   pid_t *pid);

#endif
