#ifndef HXS_VERBS_RESTORE_H
#define HXS_VERBS_RESTORE_H

/*
 * Bringing an environment back to a snapshot (CONTRACT.md, section 6): staged
 * and verified beside the targets, a rollback point made, exchanged under a
 * journal, or not at all.
 */
#include "base/err.h"
#include "format/config.h"
#include "format/treecmp.h"
#include "format/until.h"
#include "store/store.h"
#include "verbs/hooks.h"
#include "verbs/progress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hxs_restore_opts {
	const struct hxs_config *config;
	const char *env; /* whose targets; the snapshot must be of it */
	enum hxs_kind kind; /* the snapshot: backup or rollback point, */
	const char *id; /* ... already resolved */
	/* Only these, each "SOURCE" or "SOURCE/PATH"; none: everything. */
	const char *const *paths;
	size_t path_count;
	/*
	 * Only the records up to this point, of sources that declare some;
	 * those that are said to have none come back whole. NULL: everything.
	 */
	const struct hxs_until *until;
	bool force; /* although processes use a target */
	/*
	 * The live state is to be given up, whatever comes to it meanwhile:
	 * databases that are written to are not refused for that.
	 */
	bool discards;
	bool confirmed; /* needed where the environment says confirm */
	/*
	 * Seconds in which it is to be confirmed: what there was is put back
	 * otherwise (verbs/confirm.h). 0: it is not.
	 */
	unsigned confirm_within;
	unsigned threads; /* 0: by the number of processors */
	const char *tool_version;
	const struct hxs_listener *listener; /* may be NULL */
};

/* What a restore to a point in time made of one source. */
struct hxs_restore_records {
	char source[HXS_ENV_MAX + 1]; /* the rule is one */
	bool whole; /* it has no records */
	bool stated; /* its own statements did it: only dropped, rows, counts */
	uint64_t kept, dropped; /* records */
	uint64_t cut, removed; /* files */
};

/* What became of a restore that was done. */
enum hxs_restore_outcome {
	HXS_RESTORE_DONE,
	HXS_RESTORE_UNCONFIRMED, /* and hxs_confirm_wait() is to be called */
	HXS_RESTORE_CONFIRMED,
	HXS_RESTORE_PUT_BACK, /* the old state is the live one again */
	HXS_RESTORE_TAKEN_BACK, /* likewise, by another command */
	HXS_RESTORE_NOT_PUT_BACK, /* that was tried, and failed */
};

struct hxs_confirm_wait; /* verbs/confirm.h */

struct hxs_restore_report {
	enum hxs_restore_outcome outcome; /* also when it failed */
	int64_t confirm_until; /* with confirm_within; else 0 */
	struct hxs_confirm_wait *pending; /* UNCONFIRMED */
	/* PUT_BACK: what had been restored, or "" if that is not kept; */
	char undo_id[HXS_ID_LEN + 1];
	struct hxs_after after_undo; /* ... and the hooks of putting back */
	char reference[HXS_REF_TEXT]; /* of the snapshot */
	char rollback_id[HXS_ID_LEN + 1]; /* "" if there was nothing to keep */
	uint64_t files, bytes; /* staged */
	double seconds, absent_seconds; /* in all; without a live path */
	struct hxs_after after; /* of the after_restore and health hooks */
	/* Of each source, with opts->until; on success, and the caller's. */
	struct hxs_restore_records *records;
	size_t record_count;
};
void hxs_restore_report_release(struct hxs_restore_report *rep);

/*
 * Restore, with the environment's hooks: before_restore when all is staged,
 * so that what they stop does not stand still for long; after_restore when it
 * is done, and also when it failed with before_restore begun, unless the
 * targets could not be put back; then health, if it is done, and on_failure
 * for any failure from when the environment is locked.
 *
 * If the environment says undo_on_failed_health, and they failed, then what
 * there was is put back at once: -HXS_EHOOK; -HXS_EAFTER if that failed, too.
 * With opts->confirm_within nothing is asked of them; that is hxs_confirm_wait()'s.
 *
 * Returns 0 when all targets are the snapshot's and that is durable, whatever
 * the hooks after it did; else nothing changed: -HXS_EHOOK (a before_restore
 * hook failed), -HXS_ECORRUPT (the snapshot or a database in it is
 * damaged: the message names it), -HXS_ENOSUCH (snapshot, path),
 * -HXS_ECONFIRM, -HXS_EDENIED (of another environment, lies in the store or
 * a mount, a parent others can write to), -HXS_EBUSY (locked, or processes
 * use a target: they are named; or an earlier one is not confirmed yet, and
 * this is not the rollback of it), -ENOSPC, -ECANCELED, -errno. Every message
 * ends by saying what was left as it was.
 *
 * With opts->until: -HXS_EUSAGE for a source that cannot be brought to a
 * point in time, or a log that cannot be cut (format/until.h), naming it. A
 * file that is cut is as of now; one all of whose records lie after the point
 * is not restored, nor is a directory that held nothing else (but one that
 * was not there, and was made for a path that was named).
 */
HXS_MUST_CHECK
int hxs_restore(struct hxs_store *s, const struct hxs_restore_opts *opts,
		struct hxs_restore_report *out, struct hxs_err *err);

/*
 * What it would do, from the index against the live files, none of which is
 * read if it looks unchanged: @fn is called in path order ("SOURCE/PATH");
 * ADDED is what the restore would add. Changes nothing; takes no lock. Not for
 * opts->until.
 */
HXS_MUST_CHECK
int hxs_restore_plan(struct hxs_store *s, const struct hxs_restore_opts *opts,
		     hxs_treecmp_fn fn, void *ctx, struct hxs_err *err);

/*
 * Write the snapshot, or only opts->paths of it, verified, into directory
 * @dir: made if missing (for its owner alone), else it must be empty
 * (-ENOTEMPTY); not in the store or on a mount of backups (-HXS_EDENIED).
 * It gets SOURCE/... as the snapshot has it, without what describes the
 * snapshot. Hard links come back among what is below one source, or one of
 * the paths. Databases are brought back as they were, not checked by SQLite.
 *
 * Takes no lock and changes nothing else, and @dir only when all of it is
 * durable. out->rollback_id stays empty.
 */
HXS_MUST_CHECK
int hxs_restore_to(struct hxs_store *s, const struct hxs_restore_opts *opts,
		   const char *dir, struct hxs_restore_report *out,
		   struct hxs_err *err);

#endif
