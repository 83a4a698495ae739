/* One entry of a snapshot, put back in one step. */
#include "verbs/repair_parts.h"

#include "base/io.h"
#include "base/xattr.h"
#include "format/treecmp.h"
#include "source/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AREA HXS_REPAIR_AREA
#define PIECE 65536u
#define NOT_THIS 1 /* the copy is none */

static bool is_zero(const char *data, size_t len)
{
	return len == 0 ||
	       (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

static int not_this(struct hxs_err *err)
{
	(void)hxs_err_set(err, HXS_ECORRUPT,
			  "the copy is another one than the manifest lists");
	return NOT_THIS;
}

static int no_write(int r, struct hxs_err *err)
{
	return hxs_err_errno(err, -r, "cannot write to '%s'", AREA);
}

/*
 * Copy all of @in, which is to have @digest and no more than @most bytes, to
 * @out, or only hash it if that is -1; holes stay holes.
 */
static int take_over(const struct hxs_repair_run *run, int in, int out,
		     const struct hxs_digest *digest, uint64_t most,
		     struct hxs_err *err)
{
	HXS_AUTO_FREE char *piece = malloc(PIECE);
	struct hxs_digest found;
	struct hxs_hasher h;
	uint64_t off = 0;
	ssize_t n;
	int r;

	if (!piece)
		return hxs_err_errno(err, ENOMEM, "cannot take it over");
	hxs_hasher_init(&h);
	do {
		if (hxs_repair_is_cancelled(run))
			return hxs_err_errno(err, ECANCELED,
					     "the repair ended early");
		n = hxs_io_pread_full(in, piece, PIECE, off);
		if (n < 0) {
			(void)hxs_err_errno(err, (int)-n,
					    "cannot read the copy");
			return NOT_THIS;
		}
		hxs_hasher_update(&h, piece, (size_t)n);
		r = out < 0 || is_zero(piece, (size_t)n)
			    ? 0
			    : hxs_io_pwrite_full(out, piece, (size_t)n, off);
		if (r < 0)
			return no_write(r, err);
		off += (uint64_t)n;
	} while (n == (ssize_t)PIECE && off <= most);
	hxs_hasher_final(&h, &found);
	if (off > most || !hxs_digest_equal(&found, digest))
		return not_this(err);
	if (out >= 0 && ftruncate(out, (off_t)off) < 0)
		return no_write(-errno, err);
	return 0;
}

/* ---- attributes ---------------------------------------------------------- */

/*
 * Nothing tells what a file of a foreign snapshot is to look like but what
 * lies there, damaged, or else the copy.
 */
static int set_foreign(int fd, int dir, const char *name, int in,
		       struct hxs_err *err)
{
	HXS_AUTO_CLOSE int there =
		hxs_io_open_beneath(dir, name, O_PATH | O_NOFOLLOW, 0);
	HXS_AUTO_BUF struct hxs_buf xattrs = HXS_BUF_INIT;
	struct hxs_tree_stat ts;
	struct stat st, now;
	int r = 0;

	if (there < 0 || fstat(there, &st) < 0 || !S_ISREG(st.st_mode)) {
		r = fstat(in, &st) < 0 ? -errno : hxs_xattr_read(in, &xattrs);
	} else {
		r = hxs_xattr_read(there, &xattrs);
	}
	hxs_tree_from_stat(&ts, &st);
	if (r == 0)
		r = hxs_copy_attributes(fd, &ts, xattrs.data, xattrs.len, NULL);
	/* That leaves set-id bits out. */
	if (r == 0 && fstat(fd, &now) == 0 && now.st_uid == st.st_uid &&
	    now.st_gid == st.st_gid && fchmod(fd, st.st_mode & 07777) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? hxs_err_errno(err, -r, "cannot set its attributes") : 0;
}

/* In one step; the directory's times are as they were, or were to be. */
static int place(const struct hxs_repair_run *run, const struct hxs_node *node,
		 int dir, struct hxs_err *err)
{
	struct timespec times[2];
	struct hxs_node parent;
	struct stat st;

	if (fstat(dir, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at its place");
	hxs_index_get(hxs_snapshot_index(run->snap), node->parent, &parent);
	if (!hxs_snapshot_is_foreign(run->snap) && node->parent != 0)
		st.st_mtim = parent.mtime;
	times[0] = times[1] = st.st_mtim;
	if (renameat(run->area, run->tmp, dir, node->name) < 0 ||
	    futimens(dir, times) < 0 || fsync(dir) < 0)
		return hxs_err_errno(err, errno, "cannot put it in its place");
	return 0;
}

/* ---- copies and links ---------------------------------------------------- */

/* Whether the copy may become the file, as create would have linked it. */
static bool is_twin(const struct hxs_repair_run *run,
		    const struct hxs_node *node, const struct hxs_node *twin,
		    const struct stat *st)
{
	struct stat area;

	return twin && !hxs_snapshot_is_foreign(run->snap) &&
	       hxs_treecmp_node(node, twin) == 0 &&
	       (st->st_mode & 07777) == hxs_copy_mode(node->mode) &&
	       st->st_uid == node->uid && st->st_gid == node->gid &&
	       st->st_mtim.tv_sec == node->mtime.tv_sec &&
	       st->st_mtim.tv_nsec == node->mtime.tv_nsec &&
	       fstat(run->area, &area) == 0 && area.st_dev == st->st_dev;
}

/* Give @in, which was hashed, another name in the area, if that can be. */
static bool link_copy(const struct hxs_repair_run *run, int in)
{
	char name[48];

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", in);
	return linkat(AT_FDCWD, name, run->area, run->tmp, AT_SYMLINK_FOLLOW) ==
	       0;
}

static int copy(const struct hxs_repair_run *run, int in, int dir,
		const struct hxs_node *node, struct hxs_err *err)
{
	bool foreign = hxs_snapshot_is_foreign(run->snap);
	HXS_AUTO_CLOSE int out = -1;
	int r;

	out = hxs_io_open_beneath(run->area, run->tmp,
				  O_RDWR | O_CREAT | O_EXCL, 0600);
	if (out < 0)
		return no_write(out, err);
	/* Without an index, a size is that of what lies there. */
	r = take_over(run, in, out, node->digest,
		      foreign ? INT64_MAX : node->size, err);
	if (r != 0)
		return r;
	return foreign ? set_foreign(out, dir, node->name, in, err)
		       : hxs_repair_set(out, node, err);
}

/* The copy as an fd; NOT_THIS with a message if reading it is of no use. */
static int open_copy(const struct hxs_repair_run *run,
		     struct hxs_repair_file *f, const struct hxs_node *node,
		     const struct hxs_repair_copy *from, int *out,
		     struct stat *st, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int in = hxs_io_open_regular(from->dir, from->path, st);

	if (in < 0) {
		(void)hxs_err_errno(err, -in, "cannot open the copy");
		return NOT_THIS;
	}
	if (f->links && st->st_dev == f->dev && st->st_ino == f->ino) {
		(void)hxs_err_set(err, HXS_ECORRUPT,
				  "the copy is the damaged file itself, by "
				  "another name");
		return NOT_THIS;
	}
	if (f->tried && st->st_dev == f->tried_dev &&
	    st->st_ino == f->tried_ino)
		return not_this(err);
	f->tried_dev = st->st_dev;
	f->tried_ino = st->st_ino;
	f->tried++;
	if (!hxs_snapshot_is_foreign(run->snap) &&
	    (uint64_t)st->st_size != node->size)
		return not_this(err);
	*out = HXS_STEAL_FD(in);
	return 0;
}

int hxs_repair_put(struct hxs_repair_run *run, struct hxs_repair_file *f,
		   const struct hxs_repair_copy *from, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int dir = -1;
	HXS_AUTO_CLOSE int in = -1;
	struct hxs_node node;
	struct stat st;
	bool twin;
	int r;

	hxs_index_get(hxs_snapshot_index(run->snap), f->entry, &node);
	r = open_copy(run, f, &node, from, &in, &st, err);
	if (r != 0)
		return r;
	twin = is_twin(run, &node, from->twin, &st);
	if (twin) {
		r = take_over(run, in, -1, node.digest, node.size, err);
		if (r != 0)
			return r;
	}
	dir = hxs_repair_open_dir(run, node.parent, err);
	if (dir < 0)
		return dir;
	hxs_repair_clear(run); /* of one that was killed */
	/* What cannot be linked is copied. */
	r = twin && link_copy(run, in) ? 0 : copy(run, in, dir, &node, err);
	if (r == 0)
		r = place(run, &node, dir, err);
	hxs_repair_clear(run); /* gone if it is placed */
	return r;
}

void hxs_repair_look(const struct hxs_repair_run *run,
		     struct hxs_repair_file *f)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	struct stat st;

	f->links = 0;
	if (hxs_index_path(hxs_snapshot_index(run->snap), f->entry, &path) < 0)
		return; /* then a copy is hashed to see that it is damaged */
	fd = hxs_io_open_beneath(hxs_snapshot_fd(run->snap), path.data,
				 O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->links = st.st_nlink;
}

/* ---- what needs no copy -------------------------------------------------- */

static int make_link(struct hxs_repair_run *run, const struct hxs_node *node,
		     struct hxs_err *err)
{
	const struct hxs_tree_stat ts = {
		.atime = { .tv_nsec = UTIME_OMIT },
		.mtime = node->mtime,
		.mode = node->mode,
		.uid = node->uid,
		.gid = node->gid,
	};
	HXS_AUTO_CLOSE int dir = -1;
	int r;

	dir = hxs_repair_open_dir(run, node->parent, err);
	if (dir < 0)
		return dir;
	hxs_repair_clear(run); /* of one that was killed */
	if (symlinkat(node->target, run->area, run->tmp) < 0)
		return no_write(-errno, err);
	r = hxs_copy_link_attributes(run->area, run->tmp, &ts, node->xattrs,
				     node->xattrs_len);
	if (r < 0)
		r = hxs_err_errno(err, -r, "cannot set its attributes");
	else
		r = place(run, node, dir, err);
	hxs_repair_clear(run); /* gone if it is placed */
	return r;
}

static int make_in(struct hxs_repair_run *run, const struct hxs_node *node,
		   struct hxs_err *err)
{
	int r;

	if (S_ISLNK(node->mode))
		return make_link(run, node, err);
	r = hxs_repair_open_dir(run, node->number, err);
	if (r >= 0)
		(void)close(r); /* a directory */
	return r < 0 ? r : 0;
}

int hxs_repair_make(struct hxs_repair_run *run, uint32_t entry,
		    struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(run->snap);
	struct hxs_node node;
	int64_t n = entry;
	int r = 0;

	for (; r == 0 && n >= 0; n = hxs_index_next(idx, (uint32_t)n, entry)) {
		hxs_index_get(idx, (uint32_t)n, &node);
		if (!S_ISREG(node.mode))
			r = make_in(run, &node, err);
	}
	return r;
}
