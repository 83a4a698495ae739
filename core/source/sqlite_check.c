/*
 * Checking a database that was brought back. It is opened as immutable: then
 * SQLite neither locks it nor looks for a -wal, and makes nothing beside it,
 * be it in WAL mode or not.
 */
#include "base/buf.h"
#include "source/sqlite.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define STEP_OPS 100000 /* of SQLite's machine, between two looks */

static void free_db(sqlite3 *db)
{
	(void)sqlite3_close(db); /* takes NULL; all statements are gone */
}
HXS_AUTO_DEFINE(checked_db, sqlite3 *, free_db)

static void free_stmt(sqlite3_stmt *stmt)
{
	(void)sqlite3_finalize(stmt); /* step told */
}
HXS_AUTO_DEFINE(checked_stmt, sqlite3_stmt *, free_stmt)

static int on_ops(void *arg)
{
	return !hxs_capture_goes_on(arg);
}

/* Append the URI of @name in @dirfd, any byte of it escaped. */
static int make_uri(int dirfd, const char *name, struct hxs_buf *out)
{
	(void)hxs_buf_printf(out, "file:/proc/self/fd/%d/", dirfd);
	for (; *name; name++)
		(void)hxs_buf_printf(out, "%%%02X", (unsigned char)*name);
	(void)hxs_buf_puts(out, "?immutable=1");
	return hxs_buf_status(out);
}

/* SQLite's words are lines, the first of which may only name the schema. */
static int damaged(struct hxs_err *err, const char *why)
{
	const char *line = strchr(why, '\n');

	if (line && strncmp(why, "*** in ", 7) == 0)
		why = line + 1;
	return hxs_err_set(err, HXS_ECORRUPT, "the database is damaged: %.*s",
			   (int)strcspn(why, "\n"), why);
}

/* What it means that SQLite said @rc. */
static int judge_failure(sqlite3 *db, int rc, char why[128],
			 struct hxs_err *err)
{
	int e = sqlite3_system_errno(db);

	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return hxs_err_errno(err, ENOMEM, "cannot check the database");
	case SQLITE_INTERRUPT:
		return hxs_err_set(err, ECANCELED, "cancelled");
	case SQLITE_CORRUPT:
		return damaged(err, sqlite3_errmsg(db));
	case SQLITE_IOERR:
		/* Past its end, most of the time. */
		if (rc == SQLITE_IOERR_SHORT_READ)
			return damaged(err, sqlite3_errmsg(db));
		return hxs_err_errno(err, e ? e : EIO,
				     "SQLite cannot read the database");
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return hxs_err_errno(err, e ? e : EIO,
				     "SQLite cannot open the database");
	default:
		/*
		 * It is encrypted, of a version to come, or wants a collation
		 * or function of its application's: we cannot know.
		 */
		(void)snprintf(why, 128, "%s", sqlite3_errmsg(db));
		return 1;
	}
}

static int open_db(int dirfd, const char *name, sqlite3 **out,
		   struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf uri = HXS_BUF_INIT;
	int rc;

	if (!hxs_sqlite_vfs())
		return hxs_err_set(err, ENOTSUP,
				   "this SQLite library cannot be used");
	if (make_uri(dirfd, name, &uri) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot check the database");
	rc = sqlite3_open_v2(uri.data, out,
			     SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
				     SQLITE_OPEN_NOMUTEX |
				     SQLITE_OPEN_PRIVATECACHE |
				     SQLITE_OPEN_EXRESCODE,
			     hxs_sqlite_vfs());
	if (!*out)
		return hxs_err_errno(err, ENOMEM, "cannot check the database");
	return rc;
}

int hxs_sqlite_check(struct hxs_capture *cap, int dirfd, const char *name,
		     char why[128], struct hxs_err *err)
{
	HXS_AUTO(checked_db) sqlite3 *db = NULL;
	HXS_AUTO(checked_stmt) sqlite3_stmt *stmt = NULL;
	const char *text;
	int rc;

	rc = open_db(dirfd, name, &db, err);
	if (rc < 0)
		return rc;
	/* A hostile schema runs nothing. */
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
				       NULL);
	sqlite3_progress_handler(db, STEP_OPS, on_ops, cap);
	/* Its constraints may call functions that only its owner has. */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA ignore_check_constraints=ON",
				  NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1,
					&stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return judge_failure(db, rc, why, err);
	text = (const char *)sqlite3_column_text(stmt, 0);
	if (!text)
		return hxs_err_errno(err, ENOMEM, "cannot check the database");
	return strcmp(text, "ok") == 0 ? 0 : damaged(err, text);
}
