#ifndef HXFS_LOAD_H
#define HXFS_LOAD_H

/* Opening a snapshot for a slot: is it still the one it was? */
#include "fs/hxfs.h"

/* What a load works on: copies, since it runs without the lock. */
struct hxfs_load {
	enum hxs_kind kind;
	const char *env; /* an environment's name stays for ever */
	char id[HXS_ID_LEN + 1];
	dev_t dev;
	ino_t ino;
	bool met;
	bool changed; /* it is another snapshot than the slot stands for */
	struct hxfs_past past; /* found so far; its reason is not ours */
	struct hxs_snapshot *snap;
	size_t bytes;
};

/*
 * Open and check the snapshot, without a lock. On success @j->snap is the
 * caller's. -ESTALE when it is another one than before; else as
 * hxs_snapshot_open().
 */
HXS_MUST_CHECK
int hxfs_load(struct hxfs *fs, struct hxfs_load *j, struct hxs_err *err);

#endif
