#include "tools/changes.h"
#include "tools/cmd.h"
#include "tools/out.h"
#include "tools/progress.h"
#include "verbs/versions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct log {
	const struct hxs_tool *tool;
	struct hxs_versions v;
	struct hxs_table table;
	struct hxs_meter meter;
	struct hxs_err why; /* of a line that could not be printed */
};

/* ---- JSON -------------------------------------------------------------- */

static void put_reference(const struct log *l, const char *key, const char *id,
			  struct hxs_json_out *o)
{
	char ref[HXS_REF_TEXT];

	hxs_ref_format(l->v.kind, l->v.env, id, ref);
	hxs_json_out_string(o, key, ref);
}

static const char *change_of(const struct hxs_version *v)
{
	if (v->what & HXS_DIFF_ADDED)
		return "added";
	if (v->what & HXS_DIFF_REMOVED)
		return "removed";
	if (v->what || v->added || v->removed || v->modified)
		return "modified";
	return NULL; /* the first that there is */
}

static int print_json(struct log *l, const struct hxs_version *v)
{
	HXS_AUTO_BUF struct hxs_buf line = HXS_BUF_INIT;
	struct hxs_json_out o;

	hxs_json_out_init(&o, &line, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "path", l->v.path);
	put_reference(l, "newest", v->newest, &o);
	put_reference(l, "oldest", v->oldest, &o);
	hxs_json_out_uint(&o, "snapshots", v->snapshots);
	hxs_json_out_bool(&o, "absent", !v->node);
	hxs_json_out_string(&o, "change", change_of(v));
	hxs_changes_json_words(v->what, &o);
	hxs_json_out_uint(&o, "added", v->added);
	hxs_json_out_uint(&o, "removed", v->removed);
	hxs_json_out_uint(&o, "modified", v->modified);
	hxs_json_out_uint(&o, "files", v->files);
	hxs_json_out_uint(&o, "bytes", v->bytes);
	if (v->node)
		hxs_changes_json_node(v->node, &o);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&line, '\n'); /* the status keeps failures */
	return hxs_out_print(&line, &l->why);
}

/* ---- text -------------------------------------------------------------- */

static void add_number(struct hxs_table *t, uint64_t n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	hxs_table_add(t, text);
}

static void add_buf(struct hxs_table *t, const struct hxs_buf *buf)
{
	if (hxs_buf_status(buf) < 0)
		t->status = hxs_buf_status(buf);
	hxs_table_add(t, hxs_buf_str(buf));
}

static void add_part(struct hxs_buf *out, char sign, uint64_t n)
{
	if (n)
		(void)hxs_buf_printf(out, "%s%c%" PRIu64, out->len ? " " : "",
				     sign, n);
}

/* The buffers' status keeps failures. */
static void add_change(struct hxs_table *t, const struct hxs_version *v)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	const char *change = change_of(v);

	if (v->what & (HXS_DIFF_ADDED | HXS_DIFF_REMOVED)) {
		(void)hxs_buf_puts(&out, change);
	} else {
		add_part(&out, '+', v->added);
		add_part(&out, '-', v->removed);
		add_part(&out, 'M', v->modified);
		if (v->what && out.len)
			(void)hxs_buf_puts(&out, ", ");
		hxs_changes_words(v->what, &out);
	}
	add_buf(t, &out);
}

static void add_content(struct hxs_table *t, const struct hxs_version *v)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	char hex[HXS_DIGEST_HEX_LEN + 1], files[HXS_COUNT_TEXT];

	if (!v->node) {
		(void)hxs_buf_puts(&out, "absent");
	} else if (S_ISDIR(v->node->mode)) {
		(void)hxs_buf_printf(&out, "directory of %s",
				     hxs_out_count(v->files, "file", files));
	} else if (S_ISLNK(v->node->mode)) {
		(void)hxs_buf_printf(&out, "-> %s", v->node->target);
	} else if (hxs_changes_is_known(v->node->digest)) {
		hxs_digest_to_hex(v->node->digest, hex);
		(void)hxs_buf_puts(&out, hex);
	}
	add_buf(t, &out);
}

static void add_row(struct log *l, const struct hxs_version *v)
{
	char ref[HXS_REF_TEXT], time[HXS_RFC3339_LEN + 1];
	char size[HXS_SIZE_TEXT];

	hxs_ref_format(l->v.kind, l->v.env, v->newest, ref);
	hxs_table_add(&l->table, ref);
	hxs_table_add(&l->table, v->oldest);
	add_number(&l->table, v->snapshots);
	hxs_table_add(&l->table, v->node ? hxs_out_size(v->bytes, size) : "");
	hxs_table_add(&l->table,
		      v->node ? hxs_out_time(v->node->mtime.tv_sec, time) : "");
	add_change(&l->table, v);
	add_content(&l->table, v);
}

static int print_table(const struct log *l, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;

	if (l->table.count == 0 && l->table.status == 0)
		return 0;
	hxs_table_print(&l->table, &out, "");
	return hxs_out_print(&out, err);
}

/* ---- the command ------------------------------------------------------- */

static int take(const struct hxs_version *v, void *ctx)
{
	static const char *const head[] = { "NEWEST", "OLDEST",	 "IN",
					    "SIZE",   "WRITTEN", "CHANGE",
					    "CONTENT" };
	struct log *l = ctx;
	size_t i;

	if (l->tool->json)
		return print_json(l, v);
	if (l->table.count == 0)
		for (i = 0; i < HXS_ARRAY_LEN(head); i++)
			hxs_table_add(&l->table, head[i]);
	add_row(l, v);
	return 0;
}

static int none_found(const struct log *l, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	hxs_out_shown(&shown, l->v.path);
	(void)hxs_err_set(err, HXS_ENOSUCH, "no %s of '%s' holds '%s'",
			  l->v.kind == HXS_ROLLBACK ? "rollback point"
						    : "backup",
			  l->v.env, hxs_buf_str(&shown));
	hxs_err_hint(err, "a path begins with a source's name, as in "
			  "'events/a.json'");
	return -HXS_ENOSUCH;
}

static int tell(struct log *l, struct hxs_err *err)
{
	int r = hxs_versions_tell(l->tool->store, &l->v, err);

	hxs_meter_clear(&l->meter);
	if (l->why.code < 0) {
		*err = l->why;
		return err->code;
	}
	if (r == 0)
		r = print_table(l, err);
	if (r < 0)
		return r;
	if (l->v.damaged)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "%" PRIu64 " of %" PRIu64 " snapshots of "
				   "'%s' could not be looked into",
				   l->v.damaged, l->v.damaged + l->v.snapshots,
				   l->v.env);
	return l->v.found ? 0 : none_found(l, err);
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	struct log l = {
		.tool = tool,
		.v = { .kind = hxs_args_has(tool->args, "rollbacks")
				       ? HXS_ROLLBACK
				       : HXS_BACKUP,
		       .fn = take },
		.table = { .align = "llrrlll" },
		.why = HXS_ERR_INIT,
	};
	int r;

	r = hxs_args_words(tool->args, 2, 2, "an environment and a path", err);
	if (r < 0)
		return r;
	l.v.env = tool->args->word[0];
	l.v.path = tool->args->word[1];
	l.v.ctx = &l;
	r = hxs_args_env(l.v.env, err);
	if (r == 0)
		r = hxs_tool_store(tool, l.v.env, NULL, err);
	if (r < 0)
		return r;
	hxs_meter_init(&l.meter, tool->quiet);
	l.v.listener = &l.meter.listener;
	r = tell(&l, err);
	hxs_meter_release(&l.meter);
	hxs_table_release(&l.table);
	return r;
}

static const struct hxs_opt opts[] = {
	{ "rollbacks", 0, NULL, "rollback points instead of backups" },
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_log = {
	.name = "log",
	.synopsis = "ENV PATH [--rollbacks]",
	.summary = "tell the versions of one file over all snapshots",
	.text = "PATH is SOURCE or SOURCE/PATH. A line for each version, the "
		"newest first: the\nlast and the first snapshot that hold it, "
		"how many do, its size, when it was\nwritten, what changed, "
		"and its SHA-256. A directory has a version for each time\n"
		"that it or anything in it changed: '+' are entries added, '-' "
		"removed,\n'M' modified. Indexes alone are read. The status is "
		"3 if a snapshot could not\nbe looked into.\n",
	.opts = opts,
	.run = run,
};
