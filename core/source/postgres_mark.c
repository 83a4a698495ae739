/*
 * Telling whether anybody changed a database between the moment that its
 * rollback point shows and the moment at which it is exchanged.
 *
 * Of each table a print is taken in the very state that is dumped: how many
 * rows it has, a sum over where each lies and which transaction wrote it, and
 * one over its columns. A row that came, went or was changed makes another
 * one. What vacuum does, a transaction that was rolled back, or one in another
 * database makes none; nor does it matter how old the transactions were.
 *
 * Taking prints is reading everything, and at the exchange nobody is let in
 * meanwhile. So there are stamps, too: the server's counters of rows that were
 * written, whoever wrote them, with which file the table lies in, as TRUNCATE
 * is not counted, and since when the server counts. They are read before the
 * state is settled and after everybody has gone; a table whose stamp is the
 * same was not written to. One that was is read, as others may have been
 * rolled back. Before version 15 counters came by messages that could get
 * lost: there, and where nothing is counted, all tables are read.
 */
#include "source/postgres_mark.h"

#include "base/json.h"
#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Large objects are rows of these; not everybody may read the first. */
#define LARGE_OBJECTS "2613, 2995"

#define COLUMNS                                                              \
	"(SELECT coalesce(sum(hashtextextended(a.xmin::text, a.attnum)), 0)" \
	" FROM pg_attribute a WHERE a.attrelid = "

#define STAMP                                                                \
	"CASE WHEN current_setting('track_counts')::bool AND "               \
	"current_setting('server_version_num')::int >= 150000 THEN "         \
	"concat_ws(' ', c.relfilenode, pg_stat_get_tuples_inserted(c.oid), " \
	"pg_stat_get_tuples_updated(c.oid), "                                \
	"pg_stat_get_tuples_deleted(c.oid), " COLUMNS "c.oid), "             \
	"(SELECT concat_ws(' ', "                                            \
	"extract(epoch FROM pg_stat_get_db_stat_reset_time(d.oid)), "        \
	"(SELECT extract(epoch FROM stats_reset) FROM pg_stat_archiver)) "   \
	"FROM pg_database d WHERE d.datname = current_database())) END"

#define TABLES                                                           \
	"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace " \
	"WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND NOT "     \
	"EXISTS (SELECT 1 FROM pg_depend e WHERE e.objid = c.oid AND "   \
	"e.classid = 'pg_class'::regclass AND e.deptype = 'e') "

#define HEAP "2" /* an access method whose rows tell who wrote them */

#define MARKED                                                       \
	"SELECT * FROM jsonb_to_recordset($1::jsonb) AS t(oid oid, " \
	"schema text, name text, stamp text, print text)"

/* ---- one table --------------------------------------------------------- */

int hxs_postgres_put_print(const struct hxs_postgres_table *t,
			   struct hxs_buf *out)
{
	(void)hxs_buf_puts(out, "concat_ws(' ', count(*), ");
	if (strcmp(t->method, HEAP) == 0)
		(void)hxs_buf_puts(out, "sum(hashtextextended(ctid::text, "
					"xmin::text::bigint)), ");
	(void)hxs_buf_printf(out, COLUMNS "%s)) ", t->oid);
	return hxs_buf_status(out);
}

int hxs_postgres_put_table(struct hxs_postgres *c,
			   const struct hxs_postgres_table *t,
			   struct hxs_buf *out)
{
	(void)hxs_postgres_put_name(c, out, t->schema);
	(void)hxs_buf_putc(out, '.');
	return hxs_postgres_put_name(c, out, t->name);
}

static int take_print(struct hxs_postgres *c,
		      const struct hxs_postgres_table *t, PGresult **out,
		      struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf what = HXS_BUF_INIT;
	int r;

	(void)hxs_buf_printf(&what, "read table '%s.%s'", t->schema, t->name);
	(void)hxs_buf_puts(&sql, "SELECT ");
	(void)hxs_postgres_put_print(t, &sql);
	(void)hxs_buf_puts(&sql, "FROM ONLY ");
	r = hxs_postgres_put_table(c, t, &sql);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot read tables");
	return hxs_postgres_ask(c, hxs_buf_str(&what), sql.data, NULL, 0, out,
				err);
}

void hxs_postgres_table_at(const struct hxs_postgres *c, const PGresult *res,
			   int row, struct hxs_postgres_table *t)
{
	*t = (struct hxs_postgres_table){
		.oid = hxs_postgres_get(c, res, row, 0),
		.schema = hxs_postgres_get(c, res, row, 1),
		.name = hxs_postgres_get(c, res, row, 2),
		.method = hxs_postgres_get(c, res, row, 3),
		.print = hxs_postgres_get(c, res, row, 4),
	};
}

/* ---- when it is dumped ------------------------------------------------- */

int hxs_postgres_stamps(struct hxs_postgres *c, PGresult **out,
			struct hxs_err *err)
{
	return hxs_postgres_ask(c, "read its counters",
				"SELECT jsonb_object_agg(c.oid::text, " STAMP
				") " TABLES,
				NULL, 0, out, err);
}

static int put_mark(struct hxs_postgres *c, const struct hxs_postgres_table *t,
		    const char *stamp, struct hxs_json_out *o,
		    struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r = take_print(c, t, &res, err);

	if (r < 0)
		return r;
	hxs_json_out_object(o, NULL);
	hxs_json_out_text(o, "oid", t->oid);
	hxs_json_out_text(o, "schema", t->schema);
	hxs_json_out_text(o, "name", t->name);
	hxs_json_out_text(o, "stamp", *stamp ? stamp : NULL);
	hxs_json_out_text(o, "print", hxs_postgres_get(c, res, 0, 0));
	hxs_json_out_end_object(o);
	return 0;
}

int hxs_postgres_mark(struct hxs_postgres *c,
		      const struct hxs_postgres_toc *toc, bool whole,
		      const PGresult *stamps, char **out, struct hxs_err *err)
{
	static const char sql[] =
		"SELECT c.oid, nspname, relname, relam, "
		"$2::jsonb ->> c.oid::text " TABLES
		"AND (c.oid = ANY ($1::oid[]) OR $3::bool AND c.oid IN "
		"(" LARGE_OBJECTS ") AND "
		"has_table_privilege(c.oid, 'SELECT')) ORDER BY 2, 3";
	HXS_AUTO_BUF struct hxs_buf oids = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	HXS_AUTO_RESULT PGresult *res = NULL;
	struct hxs_postgres_table t;
	struct hxs_json_out o;
	const char *values[3];
	int r, i;

	r = hxs_postgres_toc_oids(toc, 0, &oids);
	values[0] = hxs_buf_str(&oids);
	values[1] = hxs_postgres_get(c, stamps, 0, 0);
	values[2] = whole ? "t" : "f";
	if (!*values[1]) /* there was no table */
		values[1] = "{}";
	if (r == 0)
		r = hxs_postgres_ask(c, "list its tables", sql, values, 3, &res,
				     err);
	else
		r = hxs_err_errno(err, -r, "cannot list its tables");
	hxs_json_out_init(&o, &text, false);
	hxs_json_out_array(&o, NULL);
	for (i = 0; r == 0 && i < c->pq->ntuples(res); i++) {
		hxs_postgres_table_at(c, res, i, &t);
		r = put_mark(c, &t, t.print, &o, err);
	}
	hxs_json_out_end_array(&o);
	if (r < 0)
		return r;
	*out = hxs_buf_steal(&text, NULL);
	return *out ? 0 : hxs_err_errno(err, ENOMEM, "cannot read tables");
}

/* ---- when it is exchanged ---------------------------------------------- */

int hxs_postgres_changed(const struct hxs_system *sys, const char *schema,
			 const char *name, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf full = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	int r;

	(void)hxs_buf_printf(&full, "%s%s%s", schema, *schema ? "." : "", name);
	(void)hxs_path_show(&shown, hxs_buf_str(&full), full.len);
	r = hxs_err_set(err, HXS_EBUSY,
			"source '%s' was changed while it was restored: '%s'",
			sys->src->name, hxs_buf_str(&shown));
	hxs_err_hint(err, "stop what writes there and try again; with --force "
			  "what it wrote is in no rollback point");
	return r;
}

int hxs_postgres_check_mark(struct hxs_postgres *c, struct hxs_err *err)
{
	/* Those that came, went, or have another stamp. */
	static const char sql[] =
		"WITH was AS (" MARKED "), now AS (SELECT c.oid, nspname, "
		"relname, relam, " STAMP " AS stamp " TABLES
		"AND (nspname !~ '^pg_' AND nspname <> 'information_schema' "
		"OR c.oid IN (SELECT oid FROM was))) SELECT now.oid, "
		"coalesce(nspname, schema), coalesce(relname, name), relam, "
		"print FROM was FULL JOIN now ON was.oid = now.oid WHERE "
		"(was.stamp = now.stamp) IS NOT TRUE ORDER BY 2, 3";
	const char *values[] = { c->sys->mark };
	HXS_AUTO_RESULT PGresult *res = NULL;
	struct hxs_postgres_table t;
	int r, i;

	r = hxs_postgres_ask(c, "look at its tables again", sql, values, 1,
			     &res, err);
	for (i = 0; r == 0 && i < c->pq->ntuples(res); i++) {
		HXS_AUTO_RESULT PGresult *now = NULL;

		hxs_postgres_table_at(c, res, i, &t);
		if (*t.oid && *t.print)
			r = take_print(c, &t, &now, err);
		if (r == 0 && (!now || strcmp(hxs_postgres_get(c, now, 0, 0),
					      t.print) != 0))
			r = hxs_postgres_changed(c->sys, t.schema, t.name, err);
	}
	return r;
}

/* ---- a part ------------------------------------------------------------ */

static void put_check(struct hxs_postgres_load *l,
		      const struct hxs_postgres_table *t, int number,
		      struct hxs_buf *out)
{
	(void)hxs_buf_puts(out, "SELECT ");
	(void)hxs_postgres_put_print(t, out);
	(void)hxs_buf_puts(out, "= ");
	(void)hxs_postgres_put_text(&l->conn, out, t->print);
	(void)hxs_buf_puts(out, " AS hxsnap_same FROM ONLY ");
	(void)hxs_postgres_put_table(&l->conn, t, out);
	(void)hxs_buf_printf(out,
			     " \\gset\n\\if :hxsnap_same\n\\else\n"
			     "\\echo " HXS_POSTGRES_CHANGED "%d\n"
			     "SELECT 1 / 0;\n\\endif\n",
			     number);
}

int hxs_postgres_put_guard(struct hxs_postgres_load *l, struct hxs_buf *out,
			   struct hxs_err *err)
{
	struct hxs_postgres *c = &l->conn;
	const char *values[] = { l->sys->mark };
	struct hxs_postgres_table t;
	int r, i;

	if (!l->guarded)
		return 0;
	r = hxs_postgres_ask_inside(
		l, "list its tables",
		", was AS (" MARKED ") SELECT c.oid, nspname, relname, relam, "
		"print FROM inside i JOIN pg_class c ON c.oid = i.objid AND "
		"i.classid = 'pg_class'::regclass JOIN pg_namespace n ON "
		"n.oid = relnamespace LEFT JOIN was ON was.oid = c.oid WHERE "
		"relkind = 'r' AND nspname <> 'pg_toast' ORDER BY 2, 3",
		values, 1, &l->watched, err);
	for (i = 0; r == 0 && i < c->pq->ntuples(l->watched); i++) {
		hxs_postgres_table_at(c, l->watched, i, &t);
		if (!*t.print)
			return hxs_postgres_changed(c->sys, t.schema, t.name,
						    err);
		put_check(l, &t, i, out);
	}
	return r;
}

int hxs_postgres_guard_fault(const struct hxs_postgres_load *l,
			     const char *printed, int r, struct hxs_err *err)
{
	const char *found = strstr(printed, HXS_POSTGRES_CHANGED);
	struct hxs_postgres_table t;
	unsigned long n;

	if (!found || !l->watched)
		return r;
	n = strtoul(found + strlen(HXS_POSTGRES_CHANGED), NULL, 10);
	if (n >= (unsigned long)l->conn.pq->ntuples(l->watched))
		return r;
	hxs_postgres_table_at(&l->conn, l->watched, (int)n, &t);
	return hxs_postgres_changed(l->sys, t.schema, t.name, err);
}
