#ifndef HXS_STORE_SWAP_H
#define HXS_STORE_SWAP_H

/*
 * Exchanging targets with what is staged for them, as a journal says, and
 * putting them back. Both can be done again after they were cut short: what
 * has which name is told by identity, and a name that has neither the old
 * nor the new file is left alone, with -HXS_ECORRUPT and a sentence.
 *
 * Nothing is journalled here: that is the caller's (verbs/restore.c).
 */
#include "store/journal.h"

#include <sys/stat.h>

/*
 * A handle on @t's place if it is still the directory it was: an fd, or
 * -HXS_ECORRUPT (another directory is there by now, or its file system is
 * not mounted), -errno.
 */
HXS_MUST_CHECK
int hxs_swap_open_place(const struct hxs_target *t, struct hxs_err *err);

/*
 * Give every name of @t its new file; what it displaces stays in the stage
 * directory. *@absent (may be NULL) grows by the seconds for which a live
 * name had no file, where exchange is not to be had. On failure some names
 * may have been given theirs: hxs_swap_back() undoes them.
 */
HXS_MUST_CHECK
int hxs_swap_forward(const struct hxs_target *t, double *absent,
		     struct hxs_err *err);

/* Give every name of @t its old file back; what was new is staged again. */
HXS_MUST_CHECK
int hxs_swap_back(const struct hxs_target *t, struct hxs_err *err);

/*
 * Make either durable, for all @count targets: every directory that has a
 * name in it, once.
 */
HXS_MUST_CHECK
int hxs_swap_sync(const struct hxs_target *targets, size_t count,
		  struct hxs_err *err);

/* The same for their places alone: what hxs_swap_clean() changes. */
HXS_MUST_CHECK
int hxs_swap_sync_places(const struct hxs_target *targets, size_t count,
			 struct hxs_err *err);

/*
 * Move what move 0 of adopted target @t displaced into directory @area_fd, as
 * its source. Moved already is success. Not durable before the file system
 * that both are on is synced as a whole, which hxs_staging_publish() does.
 */
HXS_MUST_CHECK
int hxs_swap_adopt(const struct hxs_target *t, int area_fd,
		   struct hxs_err *err);

/*
 * Under which name what move @move displaced is in the stage directory: 1, 0
 * when it is not there, -errno.
 */
HXS_MUST_CHECK
int hxs_swap_displaced(const struct hxs_target *t, size_t move, int stage_fd,
		       char name[32], struct hxs_err *err);

/*
 * Remove the stage directory and all in it. Absent is success. @ahead: after
 * it was swapped, not after it was put back.
 */
HXS_MUST_CHECK
int hxs_swap_clean(const struct hxs_target *t, bool ahead, struct hxs_err *err);

/*
 * Set the time that @fd was last changed to @time, where that is allowed: of
 * what a restore was not asked for nothing is to change. 0 or -errno.
 */
HXS_MUST_CHECK
int hxs_swap_keep_time(int fd, struct timespec time);

/* "new-N", what is staged for move @n. */
void hxs_swap_new_name(size_t n, char name[32]);

/* Names in the stage directory of a target whose contents are swapped. */
#define HXS_SWAP_OLD_SELF "self-old"
#define HXS_SWAP_NEW_SELF "self-new"

#endif
