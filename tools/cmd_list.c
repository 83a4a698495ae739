#include "tools/cmd.h"
#include "tools/item.h"
#include "tools/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct list {
	const struct hxs_tool *tool;
	struct hxs_store *store;
	enum hxs_kind kind;
	struct hxs_table table;
	size_t count;
};

static void add_tags(struct hxs_table *t, const struct hxs_history_item *item)
{
	HXS_AUTO_BUF struct hxs_buf tags = HXS_BUF_INIT;
	size_t i;

	for (i = 0; item->has_meta && i < item->meta.tag_count; i++)
		(void)hxs_buf_printf(&tags, "%s%s", i ? "," : "",
				     item->meta.tags[i]);
	if (hxs_buf_status(&tags) < 0)
		t->status = hxs_buf_status(&tags);
	hxs_table_add(t, hxs_buf_str(&tags));
}

static void add_marks(struct hxs_table *t, const struct hxs_history_item *item)
{
	char text[sizeof(item->reason) + 64];

	(void)snprintf(text, sizeof(text), "%s%s%s%s%s",
		       item->pinned ? "kept" : "",
		       item->pinned && item->foreign ? ", " : "",
		       item->foreign ? "foreign" : "",
		       !item->readable && (item->pinned || item->foreign) ? ", "
									  : "",
		       item->readable ? "" : "unreadable: ");
	if (!item->readable)
		(void)snprintf(text + strlen(text), sizeof(item->reason), "%s",
			       item->reason);
	hxs_table_add(t, text);
}

static const char *verified(const struct hxs_history_item *item)
{
	if (!item->has_result)
		return "no";
	return item->result.passed ? "yes" : "DAMAGED";
}

static void add_row(struct hxs_table *t, const struct hxs_history_item *item)
{
	char ref[HXS_REF_TEXT], created[HXS_RFC3339_LEN + 1];
	char files[32] = "", size[HXS_SIZE_TEXT] = "";
	uint64_t nfiles, nbytes;

	hxs_ref_format(item->kind, item->env, item->id, ref);
	if (hxs_history_totals(item, &nfiles, &nbytes)) {
		(void)snprintf(files, sizeof(files), "%" PRIu64, nfiles);
		(void)hxs_out_size(nbytes, size);
	}
	hxs_table_add(t, ref);
	hxs_table_add(t, hxs_out_time(hxs_item_created(item), created));
	hxs_table_add(t, files);
	hxs_table_add(t, size);
	hxs_table_add(t, verified(item));
	add_tags(t, item);
	add_marks(t, item);
}

static void add_head(struct hxs_table *t)
{
	static const char *const head[] = { "SNAPSHOT", "CREATED",  "FILES",
					    "SIZE",	"VERIFIED", "TAGS",
					    "MARKS" };
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(head); i++)
		hxs_table_add(t, head[i]);
}

static int add_item(struct list *l, const struct hxs_history_item *item,
		    struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf line = HXS_BUF_INIT;
	struct hxs_json_out o;

	if (!l->tool->json) {
		if (l->count++ == 0)
			add_head(&l->table);
		add_row(&l->table, item);
		return 0;
	}
	l->count++;
	hxs_json_out_init(&o, &line, false);
	hxs_json_out_object(&o, NULL);
	hxs_item_json(item, &o);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&line, '\n'); /* the status keeps failures */
	return hxs_out_print(&line, err);
}

static int list_env(struct list *l, const char *env, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_history_item item;
	size_t i;
	int r;

	r = hxs_store_ids(l->store, l->kind, env, &ids, err);
	for (i = 0; r == 0 && i < ids.count; i++) {
		r = hxs_history_describe(l->store, l->kind, env, ids.name[i],
					 &item, err);
		if (r == -HXS_ENOSUCH) {
			r = 0; /* removed since it was listed */
			hxs_err_clear(err);
			continue;
		}
		if (r < 0)
			break;
		r = add_item(l, &item, err);
		hxs_history_item_release(&item);
	}
	return r;
}

static bool in_store(const struct hxs_names *envs, const char *env)
{
	size_t i;

	for (i = 0; i < envs->count; i++)
		if (strcmp(envs->name[i], env) == 0)
			return true;
	return false;
}

static int list_all(struct list *l, const char *env,
		    const struct hxs_config *config, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	size_t i;
	int r;

	r = hxs_store_envs(l->store, &envs, err);
	if (r < 0)
		return r;
	if (env && !in_store(&envs, env) &&
	    !(config && hxs_config_env(config, env))) {
		(void)hxs_err_set(err, HXS_ENOSUCH,
				  "no environment '%s' in store '%s'", env,
				  hxs_store_path(l->store));
		hxs_err_hint(err, "run '" HXS_TOOL_NAME
				  " list' to see what there is");
		return -HXS_ENOSUCH;
	}
	if (env)
		return list_env(l, env, err);
	for (i = 0; r == 0 && i < envs.count; i++)
		r = list_env(l, envs.name[i], err);
	return r;
}

static int print_table(const struct list *l, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;

	if (l->table.count == 0 && l->table.status == 0)
		return 0;
	hxs_table_print(&l->table, &out, "");
	return hxs_out_print(&out, err);
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct list l = {
		.tool = tool,
		.kind = hxs_args_has(tool->args, "rollbacks") ? HXS_ROLLBACK
							      : HXS_BACKUP,
		.table = { .align = "llrrlll" },
	};
	const char *env;
	int r;

	r = hxs_args_words(tool->args, 0, 1, "", err);
	if (r < 0)
		return r;
	env = tool->args->word_count ? tool->args->word[0] : NULL;
	if (env)
		r = hxs_args_env(env, err);
	if (r == 0)
		r = hxs_tool_store(tool, env, &config, err);
	if (r < 0)
		return r;
	l.store = tool->store;
	r = list_all(&l, env, config, err);
	if (r == 0)
		r = print_table(&l, err);
	if (r == 0 && l.count == 0 && !tool->quiet)
		hxs_out_talk("no %s%s%s%s in '%s'",
			     l.kind == HXS_ROLLBACK ? "rollback points"
						    : "backups",
			     env ? " of '" : "", env ? env : "", env ? "'" : "",
			     hxs_store_path(tool->store));
	hxs_table_release(&l.table);
	return r;
}

static const struct hxs_opt opts[] = {
	{ "rollbacks", 0, NULL, "rollback points instead of backups" },
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_list = {
	.name = "list",
	.synopsis = "[ENV] [--rollbacks]",
	.summary = "list the snapshots there are, oldest first",
	.text = "VERIFIED tells of the last full verify: yes, no (never "
		"verified) or DAMAGED.\nNothing is verified here.\n",
	.opts = opts,
	.run = run,
};
