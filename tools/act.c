#include "tools/act.h"

#include "base/clock.h"
#include "store/audit.h"
#include "tools/out.h"

#include <stdio.h>

void hxs_act_begin(struct hxs_tool *tool, const char *env)
{
	tool->act = (struct hxs_act){
		.name = tool->args->cmd->name,
		.since = hxs_clock_ticks(),
	};
	(void)snprintf(tool->act.env, sizeof(tool->act.env), "%s", env);
}

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

static int append(const struct hxs_tool *tool, const struct hxs_act *act, int r,
		  const char *message, struct hxs_err *err)
{
	const struct hxs_audit line = {
		.act = act->name,
		.env = act->env,
		.reference = or_null(act->reference),
		.rollback_id = or_null(act->rollback_id),
		.from = "command line",
		.uid = getuid(),
		.pid = getpid(),
		.status = r < 0 ? r : 0,
		.message = r < 0 ? message : NULL,
		.seconds = hxs_clock_ticks() - act->since,
	};

	return hxs_audit_append(tool->store, &line, err);
}

void hxs_act_record(const struct hxs_tool *tool, const struct hxs_act *act,
		    int r, const char *message)
{
	struct hxs_err why = HXS_ERR_INIT;
	int lost = append(tool, act, r, message, &why);

	/* What kept the command from its work need not be told twice. */
	if (lost < 0 && lost != r && !tool->quiet)
		hxs_out_warning(why.message);
}

int hxs_act_end(struct hxs_tool *tool, int r, struct hxs_err *err)
{
	const struct hxs_act *act = &tool->act;

	if (!act->name || !tool->store)
		return r;
	if (r < 0) {
		hxs_act_record(tool, act, r, err->message);
		return r;
	}
	r = append(tool, act, r, NULL, err);
	if (r < 0)
		(void)hxs_err_suffix(err, r, "%s", act->done);
	return r;
}
