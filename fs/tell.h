#ifndef HXFS_TELL_H
#define HXFS_TELL_H

/*
 * Telling the kernel what has changed.
 *
 * These calls may wait for a client that holds a directory while its request
 * is being answered: so only from a thread that answers none, and holding no
 * lock. Then that always ends.
 */
#include "fs/mount.h"

/*
 * Tell it all that was put down (fs/notes.h). Returns when all of it was
 * told, be it by another thread.
 */
void hxfs_tell_notes(struct hxfs_mount *m);

#endif
