#include "store/unconfirmed.h"
#include "tools/restoring.h"

#include <string.h>

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	const struct hxs_args *args = tool->args;
	const struct hxs_ref newest = { .which = HXS_REF_LATEST,
					.kind = HXS_ROLLBACK };
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_restore_opts opts = { .config = NULL };
	struct hxs_ref ref = newest;
	struct hxs_named snap;
	int r;

	r = hxs_args_words(args, 1, 1, "an environment", err);
	if (r == 0)
		r = hxs_args_env(args->word[0], err);
	if (r == 0)
		r = hxs_restoring_within(args, &opts.confirm_within, err);
	if (r < 0)
		return r;
	tool->settles = true;
	memcpy(ref.env, args->word[0], strlen(args->word[0]) + 1);
	r = hxs_restoring_open(tool, &ref, false, &config, &snap, err);
	if (r < 0)
		return r;
	if (hxs_unconfirmed_old(tool->store, snap.env, snap.id))
		hxs_ref_format(snap.kind, snap.env, snap.id, snap.text);
	opts.config = config;
	return hxs_restoring_run(tool, &snap, &opts, err);
}

static const struct hxs_opt opts[] = {
	HXS_OPT_CONFIRM,
	HXS_OPT_FORCE,
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_rollback = {
	.name = "rollback",
	.synopsis = "ENV [--confirm-within TIME] [--force]",
	.summary = "take back the last restore",
	.text = "Restores the newest rollback point. What the environment had "
		"before becomes\na rollback point in turn, so that a second "
		"rollback takes back the first.\nStandard output is its id.\n",
	.opts = opts,
	.recovery = HXS_CMD_MUST,
	.run = run,
};
