/*
 * One connection. Nothing here waits for the server without asking now and
 * then whether the whole was cancelled.
 */
#include "source/postgres.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#define POLL_MS 50 /* how often it is asked */
#define CONNECT_SECONDS 10 /* unless the dsn has a connect_timeout */
#define CANCEL_TEXT 256

static bool is_cancelled(const struct hxs_postgres *c)
{
	const struct hxs_capture_ears *ears = &c->sys->ears;

	return !c->deaf && ears->cancelled && ears->cancelled(ears->ctx);
}

static void drop_notice(void *ctx HXS_UNUSED, const PGresult *res HXS_UNUSED)
{
}

void hxs_postgres_close(struct hxs_postgres *c)
{
	if (c->conn)
		c->pq->finish(c->conn);
	c->conn = NULL;
	free(c->database);
	c->database = NULL;
}

/* ---- connecting -------------------------------------------------------- */

/* Options of the dsn as two lists, with those that we decide. */
static PGconn *start(const struct hxs_postgres_dsn *dsn, const char *database)
{
	static const char *const own[][2] = {
		{ "client_encoding", "UTF8" },
		{ "fallback_application_name", "hxsnap" },
	};
	HXS_AUTO_FREE const char **keys = NULL, **values = NULL;
	const PQconninfoOption *o;
	size_t n = 0, i;

	for (o = dsn->options; o->keyword; o++)
		n++;
	n += HXS_ARRAY_LEN(own) + HXS_POSTGRES_PATIENCE + 1;
	keys = calloc(n, sizeof(*keys));
	values = calloc(n, sizeof(*values));
	if (!keys || !values)
		return NULL;
	for (n = 0, o = dsn->options; o->keyword; o++) {
		if (!o->val || strcmp(o->keyword, own[0][0]) == 0)
			continue;
		keys[n] = o->keyword;
		values[n] = o->val;
		if (strcmp(o->keyword, "dbname") == 0)
			values[n] = database;
		n++;
	}
	for (i = 0; i < HXS_ARRAY_LEN(own); i++, n++) {
		keys[n] = own[i][0];
		values[n] = own[i][1];
	}
	for (i = 0; i < HXS_POSTGRES_PATIENCE; i++) {
		if (hxs_postgres_dsn_has(dsn, hxs_postgres_patience[i][0]))
			continue;
		keys[n] = hxs_postgres_patience[i][0];
		values[n++] = hxs_postgres_patience[i][1];
	}
	return dsn->pq->connect_start(keys, values, 0);
}

static double limit(const struct hxs_postgres_dsn *dsn)
{
	const PQconninfoOption *o;
	long n;

	for (o = dsn->options; o->keyword; o++) {
		if (strcmp(o->keyword, "connect_timeout") != 0 || !o->val)
			continue;
		n = strtol(o->val, NULL, 10);
		if (n > 0)
			return n < 2 ? 2 : (double)n;
	}
	return CONNECT_SECONDS;
}

/*
 * Until it stands or has failed: 0, -HXS_EDENIED if a server has answered,
 * -ECONNREFUSED, -ETIMEDOUT, -ECANCELED.
 */
static int follow(struct hxs_postgres *c)
{
	double end = hxs_clock_ticks() + limit(c->dsn);
	PostgresPollingStatusType what = PGRES_POLLING_WRITING;
	bool answered = false;
	struct pollfd fd;

	for (;;) {
		if (c->pq->status(c->conn) == CONNECTION_BAD)
			break;
		if (is_cancelled(c))
			return -ECANCELED;
		if (hxs_clock_ticks() > end)
			return -ETIMEDOUT;
		fd = (struct pollfd){ .fd = c->pq->socket(c->conn) };
		fd.events = what == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		if (poll(&fd, 1, POLL_MS) <= 0)
			continue;
		what = c->pq->connect_poll(c->conn);
		if (what == PGRES_POLLING_OK)
			return 0;
		if (what == PGRES_POLLING_FAILED)
			break;
		answered = c->pq->status(c->conn) != CONNECTION_STARTED;
	}
	return answered ? -HXS_EDENIED : -ECONNREFUSED;
}

static int refused(struct hxs_postgres *c, int r, const char *database,
		   struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf said = HXS_BUF_INIT;

	if (r == -ECANCELED || r == -ETIMEDOUT)
		return hxs_err_errno(err, -r, "cannot connect to database '%s'",
				     database);
	hxs_postgres_dsn_say(c->dsn, c->pq->error_message(c->conn), &said);
	return hxs_err_set(err, -r, "cannot connect to database '%s': %s",
			   database, hxs_buf_str(&said));
}

/* What a role or a database has set is not to get into our way. */
static int prepare(struct hxs_postgres *c, struct hxs_err *err)
{
	static const char sql[] =
		"SET statement_timeout = 0; SET lock_timeout = '30s'; "
		"SET idle_in_transaction_session_timeout = 0; "
		"SET default_transaction_read_only = off; "
		"SET synchronous_commit = on; "
		"SET default_transaction_isolation = 'read committed'; "
		"SET standard_conforming_strings = on; "
		"SET row_security = off; SET search_path = pg_catalog; "
		"SET client_min_messages = error";

	return hxs_postgres_do(c, "begin", sql, err);
}

int hxs_postgres_open(struct hxs_postgres *c, const struct hxs_system *sys,
		      const struct hxs_postgres_dsn *dsn, const char *database,
		      struct hxs_err *err)
{
	int r;

	hxs_postgres_close(c);
	c->pq = dsn->pq;
	c->dsn = dsn;
	c->sys = sys;
	c->database = strdup(database);
	if (c->database)
		c->conn = start(dsn, database);
	if (!c->conn)
		return hxs_err_errno(err, ENOMEM,
				     "cannot connect to database '%s'",
				     database);
	r = follow(c);
	if (r < 0) {
		r = refused(c, r, database, err);
		hxs_postgres_close(c);
		return r;
	}
	(void)c->pq->set_notice_receiver(c->conn, drop_notice, NULL);
	r = prepare(c, err);
	if (r < 0)
		hxs_postgres_close(c);
	return r;
}

int hxs_postgres_open_other(struct hxs_postgres *c,
			    const struct hxs_system *sys,
			    const struct hxs_postgres_dsn *dsn,
			    struct hxs_err *err)
{
	static const char *const names[] = { "postgres", "template1" };
	struct hxs_err why = HXS_ERR_INIT, first = HXS_ERR_INIT;
	int r = 0, first_r = 0;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(names); i++) {
		if (strcmp(names[i], dsn->database) == 0)
			continue;
		hxs_err_clear(&why);
		r = hxs_postgres_open(c, sys, dsn, names[i], &why);
		if (r == 0)
			return 0;
		if (!first_r) {
			first_r = r;
			first = why;
		}
		if (r != -HXS_EDENIED)
			break;
	}
	if (err)
		*err = first;
	return first_r;
}

int hxs_postgres_open_own(struct hxs_postgres *c, const struct hxs_system *sys,
			  const struct hxs_postgres_dsn *dsn,
			  struct hxs_err *err)
{
	struct hxs_postgres other = HXS_POSTGRES_INIT;
	HXS_AUTO_RESULT PGresult *res = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	bool missing = false;
	int r;

	r = hxs_postgres_open(c, sys, dsn, dsn->database, &why);
	/* The library tells no reason that a program could understand. */
	if (r == -HXS_EDENIED &&
	    hxs_postgres_open_other(&other, sys, dsn, NULL) == 0)
		missing =
			hxs_postgres_ask(&other, "look",
					 "SELECT 1 FROM pg_database "
					 "WHERE datname = $1",
					 &dsn->database, 1, &res, NULL) == 0 &&
			dsn->pq->ntuples(res) == 0;
	hxs_postgres_close(&other);
	if (missing)
		return hxs_err_set(err, HXS_ENOSUCH, "no database '%s'",
				   dsn->database);
	if (r < 0 && err)
		*err = why;
	return r;
}

/* ---- statements -------------------------------------------------------- */

static int code_of(const char *state)
{
	static const struct {
		const char *state; /* or the beginning of it */
		int code;
	} codes[] = {
		{ "53100", ENOSPC },	  { "42501", HXS_EDENIED },
		{ "28", HXS_EDENIED },	  { "55P03", HXS_EBUSY },
		{ "55006", HXS_EBUSY },	  { "40", HXS_EBUSY },
		{ "57P", ECONNRESET },	  { "08", ECONNRESET },
		{ "53200", ENOMEM },	  { "0A", HXS_EDENIED },
		{ "2BP01", HXS_EDENIED },
	};
	size_t i;

	for (i = 0; state && i < HXS_ARRAY_LEN(codes); i++)
		if (strncmp(state, codes[i].state, strlen(codes[i].state)) == 0)
			return codes[i].code;
	return state ? EIO : ECONNRESET;
}

static int failed(struct hxs_postgres *c, const PGresult *res, const char *what,
		  struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf raw = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf said = HXS_BUF_INIT;
	const char *text = NULL, *more = NULL, *state = NULL;

	if (res) {
		state = c->pq->result_error_field(res, PG_DIAG_SQLSTATE);
		text = c->pq->result_error_field(res, PG_DIAG_MESSAGE_PRIMARY);
		more = c->pq->result_error_field(res, PG_DIAG_MESSAGE_DETAIL);
	}
	(void)hxs_buf_puts(&raw, text ? text : c->pq->error_message(c->conn));
	if (more)
		(void)hxs_buf_printf(&raw, " (%s)", more);
	hxs_postgres_dsn_say(c->dsn, hxs_buf_str(&raw), &said);
	return hxs_err_set(err, code_of(state), "cannot %s: %s", what,
			   said.len ? hxs_buf_str(&said)
				    : "the server has gone");
}

/* Wait for what was sent; cancelled, the server is told so, once. */
static int wait_for_it(struct hxs_postgres *c, bool *stopped)
{
	struct pollfd fd = { .fd = c->pq->socket(c->conn), .events = POLLIN };
	char why[CANCEL_TEXT];
	PGcancel *cancel;

	while (c->pq->is_busy(c->conn)) {
		if (poll(&fd, 1, POLL_MS) > 0 && !c->pq->consume_input(c->conn))
			return -ECONNRESET;
		if (*stopped || !is_cancelled(c))
			continue;
		*stopped = true;
		cancel = c->pq->get_cancel(c->conn);
		/* If it cannot be told, what it does is waited for. */
		if (cancel)
			(void)c->pq->cancel(cancel, why, sizeof(why));
		c->pq->free_cancel(cancel);
	}
	return 0;
}

/* All the results of what was sent: the first that failed, else the last. */
static int collect(struct hxs_postgres *c, const char *what, PGresult **out,
		   struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *kept = NULL;
	ExecStatusType status = PGRES_COMMAND_OK;
	bool stopped = false, bad = false;
	PGresult *res;
	int r;

	for (;;) {
		r = wait_for_it(c, &stopped);
		res = r < 0 ? NULL : c->pq->get_result(c->conn);
		if (r < 0 || !res)
			break;
		if (bad) { /* the first is told */
			c->pq->clear(res);
			continue;
		}
		c->pq->clear(kept);
		kept = res;
		status = c->pq->result_status(res);
		bad = status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
	}
	if (r == 0 && kept && !bad) {
		if (out)
			*out = HXS_STEAL(kept);
		return 0;
	}
	if (stopped)
		return hxs_err_set(err, ECANCELED, "cannot %s: cancelled",
				   what);
	return failed(c, bad ? kept : NULL, what, err);
}

int hxs_postgres_ask(struct hxs_postgres *c, const char *what, const char *sql,
		     const char *const *values, int count, PGresult **out,
		     struct hxs_err *err)
{
	assert(c->pq); /* it was opened */
	if (!c->pq->send_query_params(c->conn, sql, count, NULL, values, NULL,
				      NULL, 0))
		return failed(c, NULL, what, err);
	return collect(c, what, out, err);
}

int hxs_postgres_do(struct hxs_postgres *c, const char *what, const char *sql,
		    struct hxs_err *err)
{
	if (!c->pq->send_query(c->conn, sql))
		return failed(c, NULL, what, err);
	return collect(c, what, NULL, err);
}
