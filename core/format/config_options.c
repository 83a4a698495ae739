/* What an environment has besides its sources. */
#include "format/config_internal.h"

#include <errno.h>
#include <string.h>

#define PARALLEL_MAX 16

static int no_memory(struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "cannot take it in");
}

static int parse_setting(const struct hxs_json *v, char **out,
			 struct hxs_err *err)
{
	const char *name = NULL;
	int r;

	r = hxs_json_string(v, &name, err);
	if (r < 0)
		return r;
	if (!hxs_config_is_variable(name, strlen(name)))
		return hxs_config_refuse(v, NULL, "it is no variable's name",
					 err);
	if (hxs_config_is_secret(name))
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s': '%s' sounds like a secret, and "
				   "settings are kept in every snapshot",
				   hxs_json_path(v), name);
	*out = strdup(name);
	return *out ? 0 : no_memory(err);
}

static int setting_by_name(const void *a, const void *b)
{
	const struct hxs_config_setting *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int parse_settings(const struct hxs_json *v, struct hxs_config_env *env,
			  struct hxs_err *err)
{
	const struct hxs_json *c;
	size_t i;
	int r;

	r = hxs_json_expect(v, HXS_JSON_ARRAY, err);
	if (r < 0)
		return r;
	env->settings = calloc(hxs_config_count(v) + 1, sizeof(*env->settings));
	if (!env->settings)
		return no_memory(err);
	for (c = hxs_json_first(v); c; c = hxs_json_next(c)) {
		r = parse_setting(c, &env->settings[env->setting_count].name,
				  err);
		if (r < 0)
			return r;
		env->setting_count++;
	}
	qsort(env->settings, env->setting_count, sizeof(*env->settings),
	      setting_by_name);
	for (i = 1; i < env->setting_count; i++)
		if (setting_by_name(&env->settings[i - 1], &env->settings[i]) ==
		    0)
			return hxs_err_set(err, HXS_EUSAGE,
					   "'%s': '%s' occurs twice",
					   hxs_json_path(v),
					   env->settings[i].name);
	return 0;
}

static int parse_parallel(const struct hxs_json *v, struct hxs_config_env *env,
			  struct hxs_err *err)
{
	int64_t n = 0;
	int r = hxs_json_int(v, &n, err);

	if (r < 0)
		return r;
	if (n < 1 || n > PARALLEL_MAX)
		return hxs_config_refuse(v, NULL, "it is not from 1 to 16",
					 err);
	env->parallel = (unsigned)n;
	return 0;
}

static int parse_confirm(const struct hxs_json *v, struct hxs_config_env *env,
			 struct hxs_err *err)
{
	return hxs_json_bool(v, &env->confirm, err);
}

static int parse_undo(const struct hxs_json *v, struct hxs_config_env *env,
		      struct hxs_err *err)
{
	return hxs_json_bool(v, &env->undo_on_failed_health, err);
}

int hxs_config_parse_options(const struct hxs_json *v,
			     struct hxs_config_env *env, struct hxs_err *err)
{
	static const struct {
		const char *key;
		int (*parse)(const struct hxs_json *v,
			     struct hxs_config_env *env, struct hxs_err *err);
	} options[] = {
		{ "confirm", parse_confirm },
		{ "settings", parse_settings },
		{ "hooks", hxs_config_parse_hooks },
		{ "parallel", parse_parallel },
		{ "undo_on_failed_health", parse_undo },
		{ "retention", hxs_config_parse_retention },
		{ "objectives", hxs_config_parse_objectives },
	};
	const struct hxs_json *member;
	size_t i;
	int r = 0;

	env->parallel = 1;
	env->objectives = hxs_config_objectives_default;
	env->confirm = strcmp(env->name, "live") == 0;
	for (i = 0; r >= 0 && i < HXS_ARRAY_LEN(options); i++) {
		member = hxs_json_get(v, options[i].key);
		if (member)
			r = options[i].parse(member, env, err);
	}
	return r;
}
