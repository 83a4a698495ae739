#ifndef HXS_VERBS_HISTORY_H
#define HXS_VERBS_HISTORY_H

/* What there is, and what changed: list, show, diff. */
#include "base/err.h"
#include "format/meta.h"
#include "format/treecmp.h"
#include "store/result.h"
#include "store/snapshot.h"

/* One snapshot as `list` and `show` tell it. */
struct hxs_history_item {
	enum hxs_kind kind;
	char env[HXS_ENV_MAX + 1];
	char id[HXS_ID_LEN + 1];
	bool readable; /* nothing is seen to be wrong; else reason says what */
	bool denied; /* ... and that is only that this user may not look */
	bool unknown; /* ... and it could not be looked at: no damage */
	bool has_meta; /* a foreign snapshot may do without */
	struct hxs_meta meta; /* valid if has_meta */
	bool foreign; /* no index.hxi */
	bool pinned;
	bool has_result;
	struct hxs_result result;
	char reason[512];
};
void hxs_history_item_release(struct hxs_history_item *item);

/* Files and bytes of all sources as meta.json has them; false if unknown. */
bool hxs_history_totals(const struct hxs_history_item *item, uint64_t *files,
			uint64_t *bytes);

/*
 * Read the meta.json in snapshot directory @dirfd, checking nothing but
 * itself. -HXS_ECORRUPT, -ENOENT, -errno.
 */
HXS_MUST_CHECK
int hxs_history_read_meta(int dirfd, struct hxs_meta *out, struct hxs_err *err);

/*
 * Describe one snapshot cheaply: meta.json is parsed but not verified (its
 * digest is checked by `show`). Damage is told in the item, not returned.
 */
HXS_MUST_CHECK
int hxs_history_describe(const struct hxs_store *s, enum hxs_kind kind,
			 const char *env, const char *id,
			 struct hxs_history_item *out, struct hxs_err *err);

/*
 * Compare two snapshots, @fn as in treecmp.h. Content differs if digests do:
 * no file is read. Foreign snapshots compare by the manifest's digests.
 */
HXS_MUST_CHECK
int hxs_history_diff(struct hxs_snapshot *a, struct hxs_snapshot *b,
		     hxs_treecmp_fn fn, void *ctx, struct hxs_err *err);

#endif
