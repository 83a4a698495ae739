/*
 * .env files: the model and the single look-up agree, and no message depends
 * on anything but keys and line numbers.
 */
#include "base/path.h"
#include "format/config.h"
#include "tests/fuzz/fuzz.h"

#define FILE_NAME "/srv/.env.dev"

static int look_up(const char *text, size_t len, const char *key, char **value)
{
	struct hxs_err err = HXS_ERR_INIT;
	int r = hxs_config_env_value(text, len, FILE_NAME, key, value, &err);

	must((r == 1) == (*value != NULL));
	if (r < 0)
		must_explain(r, -HXS_EUSAGE, &err);
	else
		must(r == 0 || r == 1);
	return r;
}

static void check_setting(const char *text, size_t len,
			  const struct hxs_config_setting *s)
{
	char *value = NULL;

	must(!hxs_config_is_secret(s->name));
	must(look_up(text, len, s->name, &value) == 1);
	if (s->value)
		must(strcmp(value, s->value) == 0);
	else
		must(hxs_config_has_password(value));
	free(value);
}

static void check_source(const struct hxs_config_source *src)
{
	const char *s;

	must(src->kind == HXS_SOURCE_DIRECTORY);
	must(src->path[0] == '/');
	must(!hxs_path_fault(src->path + 1, strlen(src->path + 1)));
	for (s = src->path; *s; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;
	const char *text = (const char *)data;
	struct hxs_err err = HXS_ERR_INIT;
	char *value = NULL;
	size_t i;
	int r, found;

	r = hxs_config_parse_env(text, size, FILE_NAME, "/srv", "dev", &c,
				 &err);
	found = look_up(text, size, "EVENT_STORE_PATH", &value);
	free(value);
	if (r < 0) {
		must(!c);
		must_explain(r, -HXS_EUSAGE, &err);
		must(strlen(err.message) < 200);
		return 0;
	}
	must(found >= 0);
	must(c->env_count == 1 && c->from_env_file);
	must(strcmp(c->store, "/srv/data") == 0);
	must(c->envs[0].source_count >= 1 && c->envs[0].source_count <= 2);
	must(found == (strcmp(c->envs[0].sources[0].name, "events") == 0));
	for (i = 0; i < c->envs[0].source_count; i++)
		check_source(&c->envs[0].sources[i]);
	for (i = 0; i < c->envs[0].setting_count; i++)
		check_setting(text, size, &c->envs[0].settings[i]);
	return 0;
}
