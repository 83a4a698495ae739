#ifndef HXS_SOURCE_APART_H
#define HXS_SOURCE_APART_H

/*
 * A source and the store must lie apart, or a backup would hold itself, and
 * a restore destroy what it restores from. The store's own parts (backups,
 * rollbacks, .hxsnap) are meant, so that a store may share its directory
 * with live data that lie beside them.
 */
#include "base/err.h"
#include "source/capture.h"
#include "store/store.h"

#include <stdbool.h>

/* Note which directories are the store's, for hxs_capture_is_own(). */
HXS_MUST_CHECK
int hxs_apart_note(struct hxs_capture *cap, const struct hxs_store *s,
		   struct hxs_err *err);

enum hxs_apart {
	HXS_APART,
	HXS_APART_MOUNT, /* on a mount of backups */
	HXS_APART_INSIDE, /* it is or lies in a part of the store */
	HXS_APART_AROUND, /* the store lies in it */
};

/*
 * Where directory @fd lies, an enum hxs_apart; for a @single file in that
 * directory it is never AROUND. -errno without a message.
 */
HXS_MUST_CHECK
int hxs_apart_look(const struct hxs_capture *cap, int fd, bool single);

/*
 * Refuse source @name, whose directory is open as @fd, with -HXS_EDENIED: if
 * it is or lies in a part of the store, if the store lies in it (unless it is
 * a @single file in that directory), if it is on a mount of backups.
 */
HXS_MUST_CHECK
int hxs_apart_check(const struct hxs_capture *cap, const char *name, int fd,
		    bool single, struct hxs_err *err);

#endif
