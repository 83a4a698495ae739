#ifndef HXS_VERBS_REPAIR_H
#define HXS_VERBS_REPAIR_H

/*
 * Putting back damaged or missing files of a snapshot from other copies of
 * them. What is right is never touched, and nothing is believed but the
 * manifest: a copy is hashed as it is taken over, beside the snapshot, and
 * takes the damaged one's place in one step if it is the one that is listed.
 *
 * Copies are looked for in a directory that was named, then in the other
 * snapshots of the environment, the nearest in time first, in this one itself,
 * and in those of other environments, the newest first; in each at the same
 * path, then wherever its index has the same digest. Indexes are opened one at
 * a time. A copy that is at the same path in the same environment, and is the
 * same in all its attributes, is hard-linked, as create does; any other is
 * copied.
 */
#include "base/err.h"
#include "store/store.h"
#include "verbs/progress.h"

#include <stdint.h>

/* What became of one entry. */
struct hxs_repair_outcome {
	const char *path;
	bool repaired;
	const char *why; /* it was not, else NULL */
	/* The snapshot that had it; NULL: the directory named, or none. */
	const char *from;
	const char *from_path; /* its path there; NULL: made by the index */
};

struct hxs_repair_opts {
	const struct hxs_listener *listener; /* may be NULL */
	void (*file)(const struct hxs_repair_outcome *o, void *ctx);
	/*
	 * @files of what was damaged are hard links of what @reference, too,
	 * has there: it is damaged as before.
	 */
	void (*shared)(const char *reference, uint64_t files, void *ctx);
	void *ctx;
};

struct hxs_repair_report {
	uint64_t damaged, repaired; /* files, directories and links */
	uint64_t left; /* faults that a verify found afterwards */
	uint64_t shared; /* snapshots that share what was damaged */
};

/*
 * Repair a snapshot, under the environment's lock, from the directory @from,
 * laid out as one, unless that is -1, and from the store's snapshots. 0 when
 * all of it is right now, also if it was before; -HXS_ECORRUPT when something
 * is left, or when manifest or index themselves are damaged: then nothing
 * tells what is right. -HXS_ENOSUCH, -HXS_EBUSY, -ECANCELED, -errno. The
 * result is recorded as verify's.
 */
HXS_MUST_CHECK
int hxs_repair(struct hxs_store *s, enum hxs_kind kind, const char *env,
	       const char *id, int from, const struct hxs_repair_opts *opts,
	       struct hxs_repair_report *out, struct hxs_err *err);

#endif
