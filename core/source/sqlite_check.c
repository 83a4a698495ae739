/*
 * Checking a database that was brought back. It is opened as immutable: then
 * SQLite neither locks it nor looks for a -wal, and makes nothing beside it,
 * be it in WAL mode or not.
 *
 * One that is only tried, and beside which changes lie, is opened as its
 * application would, but for itself alone: the index of a -wal is kept in
 * memory, and no -wal is written back. Nothing is removed. A -journal may name
 * the file that binds the databases of one transaction together, which SQLite
 * would read and remove in the end: by that, whoever wrote the -journal could
 * have root remove any file.
 */
#include "base/buf.h"
#include "base/io.h"
#include "source/sqlite.h"

#include <errno.h>
#include <pthread.h>
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

/* ---- what is tried ----------------------------------------------------- */

static sqlite3_vfs try_vfs;
static int (*open_any)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);

static int remove_none(sqlite3_vfs *vfs HXS_UNUSED, const char *name HXS_UNUSED,
		       int durable HXS_UNUSED)
{
	return SQLITE_OK;
}

static int open_own(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
		    int flags, int *out)
{
	file->pMethods = NULL; /* there is nothing to close */
	if (flags & SQLITE_OPEN_SUPER_JOURNAL)
		return SQLITE_AUTH;
	return open_any(vfs, name, file, flags, out);
}

static void make_try_vfs(void)
{
	const char *like = hxs_sqlite_vfs();
	const sqlite3_vfs *found = like ? sqlite3_vfs_find(like) : NULL;

	if (!found)
		return;
	try_vfs = *found;
	try_vfs.pNext = NULL;
	try_vfs.zName = "hxsnap-try";
	open_any = found->xOpen;
	try_vfs.xOpen = open_own;
	try_vfs.xDelete = remove_none;
	if (sqlite3_vfs_register(&try_vfs, 0) != SQLITE_OK)
		open_any = NULL;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *vfs_to_try(void)
{
	(void)pthread_once(&once, make_try_vfs); /* cannot fail */
	return open_any ? try_vfs.zName : NULL;
}

/* Nobody else has it open, and nothing is to be left beside it. */
static int prepare_to_try(sqlite3 *db)
{
	int rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
				   NULL);

	return rc != SQLITE_OK
		       ? rc
		       : sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE", NULL,
				      NULL, NULL);
}

/* That SQLite says @name is no database, in spite of its first bytes. */
static int judge_strange(int dirfd, const char *name, const char *why,
			 struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = hxs_io_open_regular(dirfd, name, NULL);
	int r = fd < 0 ? fd : hxs_sqlite_look(fd);

	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at the database");
	if (r == HXS_SQLITE_OTHER)
		return hxs_err_set(err, ENOTSUP,
				   "the database is of a format that this "
				   "SQLite library does not know: %s",
				   why);
	return hxs_err_set(err, HXS_ECORRUPT, "the database is damaged: %s",
			   why);
}

/* ---- checking ---------------------------------------------------------- */

/* Append the URI of @name in @dirfd, any byte of it escaped. */
static int make_uri(int dirfd, const char *name, bool apply,
		    struct hxs_buf *out)
{
	(void)hxs_buf_printf(out, "file:/proc/self/fd/%d/", dirfd);
	for (; *name; name++)
		(void)hxs_buf_printf(out, "%%%02X", (unsigned char)*name);
	if (!apply)
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

static int open_db(int dirfd, const char *name, bool apply, sqlite3 **out,
		   struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf uri = HXS_BUF_INIT;
	const char *vfs = apply ? vfs_to_try() : hxs_sqlite_vfs();
	int rc;

	if (!vfs)
		return hxs_err_set(err, ENOTSUP,
				   "this SQLite library cannot be used");
	if (make_uri(dirfd, name, apply, &uri) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot check the database");
	rc = sqlite3_open_v2(uri.data, out,
			     (apply ? SQLITE_OPEN_READWRITE
				    : SQLITE_OPEN_READONLY) |
				     SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
				     SQLITE_OPEN_PRIVATECACHE |
				     SQLITE_OPEN_EXRESCODE,
			     vfs);
	if (!*out)
		return hxs_err_errno(err, ENOMEM, "cannot check the database");
	return rc == SQLITE_OK && apply ? prepare_to_try(*out) : rc;
}

static int check(struct hxs_capture *cap, int dirfd, const char *name, bool try,
		 char why[128], struct hxs_err *err)
{
	HXS_AUTO(checked_db) sqlite3 *db = NULL;
	HXS_AUTO(checked_stmt) sqlite3_stmt *stmt = NULL;
	const char *text;
	int rc;

	rc = try ? hxs_sqlite_needs_more(dirfd, name) : 0;
	if (rc < 0)
		return hxs_err_errno(err, -rc, "cannot look beside it");
	rc = open_db(dirfd, name, rc > 0, &db, err);
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
	if (rc == SQLITE_NOTADB && try)
		return judge_strange(dirfd, name, sqlite3_errmsg(db), err);
	if (rc != SQLITE_ROW)
		return judge_failure(db, rc, why, err);
	text = (const char *)sqlite3_column_text(stmt, 0);
	if (!text)
		return hxs_err_errno(err, ENOMEM, "cannot check the database");
	return strcmp(text, "ok") == 0 ? 0 : damaged(err, text);
}

int hxs_sqlite_check(struct hxs_capture *cap, int dirfd, const char *name,
		     char why[128], struct hxs_err *err)
{
	return check(cap, dirfd, name, false, why, err);
}

int hxs_sqlite_try(struct hxs_capture *cap, int dirfd, const char *name,
		   char why[128], struct hxs_err *err)
{
	return check(cap, dirfd, name, true, why, err);
}
