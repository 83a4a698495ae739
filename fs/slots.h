#ifndef HXFS_SLOTS_H
#define HXFS_SLOTS_H

/*
 * Snapshots in memory: loaded when first needed, kept while used, dropped the
 * least recently used first when all together exceed the budget.
 */
#include "fs/hxfs.h"

/* A failed load is tried again after this many seconds. */
#define HXFS_RETRY_SECONDS 5.0
/* One that failed for want of memory or descriptors, which may be back. */
#define HXFS_SHORTAGE_SECONDS 0.5

/*
 * Pin slot @number and have its snapshot in memory: until hxfs_slots_leave()
 * (*@out)->snap stays. Loading happens outside every lock; who asks meanwhile
 * waits for it.
 *
 * -EAGAIN if it would have to wait and @patience is HXFS_NOW; -ESTALE when there
 * is no such snapshot any more; -HXS_ECORRUPT or -errno when it cannot be
 * loaded: the reason is kept and in @err, a new attempt is made only after
 * HXFS_RETRY_SECONDS. When we lack something it does not count as damaged.
 */
HXS_MUST_CHECK
int hxfs_slots_enter(struct hxfs *fs, uint32_t number,
		     enum hxfs_patience patience, struct hxfs_slot **out,
		     struct hxs_err *err);
void hxfs_slots_leave(struct hxfs *fs, struct hxfs_slot *s);

/*
 * Whether the loaded and pinned @s no longer lies where it did: who removes a
 * snapshot takes its name away first, so what it lacks then is no damage.
 */
bool hxfs_slots_is_removed(struct hxfs *fs, const struct hxfs_slot *s);

/* Whether status @r says what we lack, nothing of the snapshot. */
bool hxfs_slots_is_shortage(int r);

/* Count its memory anew: it grew. The slot is pinned. */
void hxfs_slots_recount(struct hxfs *fs, struct hxfs_slot *s);

/* Drop what is loaded of snapshots that have gone from the store. */
void hxfs_slots_sweep(struct hxfs *fs);

/* Drop everything; nothing is pinned. */
void hxfs_slots_release(struct hxfs *fs);

/*
 * Files of a loaded snapshot that its manifest does not list, counted at the
 * first call and remembered. -errno; the slot is pinned.
 */
int64_t hxfs_slots_unlisted(struct hxfs *fs, struct hxfs_slot *s);

#endif
