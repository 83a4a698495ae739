#include "tools/changes.h"
#include "tools/out.h"
#include "tools/restoring.h"

#include <stdint.h>

static int plan(struct hxs_tool *tool, const struct hxs_named *snap,
		struct hxs_restore_opts *opts, struct hxs_err *err)
{
	struct hxs_changes c = { .json = tool->json };
	char added[HXS_COUNT_TEXT], modified[HXS_COUNT_TEXT];
	char removed[HXS_COUNT_TEXT];
	int r;

	opts->env = snap->env;
	opts->kind = snap->kind;
	opts->id = snap->id;
	opts->tool_version = HXS_VERSION;
	r = hxs_restore_plan(tool->store, opts, hxs_changes_print, &c, err);
	r = hxs_changes_end(&c, r, err);
	if (r == 0 && !tool->quiet)
		hxs_out_talk("'%s' would add %s, change %s and remove %s; "
			     "nothing was changed",
			     snap->text, hxs_out_count(c.added, "path", added),
			     hxs_out_count(c.modified, "path", modified),
			     hxs_out_count(c.removed, "path", removed));
	return r;
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	const struct hxs_args *args = tool->args;
	const char *dir = hxs_args_value(args, "to");
	const char *point = hxs_args_value(args, "until");
	bool dry = hxs_args_has(args, "dry-run");
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_restore_opts opts = { .config = NULL };
	struct hxs_until until;
	struct hxs_named snap;
	struct hxs_ref ref;
	int r;

	r = hxs_args_words(args, 1, SIZE_MAX, "a snapshot", err);
	if (r == 0)
		r = hxs_args_apart(args, "to", "dry-run", err);
	if (r == 0)
		r = hxs_args_apart(args, "until", "dry-run", err);
	if (r == 0)
		r = hxs_args_apart(args, "confirm-within", "to", err);
	if (r == 0)
		r = hxs_args_apart(args, "confirm-within", "dry-run", err);
	if (r == 0)
		r = hxs_restoring_within(args, &opts.confirm_within, err);
	if (r == 0 && point) {
		r = hxs_until_parse(point, &until, err);
		opts.until = &until;
	}
	if (r == 0)
		r = hxs_ref_parse(args->word[0], &ref, err);
	if (r < 0)
		return r;
	tool->reads = dir || dry;
	/* The configuration says where the records are. */
	r = hxs_restoring_open(tool, &ref, dir && !point, &config, &snap, err);
	if (dry)
		tool->act.name = NULL; /* a question is no act */
	if (r < 0)
		return r;
	opts.config = config;
	opts.paths = args->word + 1;
	opts.path_count = args->word_count - 1;
	if (dry)
		return plan(tool, &snap, &opts, err);
	if (dir)
		return hxs_restoring_to(tool, &snap, &opts, dir, err);
	return hxs_restoring_run(tool, &snap, &opts, err);
}

static const struct hxs_opt opts[] = {
	{ "to", 0, "DIR", "write it to DIR, and leave the targets alone" },
	{ "dry-run", 0, NULL, "only tell what would change" },
	{ "until", 0, "POINT", "only records up to this number or time" },
	HXS_OPT_CONFIRM,
	HXS_OPT_FORCE,
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_restore = {
	.name = "restore",
	.synopsis = "REF [PATH]... [--until POINT] [--to DIR] [--dry-run] "
		    "[--confirm-within TIME] [--force]",
	.summary = "bring an environment back to a snapshot",
	.text = "PATH is SOURCE or SOURCE/PATH: only these come back. The "
		"snapshot is verified on\nthe way, and what the environment "
		"had before is kept as a rollback point, whose\nid is all of "
		"standard output; 'rollback' brings it back. With --dry-run "
		"the\nlines are those of 'diff': '+' would be added, '-' "
		"removed, 'M' changed.\nWith --confirm-within it waits for "
		"'confirm', or for "
		"the health hooks to pass,\nand puts the old state back if "
		"neither comes in time.\n",
	.opts = opts,
	.recovery = HXS_CMD_MUST,
	.run = run,
};
