/* The table of commands, and what all of them share. */
#include "tools/cmd.h"

#include "store/settings.h"
#include "tools/act.h"
#include "tools/recovery.h"

#include <string.h>

/* a row each */
/* clang-format off */
const struct hxs_cmd *const hxs_cmds[] = {
	&hxs_cmd_init,
	&hxs_cmd_create,
	&hxs_cmd_list,
	&hxs_cmd_show,
	&hxs_cmd_verify,
	&hxs_cmd_check,
	&hxs_cmd_repair,
	&hxs_cmd_diff,
	&hxs_cmd_log,
	&hxs_cmd_restore,
	&hxs_cmd_rollback,
	&hxs_cmd_confirm,
	&hxs_cmd_drill,
	&hxs_cmd_keep,
	&hxs_cmd_unkeep,
	&hxs_cmd_prune,
	&hxs_cmd_recover,
	&hxs_cmd_help,
	&hxs_cmd_complete,
	NULL,
};
/* clang-format on */

const struct hxs_cmd *hxs_cmd_find(const char *name)
{
	size_t i;

	for (i = 0; hxs_cmds[i]; i++)
		if (strcmp(hxs_cmds[i]->name, name) == 0)
			return hxs_cmds[i];
	return NULL;
}

#define NEAR_MAX 24 /* longer words are near to no command */

/* Letters to change, add or take away to make @b of @a. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NEAR_MAX + 1], above, left, i, j, lb = strlen(b);

	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; a[i - 1]; i++) {
		above = row[0];
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			left = above + (a[i - 1] != b[j - 1]);
			above = row[j];
			if (row[j] + 1 < left)
				left = row[j] + 1;
			if (row[j - 1] + 1 < left)
				left = row[j - 1] + 1;
			row[j] = left;
		}
	}
	return row[lb];
}

static const struct hxs_cmd *nearest(const char *name)
{
	size_t best = 3, i, d; /* at most two letters wrong */
	const struct hxs_cmd *cmd = NULL;

	if (strlen(name) > NEAR_MAX)
		return NULL;
	for (i = 0; hxs_cmds[i]; i++) {
		if (hxs_cmds[i]->hidden)
			continue;
		d = distance(name, hxs_cmds[i]->name);
		if (d < best) {
			best = d;
			cmd = hxs_cmds[i];
		}
	}
	/* "x" is two letters from nothing in particular */
	return best < strlen(name) ? cmd : NULL;
}

int hxs_cmd_unknown(const char *name, struct hxs_err *err)
{
	const struct hxs_cmd *near = nearest(name);

	(void)hxs_err_set(err, HXS_EUSAGE, "unknown command '%s'", name);
	if (near)
		hxs_err_hint(err, "did you mean '" HXS_TOOL_NAME " %s'?",
			     near->name);
	else
		hxs_err_hint(err, "run '" HXS_TOOL_NAME " -h' for the "
				  "commands");
	return -HXS_EUSAGE;
}

int hxs_tool_config(const struct hxs_tool *tool, const char *env,
		    struct hxs_config **out, struct hxs_err *err)
{
	return hxs_settings_load(hxs_args_value(tool->args, "config"), env, out,
				 err);
}

int hxs_tool_store_at(struct hxs_tool *tool, const char *path, const char *env,
		      struct hxs_err *err)
{
	int r;

	r = hxs_store_open(path, &tool->store, err);
	if (r < 0)
		return r;
	return hxs_recovery_first(tool, env, err);
}

int hxs_tool_store(struct hxs_tool *tool, const char *env,
		   struct hxs_config **config, struct hxs_err *err)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;
	const char *path = hxs_args_value(tool->args, "store");
	int r;

	if (tool->store)
		return 0;
	if (!path) {
		r = hxs_tool_config(tool, env, &c, err);
		if (r == -HXS_ENOSUCH)
			hxs_err_hint(err, "name the store with '--store DIR', "
					  "or a configuration with "
					  "'--config FILE'");
		if (r < 0)
			return r;
		path = c->store;
	}
	r = hxs_tool_store_at(tool, path, env, err);
	if (r == 0 && config)
		*config = HXS_STEAL(c);
	return r;
}

int hxs_tool_end(struct hxs_tool *tool, int r, struct hxs_err *err)
{
	r = hxs_act_end(tool, r, err);
	hxs_store_close(tool->store);
	tool->store = NULL;
	return r;
}

int hxs_tool_resolve(struct hxs_store *store, const struct hxs_ref *ref,
		     struct hxs_named *out, struct hxs_err *err)
{
	int r;

	out->kind = ref->kind;
	memcpy(out->env, ref->env, sizeof(out->env));
	r = hxs_store_resolve(store, ref, out->id, err);
	if (r < 0)
		return r;
	hxs_ref_format(out->kind, out->env, out->id, out->text);
	return 0;
}

int hxs_tool_named(struct hxs_tool *tool, const char *word,
		   struct hxs_named *out, struct hxs_err *err)
{
	struct hxs_ref ref;
	int r;

	r = hxs_ref_parse(word, &ref, err);
	if (r == 0)
		r = hxs_tool_store(tool, ref.env, NULL, err);
	if (r < 0)
		return r;
	return hxs_tool_resolve(tool->store, &ref, out, err);
}
