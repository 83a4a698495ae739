#ifndef HXS_VERBS_RESTORE_DIR_H
#define HXS_VERBS_RESTORE_DIR_H

/*
 * The directory that `restore --to` writes to. For restore*.c only.
 *
 * All of it is made under a hidden name, and when it is durable renamed: in
 * the place of a directory that is not there yet, or into one that is, which
 * is somebody's own, with a mode and perhaps a mount on it. Until then nothing
 * else has changed.
 */
#include "base/err.h"
#include "base/path.h"
#include "store/store.h"

#include <stdbool.h>

struct hxs_restore_dir {
	const char *dir; /* as the caller spells it; borrowed */
	int place; /* where the hidden directory is: @dir, or its parent */
	char name[HXS_NAME_MAX + 1]; /* of @dir in that; "" if it is there */
	char work[64]; /* the hidden directory, "" once it is none */
	int fd; /* that */
	bool published;
};
#define HXS_RESTORE_DIR_INIT          \
	{                             \
		.place = -1, .fd = -1 \
	}

/*
 * Look at @dir, which must be empty or missing, and make the hidden directory
 * d->fd. -HXS_EUSAGE, -HXS_EDENIED (it would be in store @s or on a mount of
 * backups), -ENOTEMPTY, -errno. Call one of the others in any case.
 */
HXS_MUST_CHECK
int hxs_restore_dir_open(struct hxs_store *s, const char *dir,
			 struct hxs_restore_dir *d, struct hxs_err *err);

/* Make what is in d->fd durable and give it its name. */
HXS_MUST_CHECK
int hxs_restore_dir_publish(struct hxs_restore_dir *d, struct hxs_err *err);

/* Remove what was not published; @r, with a word on that in @err. */
int hxs_restore_dir_drop(struct hxs_restore_dir *d, int r, struct hxs_err *err);
void hxs_restore_dir_close(struct hxs_restore_dir *d);

#endif
