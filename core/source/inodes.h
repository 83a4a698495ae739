#ifndef HXS_SOURCE_INODES_H
#define HXS_SOURCE_INODES_H

/* Which inodes were met already, and as what. */
#include "base/cleanup.h"

#include <stddef.h>
#include <sys/types.h>

struct hxs_inodes {
	struct hxs_inodes_slot *slots;
	size_t count, cap; /* cap: 0 or a power of two */
};

void hxs_inodes_release(struct hxs_inodes *m);

/*
 * 1 with *@first what was given for this inode when it was met first; 0 when
 * that is now, and @as is kept. -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_inodes_meet(struct hxs_inodes *m, dev_t dev, ino_t ino, size_t as,
		    size_t *first);

#endif
