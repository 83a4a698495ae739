/* hxsnap.json: what is taken keeps what the header promises. */
#include "base/path.h"
#include "format/config.h"
#include "tests/fuzz/fuzz.h"

static void check_path(const char *path)
{
	must(path[0] == '/');
	must(path[1] == '\0' || !hxs_path_fault(path + 1, strlen(path + 1)));
}

static void check_source(const struct hxs_config_env *env, size_t i)
{
	const struct hxs_config_source *src = &env->sources[i];
	size_t j;

	must(hxs_path_is_name(src->name));
	must(*hxs_config_kind_name(src->kind));
	if (i > 0)
		must(strcmp(env->sources[i - 1].name, src->name) < 0);
	if (src->kind == HXS_SOURCE_DIRECTORY || src->kind == HXS_SOURCE_SQLITE)
		check_path(src->path);
	else
		must(!src->path);
	for (j = 0; j < src->exclude_count; j++)
		must(*src->exclude[j]);
}

static void check_env(const struct hxs_config *c, size_t i)
{
	const struct hxs_config_env *env = &c->envs[i];
	size_t j;

	must(hxs_path_is_name(env->name));
	must(hxs_config_env(c, env->name) == env);
	if (i > 0)
		must(strcmp(c->envs[i - 1].name, env->name) < 0);
	must(env->source_count > 0);
	for (j = 0; j < env->source_count; j++)
		check_source(env, j);
	for (j = 0; j < env->setting_count; j++) {
		must(!hxs_config_is_secret(env->settings[j].name));
		must(!env->settings[j].value);
	}
}

/* No source inside another or the store, none around it. */
static void check_apart(const struct hxs_config *c)
{
	const char *paths[64] = { c->store };
	size_t n = 1, i, j, len;

	for (i = 0; i < c->env_count; i++)
		for (j = 0; j < c->envs[i].source_count; j++)
			if (c->envs[i].sources[j].path && n < 64)
				paths[n++] = c->envs[i].sources[j].path;
	for (i = 0; i < n; i++) {
		len = strlen(paths[i]);
		for (j = 0; j < n; j++)
			must(i == j || strncmp(paths[i], paths[j], len) != 0 ||
			     (paths[j][len] != '/' && paths[j][len] != '\0'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	size_t i;
	int r = hxs_config_parse((const char *)data, size, "/etc/hxsnap.json",
				 "/etc/a", &c, &err);

	if (r < 0) {
		must(!c);
		must(r == -HXS_EUSAGE || r == -ENOMEM);
		must(err.code == r && err.message[0]);
		return 0;
	}
	must(c->env_count > 0 && !c->from_env_file);
	check_path(c->store);
	for (i = 0; i < c->env_count; i++)
		check_env(c, i);
	check_apart(c);
	return 0;
}
