#include "tools/act.h"
#include "tools/out.h"
#include "verbs/prune.h"

#include <stdio.h>

static int print(const struct hxs_tool *tool, const struct hxs_named *snap,
		 bool keep, bool changed, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_json_out o;

	if (!tool->json) {
		if (!tool->quiet)
			hxs_out_talk("'%s' is %s%s", snap->text,
				     keep ? "kept" : "kept no longer",
				     changed ? "" : ", as it was before");
		return 0;
	}
	hxs_json_out_init(&o, &out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "reference", snap->text);
	hxs_json_out_bool(&o, "kept", keep);
	hxs_json_out_bool(&o, "changed", changed);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	return hxs_out_print(&out, err);
}

static int mark(struct hxs_tool *tool, bool keep, struct hxs_err *err)
{
	struct hxs_named snap;
	struct hxs_ref ref;
	bool changed = false;
	int r;

	r = hxs_args_words(tool->args, 1, 1, "a snapshot", err);
	if (r == 0)
		r = hxs_ref_parse(tool->args->word[0], &ref, err);
	if (r < 0)
		return r;
	hxs_act_begin(tool, ref.env);
	r = hxs_tool_named(tool, tool->args->word[0], &snap, err);
	if (r < 0)
		return r;
	(void)snprintf(tool->act.reference, sizeof(tool->act.reference), "%s",
		       snap.text);
	r = hxs_prune_keep(tool->store, snap.kind, snap.env, snap.id, keep,
			   &changed, err);
	if (r < 0)
		return r;
	(void)snprintf(tool->act.done, sizeof(tool->act.done),
		       "'%.90s' is kept%s", snap.text,
		       keep ? "" : " no longer");
	return print(tool, &snap, keep, changed, err);
}

static int run_keep(struct hxs_tool *tool, struct hxs_err *err)
{
	return mark(tool, true, err);
}

static int run_unkeep(struct hxs_tool *tool, struct hxs_err *err)
{
	return mark(tool, false, err);
}

const struct hxs_cmd hxs_cmd_keep = {
	.name = "keep",
	.synopsis = "REF",
	.summary = "mark a snapshot: retention never removes it",
	.run = run_keep,
};

const struct hxs_cmd hxs_cmd_unkeep = {
	.name = "unkeep",
	.synopsis = "REF",
	.summary = "take that away again",
	.run = run_unkeep,
};
