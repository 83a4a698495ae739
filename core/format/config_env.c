/*
 * A .env file as the configuration of one environment. Values are secrets:
 * none of them, not even a part of one, ever gets into a message.
 */
#include "format/config_internal.h"

#include "base/path.h"

#include <errno.h>
#include <string.h>

static bool is_key(const struct hxs_config_dotenv *r, const char *key)
{
	return strlen(key) == r->key_len &&
	       memcmp(key, r->key, r->key_len) == 0;
}

/* Keep a copy of the present value in *@value, in place of an earlier one. */
static int take_value(struct hxs_config_dotenv *r, char **value)
{
	char *copy = strdup(hxs_buf_str(&r->value));

	if (!copy)
		return hxs_err_errno(r->err, ENOMEM, "cannot read '%s'",
				     r->file);
	free(*value);
	*value = copy;
	return 0;
}

int hxs_config_env_value(const char *text, size_t len, const char *file,
			 const char *key, char **value, struct hxs_err *err)
{
	struct hxs_config_dotenv r;
	HXS_AUTO_FREE char *found = NULL;
	int res;

	hxs_config_dotenv_init(&r, text, len, file, err);
	while ((res = hxs_config_dotenv_next(&r)) > 0) {
		if (!is_key(&r, key))
			continue;
		res = take_value(&r, &found);
		if (res < 0)
			break;
	}
	hxs_config_dotenv_release(&r);
	if (res < 0 || !found)
		return res;
	*value = HXS_STEAL(found);
	return 1;
}

/* The variables that matter here, sorted by name. */
enum known {
	API_HOST,
	API_PORT,
	BACKUP_ROOT,
	ENVIRONMENT,
	EVENTS,
	LOG_LEVEL,
	PROJECTIONS,
	KNOWN
};
static const char *const known[KNOWN] = {
	[API_HOST] = "API_HOST",
	[API_PORT] = "API_PORT",
	[BACKUP_ROOT] = "BACKUP_ROOT",
	[ENVIRONMENT] = "ENV",
	[EVENTS] = "EVENT_STORE_PATH",
	[LOG_LEVEL] = "LOG_LEVEL",
	[PROJECTIONS] = "PROJECTIONS_DB_PATH",
};

struct found {
	char *value[KNOWN];
	size_t line[KNOWN];
};

static int find_known(struct hxs_config_dotenv *r, struct found *f)
{
	size_t i;
	int res;

	while ((res = hxs_config_dotenv_next(r)) > 0) {
		for (i = 0; i < KNOWN; i++) {
			if (!is_key(r, known[i]))
				continue;
			f->line[i] = r->key_line;
			res = take_value(r, &f->value[i]);
			if (res < 0)
				return res;
		}
	}
	return res;
}

static int no_memory(struct hxs_config_dotenv *r)
{
	return hxs_err_errno(r->err, ENOMEM, "cannot take in '%s'", r->file);
}

static int path_of(struct hxs_config_dotenv *r, const struct found *f,
		   size_t which, const char *base, char **out)
{
	const char *fault = NULL, *s;
	int res = 0;

	for (s = f->value[which]; *s && !fault; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			fault = "the path holds a control byte";
	if (!fault)
		res = hxs_config_resolve(base, f->value[which], out, &fault);
	if (fault)
		return hxs_err_set(r->err, HXS_EUSAGE, "'%s': line %zu: %s: %s",
				   r->file, f->line[which], known[which],
				   fault);
	return res < 0 ? no_memory(r) : 0;
}

static int add_source(struct hxs_config_dotenv *r, const struct found *f,
		      size_t which, const char *name, const char *base,
		      struct hxs_config_env *env)
{
	struct hxs_config_source *src = &env->sources[env->source_count];

	if (!f->value[which])
		return 0;
	env->source_count++;
	src->kind = HXS_SOURCE_DIRECTORY;
	src->name = strdup(name);
	if (!src->name)
		return no_memory(r);
	return path_of(r, f, which, base, &src->path);
}

static int add_settings(struct hxs_config_dotenv *r, struct found *f,
			struct hxs_config_env *env)
{
	struct hxs_config_setting *setting;
	size_t i;

	env->settings = calloc(KNOWN, sizeof(*env->settings));
	if (!env->settings)
		return no_memory(r);
	for (i = 0; i < KNOWN; i++) {
		if (!f->value[i])
			continue;
		setting = &env->settings[env->setting_count++];
		if (!hxs_config_has_password(f->value[i]))
			setting->value = HXS_STEAL(f->value[i]);
		setting->name = strdup(known[i]);
		if (!setting->name)
			return no_memory(r);
	}
	return 0;
}

/*
 * The store is the project's own ./data, where the events may lie too: so
 * what must be apart from the sources is what the store itself makes there.
 */
static int check_places(struct hxs_config_dotenv *r,
			const struct hxs_config *config,
			const struct hxs_config_env *env)
{
	static const struct {
		const char *name, *what;
	} parts[] = {
		{ "backups", "data/backups" },
		{ "rollbacks", "data/rollbacks" },
		{ ".hxsnap", "data/.hxsnap" },
	};
	struct hxs_config_place places[HXS_ARRAY_LEN(parts) + 2] = { 0 };
	char *made[HXS_ARRAY_LEN(parts)] = { NULL };
	const char *fault = NULL;
	size_t i, n = 0;
	int res = 0;

	for (i = 0; i < HXS_ARRAY_LEN(parts) && res >= 0; i++) {
		res = hxs_config_resolve(config->store, parts[i].name, &made[i],
					 &fault);
		places[n].path = made[i];
		places[n++].what = parts[i].what;
	}
	if (fault)
		res = hxs_err_set(r->err, HXS_EUSAGE, "the store's place: %s",
				  fault);
	else if (res < 0)
		res = no_memory(r);
	for (i = 0; i < env->source_count; i++) {
		places[n].path = env->sources[i].path;
		places[n++].what = strcmp(env->sources[i].name, "events") == 0
					   ? known[EVENTS]
					   : known[PROJECTIONS];
	}
	if (res >= 0) {
		res = hxs_config_apart(places, n, r->err);
		if (res < 0)
			(void)hxs_err_prefix(r->err, res, "'%s'", r->file);
	}
	for (i = 0; i < HXS_ARRAY_LEN(parts); i++)
		free(made[i]);
	return res;
}

static int build(struct hxs_config_dotenv *r, struct found *f, const char *base,
		 const char *name, struct hxs_config *config)
{
	const char *fault = NULL;
	struct hxs_config_env *env;
	int res;

	if (!f->value[EVENTS] && !f->value[PROJECTIONS])
		return hxs_err_set(r->err, HXS_EUSAGE,
				   "'%s' sets neither %s nor %s", r->file,
				   known[EVENTS], known[PROJECTIONS]);
	config->from_env_file = true;
	config->file = strdup(r->file);
	config->base = strdup(base);
	config->envs = calloc(1, sizeof(*config->envs));
	if (!config->file || !config->base || !config->envs)
		return no_memory(r);
	env = &config->envs[config->env_count++];
	env->parallel = 1;
	env->objectives = hxs_config_objectives_default;
	env->confirm = strcmp(name, "live") == 0;
	env->name = strdup(name);
	env->sources = calloc(2, sizeof(*env->sources));
	if (!env->name || !env->sources)
		return no_memory(r);
	res = hxs_config_resolve(base, "data", &config->store, &fault);
	if (fault)
		return hxs_err_set(r->err, HXS_EUSAGE, "the store's place: %s",
				   fault);
	if (res < 0)
		return no_memory(r);
	res = add_source(r, f, EVENTS, "events", base, env);
	if (res < 0)
		return res;
	res = add_source(r, f, PROJECTIONS, "projections", base, env);
	if (res < 0)
		return res;
	res = check_places(r, config, env);
	return res < 0 ? res : add_settings(r, f, env);
}

int hxs_config_parse_env(const char *text, size_t len, const char *file,
			 const char *base, const char *env,
			 struct hxs_config **out, struct hxs_err *err)
{
	struct hxs_config_dotenv r;
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct found f = { 0 };
	size_t i;
	int res;

	if (!hxs_path_is_name(env))
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is no environment's name", env);
	hxs_config_dotenv_init(&r, text, len, file, err);
	config = calloc(1, sizeof(*config));
	res = config ? find_known(&r, &f) : no_memory(&r);
	if (res >= 0)
		res = build(&r, &f, base, env, config);
	for (i = 0; i < KNOWN; i++)
		free(f.value[i]);
	hxs_config_dotenv_release(&r);
	if (res < 0)
		return res;
	*out = HXS_STEAL(config);
	return 0;
}
