#ifndef HXS_VERBS_RESTORE_PARTS_H
#define HXS_VERBS_RESTORE_PARTS_H

/* What restore and recover are made of. For restore*.c and recover.c only. */
#include "base/pool.h"
#include "source/stage.h"
#include "source/system.h"
#include "store/journal.h"
#include "store/snapshot.h"
#include "store/unconfirmed.h"
#include "verbs/create_parts.h"
#include "verbs/hooks.h"
#include "verbs/relay.h"
#include "verbs/restore.h"
#include "verbs/restore_pick.h"
#include "verbs/restore_until.h"

/* ---- restore.c --------------------------------------------------------- */

/* What whoever has a restore carried out does before anything changes. */
struct hxs_restore_watch {
	/*
	 * All is staged, and what there is now is kept as @rollback_id ("":
	 * there was nothing). A failure ends the restore.
	 */
	int (*intended)(void *ctx, const char *rollback_id,
			struct hxs_err *err);
	void *ctx;
};

/* -HXS_ENOSUCH: no such environment; -HXS_ECONFIRM. */
HXS_MUST_CHECK
int hxs_restore_check_request(const struct hxs_restore_opts *opts,
			      struct hxs_err *err);

/* The hooks of a restore whose report, begun, is @rep; all is borrowed. */
void hxs_restore_hooks_init(struct hxs_hooks *h, struct hxs_store *s,
			    const struct hxs_restore_opts *opts,
			    const struct hxs_relay *relay,
			    const struct hxs_restore_report *rep);

/*
 * Restore once, what hxs_restore_check_request() let through, with the
 * environment's lock held by the caller. As hxs_restore(), but that nothing
 * is taken back afterwards, and that the on_failure hooks are the caller's to
 * run. @watch may be NULL.
 */
HXS_MUST_CHECK
int hxs_restore_locked(struct hxs_store *s, const struct hxs_restore_opts *opts,
		       const struct hxs_restore_watch *watch,
		       struct hxs_restore_report *out, struct hxs_err *err);

/* ---- restore_back.c ---------------------------------------------------- */

/*
 * Put back what there was before the restore that @u, state undoing and
 * recorded so, speaks of: with the environment's lock held, the record owned,
 * and nothing left to recover. @err says why that has to be, and then what
 * came of it: its code if it was done (the record is gone then), else
 * -HXS_EAFTER (the record says failed). @opts are the restore's, of which
 * config, env, listener, tool_version and threads count; @rep gets outcome
 * and what goes with it.
 */
HXS_MUST_CHECK
int hxs_restore_take_back(struct hxs_store *s,
			  const struct hxs_restore_opts *opts,
			  const struct hxs_unconfirmed *u,
			  struct hxs_restore_report *rep, struct hxs_err *err);

/* The end of that if it cannot be done because of @why. -HXS_EAFTER. */
int hxs_restore_not_back(const struct hxs_unconfirmed *u,
			 struct hxs_restore_report *rep,
			 const struct hxs_err *why, struct hxs_err *err);

/*
 * Before the targets are exchanged for the old state that @u speaks of, what
 * there is being kept as @rollback_id ("": nothing): from the commit on it is
 * done, and whoever finds the record has to know.
 */
HXS_MUST_CHECK
int hxs_restore_note_undo(struct hxs_store *s, const struct hxs_unconfirmed *u,
			  const char *rollback_id, struct hxs_err *err);

/* ---- restore_undo.c ---------------------------------------------------- */

/* Run the on_failure hooks because of @r and @message, or rep->after. */
void hxs_restore_end(struct hxs_store *s, const struct hxs_restore_opts *opts,
		     int r, const char *message,
		     const struct hxs_restore_report *rep);

/* ---- confirm.c --------------------------------------------------------- */

/* That @u, whose owner's lock is *@own, is to be waited for; NULL: no memory. */
struct hxs_confirm_wait *hxs_confirm_wait_new(struct hxs_unconfirmed *u,
					      struct hxs_lock **own);

/* Own the record as soon as whoever has settled it has seen that. */
HXS_MUST_CHECK
int hxs_confirm_own(struct hxs_store *s, const char *env, struct hxs_lock **own,
		    struct hxs_err *err);

/* ---- restore_end.c ----------------------------------------------------- */

/*
 * Undo the restore that @j, in state staging or intent, speaks of (in none,
 * nothing was begun): targets get their old files back and systems their old
 * state, what was staged is removed, and so is the journal. Can be done again
 * after it was cut short. @config may be NULL, unless there are systems.
 */
HXS_MUST_CHECK
int hxs_restore_undo(struct hxs_store *s, const struct hxs_config *config,
		     struct hxs_journal *j, struct hxs_err *err);

/*
 * Finish the one that @j, in state committed, speaks of: the rollback point
 * is completed and published, what was displaced otherwise is removed, and
 * so is the journal. Can be done again after it was cut short.
 */
HXS_MUST_CHECK
int hxs_restore_finish(struct hxs_store *s, const struct hxs_config *config,
		       struct hxs_journal *j, struct hxs_err *err);

/* ---- restore_targets.c: what goes where -------------------------------- */

#define HXS_NO_ENTRY UINT32_MAX

/* One name that is to get something else. */
struct hxs_restore_item {
	uint32_t entry; /* of the snapshot; NO_ENTRY: the name goes */
	bool cut; /* staged, and nothing of it was left: the name goes */
	/*
	 * A directory that is not there, and is wanted for what is below it:
	 * of entry, only these. None: all of it.
	 */
	uint32_t *only;
	size_t only_count;
	char *dir, *name; /* as in struct hxs_move */
};

/* One source's target, as it was found. */
struct hxs_restore_target {
	const struct hxs_config_source *source;
	size_t number; /* among the environment's sources */
	uint32_t entry; /* the source's directory in the snapshot */
	uint32_t single; /* the one file, if the source is one; or NO_ENTRY */
	char *path; /* absolute, as the operator's without links */
	char *name; /* its last component; NULL: it is the place itself */
	char *place; /* where it is staged: its parent, or itself */
	int place_fd; /* -1 until it was opened */
	dev_t dev; /* of the file system it is on, from then on */
	struct hxs_ident old; /* the target itself; none: missing */
	bool contents; /* a mount point: what is in it is swapped */
	bool whole; /* all of it, not some paths */
	struct hxs_restore_item *items;
	size_t item_count;
};

/* One source that lives elsewhere than in files. */
struct hxs_restore_system {
	const struct hxs_system_ops *ops;
	struct hxs_system sys;
	size_t number; /* among the environment's sources */
	uint32_t entry; /* the source's directory in the snapshot */
	/* Only these, each a path below that; none: all of it. */
	char **parts;
	size_t part_count;
	char *mark; /* of the state in the rollback point, or NULL */
};

/* One restore under way. */
struct hxs_restore {
	struct hxs_store *store;
	const struct hxs_restore_opts *opts;
	const struct hxs_config_env *env;
	const struct hxs_restore_watch *watch; /* or NULL */
	struct hxs_snapshot *snap;
	struct hxs_restore_pick pick;
	struct hxs_restore_target *targets;
	size_t target_count;
	struct hxs_restore_system *systems;
	size_t system_count;
	struct hxs_relay relay;
	struct hxs_stop stop; /* what to ask while hashing */
	struct hxs_pool *pool;
	struct hxs_journal *journal;
	struct hxs_rollback rollback;
	struct hxs_restore_until until;
	bool held; /* processes use a target, and that is allowed */
	struct hxs_hooks hooks;
	bool stopped; /* before_restore hooks were begun */
	bool torn; /* targets may be neither the old nor the new ones */
	bool again; /* targets are looked for once more: nothing is told */
	uint64_t files, bytes; /* staged */
};

/*
 * Find where what was picked lives: fills targets and their items. Refuses
 * what a restore must not touch.
 */
HXS_MUST_CHECK
int hxs_restore_find_targets(struct hxs_restore *rs,
			     const struct hxs_restore_pick *pick,
			     struct hxs_err *err);
void hxs_restore_free_targets(struct hxs_restore *rs);

/* Whether target @n is the first of those on its file system. */
bool hxs_restore_is_first_there(const struct hxs_restore *rs, size_t n);

/*
 * 1 if something is mounted on @name in @dirfd, or it is a file system's
 * own part that cannot be moved out of, or -errno.
 */
int hxs_restore_is_mount_point(int dirfd, const char *name);

/* ---- restore_systems.c: what lives elsewhere than in files ------------- */

/*
 * Add system @number of the environment, entry @entry of the snapshot, or
 * only what is at @path below that (NULL: all).
 */
HXS_MUST_CHECK
int hxs_restore_systems_add(struct hxs_restore *rs, size_t number,
			    uint32_t entry, const char *path,
			    struct hxs_err *err);
void hxs_restore_systems_free(struct hxs_restore *rs);

/* Whether all of them can be restored, as far as can be told beforehand. */
HXS_MUST_CHECK
int hxs_restore_systems_probe(struct hxs_restore *rs, struct hxs_err *err);

/* Say in the journal, not yet written, what staging them will make. */
HXS_MUST_CHECK
int hxs_restore_systems_plan(struct hxs_restore *rs, struct hxs_err *err);

/* Make and check their new states beside the old ones. */
HXS_MUST_CHECK
int hxs_restore_systems_stage(struct hxs_restore *rs, struct hxs_stage *stage,
			      struct hxs_err *err);

/* Say in the journal what will be exchanged; then do it. */
HXS_MUST_CHECK
int hxs_restore_systems_intend(struct hxs_restore *rs, struct hxs_err *err);
HXS_MUST_CHECK
int hxs_restore_systems_swap(struct hxs_restore *rs, double *absent,
			     struct hxs_err *err);

/* ---- restore_systems_end.c --------------------------------------------- */

/*
 * Give the systems that @j speaks of their old states back, all of them
 * whatever becomes of one. -HXS_EUSAGE when @config does not know one.
 */
HXS_MUST_CHECK
int hxs_restore_systems_back(struct hxs_store *s,
			     const struct hxs_config *config,
			     const struct hxs_journal *j, struct hxs_err *err);

/* Remove what was staged for them. @ahead: they have their new states. */
HXS_MUST_CHECK
int hxs_restore_systems_clean(struct hxs_store *s,
			      const struct hxs_config *config,
			      const struct hxs_journal *j, bool ahead,
			      struct hxs_err *err);

/* The directory of @env in the store where their files are staged. */
HXS_MUST_CHECK
int hxs_restore_systems_area(struct hxs_store *s, const char *env,
			     struct hxs_buf *path);

/* ---- restore_beside.c: databases, and what lies beside them ------------ */

/* What SQLite adds to a database's name: "-wal", "-shm", "-journal". */
#define HXS_BESIDE 3
extern const char *const hxs_restore_beside[HXS_BESIDE];

/* Whether @name is what SQLite calls something beside a database @base. */
bool hxs_restore_is_beside(const char *name, const char *base);

/*
 * 1 if entry @n is a file that begins as an SQLite database does, else 0;
 * -HXS_ECORRUPT, -ECANCELED, -errno.
 */
HXS_MUST_CHECK
int hxs_restore_is_database(const struct hxs_restore *rs, uint32_t n,
			    struct hxs_err *err);

/* The snapshot's entry beside entry @n that is called @what more, or -1. */
int64_t hxs_restore_stored_beside(const struct hxs_restore *rs, uint32_t n,
				  const char *what);

/* ---- restore_items.c: which names of a target ------------------------- */

/* Add all of @t; or entry @entry, which is at @rest ("a/b") below it. */
HXS_MUST_CHECK
int hxs_restore_add_whole(const struct hxs_restore *rs,
			  struct hxs_restore_target *t, struct hxs_err *err);
HXS_MUST_CHECK
int hxs_restore_add_path(const struct hxs_restore *rs,
			 struct hxs_restore_target *t, const char *rest,
			 uint32_t entry, struct hxs_err *err);

/* ---- restore_apart.c: what must not be touched ------------------------- */

/*
 * Refuse target @t: in the store or around it, on a mount of backups or with
 * a mount inside, in a directory others may write to, immutable.
 */
HXS_MUST_CHECK
int hxs_restore_check_apart(struct hxs_restore *rs,
			    const struct hxs_restore_target *t,
			    struct hxs_err *err);

/* Refuse to exchange what is immutable or append-only. */
HXS_MUST_CHECK
int hxs_restore_check_items(const struct hxs_restore_target *t,
			    struct hxs_err *err);

/*
 * Refuse, once there is a rollback point, what an ordinary user could put
 * aside but not remove, unless that was @adopted (by source).
 */
HXS_MUST_CHECK
int hxs_restore_check_emptied(const struct hxs_restore *rs, const bool *adopted,
			      struct hxs_err *err);

/* Refuse targets that processes use, unless that is allowed; sets held. */
HXS_MUST_CHECK
int hxs_restore_check_holders(struct hxs_restore *rs, struct hxs_err *err);

/* ---- restore_stage.c --------------------------------------------------- */

/*
 * Make the stage directories, journalled, and stage everything; but what
 * backups leave out only if nothing stands between now and the swap.
 */
HXS_MUST_CHECK
int hxs_restore_stage(struct hxs_restore *rs, bool left_out,
		      struct hxs_err *err);

/* Give what backups leave out its place in what is staged. */
HXS_MUST_CHECK
int hxs_restore_keep_left_out(struct hxs_restore *rs, struct hxs_err *err);

/* ---- restore_again.c: after the before_restore hooks ------------------- */

/*
 * The targets were in use while all was staged. Now that they are not, look
 * at them again: what is not as it was then is staged anew, and what backups
 * leave out gets its place.
 */
HXS_MUST_CHECK
int hxs_restore_look_again(struct hxs_restore *rs, struct hxs_err *err);

/* Stage @entry as @name in @dir, check it, and cut what is to be cut. */
HXS_MUST_CHECK
int hxs_restore_stage_one(struct hxs_restore *rs, struct hxs_stage *stage,
			  uint32_t entry, int dir, const char *name,
			  struct hxs_err *err);

/* ---- restore_chain.c --------------------------------------------------- */

/*
 * Check what was staged as @name in @dir for entry @entry. Where SQLite finds
 * fault with what a rollback point holds, it did so before: a warning.
 */
HXS_MUST_CHECK
int hxs_restore_check_staged(struct hxs_restore *rs, struct hxs_stage *stage,
			     uint32_t entry, int dir, const char *name,
			     struct hxs_err *err);

/* Where entry @entry, at or below @top, is staged if @top is as @name. */
HXS_MUST_CHECK
int hxs_restore_staged_path(const struct hxs_index *idx, uint32_t top,
			    uint32_t entry, const char *name,
			    struct hxs_buf *out);

/* Stage of directory @it just what is wanted, as @name in @stage_fd. */
HXS_MUST_CHECK
int hxs_restore_stage_only(struct hxs_restore *rs, struct hxs_stage *stage,
			   const struct hxs_restore_item *it, int stage_fd,
			   const char *name, struct hxs_err *err);

/* ---- restore_swap.c ---------------------------------------------------- */

/*
 * Journal the intent, swap, make it durable, commit. @adopted tells by source
 * what goes into the rollback point. On failure it is to be undone, unless
 * *@committed says that the commit may be on disk. *@absent grows by the time
 * that a live name was without a file.
 */
HXS_MUST_CHECK
int hxs_restore_swap(struct hxs_restore *rs, const bool *adopted,
		     double *absent, bool *committed, struct hxs_err *err);

/* ---- restore_changed.c ------------------------------------------------- */

/*
 * Whether @src, a directory whose tree is open as @top, is no longer what
 * @idx, the rollback point's index, tells of it: 1 with the first path that
 * is not appended to @changed, 0, or -errno. What is called @own in the top
 * is ours.
 */
HXS_MUST_CHECK
int hxs_restore_find_change(const struct hxs_index *idx,
			    const struct hxs_config_source *src,
			    const char *own, int top, struct hxs_buf *changed);

/* The same for a source that is file @name in @dir: 1, 0 or -errno. */
HXS_MUST_CHECK
int hxs_restore_file_changed(const struct hxs_index *idx, const char *source,
			     int dir, const char *name);

#endif
