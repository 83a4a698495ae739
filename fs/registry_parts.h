#ifndef HXFS_REGISTRY_PARTS_H
#define HXFS_REGISTRY_PARTS_H

/* What fs/registry.c and fs/scan.c share. All with fs->lock held. */
#include "fs/hxfs.h"

struct hxfs_merge {
	struct hxfs *fs;
	struct hxfs_env *env;
	enum hxs_kind kind;
	uint64_t before; /* generation when the listing began */
	bool quiet; /* the kernel cannot know this area yet */
	bool changed;
};

/*
 * Make @a hold the snapshots @sec[0..@n), ascending. On -ENOMEM what could
 * not be added is missing; the next listing adds it.
 */
HXS_MUST_CHECK
int hxfs_registry_merge(struct hxfs_merge *m, struct hxfs_area *a,
			const int64_t *sec, size_t n);

/*
 * Snapshots came or went: put down that the links which follow @kind, and the
 * listing, have changed.
 */
void hxfs_registry_note_moved(struct hxfs *fs, uint32_t env,
			      enum hxs_kind kind);

/* An environment of this name, present or not; NULL. */
struct hxfs_env *hxfs_registry_find_any(struct hxfs *fs, const char *name);

HXS_MUST_CHECK
int hxfs_registry_env_new(struct hxfs *fs, const char *name,
			  struct hxfs_env **out);

/* It is no longer in the store. */
void hxfs_registry_env_leave(struct hxfs *fs, struct hxfs_env *e);

#endif
