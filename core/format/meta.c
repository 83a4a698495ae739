#include "format/meta.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"

#include <errno.h>
#include <string.h>

static const char *const kind_names[] = {
	[HXS_BACKUP] = "backup",
	[HXS_ROLLBACK] = "rollback",
};

static void free_list(char **list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

void hxs_meta_release(struct hxs_meta *m)
{
	size_t i;

	for (i = 0; i < m->source_count; i++) {
		free(m->sources[i].name);
		free(m->sources[i].kind);
		free(m->sources[i].path);
	}
	free(m->sources);
	free_list(m->tags, m->tag_count);
	free_list(m->warnings, m->warning_count);
	free(m->git_commit);
	free(m->hostname);
	free(m->tool_version);
	memset(m, 0, sizeof(*m));
}

int hxs_meta_add(char ***list, size_t *count, const char *text)
{
	char **more, *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	more = reallocarray(*list, *count + 1, sizeof(*more));
	if (!more) {
		free(copy);
		return -ENOMEM;
	}
	*list = more;
	more[(*count)++] = copy;
	return 0;
}

/* ------------------------------------------------------------------------ */

/* The text of member @key, or NULL if it is not there or no text. */
static const char *text_of(const struct hxs_json *v, const char *key)
{
	const struct hxs_json *member = hxs_json_get(v, key);
	const char *text = NULL;

	if (!member || hxs_json_string(member, &text, NULL) < 0)
		return NULL;
	return text;
}

/* The count at member @key, or 0. */
static uint64_t count_of(const struct hxs_json *v, const char *key)
{
	const struct hxs_json *member = hxs_json_get(v, key);
	int64_t n = 0;

	if (!member || hxs_json_int(member, &n, NULL) < 0 || n < 0)
		return 0;
	return (uint64_t)n;
}

/* Copy a text that may be absent. -ENOMEM. */
static int copy_text(const struct hxs_json *v, const char *key, char **out)
{
	const char *text = text_of(v, key);

	if (!text)
		return 0;
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

static int copy_list(const struct hxs_json *v, const char *key, char ***list,
		     size_t *count)
{
	const struct hxs_json *member = hxs_json_get(v, key), *c;
	const char *text = NULL;
	int r;

	if (!member || hxs_json_type(member) != HXS_JSON_ARRAY)
		return 0;
	for (c = hxs_json_first(member); c; c = hxs_json_next(c)) {
		if (hxs_json_string(c, &text, NULL) < 0)
			continue;
		r = hxs_meta_add(list, count, text);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_sources(const struct hxs_json *root, struct hxs_meta *m)
{
	const struct hxs_json *list = hxs_json_get(root, "sources"), *c;
	size_t n = 0;
	int r;

	if (!list || hxs_json_type(list) != HXS_JSON_OBJECT)
		return 0;
	for (c = hxs_json_first(list); c; c = hxs_json_next(c))
		n++;
	m->sources = calloc(n + 1, sizeof(*m->sources));
	if (!m->sources)
		return -ENOMEM;
	for (c = hxs_json_first(list); c; c = hxs_json_next(c)) {
		struct hxs_meta_source *src = &m->sources[m->source_count];

		if (!hxs_path_is_name(hxs_json_key(c)) ||
		    hxs_json_type(c) != HXS_JSON_OBJECT)
			continue;
		m->source_count++;
		src->name = strdup(hxs_json_key(c));
		if (!src->name)
			return -ENOMEM;
		r = copy_text(c, "kind", &src->kind);
		if (r < 0)
			return r;
		r = copy_text(c, "path", &src->path);
		if (r < 0)
			return r;
		src->files = count_of(c, "files");
		src->bytes = count_of(c, "bytes");
	}
	return 0;
}

/* Both the id and the digest, or neither. */
static void parse_previous(const struct hxs_json *root, struct hxs_meta *m)
{
	const struct hxs_json *v = hxs_json_get(root, "previous");
	const char *id = v ? text_of(v, "id") : NULL;
	const char *hex = v ? text_of(v, "manifest_sha256") : NULL;
	int64_t sec;

	if (!id || !hex || hxs_clock_parse_id(id, &sec) < 0 ||
	    hxs_digest_from_hex(hex, &m->previous_manifest) < 0)
		return;
	memcpy(m->previous_id, id, HXS_ID_LEN + 1);
}

/* What the rest stands on: whose snapshot it is, and which. */
static int parse_identity(const struct hxs_json *root, struct hxs_meta *m,
			  struct hxs_err *err)
{
	const char *env = text_of(root, "env");
	const char *id = text_of(root, "backup_id");
	const char *kind = text_of(root, "kind");
	const char *created = text_of(root, "created_at_utc");

	if (!env || !hxs_path_is_name(env))
		return hxs_err_set(err, HXS_ECORRUPT,
				   "'env' is not the name of an environment");
	if (!id || hxs_clock_parse_id(id, &m->created) < 0)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "'backup_id' is not an id");
	memcpy(m->env, env, strlen(env) + 1);
	memcpy(m->id, id, HXS_ID_LEN + 1);
	m->kind = HXS_BACKUP;
	if (kind && strcmp(kind, kind_names[HXS_ROLLBACK]) == 0)
		m->kind = HXS_ROLLBACK;
	if (created)
		(void)hxs_clock_parse_rfc3339(created, &m->created);
	return 0;
}

static int parse_root(const struct hxs_json *root, struct hxs_meta *m,
		      struct hxs_err *err)
{
	int r;

	r = parse_identity(root, m, err);
	if (r < 0)
		return r;
	parse_previous(root, m);
	r = copy_text(root, "git_commit", &m->git_commit);
	if (r >= 0)
		r = copy_text(root, "hostname", &m->hostname);
	if (r >= 0)
		r = copy_text(root, "tool_version", &m->tool_version);
	if (r >= 0)
		r = copy_list(root, "tags", &m->tags, &m->tag_count);
	if (r >= 0)
		r = copy_list(root, "warnings", &m->warnings,
			      &m->warning_count);
	if (r >= 0)
		r = parse_sources(root, m);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot take it in");
	return 0;
}

int hxs_meta_parse(const char *text, size_t len, struct hxs_meta *out,
		   struct hxs_err *err)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	struct hxs_meta m = { 0 };
	int r;

	if (len > HXS_META_MAX)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "it is larger than 1 MiB");
	r = hxs_json_parse(text, len, &doc, &why);
	if (r == -HXS_EUSAGE) /* to a reader of snapshots that is damage */
		return hxs_err_set(err, HXS_ECORRUPT, "%s", why.message);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot take it in");
	if (hxs_json_type(hxs_json_root(doc)) != HXS_JSON_OBJECT)
		return hxs_err_set(err, HXS_ECORRUPT, "it is not an object");
	r = parse_root(hxs_json_root(doc), &m, err);
	if (r < 0) {
		hxs_meta_release(&m);
		return r;
	}
	*out = m;
	return 0;
}

/* ------------------------------------------------------------------------ */

static void render_list(struct hxs_json_out *o, const char *key, char **list,
			size_t count)
{
	size_t i;

	hxs_json_out_array(o, key);
	for (i = 0; i < count; i++)
		hxs_json_out_text(o, NULL, list[i]);
	hxs_json_out_end_array(o);
}

static void render_source(struct hxs_json_out *o,
			  const struct hxs_meta_source *src)
{
	hxs_json_out_object(o, src->name);
	hxs_json_out_text(o, "kind", src->kind);
	hxs_json_out_text(o, "path", src->path);
	hxs_json_out_uint(o, "files", src->files);
	hxs_json_out_uint(o, "bytes", src->bytes);
	hxs_json_out_end_object(o);
}

static void render_previous(struct hxs_json_out *o, const struct hxs_meta *m)
{
	char hex[HXS_DIGEST_HEX_LEN + 1];

	if (m->previous_id[0] == '\0') {
		hxs_json_out_null(o, "previous");
		return;
	}
	hxs_digest_to_hex(&m->previous_manifest, hex);
	hxs_json_out_object(o, "previous");
	hxs_json_out_string(o, "id", m->previous_id);
	hxs_json_out_string(o, "manifest_sha256", hex);
	hxs_json_out_end_object(o);
}

void hxs_meta_render(const struct hxs_meta *m, struct hxs_buf *out)
{
	char created[HXS_RFC3339_LEN + 1];
	struct hxs_json_out o;
	size_t i;

	hxs_json_out_init(&o, out, true);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "env", m->env);
	hxs_json_out_string(&o, "backup_id", m->id);
	if (hxs_clock_format_rfc3339(m->created, created) < 0)
		hxs_json_out_null(&o, "created_at_utc");
	else
		hxs_json_out_string(&o, "created_at_utc", created);
	hxs_json_out_text(&o, "git_commit", m->git_commit);
	hxs_json_out_string(&o, "kind", kind_names[m->kind]);
	hxs_json_out_text(&o, "hostname", m->hostname);
	hxs_json_out_text(&o, "tool_version", m->tool_version);
	render_list(&o, "tags", m->tags, m->tag_count);
	hxs_json_out_object(&o, "sources");
	for (i = 0; i < m->source_count; i++)
		render_source(&o, &m->sources[i]);
	hxs_json_out_end_object(&o);
	render_previous(&o, m);
	render_list(&o, "warnings", m->warnings, m->warning_count);
	hxs_json_out_end_object(&o);
}
