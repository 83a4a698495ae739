/*
 * A part of a database that is only tried. Beside the live database one is
 * made that has the same in it, but for the rows; there the part takes the
 * place that it would take in the live one, and its rows are counted. Keys
 * that lead out of the part are left out, since the rows that they lead to are
 * not there. Where rows come alone all keys are, and triggers, which might do
 * anything anywhere.
 */
#include "source/postgres_part.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define LIKE ".like" /* a directory beside the captured dump, for another one */

struct trial {
	struct hxs_postgres_load part;
	struct hxs_postgres other; /* in which databases are made */
	struct hxs_postgres_toc like; /* what the live one has */
	struct hxs_buf path; /* of the directory LIKE */
};

static void trial_release(struct trial *t)
{
	hxs_postgres_close(&t->other);
	hxs_postgres_close(&t->part.conn);
	hxs_postgres_run_release(&t->part.run);
	hxs_postgres_about_release(&t->part.about);
	hxs_postgres_toc_release(&t->part.toc);
	hxs_postgres_toc_release(&t->like);
	hxs_postgres_parts_release(&t->part.parts);
	hxs_postgres_dsn_release(&t->part.dsn);
	hxs_buf_release(&t->path);
}
#define HXS_AUTO_TRIAL __attribute__((cleanup(trial_release)))

static bool is_one_of(const struct hxs_postgres_entry *e,
		      const char *const *kinds, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (hxs_postgres_entry_is(e, kinds[i]))
			return true;
	return false;
}

/* ---- what is like the live one ----------------------------------------- */

static int dump_like(struct trial *t, struct hxs_err *err)
{
	struct hxs_postgres_load *l = &t->part;
	HXS_AUTO_BUF struct hxs_buf where = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf file = HXS_BUF_INIT;
	const char *argv[] = {
		"pg_dump",
		"--format=directory",
		"--schema-only",
		"--no-sync",
		"--no-password",
		"--no-owner",
		"--no-privileges",
		"--no-comments",
		"--no-publications",
		"--no-subscriptions",
		"--no-tablespaces",
		"--no-security-labels",
		"--file",
		NULL,
		"--dbname",
		NULL,
		NULL,
	};
	int r;

	r = hxs_postgres_dsn_text(&l->dsn, l->dsn.database, NULL, &where);
	if (r == 0)
		r = hxs_buf_printf(&t->path, "%s/" LIKE, l->path);
	if (r == 0)
		r = hxs_buf_printf(&file, "%s/" HXS_POSTGRES_DUMP,
				   t->path.data);
	if (r == 0 && mkdirat(l->dir, LIKE, 0700) < 0)
		r = -errno;
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot run 'pg_dump'");
	argv[HXS_ARRAY_LEN(argv) - 4] = file.data;
	argv[HXS_ARRAY_LEN(argv) - 2] = where.data;
	return hxs_postgres_run(&l->run, argv, NULL, err);
}

/* Everything but what acts by itself, or asks for rows of others. */
static void choose_like(struct trial *t)
{
	static const char *const never[] = { "EVENT TRIGGER" };
	static const char *const no_rows[] = { "FK CONSTRAINT", "TRIGGER" };
	size_t i;

	for (i = 0; i < t->like.count; i++) {
		struct hxs_postgres_entry *e = &t->like.entries[i];

		e->chosen = !is_one_of(e, never, HXS_ARRAY_LEN(never)) &&
			    !(t->part.about.data_only &&
			      is_one_of(e, no_rows, HXS_ARRAY_LEN(no_rows)));
	}
}

static int make_like(struct trial *t, struct hxs_err *err)
{
	struct hxs_postgres_load *l = &t->part;
	const char *staged = l->sys->rec->staged;
	HXS_AUTO_BUF struct hxs_buf where = HXS_BUF_INIT;
	int r;

	r = hxs_postgres_open_other(&t->other, l->sys, &l->dsn, err);
	if (r == 0)
		r = hxs_postgres_fits(&t->other, &l->about, err);
	if (r == 0)
		r = hxs_postgres_lock(&t->other, err);
	if (r == 0)
		r = hxs_postgres_create(&t->other, &l->about, staged, err);
	if (r == 0)
		r = dump_like(t, err);
	if (r == 0)
		r = hxs_postgres_toc_read(&t->like, &l->run, t->path.data, err);
	if (r < 0)
		return r;
	choose_like(t);
	r = hxs_postgres_dsn_text(&l->dsn, staged, NULL, &where);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot run 'pg_restore'");
	return hxs_postgres_restore_chosen(&l->run, &t->like, t->path.data,
					   "--dbname", where.data, err);
}

/*
 * That such a database cannot be made says nothing of the snapshot: -EIO,
 * by which a server tells that it does not want to, is not for that.
 */
static int not_made(struct trial *t, int r, struct hxs_err *err)
{
	int as = r == -EIO || r == -HXS_ECORRUPT ? -ENOTSUP : r;

	if (err)
		err->code = as;
	return hxs_err_prefix(err, as,
			      "a database like '%s' cannot be made to load a "
			      "part of it into",
			      t->part.dsn.database);
}

/* ---- the part ---------------------------------------------------------- */

/* Take back the choice of keys that need nothing unique in the dump. */
static void leave_keys_out(struct hxs_postgres_toc *toc)
{
	static const char *const unique[] = { "CONSTRAINT", "INDEX" };
	const struct hxs_postgres_entry *need;
	bool inside;
	size_t i, k;

	for (i = 0; i < toc->count; i++) {
		struct hxs_postgres_entry *e = &toc->entries[i];

		if (!hxs_postgres_entry_is(e, "FK CONSTRAINT"))
			continue;
		for (inside = false, k = 0; k < e->need_count; k++) {
			need = hxs_postgres_entry_by_id(toc, e->needs[k]);
			inside |=
				need && need->chosen &&
				is_one_of(need, unique, HXS_ARRAY_LEN(unique));
		}
		e->chosen = e->chosen && inside;
	}
}

/* What of the part is there goes, as it would from the live one. */
static int make_room(struct hxs_postgres_load *l, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	int r;

	if (l->about.data_only)
		return 0;
	(void)hxs_buf_puts(&sql, "BEGIN;\n");
	r = hxs_postgres_replace(l, &sql, err);
	(void)hxs_buf_puts(&sql, "COMMIT");
	return r < 0 ? r
		     : hxs_postgres_do_buf(&l->conn, "make room for a part",
					   &sql, err);
}

static int choose(struct hxs_postgres_load *l, struct hxs_err *err)
{
	struct hxs_journal_system *rec = l->sys->rec;
	int r;

	if (!rec->parts)
		rec->parts = hxs_postgres_parts_of(&l->about);
	if (!rec->parts)
		return hxs_err_errno(err, ENOMEM, "cannot list parts");
	r = hxs_postgres_parts_init(&l->parts, rec->parts, err);
	if (r == 0)
		r = hxs_postgres_toc_read(&l->toc, &l->run, l->path, err);
	if (r == 0)
		r = hxs_postgres_choose(l, err);
	if (r == 0)
		leave_keys_out(&l->toc);
	return r;
}

static int load(struct hxs_postgres_load *l, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf where = HXS_BUF_INIT;
	const char *staged = l->sys->rec->staged;
	int r;

	r = hxs_postgres_open(&l->conn, l->sys, &l->dsn, staged, err);
	if (r == 0)
		r = choose(l, err);
	if (r == 0)
		r = make_room(l, err);
	if (r < 0)
		return r;
	r = hxs_postgres_dsn_text(&l->dsn, staged, NULL, &where);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot run 'pg_restore'");
	r = hxs_postgres_restore_chosen(&l->run, &l->toc, l->path, "--dbname",
					where.data, err);
	return r < 0 ? r : hxs_postgres_compare(&l->conn, l->dir, true, err);
}

int hxs_postgres_part_try(struct hxs_system *sys, int dir, const char *path,
			  struct hxs_err *err)
{
	HXS_AUTO_TRIAL struct trial t = {
		.part = { .sys = sys,
			  .dir = dir,
			  .path = path,
			  .run = { .secret = -1 } },
		.path = HXS_BUF_INIT,
	};
	struct hxs_postgres_load *l = &t.part;
	int r;

	r = hxs_postgres_about_read(&l->about, dir, err);
	if (r == 0)
		r = hxs_postgres_dsn_init(&l->dsn, sys->src, err);
	if (r == 0)
		r = hxs_postgres_run_init(&l->run, sys, &l->dsn, err);
	if (r < 0)
		return r;
	r = make_like(&t, err);
	return r < 0 ? not_made(&t, r, err) : load(l, err);
}
