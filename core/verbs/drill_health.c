/* The health hooks of a drill: told where the state is that they look at. */
#include "verbs/drill_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "HXSNAP_SOURCE_"

/* The regular file in directory @top that others lie beside, if any. */
static const char *main_file(const struct hxs_index *idx,
			     const struct hxs_node *top)
{
	struct hxs_node child, best = { .name = NULL };
	uint32_t i;

	for (i = 0; i < top->child_count; i++) {
		hxs_index_get(idx, top->first_child + i, &child);
		if (!S_ISREG(child.mode))
			continue;
		if (!best.name || child.name_len < best.name_len)
			best = child;
	}
	return best.name;
}

int hxs_drill_health_file(const struct hxs_drill_run *run,
			  const struct hxs_config_source *src,
			  struct hxs_buf *name)
{
	const struct hxs_index *idx = hxs_snapshot_index(run->snap);
	int64_t n = hxs_index_find(idx, src->name);
	const char *file = NULL;
	struct hxs_node top;

	if (n < 0)
		return 0;
	hxs_index_get(idx, (uint32_t)n, &top);
	if (!S_ISDIR(top.mode))
		return 0;
	/* Create makes up an inode number for what is no directory. */
	if (src->kind == HXS_SOURCE_COMMAND)
		file = src->command.file;
	else if (src->kind == HXS_SOURCE_SQLITE ||
		 (top.ino == 0 && !hxs_snapshot_is_foreign(run->snap)))
		file = main_file(idx, &top);
	if (file)
		(void)hxs_buf_printf(name, "%s/%s", src->name, file);
	return hxs_buf_status(name);
}

/* "HXSNAP_SOURCE_NAME=" and where the state of @src is. */
static int put_source(const struct hxs_drill_run *run,
		      const struct hxs_config_source *src, struct hxs_buf *out)
{
	HXS_AUTO_BUF struct hxs_buf file = HXS_BUF_INIT;
	const char *database = hxs_drill_systems_name(run, src), *c;
	int r = hxs_drill_health_file(run, src, &file);

	if (r < 0)
		return r;
	(void)hxs_buf_puts(out, NAME); /* the status keeps failures */
	for (c = src->name; *c; c++)
		(void)hxs_buf_putc(out,
				   *c == '-' ? '_' : (char)toupper((int)*c));
	if (database)
		return hxs_buf_printf(out, "=%s", database);
	return hxs_buf_printf(out, "=%s/%s", run->scratch.path,
			      file.len ? file.data : src->name);
}

static int fill(const struct hxs_drill_run *run, char **list)
{
	size_t i, n = 0;

	if (asprintf(&list[n], "HXSNAP_SCRATCH=%s", run->scratch.path) < 0) {
		list[n] = NULL;
		return -ENOMEM;
	}
	for (i = 0; i < run->env->source_count; i++) {
		HXS_AUTO_BUF struct hxs_buf one = HXS_BUF_INIT;
		int r = put_source(run, &run->env->sources[i], &one);

		if (r == 0)
			r = hxs_buf_status(&one);
		if (r == 0)
			list[++n] = hxs_buf_steal(&one, NULL);
		if (r < 0 || !list[n])
			return -ENOMEM;
	}
	return 0;
}

int hxs_drill_health(struct hxs_drill_run *run, struct hxs_buf *detail,
		     struct hxs_err *err)
{
	size_t i, count = run->env->source_count + 2;
	char **list = calloc(count, sizeof(*list));
	struct hxs_hooks h = {
		.config = run->opts->config,
		.env = run->env,
		.relay = &run->relay,
		.store = hxs_store_path(run->store),
		.operation = "drill",
		.reference = run->rep->reference,
		.id = run->id,
		.more = (const char *const *)list,
	};
	int r = list ? fill(run, list) : -ENOMEM;

	if (r < 0)
		r = hxs_err_errno(err, -r, "cannot run the health hooks");
	else
		r = hxs_hooks_before(&h, HXS_HEALTH, err);
	for (i = 0; list && i < count; i++)
		free(list[i]);
	free(list);
	count = run->env->hooks[HXS_HEALTH].count;
	if (r == 0)
		(void)hxs_buf_printf(detail, "%zu hook%s ran", count,
				     count == 1 ? "" : "s");
	return r;
}
