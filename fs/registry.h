#ifndef HXFS_REGISTRY_H
#define HXFS_REGISTRY_H

/*
 * What is in the store: environments, and the slots of their snapshots. Each
 * change found is put down for the notifier (fs/notes.h).
 */
#include "fs/hxfs.h"

/* Ask the store for its environments, and for the snapshots of new ones. */
HXS_MUST_CHECK
int hxfs_registry_scan(struct hxfs *fs, struct hxs_err *err);

/* Ask the store for @env's snapshots and newest verified one. */
HXS_MUST_CHECK
int hxfs_registry_scan_env(struct hxfs *fs, uint32_t env, struct hxs_err *err);

/* Ask the store which backup of @env is the newest verified one. */
void hxfs_registry_scan_verified(struct hxfs *fs, uint32_t env);

/*
 * The slot of snapshot @seconds of @env, whose directory is @st; a new one if
 * it was not heard of, is another directory than before, or was written anew
 * where it lies, which foreign ones can be. Its number, or -ENOMEM, -ENOSPC.
 */
HXS_MUST_CHECK
int64_t hxfs_registry_meet(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
			   int64_t seconds, const struct stat *st);

/* Whether the store has a directory for environment @name, known or not. */
bool hxfs_registry_there(struct hxfs *fs, const char *name);

/* Whether our tables have this snapshot. */
bool hxfs_registry_knows(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
			 int64_t seconds);

/* With fs->lock held: the environment, or NULL if it is not in the store. */
struct hxfs_env *hxfs_registry_env(struct hxfs *fs, uint32_t number);
struct hxfs_env *hxfs_registry_find(struct hxfs *fs, const char *name);

/* With fs->lock held: the target's seconds, or HXFS_NO_TIME. */
int64_t hxfs_registry_link(struct hxfs *fs, uint32_t env, enum hxfs_link link);

/* With fs->lock held: the slot, or NULL. */
struct hxfs_slot *hxfs_registry_slot(struct hxfs *fs, uint32_t number);

/* With fs->lock held: the first place in @a with seconds >= @seconds. */
size_t hxfs_registry_place(const struct hxfs_area *a, int64_t seconds);

/* With fs->lock held: forget a slot that is gone and without pins. */
void hxfs_registry_drop(struct hxfs *fs, struct hxfs_slot *s);

void hxfs_registry_release(struct hxfs *fs);

static inline struct hxfs_area *hxfs_env_area(struct hxfs_env *e,
					      enum hxs_kind kind)
{
	return &e->area[kind == HXS_ROLLBACK];
}

#endif
