/*
 * What a database is besides what is in it, as database.json in a snapshot:
 * enough to create it anew, and to tell beforehand whether a server can.
 */
#include "source/postgres.h"

#include "base/io.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MAX_BYTES (16u << 20) /* as much as is read of JSON */
#define FORMAT 1

void hxs_postgres_about_release(struct hxs_postgres_about *a)
{
	size_t i;

	for (i = 0; i < a->grant_count; i++) {
		free(a->grants[i].role);
		free(a->grants[i].privilege);
	}
	for (i = 0; i < a->setting_count; i++) {
		free(a->settings[i].role);
		free(a->settings[i].name);
		free(a->settings[i].value);
	}
	for (i = 0; i < a->role_count; i++)
		free(a->roles[i]);
	for (i = 0; i < a->extension_count; i++)
		free(a->extensions[i]);
	for (i = 0; i < a->thing_count; i++) {
		free(a->things[i].schema);
		free(a->things[i].name);
	}
	free(a->grants);
	free(a->settings);
	free(a->roles);
	free(a->extensions);
	free(a->things);
	free(a->name);
	free(a->server_text);
	free(a->dump_text);
	free(a->encoding);
	free(a->collate);
	free(a->ctype);
	free(a->provider);
	free(a->locale);
	free(a->owner);
	free(a->tablespace);
	free(a->comment);
	*a = (struct hxs_postgres_about){ .name = NULL };
}

/* ---- writing ----------------------------------------------------------- */

static void put_list(struct hxs_json_out *o, const char *key, char **list,
		     size_t count)
{
	size_t i;

	hxs_json_out_array(o, key);
	for (i = 0; i < count; i++)
		hxs_json_out_text(o, NULL, list[i]);
	hxs_json_out_end_array(o);
}

static void put_grants(struct hxs_json_out *o,
		       const struct hxs_postgres_about *a)
{
	size_t i;

	if (!a->grants_set) {
		hxs_json_out_null(o, "privileges");
		return;
	}
	hxs_json_out_array(o, "privileges");
	for (i = 0; i < a->grant_count; i++) {
		hxs_json_out_object(o, NULL);
		hxs_json_out_text(o, "role", a->grants[i].role);
		hxs_json_out_text(o, "privilege", a->grants[i].privilege);
		hxs_json_out_bool(o, "grantable", a->grants[i].grantable);
		hxs_json_out_end_object(o);
	}
	hxs_json_out_end_array(o);
}

static void put_things(struct hxs_json_out *o,
		       const struct hxs_postgres_about *a)
{
	char kind[2] = "";
	size_t i;

	hxs_json_out_array(o, "settings");
	for (i = 0; i < a->setting_count; i++) {
		hxs_json_out_object(o, NULL);
		hxs_json_out_text(o, "role", a->settings[i].role);
		hxs_json_out_text(o, "name", a->settings[i].name);
		hxs_json_out_text(o, "value", a->settings[i].value);
		hxs_json_out_end_object(o);
	}
	hxs_json_out_end_array(o);
	hxs_json_out_array(o, "things");
	for (i = 0; i < a->thing_count; i++) {
		kind[0] = a->things[i].kind;
		hxs_json_out_object(o, NULL);
		hxs_json_out_text(o, "schema", a->things[i].schema);
		hxs_json_out_text(o, "name", a->things[i].name);
		hxs_json_out_text(o, "kind", kind);
		hxs_json_out_int(o, "oid", a->things[i].oid);
		hxs_json_out_end_object(o);
	}
	hxs_json_out_end_array(o);
}

int hxs_postgres_about_write(const struct hxs_postgres_about *a, int dir,
			     struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_json_out o;
	int r;

	hxs_json_out_init(&o, &text, true);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_int(&o, "format", FORMAT);
	hxs_json_out_text(&o, "name", a->name);
	hxs_json_out_int(&o, "server", a->server);
	hxs_json_out_text(&o, "server_version", a->server_text);
	hxs_json_out_text(&o, "pg_dump", a->dump_text);
	hxs_json_out_bool(&o, "whole", a->whole);
	hxs_json_out_bool(&o, "data_only", a->data_only);
	hxs_json_out_bool(&o, "by_table", a->by_table);
	hxs_json_out_text(&o, "encoding", a->encoding);
	hxs_json_out_text(&o, "collate", a->collate);
	hxs_json_out_text(&o, "ctype", a->ctype);
	hxs_json_out_text(&o, "provider", a->provider);
	hxs_json_out_text(&o, "locale", a->locale);
	hxs_json_out_text(&o, "owner", a->owner);
	hxs_json_out_text(&o, "tablespace", a->tablespace);
	hxs_json_out_text(&o, "comment", a->comment);
	hxs_json_out_int(&o, "connection_limit", a->limit);
	hxs_json_out_bool(&o, "is_template", a->is_template);
	put_grants(&o, a);
	put_list(&o, "roles", a->roles, a->role_count);
	put_list(&o, "extensions", a->extensions, a->extension_count);
	put_things(&o, a);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&text, '\n');
	r = hxs_buf_status(&text);
	if (r == 0)
		r = hxs_postgres_write(dir, HXS_POSTGRES_ABOUT, &text);
	return r < 0 ? hxs_err_errno(err, -r, "cannot write '%s'",
				     HXS_POSTGRES_ABOUT)
		     : 0;
}

/* ---- reading ----------------------------------------------------------- */

/* A text that is there, or, with @null, may be null. */
static int take(const struct hxs_json *v, const char *key, bool null,
		char **out, struct hxs_err *err)
{
	const struct hxs_json *m = hxs_json_get(v, key);
	const char *text;
	int r;

	if (null && m && hxs_json_type(m) == HXS_JSON_NULL)
		return 0;
	if (!m)
		return hxs_err_set(err, HXS_EUSAGE, "'%s' is missing", key);
	r = hxs_json_string(m, &text, err);
	if (r < 0)
		return r;
	*out = strdup(text);
	return *out ? 0 : hxs_err_errno(err, ENOMEM, "'%s'", key);
}

static int take_number(const struct hxs_json *v, const char *key, int64_t *out,
		       struct hxs_err *err)
{
	const struct hxs_json *m = hxs_json_get(v, key);

	return m ? hxs_json_int(m, out, err)
		 : hxs_err_set(err, HXS_EUSAGE, "'%s' is missing", key);
}

static int take_flag(const struct hxs_json *v, const char *key, bool *out,
		     struct hxs_err *err)
{
	const struct hxs_json *m = hxs_json_get(v, key);

	return m ? hxs_json_bool(m, out, err)
		 : hxs_err_set(err, HXS_EUSAGE, "'%s' is missing", key);
}

/* The list at @key, and zeroed room for what is in it. */
static int take_array(const struct hxs_json *v, const char *key, size_t size,
		      const struct hxs_json **list, void **room,
		      struct hxs_err *err)
{
	const struct hxs_json *m = hxs_json_get(v, key), *e;
	size_t n = 0;
	int r;

	if (!m)
		return hxs_err_set(err, HXS_EUSAGE, "'%s' is missing", key);
	r = hxs_json_expect(m, HXS_JSON_ARRAY, err);
	if (r < 0)
		return r;
	for (e = hxs_json_first(m); e; e = hxs_json_next(e))
		n++;
	*room = calloc(n ? n : 1, size);
	if (!*room)
		return hxs_err_errno(err, ENOMEM, "'%s'", key);
	*list = hxs_json_first(m);
	return 0;
}

static int take_texts(const struct hxs_json *v, const char *key, char ***out,
		      size_t *count, struct hxs_err *err)
{
	const struct hxs_json *e;
	const char *text;
	void *room;
	int r;

	r = take_array(v, key, sizeof(**out), &e, &room, err);
	if (r < 0)
		return r;
	for (*out = room; r == 0 && e; e = hxs_json_next(e)) {
		r = hxs_json_string(e, &text, err);
		if (r < 0)
			break;
		(*out)[*count] = strdup(text);
		if (!(*out)[*count])
			return hxs_err_errno(err, ENOMEM, "'%s'", key);
		++*count;
	}
	return r;
}

static int take_grants(const struct hxs_json *v, struct hxs_postgres_about *a,
		       struct hxs_err *err)
{
	const struct hxs_json *e = hxs_json_get(v, "privileges");
	void *room;
	int r;

	if (e && hxs_json_type(e) == HXS_JSON_NULL)
		return 0;
	r = take_array(v, "privileges", sizeof(*a->grants), &e, &room, err);
	if (r < 0)
		return r;
	a->grants_set = true;
	for (a->grants = room; r == 0 && e; e = hxs_json_next(e)) {
		struct hxs_postgres_grant *g = &a->grants[a->grant_count++];

		r = take(e, "role", true, &g->role, err);
		if (r == 0)
			r = take(e, "privilege", false, &g->privilege, err);
		if (r == 0)
			r = take_flag(e, "grantable", &g->grantable, err);
	}
	return r;
}

static int take_settings(const struct hxs_json *v, struct hxs_postgres_about *a,
			 struct hxs_err *err)
{
	const struct hxs_json *e;
	void *room;
	int r;

	r = take_array(v, "settings", sizeof(*a->settings), &e, &room, err);
	if (r < 0)
		return r;
	for (a->settings = room; r == 0 && e; e = hxs_json_next(e)) {
		struct hxs_postgres_setting *s =
			&a->settings[a->setting_count++];

		r = take(e, "role", true, &s->role, err);
		if (r == 0)
			r = take(e, "name", false, &s->name, err);
		if (r == 0)
			r = take(e, "value", false, &s->value, err);
	}
	return r;
}

static int take_things(const struct hxs_json *v, struct hxs_postgres_about *a,
		       struct hxs_err *err)
{
	const struct hxs_json *e = NULL;
	int64_t oid = 0;
	void *room = NULL;
	int r;

	r = take_array(v, "things", sizeof(*a->things), &e, &room, err);
	if (r < 0)
		return r;
	for (a->things = room; r == 0 && e; e = hxs_json_next(e)) {
		struct hxs_postgres_thing *t = &a->things[a->thing_count++];
		HXS_AUTO_FREE char *kind = NULL;

		r = take(e, "schema", false, &t->schema, err);
		if (r == 0)
			r = take(e, "name", true, &t->name, err);
		if (r == 0)
			r = take(e, "kind", false, &kind, err);
		if (r == 0)
			r = take_number(e, "oid", &oid, err);
		if (r == 0 && kind) {
			t->kind = kind[0];
			t->oid = (uint32_t)oid;
		}
	}
	return r;
}

static int take_all(const struct hxs_json *v, struct hxs_postgres_about *a,
		    struct hxs_err *err)
{
	const struct {
		const char *key;
		bool null;
		char **to;
	} texts[] = {
		{ "name", false, &a->name },
		{ "server_version", false, &a->server_text },
		{ "pg_dump", false, &a->dump_text },
		{ "encoding", false, &a->encoding },
		{ "collate", true, &a->collate },
		{ "ctype", true, &a->ctype },
		{ "provider", true, &a->provider },
		{ "locale", true, &a->locale },
		{ "owner", false, &a->owner },
		{ "tablespace", false, &a->tablespace },
		{ "comment", true, &a->comment },
	};
	int64_t format = 0;
	size_t i;
	int r;

	r = take_number(v, "format", &format, err);
	if (r == 0 && format != FORMAT)
		return hxs_err_set(err, HXS_EUSAGE, "it is of another version");
	for (i = 0; r == 0 && i < HXS_ARRAY_LEN(texts); i++)
		r = take(v, texts[i].key, texts[i].null, texts[i].to, err);
	if (r == 0)
		r = take_number(v, "server", &a->server, err);
	if (r == 0)
		r = take_number(v, "connection_limit", &a->limit, err);
	if (r == 0)
		r = take_flag(v, "whole", &a->whole, err);
	if (r == 0)
		r = take_flag(v, "data_only", &a->data_only, err);
	if (r == 0)
		r = take_flag(v, "by_table", &a->by_table, err);
	if (r == 0)
		r = take_flag(v, "is_template", &a->is_template, err);
	if (r == 0)
		r = take_grants(v, a, err);
	if (r == 0)
		r = take_settings(v, a, err);
	if (r == 0)
		r = take_texts(v, "roles", &a->roles, &a->role_count, err);
	if (r == 0)
		r = take_texts(v, "extensions", &a->extensions,
			       &a->extension_count, err);
	return r < 0 ? r : take_things(v, a, err);
}

int hxs_postgres_about_read(struct hxs_postgres_about *a, int dir,
			    struct hxs_err *err)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	size_t len = 0;
	int r;

	fd = hxs_io_open_regular(dir, HXS_POSTGRES_ABOUT, NULL);
	r = fd < 0 ? fd : hxs_io_read_all(fd, MAX_BYTES, &text, &len);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot read '%s'",
				     HXS_POSTGRES_ABOUT);
	r = hxs_json_parse(text, len, &doc, &why);
	if (r == 0)
		r = take_all(hxs_json_root(doc), a, &why);
	if (r == 0)
		return 0;
	return hxs_err_set(err, r == -HXS_EUSAGE ? HXS_ECORRUPT : -r,
			   "'%s' is not understood: %s", HXS_POSTGRES_ABOUT,
			   why.message);
}
