/*
 * What the decision rests on. Damage is a fact like others; what cannot be
 * read is not known, and nothing is decided then.
 */
#include "base/io.h"
#include "format/manifest.h"
#include "store/journal.h"
#include "store/unconfirmed.h"
#include "verbs/prune.h"

#include <errno.h>
#include <string.h>

void hxs_prune_list_release(struct hxs_prune_list *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		hxs_history_item_release(&l->items[i]);
	free(l->items);
	l->items = NULL;
	l->count = 0;
	hxs_retention_plan_release(&l->plan);
}

/* ---- the snapshots ------------------------------------------------------ */

/*
 * What a lost result said of a backup is not known: it may be the newest one
 * that was verified.
 */
static int check_result(struct hxs_store *s, struct hxs_history_item *item,
			const char *ref, struct hxs_err *err)
{
	int r;

	if (item->has_result || item->kind == HXS_ROLLBACK ||
	    !hxs_result_is_there(s, item->kind, item->env, item->id))
		return 0;
	/* Or was it written this very moment? */
	item->has_result = hxs_result_load(s, item->kind, item->env, item->id,
					   &item->result) > 0;
	if (item->has_result)
		return 0;
	r = hxs_err_set(err, EIO, "the verify result of '%s' cannot be read",
			ref);
	hxs_err_hint(err, "'hxsnap verify %s' makes a new one", ref);
	return r;
}

static int describe_all(struct hxs_store *s, const char *env,
			struct hxs_prune_list *l, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	size_t i;
	int r;

	r = hxs_store_ids(s, l->kind, env, &ids, err);
	if (r < 0)
		return r;
	l->items = calloc(ids.count + 1, sizeof(*l->items));
	if (!l->items)
		return hxs_err_errno(err, ENOMEM, "cannot list '%s'", env);
	for (i = 0; i < ids.count; i++) {
		struct hxs_history_item *item = &l->items[l->count];
		char ref[HXS_REF_TEXT];

		r = hxs_history_describe(s, l->kind, env, ids.name[i], item,
					 err);
		if (r == -HXS_ENOSUCH) {
			hxs_err_clear(err); /* gone since it was listed */
			continue;
		}
		if (r < 0)
			return r;
		l->count++;
		hxs_ref_format(l->kind, env, item->id, ref);
		if (item->unknown)
			return hxs_err_set(err, EIO,
					   "snapshot '%s' cannot be read: %s",
					   ref, item->reason);
		r = check_result(s, item, ref, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what is known of them ---------------------------------------------- */

/* Whether the manifest of @item is the one that its result speaks of. */
static int is_proven(struct hxs_store *s, const struct hxs_history_item *item,
		     struct hxs_err *err)
{
	HXS_AUTO_CLOSE int dir = -1, fd = -1;
	struct hxs_digest found;
	struct hxs_hasher h;
	char chunk[16384];
	uint64_t at = 0;
	ssize_t n;
	int r;

	r = hxs_store_open_dir(s, item->kind, item->env, item->id, &dir, err);
	if (r < 0)
		return r;
	fd = hxs_io_open_regular(dir, HXS_MANIFEST_NAME, NULL);
	if (fd == -ENOENT || fd == -EINVAL || fd == -ELOOP)
		return 0; /* it has none: that is damage */
	if (fd < 0)
		return hxs_err_errno(err, -fd,
				     "cannot open the manifest of '%s/%s'",
				     item->env, item->id);
	hxs_hasher_init(&h);
	while ((n = hxs_io_pread_full(fd, chunk, sizeof(chunk), at)) > 0) {
		hxs_hasher_update(&h, chunk, (size_t)n);
		at += (uint64_t)n;
	}
	if (n < 0)
		return hxs_err_errno(err, (int)-n,
				     "cannot read the manifest of '%s/%s'",
				     item->env, item->id);
	hxs_hasher_final(&h, &found);
	return hxs_digest_equal(&found, &item->result.manifest);
}

static unsigned held(struct hxs_store *s, const struct hxs_history_item *item,
		     const struct hxs_journal *j)
{
	bool rollback = item->kind == HXS_ROLLBACK;
	char ref[HXS_REF_TEXT];
	unsigned bits = 0;

	hxs_ref_format(item->kind, item->env, item->id, ref);
	if (item->pinned)
		bits |= 1u << HXS_RETENTION_PINNED;
	if (j && strcmp(j->reference, ref) == 0)
		bits |= 1u << HXS_RETENTION_IN_USE;
	if (j && rollback && strcmp(j->rollback_id, item->id) == 0)
		bits |= 1u << HXS_RETENTION_UNFINISHED;
	if (rollback && hxs_unconfirmed_wants(s, item->env, item->id))
		bits |= 1u << HXS_RETENTION_UNCONFIRMED;
	return bits;
}

static int take(struct hxs_store *s, const struct hxs_prune_list *l,
		const struct hxs_journal *j, struct hxs_retention_item *items,
		struct hxs_err *err)
{
	bool proven = false;
	size_t i;
	int r;

	for (i = l->count; i-- > 0;) {
		const struct hxs_history_item *from = &l->items[i];
		struct hxs_retention_item *to = &items[i];

		memcpy(to->id, from->id, sizeof(to->id));
		if (from->has_meta) {
			to->tags = from->meta.tags;
			to->tag_count = from->meta.tag_count;
		}
		to->tags_unknown = !from->readable;
		to->damaged = !from->readable ||
			      (from->has_result && !from->result.passed);
		to->verified = from->has_result && from->result.passed &&
			       from->readable;
		to->held = held(s, from, j);
		/* Only the newest one counts: manifests can be large. */
		if (!to->verified || proven || l->kind == HXS_ROLLBACK)
			continue;
		r = is_proven(s, from, err);
		if (r < 0)
			return r;
		to->proven = proven = r > 0;
	}
	return 0;
}

int hxs_prune_list_make(struct hxs_store *s, const struct hxs_config_env *env,
			int64_t now, struct hxs_prune_list *out,
			struct hxs_err *err)
{
	HXS_AUTO_FREE struct hxs_retention_item *items = NULL;
	HXS_AUTO(journal) struct hxs_journal *j = NULL;
	int r;

	r = describe_all(s, env->name, out, err);
	if (r == 0)
		r = hxs_journal_read(s, env->name, &j, err);
	if (r < 0)
		return r;
	items = calloc(out->count + 1, sizeof(*items));
	if (!items)
		return hxs_err_errno(err, ENOMEM, "cannot tell what stays");
	r = take(s, out, j, items, err);
	if (r < 0)
		return r;
	return hxs_retention_decide(&env->retention, out->kind == HXS_ROLLBACK,
				    items, out->count, now, &out->plan, err);
}
