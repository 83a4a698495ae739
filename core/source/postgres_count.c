/*
 * How many rows each table has: counted in the very state that is dumped, and
 * again in what was restored from it.
 */
#include "source/postgres.h"

#include "base/io.h"
#include "base/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_BYTES 4096 /* of one table's file */

/* Tables whose rows are dumped as they are; extensions keep their own. */
#define TABLES                                                               \
	"FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "       \
	"WHERE NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = c.oid AND " \
	"classid = 'pg_class'::regclass AND deptype = 'e') "

int hxs_postgres_write(int dir, const char *name, const struct hxs_buf *text)
{
	HXS_AUTO_CLOSE int fd = -1;

	fd = hxs_io_open_beneath(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return fd;
	if (fchmod(fd, 0600) < 0)
		return -errno;
	return hxs_io_write_full(fd, text->data, text->len);
}

/* The rows of table @name in @schema, as a number in *@out. */
static int count(struct hxs_postgres *c, const char *schema, const char *name,
		 uint64_t *out, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf what = HXS_BUF_INIT;
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r;

	(void)hxs_buf_printf(&what, "count the rows of '%s.%s'", schema, name);
	(void)hxs_buf_puts(&sql, "SELECT count(*) FROM ONLY ");
	(void)hxs_postgres_put_name(c, &sql, schema);
	(void)hxs_buf_putc(&sql, '.');
	(void)hxs_postgres_put_name(c, &sql, name);
	r = hxs_buf_status(&sql);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot count rows");
	r = hxs_postgres_ask(c, hxs_buf_str(&what), sql.data, NULL, 0, &res,
			     err);
	if (r == 0)
		*out = strtoull(hxs_postgres_get(c, res, 0, 0), NULL, 10);
	return r;
}

/* schemas/SCHEMA/TABLE */
static int file_name(const char *schema, const char *name, struct hxs_buf *out)
{
	(void)hxs_buf_puts(out, HXS_POSTGRES_TABLES "/");
	(void)hxs_postgres_put_file(out, schema);
	if (name) {
		(void)hxs_buf_putc(out, '/');
		(void)hxs_postgres_put_file(out, name);
	}
	return hxs_buf_status(out);
}

static int write_count(int dir, const char *schema, const char *name,
		       uint64_t rows)
{
	HXS_AUTO_BUF struct hxs_buf folder = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf file = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	int r;

	r = file_name(schema, NULL, &folder);
	if (r == 0)
		r = file_name(schema, name, &file);
	if (r == 0)
		r = hxs_buf_printf(&text, "{\"rows\": %" PRIu64 "}\n", rows);
	if (r == 0)
		r = hxs_io_mkdirs(dir, folder.data, 0700);
	return r < 0 ? r : hxs_postgres_write(dir, file.data, &text);
}

/*
 * A table that was truncated, or written anew by ALTER TABLE, since the state
 * was settled is empty in it, whatever it held then: @oids are those that are.
 * VACUUM FULL and CLUSTER give it another file, too, with all its rows, each as
 * old as it was. By now it is locked.
 */
static int check_files(struct hxs_postgres *c, const char *oids,
		       struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r;

	r = hxs_postgres_ask(c, "look at its tables",
			     "SELECT nspname, relname " TABLES
			     "AND c.oid = ANY ($1::oid[]) AND relkind = 'r' "
			     "AND relfilenode <> pg_relation_filenode(c.oid) "
			     "ORDER BY 1, 2",
			     &oids, 1, &res, err);
	if (r < 0 || c->pq->ntuples(res) == 0)
		return r;
	return hxs_err_set(err, HXS_EBUSY,
			   "table '%s.%s' was truncated or written anew while "
			   "it was captured",
			   hxs_postgres_get(c, res, 0, 0),
			   hxs_postgres_get(c, res, 0, 1));
}

int hxs_postgres_count(struct hxs_postgres *c,
		       const struct hxs_postgres_toc *toc, int dir,
		       struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf oids = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf empty = HXS_BUF_INIT;
	HXS_AUTO_RESULT PGresult *res = NULL;
	const char *values[1], *schema, *name, *comma = "{";
	uint64_t rows = 0;
	int r, i, n;

	r = hxs_postgres_toc_oids(toc, 0, &oids);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot count rows");
	values[0] = hxs_buf_str(&oids);
	r = hxs_postgres_ask(c, "list its tables",
			     "SELECT nspname, relname, c.oid " TABLES
			     "AND c.oid = ANY ($1::oid[]) ORDER BY 1, 2",
			     values, 1, &res, err);
	n = r < 0 ? 0 : c->pq->ntuples(res);
	for (i = 0; r == 0 && i < n; i++) {
		schema = hxs_postgres_get(c, res, i, 0);
		name = hxs_postgres_get(c, res, i, 1);
		r = count(c, schema, name, &rows, err);
		if (r < 0)
			break;
		r = write_count(dir, schema, name, rows);
		if (r < 0)
			return hxs_err_errno(err, -r,
					     "cannot note the rows of '%s.%s'",
					     schema, name);
		if (rows)
			continue;
		(void)hxs_buf_printf(&empty, "%s%s", comma,
				     hxs_postgres_get(c, res, i, 2));
		comma = ",";
	}
	if (r < 0 || *comma == '{')
		return r;
	if (hxs_buf_puts(&empty, "}") < 0)
		return hxs_err_errno(err, ENOMEM, "cannot count rows");
	return check_files(c, empty.data, err);
}

/* ---- comparing --------------------------------------------------------- */

static int read_count(int dir, const char *schema, const char *name,
		      int64_t *rows, struct hxs_err *err)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	HXS_AUTO_BUF struct hxs_buf file = HXS_BUF_INIT;
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	const struct hxs_json *v;
	size_t len = 0;
	int r;

	r = file_name(schema, name, &file);
	if (r == 0)
		r = fd = hxs_io_open_regular(dir, file.data, NULL);
	if (r >= 0)
		r = hxs_io_read_all(fd, MAX_BYTES, &text, &len);
	if (r == -ENOENT)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "table '%s.%s' was restored, and was not "
				   "captured",
				   schema, name);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot read '%s'",
				     hxs_buf_str(&file));
	r = hxs_json_parse(text, len, &doc, err);
	if (r < 0)
		return hxs_err_prefix(err, r, "'%s'", file.data);
	v = hxs_json_get(hxs_json_root(doc), "rows");
	if (!v)
		return hxs_err_set(err, HXS_ECORRUPT, "'%s' tells no rows",
				   file.data);
	return hxs_json_int(v, rows, err);
}

struct tally {
	int dir; /* of one schema, or of all; counted below it */
	uint64_t files;
};

static int add_file(const char *name HXS_UNUSED, unsigned char type HXS_UNUSED,
		    void *ctx)
{
	((struct tally *)ctx)->files++;
	return 0;
}

static int add_schema(const char *name, unsigned char type HXS_UNUSED,
		      void *ctx)
{
	struct tally *t = ctx;
	HXS_AUTO_CLOSE int fd = hxs_io_open_dir(t->dir, name);

	return fd < 0 ? fd : hxs_io_list(fd, add_file, t);
}

static int count_files(int dir, uint64_t *out, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = hxs_io_open_dir(dir, HXS_POSTGRES_TABLES);
	struct tally t = { .dir = fd };
	int r;

	if (fd == -ENOENT) /* it had no tables */
		r = 0;
	else
		r = fd < 0 ? fd : hxs_io_list(fd, add_schema, &t);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list '%s'",
				     HXS_POSTGRES_TABLES);
	*out = t.files;
	return 0;
}

/* Whether it was captured: 1, 0, or negative. */
static int is_captured(int dir, const char *schema, const char *name,
		       struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf file = HXS_BUF_INIT;
	struct stat st;
	int r = file_name(schema, name, &file);

	if (r == 0 && fstatat(dir, file.data, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	return r < 0 ? hxs_err_errno(err, -r, "cannot look at '%s'",
				     hxs_buf_str(&file))
		     : 1;
}

static int compare_one(struct hxs_postgres *c, int dir, const char *schema,
		       const char *name, bool view, struct hxs_err *err)
{
	uint64_t found = 0;
	int64_t rows = 0;
	int r;

	r = read_count(dir, schema, name, &rows, err);
	/* What a view gives may have changed since it was last refreshed. */
	if (r < 0 || view)
		return r < 0 ? r : 0;
	r = count(c, schema, name, &found, err);
	if (r < 0 || found == (uint64_t)rows)
		return r;
	return hxs_err_set(err, HXS_ECORRUPT,
			   "table '%s.%s' came back with %" PRIu64 " rows "
			   "instead of %" PRId64,
			   schema, name, found, rows);
}

int hxs_postgres_compare(struct hxs_postgres *c, int dir, bool part,
			 struct hxs_err *err)
{
	HXS_AUTO_RESULT PGresult *res = NULL;
	uint64_t files = 0, found = 0;
	int r, i, n;

	r = hxs_postgres_ask(c, "list its tables",
			     "SELECT nspname, relname, relkind " TABLES
			     "AND relpersistence <> 't' AND (relkind = 'r' OR "
			     "relkind = 'm' AND relispopulated) AND nspname !~ "
			     "'^pg_' AND "
			     "nspname <> 'information_schema' ORDER BY 1, 2",
			     NULL, 0, &res, err);
	n = r < 0 ? 0 : c->pq->ntuples(res);
	for (i = 0; r == 0 && i < n; i++) {
		const char *schema = hxs_postgres_get(c, res, i, 0);
		const char *name = hxs_postgres_get(c, res, i, 1);

		r = part ? is_captured(dir, schema, name, err) : 1;
		if (r <= 0)
			continue;
		found++;
		r = compare_one(c, dir, schema, name,
				*hxs_postgres_get(c, res, i, 2) == 'm', err);
	}
	if (r == 0)
		r = count_files(dir, &files, err);
	if (r == 0 && files != found)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "%" PRIu64
				   " tables came back instead of %" PRIu64,
				   found, files);
	return r;
}
