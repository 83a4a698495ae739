#ifndef HXS_VERBS_RESTORE_PICK_H
#define HXS_VERBS_RESTORE_PICK_H

/* Which entries of a snapshot a restore is about. For restore*.c only. */
#include "base/err.h"
#include "store/snapshot.h"
#include "verbs/restore.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hxs_restore_pick {
	uint32_t *entries; /* ascending, none below another */
	size_t count;
	bool all; /* nothing was named: every source */
};
#define HXS_RESTORE_PICK_INIT   \
	{                       \
		.entries = NULL \
	}
void hxs_restore_pick_release(struct hxs_restore_pick *p);
#define HXS_AUTO_PICK __attribute__((cleanup(hxs_restore_pick_release)))

/*
 * Find the entries that @paths name, each "SOURCE" or "SOURCE/PATH" (a slash
 * at the end does no harm); with none of them, everything in the snapshot's
 * directory but what describes the snapshot itself. -HXS_ENOSUCH,
 * -HXS_EUSAGE for what can be no path, -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_restore_pick(const struct hxs_snapshot *snap, const char *const *paths,
		     size_t path_count, struct hxs_restore_pick *out,
		     struct hxs_err *err);

/* How many files and bytes that is, hard links counted once. */
void hxs_restore_pick_count(const struct hxs_snapshot *snap,
			    const struct hxs_restore_pick *pick,
			    uint64_t *files, uint64_t *bytes);

/*
 * Open the snapshot that @opts names, keep it from being removed, find what
 * its paths name and check that all of that is listed. *@snap and *@out are
 * the caller's, even on failure.
 */
HXS_MUST_CHECK
int hxs_restore_open(struct hxs_store *s, const struct hxs_restore_opts *opts,
		     struct hxs_snapshot **snap, struct hxs_restore_pick *out,
		     struct hxs_err *err);

/*
 * Refuse a snapshot that holds, in what was picked, files which its manifest
 * does not list: -HXS_ECORRUPT naming the first; -errno.
 */
HXS_MUST_CHECK
int hxs_restore_pick_check(const struct hxs_snapshot *snap,
			   const struct hxs_restore_pick *pick,
			   struct hxs_err *err);

#endif
