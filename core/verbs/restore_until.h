#ifndef HXS_VERBS_RESTORE_UNTIL_H
#define HXS_VERBS_RESTORE_UNTIL_H

/*
 * Restoring to a point in time: what was staged is cut, where the records in
 * it say. For restore*.c only.
 */
#include "source/stage.h"
#include "verbs/relay.h"
#include "verbs/restore.h"
#include "verbs/restore_pick.h"

struct hxs_restore_until {
	const struct hxs_until *point; /* NULL: there is nothing to cut */
	struct hxs_snapshot *snap; /* borrowed, as all of these */
	const struct hxs_config_env *env;
	struct hxs_relay *relay;
	struct hxs_stop stop;
	struct hxs_scratch scratch;
	uint32_t single; /* the file that is all of its source; 0: none known */
	struct hxs_restore_records *records; /* by source of @env */
	const char *stated; /* a source that its own statements cut; or NULL */
};

/*
 * Set it up for what was picked of @snap, and refuse sources that have no
 * such point: -HXS_EUSAGE. Without opts->until it does nothing, now and
 * later. *@u is to be released, even after a failure.
 */
HXS_MUST_CHECK
int hxs_restore_until_begin(struct hxs_restore_until *u,
			    const struct hxs_restore_opts *opts,
			    struct hxs_snapshot *snap,
			    const struct hxs_restore_pick *pick,
			    struct hxs_relay *relay, struct hxs_err *err);
void hxs_restore_until_release(struct hxs_restore_until *u);

/*
 * Cut what was staged of @entry as @name in @dirfd. The records are read
 * through the one door, and what was cut is read back and compared with what
 * was kept of them. @stage's counts become those of what is left. It may be
 * gone then: a file all of whose records lie after the point.
 */
HXS_MUST_CHECK
int hxs_restore_until_cut(struct hxs_restore_until *u, struct hxs_stage *stage,
			  uint32_t entry, int dirfd, const char *name,
			  struct hxs_err *err);

/*
 * Whether file @node, of path @path in the snapshot, is one of those that
 * @src, which has a pattern for them, declares as logs of records.
 */
bool hxs_restore_holds_records(const struct hxs_config_source *src,
			       const struct hxs_node *node, const char *path);

/* One file of records in what was staged. All but the numbers are borrowed. */
struct hxs_restore_log {
	uint32_t top, entry; /* what was staged, and the file in it */
	const char *path; /* in the snapshot */
	const char *key; /* of each record */
	struct hxs_restore_records *rec; /* counts it */
};

/* The same for one file (restore_cut.c). */
HXS_MUST_CHECK
int hxs_restore_cut_file(struct hxs_restore_until *u, struct hxs_stage *stage,
			 const struct hxs_restore_log *log, int dirfd,
			 const char *name, struct hxs_err *err);

/* Hand over what became of each source that was picked. */
void hxs_restore_until_report(struct hxs_restore_until *u,
			      struct hxs_restore_report *out);

#endif
