/* Making the new database of what was captured, beside the old one. */
#include "source/postgres.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct staging {
	struct hxs_system *sys;
	const struct hxs_postgres_dsn *dsn;
	int dir;
	const char *path;
	struct hxs_postgres other; /* in which databases are made */
	struct hxs_postgres_run run;
	struct hxs_postgres_about about;
};

static int load(struct staging *s, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf where = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf dump = HXS_BUF_INIT;
	char jobs[24];
	const char *argv[] = {
		"pg_restore", "--exit-on-error", "--no-password",
		jobs,	      "--dbname",	 NULL, /* 5: where */
		NULL, /* 6: from what */
		NULL,
	};
	int r;

	(void)snprintf(jobs, sizeof(jobs), "--jobs=%u",
		       hxs_postgres_jobs(s->sys));
	r = hxs_postgres_dsn_text(s->dsn, s->sys->rec->staged, NULL, &where);
	if (r == 0)
		r = hxs_buf_printf(&dump, "%s/" HXS_POSTGRES_DUMP, s->path);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot run 'pg_restore'");
	argv[5] = where.data;
	argv[6] = dump.data;
	return hxs_postgres_run(&s->run, argv, NULL, err);
}

/* Look at it, and take it back to a point in time if that is wanted. */
static int finish(struct staging *s, struct hxs_err *err)
{
	HXS_AUTO_POSTGRES struct hxs_postgres c = HXS_POSTGRES_INIT;
	const char *staged = s->sys->rec->staged;
	int r;

	r = hxs_postgres_open(&c, s->sys, s->dsn, staged, err);
	if (r == 0)
		r = hxs_postgres_compare(&c, s->dir, false, err);
	if (r < 0)
		return r;
	r = hxs_postgres_furnish(&s->other, &s->about, staged, err);
	if (r < 0)
		return r;
	/* Anew, for its settings. */
	r = hxs_postgres_open(&c, s->sys, s->dsn, staged, err);
	if (r == 0 && s->sys->until)
		r = hxs_postgres_until(&c, s->sys, err);
	if (r == 0)
		r = hxs_postgres_do(&c, "gather statistics", "ANALYZE", err);
	return r;
}

static int stage(struct staging *s, struct hxs_err *err)
{
	int r;

	r = hxs_postgres_about_read(&s->about, s->dir, err);
	if (r < 0)
		return r;
	if (!s->about.whole || s->about.data_only)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: the snapshot has a part of "
				   "database '%s', and the configuration says "
				   "that it is whole",
				   s->about.name);
	r = hxs_postgres_run_init(&s->run, s->sys, s->dsn, err);
	if (r == 0)
		r = hxs_postgres_open_other(&s->other, s->sys, s->dsn, err);
	if (r == 0)
		r = hxs_postgres_fits(&s->other, &s->about, err);
	if (r == 0)
		r = hxs_postgres_lock(&s->other, err);
	if (r == 0)
		r = hxs_postgres_create(&s->other, &s->about,
					s->sys->rec->staged, err);
	if (r == 0)
		r = load(s, err);
	if (r == 0)
		r = finish(s, err);
	return r;
}

int hxs_postgres_whole_stage(struct hxs_system *sys, int dir, const char *path,
			     struct hxs_err *err)
{
	HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn dsn = { .options = NULL };
	struct staging s = {
		.sys = sys,
		.dsn = &dsn,
		.dir = dir,
		.path = path,
		.run = { .secret = -1 },
	};
	int r;

	r = hxs_postgres_dsn_init(&dsn, sys->src, err);
	if (r == 0)
		r = stage(&s, err);
	hxs_postgres_close(&s.other);
	hxs_postgres_run_release(&s.run);
	hxs_postgres_about_release(&s.about);
	return r;
}
