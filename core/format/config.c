#include "format/config_internal.h"

#include <string.h>

static const char *const kind_names[] = {
	[HXS_SOURCE_DIRECTORY] = "directory",
	[HXS_SOURCE_SQLITE] = "sqlite",
	[HXS_SOURCE_POSTGRES] = "postgres",
	[HXS_SOURCE_COMMAND] = "command",
};

const char *hxs_config_kind_name(enum hxs_source_kind kind)
{
	return kind_names[kind];
}

bool hxs_config_is_system(const struct hxs_config_source *src)
{
	return src->kind == HXS_SOURCE_POSTGRES ||
	       src->kind == HXS_SOURCE_COMMAND;
}

static void free_texts(char **texts)
{
	size_t i;

	for (i = 0; texts && texts[i]; i++)
		free(texts[i]);
	free(texts);
}

static void release_postgres(struct hxs_config_postgres *p)
{
	if (p->dsn)
		explicit_bzero(p->dsn, strlen(p->dsn));
	free(p->dsn);
	free_texts(p->schemas);
	free_texts(p->tables);
	free_texts(p->until_sequence);
	free_texts(p->until_time);
}

static void release_source(struct hxs_config_source *s)
{
	size_t i;

	for (i = 0; i < s->exclude_count; i++)
		free(s->exclude[i]);
	free(s->exclude);
	free(s->records.files);
	free(s->records.sequence);
	free(s->records.time);
	release_postgres(&s->postgres);
	free_texts(s->command.capture);
	free_texts(s->command.restore);
	free(s->command.file);
	free(s->path);
	free(s->name);
}

static void release_env(struct hxs_config_env *e)
{
	size_t i;

	for (i = 0; i < e->source_count; i++)
		release_source(&e->sources[i]);
	free(e->sources);
	for (i = 0; i < e->setting_count; i++) {
		free(e->settings[i].name);
		free(e->settings[i].value);
	}
	free(e->settings);
	hxs_config_release_hooks(e);
	hxs_config_release_retention(e);
	free(e->name);
}

void hxs_config_free(struct hxs_config *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->env_count; i++)
		release_env(&c->envs[i]);
	free(c->envs);
	free(c->store);
	free(c->base);
	free(c->file);
	free(c);
}

const struct hxs_config_env *hxs_config_env(const struct hxs_config *c,
					    const char *name)
{
	size_t i;

	for (i = 0; i < c->env_count; i++)
		if (strcmp(c->envs[i].name, name) == 0)
			return &c->envs[i];
	return NULL;
}
