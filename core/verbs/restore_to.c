/* Writing a snapshot, or some paths of it, to another place. */
#include "base/clock.h"
#include "base/io.h"
#include "base/path.h"
#include "source/stage.h"
#include "verbs/restore.h"
#include "verbs/restore_dir.h"
#include "verbs/restore_pick.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define FDS_SPARE 24 /* ours beside the workers', and the caller's */
#define FDS_PER_WORKER 6

struct restore_to {
	struct hxs_store *store;
	const struct hxs_restore_opts *opts;
	struct hxs_snapshot *snap;
	struct hxs_restore_pick pick;
	struct hxs_stage stage;
	uint64_t files_total, bytes_total;
	const char *phase;
	struct hxs_restore_dir to;
};

/* ---- the listener ------------------------------------------------------ */

static void on_progress(uint64_t files, uint64_t bytes, void *ctx)
{
	const struct restore_to *rt = ctx;
	const struct hxs_progress p = {
		.phase = rt->phase,
		.files = files,
		.files_total = rt->files_total,
		.bytes = bytes,
		.bytes_total = rt->bytes_total,
	};

	rt->opts->listener->progress(&p, rt->opts->listener->ctx);
}

static void on_warning(const char *text, void *ctx)
{
	const struct restore_to *rt = ctx;

	rt->opts->listener->warning(text, rt->opts->listener->ctx);
}

static bool on_cancelled(void *ctx)
{
	const struct restore_to *rt = ctx;

	return rt->opts->listener->cancelled(rt->opts->listener->ctx);
}

static void set_ears(struct restore_to *rt)
{
	const struct hxs_listener *l = rt->opts->listener;

	if (!l)
		return;
	rt->stage.ears = (struct hxs_capture_ears){
		.progress = l->progress ? on_progress : NULL,
		.warning = l->warning ? on_warning : NULL,
		.cancelled = l->cancelled ? on_cancelled : NULL,
		.ctx = rt,
	};
}

static void enter(struct restore_to *rt, const char *phase)
{
	rt->phase = phase;
	if (rt->stage.ears.progress)
		on_progress(rt->stage.files, rt->stage.bytes, rt);
}

/* ---- what -------------------------------------------------------------- */

static void count_work(struct restore_to *rt)
{
	const struct hxs_index *idx = hxs_snapshot_index(rt->snap);
	struct hxs_node node;
	int64_t n;
	size_t i;

	for (i = 0; i < rt->pick.count; i++) {
		n = rt->pick.entries[i];
		for (; n >= 0; n = hxs_index_next(idx, (uint32_t)n,
						  rt->pick.entries[i])) {
			hxs_index_get(idx, (uint32_t)n, &node);
			if (!S_ISREG(node.mode) || node.leader != node.number)
				continue;
			rt->files_total++;
			rt->bytes_total += node.size;
		}
	}
}

static int open_snapshot(struct restore_to *rt, struct hxs_err *err)
{
	const struct hxs_restore_opts *o = rt->opts;
	int r;

	r = hxs_snapshot_open(rt->store, o->kind, o->env, o->id, &rt->snap,
			      err);
	if (r < 0)
		return r;
	/* Whoever removes snapshots leaves a locked one alone. */
	if (flock(hxs_snapshot_fd(rt->snap), LOCK_SH | LOCK_NB) < 0 &&
	    errno == EWOULDBLOCK)
		return hxs_err_set(err, HXS_EBUSY,
				   "snapshot '%s' is being removed",
				   hxs_snapshot_name(rt->snap));
	r = hxs_restore_pick(rt->snap, o->paths, o->path_count, &rt->pick, err);
	if (r < 0)
		return r;
	count_work(rt);
	enter(rt, "looking");
	return hxs_restore_pick_check(rt->snap, &rt->pick, err);
}

/* ---- the copy ---------------------------------------------------------- */

/*
 * A handle on the copy of directory @dir of the snapshot, made private if it
 * is not there yet; it gets its attributes in the end.
 */
static int make_parent(struct restore_to *rt, uint32_t dir)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	int r;

	r = hxs_index_path(hxs_snapshot_index(rt->snap), dir, &path);
	if (r == 0 && path.len)
		r = hxs_io_mkdirs(rt->to.fd, path.data, 0700);
	return r < 0 ? r : hxs_io_open_dir(rt->to.fd, hxs_buf_str(&path));
}

static int fail(const struct restore_to *rt, uint32_t dir, int r,
		struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	(void)hxs_index_path(hxs_snapshot_index(rt->snap), dir, &path);
	(void)hxs_path_show(&shown, hxs_buf_str(&path), path.len);
	return hxs_err_errno(err, -r, "cannot create the copy of '%s'",
			     hxs_buf_str(&shown));
}

static int stage_one(struct restore_to *rt, uint32_t entry, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int dir = -1;
	struct hxs_node node;

	hxs_index_get(hxs_snapshot_index(rt->snap), entry, &node);
	dir = make_parent(rt, node.parent);
	if (dir < 0)
		return fail(rt, node.parent, dir, err);
	return hxs_stage_entry(&rt->stage, entry, dir, node.name, err);
}

static int by_number_down(const void *pa, const void *pb)
{
	const uint32_t *a = pa, *b = pb;

	return (*a < *b) - (*a > *b);
}

/* The directories above what was picked, the lowest first, each once. */
static int list_parents(const struct restore_to *rt, uint32_t **out,
			size_t *count)
{
	const struct hxs_index *idx = hxs_snapshot_index(rt->snap);
	HXS_AUTO_FREE uint32_t *list = NULL;
	size_t i, n = 0, cap = 0, kept = 0;
	struct hxs_node node;
	uint32_t *grown;

	for (i = 0; i < rt->pick.count; i++) {
		hxs_index_get(idx, rt->pick.entries[i], &node);
		while (node.parent != 0) {
			if (n == cap) {
				cap = cap ? cap * 2 : 64;
				grown = reallocarray(list, cap, sizeof(*list));
				if (!grown)
					return -ENOMEM;
				list = grown;
			}
			list[n++] = node.parent;
			hxs_index_get(idx, node.parent, &node);
		}
	}
	if (n)
		qsort(list, n, sizeof(*list), by_number_down);
	for (i = 0; i < n; i++)
		if (kept == 0 || list[kept - 1] != list[i])
			list[kept++] = list[i];
	*out = HXS_STEAL(list);
	*count = kept;
	return 0;
}

static int finish_parents(struct restore_to *rt, struct hxs_err *err)
{
	HXS_AUTO_FREE uint32_t *parents = NULL;
	size_t i, count = 0;
	int r;

	r = list_parents(rt, &parents, &count);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list directories");
	for (i = 0; r == 0 && i < count; i++) {
		HXS_AUTO_CLOSE int fd = make_parent(rt, parents[i]);

		if (fd < 0)
			return fail(rt, parents[i], fd, err);
		r = hxs_stage_attributes(&rt->stage, parents[i], fd, err);
	}
	return r;
}

static int copy_all(struct restore_to *rt, struct hxs_err *err)
{
	unsigned threads =
		hxs_pool_workers(rt->opts->threads, FDS_SPARE, FDS_PER_WORKER);
	HXS_AUTO(pool) struct hxs_pool *pool = NULL;
	size_t i;
	int r;

	r = hxs_pool_new(threads, 2 * threads, &pool);
	if (r == -EAGAIN && threads > 1) /* a limit on processes */
		r = hxs_pool_new(1, 2, &pool);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot start workers");
	rt->stage.snap = rt->snap;
	rt->stage.pool = pool;
	enter(rt, "restoring");
	for (i = 0; r == 0 && i < rt->pick.count; i++)
		r = stage_one(rt, rt->pick.entries[i], err);
	return r == 0 ? finish_parents(rt, err) : r;
}

/* ---- all --------------------------------------------------------------- */

static int publish(struct restore_to *rt, struct hxs_err *err)
{
	const struct hxs_capture_ears *ears = &rt->stage.ears;

	enter(rt, "writing");
	if (ears->cancelled && ears->cancelled(ears->ctx))
		return hxs_err_set(err, ECANCELED, "cancelled");
	return hxs_restore_dir_publish(&rt->to, err);
}

static int run(struct restore_to *rt, const char *dir, struct hxs_err *err)
{
	int r;

	r = open_snapshot(rt, err);
	if (r == 0)
		r = hxs_restore_dir_open(rt->store, dir, &rt->to, err);
	if (r == 0)
		r = copy_all(rt, err);
	return r == 0 ? publish(rt, err) : r;
}

int hxs_restore_to(struct hxs_store *s, const struct hxs_restore_opts *opts,
		   const char *dir, struct hxs_restore_report *out,
		   struct hxs_err *err)
{
	struct restore_to rt = {
		.store = s,
		.opts = opts,
		.to = HXS_RESTORE_DIR_INIT,
		.phase = "looking",
	};
	double since = hxs_clock_ticks();
	int r;

	rt.to.dir = dir;
	set_ears(&rt);
	r = run(&rt, dir, err);
	if (r < 0)
		r = hxs_restore_dir_drop(&rt.to, r, err);
	hxs_restore_dir_close(&rt.to);
	hxs_restore_pick_release(&rt.pick);
	hxs_snapshot_unref(rt.snap);
	if (r < 0)
		return r;
	*out = (struct hxs_restore_report){
		.files = rt.stage.files,
		.bytes = rt.stage.bytes,
		.seconds = hxs_clock_ticks() - since,
	};
	hxs_ref_format(opts->kind, opts->env, opts->id, out->reference);
	return 0;
}
