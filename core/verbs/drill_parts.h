#ifndef HXS_VERBS_DRILL_PARTS_H
#define HXS_VERBS_DRILL_PARTS_H

/* What a drill is made of. For drill*.c only. */
#include "base/buf.h"
#include "base/path.h"
#include "format/until.h"
#include "store/lock.h"
#include "verbs/drill.h"
#include "verbs/restore_parts.h"

/* The scratch space of one drill, and the right to make it. */
struct hxs_drill_scratch {
	int dir; /* of the environment's drills, in the store */
	int lock;
	int place; /* where it is made */
	char name[HXS_NAME_MAX + 1]; /* in that; "" while there is none */
	char *path; /* absolute */
	int fd;
	bool noted; /* the store says where it is */
};
#define HXS_DRILL_SCRATCH_INIT                               \
	{                                                    \
		.dir = -1, .lock = -1, .place = -1, .fd = -1 \
	}

/* One drill under way. */
struct hxs_drill_run {
	struct hxs_store *store;
	const struct hxs_drill_opts *opts;
	const struct hxs_config_env *env;
	struct hxs_drill_report *rep;
	struct hxs_listener ears; /* keeps warnings for the report */
	struct hxs_relay relay;
	struct hxs_restore_opts ropts; /* of what is tried */
	char id[HXS_ID_LEN + 1]; /* the snapshot's */
	struct hxs_snapshot *snap;
	struct hxs_restore_pick pick;
	struct hxs_pool *pool;
	struct hxs_stage stage;
	struct hxs_drill_scratch scratch;
	struct hxs_lock *lock; /* of the environment, if it is wanted */
	struct hxs_restore systems; /* those on a server, with their journal */
	double since;
	struct hxs_until newest; /* of rep->point, by its time */
};

/* ---- drill_scratch.c --------------------------------------------------- */

/*
 * Open the environment's directory of drills and keep others from a drill of
 * it: -HXS_EBUSY, -errno.
 */
HXS_MUST_CHECK
int hxs_drill_scratch_open(struct hxs_drill_run *run, struct hxs_err *err);

/* Remove what a drill left that was killed. */
HXS_MUST_CHECK
int hxs_drill_scratch_sweep(struct hxs_drill_run *run, struct hxs_err *err);

/*
 * Make the scratch space, for its owner alone. -HXS_EDENIED when it would lie
 * in the store's parts, on a mount of backups or in live data; -errno.
 */
HXS_MUST_CHECK
int hxs_drill_scratch_make(struct hxs_drill_run *run, struct hxs_err *err);

/* Remove it, if it was made. */
HXS_MUST_CHECK
int hxs_drill_scratch_remove(struct hxs_drill_run *run, struct hxs_err *err);
void hxs_drill_scratch_close(struct hxs_drill_scratch *sc);

/* ---- drill_restore.c --------------------------------------------------- */

/* Find the snapshot and prove it. -HXS_ENOSUCH, -HXS_ECORRUPT, -errno. */
HXS_MUST_CHECK
int hxs_drill_snapshot(struct hxs_drill_run *run, struct hxs_buf *detail,
		       struct hxs_err *err);

/* Write all of it, verified, into scratch space. */
HXS_MUST_CHECK
int hxs_drill_restore(struct hxs_drill_run *run, struct hxs_buf *detail,
		      struct hxs_err *err);

/* ---- drill_check.c ----------------------------------------------------- */

/*
 * Check what was restored of source @src, or, if that is NULL, of @name, which
 * is no source any more. @detail gets what was found. -HXS_ECORRUPT.
 */
HXS_MUST_CHECK
int hxs_drill_check(struct hxs_drill_run *run,
		    const struct hxs_config_source *src, const char *name,
		    struct hxs_buf *detail, struct hxs_err *err);

/* ---- drill_records.c --------------------------------------------------- */

/* The records of one source. */
struct hxs_drill_records {
	const char *sequence, *time; /* their keys, or NULL */
	uint64_t files, records;
	bool has_sequence, has_time;
	struct hxs_until newest_sequence, newest_time;
};

/*
 * Read file @fd, which is shown as @shown, as one JSON object a line. A last
 * line without a newline, and incomplete, is a warning: its writer was at it.
 * -HXS_ECORRUPT naming the line, -ECANCELED, -errno.
 */
HXS_MUST_CHECK
int hxs_drill_records_read(struct hxs_drill_run *run,
			   struct hxs_drill_records *rec, int fd,
			   const char *shown, struct hxs_err *err);

/* If these are the newest so far, they are the recovery point. */
void hxs_drill_records_note(struct hxs_drill_run *run, const char *source,
			    const struct hxs_drill_records *rec);

/* ---- drill_health.c ---------------------------------------------------- */

/* Where the file that is all of source @src lies in scratch; else "" . */
HXS_MUST_CHECK
int hxs_drill_health_file(const struct hxs_drill_run *run,
			  const struct hxs_config_source *src,
			  struct hxs_buf *name);

/* Run the health hooks. -HXS_EHOOK, -ECANCELED. */
HXS_MUST_CHECK
int hxs_drill_health(struct hxs_drill_run *run, struct hxs_buf *detail,
		     struct hxs_err *err);

/* ---- drill_systems.c --------------------------------------------------- */

/* Whether any source is on a server, so that trying it wants the lock. */
bool hxs_drill_systems_any(const struct hxs_config_env *env);

/* Restore source @src, in scratch, beside the live one; it is checked. */
HXS_MUST_CHECK
int hxs_drill_systems_check(struct hxs_drill_run *run,
			    const struct hxs_config_source *src, uint32_t entry,
			    struct hxs_buf *detail, struct hxs_err *err);

/* What source @src is called beside the live one; NULL: it is not there. */
const char *hxs_drill_systems_name(const struct hxs_drill_run *run,
				   const struct hxs_config_source *src);

/* Remove all of that. */
HXS_MUST_CHECK
int hxs_drill_systems_end(struct hxs_drill_run *run, struct hxs_err *err);

#endif
