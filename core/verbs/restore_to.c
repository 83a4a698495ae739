/* Writing a snapshot, or some paths of it, to another place. */
#include "base/clock.h"
#include "base/io.h"
#include "base/path.h"
#include "source/stage.h"
#include "verbs/relay.h"
#include "verbs/restore.h"
#include "verbs/restore_dir.h"
#include "verbs/restore_pick.h"
#include "verbs/restore_room.h"
#include "verbs/restore_until.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define FDS_SPARE 24 /* ours beside the workers', and the caller's */
#define FDS_PER_WORKER 6

struct restore_to {
	struct hxs_store *store;
	const struct hxs_restore_opts *opts;
	struct hxs_snapshot *snap;
	struct hxs_restore_pick pick;
	struct hxs_stage stage;
	struct hxs_relay relay;
	struct hxs_restore_dir to;
	struct hxs_restore_until until;
};

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
	int r;

	hxs_index_get(hxs_snapshot_index(rt->snap), entry, &node);
	dir = make_parent(rt, node.parent);
	if (dir < 0)
		return fail(rt, node.parent, dir, err);
	r = hxs_stage_entry(&rt->stage, entry, dir, node.name, err);
	if (r == 0)
		r = hxs_restore_until_cut(&rt->until, &rt->stage, entry, dir,
					  node.name, err);
	return r;
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
	HXS_AUTO(pool) struct hxs_pool *pool = NULL;
	size_t i;
	int r;

	r = hxs_pool_start(rt->opts->threads, FDS_SPARE, FDS_PER_WORKER, &pool,
			   err);
	if (r < 0)
		return r;
	rt->stage.snap = rt->snap;
	rt->stage.pool = pool;
	rt->stage.ears = hxs_relay_ears(&rt->relay);
	hxs_restore_pick_count(rt->snap, &rt->pick, &rt->relay.files_total,
			       &rt->relay.bytes_total);
	hxs_relay_enter(&rt->relay, "restoring", rt->stage.files,
			rt->stage.bytes);
	for (i = 0; r == 0 && i < rt->pick.count; i++)
		r = stage_one(rt, rt->pick.entries[i], err);
	return r == 0 ? finish_parents(rt, err) : r;
}

/* ---- all --------------------------------------------------------------- */

static int publish(struct restore_to *rt, struct hxs_err *err)
{
	int r;

	hxs_relay_enter(&rt->relay, "writing", rt->stage.files,
			rt->stage.bytes);
	r = hxs_relay_goes_on(&rt->relay, err);
	return r < 0 ? r : hxs_restore_dir_publish(&rt->to, err);
}

static int check_room(const struct restore_to *rt, struct hxs_err *err)
{
	struct hxs_room room;
	size_t i;

	hxs_restore_room_begin(&room, rt->store, rt->to.fd);
	for (i = 0; i < rt->pick.count; i++)
		hxs_restore_room_add(&room, rt->snap, rt->pick.entries[i]);
	return hxs_restore_room_check(&room, rt->to.fd, rt->to.dir, err);
}

static int run(struct restore_to *rt, const char *dir, struct hxs_err *err)
{
	int r;

	r = hxs_restore_open(rt->store, rt->opts, &rt->snap, &rt->pick, err);
	if (r == 0)
		r = hxs_restore_until_begin(&rt->until, rt->opts, rt->snap,
					    &rt->pick, &rt->relay, err);
	if (r == 0 && rt->until.stated)
		r = hxs_err_set(err, HXS_EUSAGE,
				"source '%s' is brought to a point in time by "
				"statements, and what goes to a directory runs "
				"none",
				rt->until.stated);
	if (r == 0)
		r = hxs_restore_dir_open(rt->store, dir, &rt->to, err);
	if (r == 0)
		r = check_room(rt, err);
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
		.relay = { .to = opts->listener, .phase = "looking" },
	};
	double since = hxs_clock_ticks();
	int r;

	rt.to.dir = dir;
	r = run(&rt, dir, err);
	if (r < 0)
		r = hxs_restore_dir_drop(&rt.to, r, err);
	hxs_restore_dir_close(&rt.to);
	hxs_restore_pick_release(&rt.pick);
	hxs_snapshot_unref(rt.snap);
	if (r < 0) {
		hxs_restore_until_release(&rt.until);
		return r;
	}
	*out = (struct hxs_restore_report){
		.files = rt.stage.files,
		.bytes = rt.stage.bytes,
		.seconds = hxs_clock_ticks() - since,
	};
	hxs_restore_until_report(&rt.until, out);
	hxs_restore_until_release(&rt.until);
	hxs_ref_format(opts->kind, opts->env, opts->id, out->reference);
	return 0;
}
