#ifndef HXS_SOURCE_SQLITE_H
#define HXS_SOURCE_SQLITE_H

/*
 * SQLite databases among the files of a source. sqlite.c and sqlite_check.c
 * are the only users of SQLite's library; sqlite_look.c does without.
 *
 * SQLite locks with fcntl(2), and what a process has locked is unlocked when
 * it closes any descriptor of that file. So while hxs_sqlite_backup() runs
 * nothing in this process may open and close the same file: a source's items
 * are brought over one by one, and what lies beside a database is no item.
 */
#include "base/err.h"
#include "source/capture.h"

#include <stdbool.h>
#include <sys/stat.h>

#define HXS_SQLITE_WAIT 10 /* seconds, in all, for locks of one database */

/* A database's first 16 bytes, the NUL included. */
#define HXS_SQLITE_MAGIC "SQLite format 3"

/* What a file's first bytes say. */
enum hxs_sqlite_kind {
	HXS_SQLITE_NONE, /* no database */
	HXS_SQLITE_ROLLBACK, /* one that is written in place */
	HXS_SQLITE_WAL, /* one whose newest changes may be in its -wal */
	HXS_SQLITE_OTHER, /* one of which only SQLite can tell more */
};

/* An enum hxs_sqlite_kind, or -errno. */
int hxs_sqlite_look(int fd);

/*
 * Whether @name in @dirfd is the -wal, -shm or -journal of a database beside
 * it. What cannot be looked at is not.
 */
bool hxs_sqlite_is_beside(int dirfd, const char *name);

/* Whether a file @name@what can be seen to lie beside @name. */
bool hxs_sqlite_lies_beside(int dirfd, const char *name, const char *what);

/* Whether a -wal lies beside @name, or cannot be looked for. */
bool hxs_sqlite_has_wal(int dirfd, const char *name);

/*
 * Whether what lies beside @name makes a copy of its bytes alone worthless: a
 * -wal or a -journal that is not empty. 1, 0 or -errno.
 */
int hxs_sqlite_needs_more(int dirfd, const char *name);

/*
 * Keep writers of a database out of @fd while its bytes are read, as SQLite's
 * own readers do, without waiting. 0 or -errno. Only for one in rollback
 * mode; let it go again.
 */
int hxs_sqlite_hold(int fd);
void hxs_sqlite_let_go(int fd);

/* One database to be copied by SQLite, or one copied otherwise to finish. */
struct hxs_sqlite {
	struct hxs_capture *cap;
	int from_dir, to_dir;
	const char *from, *to; /* names in them */
	int from_fd, to_fd; /* both, open; to_fd for writing */

	struct stat st; /* of the original, as of what was copied */
	bool wal; /* the original is in WAL mode */
	bool unchecked; /* SQLite could not look at all of it; and why: */
	char why[128];
};

/*
 * Copy what is committed in the live database @from into the empty file @to,
 * while writers go on. Nothing of the live database changes and no -wal of
 * it is written back or removed; as with any reader, SQLite may create a -shm
 * beside it, its owner's.
 *
 * -HXS_EBUSY when a writer held it all the time, -ESTALE when another file
 * has taken its name, -EIO when it is none that SQLite can read, -ECANCELED,
 * -errno. Messages name no path.
 */
HXS_MUST_CHECK
int hxs_sqlite_backup(struct hxs_sqlite *db, struct hxs_err *err);

/*
 * Put the copy into rollback mode, so that it can be opened where nothing
 * can be written, and have SQLite check its pages. Fills wal and unchecked;
 * errors as above.
 */
HXS_MUST_CHECK
int hxs_sqlite_finish(struct hxs_sqlite *db, struct hxs_err *err);

/*
 * Take it out of WAL mode, which is but two bytes: 1, 0 if it was not in it,
 * or -errno. And put it back: 0 or -errno.
 */
HXS_MUST_CHECK
int hxs_sqlite_leave_wal_mode(int fd);
HXS_MUST_CHECK
int hxs_sqlite_enter_wal_mode(int fd);

/*
 * Have SQLite check all of database @name in @dirfd, which nobody writes to,
 * by integrity_check, changing neither its bytes nor its times: 0, 1 when it
 * could not (@why tells), -HXS_ECORRUPT, -ECANCELED, -errno. Messages name no
 * path.
 */
HXS_MUST_CHECK
int hxs_sqlite_check(struct hxs_capture *cap, int dirfd, const char *name,
		     char why[128], struct hxs_err *err);

/*
 * The same for one that was brought back to be tried, and serves for nothing
 * else: what lies beside it is applied, as for whoever opens it next. A -wal
 * is but read; a -journal is played back into the database, and is empty, or
 * still there, afterwards. What has the first bytes of a database and is none
 * for SQLite is damaged; -ENOTSUP if its format is one to come.
 */
HXS_MUST_CHECK
int hxs_sqlite_try(struct hxs_capture *cap, int dirfd, const char *name,
		   char why[128], struct hxs_err *err);

/* For sqlite_check.c: a VFS for files that nobody has open, or NULL. */
const char *hxs_sqlite_vfs(void);

#endif
