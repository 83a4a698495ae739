/*
 * Capturing: one transaction that only reads, whose state pg_dump's
 * connections share, and in which rows are counted.
 */
#include "source/postgres_mark.h"

#include "base/io.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PG_CLASS 1259 /* catalogs' OIDs, the same on every server */
#define PG_NAMESPACE 2615
#define PG_PROC 1255
#define PG_TYPE 1247

struct fetch {
	struct hxs_system *sys;
	const struct hxs_config_postgres *conf;
	int dir;
	const char *path;
	struct hxs_postgres conn;
	struct hxs_postgres_run run;
	struct hxs_postgres_about about;
	struct hxs_postgres_toc toc;
	PGresult *stamps; /* NULL: no mark is wanted */
	char *snapshot;
};

/* ---- pg_dump ----------------------------------------------------------- */

/* Its arguments; what was put together for them. */
struct args {
	const char **argv;
	size_t count;
	char *made[8];
	size_t made_count;
};

static void args_release(struct args *a)
{
	size_t i;

	for (i = 0; i < a->made_count; i++)
		free(a->made[i]);
	free(a->argv);
}

static int add_made(struct args *a, const char *option, const char *value)
{
	char **to = &a->made[a->made_count];

	assert(a->made_count < HXS_ARRAY_LEN(a->made));
	if (asprintf(to, "%s%s", option, value) < 0)
		return -ENOMEM;
	a->made_count++;
	a->argv[a->count++] = *to;
	return 0;
}

static int add_options(const struct fetch *f, struct args *a)
{
	const struct hxs_config_postgres *conf = f->conf;
	HXS_AUTO_BUF struct hxs_buf where = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf file = HXS_BUF_INIT;
	char number[16];
	size_t i;
	int r;

	r = hxs_postgres_dsn_text(f->run.dsn, f->run.dsn->database, NULL,
				  &where);
	if (r == 0)
		r = add_made(a, "--dbname=", where.data);
	if (r == 0)
		r = add_made(a, "--snapshot=", f->snapshot);
	(void)snprintf(number, sizeof(number), "%u", hxs_postgres_jobs(f->sys));
	if (r == 0)
		r = add_made(a, "--jobs=", number);
	(void)snprintf(number, sizeof(number), "%d", conf->compress);
	if (r == 0 && conf->compress >= 0)
		r = add_made(a, "--compress=", number);
	(void)hxs_buf_printf(&file, "%s/" HXS_POSTGRES_DUMP, f->path);
	if (r == 0)
		r = hxs_buf_status(&file);
	if (r == 0)
		r = add_made(a, "--file=", file.data);
	if (r < 0)
		return r;
	if (conf->data_only)
		a->argv[a->count++] = "--data-only";
	if (f->about.whole)
		a->argv[a->count++] = "--blobs";
	for (i = 0; i < conf->schema_count; i++) {
		a->argv[a->count++] = "--schema";
		a->argv[a->count++] = conf->schemas[i];
	}
	for (i = 0; i < conf->table_count; i++) {
		a->argv[a->count++] = "--table";
		a->argv[a->count++] = conf->tables[i];
	}
	return 0;
}

static int dump(struct fetch *f, struct hxs_err *err)
{
	static const char *const first[] = { "pg_dump", "--format=directory",
					     "--no-sync", "--no-password" };
	const struct hxs_config_postgres *conf = f->conf;
	struct args a = { .argv = NULL };
	size_t n = HXS_ARRAY_LEN(first) + HXS_ARRAY_LEN(a.made) + 3 +
		   2 * (conf->schema_count + conf->table_count);
	int r = -ENOMEM;

	a.argv = calloc(n, sizeof(*a.argv));
	if (a.argv) {
		memcpy(a.argv, first, sizeof(first));
		a.count = HXS_ARRAY_LEN(first);
		r = add_options(f, &a);
	}
	if (r < 0)
		r = hxs_err_errno(err, -r, "cannot run 'pg_dump'");
	else
		r = hxs_postgres_run(&f->run, a.argv, NULL, err);
	args_release(&a);
	return r;
}

/* ---- what is in it ----------------------------------------------------- */

static int begin(struct fetch *f, struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r;

	r = hxs_postgres_do(&f->conn, "begin a transaction",
			    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
			    err);
	if (r == 0)
		r = hxs_postgres_ask(&f->conn, "export its state",
				     "SELECT pg_export_snapshot()", NULL, 0,
				     &res, err);
	if (r < 0)
		return r;
	f->snapshot = strdup(hxs_postgres_get(&f->conn, res, 0, 0));
	return f->snapshot
		       ? 0
		       : hxs_err_errno(err, ENOMEM, "cannot export its state");
}

/* Schemas and what is like a table, of those that are in the dump. */
static int look_at_things(struct fetch *f, struct hxs_err *err)
{
	static const char sql[] =
		"SELECT nspname, NULL AS relname, n.oid, 'n' FROM "
		"pg_namespace n WHERE nspname !~ '^pg_' AND "
		"nspname <> 'information_schema' AND ($5::bool OR "
		"n.oid = ANY ($1::oid[]) OR n.oid IN ("
		"SELECT relnamespace FROM pg_class WHERE oid = "
		"ANY ($2::oid[] || $6::oid[]) "
		"UNION SELECT pronamespace FROM pg_proc WHERE oid = "
		"ANY ($3::oid[]) "
		"UNION SELECT typnamespace FROM pg_type WHERE oid = "
		"ANY ($4::oid[]))) "
		"UNION ALL SELECT nspname, relname, c.oid, relkind::text "
		"FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
		"WHERE c.oid = ANY ($2::oid[] || $6::oid[]) "
		"AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f') ORDER BY 1, 2";
	static const uint32_t catalogs[] = { PG_NAMESPACE, PG_CLASS, PG_PROC,
					     PG_TYPE };
	struct hxs_buf list[HXS_ARRAY_LEN(catalogs) + 1] = { HXS_BUF_INIT };
	struct hxs_postgres_about *a = &f->about;
	HXS_AUTO_RESULT PGresult *res = NULL;
	const char *values[6];
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < HXS_ARRAY_LEN(list); i++)
		r = hxs_postgres_toc_oids(&f->toc,
					  i < HXS_ARRAY_LEN(catalogs)
						  ? catalogs[i]
						  : 0,
					  &list[i]);
	for (i = 0; i < HXS_ARRAY_LEN(catalogs); i++)
		values[i] = hxs_buf_str(&list[i]);
	values[4] = a->whole ? "t" : "f";
	values[5] = hxs_buf_str(&list[4]); /* data alone tells of tables, too */
	r = r < 0 ? hxs_err_errno(err, -r, "cannot list what was dumped")
		  : hxs_postgres_ask(&f->conn, "list what was dumped", sql,
				     values, 6, &res, err);
	for (i = 0; i < HXS_ARRAY_LEN(list); i++)
		hxs_buf_release(&list[i]);
	if (r < 0)
		return r;
	a->things = calloc((size_t)f->conn.pq->ntuples(res) + 1,
			   sizeof(*a->things));
	for (i = 0; a->things && i < (size_t)f->conn.pq->ntuples(res); i++) {
		struct hxs_postgres_thing *t = &a->things[a->thing_count++];
		const char *name = hxs_postgres_get(&f->conn, res, (int)i, 1);

		t->schema = strdup(hxs_postgres_get(&f->conn, res, (int)i, 0));
		t->kind = *hxs_postgres_get(&f->conn, res, (int)i, 3);
		t->name = t->kind == 'n' ? NULL : strdup(name);
		t->oid = hxs_postgres_get_oid(&f->conn, res, (int)i, 2);
		if (!t->schema || (t->kind != 'n' && !t->name))
			return hxs_err_errno(err, ENOMEM,
					     "cannot list what was dumped");
	}
	return a->things ? 0
			 : hxs_err_errno(err, ENOMEM,
					 "cannot list what was dumped");
}

static int note_program(struct fetch *f, struct hxs_err *err)
{
	const char *const argv[] = { "pg_dump", "--version", NULL };
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	int r;

	r = hxs_postgres_run(&f->run, argv, &out, err);
	if (r < 0)
		return r;
	while (out.len && out.data[out.len - 1] == '\n')
		hxs_buf_truncate(&out, out.len - 1);
	f->about.dump_text = hxs_buf_steal(&out, NULL);
	return f->about.dump_text
		       ? 0
		       : hxs_err_errno(err, ENOMEM, "cannot run 'pg_dump'");
}

/* ---- all of it --------------------------------------------------------- */

static int close_file(const char *name, unsigned char type HXS_UNUSED,
		      void *ctx)
{
	HXS_AUTO_CLOSE int fd = hxs_io_open_regular(*(int *)ctx, name, NULL);

	if (fd < 0)
		return fd;
	return fchmod(fd, 0600) < 0 ? -errno : 0;
}

/* Nobody else gets to see what pg_dump wrote: it made it by our umask. */
static int close_files(const struct fetch *f, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = hxs_io_open_dir(f->dir, HXS_POSTGRES_DUMP);
	int r = fd;

	if (fd >= 0)
		r = fchmod(fd, 0700) < 0 ? -errno
					 : hxs_io_list(fd, close_file, &fd);
	return r < 0 ? hxs_err_errno(err, -r, "cannot look at the dump") : 0;
}

static int fetch(struct fetch *f, const struct hxs_postgres_dsn *dsn,
		 struct hxs_err *err)
{
	int r;

	r = hxs_postgres_run_init(&f->run, f->sys, dsn, err);
	if (r == 0)
		r = hxs_postgres_open_own(&f->conn, f->sys, dsn, err);
	if (r == 0 && f->sys->mark_out)
		r = hxs_postgres_stamps(&f->conn, &f->stamps, err);
	if (r == 0)
		r = begin(f, err);
	if (r == 0)
		r = hxs_postgres_look(&f->conn, &f->about, err);
	if (r == 0)
		r = note_program(f, err);
	if (r == 0)
		r = dump(f, err);
	if (r == 0)
		r = close_files(f, err);
	if (r == 0)
		r = hxs_postgres_toc_read(&f->toc, &f->run, f->path, err);
	if (r == 0)
		r = look_at_things(f, err);
	if (r == 0)
		r = hxs_postgres_count(&f->conn, &f->toc, f->dir, err);
	if (r == 0 && f->stamps)
		r = hxs_postgres_mark(&f->conn, &f->toc, f->about.whole,
				      f->stamps, f->sys->mark_out, err);
	if (r == 0)
		r = hxs_postgres_about_write(&f->about, f->dir, err);
	return r;
}

int hxs_postgres_fetch(struct hxs_system *sys, int dir, const char *path,
		       struct hxs_err *err)
{
	const struct hxs_config_postgres *conf = &sys->src->postgres;
	HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn dsn = { .options = NULL };
	struct fetch f = {
		.sys = sys,
		.conf = conf,
		.dir = dir,
		.path = path,
		.run = { .secret = -1 },
		.about = { .whole = !conf->schema_count && !conf->table_count,
			   .data_only = conf->data_only,
			   .by_table = conf->table_count > 0 },
	};
	int r;

	r = hxs_postgres_dsn_init(&dsn, sys->src, err);
	if (r == 0)
		r = fetch(&f, &dsn, err);
	if (f.stamps)
		f.conn.pq->clear(f.stamps);
	hxs_postgres_close(&f.conn);
	hxs_postgres_run_release(&f.run);
	hxs_postgres_about_release(&f.about);
	hxs_postgres_toc_release(&f.toc);
	free(f.snapshot);
	return r;
}
