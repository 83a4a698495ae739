/*
 * Making room for a part in a database that is in use: what of it is there
 * now is removed, and nothing else. The server's own words for that are
 * CASCADE, which takes everything along, and RESTRICT, which objects to what
 * belongs together. So what depends on it is looked up beforehand: what goes
 * with it by itself is inside, and anything else that needs something inside
 * is a reason to refuse.
 */
#include "source/postgres_mark.h"

#include <errno.h>
#include <string.h>

/*
 * The objects that are named (roots) and all that goes with them (inside);
 * the two places are for a list of schemas and one of pairs of names.
 * Extensions and what they brought stay where they are.
 */
#define ROOTS_SCHEMAS                                                         \
	"WITH RECURSIVE roots(classid, objid) AS (SELECT d.classid, d.objid " \
	"FROM pg_depend d JOIN pg_namespace n ON d.refobjid = n.oid "         \
	"WHERE d.refclassid = 'pg_namespace'::regclass AND "                  \
	"d.deptype = 'n' AND d.classid <> 'pg_extension'::regclass AND "      \
	"nspname = ANY (ARRAY["
#define ROOTS_TABLES                                                         \
	"]::text[]) AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE "        \
	"e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e') "  \
	"UNION SELECT 'pg_class'::regclass, c.oid FROM pg_class c "          \
	"JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN "      \
	"('r', 'p', 'v', 'm', 'S', 'f') AND (nspname, relname) IN (VALUES (" \
	"NULL::text, NULL::text)"
#define INSIDE                                                         \
	")), inside(classid, objid) AS (SELECT * FROM roots UNION "    \
	"SELECT d.classid, d.objid FROM pg_depend d JOIN inside i ON " \
	"d.refclassid = i.classid AND d.refobjid = i.objid WHERE "     \
	"d.deptype IN ('a', 'i', 'P', 'S')) "

/* Those that need something inside and are not. */
#define OUTSIDE                                                           \
	"FROM pg_depend d JOIN inside i ON d.refclassid = i.classid AND " \
	"d.refobjid = i.objid WHERE d.deptype = 'n' AND NOT EXISTS ("     \
	"SELECT 1 FROM inside o WHERE o.classid = d.classid AND "         \
	"o.objid = d.objid) "

/* Roots that do not go with another one; views first, types last. */
#define REMOVE                                                            \
	"SELECT o.type, o.identity FROM roots r, LATERAL "                \
	"pg_identify_object(r.classid, r.objid, 0) o WHERE NOT EXISTS ("  \
	"SELECT 1 FROM pg_depend d JOIN inside i ON d.refclassid = "      \
	"i.classid AND d.refobjid = i.objid WHERE d.classid = r.classid " \
	"AND d.objid = r.objid AND d.deptype IN ('a', 'i', 'P', 'S')) "   \
	"ORDER BY o.type DESC, o.identity"

static int no_memory(const struct hxs_postgres_load *l, struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "cannot look at database '%s'",
			     l->conn.database);
}

/* The text up to "inside", with the parts' names. */
static int put_inside(struct hxs_postgres_load *l, struct hxs_buf *sql)
{
	struct hxs_postgres *c = &l->conn;
	const char *comma = "";
	size_t i;

	(void)hxs_buf_puts(sql, ROOTS_SCHEMAS);
	for (i = 0; i < l->parts.count; i++) {
		if (l->parts.part[i].table)
			continue;
		(void)hxs_buf_puts(sql, comma);
		(void)hxs_postgres_put_text(c, sql, l->parts.part[i].schema);
		comma = ", ";
	}
	(void)hxs_buf_puts(sql, ROOTS_TABLES);
	for (i = 0; i < l->parts.count; i++) {
		if (!l->parts.part[i].table)
			continue;
		(void)hxs_buf_puts(sql, ", (");
		(void)hxs_postgres_put_text(c, sql, l->parts.part[i].schema);
		(void)hxs_buf_puts(sql, ", ");
		(void)hxs_postgres_put_text(c, sql, l->parts.part[i].table);
		(void)hxs_buf_putc(sql, ')');
	}
	(void)hxs_buf_puts(sql, INSIDE);
	return hxs_buf_status(sql);
}

int hxs_postgres_ask_inside(struct hxs_postgres_load *l, const char *what,
			    const char *rest, const char *const *values,
			    int count, PGresult **res, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;

	(void)put_inside(l, &sql);
	(void)hxs_buf_puts(&sql, rest);
	if (hxs_buf_status(&sql) < 0)
		return no_memory(l, err);
	return hxs_postgres_ask(&l->conn, what, sql.data, values, count, res,
				err);
}

static int ask(struct hxs_postgres_load *l, const char *what, const char *rest,
	       PGresult **res, struct hxs_err *err)
{
	return hxs_postgres_ask_inside(l, what, rest, NULL, 0, res, err);
}

static int check_outside(struct hxs_postgres_load *l, struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r;

	r = ask(l, "look at what depends on it",
		"SELECT pg_describe_object(d.classid, d.objid, d.objsubid), "
		"pg_describe_object(d.refclassid, d.refobjid, "
		"d.refobjsubid) " OUTSIDE "ORDER BY 1 LIMIT 1",
		&res, err);
	if (r < 0 || l->conn.pq->ntuples(res) == 0)
		return r;
	return hxs_err_set(err, HXS_EDENIED,
			   "refused: %s depends on %s, and would be removed "
			   "with it",
			   hxs_postgres_get(&l->conn, res, 0, 0),
			   hxs_postgres_get(&l->conn, res, 0, 1));
}

/* Nobody makes anything of these meanwhile that we would not know. */
static int put_locks(struct hxs_postgres_load *l, struct hxs_buf *out,
		     struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r, i;

	r = ask(l, "list its tables",
		"SELECT DISTINCT quote_ident(nspname) || '.' || "
		"quote_ident(relname) FROM inside i JOIN pg_class c ON "
		"c.oid = i.objid AND i.classid = 'pg_class'::regclass JOIN "
		"pg_namespace n ON n.oid = relnamespace WHERE "
		"relkind IN ('r', 'p') AND nspname <> 'pg_toast' ORDER BY 1",
		&res, err);
	for (i = 0; r == 0 && i < l->conn.pq->ntuples(res); i++)
		(void)hxs_buf_printf(out,
				     "LOCK TABLE ONLY %s IN ACCESS "
				     "EXCLUSIVE MODE;\n",
				     hxs_postgres_get(&l->conn, res, i, 0));
	return r;
}

static int put_removals(struct hxs_postgres_load *l, struct hxs_buf *out,
			struct hxs_err *err)
{
	static const struct {
		const char *type, *word;
	} words[] = {
		{ "function", "routine" },
		{ "procedure", "routine" },
		{ "aggregate", "routine" },
		{ "composite type", "type" },
		{ "statistics object", "statistics" },
	};
	HXS_AUTO_RESULT PGresult *res = NULL;
	const char *type;
	size_t k;
	int r, i;

	r = ask(l, "list what is there", REMOVE, &res, err);
	for (i = 0; r == 0 && i < l->conn.pq->ntuples(res); i++) {
		type = hxs_postgres_get(&l->conn, res, i, 0);
		for (k = 0; k < HXS_ARRAY_LEN(words); k++)
			if (strcmp(type, words[k].type) == 0)
				type = words[k].word;
		(void)hxs_buf_printf(out, "DROP %s IF EXISTS %s CASCADE;\n",
				     type,
				     hxs_postgres_get(&l->conn, res, i, 1));
	}
	return r;
}

/* Schemas that were not there when the dump was made. */
static void put_schemas(struct hxs_postgres_load *l, struct hxs_buf *out)
{
	const struct hxs_postgres_part *p;
	size_t i;

	for (i = 0; i < l->parts.count; i++) {
		p = &l->parts.part[i];
		if ((p->table && !l->about.whole) ||
		    hxs_postgres_thing(&l->about, p->schema, NULL))
			continue;
		(void)hxs_buf_puts(out, "DROP SCHEMA IF EXISTS ");
		(void)hxs_postgres_put_name(&l->conn, out, p->schema);
		(void)hxs_buf_puts(out, ";\n");
	}
}

int hxs_postgres_replace(struct hxs_postgres_load *l, struct hxs_buf *out,
			 struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf removals = HXS_BUF_INIT;
	int r;

	r = check_outside(l, err);
	/* What is removed is known first: so all of it is looked at. */
	if (r == 0)
		r = put_removals(l, &removals, err);
	if (r == 0)
		r = put_locks(l, out, err);
	if (r == 0)
		r = hxs_postgres_put_guard(l, out, err);
	/* Once more, now that nothing can come: 1/0 ends it all. */
	(void)put_inside(l, out);
	(void)hxs_buf_puts(out,
			   "SELECT 1 / (CASE WHEN EXISTS (SELECT 1 " OUTSIDE
			   ") THEN 0 ELSE 1 END);\n");
	(void)hxs_buf_append(out, hxs_buf_str(&removals), removals.len);
	put_schemas(l, out);
	if (r == 0 &&
	    (hxs_buf_status(out) < 0 || hxs_buf_status(&removals) < 0))
		r = no_memory(l, err);
	return r;
}

int hxs_postgres_replace_rows(struct hxs_postgres_load *l, struct hxs_buf *out,
			      struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r, i;

	r = l->guarded ? put_locks(l, out, err) : 0;
	if (r == 0)
		r = hxs_postgres_put_guard(l, out, err);
	if (r < 0)
		return r;
	/* What is not there is told by the load itself. */
	r = ask(l, "list its tables",
		"SELECT quote_ident(nspname) || '.' || quote_ident(relname) "
		"FROM inside i JOIN pg_class c ON c.oid = i.objid AND "
		"i.classid = 'pg_class'::regclass JOIN pg_namespace n ON "
		"n.oid = relnamespace WHERE relkind = 'r' AND "
		"nspname <> 'pg_toast' ORDER BY 1",
		&res, err);
	for (i = 0; r == 0 && i < l->conn.pq->ntuples(res); i++)
		(void)hxs_buf_printf(out, "%s%s", i ? ", " : "TRUNCATE ",
				     hxs_postgres_get(&l->conn, res, i, 0));
	if (r == 0 && i)
		(void)hxs_buf_puts(out, ";\n");
	if (r == 0 && hxs_buf_status(out) < 0)
		r = no_memory(l, err);
	return r;
}
