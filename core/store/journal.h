#ifndef HXS_STORE_JOURNAL_H
#define HXS_STORE_JOURNAL_H

/*
 * The durable record of one restore under way: STORE/.hxsnap/journal/ENV. It
 * says all that is needed to undo or to finish it, and lives as long as there
 * is anything to undo or to finish.
 *
 * One line "hxsnap-journal 2 LENGTH SHA256", then LENGTH bytes of JSON with
 * that digest (1 instead of 2: of a version that knew of no systems).
 * Replaced whole (hxs_io_publish), never changed in place: what is read is a
 * complete record or damage.
 *
 *	staging	  what is staged beside the targets may be there; all of it
 *		  is to be removed
 *	intent	  targets may have been exchanged; they are to be put back
 *	committed all targets were exchanged; what is left is tidying up
 *
 * Files are told by inode number, time of birth and type, never by name. The
 * times that directories were last changed are noted too: a rename changes
 * them, and whoever finishes or undoes it sets them right.
 */
#include "base/err.h"
#include "format/ref.h"
#include "store/ident.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum hxs_journal_state {
	HXS_JOURNAL_STAGING = 1,
	HXS_JOURNAL_INTENT,
	HXS_JOURNAL_COMMITTED,
};

/*
 * One name that gets another file. What is staged has the name "new-N" in
 * the stage directory, N counting the moves of the target from 0; what it
 * displaces ends as "old-N", or under "new-N" where it was exchanged.
 */
struct hxs_move {
	char *dir; /* directory of the live name, below the place; "": it */
	char *name; /* the live name in it */
	struct hxs_ident old; /* what has the live name; none: nothing does */
	struct hxs_ident new; /* what is to have it; none: nothing is */
	struct timespec dir_time, old_time, new_time; /* of all three */
};

/* One source's target. */
struct hxs_target {
	char *source;
	char *place; /* absolute path of the directory that is staged in */
	struct hxs_ident place_id;
	char *stage; /* the stage directory's name in it */
	/* The place is the target itself, and gets new attributes, too. */
	bool contents;
	struct timespec old_time, new_time; /* then, of the place */
	/* What move 0 displaces becomes the rollback point's SOURCE. */
	bool adopted;
	struct hxs_move *moves;
	size_t move_count;
};

/*
 * One source that lives elsewhere than in files (source/system.h). What its
 * kind has no use for is NULL or 0.
 */
struct hxs_journal_system {
	char *source;
	bool begun; /* its live state may not be the old one any more */
	/* A database that is exchanged: its name; the new one's until then, */
	char *name, *staged;
	char *kept; /* ... and the old one's from then on */
	uint32_t old_oid, new_oid; /* what tells them; 0: none */
	/* One that is loaded into: a schema that is there once that is done, */
	char *marker;
	char **parts; /* ... and of what; NULL-terminated, NULL: all there is */
};

struct hxs_journal {
	enum hxs_journal_state state;
	char env[HXS_ENV_MAX + 1];
	char reference[HXS_REF_TEXT]; /* of what is restored */
	char rollback_id[HXS_ID_LEN + 1]; /* or "" */
	/* Its directory in rollbacks/ENV until it is published, else "". */
	char rollback_staging[64];
	struct hxs_target *targets;
	size_t target_count;
	struct hxs_journal_system *systems;
	size_t system_count;
};

void hxs_journal_free(struct hxs_journal *j); /* takes NULL */
HXS_AUTO_DEFINE(journal, struct hxs_journal *, hxs_journal_free)

/* Room for one more target, system, or move of @t: zeroed, or NULL. */
struct hxs_target *hxs_journal_add_target(struct hxs_journal *j);
struct hxs_journal_system *hxs_journal_add_system(struct hxs_journal *j);
struct hxs_move *hxs_target_add_move(struct hxs_target *t);

/* Make the record what @j says, durably. */
HXS_MUST_CHECK
int hxs_journal_write(struct hxs_store *s, const struct hxs_journal *j,
		      struct hxs_err *err);

/*
 * The record of @env: 1 with *@out the caller's, 0 when there is none,
 * -HXS_ECORRUPT for one that is damaged or speaks of another environment,
 * -HXS_EDENIED for one that others than its owner may write, -errno.
 */
HXS_MUST_CHECK
int hxs_journal_read(const struct hxs_store *s, const char *env,
		     struct hxs_journal **out, struct hxs_err *err);

/* Make what hxs_journal_read() tells durable, if its writer did not. */
HXS_MUST_CHECK
int hxs_journal_sync(struct hxs_store *s, struct hxs_err *err);

/* Remove it, durably. Absent is success. */
HXS_MUST_CHECK
int hxs_journal_drop(struct hxs_store *s, const char *env, struct hxs_err *err);

/* Remove what a killed hxs_journal_write() left. @env must be locked. */
HXS_MUST_CHECK
int hxs_journal_clean(struct hxs_store *s, const char *env,
		      struct hxs_err *err);

/* The environments that have one, or something in its place. */
HXS_MUST_CHECK
int hxs_journal_envs(const struct hxs_store *s, struct hxs_names *out,
		     struct hxs_err *err);

#endif
