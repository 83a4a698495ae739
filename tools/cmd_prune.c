#include "tools/act.h"
#include "tools/item.h"
#include "tools/out.h"
#include "tools/progress.h"
#include "verbs/prune.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct pruning {
	struct hxs_tool *tool;
	const char *env;
	struct hxs_meter meter;
	struct hxs_err *err;
	int status; /* the first failure to print an outcome */
};

/* ---- the plan ------------------------------------------------------------ */

/* Put them after each other. */
static int join(const char *reason, void *ctx)
{
	struct hxs_buf *out = ctx;

	return hxs_buf_printf(out, "%s%s", out->len ? ", " : "", reason);
}

static int add_json(const char *reason, void *ctx)
{
	hxs_json_out_text(ctx, NULL, reason);
	return 0;
}

static bool is_damaged(const struct hxs_history_item *item)
{
	return !item->readable || (item->has_result && !item->result.passed);
}

static int put_json(const struct hxs_prune_list *l, size_t n,
		    struct hxs_buf *out)
{
	const struct hxs_history_item *item = &l->items[n];
	char ref[HXS_REF_TEXT];
	struct hxs_json_out o;
	size_t i;

	hxs_ref_format(item->kind, item->env, item->id, ref);
	hxs_json_out_init(&o, out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "type", "snapshot");
	hxs_json_out_string(&o, "reference", ref);
	hxs_json_out_string(&o, "id", item->id);
	hxs_json_out_string(&o, "kind", hxs_item_kind(item));
	hxs_json_out_array(&o, "tags");
	for (i = 0; item->has_meta && i < item->meta.tag_count; i++)
		hxs_json_out_string(&o, NULL, item->meta.tags[i]);
	hxs_json_out_end_array(&o);
	hxs_json_out_bool(&o, "damaged", is_damaged(item));
	hxs_json_out_bool(&o, "stays", l->plan.reasons[n] != 0);
	hxs_json_out_array(&o, "reasons");
	(void)hxs_retention_each_reason(&l->plan, n, add_json, &o);
	hxs_json_out_end_array(&o);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(out, '\n'); /* the status keeps failures */
	return hxs_buf_status(out);
}

static int put_row(const struct hxs_prune_list *l, size_t n,
		   struct hxs_table *t)
{
	const struct hxs_history_item *item = &l->items[n];
	HXS_AUTO_BUF struct hxs_buf why = HXS_BUF_INIT;
	char ref[HXS_REF_TEXT];
	int r;

	hxs_ref_format(item->kind, item->env, item->id, ref);
	r = hxs_retention_each_reason(&l->plan, n, join, &why);
	if (r < 0)
		return r;
	hxs_table_add(t, ref);
	hxs_table_add(t, l->plan.reasons[n] ? "stays" : "goes");
	hxs_table_add(t, is_damaged(item) ? "DAMAGED" : "");
	hxs_table_add(t, why.len ? hxs_buf_str(&why) : "no rule keeps it");
	return t->status;
}

static int put_plan(const struct pruning *p, const struct hxs_prune_list *l,
		    struct hxs_table *t, struct hxs_buf *out)
{
	size_t n;
	int r = 0;

	for (n = 0; r == 0 && n < l->count; n++)
		r = p->tool->json ? put_json(l, n, out) : put_row(l, n, t);
	return r;
}

static int on_plan(const struct hxs_prune_list lists[2], void *ctx,
		   struct hxs_err *err)
{
	static const char *const head[] = { "SNAPSHOT", "PLAN", "MARKS",
					    "WHY" };
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_table table = { .align = "llll" };
	struct pruning *p = ctx;
	size_t i;
	int r;

	for (i = 0; i < HXS_ARRAY_LEN(head); i++)
		hxs_table_add(&table, head[i]);
	r = put_plan(p, &lists[0], &table, &out);
	if (r == 0)
		r = put_plan(p, &lists[1], &table, &out);
	if (r == 0 && !p->tool->json && lists[0].count + lists[1].count)
		hxs_table_print(&table, &out, "");
	hxs_table_release(&table);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot tell what stays");
	hxs_meter_clear(&p->meter);
	r = hxs_out_print(&out, err);
	/* What goes must have been told before it does. */
	return r == 0 ? hxs_out_finish(err) : r;
}

/* ---- what is done -------------------------------------------------------- */

/* Each one that went is recorded by itself: later nothing tells of it. */
static void record(const struct pruning *p, const char *ref)
{
	struct hxs_act act = p->tool->act;

	(void)snprintf(act.reference, sizeof(act.reference), "%s", ref);
	hxs_act_record(p->tool, &act, 0, NULL);
}

static void on_removed(enum hxs_kind kind, const char *id, const char *left,
		       void *ctx)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct pruning *p = ctx;
	char ref[HXS_REF_TEXT], text[HXS_REF_TEXT + 128];
	struct hxs_json_out o;

	hxs_ref_format(kind, p->env, id, ref);
	if (!left)
		record(p, ref);
	if (p->tool->json) {
		hxs_json_out_init(&o, &out, false);
		hxs_json_out_object(&o, NULL);
		hxs_json_out_string(&o, "type", left ? "left" : "removed");
		hxs_json_out_string(&o, "reference", ref);
		hxs_json_out_string(&o, "reason", left);
		hxs_json_out_end_object(&o);
		(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
		if (p->status == 0)
			p->status = hxs_out_print(&out, p->err);
	} else if (left) {
		(void)snprintf(text, sizeof(text), "'%s' was not removed: %s",
			       ref, left);
		p->meter.listener.warning(text, p->meter.listener.ctx);
	}
}

static void tell(const struct pruning *p, bool apply,
		 const struct hxs_prune_report *rep)
{
	char count[HXS_COUNT_TEXT];

	if (apply)
		hxs_out_talk("removed %s of '%s'; %zu stay%s",
			     hxs_out_count(rep->removed, "snapshot", count),
			     p->env, rep->staying + rep->left,
			     rep->staying + rep->left == 1 ? "s" : "");
	else if (rep->going)
		hxs_out_talk("%s of '%s' would go: '--apply' removes %s",
			     hxs_out_count(rep->going, "snapshot", count),
			     p->env, rep->going == 1 ? "it" : "them");
	else
		hxs_out_talk("no snapshot of '%s' would go", p->env);
}

static int end_json(const struct pruning *p, bool apply,
		    const struct hxs_prune_report *rep, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_json_out o;

	hxs_json_out_init(&o, &out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "type", "prune");
	hxs_json_out_string(&o, "environment", p->env);
	hxs_json_out_bool(&o, "applied", apply);
	hxs_json_out_uint(&o, "staying", rep->staying);
	hxs_json_out_uint(&o, "going", rep->going);
	hxs_json_out_bool(&o, "wants_allow_many", rep->many);
	hxs_json_out_uint(&o, "removed", rep->removed);
	hxs_json_out_uint(&o, "left", rep->left);
	hxs_out_json_seconds(&o, "seconds", rep->seconds);
	hxs_meter_json(&p->meter, &o);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	return hxs_out_print(&out, err);
}

static int prune(struct pruning *p, const struct hxs_config *config,
		 struct hxs_err *err)
{
	const struct hxs_args *args = p->tool->args;
	struct hxs_prune_opts opts = {
		.env = p->env,
		.config = config,
		.apply = hxs_args_has(args, "apply"),
		.allow_many = hxs_args_has(args, "allow-many"),
		.listener = &p->meter.listener,
		.plan = on_plan,
		.removed = on_removed,
		.ctx = p,
	};
	struct hxs_prune_report rep = { .going = 0 };
	int r;

	r = hxs_prune(p->tool->store, &opts, &rep, err);
	hxs_meter_clear(&p->meter);
	if (r < 0)
		return r;
	if (p->status < 0)
		return p->status;
	if (p->tool->json)
		return end_json(p, opts.apply, &rep, err);
	if (p->tool->quiet)
		return 0;
	tell(p, opts.apply, &rep);
	if (!opts.apply && rep.many && !opts.allow_many)
		hxs_out_talk("that is more than half of the backups: it wants "
			     "'--allow-many', too");
	return 0;
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct pruning p = { .tool = tool, .err = err };
	const char *path = hxs_args_value(tool->args, "store");
	int r;

	r = hxs_args_words(tool->args, 1, 1, "an environment", err);
	if (r == 0)
		r = hxs_args_env(tool->args->word[0], err);
	if (r < 0)
		return r;
	p.env = tool->args->word[0];
	tool->reads = !hxs_args_has(tool->args, "apply");
	r = hxs_tool_config(tool, p.env, &config, err);
	if (r < 0)
		return r;
	if (!tool->reads)
		hxs_act_begin(tool, p.env);
	r = hxs_tool_store_at(tool, path ? path : config->store, p.env, err);
	if (r < 0)
		return r;
	hxs_meter_init(&p.meter, tool->quiet);
	r = prune(&p, config, err);
	hxs_meter_release(&p.meter);
	if (r == 0)
		(void)snprintf(tool->act.done, sizeof(tool->act.done),
			       "'%s' was pruned", p.env);
	return r;
}

static const struct hxs_opt opts[] = {
	{ "apply", 0, NULL, "remove what goes, instead of only telling" },
	{ "allow-many", 0, NULL,
	  "although it is more than half of the backups" },
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_prune = {
	.name = "prune",
	.synopsis = "ENV [--apply] [--allow-many]",
	.summary = "tell which snapshots stay, and why; remove the others",
	.text = "What stays is said by \"retention\" in the configuration. "
		"Besides, the newest\nbackup stays, the newest verified one, "
		"what was marked with 'keep', and what\nan operation uses.\n",
	.opts = opts,
	.recovery = HXS_CMD_MUST,
	.run = run,
};
