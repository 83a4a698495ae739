#ifndef HXS_VERBS_CREATE_PARTS_H
#define HXS_VERBS_CREATE_PARTS_H

/* What create is made of. For create*.c only. */
#include "format/meta.h"
#include "source/source.h"
#include "store/snapshot.h"
#include "store/staging.h"
#include "verbs/create.h"

struct hxs_create_source {
	const struct hxs_config_source *config;
	const struct hxs_source_ops *ops;
	void *state; /* NULL: the source is missing, and may be */
	struct hxs_source_totals totals;
	bool has_before; /* an earlier backup tells what it held then */
	uint64_t files_before, bytes_before;
};

/* One create under way. */
struct hxs_create {
	struct hxs_store *store;
	const struct hxs_create_opts *opts;
	const struct hxs_config_env *env;
	struct hxs_create_source *sources;
	struct hxs_capture cap;
	struct hxs_index_builder *builder;
	struct hxs_snapshot *verified; /* what is linked from, or NULL */
	struct hxs_staging staging;
	struct hxs_meta meta;
	struct timespec captured;
	const char *phase;
	uint64_t files_total, bytes_total;
};

/* ---- create_before.c: what went before --------------------------------- */

/*
 * Open the newest verified backup for linking from. None, or one that cannot
 * be had, costs time and nothing else.
 */
void hxs_create_open_verified(struct hxs_create *c);

/* Fill has_before of every source from the newest backup that can tell. */
HXS_MUST_CHECK
int hxs_create_read_before(struct hxs_create *c, struct hxs_err *err);

/* Refuse a source that is empty or shrank, unless that is allowed. */
HXS_MUST_CHECK
int hxs_create_check_shrink(const struct hxs_create *c, struct hxs_err *err);

/* Fill meta's previous from the newest snapshot. */
HXS_MUST_CHECK
int hxs_create_note_previous(struct hxs_create *c, struct hxs_err *err);

/* ---- create_write.c: what create itself writes ------------------------- */

/* Write meta.json, config.json, the index and the manifest. */
HXS_MUST_CHECK
int hxs_create_write(struct hxs_create *c, struct hxs_err *err);

#endif
