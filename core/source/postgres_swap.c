/*
 * Exchanging databases by name, and back.
 *
 * Which is which is told by OID alone: names change hands. A server renames
 * no database that anybody is connected to, so connections are refused, those
 * that there are ended, and then both get their names in one transaction.
 * Until that is committed the name means the old one, which takes nobody;
 * from then on the new one, which takes everybody.
 */
#include "source/postgres_swap.h"
#include "source/postgres_mark.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define END_SECONDS 20 /* for connections to end in */
#define POLL_MS 5

/* ---- what there is ----------------------------------------------------- */

int hxs_postgres_places(struct hxs_postgres *c, struct hxs_postgres_places *p,
			struct hxs_err *err)
{
	const struct hxs_journal_system *rec = c->sys->rec;
	HXS_AUTO_RESULT PGresult *res = NULL;
	const char *values[] = { rec->name, rec->staged,
				 rec->kept ? rec->kept : rec->staged };
	int r, i;

	*p = (struct hxs_postgres_places){ .named = 0 };
	r = hxs_postgres_ask(c, "look at the databases",
			     "SELECT oid, datname = $1, datname = $2, "
			     "datname = $3 FROM pg_database",
			     values, 3, &res, err);
	for (i = 0; r == 0 && i < c->pq->ntuples(res); i++) {
		uint32_t oid = hxs_postgres_get_oid(c, res, i, 0);

		if (*hxs_postgres_get(c, res, i, 1) == 't')
			p->named = oid;
		if (*hxs_postgres_get(c, res, i, 2) == 't')
			p->staged = oid;
		if (rec->kept && *hxs_postgres_get(c, res, i, 3) == 't')
			p->kept = oid;
	}
	return r;
}

/* ---- connections ------------------------------------------------------- */

static int allow(struct hxs_postgres *c, const char *name, bool yes,
		 struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf what = HXS_BUF_INIT;

	(void)hxs_buf_puts(&sql, "ALTER DATABASE ");
	(void)hxs_postgres_put_name(c, &sql, name);
	(void)hxs_buf_printf(&sql, " ALLOW_CONNECTIONS %s",
			     yes ? "true" : "false");
	(void)hxs_buf_printf(&what, "%s connections to database '%s'",
			     yes ? "accept" : "refuse", name);
	return hxs_postgres_do_buf(c, hxs_buf_str(&what), &sql, err);
}

/* End each of @res; the first that is not ours to end is told in @why. */
static int end_each(struct hxs_postgres *c, const PGresult *res,
		    const char *name, struct hxs_err *why)
{
	struct hxs_err one = HXS_ERR_INIT;
	const char *values[1];
	int i, r;

	hxs_err_clear(why);
	for (i = 0; i < c->pq->ntuples(res); i++) {
		values[0] = hxs_postgres_get(c, res, i, 0);
		hxs_err_clear(&one);
		r = hxs_postgres_ask(c, "end it",
				     "SELECT pg_terminate_backend($1::int)",
				     values, 1, NULL, &one);
		if (r == -ECONNRESET) {
			*why = one;
			return r;
		}
		if (i == 0)
			(void)hxs_err_set(why, HXS_EBUSY,
					  "role '%s' is still connected to "
					  "database "
					  "'%s' after %d s%s%s",
					  hxs_postgres_get(c, res, i, 1), name,
					  END_SECONDS, r < 0 ? ": " : "",
					  one.message);
	}
	return 0;
}

/*
 * A server sees to its own workers by itself: to whom it does not tell what
 * somebody else's connection is, it still tells that these have no role. One
 * that is only just beginning is not among the connections yet, but it holds a
 * lock.
 */
static const char list_connections[] =
	"SELECT pid, coalesce(usename, '') FROM pg_stat_activity "
	"WHERE datid = $1::oid AND pid <> $2::int AND "
	"coalesce(backend_type, '') NOT LIKE 'autovacuum%' AND "
	"(backend_type IS NOT NULL OR usesysid IS NOT NULL) "
	"UNION SELECT l.pid, '' FROM pg_locks l WHERE locktype = 'object' AND "
	"classid = 'pg_database'::regclass AND objid = $1::oid AND "
	"mode = 'RowExclusiveLock' AND NOT EXISTS (SELECT 1 FROM "
	"pg_stat_activity a WHERE a.pid = l.pid AND datid = $1::oid) "
	"ORDER BY 2 DESC";

/* The number of @own's connection, "0" if there is none. */
static int own_number(struct hxs_postgres *own, char text[16],
		      struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r = 0;

	(void)snprintf(text, 16, "0");
	if (own)
		r = hxs_postgres_ask(own, "look at its connection",
				     "SELECT pg_backend_pid()", NULL, 0, &res,
				     err);
	if (own && r == 0)
		(void)snprintf(text, 16, "%s",
			       hxs_postgres_get(own, res, 0, 0));
	return r;
}

int hxs_postgres_end_connections(struct hxs_postgres *c, uint32_t oid,
				 const char *name, struct hxs_postgres *own,
				 struct hxs_err *err)
{
	double end = hxs_clock_ticks() + END_SECONDS;
	struct hxs_err why = HXS_ERR_INIT;
	char text[16], number[16];
	const char *values[] = { text, number };
	int r;

	(void)snprintf(text, sizeof(text), "%" PRIu32, oid);
	r = own_number(own, number, err);
	if (r < 0)
		return r;
	for (;;) {
		HXS_AUTO_RESULT PGresult *res = NULL;

		r = hxs_postgres_ask(c, "list connections", list_connections,
				     values, 2, &res, err);
		if (r < 0 || c->pq->ntuples(res) == 0)
			return r;
		r = end_each(c, res, name, &why);
		if (r < 0 || hxs_clock_ticks() > end) {
			if (err)
				*err = why;
			return r < 0 ? r : -HXS_EBUSY;
		}
		(void)poll(NULL, 0, POLL_MS);
	}
}

/* ---- names ------------------------------------------------------------- */

static void put_rename(struct hxs_postgres *c, struct hxs_buf *sql,
		       const char *from, const char *to)
{
	(void)hxs_buf_puts(sql, "ALTER DATABASE ");
	(void)hxs_postgres_put_name(c, sql, from);
	(void)hxs_buf_puts(sql, " RENAME TO ");
	(void)hxs_postgres_put_name(c, sql, to);
	(void)hxs_buf_puts(sql, ";\n");
}

/*
 * In one transaction: what is named NAME gets the name @away (NULL: nothing
 * is), and what is named @from gets NAME and takes connections.
 */
static int rename_both(struct hxs_postgres *c, const char *away,
		       const char *from, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf what = HXS_BUF_INIT;
	const char *name;

	assert(c->sys); /* it was opened */
	name = c->sys->rec->name;
	(void)hxs_buf_puts(&sql, "BEGIN;\n");
	if (away)
		put_rename(c, &sql, name, away);
	if (from) {
		put_rename(c, &sql, from, name);
		(void)hxs_buf_puts(&sql, "ALTER DATABASE ");
		(void)hxs_postgres_put_name(c, &sql, name);
		(void)hxs_buf_puts(&sql, " ALLOW_CONNECTIONS true;\n");
	}
	(void)hxs_buf_puts(&sql, "COMMIT");
	(void)hxs_buf_printf(&what, "exchange database '%s'", name);
	return hxs_postgres_do_buf(c, hxs_buf_str(&what), &sql, err);
}

/* Connect where nobody else of this source is at work. */
int hxs_postgres_swap_open(struct hxs_postgres *c, struct hxs_system *sys,
			   struct hxs_postgres_dsn *dsn, struct hxs_err *err)
{
	int r = hxs_postgres_dsn_init(dsn, sys->src, err);

	c->deaf = true; /* what is begun here is brought to an end */
	if (r == 0 && strcmp(dsn->database, sys->rec->name) != 0)
		r = hxs_err_set(err, HXS_EDENIED,
				"refused: source '%s' is database '%s' now, "
				"and was '%s'",
				sys->src->name, dsn->database, sys->rec->name);
	if (r == 0)
		r = hxs_postgres_open_other(c, sys, dsn, err);
	if (r == 0)
		r = hxs_postgres_lock(c, err);
	return r;
}

/* ---- the steps --------------------------------------------------------- */

/* A transaction that waits for its second half keeps a name where it is. */
static int check_prepared(struct hxs_postgres *c, struct hxs_err *err)
{
	const char *values[] = { c->sys->rec->name };
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r;

	r = hxs_postgres_ask(c, "look for prepared transactions",
			     "SELECT gid FROM pg_prepared_xacts "
			     "WHERE database = $1",
			     values, 1, &res, err);
	if (r < 0 || c->pq->ntuples(res) == 0)
		return r;
	return hxs_err_set(err, HXS_EBUSY,
			   "database '%s' has a prepared transaction '%s', "
			   "which is to be ended first",
			   values[0], hxs_postgres_get(c, res, 0, 0));
}

int hxs_postgres_whole_intend(struct hxs_system *sys, struct hxs_err *err)
{
	HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn dsn = { .options = NULL };
	HXS_AUTO_POSTGRES struct hxs_postgres c = HXS_POSTGRES_INIT;
	struct hxs_journal_system *rec = sys->rec;
	char kept[HXS_POSTGRES_NAME_MAX + 1];
	struct hxs_postgres_places p = { .named = 0 };
	int r;

	r = hxs_postgres_kept_name(rec->name, sys->rollback_id, kept);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot find a name");
	free(rec->kept);
	rec->kept = strdup(kept);
	if (!rec->kept)
		return hxs_err_errno(err, ENOMEM, "cannot find a name");
	r = hxs_postgres_swap_open(&c, sys, &dsn, err);
	if (r == 0)
		r = check_prepared(&c, err);
	if (r == 0)
		r = hxs_postgres_places(&c, &p, err);
	if (r < 0)
		return r;
	if (p.kept)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: there is a database '%s' already",
				   rec->kept);
	if (!p.staged)
		return hxs_err_set(err, ENOENT,
				   "the new database '%s' has vanished",
				   rec->staged);
	rec->old_oid = p.named;
	rec->new_oid = p.staged;
	return 0;
}

static int prepare(struct hxs_postgres *c, struct hxs_err *err)
{
	const struct hxs_journal_system *rec = c->sys->rec;
	struct hxs_postgres_places p = { .named = 0 };
	int r;

	r = hxs_postgres_places(c, &p, err);
	if (r < 0)
		return r;
	if (p.named != rec->old_oid || p.staged != rec->new_oid || p.kept)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: database '%s' is another one than "
				   "a moment ago",
				   rec->name);
	/* First the one that nobody has a reason to be in. */
	r = allow(c, rec->staged, false, err);
	if (r == 0)
		r = hxs_postgres_end_connections(c, rec->new_oid, rec->staged,
						 NULL, err);
	return r;
}

/*
 * Refuse if the old one was changed since it was dumped, while @c sees to it
 * that nobody gets in any more. That has to be asked from inside: the one
 * connection that is left is ours, and ends before the names change.
 */
static int exchange_old(struct hxs_postgres *c, struct hxs_system *sys,
			struct hxs_err *err)
{
	HXS_AUTO_POSTGRES struct hxs_postgres own = HXS_POSTGRES_INIT;
	const struct hxs_journal_system *rec = sys->rec;
	double since;
	int r = 0;

	own.deaf = true;
	if (sys->guarded && !sys->mark)
		return hxs_postgres_changed(sys, "", rec->name, err);
	if (sys->guarded)
		r = hxs_postgres_open(&own, sys, c->dsn, rec->name, err);
	/* Once before anybody is disturbed: it is most likely then. */
	if (r == 0 && sys->guarded)
		r = hxs_postgres_check_mark(&own, err);
	since = hxs_clock_ticks();
	if (r == 0)
		r = allow(c, rec->name, false, err);
	if (r == 0 && sys->guarded)
		r = hxs_postgres_end_connections(c, rec->old_oid, rec->name,
						 &own, err);
	if (r == 0 && sys->guarded)
		r = hxs_postgres_check_mark(&own, err);
	hxs_postgres_close(&own);
	if (r == 0)
		r = hxs_postgres_end_connections(c, rec->old_oid, rec->name,
						 NULL, err);
	if (r == 0)
		r = rename_both(c, rec->kept, rec->staged, err);
	if (r == 0)
		sys->absent = hxs_clock_ticks() - since;
	return r; /* after a failure back() follows, which lets them in again */
}

int hxs_postgres_whole_swap(struct hxs_system *sys, struct hxs_err *err)
{
	HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn dsn = { .options = NULL };
	HXS_AUTO_POSTGRES struct hxs_postgres c = HXS_POSTGRES_INIT;
	int r;

	sys->absent = 0;
	r = hxs_postgres_swap_open(&c, sys, &dsn, err);
	if (r == 0)
		r = prepare(&c, err);
	if (r < 0)
		return r;
	return sys->rec->old_oid ? exchange_old(&c, sys, err)
				 : rename_both(&c, NULL, sys->rec->staged, err);
}

/* The new one has the name: away with it, and the old one gets it again. */
static int exchange_back(struct hxs_postgres *c, const char *from,
			 struct hxs_err *err)
{
	const struct hxs_journal_system *rec = c->sys->rec;
	int r;

	r = allow(c, rec->name, false, err);
	if (r == 0)
		r = hxs_postgres_end_connections(c, rec->new_oid, rec->name,
						 NULL, err);
	return r < 0 ? r : rename_both(c, rec->staged, from, err);
}

int hxs_postgres_whole_back(struct hxs_system *sys, struct hxs_err *err)
{
	HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn dsn = { .options = NULL };
	HXS_AUTO_POSTGRES struct hxs_postgres c = HXS_POSTGRES_INIT;
	const struct hxs_journal_system *rec = sys->rec;
	struct hxs_postgres_places p = { .named = 0 };
	int r;

	if (!rec->new_oid) /* it was never meant to be exchanged */
		return 0;
	r = hxs_postgres_swap_open(&c, sys, &dsn, err);
	if (r == 0)
		r = hxs_postgres_places(&c, &p, err);
	if (r < 0)
		return r;
	if (!rec->old_oid)
		return p.named == rec->new_oid ? exchange_back(&c, NULL, err)
					       : 0;
	if (p.named == rec->old_oid) /* connections may be refused */
		return allow(&c, rec->name, true, err);
	if (p.kept != rec->old_oid)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "the old database, which was kept as '%s', "
				   "is not there any more",
				   rec->kept);
	if (p.named == rec->new_oid)
		r = exchange_back(&c, rec->kept, err);
	else if (!p.named)
		r = rename_both(&c, NULL, rec->kept, err);
	else
		r = hxs_err_set(err, HXS_EDENIED,
				"refused: database '%s' is neither the old nor "
				"the new one",
				rec->name);
	return r < 0 ? r : hxs_postgres_forget_comment(&c, rec->name, err);
}
