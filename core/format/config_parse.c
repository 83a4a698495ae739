/* hxsnap.json: the document, its environments and their sources. */
#include "format/config_internal.h"

#include "base/path.h"

#include <errno.h>
#include <string.h>

struct parse {
	struct hxs_config *config;
	const char *base;
	/* of the store and of every source that has a path */
	struct hxs_config_place *places;
	size_t place_count, place_cap;
	struct hxs_err *err;
};

static int no_memory(struct parse *p)
{
	return hxs_err_errno(p->err, ENOMEM, "cannot take it in");
}

static int note_place(struct parse *p, const struct hxs_json *v,
		      const char *path)
{
	struct hxs_config_place *more;
	size_t cap;

	if (p->place_count == p->place_cap) {
		cap = p->place_cap ? 2 * p->place_cap : 16;
		more = reallocarray(p->places, cap, sizeof(*more));
		if (!more)
			return no_memory(p);
		p->places = more;
		p->place_cap = cap;
	}
	p->places[p->place_count].path = path;
	p->places[p->place_count++].what = hxs_json_path(v);
	return 0;
}

static int parse_path(struct parse *p, const struct hxs_json *v,
		      const char *key, char **out)
{
	const struct hxs_json *member = NULL;
	const char *text = NULL, *fault;
	int r;

	r = hxs_config_want(v, key, HXS_JSON_STRING, &member, p->err);
	if (r < 0)
		return r;
	r = hxs_json_string(member, &text, p->err);
	if (r < 0)
		return r;
	r = hxs_config_resolve(p->base, text, out, &fault);
	if (fault)
		return hxs_config_refuse(member, NULL, fault, p->err);
	if (r < 0)
		return no_memory(p);
	return note_place(p, member, *out);
}

static int parse_excludes(struct parse *p, const struct hxs_json *v,
			  struct hxs_config_source *src)
{
	int r = hxs_json_expect(v, HXS_JSON_ARRAY, p->err);

	return r < 0 ? r
		     : hxs_config_take_texts(v, &src->exclude,
					     &src->exclude_count, p->err);
}

/* Member @key of @v, if it is there, or else @otherwise (may be NULL). */
static int parse_word(struct parse *p, const struct hxs_json *v,
		      const char *key, const char *otherwise, char **out)
{
	const struct hxs_json *member = hxs_json_get(v, key);
	const char *text = otherwise;
	int r = member ? hxs_config_text(member, &text, p->err) : 0;

	if (r < 0 || !text)
		return r;
	*out = strdup(text);
	return *out ? 0 : no_memory(p);
}

static int parse_records(struct parse *p, const struct hxs_json *v,
			 struct hxs_config_records *out)
{
	static const char *const keys[] = { "sequence", "time", "files", NULL };
	int r;

	out->none = hxs_json_type(v) == HXS_JSON_NULL;
	if (out->none)
		return 0;
	r = hxs_json_only_keys(v, keys, p->err);
	if (r == 0)
		r = parse_word(p, v, "sequence", NULL, &out->sequence);
	if (r == 0)
		r = parse_word(p, v, "time", NULL, &out->time);
	if (r == 0)
		r = parse_word(p, v, "files", "*.jsonl", &out->files);
	if (r == 0 && !out->sequence && !out->time)
		return hxs_config_refuse(v, NULL,
					 "it names neither a \"sequence\" nor "
					 "a \"time\"",
					 p->err);
	return r;
}

static int parse_directory(struct parse *p, const struct hxs_json *v,
			   struct hxs_config_source *src)
{
	static const char *const keys[] = { "kind",   "path",	 "exclude",
					    "sqlite", "records", NULL };
	const struct hxs_json *member;
	const char *text = NULL;
	int r;

	r = hxs_json_only_keys(v, keys, p->err);
	if (r < 0)
		return r;
	member = hxs_json_get(v, "exclude");
	if (member) {
		r = parse_excludes(p, member, src);
		if (r < 0)
			return r;
	}
	member = hxs_json_get(v, "sqlite");
	if (member) {
		r = hxs_json_string(member, &text, p->err);
		if (r < 0)
			return r;
		src->sqlite_raw = strcmp(text, "raw") == 0;
		if (!src->sqlite_raw && strcmp(text, "backup") != 0)
			return hxs_config_refuse(member, NULL,
						 "it is neither \"raw\" nor "
						 "\"backup\"",
						 p->err);
	}
	member = hxs_json_get(v, "records");
	r = member ? parse_records(p, member, &src->records) : 0;
	return r < 0 ? r : parse_path(p, v, "path", &src->path);
}

/* "records" of what has none: said to come back whole, or not said at all. */
static int parse_no_records(struct parse *p, const struct hxs_json *v,
			    struct hxs_config_source *src)
{
	const struct hxs_json *member = hxs_json_get(v, "records");

	src->records.none = member != NULL;
	return member ? hxs_json_expect(member, HXS_JSON_NULL, p->err) : 0;
}

static int parse_sqlite(struct parse *p, const struct hxs_json *v,
			struct hxs_config_source *src)
{
	static const char *const keys[] = { "kind", "path", "records", NULL };
	int r = hxs_json_only_keys(v, keys, p->err);

	if (r == 0)
		r = parse_no_records(p, v, src);
	return r < 0 ? r : parse_path(p, v, "path", &src->path);
}

static int parse_kind(struct parse *p, const struct hxs_json *v,
		      enum hxs_source_kind *out)
{
	const struct hxs_json *member = NULL;
	const char *text = NULL;
	enum hxs_source_kind i;
	int r;

	r = hxs_config_want(v, "kind", HXS_JSON_STRING, &member, p->err);
	if (r < 0)
		return r;
	r = hxs_json_string(member, &text, p->err);
	if (r < 0)
		return r;
	for (i = HXS_SOURCE_DIRECTORY; i <= HXS_SOURCE_COMMAND; i++) {
		if (strcmp(text, hxs_config_kind_name(i)) == 0) {
			*out = i;
			return 0;
		}
	}
	return hxs_config_refuse(member, NULL,
				 "it is none of \"directory\", \"sqlite\", "
				 "\"postgres\" and \"command\"",
				 p->err);
}

static int parse_source(struct parse *p, const struct hxs_json *v,
			struct hxs_config_source *src)
{
	const char *name = hxs_json_key(v);
	int r;

	if (!hxs_path_is_name(name))
		return hxs_config_refuse(v, NULL,
					 "a source's name is 1 to 64 of a-z, "
					 "0-9, _ and -, first a letter or "
					 "digit",
					 p->err);
	src->name = strdup(name);
	if (!src->name)
		return no_memory(p);
	r = hxs_json_expect(v, HXS_JSON_OBJECT, p->err);
	if (r < 0)
		return r;
	r = parse_kind(p, v, &src->kind);
	if (r < 0)
		return r;
	switch (src->kind) {
	case HXS_SOURCE_DIRECTORY:
		return parse_directory(p, v, src);
	case HXS_SOURCE_SQLITE:
		return parse_sqlite(p, v, src);
	case HXS_SOURCE_POSTGRES:
		r = hxs_config_parse_postgres(v, &src->postgres, p->err);
		break;
	default:
		r = hxs_config_parse_command(v, &src->command, p->err);
	}
	return r < 0 ? r : parse_no_records(p, v, src);
}

static int source_by_name(const void *a, const void *b)
{
	const struct hxs_config_source *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int parse_sources(struct parse *p, const struct hxs_json *v,
			 struct hxs_config_env *env)
{
	const struct hxs_json *c;
	int r;

	if (!hxs_json_first(v))
		return hxs_config_refuse(v, NULL, "it names no source", p->err);
	env->sources = calloc(hxs_config_count(v), sizeof(*env->sources));
	if (!env->sources)
		return no_memory(p);
	for (c = hxs_json_first(v); c; c = hxs_json_next(c)) {
		r = parse_source(p, c, &env->sources[env->source_count++]);
		if (r < 0)
			return r;
	}
	qsort(env->sources, env->source_count, sizeof(*env->sources),
	      source_by_name);
	return 0;
}

static int parse_env(struct parse *p, const struct hxs_json *v,
		     struct hxs_config_env *env)
{
	static const char *const keys[] = {
		"confirm",   "sources",	   "settings", "hooks",
		"retention", "objectives", "parallel", "undo_on_failed_health",
		NULL
	};
	const char *name = hxs_json_key(v);
	const struct hxs_json *sources = NULL;
	int r;

	if (!hxs_path_is_name(name))
		return hxs_config_refuse(v, NULL,
					 "an environment's name is 1 to 64 of "
					 "a-z, 0-9, _ and -, first a letter or "
					 "digit",
					 p->err);
	env->name = strdup(name);
	if (!env->name)
		return no_memory(p);
	r = hxs_json_only_keys(v, keys, p->err);
	if (r < 0)
		return r;
	r = hxs_config_want(v, "sources", HXS_JSON_OBJECT, &sources, p->err);
	if (r < 0)
		return r;
	r = parse_sources(p, sources, env);
	return r < 0 ? r : hxs_config_parse_options(v, env, p->err);
}

static int env_by_name(const void *a, const void *b)
{
	const struct hxs_config_env *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int parse_root(struct parse *p, const struct hxs_json *root)
{
	static const char *const keys[] = { "store", "environments", NULL };
	const struct hxs_json *envs = NULL, *c;
	struct hxs_config *config = p->config;
	int r;

	r = hxs_json_only_keys(root, keys, p->err);
	if (r < 0)
		return r;
	r = parse_path(p, root, "store", &config->store);
	if (r < 0)
		return r;
	r = hxs_config_want(root, "environments", HXS_JSON_OBJECT, &envs,
			    p->err);
	if (r < 0)
		return r;
	if (!hxs_json_first(envs))
		return hxs_config_refuse(envs, NULL, "it names no environment",
					 p->err);
	config->envs = calloc(hxs_config_count(envs), sizeof(*config->envs));
	if (!config->envs)
		return no_memory(p);
	for (c = hxs_json_first(envs); c; c = hxs_json_next(c)) {
		r = parse_env(p, c, &config->envs[config->env_count++]);
		if (r < 0)
			return r;
	}
	qsort(config->envs, config->env_count, sizeof(*config->envs),
	      env_by_name);
	return hxs_config_apart(p->places, p->place_count, p->err);
}

int hxs_config_parse(const char *text, size_t len, const char *file,
		     const char *base, struct hxs_config **out,
		     struct hxs_err *err)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	struct parse p = { .base = base, .err = err };
	int r;

	r = hxs_json_parse(text, len, &doc, err);
	if (r < 0)
		return hxs_err_prefix(err, r, "'%s'", file);
	p.config = config = calloc(1, sizeof(*config));
	if (config) {
		config->file = strdup(file);
		config->base = strdup(base);
	}
	if (!config || !config->file || !config->base)
		r = no_memory(&p);
	else
		r = parse_root(&p, hxs_json_root(doc));
	free(p.places);
	if (r < 0)
		return hxs_err_prefix(err, r, "'%s'", file);
	*out = HXS_STEAL(config);
	return 0;
}
