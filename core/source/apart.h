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

/*
 * Refuse source @name, whose directory is open as @fd, with -HXS_EDENIED: if
 * it is or lies in a part of the store, if the store lies in it (unless it is
 * a @single file in that directory), if it is on a mount of backups.
 */
HXS_MUST_CHECK
int hxs_apart_check(const struct hxs_capture *cap, const char *name, int fd,
		    bool single, struct hxs_err *err);

#endif
