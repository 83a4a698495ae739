/*
 * Snapshots are walked from the newest to the oldest, two of them open at a
 * time: the one at hand and the one after it. As long as both hold the same
 * version the run of snapshots grows downwards; where they differ, the run
 * above is complete, since what it changed from is known as well.
 */
#include "verbs/versions.h"

#include "base/path.h"
#include "store/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What differs between two versions. */
#define TELLING                                              \
	(HXS_DIFF_ADDED | HXS_DIFF_REMOVED | HXS_DIFF_TYPE | \
	 HXS_DIFF_CONTENT | HXS_DIFF_MODE | HXS_DIFF_OWNER | HXS_DIFF_XATTRS)

struct walk {
	const struct hxs_store *store;
	struct hxs_versions *v;
	struct hxs_err *err;
	char *path; /* without a slash at its end */
	struct hxs_snapshot *snap; /* the oldest of the run; NULL: no run */
	int64_t entry; /* of the path there, or negative: absent */
	struct hxs_version run;
};

/* ---- telling ----------------------------------------------------------- */

static void count(const struct hxs_index *idx, uint32_t top,
		  struct hxs_version *run)
{
	struct hxs_node node;
	int64_t n = top;

	for (; n >= 0; n = hxs_index_next(idx, (uint32_t)n, top)) {
		hxs_index_get(idx, (uint32_t)n, &node);
		if (!S_ISREG(node.mode))
			continue;
		run->files++;
		run->bytes += node.size;
	}
}

/* The run is complete. */
static int tell_run(struct walk *w)
{
	const struct hxs_index *idx = hxs_snapshot_index(w->snap);
	struct hxs_node node;

	w->run.node = NULL;
	if (w->entry >= 0) {
		hxs_index_get(idx, (uint32_t)w->entry, &node);
		w->run.node = &node;
		count(idx, (uint32_t)w->entry, &w->run);
	}
	return w->v->fn(&w->run, w->v->ctx);
}

/* ---- comparing --------------------------------------------------------- */

unsigned hxs_versions_change(const struct hxs_node *older,
			     const struct hxs_node *newer)
{
	if (!older || !newer)
		return older ? HXS_DIFF_REMOVED : newer ? HXS_DIFF_ADDED : 0;
	return hxs_treecmp_node(older, newer) & TELLING;
}

static int count_change(unsigned what, const char *path HXS_UNUSED,
			const struct hxs_node *na HXS_UNUSED,
			const struct hxs_node *nb HXS_UNUSED, void *ctx)
{
	struct hxs_version *run = ctx;

	if (what & HXS_DIFF_ADDED)
		run->added++;
	else if (what & HXS_DIFF_REMOVED)
		run->removed++;
	else if (what & TELLING)
		run->modified++;
	return 0;
}

/*
 * Put into the run what changed from @snap, the snapshot before its oldest.
 * 1 if anything did, 0 if the versions are the same, -ENOMEM.
 */
static int compare(struct walk *w, struct hxs_snapshot *snap, int64_t entry)
{
	const struct hxs_index *older = hxs_snapshot_index(snap);
	const struct hxs_index *newer = hxs_snapshot_index(w->snap);
	struct hxs_version *run = &w->run;
	struct hxs_node a, b;
	int r;

	if (entry >= 0)
		hxs_index_get(older, (uint32_t)entry, &a);
	if (w->entry >= 0)
		hxs_index_get(newer, (uint32_t)w->entry, &b);
	run->what = hxs_versions_change(entry >= 0 ? &a : NULL,
					w->entry >= 0 ? &b : NULL);
	if (entry < 0 || w->entry < 0)
		return run->what != 0;
	if (S_ISDIR(a.mode) && S_ISDIR(b.mode)) {
		r = hxs_treecmp(older, a.number, newer, b.number, count_change,
				run);
		if (r < 0)
			return hxs_err_errno(w->err, -r, "cannot compare '%s'",
					     w->run.oldest);
	}
	return run->what || run->added || run->removed || run->modified;
}

/* ---- walking ----------------------------------------------------------- */

static void begin_run(struct walk *w, const char *id)
{
	w->run = (struct hxs_version){ .snapshots = 0 };
	memcpy(w->run.newest, id, sizeof(w->run.newest));
}

/* The run goes on with, or begins at, @snap, which it owns from here on. */
static void grow_run(struct walk *w, const char *id, struct hxs_snapshot *snap,
		     int64_t entry)
{
	hxs_snapshot_unref(w->snap);
	w->snap = snap;
	w->entry = entry;
	memcpy(w->run.oldest, id, sizeof(w->run.oldest));
	w->run.snapshots++;
	w->v->snapshots++;
	w->v->found += entry >= 0;
}

static int pass_over(struct walk *w, const struct hxs_err *why)
{
	const struct hxs_listener *l = w->v->listener;
	char text[sizeof(why->message) + 32];

	w->v->damaged++;
	(void)snprintf(text, sizeof(text), "%s; it is passed over",
		       why->message);
	if (l && l->warning)
		l->warning(text, l->ctx);
	return 0;
}

static int visit(struct walk *w, const char *id)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	int64_t entry;
	int r;

	r = hxs_snapshot_open(w->store, w->v->kind, w->v->env, id, &snap, &why);
	if (r == -HXS_ENOSUCH)
		return 0; /* removed since it was listed */
	if (r == -ENOMEM)
		return hxs_err_errno(w->err, ENOMEM, "cannot open '%s'", id);
	if (r < 0)
		return pass_over(w, &why);
	entry = hxs_index_find(hxs_snapshot_index(snap), w->path);
	if (!w->snap) {
		begin_run(w, id);
	} else {
		r = compare(w, snap, entry);
		if (r > 0) {
			r = tell_run(w);
			begin_run(w, id);
		}
		if (r != 0)
			return r;
	}
	grow_run(w, id, HXS_STEAL(snap), entry);
	return 0;
}

static int visit_all(struct walk *w)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	const struct hxs_listener *l = w->v->listener;
	struct hxs_progress p = { .phase = "reading indexes" };
	size_t i;
	int r;

	r = hxs_store_ids(w->store, w->v->kind, w->v->env, &ids, w->err);
	p.files_total = ids.count;
	for (i = ids.count; r == 0 && i-- > 0;) {
		if (l && l->cancelled && l->cancelled(l->ctx))
			return hxs_err_errno(w->err, ECANCELED,
					     "not all of '%s' was looked at",
					     w->v->env);
		r = visit(w, ids.name[i]);
		p.files++;
		if (l && l->progress)
			l->progress(&p, l->ctx);
	}
	/* Before the first version there is nothing to be told. */
	if (r == 0 && w->snap && w->entry >= 0)
		r = tell_run(w);
	return r;
}

int hxs_versions_tell(const struct hxs_store *s, struct hxs_versions *v,
		      struct hxs_err *err)
{
	HXS_AUTO_FREE char *path = strdup(v->path);
	struct walk w = { .store = s, .v = v, .err = err, .path = path };
	const char *fault;
	size_t len;
	int r;

	if (!path)
		return hxs_err_errno(err, ENOMEM, "cannot look for a path");
	len = strlen(path);
	if (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	fault = hxs_path_fault(path, len);
	if (fault) {
		HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

		(void)hxs_path_show(&shown, v->path, strlen(v->path));
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is no path in a snapshot: %s",
				   hxs_buf_str(&shown), fault);
	}
	r = visit_all(&w);
	hxs_snapshot_unref(w.snap);
	return r;
}
