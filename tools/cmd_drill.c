#include "tools/act.h"
#include "tools/drills.h"
#include "tools/out.h"
#include "tools/progress.h"
#include "verbs/drill.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct hxs_drill_step *first_bad(const struct hxs_drill_report *d)
{
	size_t i;

	for (i = 0; i < d->step_count; i++)
		if (!d->steps[i].passed)
			return &d->steps[i];
	return NULL;
}

/* What the drill came to, as a status: 3 for a failure, 1 for no answer. */
static int tell(const struct hxs_tool *tool, const struct hxs_drill_report *rep,
		struct hxs_err *err)
{
	const struct hxs_drill_step *bad = first_bad(rep);
	int code = rep->status == HXS_DRILL_FAILED ? HXS_ECORRUPT : EIO;
	char target[48] = "";

	if (rep->status != HXS_DRILL_PASSED)
		return hxs_err_set(err, code,
				   "the drill of '%s' %s: step '%s': %s",
				   rep->reference,
				   rep->status == HXS_DRILL_FAILED
					   ? "failed"
					   : "is inconclusive",
				   bad ? bad->step : "",
				   bad ? bad->detail : "");
	if (rep->rto_target >= 0)
		(void)snprintf(target, sizeof(target), ", the target is %.0f s",
			       rep->rto_target);
	if (!tool->quiet && !tool->json)
		hxs_out_talk("drill '%s/%s' of '%s' passed: it took %.1f s%s",
			     rep->env, rep->id, rep->reference, rep->rto_actual,
			     target);
	return 0;
}

static int carry_out(struct hxs_tool *tool, struct hxs_drill_opts *opts,
		     struct hxs_err *err)
{
	struct hxs_drill_report rep = { .id = "" };
	struct hxs_act *act = &tool->act;
	struct hxs_meter meter;
	int r;

	hxs_meter_init(&meter, tool->quiet);
	opts->listener = &meter.listener;
	r = hxs_drill(tool->store, opts, &rep, err);
	hxs_meter_clear(&meter);
	if (r == 0) {
		memcpy(act->reference, rep.reference, sizeof(act->reference));
		(void)snprintf(act->done, sizeof(act->done),
			       "a drill of '%s' was made", rep.reference);
		r = hxs_drills_print(tool, &rep, err);
	}
	if (r == 0)
		r = tell(tool, &rep, err);
	hxs_meter_release(&meter);
	hxs_drills_release(&rep);
	return r;
}

static int show_history(struct hxs_tool *tool, const struct hxs_ref *ref,
			struct hxs_err *err)
{
	int r;

	if (ref->which != HXS_REF_ENV)
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is no environment's name",
				   tool->args->word[0]);
	tool->reads = true;
	r = hxs_tool_store(tool, ref->env, NULL, err);
	return r < 0 ? r : hxs_drills_history(tool, ref->env, err);
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	const struct hxs_args *args = tool->args;
	HXS_AUTO(config) struct hxs_config *config = NULL;
	const char *path = hxs_args_value(args, "store");
	struct hxs_drill_opts opts = {
		.scratch = hxs_args_value(args, "scratch"),
		.tool_version = HXS_VERSION,
	};
	struct hxs_ref ref = { .which = HXS_REF_ENV };
	int r;

	r = hxs_args_words(args, 1, 1, "an environment or a snapshot", err);
	if (r == 0)
		r = hxs_args_apart(args, "history", "scratch", err);
	if (r == 0)
		r = hxs_ref_parse(args->word[0], &ref, err);
	if (r < 0)
		return r;
	if (hxs_args_has(args, "history"))
		return show_history(tool, &ref, err);
	hxs_act_begin(tool, ref.env);
	r = hxs_tool_config(tool, ref.env, &config, err);
	if (r == 0)
		r = hxs_tool_store_at(tool, path ? path : config->store,
				      ref.env, err);
	if (r < 0)
		return r;
	opts.config = config;
	opts.ref = &ref;
	return carry_out(tool, &opts, err);
}

static const struct hxs_opt opts[] = {
	{ "history", 0, NULL, "tell of the drills there were" },
	{ "scratch", 0, "DIR", "restore into a directory made in DIR" },
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_drill = {
	.name = "drill",
	.synopsis = "ENV | REF [--scratch DIR] [--history]",
	.summary = "try a restore where it does no harm",
	.text = "Restores the newest backup, or REF, into scratch space, has "
		"everything checked\nand the health hooks run, takes the time, "
		"and removes it again. Live data are\nnot touched. The status "
		"is 3 if the drill failed, 1 if it could not be tried.\n",
	.opts = opts,
	.run = run,
};
