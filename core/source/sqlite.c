/*
 * SQLite's own copy of a live database. One read transaction is held from
 * the first page to the last: what is copied is one committed state, and a
 * writer cannot make the copy begin anew. So it can go in steps, between
 * which cancelling is seen.
 *
 * Files are opened by /proc/self/fd/N/NAME, with N the handle of their
 * directory. SQLite's default is to resolve such a path first, to one that
 * somebody else could redirect, so it is given a VFS that leaves it alone.
 * No link is followed as NAME: SQLite opens with O_NOFOLLOW.
 */
#include "source/sqlite.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEP_BYTES (4 << 20) /* about as much is copied at a time */
#define STEP_OPS 100000 /* of SQLite's machine, between two looks */
#define RETRY_NS 10000000

/* ---- opening ----------------------------------------------------------- */

/* Where to find live databases, and copies, which nobody else has open. */
static sqlite3_vfs live_vfs, copy_vfs;
static bool have_vfs;

static int keep_path(sqlite3_vfs *vfs HXS_UNUSED, const char *path, int size,
		     char *out)
{
	int n = snprintf(out, (size_t)size, "%s", path);

	return n < 0 || n >= size ? SQLITE_CANTOPEN : SQLITE_OK;
}

static bool make_vfs(sqlite3_vfs *vfs, const char *like, const char *name)
{
	const sqlite3_vfs *found = sqlite3_vfs_find(like);

	if (!found)
		return false;
	*vfs = *found;
	vfs->pNext = NULL;
	vfs->zName = name;
	vfs->xFullPathname = keep_path;
	return sqlite3_vfs_register(vfs, 0) == SQLITE_OK;
}

static void make_both(void)
{
	have_vfs = sqlite3_threadsafe() &&
		   make_vfs(&live_vfs, "unix", "hxsnap-live") &&
		   make_vfs(&copy_vfs, "unix-none", "hxsnap-copy");
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

const char *hxs_sqlite_vfs(void)
{
	(void)pthread_once(&once, make_both); /* cannot fail */
	return have_vfs ? copy_vfs.zName : NULL;
}

static void free_db(sqlite3 *db)
{
	(void)sqlite3_close(db); /* takes NULL; all statements are gone */
}
HXS_AUTO_DEFINE(sqlite_db, sqlite3 *, free_db)

/* How long to wait yet, and whether to. */
struct patience {
	struct hxs_capture *cap;
	double until;
	bool cancelled;
};

static int on_busy(void *arg, int times HXS_UNUSED)
{
	const struct timespec ts = { .tv_nsec = RETRY_NS };
	struct patience *p = arg;

	p->cancelled = !hxs_capture_goes_on(p->cap);
	if (p->cancelled || hxs_clock_ticks() >= p->until)
		return 0;
	(void)nanosleep(&ts, NULL); /* a signal may shorten it */
	return 1;
}

static int on_ops(void *arg)
{
	struct patience *p = arg;

	p->cancelled = !hxs_capture_goes_on(p->cap);
	return p->cancelled;
}

/* It is no database that SQLite can copy. */
static int unusable(struct hxs_err *err, const char *what, const char *why)
{
	int r = hxs_err_set(err, EIO, "%s: %s", what, why);

	hxs_err_hint(err, "a source of kind \"directory\" with "
			  "\"sqlite\": \"raw\" copies it byte by byte, "
			  "whatever it holds");
	return r;
}

static int half_written(struct hxs_err *err)
{
	int r = hxs_err_set(err, EIO,
			    "a writer ended in the middle of a transaction, "
			    "which its -journal would undo");

	hxs_err_hint(err, "open it once with its application or with sqlite3, "
			  "which undoes that transaction");
	return r;
}

/* What SQLite failed with on @db, as a status with a sentence. */
static int failed(sqlite3 *db, int rc, const struct patience *p,
		  struct hxs_err *err)
{
	int e;

	if (p->cancelled)
		return hxs_err_set(err, ECANCELED, "cancelled");
	if (rc == SQLITE_READONLY_ROLLBACK)
		return half_written(err);
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return hxs_err_errno(err, ENOMEM, "cannot copy the database");
	case SQLITE_FULL:
		return hxs_err_errno(err, ENOSPC, "cannot write");
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return hxs_err_set(err, HXS_EBUSY,
				   "the database stayed locked for %d s",
				   HXS_SQLITE_WAIT);
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		e = sqlite3_system_errno(db);
		if (e)
			return hxs_err_errno(err, e,
					     "SQLite cannot copy the database");
		break;
	default:
		break;
	}
	return unusable(err, "SQLite cannot copy the database",
			sqlite3_errmsg(db));
}

/* Open @name in @dirfd; *@out is the caller's even when that fails. */
static int open_db(int dirfd, const char *name, const sqlite3_vfs *vfs,
		   int flags, struct patience *p, sqlite3 **out,
		   struct hxs_err *err)
{
	char path[300];
	int rc;

	if (!hxs_sqlite_vfs())
		return hxs_err_set(err, ENOTSUP,
				   "this SQLite library cannot be used");
	if (strchr(name, '/') || strcmp(name, "..") == 0 ||
	    (size_t)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd,
			     name) >= sizeof(path))
		return hxs_err_errno(err, ENAMETOOLONG, "cannot open");
	rc = sqlite3_open_v2(path, out,
			     flags | SQLITE_OPEN_NOMUTEX |
				     SQLITE_OPEN_PRIVATECACHE |
				     SQLITE_OPEN_EXRESCODE,
			     vfs->zName);
	if (!*out)
		return hxs_err_errno(err, ENOMEM, "cannot copy the database");
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_handler(*out, on_busy, p);
	/* A hostile schema runs nothing. */
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(*out, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
				       NULL);
	/* The last one who leaves would write the -wal back. */
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(*out, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
				       1, NULL);
	return rc == SQLITE_OK ? 0 : failed(*out, rc, p, err);
}

/* ---- copying ----------------------------------------------------------- */

/*
 * Opening the live database makes a -shm where there is none. Root's becomes
 * that of the database's owner. Another user's would be that user's, and
 * lock the application out.
 */
static int check_shm(const struct hxs_sqlite *db, struct hxs_err *err)
{
	uid_t me = geteuid();
	struct stat st;
	int r;

	if (fstat(db->from_fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at it");
	if (me == 0 || me == st.st_uid)
		return 0;
	if (hxs_sqlite_look(db->from_fd) != HXS_SQLITE_WAL)
		return 0;
	if (hxs_sqlite_lies_beside(db->from_dir, db->from, "-shm") &&
	    hxs_sqlite_lies_beside(db->from_dir, db->from, "-wal"))
		return 0;
	r = hxs_err_set(err, EACCES,
			"only its owner and root can read it now without "
			"locking the application out");
	hxs_err_hint(err, "open it with its application meanwhile, or make "
			  "backups as its owner or as root");
	return r;
}

/* Whether what SQLite has open is what from_fd is, and still has the name. */
static bool is_same(const struct hxs_sqlite *db, sqlite3 *live)
{
	struct stat named;
	int moved = 0;

	if (sqlite3_file_control(live, "main", SQLITE_FCNTL_HAS_MOVED,
				 &moved) != SQLITE_OK)
		return false;
	return !moved &&
	       fstatat(db->from_dir, db->from, &named, AT_SYMLINK_NOFOLLOW) ==
		       0 &&
	       named.st_ino == db->st.st_ino && named.st_dev == db->st.st_dev;
}

/* Begin reading: from here on @live is at one state, and st says which. */
static int begin(struct hxs_sqlite *db, sqlite3 *live, struct patience *p,
		 int *page_size, struct hxs_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_exec(live, "BEGIN; SELECT count(*) FROM sqlite_master",
			  NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(live, "PRAGMA page_size", -1, &stmt,
					NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW) {
			*page_size = sqlite3_column_int(stmt, 0);
			rc = SQLITE_OK;
		}
	}
	(void)sqlite3_finalize(stmt); /* step told */
	if (rc != SQLITE_OK)
		return failed(live, rc, p, err);
	if (fstat(db->from_fd, &db->st) < 0)
		return hxs_err_errno(err, errno, "cannot look at it");
	if (!is_same(db, live))
		return hxs_err_set(err, ESTALE,
				   "it was replaced while it was read");
	return 0;
}

static int copy_pages(sqlite3 *live, sqlite3 *copy, int page_size,
		      struct patience *p, struct hxs_err *err)
{
	int pages = page_size > 0 ? STEP_BYTES / page_size : 1;
	sqlite3_backup *b;
	int rc;

	/* Nobody needs to undo it, and publishing makes it durable. */
	rc = sqlite3_exec(copy,
			  "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF",
			  NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return failed(copy, rc, p, err);
	b = sqlite3_backup_init(copy, "main", live, "main");
	if (!b)
		return failed(copy, sqlite3_extended_errcode(copy), p, err);
	do {
		rc = sqlite3_backup_step(b, pages);
		p->cancelled = !hxs_capture_goes_on(p->cap);
	} while (rc == SQLITE_OK && !p->cancelled);
	if (p->cancelled)
		rc = SQLITE_INTERRUPT;
	if (rc == SQLITE_DONE)
		rc = SQLITE_OK;
	if (sqlite3_backup_finish(b) != SQLITE_OK && rc == SQLITE_OK)
		rc = sqlite3_extended_errcode(copy);
	return rc == SQLITE_OK ? 0 : failed(copy, rc, p, err);
}

int hxs_sqlite_backup(struct hxs_sqlite *db, struct hxs_err *err)
{
	/* Closed in the opposite order. */
	HXS_AUTO(sqlite_db) sqlite3 *live = NULL;
	HXS_AUTO(sqlite_db) sqlite3 *copy = NULL;
	struct patience p = {
		.cap = db->cap,
		.until = hxs_clock_ticks() + HXS_SQLITE_WAIT,
	};
	int page_size = 0;
	int r;

	r = check_shm(db, err);
	if (r == 0)
		r = open_db(db->from_dir, db->from, &live_vfs,
			    SQLITE_OPEN_READONLY, &p, &live, err);
	if (r == 0)
		r = begin(db, live, &p, &page_size, err);
	if (r == 0)
		r = open_db(db->to_dir, db->to, &copy_vfs,
			    SQLITE_OPEN_READWRITE, &p, &copy, err);
	if (r == 0)
		r = copy_pages(live, copy, page_size, &p, err);
	return r;
}

/* ---- the copy ---------------------------------------------------------- */

/* What one check found: the first fault's text, or "ok". */
static int judge(struct hxs_sqlite *db, sqlite3 *copy, sqlite3_stmt *stmt,
		 struct patience *p, struct hxs_err *err)
{
	int rc = sqlite3_step(stmt);
	const char *text;

	/* A collation or function of the application's: we cannot know. */
	if ((rc & 0xff) == SQLITE_ERROR) {
		db->unchecked = true;
		(void)snprintf(db->why, sizeof(db->why), "%s",
			       sqlite3_errmsg(copy));
		return 0;
	}
	if (rc != SQLITE_ROW)
		return failed(copy, rc, p, err);
	text = (const char *)sqlite3_column_text(stmt, 0);
	if (!text)
		return failed(copy, SQLITE_NOMEM, p, err);
	if (strcmp(text, "ok") == 0)
		return 0;
	return unusable(err, "the database is damaged", text);
}

static int check(struct hxs_sqlite *db, sqlite3 *copy, struct patience *p,
		 struct hxs_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc, r;

	sqlite3_progress_handler(copy, STEP_OPS, on_ops, p);
	/* Its constraints may call functions that only its owner has. */
	rc = sqlite3_exec(copy, "PRAGMA ignore_check_constraints=ON", NULL,
			  NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(copy, "PRAGMA quick_check(1)", -1,
					&stmt, NULL);
	if ((rc & 0xff) == SQLITE_ERROR) {
		db->unchecked = true;
		(void)snprintf(db->why, sizeof(db->why), "%s",
			       sqlite3_errmsg(copy));
		return 0;
	}
	if (rc != SQLITE_OK)
		return failed(copy, rc, p, err);
	r = judge(db, copy, stmt, p, err);
	(void)sqlite3_finalize(stmt); /* step told */
	return r;
}

int hxs_sqlite_finish(struct hxs_sqlite *db, struct hxs_err *err)
{
	HXS_AUTO(sqlite_db) sqlite3 *copy = NULL;
	struct patience p = {
		.cap = db->cap,
		.until = hxs_clock_ticks() + HXS_SQLITE_WAIT,
	};
	int r;

	db->unchecked = false;
	r = hxs_sqlite_leave_wal_mode(db->to_fd);
	db->wal = r > 0;
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot write");
	r = open_db(db->to_dir, db->to, &copy_vfs, SQLITE_OPEN_READONLY, &p,
		    &copy, err);
	return r == 0 ? check(db, copy, &p, err) : r;
}
