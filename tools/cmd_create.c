#include "base/cleanup.h"
#include "tools/act.h"
#include "tools/out.h"
#include "tools/progress.h"
#include "verbs/create.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What is no store yet is not made one for a backup that cannot be made. */
static int check_sources(const struct hxs_config *config, const char *name,
			 struct hxs_err *err)
{
	const struct hxs_config_env *env = hxs_config_env(config, name);
	const struct hxs_config_source *src;
	struct stat st;
	size_t i;

	if (!env)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "no environment '%s' in '%s'", name,
				   config->file);
	for (i = 0; i < env->source_count; i++) {
		src = &env->sources[i];
		if (src->path && stat(src->path, &st) < 0)
			return hxs_err_errno(err, errno,
					     "cannot look at source '%s' at "
					     "'%s'",
					     src->name, src->path);
	}
	return 0;
}

/*
 * Open the store at @path, or make it where that cannot be a mistake: where
 * nothing is there at all, or in the data directory of a project that is
 * configured by .env files. An empty directory may be a mount point whose
 * file system is not mounted.
 */
static int open_or_make(struct hxs_tool *tool, const struct hxs_config *config,
			const char *env, const char *path, struct hxs_err *err)
{
	bool own = config->from_env_file && !hxs_args_has(tool->args, "store");
	int r;

	r = hxs_tool_store_at(tool, path, env, err);
	if (tool->store || (r != -HXS_ENOSUCH && !(own && r == -HXS_EUSAGE)))
		return r;
	hxs_err_clear(err);
	r = check_sources(config, env, err);
	if (r < 0)
		return r;
	r = hxs_store_init(path, own, err);
	if (r < 0)
		return r;
	if (!tool->quiet)
		hxs_out_talk("made the store '%s'", path);
	return hxs_tool_store_at(tool, path, env, err);
}

static void put_json(const char *env, const struct hxs_create_report *rep,
		     const struct hxs_meter *meter, struct hxs_buf *out)
{
	struct hxs_json_out o;
	char ref[HXS_REF_TEXT];

	hxs_ref_format(HXS_BACKUP, env, rep->id, ref);
	hxs_json_out_init(&o, out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "id", rep->id);
	hxs_json_out_string(&o, "reference", ref);
	hxs_json_out_uint(&o, "files", rep->files);
	hxs_json_out_uint(&o, "bytes", rep->bytes);
	hxs_json_out_uint(&o, "linked_files", rep->linked_files);
	hxs_json_out_uint(&o, "linked_bytes", rep->linked_bytes);
	hxs_out_json_seconds(&o, "seconds", rep->seconds);
	hxs_json_out_uint(&o, "failed_hooks", rep->after.failed);
	hxs_meter_json(meter, &o);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(out, '\n'); /* the status keeps failures */
}

static void tell(const char *env, const struct hxs_create_report *rep)
{
	char bytes[HXS_SIZE_TEXT], files[HXS_COUNT_TEXT];

	hxs_out_talk("'%s/%s' has %s, %s, %llu of them unchanged; "
		     "made in %.1f s",
		     env, rep->id, hxs_out_count(rep->files, "file", files),
		     hxs_out_size(rep->bytes, bytes),
		     (unsigned long long)rep->linked_files, rep->seconds);
}

/* It is there, whatever comes now. */
static void note(struct hxs_tool *tool, const char *env, const char *id)
{
	struct hxs_act *act = &tool->act;

	hxs_ref_format(HXS_BACKUP, env, id, act->reference);
	(void)snprintf(act->done, sizeof(act->done), "snapshot '%s' was made",
		       act->reference);
}

static int make(struct hxs_tool *tool, struct hxs_create_opts *opts,
		struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_create_report rep = { .files = 0 };
	struct hxs_meter meter;
	int r;

	hxs_meter_init(&meter, tool->quiet);
	opts->listener = &meter.listener;
	r = hxs_create(tool->store, opts, &rep, err);
	hxs_meter_clear(&meter);
	if (rep.id[0])
		note(tool, opts->env, rep.id);
	if (r == 0) {
		if (tool->json)
			put_json(opts->env, &rep, &meter, &out);
		else
			(void)hxs_buf_printf(&out, "%s\n", rep.id);
		r = hxs_out_print(&out, err);
		if (r == 0)
			r = hxs_out_finish(err);
		/* Whoever cannot be told the id must hear that it is there. */
		if (r < 0)
			(void)hxs_err_suffix(err, r, "%s", tool->act.done);
		else if (!tool->quiet && !tool->json)
			tell(opts->env, &rep);
	}
	if (r == 0)
		r = hxs_hooks_status(&rep.after, tool->act.done, err);
	hxs_meter_release(&meter);
	return r;
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	const struct hxs_args *args = tool->args;
	HXS_AUTO(config) struct hxs_config *config = NULL;
	HXS_AUTO_FREE const char **tags = NULL;
	const char *path = hxs_args_value(args, "store");
	struct hxs_create_opts opts = {
		.keep = hxs_args_has(args, "keep"),
		.full = hxs_args_has(args, "full"),
		.allow_shrink = hxs_args_has(args, "allow-shrink"),
		.tool_version = HXS_VERSION,
	};
	size_t i;
	int r;

	r = hxs_args_words(args, 1, 1, "an environment", err);
	if (r == 0)
		r = hxs_args_env(args->word[0], err);
	if (r < 0)
		return r;
	opts.env = args->word[0];

	tags = calloc(args->given_count + 1, sizeof(*tags));
	if (!tags)
		return hxs_err_errno(err, ENOMEM, "cannot make a snapshot");
	for (i = 0; i < args->given_count; i++)
		if (strcmp(args->given[i].opt->name, "tag") == 0)
			tags[opts.tag_count++] = args->given[i].value;
	opts.tags = tags;

	r = hxs_tool_config(tool, opts.env, &config, err);
	if (r < 0)
		return r;
	opts.config = config;
	hxs_act_begin(tool, opts.env);
	r = open_or_make(tool, config, opts.env, path ? path : config->store,
			 err);
	if (r < 0)
		return hxs_err_suffix(err, r, "no snapshot was made");
	return make(tool, &opts, err);
}

static const struct hxs_opt opts[] = {
	{ "tag", 0, "TAG", "a word to find it by; may be repeated" },
	{ "keep", 0, NULL, "never let retention remove it" },
	{ "full", 0, NULL, "read every file, link none to an earlier backup" },
	{ "allow-shrink", 0, NULL,
	  "accept a source that is empty or shrank to a tenth" },
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_create = {
	.name = "create",
	.synopsis = "ENV [--tag TAG]... [--keep] [--full] [--allow-shrink]",
	.summary = "make a backup; standard output is its id and nothing else",
	.text = "A store that is not there at all is made. An empty directory "
		"is not: it may\nbe a mount point; 'hxsnap init' says that it "
		"is to be a store.\n",
	.opts = opts,
	.recovery = HXS_CMD_MUST,
	.run = run,
};
