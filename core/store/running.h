#ifndef HXS_STORE_RUNNING_H
#define HXS_STORE_RUNNING_H

/*
 * Which program runs for a source: STORE/.hxsnap/running/ENV.SOURCE, as long
 * as it does. It may go on when the process that started it was killed; who
 * comes next ends it before anything else is run for that source.
 *
 * One line "hxsnap-running 2 EVENT PID SESSION START PLACE INPUT": what it was
 * started for, as what and when and where (base/proc_left.h; PID 0: it was
 * about to be), and the path in the store of what it reads from, or "-".
 *
 * It need not outlast a crash of the machine, which ends the program, and is
 * not made durable. It is written before there is a number to write, and in
 * place then, which a full disk does not keep from being done.
 */
#include "base/err.h"
#include "store/store.h"

#include <sys/types.h>

struct hxs_running;

/*
 * End what was left behind of a program for @source of @env. @given is what
 * it was given of its environment, as in struct hxs_proc_left. 0 when nothing
 * of it runs any more; -HXS_EBUSY when it does; -HXS_EDENIED when others may
 * write to the record; -errno. With @env's lock held.
 */
HXS_MUST_CHECK
int hxs_running_settle(struct hxs_store *s, const char *env, const char *source,
		       const char *const *given, struct hxs_err *err);

/*
 * Say that a program is about to be started, for @event ("restore"), which is
 * to read from @fd, a file of the store at @input (NULL: nothing of it).
 */
HXS_MUST_CHECK
int hxs_running_begin(struct hxs_store *s, const char *env, const char *source,
		      const char *event, const char *input, int fd,
		      struct hxs_running **out, struct hxs_err *err);

/* Say that it was, as @pid, a child that was not waited for yet. */
HXS_MUST_CHECK
int hxs_running_started(struct hxs_running *r, pid_t pid, struct hxs_err *err);

/* It has ended well: nothing is said any more. */
void hxs_running_ended(struct hxs_running *r);

/* Say nothing more; what was said stays, unless it has ended well. */
void hxs_running_free(struct hxs_running *r); /* takes NULL */
HXS_AUTO_DEFINE(running, struct hxs_running *, hxs_running_free)

#endif
