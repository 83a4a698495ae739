/* A new database that is like the captured one. */
#include "source/postgres.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LIKE(version) ((version) / 10000) /* what can be restored into what */

/* ---- whether it can be ------------------------------------------------- */

/* The first of @list that @sql (which has it as $1) tells nothing of. */
static int find_missing(struct hxs_postgres *c, const char *sql, char **list,
			size_t count, const char **missing, struct hxs_err *err)
{
	size_t i;
	int r = 0;

	*missing = NULL;
	for (i = 0; r == 0 && i < count && !*missing; i++) {
		HXS_AUTO_RESULT PGresult *res = NULL;
		const char *values[] = { list[i] };

		r = hxs_postgres_ask(c, "look at the server", sql, values, 1,
				     &res, err);
		if (r == 0 && c->pq->ntuples(res) == 0)
			*missing = list[i];
	}
	return r;
}

int hxs_postgres_fits(struct hxs_postgres *c,
		      const struct hxs_postgres_about *a, struct hxs_err *err)
{
	const struct {
		const char *sql, *what;
		char **list;
		size_t count;
	} wants[] = {
		{ "SELECT 1 FROM pg_roles WHERE rolname = $1", "role", a->roles,
		  a->role_count },
		{ "SELECT 1 FROM pg_available_extensions WHERE name = $1",
		  "extension", a->extensions, a->extension_count },
		{ "SELECT 1 FROM pg_tablespace WHERE spcname = $1",
		  "tablespace", (char **)&a->tablespace, 1 },
	};
	int64_t server = c->pq->server_version(c->conn);
	const char *missing;
	size_t i;
	int r;

	if (LIKE(server) != LIKE(a->server))
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: database '%s' was captured from "
				   "a server of version %s, and this one is of "
				   "version %" PRId64,
				   a->name, a->server_text, LIKE(server));
	for (i = 0; i < HXS_ARRAY_LEN(wants); i++) {
		r = find_missing(c, wants[i].sql, wants[i].list, wants[i].count,
				 &missing, err);
		if (r < 0)
			return r;
		if (missing)
			return hxs_err_set(err, HXS_EDENIED,
					   "refused: database '%s' uses %s "
					   "'%s', which this server has not",
					   a->name, wants[i].what, missing);
	}
	return 0;
}

/* ---- making it --------------------------------------------------------- */

int hxs_postgres_create(struct hxs_postgres *c,
			const struct hxs_postgres_about *a, const char *name,
			struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf what = HXS_BUF_INIT;
	const struct {
		const char *word, *value;
	} texts[] = {
		{ " ENCODING ", a->encoding },
		{ " LC_COLLATE ", a->collate },
		{ " LC_CTYPE ", a->ctype },
	};
	bool icu = a->provider && *a->provider == 'i' && a->locale;
	size_t i;

	(void)hxs_buf_puts(&sql, "CREATE DATABASE ");
	(void)hxs_postgres_put_name(c, &sql, name);
	(void)hxs_buf_puts(&sql, " TEMPLATE template0");
	for (i = 0; i < HXS_ARRAY_LEN(texts); i++) {
		if (!texts[i].value)
			continue;
		(void)hxs_buf_puts(&sql, texts[i].word);
		(void)hxs_postgres_put_text(c, &sql, texts[i].value);
	}
	if (icu) {
		(void)hxs_buf_puts(&sql, " LOCALE_PROVIDER icu ICU_LOCALE ");
		(void)hxs_postgres_put_text(c, &sql, a->locale);
	} else if (a->provider) {
		(void)hxs_buf_puts(&sql, " LOCALE_PROVIDER libc");
	}
	/* The usual one may be used by everybody, but not be asked for. */
	if (strcmp(a->tablespace, "pg_default") != 0) {
		(void)hxs_buf_puts(&sql, " TABLESPACE ");
		(void)hxs_postgres_put_name(c, &sql, a->tablespace);
	}
	(void)hxs_buf_printf(&what, "create database '%s' for what '%s' was",
			     name, a->name);
	return hxs_postgres_do_buf(c, hxs_buf_str(&what), &sql, err);
}

static void alter(struct hxs_postgres *c, struct hxs_buf *sql, const char *name)
{
	(void)hxs_buf_puts(sql, "ALTER DATABASE ");
	(void)hxs_postgres_put_name(c, sql, name);
	(void)hxs_buf_putc(sql, ' ');
}

/* Names that the server keeps as a list, each quoted where it has to be. */
static void put_elements(struct hxs_postgres *c, struct hxs_buf *sql,
			 const char *value)
{
	const char *p = value, *comma = "";

	while (*p) {
		HXS_AUTO_BUF struct hxs_buf one = HXS_BUF_INIT;

		while (*p == ' ' || *p == ',')
			p++;
		if (*p == '"') {
			for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
				p += *p == '"';
				(void)hxs_buf_putc(&one, *p);
			}
			p += *p == '"';
		} else if (*p) {
			for (; *p && *p != ','; p++)
				(void)hxs_buf_putc(&one, *p);
		} else {
			break;
		}
		(void)hxs_buf_puts(sql, comma);
		(void)hxs_postgres_put_text(c, sql, hxs_buf_str(&one));
		comma = ", ";
	}
	if (!*comma)
		(void)hxs_buf_puts(sql, "''");
}

static void put_setting(struct hxs_postgres *c, struct hxs_buf *sql,
			const char *name, const struct hxs_postgres_setting *s)
{
	/* Those of which pg_dump says that they are such. */
	static const char *const lists[] = {
		"local_preload_libraries",   "search_path",
		"session_preload_libraries", "shared_preload_libraries",
		"temp_tablespaces",
	};
	bool list = false;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(lists); i++)
		list |= strcasecmp(lists[i], s->name) == 0;
	if (s->role) {
		(void)hxs_buf_puts(sql, "ALTER ROLE ");
		(void)hxs_postgres_put_name(c, sql, s->role);
		(void)hxs_buf_puts(sql, " IN DATABASE ");
		(void)hxs_postgres_put_name(c, sql, name);
	} else {
		alter(c, sql, name);
	}
	(void)hxs_buf_puts(sql, " SET ");
	(void)hxs_postgres_put_name(c, sql, s->name);
	(void)hxs_buf_puts(sql, " TO ");
	if (list)
		put_elements(c, sql, s->value);
	else
		(void)hxs_postgres_put_text(c, sql, s->value);
	(void)hxs_buf_puts(sql, ";\n");
}

/* One that a server knows, and no text that ends the statement. */
static const char *known(const char *privilege)
{
	static const char *const all[] = { "CREATE", "TEMPORARY", "CONNECT" };
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(all); i++)
		if (strcmp(all[i], privilege) == 0)
			return all[i];
	return NULL;
}

static void put_grants(struct hxs_postgres *c, struct hxs_buf *sql,
		       const char *name, const struct hxs_postgres_about *a)
{
	size_t i;

	(void)hxs_buf_puts(sql, "REVOKE ALL ON DATABASE ");
	(void)hxs_postgres_put_name(c, sql, name);
	(void)hxs_buf_puts(sql, " FROM PUBLIC;\nREVOKE ALL ON DATABASE ");
	(void)hxs_postgres_put_name(c, sql, name);
	(void)hxs_buf_puts(sql, " FROM ");
	(void)hxs_postgres_put_name(c, sql, a->owner);
	(void)hxs_buf_puts(sql, ";\n");
	for (i = 0; i < a->grant_count; i++) {
		const struct hxs_postgres_grant *g = &a->grants[i];

		if (!known(g->privilege))
			continue;
		(void)hxs_buf_printf(sql, "GRANT %s ON DATABASE ",
				     known(g->privilege));
		(void)hxs_postgres_put_name(c, sql, name);
		(void)hxs_buf_puts(sql, " TO ");
		if (g->role)
			(void)hxs_postgres_put_name(c, sql, g->role);
		else
			(void)hxs_buf_puts(sql, "PUBLIC");
		(void)hxs_buf_puts(sql, g->grantable ? " WITH GRANT OPTION;\n"
						     : ";\n");
	}
}

int hxs_postgres_furnish(struct hxs_postgres *c,
			 const struct hxs_postgres_about *a, const char *name,
			 struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf what = HXS_BUF_INIT;
	size_t i;

	(void)hxs_buf_puts(&sql, "BEGIN;\n");
	if (a->comment) {
		(void)hxs_buf_puts(&sql, "COMMENT ON DATABASE ");
		(void)hxs_postgres_put_name(c, &sql, name);
		(void)hxs_buf_puts(&sql, " IS ");
		(void)hxs_postgres_put_text(c, &sql, a->comment);
		(void)hxs_buf_puts(&sql, ";\n");
	}
	alter(c, &sql, name);
	(void)hxs_buf_printf(&sql, "CONNECTION LIMIT %" PRId64 ";\n", a->limit);
	if (a->is_template) {
		alter(c, &sql, name);
		(void)hxs_buf_puts(&sql, "IS_TEMPLATE true;\n");
	}
	for (i = 0; i < a->setting_count; i++)
		put_setting(c, &sql, name, &a->settings[i]);
	/* At last who owns it: then it may not be ours any more. */
	alter(c, &sql, name);
	(void)hxs_buf_puts(&sql, "OWNER TO ");
	(void)hxs_postgres_put_name(c, &sql, a->owner);
	(void)hxs_buf_puts(&sql, ";\n");
	if (a->grants_set)
		put_grants(c, &sql, name, a);
	(void)hxs_buf_puts(&sql, "COMMIT");
	(void)hxs_buf_printf(&what, "give database '%s' what '%s' had", name,
			     a->name);
	return hxs_postgres_do_buf(c, hxs_buf_str(&what), &sql, err);
}
