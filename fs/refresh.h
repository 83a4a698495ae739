#ifndef HXFS_REFRESH_H
#define HXFS_REFRESH_H

/*
 * Attributes that reading makes stale.
 *
 * On a mount that can be written the kernel takes every read that reaches us
 * for a change of the file's time of access, and asks for its attributes
 * before it shows them again: one request for each file of a tree that was
 * read, and looked at once more. A listing brings the attributes of a whole
 * directory in a few requests, but is itself cached. So when files of a
 * directory were read, the kernel is told to drop its listing.
 */
#include "fs/hxfs.h"

/* Of entry @n of the pinned slot @s bytes were read. Never blocks. */
void hxfs_refresh_read(struct hxfs *fs, struct hxfs_slot *s, uint32_t n);

/*
 * Directory @dir of the pinned slot @s is about to be listed from the
 * beginning, or has been to its end. Never blocks.
 */
void hxfs_refresh_begun(struct hxfs *fs, struct hxfs_slot *s, uint32_t dir);
void hxfs_refresh_listed(struct hxfs *fs, struct hxfs_slot *s, uint32_t dir);

#endif
