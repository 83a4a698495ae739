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
	bool left_out; /* a system that was not captured; it was told */
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
	/* By source: whether a system has to be captured. NULL: all. */
	const bool *must;
	/* By source: where a system's mark goes, or NULL. Or NULL. */
	char **const *marks;
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

/* ---- create_build.c: all but the rename --------------------------------- */

#define HXS_CREATE_NOTHING 1 /* no source exists: no rollback point */
#define HXS_CREATE_NO_SOURCE SIZE_MAX

/* Look up what c->opts asks for. */
HXS_MUST_CHECK
int hxs_create_check_request(struct hxs_create *c, struct hxs_err *err);

/* Everything up to the rename; NOTHING if there is nothing to keep. */
HXS_MUST_CHECK
int hxs_create_build(struct hxs_create *c, struct hxs_err *err);

/* What the create @arg does not need any more once all is written. */
void hxs_create_let_go(void *arg);
void hxs_create_release(struct hxs_create *c);

/* ---- create_fetch.c: systems -------------------------------------------- */

bool hxs_create_has_systems(const struct hxs_create *c);

/*
 * Have what every system (source/system.h) is to be kept by written into the
 * staging directory, as many at once as the environment says. The first
 * failure ends the rest, unless that system may be left out.
 */
HXS_MUST_CHECK
int hxs_create_fetch(struct hxs_create *c, struct hxs_err *err);

/* Let systems remove what they kept for rollback points that have gone. */
void hxs_create_sweep(struct hxs_create *c);

/* ---- create_rollback.c: rollback points --------------------------------- */

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

/* What a restore wants of it: all of these one a source, in their order. */
struct hxs_rollback_wants {
	/* It may be taken where it lies; and afterwards: it was. */
	bool *adopt;
	/* What the restore itself put there, or NULL. */
	const char *const *own;
	/*
	 * It is restored, and so has to be captured if it exists. Another one
	 * that lives elsewhere than in files (source/system.h) is left out,
	 * with a warning, when it cannot be captured.
	 */
	const bool *must;
	/*
	 * Where the mark of one that is restored goes (source/system.h), NULL
	 * when there is nothing to capture; NULL for one of no interest.
	 */
	char **const *marks;
};

/*
 * Capture all sources that exist into a rollback point: 1, or 0 when none
 * exists. The caller holds the environment's lock and has recovered. When any
 * source was adopted, all but those is durable in out->staging, which is the
 * caller's to complete; else it is published.
 * A source with a database that SQLite cannot copy, which may be why it is to
 * be replaced, is kept byte by byte, with a warning. opts->keep, full, tags
 * and allow_shrink do not count. Errors as hxs_create().
 */
HXS_MUST_CHECK
int hxs_create_rollback(struct hxs_store *s, const struct hxs_create_opts *opts,
			const struct hxs_rollback_wants *wants,
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
