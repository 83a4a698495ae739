/*
 * Loading a part: one script in one transaction.
 *
 * psql may outlive us if we are killed. So our own connection holds a lock
 * that the script looks for when it begins: one that begins when we have gone
 * ends itself, and one that had begun is found and ended by whoever comes to
 * see what was done (postgres_part.c).
 */
#include "source/postgres_mark.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PATH 64 /* of a file that we hold, for programs */

/* The number that stands for a load, which its marker has in its name. */
static int64_t load_key(const struct hxs_postgres_load *l)
{
	const char *digits = strrchr(l->sys->rec->marker, '_');

	return (int64_t)strtoull(digits ? digits + 1 : "0", NULL, 16);
}

static int hold(struct hxs_postgres_load *l, struct hxs_err *err)
{
	char text[24];
	const char *values[] = { text };

	(void)snprintf(text, sizeof(text), "%" PRId64, load_key(l));
	return hxs_postgres_ask(&l->conn, "take a lock",
				"SELECT pg_advisory_lock($1::bigint)", values,
				1, NULL, err);
}

/* ---- files ------------------------------------------------------------- */

static int put_file(const struct hxs_buf *text, char path[PATH])
{
	HXS_AUTO_CLOSE int fd = memfd_create("hxsnap", MFD_CLOEXEC);
	int r = hxs_buf_status(text);

	if (fd < 0)
		return -errno;
	if (r == 0)
		r = hxs_io_write_full(fd, hxs_buf_str(text), text->len);
	(void)snprintf(path, PATH, "/proc/%d/fd/%d", (int)getpid(), fd);
	return r < 0 ? r : HXS_STEAL_FD(fd);
}

/* One without a name beside what was staged: all the rows go through it. */
static int make_file(const struct hxs_postgres_load *l, char path[PATH])
{
	int fd = openat(l->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 &&
	    (errno == EOPNOTSUPP || errno == EROFS || errno == EACCES))
		fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)snprintf(path, PATH, "/proc/%d/fd/%d", (int)getpid(), fd);
	return fd;
}

int hxs_postgres_restore_chosen(struct hxs_postgres_run *run,
				const struct hxs_postgres_toc *toc,
				const char *from, const char *option,
				const char *to, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf list = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf dump = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	char path[PATH];
	const char *argv[] = {
		"pg_restore",
		"--no-password",
		"--exit-on-error",
		"-L",
		path,
		option,
		to,
		NULL, /* 7: from what */
		NULL,
	};
	size_t i;
	int r;

	for (i = 0; i < toc->count; i++)
		if (toc->entries[i].chosen)
			(void)hxs_buf_printf(&list, "%" PRIu32 ";\n",
					     toc->entries[i].id);
	r = hxs_buf_printf(&dump, "%s/" HXS_POSTGRES_DUMP, from);
	argv[7] = hxs_buf_str(&dump);
	if (r == 0)
		r = fd = put_file(&list, path);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot run 'pg_restore'");
	return hxs_postgres_run(run, argv, NULL, err);
}

/* ---- the transaction --------------------------------------------------- */

static int put_begin(struct hxs_postgres_load *l, struct hxs_buf *out,
		     struct hxs_err *err)
{
	(void)hxs_buf_printf(out,
			     "SET search_path = pg_catalog;\n"
			     "SET row_security = off;\n"
			     "SET client_encoding = 'UTF8';\n"
			     "SET client_min_messages = error;\n"
			     "SET statement_timeout = 0;\n"
			     "SET default_transaction_read_only = off;\n"
			     "SET transaction_read_only = off;\n"
			     "SET standard_conforming_strings = on;\n"
			     "SET lock_timeout = '30s';\n"
			     "SET synchronous_commit = on;\n"
			     "SELECT 1 / (CASE WHEN pg_try_advisory_xact_lock"
			     "(%" PRId64 ") THEN 0 ELSE 1 END);\n",
			     load_key(l));
	return l->about.data_only ? hxs_postgres_replace_rows(l, out, err)
				  : hxs_postgres_replace(l, out, err);
}

static int put_end(struct hxs_postgres_load *l, bool undo, struct hxs_buf *out)
{
	(void)hxs_buf_puts(out, undo ? "DROP SCHEMA " : "CREATE SCHEMA ");
	(void)hxs_postgres_put_name(&l->conn, out, l->sys->rec->marker);
	(void)hxs_buf_puts(out, ";\n");
	return hxs_buf_status(out);
}

static int run(struct hxs_postgres_load *l, const char *const scripts[3],
	       struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf where = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf printed = HXS_BUF_INIT;
	const char *argv[] = {
		"psql",
		"-X",
		"-q",
		"-o", /* what statements give is of no interest */
		"/dev/null",
		"--no-password",
		"-v",
		"ON_ERROR_STOP=1",
		"--single-transaction",
		"-f",
		scripts[0],
		"-f",
		scripts[1],
		"-f",
		scripts[2],
		"--dbname",
		NULL,
		NULL,
	};
	int r;

	r = hxs_postgres_dsn_text(&l->dsn, l->dsn.database, l->sys->rec->marker,
				  &where);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot run 'psql'");
	argv[HXS_ARRAY_LEN(argv) - 2] = where.data;
	r = hxs_postgres_run(&l->run, argv, &printed, err);
	return r < 0 ? hxs_postgres_guard_fault(l, hxs_buf_str(&printed), r,
						err)
		     : 0;
}

int hxs_postgres_load(struct hxs_postgres_load *l, bool undo,
		      struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf begin = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf end = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int script = -1, first = -1, last = -1;
	char paths[3][PATH];
	const char *const scripts[] = { paths[0], paths[1], paths[2] };
	int r;

	l->guarded = !undo && l->sys->guarded;
	script = make_file(l, paths[1]);
	if (script < 0)
		return hxs_err_errno(err, -script, "cannot write a script");
	r = hxs_postgres_restore_chosen(&l->run, &l->toc, l->path, "--file",
					paths[1], err);
	if (r == 0)
		r = hold(l, err);
	if (r == 0)
		r = put_begin(l, &begin, err);
	if (r < 0)
		return r;
	r = put_end(l, undo, &end);
	if (r == 0)
		r = first = put_file(&begin, paths[0]);
	if (r >= 0)
		r = last = put_file(&end, paths[2]);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot write a script");
	return run(l, scripts, err);
}
