/*
 * A part of a database, or its rows alone: loaded into the database that is
 * there. One transaction replaces it and makes an empty schema, the marker,
 * by which everybody can tell later whether it was committed; undoing it is
 * the same with what the rollback point has of the part, and removes the
 * marker.
 */
#include "source/postgres_mark.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define END_SECONDS 20
#define POLL_MS 10
#define MAJOR(version) ((version) / 10000)

static void load_release(struct hxs_postgres_load *l)
{
	if (l->watched)
		l->conn.pq->clear(l->watched);
	hxs_postgres_close(&l->conn);
	hxs_postgres_run_release(&l->run);
	hxs_postgres_about_release(&l->about);
	hxs_postgres_toc_release(&l->toc);
	hxs_postgres_parts_release(&l->parts);
	hxs_postgres_dsn_release(&l->dsn);
}
#define HXS_AUTO_LOAD __attribute__((cleanup(load_release)))

static int connect_to(struct hxs_postgres_load *l, struct hxs_err *err)
{
	int r = hxs_postgres_dsn_init(&l->dsn, l->sys->src, err);

	l->run.secret = -1;
	if (r == 0)
		r = hxs_postgres_open_own(&l->conn, l->sys, &l->dsn, err);
	if (r == 0)
		r = hxs_postgres_lock(&l->conn, err);
	return r;
}

/* Read what the dump holds, and choose what belongs to the record's parts. */
static int look(struct hxs_postgres_load *l, struct hxs_err *err)
{
	struct hxs_journal_system *rec = l->sys->rec;
	int r;

	r = hxs_postgres_about_read(&l->about, l->dir, err);
	if (r < 0)
		return r;
	if (!rec->parts) {
		rec->parts = hxs_postgres_parts_of(&l->about);
		if (!rec->parts)
			return hxs_err_errno(err, ENOMEM, "cannot list parts");
	}
	r = hxs_postgres_parts_init(&l->parts, rec->parts, err);
	if (r == 0)
		r = hxs_postgres_run_init(&l->run, l->sys, &l->dsn, err);
	if (r == 0)
		r = hxs_postgres_toc_read(&l->toc, &l->run, l->path, err);
	if (r == 0)
		r = hxs_postgres_choose(l, err);
	return r;
}

/*
 * A psql of ours that was left behind may be at work yet: end it, so that
 * what the marker tells stays true.
 */
static int end_left_behind(struct hxs_postgres *c, struct hxs_err *err)
{
	double end = hxs_clock_ticks() + END_SECONDS;
	const char *marker = c->sys->rec->marker;
	int r;

	for (;;) {
		HXS_AUTO_RESULT PGresult *res = NULL;

		r = hxs_postgres_ask(c, "end what was left behind",
				     "SELECT pg_terminate_backend(pid) FROM "
				     "pg_stat_activity WHERE "
				     "application_name = $1 AND "
				     "pid <> pg_backend_pid()",
				     &marker, 1, &res, err);
		if (r < 0 || c->pq->ntuples(res) == 0)
			return r;
		if (hxs_clock_ticks() > end)
			return hxs_err_set(err, HXS_EBUSY,
					   "a restore that was left behind is "
					   "still at work in database '%s' "
					   "after %d s",
					   c->database, END_SECONDS);
		(void)poll(NULL, 0, POLL_MS);
	}
}

/* ---- the steps --------------------------------------------------------- */

static int check_server(struct hxs_postgres_load *l, struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r;

	if (MAJOR(l->about.server) !=
	    MAJOR(l->conn.pq->server_version(l->conn.conn)))
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: database '%s' was captured from a "
				   "server of version %s, and this one is of "
				   "another",
				   l->about.name, l->about.server_text);
	r = hxs_postgres_ask(&l->conn, "look at its privileges",
			     "SELECT has_database_privilege("
			     "current_database(), 'CREATE')",
			     NULL, 0, &res, err);
	if (r < 0 || *hxs_postgres_get(&l->conn, res, 0, 0) == 't')
		return r;
	return hxs_err_set(err, HXS_EDENIED,
			   "refused: this role may not create schemas in "
			   "database '%s', by which a restore is marked",
			   l->dsn.database);
}

int hxs_postgres_part_stage(struct hxs_system *sys, int dir, const char *path,
			    struct hxs_err *err)
{
	HXS_AUTO_LOAD struct hxs_postgres_load l = {
		.sys = sys,
		.dir = dir,
		.path = path,
	};
	HXS_AUTO_BUF struct hxs_buf unused = HXS_BUF_INIT;
	int r;

	r = connect_to(&l, err);
	if (r == 0)
		r = look(&l, err);
	if (r == 0)
		r = check_server(&l, err);
	if (r == 0) /* whether it could be done now */
		r = l.about.data_only
			    ? hxs_postgres_replace_rows(&l, &unused, err)
			    : hxs_postgres_replace(&l, &unused, err);
	return r;
}

int hxs_postgres_part_swap(struct hxs_system *sys, int dir, const char *path,
			   struct hxs_err *err)
{
	HXS_AUTO_LOAD struct hxs_postgres_load l = {
		.sys = sys,
		.dir = dir,
		.path = path,
	};
	int r;

	sys->absent = 0; /* the old rows are there until the new ones are */
	r = connect_to(&l, err);
	if (r == 0 && sys->guarded && !sys->mark)
		r = hxs_postgres_changed(sys, "", l.dsn.database, err);
	if (r == 0)
		r = look(&l, err);
	return r < 0 ? r : hxs_postgres_load(&l, false, err);
}

/* Whether it was committed: 1, 0, or negative. */
static int is_marked(struct hxs_postgres *c, struct hxs_err *err)
{
	const char *marker = c->sys->rec->marker;
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r;

	r = hxs_postgres_ask(c, "look for a marker",
			     "SELECT 1 FROM pg_namespace WHERE nspname = $1",
			     &marker, 1, &res, err);
	return r < 0 ? r : c->pq->ntuples(res) > 0;
}

int hxs_postgres_part_back(struct hxs_system *sys, int dir, const char *path,
			   struct hxs_err *err)
{
	HXS_AUTO_LOAD struct hxs_postgres_load l = {
		.sys = sys,
		.conn = { .deaf = true },
		.dir = dir,
		.path = path,
	};
	int r;

	r = connect_to(&l, err);
	if (r == 0)
		r = end_left_behind(&l.conn, err);
	if (r == 0)
		r = is_marked(&l.conn, err);
	if (r <= 0)
		return r;
	if (dir < 0)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "what was replaced in database '%s' cannot "
				   "be put back without a rollback point",
				   l.dsn.database);
	r = look(&l, err);
	return r < 0 ? r : hxs_postgres_load(&l, true, err);
}

int hxs_postgres_part_clean(struct hxs_system *sys, struct hxs_err *err)
{
	HXS_AUTO_LOAD struct hxs_postgres_load l = {
		.sys = sys,
		.conn = { .deaf = true },
	};
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	int r;

	r = connect_to(&l, err);
	if (r == -HXS_ENOSUCH) {
		hxs_err_clear(err);
		return 0; /* nothing can be left in it */
	}
	if (r == 0)
		r = end_left_behind(&l.conn, err);
	if (r < 0)
		return r;
	(void)hxs_buf_puts(&sql, "DROP SCHEMA IF EXISTS ");
	(void)hxs_postgres_put_name(&l.conn, &sql, sys->rec->marker);
	return hxs_postgres_do_buf(&l.conn, "remove a marker", &sql, err);
}
