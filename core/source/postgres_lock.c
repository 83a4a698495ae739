/*
 * One at a time. Whoever makes, exchanges or removes a database of a source
 * first takes a lock that the server gives back when the connection ends. A
 * process of ours that was killed may have left a statement running there:
 * it ends, or is ended, before anybody looks at what it has done.
 */
#include "source/postgres.h"

#include "base/clock.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#define WAIT_SECONDS 30
#define WAIT_MS 20

int hxs_postgres_lock(struct hxs_postgres *c, struct hxs_err *err)
{
	static const char end_others[] =
		"SELECT pg_terminate_backend(pid) FROM pg_locks "
		"WHERE locktype = 'advisory' AND objsubid = 1 AND granted "
		"AND pid <> pg_backend_pid() AND database = (SELECT oid FROM "
		"pg_database WHERE datname = current_database()) "
		"AND ((classid::bigint << 32) | objid::bigint) = $1::bigint";
	double end = hxs_clock_ticks() + WAIT_SECONDS;
	char text[24];
	const char *values[] = { text };
	int64_t key = 0;
	int r;

	r = hxs_postgres_key(c, &key, err);
	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "%" PRId64, key);
	for (;;) {
		HXS_AUTO_RESULT PGresult *res = NULL;

		r = hxs_postgres_ask(c, "wait for others",
				     "SELECT pg_try_advisory_lock($1::bigint)",
				     values, 1, &res, err);
		if (r < 0 || *hxs_postgres_get(c, res, 0, 0) == 't')
			return r;
		if (hxs_clock_ticks() > end)
			break;
		r = hxs_postgres_ask(c, "end what was left behind", end_others,
				     values, 1, NULL, err);
		if (r < 0)
			return r;
		(void)poll(NULL, 0, WAIT_MS);
	}
	return hxs_err_set(err, HXS_EBUSY,
			   "a process that was left behind is still at work "
			   "in database '%s' after %d s",
			   c->database, WAIT_SECONDS);
}
