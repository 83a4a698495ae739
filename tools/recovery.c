#include "tools/recovery.h"

#include "base/clock.h"
#include "store/journal.h"
#include "store/unconfirmed.h"
#include "tools/act.h"
#include "tools/out.h"
#include "tools/progress.h"
#include "verbs/confirm.h"

#include <stdio.h>
#include <string.h>

static void tell(const char *env, const struct hxs_recover_report *rep)
{
	char count[HXS_COUNT_TEXT];

	if (rep->finished)
		hxs_out_talk("a restore of '%s' was interrupted, and is now "
			     "finished",
			     env);
	if (rep->undone)
		hxs_out_talk("a restore of '%s' was interrupted, and is "
			     "undone: all is as it was before",
			     env);
	if (rep->removed)
		hxs_out_talk("removed what was left of %s of '%s'",
			     hxs_out_count(rep->removed, "unfinished snapshot",
					   count),
			     env);
}

static enum hxs_cmd_recovery wish_of(const struct hxs_tool *tool)
{
	return tool->reads ? HXS_CMD_TRIES : tool->args->cmd->recovery;
}

int hxs_recovery_of(const struct hxs_tool *tool, const char *env,
		    struct hxs_recover_report *sum, struct hxs_err *err)
{
	struct hxs_act act = { .name = "recover", .since = hxs_clock_ticks() };
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_recover_report rep = { .busy = 0 };
	bool done;
	int r;

	/* Without one that can be read, what needs none is recovered. */
	if (hxs_tool_config(tool, env, &config, NULL) < 0)
		config = NULL;
	(void)snprintf(act.env, sizeof(act.env), "%s", env);
	r = hxs_recover(tool->store, config, env, &rep, err);
	sum->finished += rep.finished;
	sum->undone += rep.undone;
	sum->removed += rep.removed;
	sum->busy += rep.busy;
	if (!tool->quiet)
		tell(env, &rep);
	done = rep.finished || rep.undone || rep.removed;
	/* Every look of a reader that may not recover is no act. */
	if (done || (r < 0 && wish_of(tool) != HXS_CMD_TRIES))
		hxs_act_record(tool, &act, r, r < 0 ? err->message : NULL);
	return r;
}

static int recover_first(const struct hxs_tool *tool, const char *name,
			 bool must, struct hxs_err *err)
{
	struct hxs_recover_report rep = { .busy = 0 };
	struct hxs_err why = HXS_ERR_INIT;
	char text[HXS_ENV_MAX + 64];
	int r;

	r = hxs_recovery_of(tool, name, &rep, &why);
	if (r < 0 && must) {
		*err = why;
		return r;
	}
	if (r < 0 && !tool->quiet)
		hxs_out_warning(why.message);
	/* One that must have it will be told by the lock who has it. */
	if (r == 0 && rep.busy && !must && !tool->quiet) {
		(void)snprintf(text, sizeof(text),
			       "a restore of '%s' is under way", name);
		hxs_out_warning(text);
	}
	return 0;
}

static void tell_due(const struct hxs_tool *tool, const char *env, bool again,
		     const struct hxs_due_report *rep)
{
	char text[HXS_HOOK_TEXT], until[HXS_RFC3339_LEN + 1];

	if (rep->due == HXS_DUE_PUT_BACK)
		hxs_out_warning(rep->told);
	if (rep->due == HXS_DUE_LATER && again)
		hxs_out_talk("the restore of '%s' is to be confirmed until %s",
			     rep->reference,
			     hxs_out_time(rep->confirm_until, until));
	if (rep->due != HXS_DUE_FAILED || tool->settles)
		return;
	(void)snprintf(text, sizeof(text),
		       "the restore of '%s' was to be taken back, and could "
		       "not be: '" HXS_TOOL_NAME " recover %s' tries again, "
		       "'" HXS_TOOL_NAME " confirm %s' keeps what is there",
		       rep->reference, env, env);
	hxs_out_warning(text);
}

int hxs_recovery_due(const struct hxs_tool *tool, const char *env, bool again,
		     unsigned *put_back, struct hxs_err *err)
{
	struct hxs_act act = { .name = "undo", .since = hxs_clock_ticks() };
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_due_report rep;
	struct hxs_meter meter;
	int r;

	if (hxs_tool_config(tool, env, &config, NULL) < 0)
		config = NULL;
	hxs_meter_init(&meter, tool->quiet);
	r = hxs_confirm_due(tool->store, config, env, again, &meter.listener,
			    HXS_VERSION, &rep, err);
	hxs_meter_release(&meter);
	if (r == 0 && !tool->quiet)
		tell_due(tool, env, again, &rep);
	/* Whatever kept it from being tried is no act. */
	if (rep.due != HXS_DUE_PUT_BACK && r != -HXS_EAFTER)
		return r;
	(void)snprintf(act.env, sizeof(act.env), "%s", env);
	hxs_ref_format(HXS_ROLLBACK, env, rep.rollback_id, act.reference);
	memcpy(act.rollback_id, rep.undo_id, sizeof(act.rollback_id));
	hxs_act_record(tool, &act, r, r < 0 ? err->message : NULL);
	if (r == 0 && put_back)
		(*put_back)++;
	return r;
}

/* None of it keeps a command from its work: the verbs know of it. */
static void due_first(const struct hxs_tool *tool, const char *own)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	size_t i;

	if (hxs_unconfirmed_envs(tool->store, &envs, &why) < 0 && !tool->quiet)
		hxs_out_warning(why.message);
	for (i = 0; i < envs.count; i++) {
		if (tool->settles && own && strcmp(own, envs.name[i]) == 0)
			continue;
		if (hxs_recovery_due(tool, envs.name[i], false, NULL, &why) <
			    0 &&
		    !tool->quiet)
			hxs_out_warning(why.message);
	}
}

int hxs_recovery_first(struct hxs_tool *tool, const char *env,
		       struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	enum hxs_cmd_recovery wish = wish_of(tool);
	struct hxs_err why = HXS_ERR_INIT;
	size_t i;
	int r;

	if (wish == HXS_CMD_LEAVES)
		return 0;
	if (!hxs_recover_needed(tool->store)) {
		due_first(tool, env);
		return 0;
	}
	r = hxs_journal_envs(tool->store, &envs, &why);
	if (r < 0 && wish == HXS_CMD_MUST) {
		*err = why;
		return r;
	}
	if (r < 0 && !tool->quiet)
		hxs_out_warning(why.message);
	for (i = 0, r = 0; r == 0 && i < envs.count; i++)
		r = recover_first(tool, envs.name[i],
				  wish == HXS_CMD_MUST && env &&
					  strcmp(env, envs.name[i]) == 0,
				  err);
	if (r == 0)
		due_first(tool, env);
	return r;
}
