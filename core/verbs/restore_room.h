#ifndef HXS_VERBS_RESTORE_ROOM_H
#define HXS_VERBS_RESTORE_ROOM_H

/*
 * Whether there is room for what is to be written, asked before it is: a
 * restore that cannot succeed shall not fill the disk of a service that runs.
 * For restore*.c only.
 */
#include "base/err.h"
#include "store/store.h"

#include <stdint.h>

struct hxs_snapshot;

/* What is to be written to one file system. */
struct hxs_room {
	uint64_t unit; /* bytes: what every file takes a multiple of */
	uint64_t bytes, inodes;
};

/*
 * Begin with what is to be written where @fd lies. *@room is all 0, and stays
 * so, where nothing can be said before: a file system that clones, compresses
 * or is not here.
 */
void hxs_restore_room_begin(struct hxs_room *room, const struct hxs_store *s,
			    int fd);

/*
 * Add entry @top of @snap with all below it. Never too much: what the file
 * system needs for itself is not counted, nor files with holes, nor those of
 * a foreign snapshot, of which nobody knows whether they have some.
 */
void hxs_restore_room_add(struct hxs_room *room,
			  const struct hxs_snapshot *snap, uint32_t top);

/* -ENOSPC naming @path, with both figures, if that does not fit at @fd. */
HXS_MUST_CHECK
int hxs_restore_room_check(const struct hxs_room *room, int fd,
			   const char *path, struct hxs_err *err);

#endif
