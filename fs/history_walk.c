/*
 * Making a trail: one walk over all backups, from the oldest to the newest,
 * with no more than two of them in use at a time.
 */
#include "base/clock.h"
#include "fs/history_parts.h"
#include "fs/registry.h"
#include "fs/slots.h"
#include "verbs/versions.h"

#include <errno.h>
#include <string.h>

/* How often a new backup may come between asking how many and copying. */
#define ROOM_TO_SPARE 16u

struct walk {
	struct hxfs *fs;
	struct hxfs_trail *t;
	uint32_t env;
	const char *path;
	size_t turn; /* which backup it is at */
	size_t seen; /* how many could be looked into */
	/* The file that the backup before has, which @snap holds; or none. */
	struct hxs_snapshot *snap;
	struct hxs_node file;
	struct hxs_err why; /* why one could not */
};

/* ---- versions ------------------------------------------------------------ */

static void forget_file(struct walk *w)
{
	hxs_snapshot_unref(HXS_STEAL(w->snap));
}

static int add_version(struct walk *w, const struct hxfs_slot *s, uint32_t n)
{
	struct hxfs_trail *t = w->t;
	size_t cap = t->version_cap ? t->version_cap * 2 : 4;
	struct hxfs_version *v;

	if (t->version_count == t->version_cap) {
		v = reallocarray(t->version, cap, sizeof(*v));
		if (!v)
			return -ENOMEM;
		t->version = v;
		t->version_cap = cap;
	}
	v = &t->version[t->version_count];
	*v = (struct hxfs_version){ .seconds = s->seconds,
				    .slot = s->number,
				    .n = n };
	t->version_count++;
	return hxfs_stat_entry(w->fs, s, &v->n, &v->st);
}

static int see_file(struct walk *w, const struct hxfs_slot *s,
		    const struct hxs_node *node)
{
	bool fresh = hxs_versions_change(w->snap ? &w->file : NULL, node) != 0;

	forget_file(w);
	w->snap = hxs_snapshot_ref(s->snap);
	w->file = *node;
	return fresh ? add_version(w, s, node->number) : 0;
}

/* ---- the way there ------------------------------------------------------- */

static void add_dir(struct hxfs_gates *g, const struct stat *st)
{
	struct hxfs_access a = { st->st_mode & 0777, st->st_uid, st->st_gid };

	hxfs_gates_add(g, &a);
}

/* The store's own directories; -ESTALE if the backup is being removed. */
static int add_store(struct walk *w, const struct hxfs_slot *s,
		     struct hxfs_gates *g)
{
	struct stat st;
	int r;

	r = hxfs_stat_env(w->fs, w->env, false, &st);
	if (r < 0)
		return r;
	add_dir(g, &st);
	r = hxfs_stat_snapshot(w->fs, w->env, HXS_BACKUP, s->seconds, &st);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	add_dir(g, &st);
	return 0;
}

/* Those of the snapshot: @dir and all above it. */
static void add_above(const struct hxs_index *idx, const struct hxs_node *dir,
		      struct hxfs_gates *g)
{
	struct hxs_node node = *dir;
	struct hxfs_access a = hxfs_access_of(&node);

	hxfs_gates_add(g, &a);
	while (node.number != 0) {
		hxs_index_get(idx, node.parent, &node);
		a = hxfs_access_of(&node);
		hxfs_gates_add(g, &a);
	}
}

/* ---- the walk ------------------------------------------------------------ */

static int see(struct walk *w, const struct hxfs_slot *s)
{
	const struct hxs_index *idx = hxs_snapshot_index(s->snap);
	int64_t at = hxs_index_find(idx, w->path);
	struct hxfs_gates gates = { .count = 0 };
	struct hxs_node node;
	int r;

	r = add_store(w, s, &gates);
	if (r < 0)
		return r;
	w->seen++;
	if (at < 0) {
		forget_file(w);
		return 0;
	}
	w->t->found = true;
	hxs_index_get(idx, (uint32_t)at, &node);
	if (!S_ISDIR(node.mode))
		return see_file(w, s, &node);
	forget_file(w);
	add_above(idx, &node, &gates);
	return hxfs_trail_unite(w->t, idx, &node, &gates, w->turn);
}

static bool is_gone(int r)
{
	return r == -ESTALE || r == -HXS_ENOSUCH;
}

/* One that is damaged is passed over; what we lack ourselves ends it. */
static int visit(struct walk *w, const struct hxfs_backup *b,
		 struct hxs_err *err)
{
	struct hxs_err why = HXS_ERR_INIT;
	struct hxfs_slot *s;
	int r;

	if (atomic_load(&w->fs->ending))
		return hxs_err_errno(err, ECANCELED, "the mount ends");
	r = hxfs_slots_enter(w->fs, b->slot, HXFS_HASH, &s, &why);
	if (is_gone(r))
		return 0;
	if (r < 0 && !hxfs_slots_is_shortage(r)) {
		w->t->fault = r;
		w->why = why;
		return 0;
	}
	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}
	r = see(w, s);
	hxfs_slots_leave(w->fs, s);
	if (is_gone(r))
		return 0;
	return r < 0 ? hxs_err_errno(err, -r, "cannot look for '%s'", w->path)
		     : 0;
}

/* ---- from outside -------------------------------------------------------- */

void hxfs_trail_free(struct hxfs_trail *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->branch_count; i++)
		free(t->branch[i].name);
	free(t->branch);
	free(t->version);
	free(t);
}

int hxfs_trail_backups(struct hxfs *fs, uint32_t env, struct hxfs_backup **out,
		       size_t *count, uint64_t *changes)
{
	HXS_AUTO_FREE struct hxfs_backup *all = NULL;
	const struct hxfs_area *a = NULL;
	size_t i, cap = 0, there;
	struct hxfs_env *e;

	do {
		free(HXS_STEAL(all));
		all = calloc(cap + ROOM_TO_SPARE, sizeof(*all));
		if (!all)
			return -ENOMEM;
		cap += ROOM_TO_SPARE;
		hxfs_lock(fs);
		e = hxfs_registry_env(fs, env);
		a = e ? hxfs_env_area(e, HXS_BACKUP) : NULL;
		there = a ? a->count : 0;
		for (i = 0; i < there && there <= cap; i++)
			all[i] = (struct hxfs_backup){
				.seconds = a->slot[i]->seconds,
				.slot = a->slot[i]->number,
			};
		*changes = a ? a->changes : 0;
		hxfs_unlock(fs);
		if (!a)
			return -ESTALE;
	} while (there > cap && (cap = there));
	*count = there;
	*out = HXS_STEAL(all);
	return 0;
}

int hxfs_trail_make(struct hxfs *fs, uint32_t env, uint64_t number,
		    const char *path, struct hxfs_trail **out,
		    struct hxs_err *err)
{
	HXS_AUTO_FREE struct hxfs_backup *all = NULL;
	HXS_AUTO(trail) struct hxfs_trail *t = NULL;
	struct walk w = {
		.fs = fs, .env = env, .path = path, .why = HXS_ERR_INIT
	};
	size_t count = 0;
	int r;

	t = calloc(1, sizeof(*t));
	if (!t)
		return hxs_err_errno(err, ENOMEM, "cannot look for a path");
	t->number = number;
	t->refs = 1;
	r = hxfs_trail_backups(fs, env, &all, &count, &t->changes);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look for '%s'", path);
	w.t = t;
	for (; r == 0 && w.turn < count; w.turn++)
		r = visit(&w, &all[w.turn], err);
	forget_file(&w);
	if (r == 0 && t->fault && !w.seen) {
		if (err)
			*err = w.why;
		r = t->fault;
	}
	if (r < 0)
		return r;
	t->made = hxs_clock_ticks();
	hxfs_trail_order(t);
	*out = HXS_STEAL(t);
	return 0;
}

const struct hxfs_version *hxfs_trail_version(const struct hxfs_trail *t,
					      int64_t seconds)
{
	size_t lo = 0, hi = t->version_count, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (t->version[mid].seconds < seconds)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->version_count && t->version[lo].seconds == seconds
		       ? &t->version[lo]
		       : NULL;
}
