#ifndef HXS_VERBS_CREATE_PARTS_H
#define HXS_VERBS_CREATE_PARTS_H

/* What create is made of. For create*.c only. */
#include "base/proc.h"
#include "format/meta.h"
#include "source/source.h"
#include "store/snapshot.h"
#include "store/staging.h"
#include "verbs/create.h"
#include "verbs/relay.h"

struct hxs_create_source {
	const struct hxs_config_source *config;
	/* What config is for a rollback point: raw, with more excluded. */
	struct hxs_config_source changed;
	char **exclude; /* of that; its strings are borrowed */
	const struct hxs_source_ops *ops;
	void *state; /* NULL: the source is missing, and may be */
	struct hxs_source_totals totals;
	bool has_before; /* an earlier backup tells what it held then */
	uint64_t files_before, bytes_before;
};

/* git, asked for the commit that is checked out. */
struct hxs_create_commit {
	char *dir;
	const char *argv[6];
	struct hxs_proc *git; /* NULL: not asked */
};

/* One create under way. */
struct hxs_create {
	struct hxs_store *store;
	const struct hxs_create_opts *opts;
	enum hxs_kind kind;
	/* By source: may be surveyed instead of copied; and was. Or NULL. */
	bool *adopt;
	/* By source: a name in it that is the restore's own, or NULL. Or NULL. */
	const char *const *own;
	/* By source: why its databases are taken as mere bytes. Or NULL. */
	char **raw;
	size_t broken; /* the source with a database that cannot be copied */
	const struct hxs_config_env *env;
	struct hxs_create_source *sources;
	struct hxs_capture cap;
	struct hxs_index_builder *builder;
	struct hxs_snapshot *verified; /* what is linked from, or NULL */
	char verified_id[HXS_ID_LEN + 1];
	struct hxs_staging staging;
	struct hxs_meta meta;
	struct hxs_create_commit commit;
	struct timespec captured;
	struct hxs_relay relay;
};

/* ---- create.c: rollback points ----------------------------------------- */

/* A rollback point made for a restore. */
struct hxs_rollback {
	char id[HXS_ID_LEN + 1];
	/* One that adopts: still to be completed and published. */
	struct hxs_staging staging;
	struct hxs_index *index; /* what it holds */
};
#define HXS_ROLLBACK_INIT                                            \
	{                                                            \
		.id = "", .staging = HXS_STAGING_INIT, .index = NULL \
	}

/*
 * Capture all sources that exist into a rollback point: 1, or 0 when none
 * exists. The caller holds the environment's lock and has recovered. @adopt,
 * one a source in the configuration's order, tells which may be taken where
 * they lie, and afterwards which were: with any, all but those is durable in
 * out->staging, which is the caller's to complete; else it is published. @own,
 * in the same order, names what the restore itself put there, or is NULL.
 * A source with a database that SQLite cannot copy, which may be why it is to
 * be replaced, is kept byte by byte, with a warning. opts->keep, full, tags
 * and allow_shrink do not count. Errors as hxs_create().
 */
HXS_MUST_CHECK
int hxs_create_rollback(struct hxs_store *s, const struct hxs_create_opts *opts,
			bool *adopt, const char *const *own,
			struct hxs_rollback *out, struct hxs_err *err);

/* ---- create_before.c: what went before --------------------------------- */

/*
 * Of a struct hxs_create, on a worker: open the newest verified backup for
 * linking from, as verified (none, or one that cannot be had, costs time and
 * nothing else), and fill meta's previous from the newest snapshot. What
 * fails is the capture's failure.
 */
void hxs_create_look_back(void *arg);

/* Fill has_before of every source from the newest backup that can tell. */
HXS_MUST_CHECK
int hxs_create_read_before(struct hxs_create *c, struct hxs_err *err);

/* Refuse a source that is empty or shrank, unless that is allowed. */
HXS_MUST_CHECK
int hxs_create_check_shrink(const struct hxs_create *c, struct hxs_err *err);

/* ---- create_commit.c: the software's commit ----------------------------- */

/*
 * Ask git for the commit checked out where the configuration is, if anything
 * there looks like a repository; it answers while the sources are captured.
 */
void hxs_create_ask_commit(struct hxs_create *c);

/* Its answer, the caller's; or NULL. */
char *hxs_create_take_commit(struct hxs_create *c);
void hxs_create_forget_commit(struct hxs_create *c);

/* ---- create_write.c: what create itself writes ------------------------- */

/* Write meta.json, config.json, the index and the manifest. */
HXS_MUST_CHECK
int hxs_create_write(struct hxs_create *c, struct hxs_err *err);

/* Read back the index that was written there. */
HXS_MUST_CHECK
int hxs_create_read_index(const struct hxs_staging *st, struct hxs_index **out,
			  struct hxs_err *err);

#endif
