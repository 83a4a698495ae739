#ifndef HXS_STORE_UNCONFIRMED_H
#define HXS_STORE_UNCONFIRMED_H

/*
 * The durable record of a restore that was done, and whose old state is to be
 * put back unless it is confirmed: STORE/.hxsnap/unconfirmed/ENV. Its form is
 * the journal's: a line "hxsnap-unconfirmed 1 LENGTH SHA256", then so many
 * bytes of JSON with that digest, replaced whole.
 *
 *	begun	   written before targets are exchanged; if the journal is gone,
 *		   they were
 *	waiting	   for confirmation, until the deadline
 *	undoing	   it was not confirmed: the old state is to be put back
 *	failed	   that was tried, and did not come about
 *	confirmed, nothing is left to be done; the record is there until who
 *	taken-back waits for it has seen that
 *
 * Three locks are about it. The environment's is held by whoever exchanges
 * targets. The owner's is held by the command that waits, all the time: only
 * who holds it removes the record. What changes the record holds a third one,
 * for as long as that takes: a confirmation does not wait for a backup.
 */
#include "base/err.h"
#include "format/ref.h"
#include "store/lock.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hxs_unconfirmed_state {
	HXS_UNCONFIRMED_BEGUN = 1,
	HXS_UNCONFIRMED_WAITING,
	HXS_UNCONFIRMED_UNDOING,
	HXS_UNCONFIRMED_FAILED,
	HXS_UNCONFIRMED_CONFIRMED,
	HXS_UNCONFIRMED_TAKEN_BACK,
};

struct hxs_unconfirmed {
	enum hxs_unconfirmed_state state;
	char env[HXS_ENV_MAX + 1];
	char reference[HXS_REF_TEXT]; /* of what was restored */
	char rollback_id[HXS_ID_LEN + 1]; /* of the old state */
	/* Of what it displaces, while that is put back; else "". */
	char undo_id[HXS_ID_LEN + 1];
	int64_t deadline; /* seconds, UTC */
	bool force; /* although processes use a target */
	char **paths; /* only these were restored; none: everything */
	size_t path_count;
};
#define HXS_UNCONFIRMED_INIT \
	{                    \
		.state = 0   \
	}
void hxs_unconfirmed_release(struct hxs_unconfirmed *u);
#define HXS_AUTO_UNCONFIRMED __attribute__((cleanup(hxs_unconfirmed_release)))

/* Copy @paths into @u, which has none. 0 or -ENOMEM. */
HXS_MUST_CHECK
int hxs_unconfirmed_take_paths(struct hxs_unconfirmed *u,
			       const char *const *paths, size_t count);

/* Whether its old state is still to be put back, or kept, by somebody. */
bool hxs_unconfirmed_is_open(const struct hxs_unconfirmed *u);

/*
 * The record of @env: 1 with *@out the caller's to release, 0 when there is
 * none, -HXS_ECORRUPT, -HXS_EDENIED for one that others may write, -errno.
 */
HXS_MUST_CHECK
int hxs_unconfirmed_read(const struct hxs_store *s, const char *env,
			 struct hxs_unconfirmed *out, struct hxs_err *err);

/* Make the record what @u says, durably. */
HXS_MUST_CHECK
int hxs_unconfirmed_write(struct hxs_store *s, const struct hxs_unconfirmed *u,
			  struct hxs_err *err);

/*
 * Make its state @to, if the record is of rollback point @rollback_id and in
 * one of the states @from (bits 1 << state): 1 if so, else 0. *@found is the
 * state it had, 0 when there is none, or one of another restore.
 */
HXS_MUST_CHECK
int hxs_unconfirmed_turn(struct hxs_store *s, const char *env,
			 const char *rollback_id, unsigned from,
			 enum hxs_unconfirmed_state to,
			 enum hxs_unconfirmed_state *found,
			 struct hxs_err *err);

/* Note that its old state is being put back, displacing what is @undo_id. */
HXS_MUST_CHECK
int hxs_unconfirmed_note_undo(struct hxs_store *s, const char *env,
			      const char *undo_id, struct hxs_err *err);

/*
 * A restore of @env was undone that had come no further than its journal: the
 * record of it goes, if it had one; or, if it was what put an old state back,
 * that is still to be done. To be called before the journal is removed.
 */
HXS_MUST_CHECK
int hxs_unconfirmed_undone(struct hxs_store *s, const char *env,
			   struct hxs_err *err);

/*
 * The opposite, for who holds the environment's lock and knows that there is
 * no journal: what was begun has come about. 1 with the record as it is now,
 * 0 when none is left.
 */
HXS_MUST_CHECK
int hxs_unconfirmed_settle(struct hxs_store *s, const char *env,
			   struct hxs_unconfirmed *out, struct hxs_err *err);

/* Remove it, durably. Absent is success. */
HXS_MUST_CHECK
int hxs_unconfirmed_drop(struct hxs_store *s, const char *env,
			 struct hxs_err *err);

/* Remove what a killed hxs_unconfirmed_write() left. @env must be locked. */
HXS_MUST_CHECK
int hxs_unconfirmed_clean(struct hxs_store *s, const char *env,
			  struct hxs_err *err);

/* The environments that have one; none where we may not look. */
HXS_MUST_CHECK
int hxs_unconfirmed_envs(const struct hxs_store *s, struct hxs_names *out,
			 struct hxs_err *err);

/*
 * Whether rollback point @id is still wanted: retention has to keep it. What
 * cannot be told counts as wanted.
 */
bool hxs_unconfirmed_wants(const struct hxs_store *s, const char *env,
			   const char *id);

/*
 * What a rollback of @env means while a restore of it is to be confirmed, or
 * could not be taken back: true with its old state, which need not be the
 * newest rollback point, as taking it back may have been tried and cut short.
 */
bool hxs_unconfirmed_old(const struct hxs_store *s, const char *env,
			 char id[HXS_ID_LEN + 1]);

/*
 * Become the record's owner: -HXS_EBUSY, with a message, while the command
 * that restored is alive.
 */
HXS_MUST_CHECK
int hxs_unconfirmed_own(struct hxs_store *s, const char *env,
			struct hxs_lock **out, struct hxs_err *err);

#endif
