#ifndef HXS_VERBS_RECOVER_H
#define HXS_VERBS_RECOVER_H

/*
 * Finishing or undoing what a crash interrupted. Every command, and the mount
 * when it starts, does this before anything else.
 */
#include "base/err.h"
#include "format/config.h"
#include "store/store.h"

#include <stdbool.h>

struct hxs_recover_report {
	unsigned finished, undone; /* restores */
	unsigned busy; /* under way: held by a living process */
	unsigned removed; /* unfinished snapshots and stagings */
};

/* Whether anything waits for recovery: a cheap look, without a lock. */
bool hxs_recover_needed(const struct hxs_store *s);

/*
 * Recover environment @env, or with NULL every environment of the store.
 * Takes each one's lock; one that is held is counted as busy and left.
 * @config tells where systems are (source/system.h): NULL, or one that knows
 * nothing of @env, and a restore of theirs waits for one that does.
 * Idempotent. -errno or -HXS_ECORRUPT (a journal that is damaged, or targets
 * that are neither the old nor the new ones: nothing was changed then, the
 * message says what a person should look at).
 */
HXS_MUST_CHECK
int hxs_recover(struct hxs_store *s, const struct hxs_config *config,
		const char *env, struct hxs_recover_report *out,
		struct hxs_err *err);

/* The same for @env whose lock the caller holds. */
HXS_MUST_CHECK
int hxs_recover_locked(struct hxs_store *s, const struct hxs_config *config,
		       const char *env, struct hxs_recover_report *out,
		       struct hxs_err *err);

#endif
