/* Requests about the bytes of files. */
#include "fs/files.h"
#include "fs/mount.h"
#include "fs/nodes.h"
#include "fs/ops_control.h"
#include "fs/slots.h"
#include "fs/status.h"

#include <errno.h>
#include <fcntl.h>

/* ---- open, release ------------------------------------------------------- */

static int open_text(struct hxfs_call *c, const struct hxfs_node *node,
		     struct hxfs_handle **out)
{
	char *text;
	size_t len;
	int r;

	r = hxfs_status_text(c->fs, node, c->patience, c->stranger, &text, &len,
			     NULL);
	return r < 0 ? r : hxfs_files_text(c->fs, text, len, out);
}

static bool is_text(uint64_t ino)
{
	struct hxfs_node node;

	hxfs_number_decode(ino, &node);
	return node.kind == HXFS_IS_STATUS || node.kind == HXFS_IS_METRICS ||
	       node.kind == HXFS_IS_ENV_STATUS ||
	       node.kind == HXFS_IS_SNAPSHOT_STATUS;
}

static int open_node(struct hxfs_call *c, struct hxfs_handle **out)
{
	struct hxfs_node node;

	hxfs_number_decode(c->ino, &node);
	switch (node.kind) {
	case HXFS_IS_ENTRY:
		c->fi.keep_cache = 1;
		c->fi.noflush = 1;
		return hxfs_files_open(c->fs, node.slot, node.n, c->patience,
				       &c->stop, out, NULL);
	case HXFS_IS_STATUS:
	case HXFS_IS_METRICS:
	case HXFS_IS_ENV_STATUS:
	case HXFS_IS_SNAPSHOT_STATUS:
		c->fi.direct_io = 1; /* its size is not known beforehand */
		c->fi.noflush = 1;
		return open_text(c, &node, out);
	case HXFS_IS_NOTHING:
		return -ESTALE;
	case HXFS_IS_LINK:
		return -ELOOP;
	default:
		return -EISDIR;
	}
}

static int run_open(struct hxfs_call *c)
{
	struct hxfs_handle *h;
	int r;

	r = open_node(c, &h);
	if (r < 0)
		return r;
	c->fi.fh = (uint64_t)(uintptr_t)h;
	/* When the client has gone meanwhile no release will come. */
	if (!hxfs_call_claim(c) || fuse_reply_open(c->req, &c->fi) < 0)
		hxfs_files_close(c->fs, h);
	return 0;
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct hxfs_call c;

	if (hxfs_is_control(ino)) {
		hxfs_control_op_open(req, ino, fi);
		return;
	}
	hxfs_call_init(&c, req, ino, run_open);
	if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC)) {
		(void)fuse_reply_err(req, EROFS);
		return;
	}
	if (c.fs->no_open) {
		/* Once, and the kernel opens files by itself. */
		(void)fuse_reply_err(req, ENOSYS);
		return;
	}
	c.fi = *fi;
	if (is_text(ino))
		hxfs_call_know_caller(&c);
	hxfs_call_start(&c);
}

static void op_release(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct hxfs_mount *m = fuse_req_userdata(req);

	if (hxfs_is_control(ino)) {
		hxfs_control_op_release(req, fi);
		return;
	}
	if (!m->fs->no_open)
		hxfs_files_close(m->fs,
				 (struct hxfs_handle *)(uintptr_t)fi->fh);
	(void)fuse_reply_err(req, 0);
}

/* ---- read ---------------------------------------------------------------- */

/* Where nobody opens files, a read says by number what it wants. */
static ssize_t read_unopened(struct hxfs_call *c, struct hxs_scratch *scratch,
			     const void **out)
{
	struct hxfs_node node;

	hxfs_number_decode(c->ino, &node);
	if (node.kind == HXFS_IS_ENTRY)
		return hxfs_files_read_entry(c->fs, node.slot, node.n,
					     c->patience, &c->stop, c->off,
					     c->size, scratch, out, NULL);
	if (node.kind == HXFS_IS_TEXT)
		return hxfs_texts_read(c->fs->texts, node.serial, c->off,
				       c->size, scratch, out);
	return -ESTALE;
}

/*
 * The bytes that were checked are the bytes that are sent: out of this
 * thread's own memory, never out of a file's pages.
 */
static int run_read(struct hxfs_call *c)
{
	struct hxs_scratch *scratch = hxfs_call_scratch(c->m);
	const void *bytes = NULL;
	struct hxfs_handle *h;
	ssize_t n;

	if (!scratch)
		return -ENOMEM;
	if (c->fs->no_open) {
		n = read_unopened(c, scratch, &bytes);
	} else {
		h = (struct hxfs_handle *)(uintptr_t)c->fi.fh;
		n = hxfs_files_read(c->fs, h, c->off, c->size, scratch, &bytes,
				    NULL);
		/* A handle may be closed once its client was answered. */
		if (n == -EAGAIN)
			n = -EIO;
	}
	if (n < 0)
		return (int)n;
	if (hxfs_call_claim(c))
		(void)fuse_reply_buf(c->req, bytes, (size_t)n);
	return 0;
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct hxfs_call c;

	if (hxfs_is_control(ino)) {
		hxfs_control_op_read(req, size, off, fi);
		return;
	}
	hxfs_call_init(&c, req, ino, run_read);
	c.size = size;
	c.off = (uint64_t)off;
	if (fi)
		c.fi = *fi;
	hxfs_call_start(&c);
}

/* ---- holes --------------------------------------------------------------- */

/* A file of no entry has no holes: data up to its end. */
static int64_t seek_plain(uint64_t size, uint64_t off, bool hole)
{
	if (off >= size)
		return -ENXIO;
	return (int64_t)(hole ? size : off);
}

static int run_lseek(struct hxfs_call *c)
{
	bool hole = c->plus; /* the one flag that is free here */
	const struct hxs_index *idx;
	struct hxfs_node node;
	struct hxfs_slot *s;
	struct stat st;
	int64_t at;
	int r;

	hxfs_number_decode(c->ino, &node);
	if (node.kind != HXFS_IS_ENTRY) {
		r = hxfs_stat(c->fs, c->ino, c->patience, &st, NULL);
		at = r < 0 ? r : seek_plain((uint64_t)st.st_size, c->off, hole);
	} else {
		r = hxfs_slots_enter(c->fs, node.slot, c->patience, &s, NULL);
		if (r < 0)
			return r;
		idx = hxs_snapshot_index(s->snap);
		if (node.n < hxs_index_count(idx))
			at = hxs_index_seek(idx, node.n, c->off, hole);
		else if (hxs_snapshot_stat(s->snap, node.n, &st) == 0)
			at = seek_plain((uint64_t)st.st_size, c->off, hole);
		else
			at = -ESTALE;
		hxfs_slots_leave(c->fs, s);
	}
	if (at < 0)
		return (int)at;
	if (hxfs_call_claim(c))
		(void)fuse_reply_lseek(c->req, (off_t)at);
	return 0;
}

static void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		     struct fuse_file_info *fi HXS_UNUSED)
{
	struct hxfs_call c;

	hxfs_call_init(&c, req, ino, run_lseek);
	if (off < 0 || (whence != SEEK_DATA && whence != SEEK_HOLE)) {
		(void)fuse_reply_err(req, off < 0 ? ENXIO : EINVAL);
		return;
	}
	c.off = (uint64_t)off;
	c.plus = whence == SEEK_HOLE;
	hxfs_call_start(&c);
}

void hxfs_ops_data(struct fuse_lowlevel_ops *ops)
{
	ops->open = op_open;
	ops->release = op_release;
	ops->read = op_read;
	ops->lseek = op_lseek;
}
