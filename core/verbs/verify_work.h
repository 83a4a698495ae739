#ifndef HXS_VERBS_VERIFY_WORK_H
#define HXS_VERBS_VERIFY_WORK_H

/* How one verify is spread over its workers. For verify*.c only. */
#include "store/snapshot.h"
#include "verbs/verify.h"

#include <pthread.h>

struct hxs_verify_large;

struct hxs_verify_run {
	struct hxs_snapshot *snap;
	const struct hxs_verify_opts *opts;
	struct hxs_verify_report *report;
	pthread_mutex_t lock; /* guards all below, and the callbacks */
	int64_t next; /* the next entry to look at, -1 at the end */
	struct hxs_verify_large *large; /* those with ranges to hand out */
	unsigned opening; /* workers that are about to add one */
	pthread_cond_t opened;
	struct hxs_progress progress;
	int status;
	struct hxs_err *err;
};

/*
 * Whether -errno @r says that something could not be looked at by this
 * process, and nothing about what is stored.
 */
bool hxs_verify_is_ours(int r);

/* One worker: returns when nothing is left to check. @arg is the run. */
void hxs_verify_work(void *arg);

/* Close the files that a stopped run left open. */
void hxs_verify_close_large(struct hxs_verify_run *run);

/* Count and pass on one fault; the lock is held, or there are no workers. */
void hxs_verify_report_fault(struct hxs_verify_run *run,
			     const struct hxs_fault *fault, const char *path);

#endif
