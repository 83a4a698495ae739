#include "tools/complete.h"

#include "format/meta.h"
#include "store/snapshot.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Failures stay in the buffer's status, which is asked when it is printed. */

void hxs_offer(struct hxs_offers *o, const char *text, const char *about)
{
	if (strncmp(text, o->begun, strlen(o->begun)) != 0)
		return;
	/* A name that would be two lines or two columns is offered to none. */
	if (strpbrk(text, "\t\n\r"))
		return;
	(void)hxs_buf_puts(&o->out, text);
	if (about) {
		(void)hxs_buf_putc(&o->out, '\t');
		(void)hxs_buf_puts(&o->out, about);
	}
	(void)hxs_buf_putc(&o->out, '\n');
}

static void offer_commands(struct hxs_offers *o)
{
	size_t i;

	for (i = 0; hxs_cmds[i]; i++)
		if (!hxs_cmds[i]->hidden)
			hxs_offer(o, hxs_cmds[i]->name, hxs_cmds[i]->summary);
}

/* The store of the line that is completed; NULL if there is none. */
static struct hxs_store *store_of(struct hxs_offers *o, const char *env)
{
	if (hxs_tool_store(o->tool, env, NULL, NULL) < 0)
		return NULL;
	return o->tool->store;
}

/* ---- environments and references --------------------------------------- */

static void offer_env(struct hxs_offers *o, const char *env, bool as_ref)
{
	char text[HXS_ENV_MAX + 2];

	(void)snprintf(text, sizeof(text), "%s%s", env, as_ref ? "/" : "");
	hxs_offer(o, text, as_ref ? "its snapshots" : "an environment");
}

/* Those that are configured, and those that the store has besides. */
static void offer_envs(struct hxs_offers *o, bool as_ref)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	struct hxs_store *s;
	size_t i;

	if (!hxs_args_value(o->tool->args, "store") &&
	    hxs_tool_config(o->tool, NULL, &config, NULL) < 0)
		config = NULL;
	for (i = 0; config && i < config->env_count; i++)
		offer_env(o, config->envs[i].name, as_ref);
	s = store_of(o, NULL);
	if (!s || hxs_store_envs(s, &envs, NULL) < 0)
		return;
	for (i = 0; i < envs.count; i++)
		if (!config || !hxs_config_env(config, envs.name[i]))
			offer_env(o, envs.name[i], as_ref);
}

static void offer_snapshots(struct hxs_offers *o, enum hxs_kind kind,
			    const char *env)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_store *s = store_of(o, env);
	char ref[HXS_REF_TEXT];
	size_t i;

	if (!s || hxs_store_ids(s, kind, env, &ids, NULL) < 0 || !ids.count)
		return;
	hxs_ref_format(kind, env, "latest", ref);
	hxs_offer(o, ref, "the newest");
	if (kind == HXS_BACKUP) {
		hxs_ref_format(kind, env, "latest-verified", ref);
		hxs_offer(o, ref, "the newest that was verified");
	}
	for (i = ids.count; i-- > 0;) {
		hxs_ref_format(kind, env, ids.name[i], ref);
		hxs_offer(o, ref, NULL);
	}
}

/* Rollback points only when somebody asks for names that begin with a dot. */
static void offer_refs(struct hxs_offers *o)
{
	const char *slash = strchr(o->begun, '/');
	char env[HXS_ENV_MAX + 1];

	if (!slash) {
		offer_envs(o, true);
		return;
	}
	if ((size_t)(slash - o->begun) >= sizeof(env))
		return;
	(void)snprintf(env, sizeof(env), "%.*s", (int)(slash - o->begun),
		       o->begun);
	if (hxs_args_env(env, NULL) == 0)
		offer_snapshots(o, slash[1] == '.' ? HXS_ROLLBACK : HXS_BACKUP,
				env);
}

/* ---- what lies in a snapshot ------------------------------------------- */

/* The snapshot that @word means; of an environment the newest backup. */
static struct hxs_snapshot *snapshot_of(struct hxs_offers *o, const char *word)
{
	struct hxs_snapshot *snap;
	struct hxs_named named;
	struct hxs_ref ref;

	if (hxs_ref_parse(word, &ref, NULL) < 0)
		return NULL;
	if (ref.which == HXS_REF_ENV)
		ref.which = HXS_REF_LATEST;
	if (!store_of(o, ref.env) ||
	    hxs_tool_resolve(o->tool->store, &ref, &named, NULL) < 0 ||
	    hxs_snapshot_open(o->tool->store, named.kind, named.env, named.id,
			      &snap, NULL) < 0)
		return NULL;
	return snap;
}

static void offer_entry(struct hxs_offers *o, const char *dir, size_t len,
			const struct hxs_node *node)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	(void)hxs_buf_append(&path, dir, len);
	(void)hxs_buf_puts(&path, node->name);
	if (S_ISDIR(node->mode))
		(void)hxs_buf_putc(&path, '/');
	if (hxs_buf_status(&path) == 0)
		hxs_offer(o, hxs_buf_str(&path), NULL);
}

/* What lies in the directory that has been written so far. */
static void offer_paths(struct hxs_offers *o, const char *word)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	HXS_AUTO_FREE char *dir = strdup(o->begun);
	const struct hxs_index *idx;
	struct hxs_node top, node;
	char *slash;
	size_t len;
	uint32_t i;
	int64_t n;

	snap = word ? snapshot_of(o, word) : NULL;
	if (!snap || !dir)
		return;
	slash = strrchr(dir, '/');
	len = slash ? (size_t)(slash - dir) + 1 : 0;
	dir[len ? len - 1 : 0] = '\0';
	idx = hxs_snapshot_index(snap);
	n = hxs_index_find(idx, dir);
	if (n < 0)
		return;
	hxs_index_get(idx, (uint32_t)n, &top);
	for (i = 0; i < top.child_count; i++) {
		hxs_index_get(idx, top.first_child + i, &node);
		if (n != 0 || (strcmp(node.name, HXS_META_NAME) != 0 &&
			       strcmp(node.name, HXS_SETTINGS_NAME) != 0))
			offer_entry(o, o->begun, len, &node);
	}
}

/* ---- kinds ------------------------------------------------------------- */

void hxs_offer_kind(struct hxs_offers *o, const char *kind, size_t len,
		    const char *first)
{
	char text[64];

	if (len >= sizeof(text))
		return;
	memcpy(text, kind, len);
	text[len] = '\0';
	if (strcmp(text, "ENV") == 0)
		offer_envs(o, false);
	else if (strcmp(text, "REF") == 0)
		offer_refs(o);
	else if (strcmp(text, "PATH") == 0)
		offer_paths(o, first);
	else if (strcmp(text, "COMMAND") == 0)
		offer_commands(o);
	else if (strcmp(text, "FILE") == 0 || strcmp(text, "DIR") == 0)
		(void)hxs_buf_printf(&o->out, ":%s\n", text);
	else if (text[0] >= 'a' && text[0] <= 'z')
		hxs_offer(o, text, NULL);
}
