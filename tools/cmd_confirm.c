#include "tools/act.h"
#include "tools/out.h"
#include "verbs/confirm.h"

#include <stdio.h>
#include <string.h>

static int print(const struct hxs_tool *tool, const char *env,
		 const struct hxs_confirm_report *rep, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_json_out o;

	if (!tool->json) {
		if (!tool->quiet && rep->reference[0])
			hxs_out_talk("the restore of '%s' is confirmed",
				     rep->reference);
		return 0;
	}
	hxs_json_out_init(&o, &out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "env", env);
	hxs_json_out_string(&o, "reference",
			    rep->reference[0] ? rep->reference : NULL);
	hxs_json_out_string(&o, "rollback_id",
			    rep->rollback_id[0] ? rep->rollback_id : NULL);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	return hxs_out_print(&out, err);
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_confirm_report rep = { .reference = "" };
	struct hxs_act *act = &tool->act;
	const char *env;
	int r;

	r = hxs_args_words(tool->args, 1, 1, "an environment", err);
	if (r == 0)
		r = hxs_args_env(tool->args->word[0], err);
	if (r < 0)
		return r;
	env = tool->args->word[0];
	hxs_act_begin(tool, env);
	r = hxs_tool_store(tool, env, &config, err);
	if (r == 0)
		r = hxs_confirm(tool->store, config, env, &rep, err);
	memcpy(act->reference, rep.reference, sizeof(act->reference));
	memcpy(act->rollback_id, rep.rollback_id, sizeof(act->rollback_id));
	if (r < 0)
		return r;
	(void)snprintf(act->done, sizeof(act->done), "'%s' was confirmed",
		       rep.reference[0] ? rep.reference : env);
	return print(tool, env, &rep, err);
}

const struct hxs_cmd hxs_cmd_confirm = {
	.name = "confirm",
	.synopsis = "ENV",
	.summary = "keep what 'restore --confirm-within' brought back",
	.text = "Also for one whose command was interrupted, or whose old "
		"state could not be put\nback: what there is now stays.\n",
	.recovery = HXS_CMD_LEAVES,
	.run = run,
};
