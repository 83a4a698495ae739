#ifndef HXS_VERBS_PRUNE_H
#define HXS_VERBS_PRUNE_H

/*
 * Retention at work: what stays of an environment's snapshots and why, and
 * the removal of the others. The decision itself is format/retention.h's.
 */
#include "base/err.h"
#include "format/config.h"
#include "format/retention.h"
#include "store/store.h"
#include "verbs/history.h"
#include "verbs/progress.h"

#include <stdbool.h>
#include <stddef.h>

/* All snapshots of one kind, and what becomes of them. */
struct hxs_prune_list {
	enum hxs_kind kind;
	struct hxs_history_item *items; /* oldest first */
	size_t count;
	struct hxs_retention_plan plan;
};

struct hxs_prune_opts {
	const char *env;
	const struct hxs_config *config; /* has the environment */
	bool apply; /* else nothing is changed, and no lock is taken */
	bool allow_many; /* more than half of the backups may go */
	const struct hxs_listener *listener; /* may be NULL */
	/*
	 * Told what stays and goes, backups and then rollback points, before
	 * anything is removed. A failure ends it: with its message in @err.
	 */
	int (*plan)(const struct hxs_prune_list lists[2], void *ctx,
		    struct hxs_err *err);
	/* One that was to go is gone, or was left because of @left. */
	void (*removed)(enum hxs_kind kind, const char *id, const char *left,
			void *ctx);
	void *ctx;
};

struct hxs_prune_report {
	size_t staying, going; /* by the plan */
	size_t removed, left;
	bool many; /* so many go that it wants allow_many */
	double seconds;
};

/*
 * Decide what stays of opts->env, and with opts->apply remove the rest, under
 * the environment's lock and after recovery, the oldest first.
 *
 * Refused, and nothing is removed: when the clock is earlier than the newest
 * snapshot or the newest line of the audit log, or more than half of the
 * backups would go (-HXS_EDENIED); when anything that the decision rests on
 * cannot be read. A snapshot that an operation uses, or that was marked as
 * kept meanwhile, is left.
 *
 * -HXS_ENOSUCH: no such environment; -HXS_EBUSY; -ECANCELED between two
 * snapshots; -HXS_ECORRUPT, -errno. Messages say what was removed.
 */
HXS_MUST_CHECK
int hxs_prune(struct hxs_store *s, const struct hxs_prune_opts *opts,
	      struct hxs_prune_report *out, struct hxs_err *err);

/*
 * Mark a snapshot as kept, or take that away; *@changed tells whether it was
 * not so before. -HXS_ENOSUCH, -HXS_EBUSY (it is being removed), -errno.
 */
HXS_MUST_CHECK
int hxs_prune_keep(struct hxs_store *s, enum hxs_kind kind, const char *env,
		   const char *id, bool keep, bool *changed,
		   struct hxs_err *err);

/* ---- prune_list.c; for prune.c only ------------------------------------- */

void hxs_prune_list_release(struct hxs_prune_list *l);

/*
 * List the snapshots of @env of kind out->kind, which is all that is set, and
 * decide.
 */
HXS_MUST_CHECK
int hxs_prune_list_make(struct hxs_store *s, const struct hxs_config_env *env,
			int64_t now, struct hxs_prune_list *out,
			struct hxs_err *err);

#endif
