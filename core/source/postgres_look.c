/* What the server tells of a database. */
#include "source/postgres.h"

#include <errno.h>
#include <string.h>

#define ME "(SELECT oid FROM pg_database WHERE datname = current_database())"

static int no_memory(const struct hxs_postgres *c, struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "cannot look at database '%s'",
			     c->database);
}

/* A copy of a field; *@out stays NULL where it is null. */
static int take(const struct hxs_postgres *c, const PGresult *res, int row,
		int column, char **out)
{
	if (c->pq->getisnull(res, row, column))
		return 0;
	*out = strdup(c->pq->getvalue(res, row, column));
	return *out ? 0 : -ENOMEM;
}

static int look_at_itself(struct hxs_postgres *c, struct hxs_postgres_about *a,
			  struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	HXS_AUTO_RESULT PGresult *res = NULL;
	char **const to[] = {
		&a->name,     &a->encoding,    &a->collate, &a->ctype,
		&a->provider, &a->locale,      &a->owner,   &a->tablespace,
		&a->comment,  &a->server_text,
	};
	const char *locale;
	size_t i;
	int r;

	a->server = c->pq->server_version(c->conn);
	locale = a->server >= 170000   ? "datlocale"
		 : a->server >= 150000 ? "daticulocale"
				       : "NULL";
	(void)hxs_buf_printf(
		&sql,
		"SELECT datname, pg_encoding_to_char(encoding), datcollate, "
		"datctype, %s, %s, pg_get_userbyid(datdba), spcname, "
		"shobj_description(d.oid, 'pg_database'), "
		"current_setting('server_version'), datconnlimit, "
		"datistemplate, datacl IS NOT NULL FROM pg_database d "
		"JOIN pg_tablespace t ON t.oid = dattablespace "
		"WHERE d.oid = " ME,
		a->server >= 150000 ? "datlocprovider" : "NULL", locale);
	r = hxs_buf_status(&sql);
	if (r < 0)
		return no_memory(c, err);
	r = hxs_postgres_ask(c, "look at the database", hxs_buf_str(&sql), NULL,
			     0, &res, err);
	if (r < 0)
		return r;
	for (i = 0; i < HXS_ARRAY_LEN(to); i++)
		if (take(c, res, 0, (int)i, to[i]) < 0)
			return no_memory(c, err);
	a->limit = strtol(hxs_postgres_get(c, res, 0, 10), NULL, 10);
	a->is_template = *hxs_postgres_get(c, res, 0, 11) == 't';
	a->grants_set = *hxs_postgres_get(c, res, 0, 12) == 't';
	return 0;
}

static int look_at_grants(struct hxs_postgres *c, struct hxs_postgres_about *a,
			  struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r, i, n;

	r = hxs_postgres_ask(
		c, "look at its privileges",
		"SELECT CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) "
		"END, privilege_type, is_grantable FROM pg_database, "
		"aclexplode(datacl) WITH ORDINALITY "
		"AS x(grantor, grantee, privilege_type, is_grantable, n) "
		"WHERE datname = current_database() ORDER BY n",
		NULL, 0, &res, err);
	if (r < 0)
		return r;
	n = c->pq->ntuples(res);
	a->grants = calloc((size_t)n + 1, sizeof(*a->grants));
	if (!a->grants)
		return no_memory(c, err);
	for (i = 0; i < n; i++) {
		struct hxs_postgres_grant *g = &a->grants[a->grant_count++];

		if (take(c, res, i, 0, &g->role) < 0 ||
		    take(c, res, i, 1, &g->privilege) < 0)
			return no_memory(c, err);
		g->grantable = *hxs_postgres_get(c, res, i, 2) == 't';
	}
	return 0;
}

/* Whether row @i is a setting that a snapshot must not hold. */
static bool is_secret(const struct hxs_postgres *c, const PGresult *res, int i)
{
	return hxs_config_is_secret(hxs_postgres_get(c, res, i, 1)) ||
	       hxs_config_has_password(hxs_postgres_get(c, res, i, 2));
}

static void warn_secret(const struct hxs_postgres *c, const char *name)
{
	const struct hxs_capture_ears *ears = &c->sys->ears;
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;

	(void)hxs_buf_printf(&text,
			     "source '%s': what database '%s' sets '%s' to is "
			     "left out: it sounds like a secret",
			     c->sys->src->name, c->database, name);
	if (ears->warning)
		ears->warning(hxs_buf_str(&text), ears->ctx);
}

static int look_at_settings(struct hxs_postgres *c,
			    struct hxs_postgres_about *a, struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r, i, n;

	r = hxs_postgres_ask(c, "look at its settings",
			     "SELECT CASE WHEN setrole <> 0 THEN "
			     "pg_get_userbyid(setrole) "
			     "END, split_part(s, '=', 1), "
			     "substr(s, strpos(s, '=') + 1) "
			     "FROM pg_db_role_setting, unnest(setconfig) AS s "
			     "WHERE setdatabase = " ME " ORDER BY 1, 2",
			     NULL, 0, &res, err);
	if (r < 0)
		return r;
	n = c->pq->ntuples(res);
	a->settings = calloc((size_t)n + 1, sizeof(*a->settings));
	if (!a->settings)
		return no_memory(c, err);
	for (i = 0; i < n; i++) {
		struct hxs_postgres_setting *s;

		if (is_secret(c, res, i)) {
			warn_secret(c, hxs_postgres_get(c, res, i, 1));
			continue;
		}
		s = &a->settings[a->setting_count++];
		if (take(c, res, i, 0, &s->role) < 0 ||
		    take(c, res, i, 1, &s->name) < 0 ||
		    take(c, res, i, 2, &s->value) < 0)
			return no_memory(c, err);
	}
	return 0;
}

static int look_at_names(struct hxs_postgres *c, const char *sql, char ***out,
			 size_t *count, struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r, i, n;

	r = hxs_postgres_ask(c, "look at what it uses", sql, NULL, 0, &res,
			     err);
	if (r < 0)
		return r;
	n = c->pq->ntuples(res);
	*out = calloc((size_t)n + 1, sizeof(**out));
	if (!*out)
		return no_memory(c, err);
	for (i = 0; i < n; i++) {
		if (take(c, res, i, 0, &(*out)[i]) < 0)
			return no_memory(c, err);
		++*count;
	}
	return 0;
}

int hxs_postgres_look(struct hxs_postgres *c, struct hxs_postgres_about *a,
		      struct hxs_err *err)
{
	/* Those that nothing is noted of, being the server's, are owners. */
	static const char roles[] =
		"SELECT pg_get_userbyid(refobjid) FROM pg_shdepend "
		"WHERE refclassid = 'pg_authid'::regclass AND (dbid = " ME
		" OR (classid = 'pg_database'::regclass AND objid = " ME ")) "
		"UNION SELECT pg_get_userbyid(relowner) FROM pg_class "
		"WHERE relnamespace::regnamespace::text !~ '^pg_' AND "
		"relnamespace <> 'information_schema'::regnamespace "
		"UNION SELECT pg_get_userbyid(datdba) FROM pg_database "
		"WHERE datname = current_database() ORDER BY 1";
	static const char extensions[] =
		"SELECT extname FROM pg_extension ORDER BY 1";
	int r;

	r = look_at_itself(c, a, err);
	if (r == 0)
		r = look_at_grants(c, a, err);
	if (r == 0)
		r = look_at_settings(c, a, err);
	if (r == 0)
		r = look_at_names(c, roles, &a->roles, &a->role_count, err);
	if (r == 0)
		r = look_at_names(c, extensions, &a->extensions,
				  &a->extension_count, err);
	return r;
}
