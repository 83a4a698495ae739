/*
 * Cutting one file of records, as it was staged. The records are judged as
 * the one door hands them over, never as they were staged; the cut itself
 * only shortens a file, so that nothing is written that was not verified.
 */
#include "base/buf.h"
#include "base/io.h"
#include "base/path.h"
#include "store/content.h"
#include "verbs/restore_parts.h"
#include "verbs/restore_until.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE (256u << 10)

static int no_memory(struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "cannot cut records");
}

/* A file of records, as it was staged. */
struct staged {
	struct hxs_node node;
	struct hxs_buf shown; /* its path, for messages */
	struct hxs_buf at; /* its path below the directory that is staged in */
	int dirfd; /* borrowed */
	bool is_source; /* it is all of its source */
};

/* Find where the records end: @c, and the digest of those that are kept. */
static int read_records(struct hxs_restore_until *u, const struct staged *s,
			struct hxs_cut *c, struct hxs_digest *kept,
			struct hxs_err *err)
{
	HXS_AUTO(content) struct hxs_content *content = NULL;
	uint64_t off = 0, size = s->node.size;
	struct hxs_fault fault;
	const void *data;
	ssize_t n;
	int r;

	r = hxs_content_open_until(u->snap, s->node.number, &u->stop, &content,
				   &fault, err);
	if (r == -ECANCELED)
		return hxs_err_set(err, ECANCELED, "cancelled");
	if (r < 0)
		return r;
	for (; off < size; off += (uint64_t)n) {
		hxs_content_fetch(content, off, 2 * PIECE);
		n = hxs_content_read(content, off, PIECE, &u->scratch, &data,
				     &fault, err);
		r = n < 0 ? (int)n : hxs_relay_goes_on(u->relay, err);
		if (r < 0)
			return r;
		r = hxs_cut_feed(c, data, (size_t)n, err);
		if (r < 0)
			return hxs_err_prefix(err, r, "'%s'", s->shown.data);
	}
	r = hxs_cut_finish(c, kept, err);
	return r < 0 ? hxs_err_prefix(err, r, "'%s'", s->shown.data) : 0;
}

static int fail(const struct staged *s, int r, struct hxs_err *err)
{
	return hxs_err_errno(err, -r, "cannot cut the copy of '%s'",
			     s->shown.data);
}

/* Where in s->at its last component begins. */
static const char *last_name(const struct staged *s)
{
	const char *slash = strrchr(s->at.data, '/');

	return slash ? slash + 1 : s->at.data;
}

static int open_above(const struct staged *s)
{
	HXS_AUTO_FREE char *dir = NULL;

	dir = strndup(s->at.data, (size_t)(last_name(s) - s->at.data));
	if (!dir)
		return -ENOMEM;
	if (dir[0])
		dir[strlen(dir) - 1] = '\0'; /* the slash */
	return hxs_io_open_dir(s->dirfd, dir);
}

/* Open it for reading and writing, whatever its mode; the owner is us. */
static int open_staged(int dir, const char *name, struct stat *st)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd;

	if (fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	fd = openat(dir, name, flags);
	if (fd < 0 && errno == EACCES &&
	    fchmodat(dir, name, (st->st_mode & 07777) | 0600, 0) == 0)
		fd = openat(dir, name, flags);
	return fd < 0 ? -errno : fd;
}

/* Read it back: what was cut is what was kept. */
static int compare(struct hxs_restore_until *u, const struct staged *s, int fd,
		   uint64_t size, const struct hxs_digest *want,
		   struct hxs_err *err)
{
	HXS_AUTO_FREE char *buf = malloc(PIECE);
	struct hxs_digest got;
	struct hxs_hasher h;
	uint64_t off;
	ssize_t n;
	int r;

	if (!buf)
		return no_memory(err);
	hxs_hasher_init(&h);
	for (off = 0; off < size; off += (uint64_t)n) {
		n = hxs_io_pread_full(fd, buf, PIECE, off);
		if (n <= 0)
			return fail(s, n < 0 ? (int)n : -EIO, err);
		hxs_hasher_update(&h, buf, (size_t)n);
		r = hxs_relay_goes_on(u->relay, err);
		if (r < 0)
			return r;
	}
	hxs_hasher_final(&h, &got);
	if (!hxs_digest_equal(&got, want))
		return hxs_err_set(err, EIO,
				   "the copy of '%s' is not what was written",
				   s->shown.data);
	return 0;
}

static int shorten(struct hxs_restore_until *u, const struct staged *s,
		   uint64_t size, const struct hxs_digest *kept,
		   struct hxs_err *err)
{
	HXS_AUTO_CLOSE int dir = open_above(s);
	HXS_AUTO_CLOSE int fd = -1;
	struct stat st;
	int r;

	fd = dir < 0 ? dir : open_staged(dir, last_name(s), &st);
	if (fd < 0)
		return fail(s, fd, err);
	if (ftruncate(fd, (off_t)size) < 0)
		return fail(s, -errno, err);
	r = compare(u, s, fd, size, kept, err);
	if (r < 0)
		return r;
	/* Shortening takes set-id bits; and it may have been made writable. */
	if (fchmod(fd, st.st_mode & 07777) < 0)
		return fail(s, -errno, err);
	return 0;
}

/* Remove @name from directory @dir, which may not be writable. */
static int remove_from(int dir, const char *name, int flags)
{
	struct stat st;
	int r;

	if (unlinkat(dir, name, flags) == 0)
		return 0;
	r = -errno;
	if (r != -EACCES || fstat(dir, &st) < 0 ||
	    fchmod(dir, (st.st_mode & 07777) | 0700) < 0)
		return r;
	r = unlinkat(dir, name, flags) < 0 ? -errno : 0;
	if (fchmod(dir, st.st_mode & 07777) < 0 && r == 0)
		r = -errno;
	return r;
}

/* Remove it, and the directories that are empty without it. */
static int remove_staged(struct staged *s, uint32_t top,
			 const struct hxs_index *idx, struct hxs_err *err)
{
	struct hxs_node node = s->node;
	int flags = 0, r;

	for (;;) {
		HXS_AUTO_CLOSE int dir = open_above(s);

		r = dir < 0 ? dir : remove_from(dir, last_name(s), flags);
		if (flags && (r == -ENOTEMPTY || r == -EEXIST))
			return 0;
		if (r < 0)
			return fail(s, r, err);
		if (node.number == top || node.parent == top)
			return 0;
		hxs_index_get(idx, node.parent, &node);
		hxs_buf_truncate(&s->at,
				 (size_t)(last_name(s) - s->at.data) - 1);
		flags = AT_REMOVEDIR;
	}
}

static int check_names(const struct staged *s, struct hxs_err *err)
{
	int r;

	if (s->node.nlink < 2)
		return 0;
	r = hxs_err_set(err, HXS_EUSAGE,
			"'%s' has other names (hard links), which would be "
			"cut with it",
			s->shown.data);
	hxs_err_hint(err, "name the PATHs to restore without it");
	return r;
}

static void tell_incomplete(const struct hxs_restore_until *u,
			    const struct staged *s, const struct hxs_cut *c)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;

	(void)hxs_buf_printf(&text,
			     "'%s': line %u, the last, is incomplete, and was "
			     "dropped",
			     s->shown.data, c->lines);
	hxs_relay_warn(u->relay, hxs_buf_str(&text));
}

static int cut_file(struct hxs_restore_until *u, struct hxs_stage *stage,
		    struct staged *s, const struct hxs_restore_log *log,
		    struct hxs_err *err)
{
	struct hxs_restore_records *rec = log->rec;
	HXS_AUTO_CUT struct hxs_cut c;
	struct hxs_digest kept;
	int r;

	hxs_cut_init(&c, u->point, log->key);
	r = read_records(u, s, &c, &kept, err);
	if (r < 0)
		return r;
	rec->kept += c.kept;
	rec->dropped += c.dropped;
	if (!c.first_after)
		return 0;
	if (c.incomplete)
		tell_incomplete(u, s, &c);
	r = check_names(s, err);
	if (r < 0)
		return r;
	stage->bytes -= s->node.size;
	if (c.kept || s->is_source) {
		rec->cut++;
		stage->bytes += c.end;
		return shorten(u, s, c.end, &kept, err);
	}
	rec->removed++;
	stage->files--;
	return remove_staged(s, log->top, hxs_snapshot_index(u->snap), err);
}

/* Whether @node is all of its source, and no directory around it. */
static bool is_source(const struct hxs_restore_until *u,
		      const struct hxs_node *node)
{
	struct hxs_node above;

	if (u->single && u->single == node->number)
		return true;
	hxs_index_get(hxs_snapshot_index(u->snap), node->parent, &above);
	return above.parent == 0 && above.ino == 0 &&
	       !hxs_snapshot_is_foreign(u->snap);
}

int hxs_restore_cut_file(struct hxs_restore_until *u, struct hxs_stage *stage,
			 const struct hxs_restore_log *log, int dirfd,
			 const char *name, struct hxs_err *err)
{
	struct staged s = {
		.shown = HXS_BUF_INIT,
		.at = HXS_BUF_INIT,
		.dirfd = dirfd,
	};
	int r;

	hxs_index_get(hxs_snapshot_index(u->snap), log->entry, &s.node);
	s.is_source = is_source(u, &s.node);
	(void)hxs_path_show(&s.shown, log->path, strlen(log->path));
	r = hxs_restore_staged_path(hxs_snapshot_index(u->snap), log->top,
				    log->entry, name, &s.at);
	if (r < 0 || hxs_buf_status(&s.shown) < 0)
		r = no_memory(err);
	else
		r = cut_file(u, stage, &s, log, err);
	hxs_buf_release(&s.shown);
	hxs_buf_release(&s.at);
	return r;
}
