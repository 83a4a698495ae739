/* The first steps of a drill: the snapshot, and all of it in scratch space. */
#include "verbs/drill_parts.h"
#include "verbs/restore_room.h"

#include <errno.h>

#define FDS_SPARE 24 /* ours beside the workers', and the caller's */
#define FDS_PER_WORKER 6

/* ---- snapshot ---------------------------------------------------------- */

int hxs_drill_snapshot(struct hxs_drill_run *run, struct hxs_buf *detail,
		       struct hxs_err *err)
{
	struct hxs_ref ref = *run->opts->ref;
	uint64_t files, bytes;
	int r;

	if (ref.which == HXS_REF_ENV)
		ref.which = HXS_REF_LATEST;
	r = hxs_store_resolve(run->store, &ref, run->id, err);
	if (r < 0)
		return r;
	hxs_ref_format(ref.kind, ref.env, run->id, run->rep->reference);
	run->ropts = (struct hxs_restore_opts){
		.config = run->opts->config,
		.env = run->env->name,
		.kind = ref.kind,
		.id = run->id,
		.threads = run->opts->threads,
		.tool_version = run->opts->tool_version,
		.listener = &run->ears,
	};
	r = hxs_restore_open(run->store, &run->ropts, &run->snap, &run->pick,
			     err);
	if (r < 0)
		return r;
	hxs_restore_pick_count(run->snap, &run->pick, &files, &bytes);
	run->relay.files_total = files;
	run->relay.bytes_total = bytes;
	return hxs_buf_printf(detail, "%s, of '%s', is proven by its manifest",
			      run->rep->reference, run->env->name);
}

/* ---- restore ----------------------------------------------------------- */

static int check_room(const struct hxs_drill_run *run, struct hxs_err *err)
{
	const struct hxs_drill_scratch *sc = &run->scratch;
	struct hxs_room room;
	size_t i;

	hxs_restore_room_begin(&room, run->store, sc->fd);
	for (i = 0; i < run->pick.count; i++)
		hxs_restore_room_add(&room, run->snap, run->pick.entries[i]);
	return hxs_restore_room_check(&room, sc->fd, sc->path, err);
}

/* Also what describes the snapshot: no byte of it is to be damaged. */
static int write_all(struct hxs_drill_run *run, struct hxs_err *err)
{
	struct hxs_node top, node;
	uint32_t i;
	int r;

	r = hxs_pool_start(run->opts->threads, FDS_SPARE, FDS_PER_WORKER,
			   &run->pool, err);
	run->stage.snap = run->snap;
	run->stage.pool = run->pool;
	run->stage.ears = hxs_relay_ears(&run->relay);
	run->stage.trial = true;
	hxs_index_get(hxs_snapshot_index(run->snap), 0, &top);
	for (i = 0; r == 0 && i < top.child_count; i++) {
		hxs_index_get(hxs_snapshot_index(run->snap),
			      top.first_child + i, &node);
		r = hxs_stage_entry(&run->stage, node.number, run->scratch.fd,
				    node.name, err);
	}
	/* A restore would, and only then is it told of what was lost. */
	if (r == 0 && syncfs(run->scratch.fd) < 0)
		r = hxs_err_errno(err, errno, "cannot make '%s' durable",
				  run->scratch.path);
	return r;
}

int hxs_drill_restore(struct hxs_drill_run *run, struct hxs_buf *detail,
		      struct hxs_err *err)
{
	int r;

	hxs_relay_enter(&run->relay, "restoring", 0, 0);
	r = hxs_drill_scratch_sweep(run, err);
	if (r == 0)
		r = hxs_drill_scratch_make(run, err);
	if (r == 0)
		r = check_room(run, err);
	if (r == 0)
		r = write_all(run, err);
	return r < 0 ? r
		     : hxs_buf_printf(detail,
				      "%llu files, %llu bytes, verified",
				      (unsigned long long)run->stage.files,
				      (unsigned long long)run->stage.bytes);
}
