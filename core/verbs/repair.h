#ifndef HXS_VERBS_REPAIR_H
#define HXS_VERBS_REPAIR_H

/*
 * Putting back damaged or missing files of a snapshot from another copy of
 * them. What is right is never touched, and nothing is believed but the
 * manifest: a file of the copy is hashed as it is taken over, beside the
 * snapshot, and takes the damaged one's place in one step if it is the one
 * that is listed.
 */
#include "base/err.h"
#include "store/store.h"
#include "verbs/progress.h"

#include <stdint.h>

struct hxs_repair_opts {
	const struct hxs_listener *listener; /* may be NULL */
	/* Each file with what became of it: 0, or why it was not put back. */
	void (*file)(const char *path, int r, const char *why, void *ctx);
	void *ctx;
};

struct hxs_repair_report {
	uint64_t damaged, repaired; /* files */
	uint64_t left; /* faults that a verify found afterwards */
};

/*
 * Repair a snapshot from the directory @from, which is laid out as one, under
 * the environment's lock. 0 when all of it is right now, also if it was before;
 * -HXS_ECORRUPT when something is left, or when manifest or index themselves
 * are damaged: then nothing tells what is right. -HXS_ENOSUCH, -HXS_EBUSY,
 * -ECANCELED, -errno. The result is recorded as verify's.
 */
HXS_MUST_CHECK
int hxs_repair(struct hxs_store *s, enum hxs_kind kind, const char *env,
	       const char *id, int from, const struct hxs_repair_opts *opts,
	       struct hxs_repair_report *out, struct hxs_err *err);

#endif
