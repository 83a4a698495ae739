/*
 * What a restore would do. The live trees are listed as for a backup; a file
 * of the recorded size and time is taken for unchanged, of one that has the
 * size alone the bytes are hashed where they lie.
 */
#include "base/buf.h"
#include "base/pool.h"
#include "base/xattr.h"
#include "source/apart.h"
#include "source/copy.h"
#include "source/source.h"
#include "source/sqlite.h"
#include "verbs/create_parts.h"
#include "verbs/restore.h"
#include "verbs/restore_pick.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define FDS_SPARE 24 /* ours beside the workers', and the caller's */
#define FDS_PER_WORKER 6

struct plan {
	struct hxs_store *store;
	const struct hxs_restore_opts *opts;
	const struct hxs_config_env *env;
	struct hxs_snapshot *snap;
	struct hxs_restore_pick pick;
	struct hxs_capture cap;
	struct hxs_index *live;
	hxs_treecmp_fn fn;
	void *ctx;
};

/* ---- the live trees as an index ---------------------------------------- */

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* The stored file at the place of item @it, or -1. */
static int64_t find_stored(const struct plan *p, const struct hxs_tree *t,
			   const struct hxs_tree_item *it,
			   struct hxs_node *stored)
{
	const struct hxs_index *idx = hxs_snapshot_index(p->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	int64_t n;

	if (hxs_tree_path(t, it->dir, it->name, true, &path) < 0)
		return -1;
	n = hxs_index_find(idx, path.data);
	if (n < 0)
		return -1;
	hxs_index_get(idx, (uint32_t)n, stored);
	return S_ISREG(stored->mode) ? n : -1;
}

static int hash(struct plan *p, const struct hxs_tree *t,
		const struct hxs_tree_item *it, struct hxs_digest *out,
		struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int dir = hxs_tree_open(t, it->dir, t->fd, false);
	struct hxs_copy c = {
		.cap = &p->cap,
		.from_dir = dir,
		.from = t->live_name ? t->live_name : it->name,
	};
	int r;

	memset(out, 0, sizeof(*out)); /* of no file: it has changed */
	if (dir < 0)
		return 0;
	c.scribe = hxs_copy_take_scribe(&p->cap);
	if (!c.scribe)
		return hxs_err_errno(err, ENOMEM, "cannot compare");
	r = hxs_copy_hash(&c, err);
	hxs_copy_give_scribe(&p->cap, c.scribe);
	if (r == HXS_COPY_DONE) {
		*out = c.chain.digest;
		hxs_chain_release(&c.chain);
	}
	if (r < 0)
		return hxs_err_prefix(err, r, "'%s'",
				      hxs_tree_show(t, it->dir, it->name,
						    &shown));
	return 0;
}

/*
 * What a file is told by without being opened: what it was, if it looks
 * unchanged. Not a database that has changes beside it, which a restore would
 * do away with.
 */
static int find_digest(struct plan *p, const struct hxs_tree *t,
		       const struct hxs_tree_item *it, int dir,
		       struct hxs_digest *out, struct hxs_err *err)
{
	const char *name = t->live_name ? t->live_name : it->name;
	struct hxs_node stored;

	memset(out, 0, sizeof(*out)); /* of no file: it differs */
	if (dir < 0 || find_stored(p, t, it, &stored) < 0 ||
	    stored.size != it->st.size)
		return 0;
	if (t->dirs[it->dir].beside && hxs_sqlite_needs_more(dir, name) != 0)
		return 0;
	if (!same_time(stored.mtime, it->st.mtime))
		return hash(p, t, it, out, err);
	*out = *stored.digest;
	return 0;
}

static int tell_file(struct plan *p, const struct hxs_tree *t, size_t i,
		     struct hxs_err *err)
{
	const struct hxs_tree_item *it = &t->items[i];
	HXS_AUTO_CLOSE int dir = -1, fd = -1;
	HXS_AUTO_BUF struct hxs_buf x = HXS_BUF_INIT;
	struct hxs_digest digest;
	struct hxs_node node;
	int r;

	if (it->state == HXS_TREE_OTHER_NAME)
		hxs_index_builder_link(p->cap.builder, it->handle,
				       t->items[it->same_as].handle);
	if (!S_ISREG(it->st.mode))
		return 0;
	dir = hxs_tree_open(t, it->dir, t->fd, false);
	r = find_digest(p, t, it, dir, &digest, err);
	if (r < 0)
		return r;
	hxs_index_builder_set_digest(p->cap.builder, it->handle, &digest);
	if (dir >= 0) /* which opens nothing */
		fd = openat(dir, t->live_name ? t->live_name : it->name,
			    O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || hxs_xattr_read(fd, &x) < 0 || x.len == 0)
		return 0; /* what this user may not see is not compared */
	hxs_tree_to_node(&it->st, &node);
	node.xattrs = x.data;
	node.xattrs_len = x.len;
	r = hxs_index_builder_update(p->cap.builder, it->handle, &node);
	return r < 0 ? hxs_err_errno(err, -r, "cannot compare") : 0;
}

static int list_source(struct plan *p, const struct hxs_config_source *src,
		       struct hxs_err *err)
{
	const struct hxs_source_ops *ops = hxs_source_ops(src->kind);
	struct hxs_source_totals totals;
	const struct hxs_tree *t;
	void *state = NULL;
	size_t i;
	int r;

	if (!ops || hxs_config_is_system(src))
		return 0; /* refused when it is restored, or not to be seen */
	r = ops->list(&p->cap, src, &state, &totals, err);
	if (r == -HXS_ENOSUCH) {
		hxs_err_clear(err);
		return 0;
	}
	t = state;
	for (i = 0; r == 0 && i < t->item_count; i++)
		r = tell_file(p, t, i, err);
	ops->free(state);
	return r;
}

/* They look at directories ahead of the walk. */
static int start_workers(struct plan *p, struct hxs_err *err)
{
	return hxs_pool_start(p->opts->threads, FDS_SPARE, FDS_PER_WORKER,
			      &p->cap.pool, err);
}

static int list_live(struct plan *p, struct hxs_err *err)
{
	HXS_AUTO(index_builder) struct hxs_index_builder *b = NULL;
	struct hxs_index_head head = { .kind = HXS_BACKUP };
	void *bytes;
	size_t i, len;
	int r;

	memcpy(head.env, hxs_index_head(hxs_snapshot_index(p->snap))->env,
	       sizeof(head.env));
	memcpy(head.id, hxs_index_head(hxs_snapshot_index(p->snap))->id,
	       sizeof(head.id));
	r = hxs_index_builder_new(&head, &b);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot compare");
	p->cap.builder = b;
	r = hxs_apart_note(&p->cap, p->store, err);
	if (r == 0)
		r = start_workers(p, err);
	for (i = 0; r == 0 && i < p->env->source_count; i++)
		r = list_source(p, &p->env->sources[i], err);
	if (r == 0)
		r = hxs_index_builder_finish(b, &bytes, &len, err);
	return r < 0 ? r : hxs_index_take_bare(bytes, len, &p->live, err);
}

/* ---- comparing --------------------------------------------------------- */

/*
 * Whether @path is, or lies in, something that was picked; or, if it is
 * @added, leads to that.
 */
static bool is_picked(struct plan *p, const char *path, bool added)
{
	size_t len = strlen(path);
	const struct hxs_index *idx = hxs_snapshot_index(p->snap);
	HXS_AUTO_BUF struct hxs_buf at = HXS_BUF_INIT;
	size_t i;

	if (p->pick.all)
		return true;
	for (i = 0; i < p->pick.count; i++) {
		hxs_buf_truncate(&at, 0);
		if (hxs_index_path(idx, p->pick.entries[i], &at) < 0)
			return true;
		if (strncmp(path, at.data, at.len) == 0 &&
		    (path[at.len] == '\0' || path[at.len] == '/'))
			return true;
		if (added && strncmp(path, at.data, len) == 0 &&
		    at.data[len] == '/')
			return true;
	}
	return false;
}

/* Whether @path is of a source that the snapshot knows: others stay. */
static bool is_stored(const struct plan *p, const char *path)
{
	const struct hxs_index *idx = hxs_snapshot_index(p->snap);
	int64_t n = hxs_index_lookup(idx, 0, path, strcspn(path, "/"));
	struct hxs_node node;

	if (n < 0)
		return false;
	hxs_index_get(idx, (uint32_t)n, &node);
	return S_ISDIR(node.mode);
}

/* Whether @path is of a source whose live state nobody can look at. */
static bool is_system(const struct plan *p, const char *path)
{
	size_t i, len = strcspn(path, "/");

	for (i = 0; i < p->env->source_count; i++) {
		const struct hxs_config_source *src = &p->env->sources[i];

		if (strlen(src->name) == len &&
		    memcmp(src->name, path, len) == 0)
			return hxs_config_is_system(src);
	}
	return false;
}

static int on_diff(unsigned what, const char *path, const struct hxs_node *na,
		   const struct hxs_node *nb, void *ctx)
{
	struct plan *p = ctx;

	if (!is_stored(p, path) || !is_picked(p, path, what & HXS_DIFF_ADDED))
		return 0;
	/* That it will be replaced is all that can be said of one. */
	if (is_system(p, path))
		return strchr(path, '/')
			       ? 0
			       : p->fn(HXS_DIFF_CONTENT, path, nb, nb, p->ctx);
	/* The directory of a single file is made up. */
	if (na && nb && (na->ino == 0 || nb->ino == 0) && !strchr(path, '/'))
		return 0;
	return p->fn(what, path, na, nb, p->ctx);
}

static int compare(struct plan *p, struct hxs_err *err)
{
	int r = hxs_treecmp(p->live, 0, hxs_snapshot_index(p->snap), 0, on_diff,
			    p);

	/* Any other failure is the caller's own, who has told it. */
	return r == -ENOMEM ? hxs_err_errno(err, ENOMEM, "cannot compare") : r;
}

int hxs_restore_plan(struct hxs_store *s, const struct hxs_restore_opts *opts,
		     hxs_treecmp_fn fn, void *ctx, struct hxs_err *err)
{
	struct plan p = {
		.store = s,
		.opts = opts,
		.pick = HXS_RESTORE_PICK_INIT,
		.fn = fn,
		.ctx = ctx,
	};
	int r;

	p.env = hxs_config_env(opts->config, opts->env);
	if (!p.env)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "'%s' has no environment '%s'",
				   opts->config->file, opts->env);
	hxs_capture_init(&p.cap);
	r = hxs_snapshot_open(s, opts->kind, opts->env, opts->id, &p.snap, err);
	if (r == 0)
		r = hxs_restore_pick(p.snap, opts->paths, opts->path_count,
				     &p.pick, err);
	if (r == 0)
		r = list_live(&p, err);
	if (r == 0)
		r = compare(&p, err);
	hxs_index_unref(p.live);
	hxs_snapshot_unref(p.snap);
	hxs_restore_pick_release(&p.pick);
	hxs_pool_free(p.cap.pool);
	hxs_capture_release(&p.cap);
	return r;
}
