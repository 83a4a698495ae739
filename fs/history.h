#ifndef HXFS_HISTORY_H
#define HXFS_HISTORY_H

/*
 * ENV/.history: what a path has been, over all backups of an environment.
 *
 * The tree below it is the union of theirs. Each name is a directory: of what
 * was a directory in any backup it holds the names that were in it; of what
 * was a file or a link, the ids of the backups in which a version of it, as
 * `hxsnap log` tells them, came up. Such an id is that very entry of that
 * backup, the same node that ENV/ID/PATH is: so all that holds for reading a
 * snapshot holds here.
 *
 * Nothing is made before it is asked for. Then all backups are looked into,
 * one after another, for one directory: its trail. Trails are kept, within
 * bounds, until a backup comes or goes.
 *
 * Unlike other nodes' numbers those of paths do not say all there is to know.
 * Which path one means is remembered as long as the kernel does.
 */
#include "fs/nodes.h"

HXS_MUST_CHECK
int hxfs_history_new(struct hxfs_history **out);
void hxfs_history_free(struct hxfs_history *h); /* takes NULL */

/*
 * As hxfs_stat(), hxfs_lookup() and hxfs_list() for nodes of kind HISTORY and
 * TRAIL; -EINPROGRESS where a trail must be made and @patience is less than
 * HXFS_HASH. What is not there is -ENOENT only if every backup could be looked
 * into, else as hxfs_slots_enter().
 */
HXS_MUST_CHECK
int hxfs_history_stat(struct hxfs *fs, uint64_t ino,
		      enum hxfs_patience patience, struct stat *st,
		      struct hxs_err *err);
HXS_MUST_CHECK
int hxfs_history_lookup(struct hxfs *fs, uint64_t dir, const char *name,
			enum hxfs_patience patience, struct hxfs_found *out,
			struct hxs_err *err);
HXS_MUST_CHECK
int hxfs_history_list(struct hxfs *fs, uint64_t dir, uint64_t from,
		      enum hxfs_patience patience, hxfs_emit_fn emit, void *ctx,
		      struct hxs_err *err);

/* The kernel remembers @ino, of any kind, @times fewer times. */
void hxfs_history_forget(struct hxfs *fs, uint64_t ino, uint64_t times);

/*
 * Take the number of a directory of @env's that was listed since the last
 * time, so that the kernel may have the listing; 0 if there is none. That of
 * .history itself is not told.
 */
uint64_t hxfs_history_unlist(struct hxfs *fs, uint32_t env);

#endif
