/* The commands that an environment wants run before and after. */
#include "format/config_internal.h"

#include <errno.h>
#include <string.h>

#define LIMIT 60 /* seconds, for a hook that sets no limit of its own */
#define LIMIT_MAX 86400

static const char *const names[HXS_HOOK_EVENTS + 1] = {
	[HXS_BEFORE_CREATE] = "before_create",
	[HXS_AFTER_CREATE] = "after_create",
	[HXS_BEFORE_RESTORE] = "before_restore",
	[HXS_AFTER_RESTORE] = "after_restore",
	[HXS_ON_FAILURE] = "on_failure",
	[HXS_HEALTH] = "health",
};

const char *hxs_config_hook_name(enum hxs_hook_event event)
{
	return names[event];
}

static int no_memory(struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "cannot take it in");
}

static int parse_argv(const struct hxs_json *v, struct hxs_config_hook *hook,
		      struct hxs_err *err)
{
	int r = hxs_config_check_texts(v, err);

	return r < 0 ? r : hxs_config_take_texts(v, &hook->argv, NULL, err);
}

int hxs_config_limit(const struct hxs_json *v, unsigned *ms,
		     struct hxs_err *err)
{
	const char *text = NULL;
	uint64_t seconds = 0;
	int r;

	r = hxs_config_text(v, &text, err);
	if (r < 0)
		return r;
	if (!hxs_config_duration(text, &seconds) || seconds > LIMIT_MAX)
		return hxs_config_refuse(v, NULL,
					 "it is no duration such as 30s, at "
					 "most 1d",
					 err);
	*ms = (unsigned)seconds * 1000;
	return 0;
}

static int parse_policy(const struct hxs_json *v, struct hxs_config_hook *hook,
			struct hxs_err *err)
{
	const char *text = NULL;
	int r;

	r = hxs_config_text(v, &text, err);
	if (r < 0)
		return r;
	hook->warn = strcmp(text, "warn") == 0;
	if (!hook->warn && strcmp(text, "fail") != 0)
		return hxs_config_refuse(v, NULL,
					 "it is neither \"fail\" nor \"warn\"",
					 err);
	return 0;
}

/* An argument list, or an object that has one and says more. */
static int parse_hook(const struct hxs_json *v, struct hxs_config_hook *hook,
		      struct hxs_err *err)
{
	static const char *const keys[] = { "run", "timeout", "policy", NULL };
	const struct hxs_json *member = NULL;
	int r;

	hook->timeout_ms = LIMIT * 1000;
	if (hxs_json_type(v) != HXS_JSON_OBJECT)
		return parse_argv(v, hook, err);
	r = hxs_json_only_keys(v, keys, err);
	if (r == 0)
		r = hxs_config_want(v, "run", HXS_JSON_ARRAY, &member, err);
	if (r == 0)
		r = parse_argv(member, hook, err);
	member = hxs_json_get(v, "timeout");
	if (r == 0 && member)
		r = hxs_config_limit(member, &hook->timeout_ms, err);
	member = hxs_json_get(v, "policy");
	if (r == 0 && member)
		r = parse_policy(member, hook, err);
	return r;
}

static int parse_list(const struct hxs_json *v, struct hxs_config_hooks *list,
		      struct hxs_err *err)
{
	const struct hxs_json *c;
	int r;

	r = hxs_json_expect(v, HXS_JSON_ARRAY, err);
	if (r < 0)
		return r;
	list->hook = calloc(hxs_config_count(v) + 1, sizeof(*list->hook));
	if (!list->hook)
		return no_memory(err);
	for (c = hxs_json_first(v); c; c = hxs_json_next(c)) {
		r = parse_hook(c, &list->hook[list->count++], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int hxs_config_parse_hooks(const struct hxs_json *v, struct hxs_config_env *env,
			   struct hxs_err *err)
{
	const struct hxs_json *member;
	size_t i;
	int r;

	r = hxs_json_only_keys(v, names, err);
	for (i = 0; r == 0 && i < HXS_HOOK_EVENTS; i++) {
		member = hxs_json_get(v, names[i]);
		if (member)
			r = parse_list(member, &env->hooks[i], err);
	}
	return r;
}

static void release_hook(struct hxs_config_hook *hook)
{
	char **arg;

	for (arg = hook->argv; arg && *arg; arg++)
		free(*arg);
	free(hook->argv);
}

void hxs_config_release_hooks(struct hxs_config_env *env)
{
	struct hxs_config_hooks *list;
	size_t i, k;

	for (i = 0; i < HXS_HOOK_EVENTS; i++) {
		list = &env->hooks[i];
		for (k = 0; k < list->count; k++)
			release_hook(&list->hook[k]);
		free(list->hook);
	}
}
