#include "store/content.h"
#include "tools/cmd.h"
#include "tools/item.h"
#include "tools/out.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What is shown of one snapshot. */
struct view {
	const struct hxs_named *name;
	struct hxs_history_item item;
	struct hxs_snapshot *snap; /* NULL when it is damaged */
	uint64_t files, bytes; /* of the whole snapshot, from its index */
	uint32_t entries;
	bool stale; /* the last verify saw another manifest */
};

/* That the meta.json that was shown is the one the manifest lists. */
static int check_meta(struct hxs_snapshot *snap, struct hxs_err *err)
{
	HXS_AUTO(content) struct hxs_content *c = NULL;
	struct hxs_scratch scratch = { .cap = 0 };
	struct hxs_fault fault;
	const void *bytes;
	int64_t n = hxs_index_find(hxs_snapshot_index(snap), HXS_META_NAME);
	ssize_t got;
	int r;

	if (n < 0)
		return 0; /* a foreign snapshot may have none */
	r = hxs_content_open(snap, (uint32_t)n, &c, &fault, err);
	if (r < 0)
		return r;
	got = hxs_content_read(c, 0, hxs_content_size(c), &scratch, &bytes,
			       &fault, err);
	hxs_scratch_release(&scratch);
	return got < 0 ? (int)got : 0;
}

static void count(struct view *v)
{
	const struct hxs_index *idx = hxs_snapshot_index(v->snap);
	struct hxs_node node;
	uint32_t n;

	v->entries = hxs_index_count(idx) - 1; /* without the top itself */
	for (n = 1; n <= v->entries; n++) {
		hxs_index_get(idx, n, &node);
		if (!S_ISREG(node.mode))
			continue;
		v->files++;
		v->bytes += node.size;
	}
}

static void put_sources(const struct hxs_meta *m, struct hxs_buf *out)
{
	struct hxs_table t = { .align = "llrrl" };
	char files[HXS_COUNT_TEXT], size[HXS_SIZE_TEXT];
	size_t i;

	for (i = 0; i < m->source_count; i++) {
		const struct hxs_meta_source *src = &m->sources[i];

		hxs_table_add(&t, src->name);
		hxs_table_add(&t, src->kind ? src->kind : "");
		hxs_table_add(&t, hxs_out_count(src->files, "file", files));
		hxs_table_add(&t, hxs_out_size(src->bytes, size));
		hxs_table_add(&t, src->path ? src->path : "");
	}
	(void)hxs_buf_puts(out, "sources:\n"); /* the status keeps failures */
	hxs_table_print(&t, out, "  ");
	hxs_table_release(&t);
}

static void put_meta(const struct hxs_meta *m, struct hxs_buf *out)
{
	HXS_AUTO_BUF struct hxs_buf tags = HXS_BUF_INIT;
	char hex[HXS_DIGEST_HEX_LEN + 1], text[128];
	size_t i;

	if (m->hostname)
		hxs_out_field(out, "host", m->hostname);
	if (m->tool_version)
		hxs_out_field(out, "made by", m->tool_version);
	if (m->git_commit)
		hxs_out_field(out, "git commit", m->git_commit);
	for (i = 0; i < m->tag_count; i++)
		(void)hxs_buf_printf(&tags, "%s%s", i ? ", " : "", m->tags[i]);
	if (m->tag_count)
		hxs_out_field(out, "tags", hxs_buf_str(&tags));
	if (m->previous_id[0]) {
		hxs_digest_to_hex(&m->previous_manifest, hex);
		(void)snprintf(text, sizeof(text), "%s, manifest %s",
			       m->previous_id, hex);
		hxs_out_field(out, "previous", text);
	}
	if (m->source_count)
		put_sources(m, out);
	for (i = 0; i < m->warning_count; i++)
		hxs_out_field(out, "warning", m->warnings[i]);
}

static void put_result(const struct view *v, struct hxs_buf *out)
{
	const struct hxs_result *res = &v->item.result;
	char when[HXS_RFC3339_LEN + 1], files[HXS_COUNT_TEXT];
	char faults[HXS_COUNT_TEXT], text[256];

	if (!v->item.has_result) {
		hxs_out_field(out, "verified", "never");
		return;
	}
	(void)hxs_out_time(res->when, when);
	if (v->stale)
		(void)snprintf(text, sizeof(text),
			       "not since its manifest changed (last %s)",
			       when);
	else if (res->passed)
		(void)snprintf(text, sizeof(text), "%s, %s, right", when,
			       hxs_out_count(res->files, "file", files));
	else if (res->by_reader)
		(void)snprintf(text, sizeof(text),
			       "no: a reader met damage, %s, DAMAGED", when);
	else
		(void)snprintf(text, sizeof(text), "%s, DAMAGED, %s", when,
			       hxs_out_count(res->faults, "fault", faults));
	hxs_out_field(out, "verified", text);
	/* It was escaped when it was recorded. */
	if (!res->passed && res->first_fault[0])
		(void)hxs_buf_printf(out, "%-14s%s\n",
				     "first fault:", res->first_fault);
}

static void put_text(const struct view *v, struct hxs_buf *out)
{
	char created[HXS_RFC3339_LEN + 1], hex[HXS_DIGEST_HEX_LEN + 1];
	char files[HXS_COUNT_TEXT], size[HXS_SIZE_TEXT], text[128];

	hxs_out_field(out, "snapshot", v->name->text);
	hxs_out_field(out, "kind", hxs_item_kind(&v->item));
	hxs_out_field(out, "created",
		      hxs_out_time(hxs_item_created(&v->item), created));
	hxs_out_field(out, "form",
		      v->item.foreign ? "foreign: another program made it, "
					"it has no index.hxi"
				      : "native");
	if (v->snap) {
		hxs_digest_to_hex(hxs_snapshot_manifest_digest(v->snap), hex);
		hxs_out_field(out, "manifest", hex);
		(void)snprintf(text, sizeof(text), "%s, %s",
			       hxs_out_count(v->files, "file", files),
			       hxs_out_size(v->bytes, size));
		hxs_out_field(out, "holds", text);
	}
	hxs_out_field(out, "kept", v->item.pinned ? "yes" : "no");
	put_result(v, out);
	if (v->item.has_meta)
		put_meta(&v->item.meta, out);
	if (!v->item.readable)
		hxs_out_field(out, "unreadable", v->item.reason);
}

static void put_meta_json(const struct hxs_meta *m, struct hxs_json_out *o)
{
	size_t i;

	hxs_json_out_string(o, "hostname", m->hostname);
	hxs_json_out_string(o, "tool_version", m->tool_version);
	hxs_json_out_string(o, "git_commit", m->git_commit);
	if (m->previous_id[0]) {
		hxs_json_out_object(o, "previous");
		hxs_json_out_string(o, "id", m->previous_id);
		hxs_out_json_digest(o, "manifest_sha256",
				    &m->previous_manifest);
		hxs_json_out_end_object(o);
	} else {
		hxs_json_out_null(o, "previous");
	}
	hxs_json_out_object(o, "sources");
	for (i = 0; i < m->source_count; i++) {
		hxs_json_out_object(o, m->sources[i].name);
		hxs_json_out_string(o, "kind", m->sources[i].kind);
		hxs_json_out_string(o, "path", m->sources[i].path);
		hxs_json_out_uint(o, "files", m->sources[i].files);
		hxs_json_out_uint(o, "bytes", m->sources[i].bytes);
		hxs_json_out_end_object(o);
	}
	hxs_json_out_end_object(o);
	hxs_json_out_array(o, "warnings");
	for (i = 0; i < m->warning_count; i++)
		hxs_json_out_string(o, NULL, m->warnings[i]);
	hxs_json_out_end_array(o);
}

static void put_json(const struct view *v, const char *damage,
		     struct hxs_buf *out)
{
	/* Every key is always there: one without meta.json has empty ones. */
	static const struct hxs_meta none = { .kind = HXS_BACKUP };
	struct hxs_json_out o;

	hxs_json_out_init(&o, out, true);
	hxs_json_out_object(&o, NULL);
	hxs_item_json(&v->item, &o);
	put_meta_json(v->item.has_meta ? &v->item.meta : &none, &o);
	if (v->snap) {
		hxs_out_json_digest(&o, "manifest_sha256",
				    hxs_snapshot_manifest_digest(v->snap));
		hxs_json_out_uint(&o, "entries", v->entries);
		hxs_json_out_uint(&o, "snapshot_files", v->files);
		hxs_json_out_uint(&o, "snapshot_bytes", v->bytes);
	} else {
		hxs_json_out_null(&o, "manifest_sha256");
		hxs_json_out_null(&o, "entries");
		hxs_json_out_null(&o, "snapshot_files");
		hxs_json_out_null(&o, "snapshot_bytes");
	}
	hxs_json_out_bool(&o, "verified_is_stale", v->stale);
	hxs_json_out_string(&o, "damage", damage);
	hxs_json_out_end_object(&o);
}

static void look_inside(struct view *v)
{
	count(v);
	v->stale = v->item.has_result &&
		   !hxs_digest_equal(&v->item.result.manifest,
				     hxs_snapshot_manifest_digest(v->snap));
}

/* What is known is printed of a damaged one too; then the damage is told. */
static int show(const struct hxs_tool *tool, struct hxs_store *store,
		const struct hxs_named *name, struct hxs_err *err)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct view v = { .name = name };
	struct hxs_err why = HXS_ERR_INIT;
	int r, damage;

	r = hxs_history_describe(store, name->kind, name->env, name->id,
				 &v.item, err);
	if (r < 0)
		return r;
	damage = hxs_snapshot_open(store, name->kind, name->env, name->id,
				   &snap, &why);
	if (damage == 0) {
		v.snap = snap;
		look_inside(&v);
		damage = check_meta(snap, &why);
	}
	if (tool->json)
		put_json(&v, damage < 0 ? why.message : NULL, &out);
	else
		put_text(&v, &out);
	hxs_history_item_release(&v.item);
	r = hxs_out_print(&out, err);
	if (r == 0 && damage < 0) {
		*err = why;
		r = damage;
	}
	return r;
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	struct hxs_named name;
	int r;

	r = hxs_args_words(tool->args, 1, 1, "a snapshot", err);
	if (r < 0)
		return r;
	r = hxs_tool_named(tool, tool->args->word[0], &name, err);
	if (r < 0)
		return r;
	return show(tool, tool->store, &name, err);
}

const struct hxs_cmd hxs_cmd_show = {
	.name = "show",
	.synopsis = "REF",
	.summary = "tell everything about one snapshot",
	.text = "Its manifest, index and meta.json are checked on the way; the "
		"files are not:\nthat is what 'verify' does.\n",
	.run = run,
};
