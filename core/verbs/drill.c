/*
 * A drill, step by step. Whatever a step finds goes into the report; only what
 * keeps a drill from beginning, or its report from being kept, is an error.
 */
#include "verbs/drill_parts.h"

#include "store/unconfirmed.h"
#include "verbs/recover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MAX 60 /* seconds, for an id that nobody has */

/* One step's work; @detail gets what it found. */
typedef int (*step_fn)(struct hxs_drill_run *run, const void *arg,
		       struct hxs_buf *detail, struct hxs_err *err);

/* ---- what a step came to ----------------------------------------------- */

static enum hxs_drill_status judge(int r)
{
	switch (-r) {
	case HXS_ECORRUPT:
	case HXS_ENOSUCH: /* the snapshot, and only that */
	case HXS_EHOOK:
	case EIO: /* as a failing disk has it, or a server that refuses */
	case EUCLEAN:
	case EBADMSG:
		return HXS_DRILL_FAILED;
	default:
		return HXS_DRILL_INCONCLUSIVE;
	}
}

/* A failure is worse news than what could not be tried. */
static void take_status(struct hxs_drill_report *rep,
			enum hxs_drill_status status)
{
	if (rep->status != HXS_DRILL_FAILED)
		rep->status = status;
}

/* Carry out step @name, and put what came of it into the report. */
static int step(struct hxs_drill_run *run, const char *name, const char *more,
		step_fn fn, const void *arg)
{
	HXS_AUTO_BUF struct hxs_buf detail = HXS_BUF_INIT;
	double since = hxs_clock_ticks();
	struct hxs_err why = HXS_ERR_INIT;
	char text[HXS_ENV_MAX + 16];
	const char *said;
	int r;

	(void)snprintf(text, sizeof(text), "%s%s%s", name, *more ? " " : "",
		       more);
	r = hxs_relay_goes_on(&run->relay, &why);
	if (r == 0)
		r = fn(run, arg, &detail, &why);
	if (r == 0)
		r = hxs_buf_status(&detail);
	said = r == 0		? hxs_buf_str(&detail)
	       : why.message[0] ? why.message
				: strerror(hxs_err_to_errno(r));
	if (r < 0)
		take_status(run->rep, judge(r));
	if (hxs_drills_add_step(run->rep, text, r == 0,
				hxs_clock_ticks() - since, said) < 0) {
		r = -ENOMEM;
		take_status(run->rep, judge(r));
	}
	return r;
}

static void keep_warning(const char *text, void *ctx)
{
	const struct hxs_drill_run *run = ctx;

	/* One that is lost was told all the same. */
	(void)!hxs_drills_add_warning(run->rep, text);
	if (run->opts->listener && run->opts->listener->warning)
		run->opts->listener->warning(text, run->opts->listener->ctx);
}

static void pass_progress(const struct hxs_progress *p, void *ctx)
{
	const struct hxs_drill_run *run = ctx;

	if (run->opts->listener && run->opts->listener->progress)
		run->opts->listener->progress(p, run->opts->listener->ctx);
}

static bool ask_cancelled(void *ctx)
{
	const struct hxs_drill_run *run = ctx;

	return run->opts->listener && run->opts->listener->cancelled &&
	       run->opts->listener->cancelled(run->opts->listener->ctx);
}

static int snapshot(struct hxs_drill_run *run, const void *arg HXS_UNUSED,
		    struct hxs_buf *detail, struct hxs_err *err)
{
	return hxs_drill_snapshot(run, detail, err);
}

static int restore(struct hxs_drill_run *run, const void *arg HXS_UNUSED,
		   struct hxs_buf *detail, struct hxs_err *err)
{
	return hxs_drill_restore(run, detail, err);
}

/* ---- checks ------------------------------------------------------------ */

static int check(struct hxs_drill_run *run, const void *arg,
		 struct hxs_buf *detail, struct hxs_err *err)
{
	const char *name = arg;
	size_t i;

	for (i = 0; i < run->env->source_count; i++)
		if (strcmp(run->env->sources[i].name, name) == 0)
			return hxs_drill_check(run, &run->env->sources[i], name,
					       detail, err);
	return hxs_drill_check(run, NULL, name, detail, err);
}

static bool is_source(const struct hxs_drill_run *run, const char *name)
{
	size_t i;

	for (i = 0; i < run->env->source_count; i++)
		if (strcmp(run->env->sources[i].name, name) == 0)
			return true;
	return false;
}

/* All of them, whatever becomes of one: 0, or the first failure. */
static int check_all(struct hxs_drill_run *run)
{
	struct hxs_node node;
	int r = 0, first = 0;
	size_t i;

	hxs_relay_enter(&run->relay, "checking", run->stage.files,
			run->stage.bytes);
	for (i = 0; r != -ECANCELED && i < run->env->source_count; i++) {
		const char *name = run->env->sources[i].name;

		r = step(run, "check", name, check, name);
		first = first < 0 ? first : r;
	}
	for (i = 0; r != -ECANCELED && i < run->pick.count; i++) {
		hxs_index_get(hxs_snapshot_index(run->snap),
			      run->pick.entries[i], &node);
		if (is_source(run, node.name))
			continue;
		r = step(run, "check", node.name, check, node.name);
		first = first < 0 ? first : r;
	}
	return first;
}

/* ---- health, time ------------------------------------------------------ */

static int health(struct hxs_drill_run *run, const void *arg HXS_UNUSED,
		  struct hxs_buf *detail, struct hxs_err *err)
{
	return hxs_drill_health(run, detail, err);
}

static int rto(struct hxs_drill_run *run, const void *arg HXS_UNUSED,
	       struct hxs_buf *detail, struct hxs_err *err)
{
	const struct hxs_drill_report *rep = run->rep;

	if (rep->rto_actual > rep->rto_target)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "it took %.1f s, and the target is %.0f s",
				   rep->rto_actual, rep->rto_target);
	return hxs_buf_printf(detail, "%.1f s of %.0f s", rep->rto_actual,
			      rep->rto_target);
}

/* ---- all --------------------------------------------------------------- */

static void run_steps(struct hxs_drill_run *run)
{
	struct hxs_drill_report *rep = run->rep;

	run->since = hxs_clock_ticks();
	if (step(run, "snapshot", "", snapshot, NULL) < 0 ||
	    step(run, "restore", "", restore, NULL) < 0 || check_all(run) < 0)
		return;
	if (hxs_hooks_any(run->env, HXS_HEALTH) &&
	    step(run, "health", "", health, NULL) < 0)
		return;
	rep->rto_actual = hxs_clock_ticks() - run->since;
	if (rep->rto_target >= 0)
		(void)!step(run, "rto", "", rto, NULL);
}

/* What was made goes; what cannot, the next one will meet, or recovery. */
static void tidy(struct hxs_drill_run *run)
{
	struct hxs_err err = HXS_ERR_INIT;

	if (hxs_drill_systems_end(run, &err) < 0)
		hxs_relay_warn(&run->relay, err.message);
	hxs_pool_free(run->pool);
	run->pool = NULL;
	if (hxs_drill_scratch_remove(run, &err) < 0)
		hxs_relay_warn(&run->relay, err.message);
}

/* The drill's id: now, or the second after the newest. */
static int choose_id(struct hxs_drill_run *run, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	int64_t newest = 0;
	struct timespec now;
	int r;

	r = hxs_drills_ids(run->store, run->env->name, &ids, err);
	if (r < 0)
		return r;
	hxs_clock_now(&now);
	if (ids.count &&
	    hxs_clock_parse_id(ids.name[ids.count - 1], &newest) == 0) {
		while (now.tv_sec <= newest && newest - now.tv_sec < WAIT_MAX) {
			hxs_clock_wait_until(now.tv_sec + 1);
			hxs_clock_now(&now);
		}
	}
	/* The clock was set back: the id counts on, the times are right. */
	run->rep->started = now.tv_sec;
	if (now.tv_sec <= newest)
		now.tv_sec = newest + 1;
	r = hxs_clock_format_id(now.tv_sec, run->rep->id);
	return r < 0 ? hxs_err_errno(err, -r, "the clock is wrong") : 0;
}

/* What is wanted, as long as nobody knows which snapshot that is. */
static void name_wanted(const struct hxs_ref *ref, char out[HXS_REF_TEXT])
{
	const char *which = "latest";
	char then[HXS_RFC3339_LEN + 1] = "";

	if (ref->which == HXS_REF_VERIFIED)
		which = "latest-verified";
	else if (ref->which == HXS_REF_ID || ref->which == HXS_REF_PREFIX)
		which = ref->id;
	if (ref->which == HXS_REF_TIME &&
	    hxs_clock_format_rfc3339(ref->time, then) == 0)
		(void)snprintf(out, HXS_REF_TEXT, "%s@%s", ref->env, then);
	else
		(void)snprintf(out, HXS_REF_TEXT, "%s/%s%s", ref->env,
			       ref->kind == HXS_ROLLBACK ? ".rollbacks/" : "",
			       which);
}

static int begin(struct hxs_drill_run *run, struct hxs_err *err)
{
	struct hxs_drill_report *rep = run->rep;
	struct hxs_recover_report recovered = { .removed = 0 };
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed before =
		HXS_UNCONFIRMED_INIT;
	const struct hxs_ref *ref = run->opts->ref;
	const char *name = ref->env;
	int r;

	run->env = hxs_config_env(run->opts->config, name);
	if (!run->env)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "'%s' has no environment '%s'",
				   run->opts->config->file, name);
	(void)snprintf(rep->env, sizeof(rep->env), "%s", name);
	name_wanted(ref, rep->reference);
	rep->rto_target = run->env->objectives.rto
				  ? (double)run->env->objectives.rto
				  : -1;
	rep->rto_actual = -1;
	rep->status = HXS_DRILL_PASSED;
	/* One that is not there fails the drill; one nobody can tell is none. */
	r = ref->which == HXS_REF_PREFIX
		    ? hxs_store_resolve(run->store, ref, run->id, err)
		    : 0;
	if (r < 0 && r != -HXS_ENOSUCH)
		return r;
	hxs_err_clear(err);
	r = hxs_drill_scratch_open(run, err);
	if (r == 0 && hxs_drill_systems_any(run->env))
		r = hxs_lock_env(run->store, name, "drill", &run->lock, err);
	if (r == 0 && run->lock)
		r = hxs_recover_locked(run->store, run->opts->config, name,
				       &recovered, err);
	/* What an ended restore left to be confirmed is not this journal's. */
	if (r == 0 && run->lock)
		r = hxs_unconfirmed_settle(run->store, name, &before, err);
	return r < 0 ? r : choose_id(run, err);
}

/* Everything that does not make a new report is no longer needed. */
static void release(struct hxs_drill_run *run)
{
	hxs_restore_pick_release(&run->pick);
	hxs_snapshot_unref(run->snap);
	hxs_drill_scratch_close(&run->scratch);
	hxs_lock_release(run->lock);
}

int hxs_drill(struct hxs_store *s, const struct hxs_drill_opts *opts,
	      struct hxs_drill_report *out, struct hxs_err *err)
{
	struct hxs_drill_report rep = { .id = "" };
	struct hxs_drill_run run = {
		.store = s,
		.opts = opts,
		.rep = &rep,
		.ears = { .progress = pass_progress,
			  .warning = keep_warning,
			  .cancelled = ask_cancelled,
			  .ctx = &run },
		.pick = HXS_RESTORE_PICK_INIT,
		.scratch = HXS_DRILL_SCRATCH_INIT,
	};
	struct timespec now;
	int r;

	run.relay = (struct hxs_relay){ .to = &run.ears, .phase = "looking" };
	r = begin(&run, err);
	if (r == 0) {
		run_steps(&run);
		tidy(&run);
		hxs_clock_now(&now);
		rep.finished = now.tv_sec;
		r = hxs_drills_save(s, &rep, err);
	}
	release(&run);
	if (r < 0)
		hxs_drills_release(&rep);
	else
		*out = rep;
	return r;
}
