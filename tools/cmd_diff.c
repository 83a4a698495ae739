#include "tools/changes.h"
#include "tools/cmd.h"
#include "verbs/history.h"

static int open_ref(struct hxs_tool *tool, const char *word,
		    struct hxs_snapshot **out, struct hxs_err *err)
{
	struct hxs_named snap;
	int r;

	r = hxs_tool_named(tool, word, &snap, err);
	if (r < 0)
		return r;
	return hxs_snapshot_open(tool->store, snap.kind, snap.env, snap.id, out,
				 err);
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *a = NULL;
	HXS_AUTO(snapshot) struct hxs_snapshot *b = NULL;
	struct hxs_changes changes = { .json = tool->json };
	int r;

	r = hxs_args_words(tool->args, 2, 2, "two snapshots", err);
	if (r == 0)
		r = open_ref(tool, tool->args->word[0], &a, err);
	if (r == 0)
		r = open_ref(tool, tool->args->word[1], &b, err);
	if (r < 0)
		return r;
	r = hxs_history_diff(a, b, hxs_changes_print, &changes, err);
	return hxs_changes_end(&changes, r, err);
}

const struct hxs_cmd hxs_cmd_diff = {
	.name = "diff",
	.synopsis = "REF REF",
	.summary = "tell what changed from the first snapshot to the second",
	.text = "A line for each entry that differs, sorted by path: '+' is "
		"only in the second,\n'-' only in the first, 'M' in both, with "
		"what differs. The status is 0 whether\nor not they differ. "
		"Digests are compared, no file is read.\n",
	.run = run,
};
