#include "verbs/repair.h"

#include "base/io.h"
#include "store/lock.h"
#include "verbs/repair_parts.h"
#include "verbs/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool hxs_repair_is_cancelled(const struct hxs_repair_run *run)
{
	const struct hxs_listener *l = run->opts->listener;

	return l && l->cancelled && l->cancelled(l->ctx);
}

/* ---- what is damaged ----------------------------------------------------- */

static void on_fault(const struct hxs_fault *fault, const char *path HXS_UNUSED,
		     void *ctx)
{
	struct hxs_repair_run *run = ctx;
	struct hxs_index *idx = hxs_snapshot_index(run->snap);
	struct hxs_repair_file *grown;
	size_t cap;

	if (fault->kind == HXS_FAULT_EXTRA ||
	    fault->kind == HXS_FAULT_SNAPSHOT || fault->entry == 0 ||
	    fault->entry >= hxs_index_count(idx) ||
	    (run->seen[fault->entry / 8] & 1u << fault->entry % 8))
		return;
	if (run->count == run->cap) {
		cap = run->cap ? 2 * run->cap : 64;
		grown = reallocarray(run->files, cap, sizeof(*grown));
		if (!grown) {
			run->status = -ENOMEM;
			return;
		}
		run->files = grown;
		run->cap = cap;
	}
	run->seen[fault->entry / 8] |= (uint8_t)(1u << fault->entry % 8);
	grown = &run->files[run->count++];
	memset(grown, 0, sizeof(*grown));
	grown->entry = fault->entry;
	hxs_repair_look(run, grown);
}

/* ---- what becomes of it -------------------------------------------------- */

static int tell(struct hxs_repair_run *run, const struct hxs_repair_file *f,
		struct hxs_repair_outcome *o, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	int r;

	r = hxs_index_path(hxs_snapshot_index(run->snap), f->entry, &path);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot tell what was repaired");
	o->path = path.data;
	o->repaired = f->repaired;
	if (run->opts->file)
		run->opts->file(o, run->opts->ctx);
	return 0;
}

static int settle(struct hxs_repair_run *run, struct hxs_repair_file *f, int r,
		  struct hxs_repair_outcome *o, struct hxs_err *err)
{
	f->settled = true;
	f->repaired = r == 0;
	run->settled++;
	run->out->repaired += f->repaired;
	return r == 0 ? tell(run, f, o, err) : 0;
}

/* Keep the reason: 0, or -ENOMEM. */
static int keep_why(struct hxs_repair_file *f, struct hxs_err *why,
		    struct hxs_err *err)
{
	free(f->why);
	f->why = strdup(why->message);
	return f->why ? 0
		      : hxs_err_errno(err, ENOMEM, "cannot tell what is left");
}

int hxs_repair_try(struct hxs_repair_run *run, struct hxs_repair_file *f,
		   const struct hxs_repair_copy *copy, const char *from,
		   struct hxs_err *err)
{
	struct hxs_repair_outcome o = { .from = from, .from_path = copy->path };
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	r = hxs_repair_put(run, f, copy, &why);
	if (r == -ECANCELED) {
		if (err)
			*err = why;
		return r;
	}
	/* What is told of the directory that was named is not of others. */
	if (r != 0 && !(r > 0 && from) && keep_why(f, &why, err) < 0)
		return -ENOMEM;
	return r > 0 ? 0 : settle(run, f, r, &o, err);
}

/* Directories and links need no copy: 1 if @f is such, or -errno. */
static int make(struct hxs_repair_run *run, struct hxs_repair_file *f,
		struct hxs_err *err)
{
	struct hxs_repair_outcome o = { .path = NULL };
	struct hxs_err why = HXS_ERR_INIT;
	struct hxs_node node;
	int r;

	hxs_index_get(hxs_snapshot_index(run->snap), f->entry, &node);
	if (S_ISREG(node.mode))
		return 0;
	r = hxs_repair_make(run, f->entry, &why);
	if (r < 0 && keep_why(f, &why, err) < 0)
		return -ENOMEM;
	r = settle(run, f, r, &o, err);
	return r < 0 ? r : 1;
}

static int try_named(struct hxs_repair_run *run, struct hxs_repair_file *f,
		     int from, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_repair_copy copy = { .dir = from };
	int r;

	r = hxs_index_path(hxs_snapshot_index(run->snap), f->entry, &path);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot repair it");
	copy.path = path.data;
	return hxs_repair_try(run, f, &copy, NULL, err);
}

static int tell_left(struct hxs_repair_run *run,
		     const struct hxs_repair_file *f, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf why = HXS_BUF_INIT;
	struct hxs_repair_outcome o = { .path = NULL };

	(void)hxs_buf_puts(&why, f->why ? f->why : "");
	if (!f->settled)
		(void)hxs_buf_printf(&why,
				     "%sno snapshot of the store has it "
				     "undamaged",
				     f->why ? "; " : "");
	o.why = hxs_buf_str(&why);
	return tell(run, f, &o, err);
}

static int repair_files(struct hxs_repair_run *run, int from,
			struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r >= 0 && i < run->count; i++) {
		if (hxs_repair_is_cancelled(run))
			return hxs_err_errno(err, ECANCELED,
					     "the repair ended early");
		r = make(run, &run->files[i], err);
		if (r == 0 && from >= 0)
			r = try_named(run, &run->files[i], from, err);
	}
	r = r < 0 ? r : hxs_repair_search(run, err);
	for (i = 0; r == 0 && i < run->count; i++)
		if (!run->files[i].repaired)
			r = tell_left(run, &run->files[i], err);
	return r;
}

/* ---- all of it ----------------------------------------------------------- */

static int run_all(struct hxs_repair_run *run, int from, struct hxs_err *err)
{
	const struct hxs_index_head *own =
		hxs_index_head(hxs_snapshot_index(run->snap));
	struct hxs_verify_opts look = {
		.listener = run->opts->listener,
		.fault = on_fault,
		.fault_ctx = run,
	};
	struct hxs_err late = HXS_ERR_INIT;
	struct hxs_verify_report rep;
	int r, ended;

	run->seen =
		calloc(hxs_index_count(hxs_snapshot_index(run->snap)) / 8 + 1,
		       1);
	if (!run->seen)
		return hxs_err_errno(err, ENOMEM, "cannot repair it");
	r = hxs_verify(run->store, own->kind, own->env, own->id, &look, &rep,
		       err);
	if (r < 0 && r != -HXS_ECORRUPT)
		return r;
	if (run->status < 0)
		return hxs_err_errno(err, -run->status, "cannot repair it");
	hxs_err_clear(err);
	run->out->damaged = run->count;
	r = repair_files(run, from, err);
	/* Also when it ended early. */
	ended = hxs_repair_end_dirs(run, &late);
	if (r == 0 && ended < 0 && err)
		*err = late;
	if (r == 0)
		r = ended < 0 ? ended : hxs_repair_tell_shared(run, err);
	if (r < 0)
		return r;
	look.fault = NULL;
	look.save = true;
	r = hxs_verify(run->store, own->kind, own->env, own->id, &look, &rep,
		       err);
	run->out->left = rep.faults;
	return r;
}

static void release(struct hxs_repair_run *run)
{
	size_t i;

	for (i = 0; i < run->count; i++)
		free(run->files[i].why);
	free(run->files);
	free(run->seen);
	free(run->dirs);
}

int hxs_repair(struct hxs_store *s, enum hxs_kind kind, const char *env,
	       const char *id, int from, const struct hxs_repair_opts *opts,
	       struct hxs_repair_report *out, struct hxs_err *err)
{
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	HXS_AUTO_CLOSE int area = -1;
	struct hxs_repair_run run = { .store = s, .opts = opts, .out = out };
	int r;

	memset(out, 0, sizeof(*out));
	r = hxs_lock_env(s, env, "repair", &lock, err);
	if (r == 0)
		r = hxs_snapshot_open(s, kind, env, id, &snap, err);
	if (r < 0)
		return r;
	area = hxs_store_make_dir(s, HXS_REPAIR_AREA, 0700, NULL);
	if (area < 0)
		return hxs_err_errno(err, -area, "cannot make '%s/%s'",
				     hxs_store_path(s), HXS_REPAIR_AREA);
	run.snap = snap;
	run.area = area;
	(void)snprintf(run.tmp, sizeof(run.tmp), "%s", env);
	r = run_all(&run, from, err);
	hxs_repair_clear(&run);
	release(&run);
	return r;
}
