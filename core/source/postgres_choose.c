/* Which parts there are, and which entries of a dump belong to them. */
#include "source/postgres_part.h"

#include <errno.h>
#include <string.h>

#define PG_CLASS 1259
#define PG_NAMESPACE 2615
#define PREFIX HXS_POSTGRES_TABLES "/"

/* ---- parts ------------------------------------------------------------- */

void hxs_postgres_parts_release(struct hxs_postgres_parts *p)
{
	size_t i;

	for (i = 0; i < p->count; i++) {
		free(p->part[i].schema);
		free(p->part[i].table);
	}
	free(p->part);
	*p = (struct hxs_postgres_parts){ .part = NULL };
}

/* The name that stands at @file, or NULL with *@r. */
static char *name_of(const char *file, size_t len, int *r)
{
	HXS_AUTO_BUF struct hxs_buf name = HXS_BUF_INIT;
	char *out;

	*r = len ? hxs_postgres_put_unfile(&name, file, len) : -EINVAL;
	if (*r < 0)
		return NULL;
	out = hxs_buf_steal(&name, NULL);
	*r = out ? 0 : -ENOMEM;
	return out;
}

static int parse(const char *path, struct hxs_postgres_part *out)
{
	const char *at, *slash;
	int r = -EINVAL;

	if (strncmp(path, PREFIX, strlen(PREFIX)) != 0)
		return r;
	at = path + strlen(PREFIX);
	slash = strchr(at, '/');
	out->schema =
		name_of(at, slash ? (size_t)(slash - at) : strlen(at), &r);
	if (r == 0 && slash)
		out->table = name_of(slash + 1, strlen(slash + 1), &r);
	return r;
}

int hxs_postgres_parts_init(struct hxs_postgres_parts *p, char **list,
			    struct hxs_err *err)
{
	size_t n = 0;
	int r = 0;

	while (list && list[n])
		n++;
	p->part = calloc(n + 1, sizeof(*p->part));
	if (!p->part)
		return hxs_err_errno(err, ENOMEM, "cannot list parts");
	for (; r == 0 && p->count < n; p->count++)
		r = parse(list[p->count], &p->part[p->count]);
	if (r == -EINVAL)
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is no part of a database",
				   list[p->count - 1]);
	return r < 0 ? hxs_err_errno(err, -r, "cannot list parts") : 0;
}

const char *hxs_postgres_part_fault(
	const struct hxs_config_source *src HXS_UNUSED, const char *path)
{
	struct hxs_postgres_part p = { .schema = NULL };
	int r = parse(path, &p);

	free(p.schema);
	free(p.table);
	if (r == 0 || r == -ENOMEM) /* which is told soon enough */
		return NULL;
	return "a part of a database is one of its schemas/SCHEMA or "
	       "schemas/SCHEMA/TABLE";
}

char **hxs_postgres_parts_of(const struct hxs_postgres_about *a)
{
	char **list = calloc(a->thing_count + 1, sizeof(*list));
	bool by_name = a->by_table || a->data_only;
	size_t i, n = 0;

	for (i = 0; list && i < a->thing_count; i++) {
		const struct hxs_postgres_thing *t = &a->things[i];
		HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

		if (by_name == (t->kind == 'n'))
			continue;
		(void)hxs_buf_puts(&path, PREFIX);
		(void)hxs_postgres_put_file(&path, t->schema);
		if (t->name) {
			(void)hxs_buf_putc(&path, '/');
			(void)hxs_postgres_put_file(&path, t->name);
		}
		list[n] = hxs_buf_steal(&path, NULL);
		if (!list[n++]) {
			for (n = 0; list[n]; n++)
				free(list[n]);
			free(list);
			return NULL;
		}
	}
	return list;
}

const struct hxs_postgres_thing *hxs_postgres_thing(
	const struct hxs_postgres_about *a, const char *schema,
	const char *name)
{
	size_t i;

	for (i = 0; i < a->thing_count; i++) {
		const struct hxs_postgres_thing *t = &a->things[i];

		if (!t->name == !name && strcmp(t->schema, schema) == 0 &&
		    (!name || strcmp(t->name, name) == 0))
			return t;
	}
	return NULL;
}

/* ---- entries ----------------------------------------------------------- */

/* Whether @e needs one that is chosen. */
static bool needs_chosen(const struct hxs_postgres_toc *t,
			 const struct hxs_postgres_entry *e)
{
	const struct hxs_postgres_entry *need;
	size_t i;

	for (i = 0; i < e->need_count; i++) {
		need = hxs_postgres_entry_by_id(t, e->needs[i]);
		if (need && need->chosen)
			return true;
	}
	return false;
}

/* Whether its names begin with @schema and @name. */
static bool is_named(const struct hxs_postgres_entry *e, const char *kind,
		     const char *schema, const char *name)
{
	const char *p = e->text + strlen(kind) + 1;
	size_t len = strlen(schema);

	if (strncmp(p, schema, len) != 0 || p[len] != ' ')
		return false;
	p += len + 1;
	len = strlen(name);
	return strncmp(p, name, len) == 0 && p[len] == ' ';
}

/* Whether it goes with table @name, on which, or on what is its, it depends. */
static bool goes_along(const struct hxs_postgres_entry *e, const char *schema,
		       const char *name)
{
	/* Of one table alone, by whose name they are called. */
	static const char *const named[] = {
		"CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT", "DEFAULT",
		"TRIGGER",    "RULE",	       "POLICY",
	};
	static const char *const any[] = {
		"TABLE DATA",
		"MATERIALIZED VIEW DATA",
		"INDEX",
		"SEQUENCE",
		"SEQUENCE OWNED BY",
		"SEQUENCE SET",
		"ACL",
		"COMMENT",
		"SECURITY LABEL",
		"STATISTICS",
		"ROW SECURITY",
		"PUBLICATION TABLE",
	};
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(named); i++)
		if (hxs_postgres_entry_is(e, named[i]))
			return is_named(e, named[i], schema, name);
	for (i = 0; i < HXS_ARRAY_LEN(any); i++)
		if (hxs_postgres_entry_is(e, any[i]))
			return true;
	return false;
}

/* With @first all that goes along with it. */
static void choose_from(struct hxs_postgres_toc *t,
			struct hxs_postgres_entry *first, const char *schema,
			const char *name)
{
	bool more = true;
	size_t i;

	/* Others may be chosen already: theirs goes along with them again. */
	first->chosen = true;
	while (more) {
		more = false;
		for (i = 0; i < t->count; i++) {
			struct hxs_postgres_entry *e = &t->entries[i];

			if (e->chosen || !goes_along(e, schema, name) ||
			    !needs_chosen(t, e))
				continue;
			e->chosen = true;
			more = true;
		}
	}
}

static void choose_table(struct hxs_postgres_load *l,
			 const struct hxs_postgres_part *p)
{
	const struct hxs_postgres_thing *thing =
		hxs_postgres_thing(&l->about, p->schema, p->table);
	size_t i;

	if (!thing) /* it was not there then */
		return;
	for (i = 0; i < l->toc.count; i++) {
		struct hxs_postgres_entry *e = &l->toc.entries[i];

		if (hxs_postgres_entry_of(e, PG_CLASS, thing->oid) ||
		    hxs_postgres_entry_of(e, 0, thing->oid))
			choose_from(&l->toc, e, p->schema, p->table);
	}
}

/*
 * A dump of rows alone does not tell whose its sequences are: those of the
 * table that is there are.
 */
static int choose_sequences(struct hxs_postgres_load *l,
			    const struct hxs_postgres_part *p,
			    struct hxs_err *err)
{
	static const char sql[] =
		"SELECT sn.nspname, s.relname FROM pg_class c "
		"JOIN pg_namespace n ON n.oid = c.relnamespace "
		"JOIN pg_depend d ON d.refobjid = c.oid AND "
		"d.refclassid = 'pg_class'::regclass AND "
		"d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') "
		"JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' "
		"JOIN pg_namespace sn ON sn.oid = s.relnamespace "
		"WHERE n.nspname = $1 AND c.relname = $2";
	const char *values[] = { p->schema, p->table };
	HXS_AUTO_RESULT PGresult *res = NULL;
	size_t k;
	int r, i;

	r = hxs_postgres_ask(&l->conn, "look at its sequences", sql, values, 2,
			     &res, err);
	for (i = 0; r == 0 && i < l->conn.pq->ntuples(res); i++)
		for (k = 0; k < l->toc.count; k++)
			if (hxs_postgres_entry_is(&l->toc.entries[k],
						  "SEQUENCE SET") &&
			    is_named(&l->toc.entries[k], "SEQUENCE SET",
				     hxs_postgres_get(&l->conn, res, i, 0),
				     hxs_postgres_get(&l->conn, res, i, 1)))
				l->toc.entries[k].chosen = true;
	return r;
}

/* pg_restore tells best what belongs to a schema. */
static int choose_schema(struct hxs_postgres_load *l, const char *schema,
			 struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf dump = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf list = HXS_BUF_INIT;
	const char *argv[] = { "pg_restore", "-l", "-n", schema, NULL, NULL };
	size_t i = 0;
	char *line;
	int r;

	r = hxs_buf_printf(&dump, "%s/" HXS_POSTGRES_DUMP, l->path);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list a dump");
	argv[4] = dump.data;
	r = hxs_postgres_run(&l->run, argv, &list, err);
	if (r < 0)
		return r;
	/* Both lists have the same order. */
	for (line = list.data; line && *line; line = strchr(line, '\n') + 1) {
		uint32_t id = (uint32_t)strtoul(line, NULL, 10);

		while (id && i < l->toc.count && l->toc.entries[i].id != id)
			i++;
		if (id && i < l->toc.count)
			l->toc.entries[i].chosen = true;
		if (!strchr(line, '\n'))
			break;
	}
	return 0;
}

/* The schema itself, where the database has none of that name. */
static int choose_home(struct hxs_postgres_load *l, const char *schema,
		       struct hxs_err *err)
{
	const struct hxs_postgres_thing *thing =
		hxs_postgres_thing(&l->about, schema, NULL);
	HXS_AUTO_RESULT PGresult *res = NULL;
	size_t i;
	int r;

	r = hxs_postgres_ask(&l->conn, "look for a schema",
			     "SELECT 1 FROM pg_namespace WHERE nspname = $1",
			     &schema, 1, &res, err);
	if (r < 0 || l->conn.pq->ntuples(res) > 0 || !thing)
		return r;
	for (i = 0; i < l->toc.count; i++) {
		struct hxs_postgres_entry *e = &l->toc.entries[i];

		if (!hxs_postgres_entry_of(e, PG_NAMESPACE, thing->oid))
			continue;
		e->chosen = true;
		for (size_t k = 0; k < l->toc.count; k++) {
			struct hxs_postgres_entry *o = &l->toc.entries[k];

			if (o->need_count == 1 && o->needs[0] == e->id &&
			    (hxs_postgres_entry_is(o, "ACL") ||
			     hxs_postgres_entry_is(o, "COMMENT")))
				o->chosen = true;
		}
	}
	return 0;
}

/* A partition goes with what it is one of, and the other way round. */
static int choose_partitions(struct hxs_postgres_toc *t, struct hxs_err *err)
{
	const struct hxs_postgres_entry *need;
	size_t i, k, chosen;

	for (i = 0; i < t->count; i++) {
		struct hxs_postgres_entry *e = &t->entries[i];

		if (e->chosen || (!hxs_postgres_entry_is(e, "TABLE ATTACH") &&
				  !hxs_postgres_entry_is(e, "INDEX ATTACH")))
			continue;
		for (chosen = k = 0; k < e->need_count; k++) {
			need = hxs_postgres_entry_by_id(t, e->needs[k]);
			chosen += !need || need->chosen;
		}
		e->chosen = chosen == e->need_count;
		if (!e->chosen && needs_chosen(t, e))
			return hxs_err_set(err, HXS_EDENIED,
					   "refused: partitions can be "
					   "restored only together: '%s'",
					   e->text);
	}
	return 0;
}

int hxs_postgres_choose(struct hxs_postgres_load *l, struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < l->parts.count; i++) {
		const struct hxs_postgres_part *p = &l->parts.part[i];

		if (p->table)
			choose_table(l, p);
		else
			r = choose_schema(l, p->schema, err);
		if (r == 0 && !l->about.data_only)
			r = choose_home(l, p->schema, err);
		else if (r == 0 && p->table)
			r = choose_sequences(l, p, err);
	}
	return r < 0 ? r : choose_partitions(&l->toc, err);
}
