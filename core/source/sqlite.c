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
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAGIC_LEN 16
#define WRITE_VERSION 18 /* where the header has it; the read version next */
#define MODE_ROLLBACK 1
#define MODE_WAL 2

#define STEP_BYTES (4 << 20) /* about as much is copied at a time */
#define STEP_OPS 100000 /* of SQLite's machine, between two looks */
#define RETRY_NS 10000000

/* The bytes that SQLite's locks are on, all past any page it writes. */
#define PENDING_BYTE 0x40000000
#define SHARED_FIRST (PENDING_BYTE + 2)
#define SHARED_SIZE 510

/* ---- what files say ---------------------------------------------------- */

int hxs_sqlite_look(int fd)
{
	unsigned char head[WRITE_VERSION + 2];
	ssize_t n = hxs_io_pread_full(fd, head, sizeof(head), 0);

	if (n < 0)
		return (int)n;
	if (n < MAGIC_LEN || memcmp(head, HXS_SQLITE_MAGIC, MAGIC_LEN) != 0)
		return HXS_SQLITE_NONE;
	if ((size_t)n < sizeof(head) ||
	    head[WRITE_VERSION] != head[WRITE_VERSION + 1])
		return HXS_SQLITE_OTHER;
	if (head[WRITE_VERSION] == MODE_ROLLBACK)
		return HXS_SQLITE_ROLLBACK;
	return head[WRITE_VERSION] == MODE_WAL ? HXS_SQLITE_WAL
					       : HXS_SQLITE_OTHER;
}

/* Set @out to "NAME-WHAT"; false if that is no name. */
static bool name_beside(const char *name, const char *what, char *out,
			size_t size)
{
	int n = snprintf(out, size, "%s%s", name, what);

	return n > 0 && (size_t)n < size;
}

bool hxs_sqlite_is_beside(int dirfd, const char *name)
{
	static const char *const whats[] = { "-wal", "-shm", "-journal" };
	HXS_AUTO_CLOSE int fd = -1;
	size_t len = strlen(name), i, n = 0;
	char base[256];

	for (i = 0; i < HXS_ARRAY_LEN(whats); i++) {
		n = strlen(whats[i]);
		if (len > n && len < sizeof(base) &&
		    strcmp(name + len - n, whats[i]) == 0)
			break;
	}
	if (i == HXS_ARRAY_LEN(whats))
		return false;
	memcpy(base, name, len - n);
	base[len - n] = '\0';
	fd = hxs_io_open_regular(dirfd, base, NULL);
	return fd >= 0 && hxs_sqlite_look(fd) > HXS_SQLITE_NONE;
}

/* The size of the regular file beside, 0 if there is none, or -errno. */
static int64_t size_beside(int dirfd, const char *name, const char *what,
			   bool *there)
{
	char beside[272];
	struct stat st;

	*there = false;
	if (!name_beside(name, what, beside, sizeof(beside)))
		return 0;
	if (fstatat(dirfd, beside, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENAMETOOLONG ? 0 : -errno;
	*there = true;
	/* SQLite takes anything but an empty file for one with something. */
	return S_ISREG(st.st_mode) ? st.st_size : 1;
}

bool hxs_sqlite_has_wal(int dirfd, const char *name)
{
	bool there;

	return size_beside(dirfd, name, "-wal", &there) != 0 || there;
}

int hxs_sqlite_needs_more(int dirfd, const char *name)
{
	bool there;
	int64_t n;

	n = size_beside(dirfd, name, "-wal", &there);
	if (n == 0)
		n = size_beside(dirfd, name, "-journal", &there);
	return n < 0 ? (int)n : n > 0;
}

/* ---- holding one ------------------------------------------------------- */

static int set_lock(int fd, short type, off_t first, off_t len)
{
	struct flock l = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = first,
		.l_len = len,
	};

	return fcntl(fd, F_OFD_SETLK, &l) < 0 ? -errno : 0;
}

int hxs_sqlite_hold(int fd)
{
	int r = set_lock(fd, F_RDLCK, PENDING_BYTE, 1);

	if (r < 0)
		return r;
	r = set_lock(fd, F_RDLCK, SHARED_FIRST, SHARED_SIZE);
	(void)set_lock(fd, F_UNLCK, PENDING_BYTE, 1); /* of our own lock */
	return r;
}

void hxs_sqlite_let_go(int fd)
{
	/* Closing does it as well. */
	(void)set_lock(fd, F_UNLCK, SHARED_FIRST, SHARED_SIZE);
}

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
	bool shm, wal;
	int r;

	if (fstat(db->from_fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at it");
	if (me == 0 || me == st.st_uid)
		return 0;
	if (hxs_sqlite_look(db->from_fd) != HXS_SQLITE_WAL)
		return 0;
	(void)size_beside(db->from_dir, db->from, "-shm", &shm);
	(void)size_beside(db->from_dir, db->from, "-wal", &wal);
	if (shm && wal)
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

/*
 * What PRAGMA journal_mode=DELETE does to the header. By hand, since SQLite
 * would make a -wal beside the copy first, where other files are made.
 */
static int leave_wal_mode(struct hxs_sqlite *db, struct hxs_err *err)
{
	static const unsigned char mode[2] = { MODE_ROLLBACK, MODE_ROLLBACK };
	int r = hxs_sqlite_look(db->to_fd);

	db->wal = r == HXS_SQLITE_WAL;
	if (db->wal)
		r = hxs_io_pwrite_full(db->to_fd, mode, sizeof(mode),
				       WRITE_VERSION);
	return r < 0 ? hxs_err_errno(err, -r, "cannot write") : 0;
}

int hxs_sqlite_enter_wal_mode(int fd)
{
	static const unsigned char mode[2] = { MODE_WAL, MODE_WAL };
	int r = hxs_sqlite_look(fd);

	if (r != HXS_SQLITE_ROLLBACK)
		return r < 0 ? r : 0;
	return hxs_io_pwrite_full(fd, mode, sizeof(mode), WRITE_VERSION);
}

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
	r = leave_wal_mode(db, err);
	if (r == 0)
		r = open_db(db->to_dir, db->to, &copy_vfs, SQLITE_OPEN_READONLY,
			    &p, &copy, err);
	return r == 0 ? check(db, copy, &p, err) : r;
}
