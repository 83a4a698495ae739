/*
 * One file: read until it was read without a change, by SQLite where it is a
 * database that is in use. What is hashed of a clone is the clone.
 */
#include "source/copy.h"

#include "base/io.h"
#include "base/xattr.h"
#include "source/copy_pass.h"
#include "source/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define TRIES 3
#define LIVE 1 /* a database that SQLite has to copy */
/* The kernel's clock for file times advances in steps of up to this. */
#define TICK_NS 10000000

/* ---- clones ------------------------------------------------------------ */

static bool never_clones(int e)
{
	return e == EOPNOTSUPP || e == EXDEV || e == ENOTTY || e == ENOSYS;
}

/* 1 when @to is now a clone of @from, 0 when it cannot be one. */
static int clone_file(struct hxs_copy *c, int from, int to,
		      const struct stat *st)
{
	if (st->st_size == 0 || __atomic_load_n(c->no_clone, __ATOMIC_RELAXED))
		return 0;
	if (ioctl(to, FICLONE, from) == 0)
		return 1;
	if (never_clones(errno))
		__atomic_store_n(c->no_clone, true, __ATOMIC_RELAXED);
	return 0;
}

/* ---- one file ---------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void wait_ns(long ns)
{
	const struct timespec ts = { .tv_nsec = ns };

	(void)nanosleep(&ts, NULL); /* a signal may shorten it */
}

/*
 * A write within the tick of the clock in which the file last changed leaves
 * no trace in its times. So a file that changed just now is not read before
 * the next tick. The kernel's clock is meant here, not the injectable one.
 */
static int settle(int fd, struct stat *st)
{
	struct timespec now;
	int64_t age;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return 0; /* this clock always is */
	if (now.tv_sec - st->st_ctim.tv_sec > 1 ||
	    now.tv_sec < st->st_ctim.tv_sec)
		return 0;
	age = ((int64_t)now.tv_sec - st->st_ctim.tv_sec) * 1000000000 +
	      now.tv_nsec - st->st_ctim.tv_nsec;
	if (age < 0 || age >= TICK_NS)
		return 0;
	wait_ns(TICK_NS);
	return fstat(fd, st) < 0 ? -errno : 0;
}

static int open_source(const struct hxs_copy *c)
{
	const int flags =
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd;

	do {
		fd = openat(c->from_dir, c->from, flags | O_NOATIME);
		if (fd < 0 && errno == EPERM) /* not our file */
			fd = openat(c->from_dir, c->from, flags);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static int read_xattrs(int fd, struct hxs_buf *out, struct hxs_err *err)
{
	int r;

	hxs_buf_truncate(out, 0);
	if (hxs_buf_status(out) < 0)
		hxs_buf_release(out); /* what failed once begins anew */
	r = hxs_xattr_read(fd, out);
	return r < 0 ? hxs_err_errno(err, -r, "cannot read its attributes") : 0;
}

/* Hash what @to, a clone and so at rest, holds. */
static int pass_clone(struct hxs_copy *c, int to, const struct stat *want,
		      struct hxs_err *err)
{
	struct stat st;
	int r;

	if (fstat(to, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at its copy");
	if (st.st_size != want->st_size)
		return -EAGAIN;
	r = hxs_copy_pass(c, to, -1, &st, err);
	if (r == -EAGAIN)
		return hxs_err_errno(err, EIO, "cannot read its copy");
	return r;
}

/* One attempt; -EAGAIN if the file, which was as @before, changed meanwhile. */
static int attempt(struct hxs_copy *c, int from, int to,
		   const struct stat *before, struct hxs_err *err)
{
	struct stat after;
	int cloned, r = 0;

	cloned = clone_file(c, from, to, before);
	if (!cloned)
		r = hxs_copy_pass(c, from, to, before, err);
	if (r == 0)
		r = read_xattrs(from, &c->scribe->xattrs, err);
	if (r < 0)
		return r;
	if (fstat(from, &after) < 0)
		return hxs_err_errno(err, errno, "cannot look at it");
	if (!same_file(before, &after))
		return -EAGAIN;
	if (cloned) {
		r = pass_clone(c, to, before, err);
		if (r < 0)
			return r;
	}
	hxs_tree_from_stat(&c->st, &after);
	c->dev = after.st_dev;
	return 0;
}

/* ---- databases --------------------------------------------------------- */

/* Hash what SQLite wrote to @to, and take its size. */
static int pass_database(struct hxs_copy *c, int to, struct hxs_err *err)
{
	struct stat st;

	if (fstat(to, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at its copy");
	c->st.size = (uint64_t)st.st_size;
	return pass_clone(c, to, &st, err);
}

/* See to the copy of a database, and to what is told of it. */
static int finish_database(struct hxs_copy *c, struct hxs_sqlite *db,
			   bool hashed, struct hxs_err *err)
{
	int r;

	r = hxs_sqlite_finish(db, err);
	if (r < 0)
		return r;
	c->wal = db->wal;
	if (db->unchecked)
		memcpy(c->unchecked, db->why, sizeof(c->unchecked));
	return hashed && !db->wal ? 0 : pass_database(c, db->to_fd, err);
}

/* Whether bytes alone will not do: 1, 0 or -errno with a message. */
static int needs_sqlite(const struct hxs_sqlite *db, struct hxs_err *err)
{
	int r = hxs_sqlite_needs_more(db->from_dir, db->from);

	return r < 0 ? hxs_err_errno(err, -r, "cannot look beside it") : r;
}

/*
 * Copy its bytes, as those of any file: 0, or LIVE if that would not be a
 * database. With nothing beside it before and after, and itself unchanged,
 * all that was committed is in it: a commit begins with a -wal or a -journal.
 * The lock is for a writer that was told to make neither.
 */
static int attempt_bytes(struct hxs_copy *c, struct hxs_sqlite *db, bool hold,
			 const struct stat *before, struct hxs_err *err)
{
	int r;

	if (hold && hxs_sqlite_hold(db->from_fd) < 0)
		return LIVE;
	r = needs_sqlite(db, err);
	if (r == 0)
		r = attempt(c, db->from_fd, db->to_fd, before, err);
	if (r == 0)
		r = needs_sqlite(db, err);
	if (hold)
		hxs_sqlite_let_go(db->from_fd);
	return r > 0 || r == -EAGAIN ? LIVE : r;
}

/* Have SQLite copy it. */
static int copy_live(struct hxs_copy *c, struct hxs_sqlite *db,
		     struct hxs_err *err)
{
	int r;

	if (ftruncate(db->to_fd, 0) < 0)
		return hxs_err_errno(err, errno, "cannot write");
	r = hxs_sqlite_backup(db, err);
	if (r == 0)
		r = read_xattrs(db->from_fd, &c->scribe->xattrs, err);
	if (r < 0)
		return r;
	hxs_tree_from_stat(&c->st, &db->st);
	c->dev = db->st.st_dev;
	return finish_database(c, db, false, err);
}

/* One attempt at whatever it is. */
static int attempt_any(struct hxs_copy *c, int from, int to,
		       struct hxs_err *err)
{
	struct hxs_sqlite db = {
		.cap = c->cap,
		.from_dir = c->from_dir,
		.to_dir = c->to_dir,
		.from = c->from,
		.to = c->to,
		.from_fd = from,
		.to_fd = to,
	};
	struct stat before;
	int kind = HXS_SQLITE_NONE, r;

	if (fstat(from, &before) < 0)
		return hxs_err_errno(err, errno, "cannot look at it");
	r = settle(from, &before);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at it");
	if (c->databases)
		kind = hxs_sqlite_look(from);
	if (kind < 0)
		return hxs_err_errno(err, -kind, "cannot read");
	if (kind == HXS_SQLITE_NONE)
		return attempt(c, from, to, &before, err);
	r = LIVE;
	if (kind != HXS_SQLITE_OTHER)
		r = attempt_bytes(c, &db, kind == HXS_SQLITE_ROLLBACK, &before,
				  err);
	if (r == LIVE)
		return copy_live(c, &db, err);
	return r == 0 ? finish_database(c, &db, true, err) : r;
}

/* ---- one file ---------------------------------------------------------- */

static int attempts(struct hxs_copy *c, int from, int to, struct hxs_err *err)
{
	int i, r = -EAGAIN;

	for (i = 0; i < TRIES && r == -EAGAIN; i++) {
		if (i > 0) {
			wait_ns(TICK_NS);
			if (ftruncate(to, 0) < 0)
				return hxs_err_errno(err, errno,
						     "cannot write");
		}
		r = attempt_any(c, from, to, err);
	}
	if (r == -EAGAIN)
		return hxs_err_set(err, EAGAIN,
				   "it changed while it was read, three times");
	return r;
}

static int fill(struct hxs_copy *c, int from, int to, struct hxs_err *err)
{
	struct hxs_buf *x = &c->scribe->xattrs;
	bool lost = false;
	int r;

	r = attempts(c, from, to, err);
	if (r < 0)
		return r;
	r = hxs_copy_attributes(to, &c->st, x->data, x->len, &lost);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot set the attributes of "
				     "its copy");
	c->lost_xattrs = lost;
	r = hxs_chain_maker_finish(c->scribe->maker, &c->chain);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot hash");
	return 0;
}

/* HXS_COPY_DONE with the file as *@out; HXS_COPY_GONE, -errno. */
static int open_regular(const struct hxs_copy *c, int *out, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = open_source(c);
	struct stat st;

	if (fd == -ENOENT || fd == -ELOOP || fd == -ENXIO)
		return HXS_COPY_GONE;
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open");
	if (fstat(fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at it");
	if (!S_ISREG(st.st_mode))
		return HXS_COPY_GONE;
	*out = HXS_STEAL_FD(fd);
	return HXS_COPY_DONE;
}

static int copy_once(struct hxs_copy *c, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int from = -1, to = -1;
	int r;

	r = open_regular(c, &from, err);
	if (r != HXS_COPY_DONE)
		return r;
	/* Nobody else may read it before it has its own mode. */
	to = openat(c->to_dir, c->to,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return hxs_err_errno(err, errno, "cannot create its copy");
	r = fill(c, from, to, err);
	/* Where close() tells of failed writes, it tells it only once. */
	if (close(HXS_STEAL_FD(to)) < 0 && r == 0) {
		hxs_chain_release(&c->chain);
		r = hxs_err_errno(err, errno, "cannot write");
	}
	if (r < 0) {
		(void)unlinkat(c->to_dir, c->to, 0); /* or with the rest */
		return r;
	}
	return HXS_COPY_DONE;
}

int hxs_copy_file(struct hxs_copy *c, struct hxs_err *err)
{
	int i, r = -ESTALE;

	for (i = 0; i < TRIES && r == -ESTALE; i++) {
		hxs_err_clear(err); /* a database was replaced: the new one */
		r = copy_once(c, err);
	}
	return r;
}

/* ---- hashing alone ----------------------------------------------------- */

/* Whether a database that is open as @from is just its bytes. */
static int is_plain(const struct hxs_copy *c, int from, struct hxs_err *err)
{
	const struct hxs_sqlite db = { .from_dir = c->from_dir,
				       .from = c->from };
	int r, kind = c->databases ? hxs_sqlite_look(from) : HXS_SQLITE_NONE;

	if (kind < 0)
		return hxs_err_errno(err, -kind, "cannot read");
	if (kind == HXS_SQLITE_NONE)
		return 1;
	r = kind == HXS_SQLITE_ROLLBACK ? needs_sqlite(&db, err) : 1;
	return r < 0 ? r : !r;
}

static int hash_once(struct hxs_copy *c, int from, struct hxs_err *err)
{
	struct stat before;
	int r;

	if (fstat(from, &before) < 0)
		return hxs_err_errno(err, errno, "cannot look at it");
	r = settle(from, &before);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at it");
	return attempt(c, from, -1, &before, err);
}

int hxs_copy_hash(struct hxs_copy *c, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int from = -1;
	bool no_clone = true;
	int i, r;

	r = open_regular(c, &from, err);
	if (r != HXS_COPY_DONE)
		return r;
	r = is_plain(c, from, err);
	if (r <= 0)
		return r < 0 ? r : HXS_COPY_ODD;
	c->no_clone = &no_clone;
	for (i = 0, r = -EAGAIN; i < TRIES && r == -EAGAIN; i++)
		r = hash_once(c, from, err);
	if (r == -EAGAIN)
		return HXS_COPY_ODD; /* the copy sees to what changes */
	if (r == 0)
		r = hxs_chain_maker_finish(c->scribe->maker, &c->chain);
	if (r < 0)
		return err && err->code ? r
					: hxs_err_errno(err, -r, "cannot hash");
	return HXS_COPY_DONE;
}
