/*
 * Copies of what is damaged in the snapshots of the store. Snapshots are
 * visited one after the other, each once, so that thousands of them cost no
 * more memory than one; it ends with the last file that was wanted.
 */
#include "verbs/repair_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct search {
	struct hxs_repair_run *run;
	const struct hxs_index_head *own;
	struct hxs_repair_file **by_digest; /* what was wanted at first */
	size_t wanted;
	struct hxs_progress progress;
	struct hxs_err *err;
	/* the snapshot at hand */
	struct hxs_snapshot *snap;
	const char *env;
	char name[HXS_REF_TEXT];
};

/* ---- one snapshot -------------------------------------------------------- */

static int compare_digests(const struct hxs_repair_run *run,
			   const struct hxs_repair_file *f,
			   const struct hxs_digest *d)
{
	struct hxs_node node;

	hxs_index_get(hxs_snapshot_index(run->snap), f->entry, &node);
	return memcmp(node.digest->b, d->b, sizeof(d->b));
}

static int by_digest(const void *a, const void *b, void *ctx)
{
	struct hxs_repair_file *const *x = a, *const *y = b;
	const struct hxs_repair_run *run = ctx;
	struct hxs_node node;
	int r;

	hxs_index_get(hxs_snapshot_index(run->snap), (*y)->entry, &node);
	r = compare_digests(run, *x, node.digest);
	return r ? r
		 : ((*x)->entry > (*y)->entry) - ((*x)->entry < (*y)->entry);
}

/* The first of them that is to have @digest; s->wanted if there is none. */
static size_t find_wanted(const struct search *s,
			  const struct hxs_digest *digest)
{
	size_t low = 0, high = s->wanted, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (compare_digests(s->run, s->by_digest[mid], digest) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int try_entry(const struct search *s, struct hxs_repair_file *f,
		     const struct hxs_node *node, const char *path, bool twin)
{
	const struct hxs_repair_copy copy = {
		.dir = hxs_snapshot_fd(s->snap),
		.path = path,
		.twin = twin && !hxs_snapshot_is_foreign(s->snap) &&
					strcmp(s->env, s->own->env) == 0
				? node
				: NULL,
	};
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	r = hxs_repair_try(s->run, f, &copy, s->name, &why);
	if (r < 0 && s->err)
		*s->err = why;
	return r;
}

/* At the paths they have themselves. */
static int look_at_paths(struct search *s)
{
	const struct hxs_index *idx = hxs_snapshot_index(s->snap);
	const struct hxs_index *own = hxs_snapshot_index(s->run->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_node node;
	int64_t entry;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < s->wanted; i++) {
		if (s->by_digest[i]->settled)
			continue;
		hxs_buf_truncate(&path, 0);
		r = hxs_index_path(own, s->by_digest[i]->entry, &path);
		if (r < 0)
			return hxs_err_errno(s->err, -r,
					     "cannot look for copies");
		entry = hxs_index_find(idx, path.data);
		if (entry <= 0)
			continue;
		hxs_index_get(idx, (uint32_t)entry, &node);
		if (S_ISREG(node.mode) &&
		    compare_digests(s->run, s->by_digest[i], node.digest) == 0)
			r = try_entry(s, s->by_digest[i], &node, path.data,
				      true);
	}
	return r;
}

/* Try entry @node for all that are to have its digest, from the @i-th on. */
static int try_for_all(struct search *s, const struct hxs_node *node, size_t i)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	int r = 0;

	for (; r == 0 && i < s->wanted; i++) {
		if (compare_digests(s->run, s->by_digest[i], node->digest) != 0)
			break;
		if (s->by_digest[i]->settled)
			continue;
		if (!path.len)
			r = hxs_index_path(hxs_snapshot_index(s->snap),
					   node->number, &path);
		if (r < 0)
			return hxs_err_errno(s->err, -r,
					     "cannot look for copies");
		r = try_entry(s, s->by_digest[i], node, path.data, false);
	}
	return r;
}

/* At any path. */
static int look_anywhere(struct search *s)
{
	const struct hxs_index *idx = hxs_snapshot_index(s->snap);
	uint32_t n, count = hxs_index_count(idx);
	const struct hxs_repair_run *run = s->run;
	struct hxs_node node;
	int r = 0;

	for (n = 1; r == 0 && n < count && run->settled < run->count; n++) {
		hxs_index_get(idx, n, &node);
		if (S_ISREG(node.mode))
			r = try_for_all(s, &node, find_wanted(s, node.digest));
	}
	return r;
}

static int pass_over(const struct search *s, const struct hxs_err *why)
{
	const struct hxs_listener *l = s->run->opts->listener;
	char text[sizeof(why->message) + 32];

	(void)snprintf(text, sizeof(text), "%s; it is passed over",
		       why->message);
	if (l && l->warning)
		l->warning(text, l->ctx);
	return 0;
}

static int visit(struct search *s, const char *env,
		 const struct hxs_repair_place *p)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	const struct hxs_listener *l = s->run->opts->listener;
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	if (hxs_repair_is_cancelled(s->run))
		return hxs_err_errno(s->err, ECANCELED,
				     "the repair ended early");
	r = hxs_snapshot_open(s->run->store, p->kind, env, p->id, &snap, &why);
	if (r == -ENOMEM)
		return hxs_err_errno(s->err, ENOMEM, "cannot open '%s/%s'", env,
				     p->id);
	if (r == -HXS_ENOSUCH)
		return 0; /* removed since it was listed */
	if (r < 0)
		return pass_over(s, &why);
	hxs_ref_format(p->kind, env, p->id, s->name);
	s->snap = snap;
	s->env = env;
	s->progress.files++;
	if (l && l->progress)
		l->progress(&s->progress, l->ctx);
	r = look_at_paths(s);
	return r < 0 || s->run->settled == s->run->count ? r : look_anywhere(s);
}

/* ---- all of them --------------------------------------------------------- */

static int visit_env(struct search *s, const char *env)
{
	HXS_AUTO_REPAIR_PLACES struct hxs_repair_places list = { .place =
									 NULL };
	const struct hxs_repair_run *run = s->run;
	size_t i;
	int r;

	r = hxs_repair_places_list(run, env, &list, s->err);
	for (i = 0; r == 0 && i < list.count && run->settled < run->count; i++)
		if (!hxs_repair_places_is_own(run, env, &list.place[i]))
			r = visit(s, env, &list.place[i]);
	return r;
}

/* What the snapshot itself holds twice. */
static int visit_own(struct search *s)
{
	s->snap = s->run->snap;
	s->env = s->own->env;
	hxs_ref_format(s->own->kind, s->env, s->own->id, s->name);
	return look_anywhere(s);
}

static int visit_all(struct search *s)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	size_t i;
	int r;

	r = visit_env(s, s->own->env);
	if (r == 0)
		r = visit_own(s);
	if (r == 0 && s->run->settled < s->run->count)
		r = hxs_store_envs(s->run->store, &envs, s->err);
	for (i = 0; r == 0 && i < envs.count; i++)
		if (strcmp(envs.name[i], s->own->env) != 0)
			r = visit_env(s, envs.name[i]);
	return r;
}

int hxs_repair_search(struct hxs_repair_run *run, struct hxs_err *err)
{
	struct search s = {
		.run = run,
		.own = hxs_index_head(hxs_snapshot_index(run->snap)),
		.progress = { .phase = "looking for copies" },
		.err = err,
	};
	size_t i;
	int r;

	if (run->settled == run->count)
		return 0;
	s.by_digest = calloc(run->count, sizeof(struct hxs_repair_file *));
	if (!s.by_digest)
		return hxs_err_errno(err, ENOMEM, "cannot look for copies");
	for (i = 0; i < run->count; i++)
		if (!run->files[i].settled)
			s.by_digest[s.wanted++] = &run->files[i];
	qsort_r(s.by_digest, s.wanted, sizeof(struct hxs_repair_file *),
		by_digest, run);
	r = visit_all(&s);
	free(s.by_digest);
	return r;
}
