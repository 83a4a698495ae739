#ifndef HXS_VERBS_VERIFY_H
#define HXS_VERBS_VERIFY_H

/* Reading and checking all of one snapshot. */
#include "base/err.h"
#include "store/content.h"
#include "store/store.h"
#include "verbs/progress.h"

struct hxs_verify_opts {
	unsigned threads; /* 0: one a processor */
	bool save; /* store the result; failing to is a warning */
	const struct hxs_listener *listener; /* may be NULL */
	/* Each fault; @path relative to the snapshot, "" for itself. */
	void (*fault)(const struct hxs_fault *fault, const char *path,
		      void *ctx);
	void *fault_ctx;
};

struct hxs_verify_report {
	uint64_t files, bytes; /* that were checked */
	uint64_t faults;
	bool foreign;
	double seconds;
	char first_fault[512]; /* "events/a.json: block at byte ...", or "" */
	bool saved; /* the result was stored */
	char unsaved[512]; /* why it could not be, or "" */
};

/*
 * Check every block of every file, every link, and that nothing unlisted is
 * there. 0 when all of it is right; -HXS_ECORRUPT when anything is wrong
 * (every fault was reported, @out is filled, the message counts them);
 * -HXS_ENOSUCH, -ECANCELED, -errno when it could not be checked. Never
 * writes to the snapshot; takes no lock that anybody waits for.
 */
HXS_MUST_CHECK
int hxs_verify(struct hxs_store *s, enum hxs_kind kind, const char *env,
	       const char *id, const struct hxs_verify_opts *opts,
	       struct hxs_verify_report *out, struct hxs_err *err);

#endif
