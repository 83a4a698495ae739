#ifndef HXS_SOURCE_STAGE_H
#define HXS_SOURCE_STAGE_H

/*
 * Bringing stored entries back: a verified copy of a snapshot's entry, with
 * all that belongs to it, under a name where nothing is yet. A restore stages
 * beside its target with this; `restore --to` writes elsewhere with it.
 */
#include "base/err.h"
#include "base/pool.h"
#include "source/capture.h"
#include "store/content.h"
#include "store/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

struct hxs_stage {
	struct hxs_snapshot *snap; /* borrowed */
	struct hxs_pool *pool; /* borrowed; NULL: on this thread alone */
	struct hxs_capture_ears ears;
	bool trial; /* what is staged is for hxs_stage_check() alone */
	/* The first damage that was met, when the result is -HXS_ECORRUPT. */
	struct hxs_fault fault;
	uint64_t files, bytes; /* written so far, hard links counted once */
	uint64_t databases; /* found to be whole by hxs_stage_check() so far */
};

/*
 * Write entry @entry of the snapshot, a directory with all below it, a
 * regular file or a symbolic link, as @name in @dirfd, where nothing of that
 * name may be. Every byte goes through the one door (store/content.h): what
 * was hashed is what is written; where the file system can clone, the clone
 * is made and its own bytes are hashed.
 *
 * It comes back exact: mode with set-id bits, owner and group (as root; an
 * ordinary user gets its own), nanosecond times, link targets, extended
 * attributes, ACLs and file capabilities, hard links among what is written,
 * holes, empty directories, and the WAL mode of a database that had it.
 * Until a file or directory has its own attributes nobody else may enter it.
 * An attribute this user or file system cannot have is a warning, one a
 * call, that counts them and names the first.
 *
 * Nothing is made durable: that is the caller's, by one syncfs(2). On failure
 * what was written is left for the caller to remove.
 *
 * -HXS_ECORRUPT naming the entry (damaged, missing, of wrong size or type),
 * -ECANCELED, -EEXIST, -ENOSPC and other -errno with the path.
 */
HXS_MUST_CHECK
int hxs_stage_entry(struct hxs_stage *s, uint32_t entry, int dirfd,
		    const char *name, struct hxs_err *err);

/*
 * Give directory @fd, made for entry @entry by the caller and filled, the
 * attributes of that entry. Errors and warning as above.
 */
HXS_MUST_CHECK
int hxs_stage_attributes(struct hxs_stage *s, uint32_t entry, int fd,
			 struct hxs_err *err);

/* Forget the ACLs @fd inherited from the directory it was made in. -errno. */
HXS_MUST_CHECK
int hxs_stage_disown(int fd);

/*
 * Check what was staged as @name in @dirfd as its kind of source can: every
 * SQLite database in it is whole by SQLite's own integrity_check, read only,
 * so that neither bytes nor times change. -HXS_ECORRUPT naming the first that
 * is not; a database that cannot be checked (a missing collation, an
 * encrypted one, one with a -wal beside it) is a warning. In a trial what lies
 * beside a database is applied to it, and one that SQLite takes for none is
 * damaged: see hxs_sqlite_try().
 */
HXS_MUST_CHECK
int hxs_stage_check(struct hxs_stage *s, uint32_t entry, int dirfd,
		    const char *name, struct hxs_err *err);

#endif
