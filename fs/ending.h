#ifndef HXFS_ENDING_H
#define HXFS_ENDING_H

/*
 * The end of a mount. Work that does not end, because the store's disk does
 * not answer, must keep alive neither a daemon that was told to end nor its
 * mount.
 */
#include "fs/mount.h"

/*
 * Must not be freed once it has hurried: a thread has it until the process
 * ends. NULL without memory.
 */
struct hxfs_ending *hxfs_ending_new(void);

/* The session of @m was mounted just now. */
void hxfs_ending_mounted(struct hxfs_ending *e, struct hxfs_mount *m);

/* Unmount it, once; it is not used any more from then on. */
void hxfs_ending_unmount(struct hxfs_ending *e);

/* Give what is under way a few seconds; then unmount, and end the process. */
void hxfs_ending_hurry(struct hxfs_ending *e);

#endif
