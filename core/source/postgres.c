/* Sources that are a PostgreSQL database: what decides between the kinds. */
#include "source/postgres.h"
#include "source/postgres_part.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool hxs_postgres_is_part(const struct hxs_system *sys)
{
	const struct hxs_config_postgres *conf = &sys->src->postgres;

	if (sys->rec && sys->rec->marker)
		return true;
	return conf->data_only || conf->schema_count || conf->table_count ||
	       (sys->rec && sys->rec->parts);
}

/* ---- before anything is made ------------------------------------------- */

static int check_programs(struct hxs_system *sys,
			  const struct hxs_postgres_dsn *dsn,
			  struct hxs_err *err)
{
	static const char *const names[] = { "pg_dump", "pg_restore", "psql" };
	HXS_AUTO_POSTGRES_RUN struct hxs_postgres_run run = { .secret = -1 };
	size_t i;
	int r;

	r = hxs_postgres_run_init(&run, sys, dsn, err);
	for (i = 0; r == 0 && i < HXS_ARRAY_LEN(names); i++) {
		const char *const argv[] = { names[i], "--version", NULL };

		r = hxs_postgres_run(&run, argv, NULL, err);
	}
	return r;
}

static int probe(struct hxs_system *sys, struct hxs_err *err)
{
	HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn dsn = { .options = NULL };
	HXS_AUTO_POSTGRES struct hxs_postgres c = HXS_POSTGRES_INIT;
	int r;

	r = hxs_postgres_dsn_init(&dsn, sys->src, err);
	if (r == 0)
		r = check_programs(sys, &dsn, err);
	if (r < 0)
		return r;
	if (hxs_postgres_is_part(sys))
		return hxs_postgres_open_own(&c, sys, &dsn, err);
	return hxs_postgres_open_other(&c, sys, &dsn, err);
}

/* Whether this role may make databases, and give the old one another name. */
static int check_rights(struct hxs_postgres *c, struct hxs_err *err)
{
	static const char sql[] =
		"SELECT rolsuper OR rolcreatedb, rolsuper OR NOT EXISTS ("
		"SELECT 1 FROM pg_database WHERE datname = $1 AND "
		"NOT pg_has_role(datdba, 'MEMBER')) FROM pg_roles "
		"WHERE rolname = current_user";
	const char *name = c->dsn->database;
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r;

	r = hxs_postgres_ask(c, "look at its rights", sql, &name, 1, &res, err);
	if (r < 0)
		return r;
	if (*hxs_postgres_get(c, res, 0, 0) != 't')
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: this role may not create "
				   "databases, and database '%s' is restored "
				   "into a new one",
				   name);
	/* A part that is tried takes no other's name. */
	if (*hxs_postgres_get(c, res, 0, 1) != 't' &&
	    !hxs_postgres_is_part(c->sys))
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: this role does not own database "
				   "'%s', and may not rename it",
				   name);
	return 0;
}

static int plan(struct hxs_system *sys, struct hxs_err *err)
{
	HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn dsn = { .options = NULL };
	HXS_AUTO_POSTGRES struct hxs_postgres c = HXS_POSTGRES_INIT;
	struct hxs_journal_system *rec = sys->rec;
	bool part = hxs_postgres_is_part(sys);
	bool marked = part && !sys->trial;
	char **to = marked ? &rec->marker : &rec->staged;
	char rnd[17];
	int r;

	r = hxs_postgres_dsn_init(&dsn, sys->src, err);
	if (r < 0)
		return r;
	if (part && sys->until)
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': only a whole database can be "
				   "taken back to a point in time",
				   sys->src->name);
	if (!marked) {
		r = hxs_postgres_open_other(&c, sys, &dsn, err);
		if (r == 0)
			r = check_rights(&c, err);
		if (r < 0)
			return r;
	}
	r = hxs_postgres_random(rnd);
	if (r == 0 && asprintf(to, "hxsnap_%s", rnd) < 0) {
		*to = NULL;
		r = -ENOMEM;
	}
	rec->name = r < 0 ? NULL : strdup(dsn.database);
	if (r == 0 && !rec->name)
		r = -ENOMEM;
	return r < 0 ? hxs_err_errno(err, -r, "cannot plan a restore of '%s'",
				     sys->src->name)
		     : 0;
}

/* ---- one kind or the other --------------------------------------------- */

static int stage(struct hxs_system *sys, int dir, const char *path,
		 struct hxs_err *err)
{
	if (!hxs_postgres_is_part(sys))
		return hxs_postgres_whole_stage(sys, dir, path, err);
	return sys->trial ? hxs_postgres_part_try(sys, dir, path, err)
			  : hxs_postgres_part_stage(sys, dir, path, err);
}

static int intend(struct hxs_system *sys, struct hxs_err *err)
{
	return hxs_postgres_is_part(sys) ? 0
					 : hxs_postgres_whole_intend(sys, err);
}

static int swap(struct hxs_system *sys, int dir, const char *path,
		struct hxs_err *err)
{
	return hxs_postgres_is_part(sys)
		       ? hxs_postgres_part_swap(sys, dir, path, err)
		       : hxs_postgres_whole_swap(sys, err);
}

static int back(struct hxs_system *sys, int dir, const char *path,
		struct hxs_err *err)
{
	return sys->rec->marker ? hxs_postgres_part_back(sys, dir, path, err)
				: hxs_postgres_whole_back(sys, err);
}

static int clean(struct hxs_system *sys, bool ahead, struct hxs_err *err)
{
	if (sys->rec->marker)
		return hxs_postgres_part_clean(sys, err);
	/* Cut short before there was a name: then there is nothing else. */
	return sys->rec->staged ? hxs_postgres_whole_clean(sys, ahead, err) : 0;
}

const struct hxs_system_ops hxs_system_postgres = {
	.kind = HXS_SOURCE_POSTGRES,
	.fetch = hxs_postgres_fetch,
	.probe = probe,
	.plan = plan,
	.stage = stage,
	.intend = intend,
	.swap = swap,
	.back = back,
	.clean = clean,
	.sweep = hxs_postgres_sweep,
	.part_fault = hxs_postgres_part_fault,
};
