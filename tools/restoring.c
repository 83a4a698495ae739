#include "tools/restoring.h"

#include "base/clock.h"
#include "tools/act.h"
#include "tools/ask.h"
#include "tools/out.h"
#include "tools/progress.h"
#include "verbs/confirm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WITHIN_MAX 2592000 /* seconds: 30 days */

int hxs_restoring_within(const struct hxs_args *args, unsigned *seconds,
			 struct hxs_err *err)
{
	const char *text = hxs_args_value(args, "confirm-within");
	uint64_t n = 0;

	if (text && (!hxs_config_duration(text, &n) || n > WITHIN_MAX))
		return hxs_err_set(err, HXS_EUSAGE,
				   "option '--confirm-within': '%s' is no "
				   "duration such as 10m, at most 30d",
				   text);
	*seconds = (unsigned)n;
	return 0;
}

static int open_both(struct hxs_tool *tool, const char *env,
		     struct hxs_config **config, struct hxs_err *err)
{
	const char *path = hxs_args_value(tool->args, "store");
	int r;

	r = hxs_tool_config(tool, env, config, err);
	if (r < 0)
		return r;
	return hxs_tool_store_at(tool, path ? path : (*config)->store, env,
				 err);
}

int hxs_restoring_open(struct hxs_tool *tool, const struct hxs_ref *ref,
		       bool elsewhere, struct hxs_config **config,
		       struct hxs_named *snap, struct hxs_err *err)
{
	int r;

	hxs_act_begin(tool, ref->env);
	if (elsewhere)
		r = hxs_tool_store(tool, ref->env, config, err);
	else
		r = open_both(tool, ref->env, config, err);
	if (r == 0)
		r = hxs_tool_resolve(tool->store, ref, snap, err);
	if (r < 0)
		return hxs_err_suffix(err, r, "nothing was changed");
	return r;
}

static void fill(struct hxs_tool *tool, const struct hxs_named *snap,
		 struct hxs_restore_opts *opts)
{
	opts->env = snap->env;
	opts->kind = snap->kind;
	opts->id = snap->id;
	opts->force = hxs_args_has(tool->args, "force");
	opts->tool_version = HXS_VERSION;
	memcpy(tool->act.reference, snap->text, sizeof(tool->act.reference));
}

static int confirm(const struct hxs_tool *tool,
		   const struct hxs_restore_opts *opts, bool *confirmed,
		   struct hxs_err *err)
{
	struct hxs_question q = {
		.act = tool->args->cmd->name,
		.env = hxs_config_env(opts->config, opts->env),
		.reference = tool->act.reference,
		.paths = opts->paths,
		.path_count = opts->path_count,
		.until = opts->until ? opts->until->text : NULL,
	};
	int r;

	if (!q.env || !q.env->confirm)
		return 0; /* without such an environment, the verb says so */
	r = hxs_ask(&q, err);
	*confirmed = r == 0;
	return r;
}

static void put_records(const struct hxs_until *until,
			const struct hxs_restore_report *rep,
			struct hxs_json_out *o)
{
	size_t i;

	hxs_json_out_string(o, "until", until->text);
	hxs_json_out_array(o, "records");
	for (i = 0; i < rep->record_count; i++) {
		const struct hxs_restore_records *rec = &rep->records[i];

		hxs_json_out_object(o, NULL);
		hxs_json_out_string(o, "source", rec->source);
		hxs_json_out_bool(o, "whole", rec->whole);
		if (rec->stated) /* nobody counted */
			hxs_json_out_null(o, "kept");
		else
			hxs_json_out_uint(o, "kept", rec->kept);
		hxs_json_out_uint(o, "dropped", rec->dropped);
		hxs_json_out_uint(o, "files_cut", rec->cut);
		hxs_json_out_uint(o, "files_removed", rec->removed);
		hxs_json_out_end_object(o);
	}
	hxs_json_out_end_array(o);
}

static void put_health(const struct hxs_after *after, struct hxs_json_out *o)
{
	hxs_json_out_uint(o, "failed_hooks", after->failed);
	if (after->checked)
		hxs_json_out_bool(o, "healthy", after->healthy);
	else
		hxs_json_out_null(o, "healthy");
}

/* What became of it once it was done. */
static void put_outcome(const struct hxs_restore_report *rep,
			struct hxs_json_out *o)
{
	static const char *const outcomes[] = {
		[HXS_RESTORE_DONE] = "done",
		[HXS_RESTORE_UNCONFIRMED] = "unconfirmed",
		[HXS_RESTORE_CONFIRMED] = "confirmed",
		[HXS_RESTORE_PUT_BACK] = "put_back",
		[HXS_RESTORE_TAKEN_BACK] = "taken_back",
		[HXS_RESTORE_NOT_PUT_BACK] = "not_put_back",
	};

	hxs_json_out_string(o, "outcome", outcomes[rep->outcome]);
	if (rep->confirm_until)
		hxs_out_json_time(o, "confirm_until", rep->confirm_until);
	else
		hxs_json_out_null(o, "confirm_until");
	if (rep->outcome != HXS_RESTORE_PUT_BACK) {
		hxs_json_out_null(o, "undo");
		return;
	}
	hxs_json_out_object(o, "undo");
	hxs_json_out_string(o, "rollback_id",
			    rep->undo_id[0] ? rep->undo_id : NULL);
	put_health(&rep->after_undo, o);
	hxs_json_out_end_object(o);
}

static void put_json(const struct hxs_restore_opts *opts,
		     const struct hxs_restore_report *rep, const char *message,
		     const struct hxs_meter *meter, struct hxs_buf *out)
{
	struct hxs_json_out o;

	hxs_json_out_init(&o, out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "reference", rep->reference);
	hxs_json_out_string(&o, "rollback_id",
			    rep->rollback_id[0] ? rep->rollback_id : NULL);
	hxs_json_out_uint(&o, "files", rep->files);
	hxs_json_out_uint(&o, "bytes", rep->bytes);
	hxs_out_json_seconds(&o, "seconds", rep->seconds);
	hxs_out_json_seconds(&o, "absent_seconds", rep->absent_seconds);
	if (opts->until)
		put_records(opts->until, rep, &o);
	put_health(&rep->after, &o);
	put_outcome(rep, &o);
	hxs_json_out_string(&o, "message", message);
	hxs_meter_json(meter, &o);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(out, '\n'); /* the status keeps failures */
}

/* What became of the records of each source. */
static void tell_records(const struct hxs_until *until,
			 const struct hxs_restore_report *rep)
{
	char kept[HXS_COUNT_TEXT], cut[HXS_COUNT_TEXT], gone[HXS_COUNT_TEXT];
	size_t i;

	for (i = 0; i < rep->record_count; i++) {
		const struct hxs_restore_records *rec = &rep->records[i];

		if (rec->whole)
			hxs_out_talk("'%s' came back whole: it has no records",
				     rec->source);
		else if (rec->stated)
			hxs_out_talk("'%s' until %s: dropped %" PRIu64 " rows",
				     rec->source, until->text, rec->dropped);
		else
			hxs_out_talk("'%s' until %s: kept %s, dropped %" PRIu64
				     ", cut %s and left out %s",
				     rec->source, until->text,
				     hxs_out_count(rec->kept, "record", kept),
				     rec->dropped,
				     hxs_out_count(rec->cut, "file", cut),
				     hxs_out_count(rec->removed, "file", gone));
	}
}

static void tell(const struct hxs_restore_opts *opts, const char *dir,
		 const struct hxs_restore_report *rep)
{
	char bytes[HXS_SIZE_TEXT], files[HXS_COUNT_TEXT];
	char paths[HXS_COUNT_TEXT] = "";

	if (opts->path_count)
		(void)hxs_out_count(opts->path_count, "path", paths);
	hxs_out_talk("%s %s%s'%s'%s%s%s: %s, %s, in %.1f s",
		     dir ? "wrote" : "restored", paths, *paths ? " of " : "",
		     rep->reference, dir ? " to '" : "", dir ? dir : "",
		     dir ? "'" : "", hxs_out_count(rep->files, "file", files),
		     hxs_out_size(rep->bytes, bytes), rep->seconds);
	if (opts->until)
		tell_records(opts->until, rep);
	if (rep->rollback_id[0])
		hxs_out_talk("'" HXS_TOOL_NAME " rollback %s' takes that back: "
			     "what there was is '%s/.rollbacks/%s'",
			     opts->env, opts->env, rep->rollback_id);
}

static int print(const struct hxs_tool *tool,
		 const struct hxs_restore_opts *opts, const char *dir,
		 const struct hxs_restore_report *rep,
		 const struct hxs_meter *meter, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	int r;

	if (tool->json)
		put_json(opts, rep, NULL, meter, &out);
	else if (rep->rollback_id[0])
		(void)hxs_buf_printf(&out, "%s\n", rep->rollback_id);
	r = hxs_out_print(&out, err);
	if (r == 0)
		r = hxs_out_finish(err);
	/* Whoever cannot be told the id must hear that it is done. */
	if (r < 0) {
		(void)hxs_err_suffix(err, r, "%s", tool->act.done);
		if (rep->rollback_id[0])
			(void)hxs_err_suffix(err, r,
					     "what there was is "
					     "'%s/.rollbacks/%s'",
					     opts->env, rep->rollback_id);
	} else if (!tool->quiet && !tool->json) {
		tell(opts, dir, rep);
	}
	return r;
}

/* It is done, whatever comes now. */
static void note(struct hxs_act *act, const char *dir,
		 const struct hxs_restore_report *rep)
{
	memcpy(act->rollback_id, rep->rollback_id, sizeof(act->rollback_id));
	(void)snprintf(act->done, sizeof(act->done), "'%s' was %s",
		       rep->reference, dir ? "written" : "restored");
}

/* What was decided, for the audit log; who else decided it says so itself. */
static void record_outcome(const struct hxs_tool *tool, const char *env,
			   const struct hxs_restore_report *rep, double since,
			   int r, const char *message)
{
	struct hxs_act act = { .name = "undo", .since = since };

	(void)snprintf(act.env, sizeof(act.env), "%s", env);
	if (rep->outcome == HXS_RESTORE_CONFIRMED && rep->after.healthy) {
		act.name = "confirm";
		memcpy(act.reference, rep->reference, sizeof(act.reference));
		memcpy(act.rollback_id, rep->rollback_id,
		       sizeof(act.rollback_id));
	} else if (rep->outcome == HXS_RESTORE_PUT_BACK ||
		   rep->outcome == HXS_RESTORE_NOT_PUT_BACK) {
		hxs_ref_format(HXS_ROLLBACK, env, rep->rollback_id,
			       act.reference);
		memcpy(act.rollback_id, rep->undo_id, sizeof(act.rollback_id));
	} else {
		return;
	}
	if (rep->outcome == HXS_RESTORE_PUT_BACK)
		r = 0; /* that is what was to be done */
	hxs_act_record(tool, &act, r, message);
}

/* It is done; now it is to be confirmed. */
static int wait_for_it(struct hxs_tool *tool,
		       const struct hxs_restore_opts *opts,
		       struct hxs_restore_report *rep, struct hxs_err *err)
{
	double since = hxs_clock_ticks();
	char until[HXS_RFC3339_LEN + 1];
	int r;

	/* Should we be killed now, it was done all the same. */
	hxs_act_record(tool, &tool->act, 0, NULL);
	tool->act.name = NULL;
	if (!tool->quiet && !tool->json)
		hxs_out_talk("it is to be confirmed until %s, or is taken "
			     "back: '" HXS_TOOL_NAME " confirm %s' keeps it",
			     hxs_out_time(rep->confirm_until, until),
			     opts->env);
	r = hxs_confirm_wait(tool->store, opts, rep, err);
	record_outcome(tool, opts->env, rep, since, r,
		       r < 0 ? err->message : NULL);
	if (r == 0 && !tool->quiet && !tool->json)
		hxs_out_talk("%s: the restore of '%s' is confirmed",
			     rep->after.healthy ? "healthy" : "kept",
			     rep->reference);
	return r;
}

/* In --json, also of one that was taken back. */
static int print_outcome(const struct hxs_restore_opts *opts,
			 const struct hxs_restore_report *rep,
			 const struct hxs_meter *meter, int r,
			 struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_err lost = HXS_ERR_INIT;
	int p;

	put_json(opts, rep, r < 0 ? err->message : NULL, meter, &out);
	p = hxs_out_print(&out, &lost);
	if (p == 0)
		p = hxs_out_finish(&lost);
	if (r == 0 && p < 0)
		*err = lost;
	return r < 0 ? r : p;
}

static int report(struct hxs_tool *tool, const struct hxs_restore_opts *opts,
		  const char *dir, struct hxs_restore_report *rep,
		  struct hxs_meter *meter, struct hxs_err *err)
{
	bool waits = rep->outcome == HXS_RESTORE_UNCONFIRMED;
	struct hxs_err lost = HXS_ERR_INIT;
	int r = 0, p = 0;

	note(&tool->act, dir, rep);
	if (!waits || !tool->json)
		p = print(tool, opts, dir, rep, meter, &lost);
	if (waits) {
		r = wait_for_it(tool, opts, rep, err);
		hxs_meter_clear(meter);
		if (tool->json)
			r = print_outcome(opts, rep, meter, r, err);
	}
	if (r == 0 && p < 0) {
		*err = lost;
		return p;
	}
	if (r == 0) {
		r = hxs_hooks_status(&rep->after, tool->act.done, err);
		if (r < 0 && rep->rollback_id[0])
			hxs_err_hint(err,
				     "'" HXS_TOOL_NAME " rollback %s' takes "
				     "the restore back",
				     opts->env);
	}
	return r;
}

static int carry_out(struct hxs_tool *tool, struct hxs_restore_opts *opts,
		     const char *dir, struct hxs_err *err)
{
	struct hxs_restore_report rep = { .files = 0 };
	struct hxs_meter meter;
	int r;

	hxs_meter_init(&meter, tool->quiet);
	opts->listener = &meter.listener;
	if (dir)
		r = hxs_restore_to(tool->store, opts, dir, &rep, err);
	else
		r = hxs_restore(tool->store, opts, &rep, err);
	hxs_meter_clear(&meter);
	if (r == 0) {
		r = report(tool, opts, dir, &rep, &meter, err);
	} else if (rep.outcome != HXS_RESTORE_DONE) {
		memcpy(tool->act.rollback_id, rep.rollback_id,
		       sizeof(rep.rollback_id));
		if (tool->json)
			r = print_outcome(opts, &rep, &meter, r, err);
	}
	hxs_meter_release(&meter);
	hxs_restore_report_release(&rep);
	return r;
}

int hxs_restoring_run(struct hxs_tool *tool, const struct hxs_named *snap,
		      struct hxs_restore_opts *opts, struct hxs_err *err)
{
	int r;

	fill(tool, snap, opts);
	r = confirm(tool, opts, &opts->confirmed, err);
	return r < 0 ? r : carry_out(tool, opts, NULL, err);
}

int hxs_restoring_to(struct hxs_tool *tool, const struct hxs_named *snap,
		     struct hxs_restore_opts *opts, const char *dir,
		     struct hxs_err *err)
{
	fill(tool, snap, opts);
	return carry_out(tool, opts, dir, err);
}
