/* Requests about names and attributes. */
#include "fs/attributes.h"
#include "fs/history.h"
#include "fs/mount.h"
#include "fs/nodes.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

static double attr_timeout(uint64_t ino)
{
	struct hxfs_node node;

	hxfs_number_decode(ino, &node);
	switch (node.kind) {
	case HXFS_IS_ENTRY:
	case HXFS_IS_LINK:
	case HXFS_IS_TEXT:
		return HXFS_FOREVER;
	case HXFS_IS_STATUS:
	case HXFS_IS_METRICS:
	case HXFS_IS_ENV_STATUS:
	case HXFS_IS_SNAPSHOT_STATUS:
	case HXFS_IS_CONTROL:
	case HXFS_IS_TRAIL: /* who may must be who may now */
		return 0;
	default:
		return HXFS_SOON;
	}
}

static struct fuse_entry_param entry_of(const struct hxfs_found *f)
{
	struct fuse_entry_param e = {
		.ino = f->ino,
		.attr = f->st,
		.attr_timeout = attr_timeout(f->ino) > 0 ? HXFS_SOON : 0,
		.entry_timeout = HXFS_SOON,
	};

	if (f->lasting)
		e.attr_timeout = e.entry_timeout = HXFS_FOREVER;
	if (f->fleeting)
		e.attr_timeout = e.entry_timeout = 0;
	return e;
}

/* ---- lookup -------------------------------------------------------------- */

static int run_lookup(struct hxfs_call *c)
{
	struct fuse_entry_param e;
	struct hxfs_found found;
	int r;

	r = hxfs_lookup(c->fs, c->ino, c->name, c->patience, c->stranger,
			&found, NULL);
	if (r == -ENOENT && found.lasting) {
		found.ino = 0; /* it is not there and never will be */
		r = 0;
	}
	if (r < 0)
		return r;
	e = entry_of(&found);
	/* When the client has gone meanwhile the kernel remembers nothing. */
	if (!hxfs_call_claim(c) || fuse_reply_entry(c->req, &e) < 0)
		hxfs_history_forget(c->fs, found.ino, 1);
	return 0;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct hxfs_call c;

	hxfs_call_init(&c, req, parent, run_lookup);
	atomic_fetch_add(&c.fs->counters.lookups, 1);
	if (strlen(name) > 255) {
		(void)fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	c.name = name;
	if (c.fs->no_open && name[0] == '.')
		hxfs_call_know_caller(&c); /* it may be a text */
	hxfs_call_start(&c);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	struct hxfs_mount *m = fuse_req_userdata(req);

	hxfs_history_forget(m->fs, ino, nlookup);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *forgets)
{
	struct hxfs_mount *m = fuse_req_userdata(req);
	size_t i;

	for (i = 0; i < count; i++)
		hxfs_history_forget(m->fs, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* ---- attributes ---------------------------------------------------------- */

static int run_getattr(struct hxfs_call *c)
{
	struct stat st;
	int r;

	r = hxfs_stat(c->fs, c->ino, c->patience, &st, NULL);
	if (r < 0)
		return r;
	if (hxfs_call_claim(c))
		(void)fuse_reply_attr(c->req, &st, attr_timeout(c->ino));
	return 0;
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi HXS_UNUSED)
{
	struct hxfs_call c;

	hxfs_call_init(&c, req, ino, run_getattr);
	hxfs_call_start(&c);
}

static int run_readlink(struct hxfs_call *c)
{
	HXS_AUTO_FREE char *target = NULL;
	int r;

	r = hxfs_readlink(c->fs, c->ino, c->patience, &target, NULL);
	if (r < 0)
		return r;
	if (hxfs_call_claim(c))
		(void)fuse_reply_readlink(c->req, target);
	return 0;
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct hxfs_call c;

	hxfs_call_init(&c, req, ino, run_readlink);
	hxfs_call_start(&c);
}

/* ---- directories --------------------------------------------------------- */

static void op_opendir(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct hxfs_mount *m = fuse_req_userdata(req);
	struct hxfs_node node;

	hxfs_number_decode(ino, &node);
	if (m->no_opendir) {
		(void)fuse_reply_err(req, ENOSYS);
		return;
	}
	if (node.kind == HXFS_IS_NOTHING) {
		(void)fuse_reply_err(req, ESTALE);
		return;
	}
	/* Listings that change are invalidated by the notifier. */
	fi->cache_readdir = 1;
	fi->keep_cache = 1;
	(void)fuse_reply_open(req, fi);
}

struct filler {
	fuse_req_t req;
	bool plus;
	char *buf;
	size_t used, size;
};

static int fill(void *ctx, const struct hxfs_dirent *d)
{
	struct filler *f = ctx;
	size_t left = f->size - f->used, n;
	struct fuse_entry_param e;

	memset(&e, 0, sizeof(e));
	e.attr.st_ino = d->ino;
	e.attr.st_mode = d->mode;
	if (f->plus) {
		if (d->found)
			e = entry_of(d->found);
		n = fuse_add_direntry_plus(f->req, f->buf + f->used, left,
					   d->name, &e, (off_t)d->next);
	} else {
		n = fuse_add_direntry(f->req, f->buf + f->used, left, d->name,
				      &e.attr, (off_t)d->next);
	}
	if (n > left)
		return 1;
	f->used += n;
	return 0;
}

static int run_readdir(struct hxfs_call *c)
{
	HXS_AUTO_FREE char *buf = NULL;
	struct filler f = { .req = c->req, .plus = c->plus, .size = c->size };
	int r;

	buf = malloc(c->size ? c->size : 1);
	if (!buf)
		return -ENOMEM;
	f.buf = buf;
	r = hxfs_list(c->fs, c->ino, c->off, c->patience, c->plus, fill, &f,
		      NULL);
	if (r < 0)
		return r;
	if (hxfs_call_claim(c))
		(void)fuse_reply_buf(c->req, buf, f.used);
	return 0;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		 bool plus)
{
	struct hxfs_call c;

	hxfs_call_init(&c, req, ino, run_readdir);
	if (ino == HXFS_ROOT) /* before it is looked at: see fs/tell.c */
		atomic_store(&c.m->root_listed, true);
	c.size = size;
	c.off = (uint64_t)off;
	c.plus = plus;
	hxfs_call_start(&c);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi HXS_UNUSED)
{
	list(req, ino, size, off, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size,
			   off_t off, struct fuse_file_info *fi HXS_UNUSED)
{
	list(req, ino, size, off, true);
}

/* ---- the file system ----------------------------------------------------- */

static void op_statfs(fuse_req_t req, fuse_ino_t ino HXS_UNUSED)
{
	struct hxfs_mount *m = fuse_req_userdata(req);
	struct statvfs st;

	if (fstatvfs(hxs_store_fd(m->fs->store), &st) < 0) {
		(void)fuse_reply_err(req, errno);
		return;
	}
	st.f_namemax = 255;
	st.f_flag |= ST_RDONLY | ST_NOSUID;
	(void)fuse_reply_statfs(req, &st);
}

/* ---- extended attributes ------------------------------------------------- */

/* @size 0 asks for the length alone. */
static int answer_bytes(struct hxfs_call *c, const struct hxs_buf *bytes)
{
	if (c->size && bytes->len > c->size)
		return -ERANGE;
	if (!hxfs_call_claim(c))
		return 0;
	if (c->size)
		(void)fuse_reply_buf(c->req, bytes->data, bytes->len);
	else
		(void)fuse_reply_xattr(c->req, bytes->len);
	return 0;
}

static int run_getxattr(struct hxfs_call *c)
{
	HXS_AUTO_BUF struct hxs_buf value = HXS_BUF_INIT;
	int r;

	r = hxfs_attributes_get(c->fs, c->ino, c->name, c->patience, &c->stop,
				&value, NULL);
	return r < 0 ? r : answer_bytes(c, &value);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			size_t size)
{
	struct hxfs_call c;

	hxfs_call_init(&c, req, ino, run_getxattr);
	if (!c.fs->xattr) {
		/* Once, and the kernel never asks again. */
		(void)fuse_reply_err(req, ENOSYS);
		return;
	}
	c.name = name;
	c.size = size;
	hxfs_call_start(&c);
}

static int run_listxattr(struct hxfs_call *c)
{
	HXS_AUTO_BUF struct hxs_buf names = HXS_BUF_INIT;
	int r;

	r = hxfs_attributes_list(c->fs, c->ino, c->privileged, c->patience,
				 &names, NULL);
	return r < 0 ? r : answer_bytes(c, &names);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct hxfs_call c;

	hxfs_call_init(&c, req, ino, run_listxattr);
	if (!c.fs->xattr) {
		(void)fuse_reply_err(req, ENOSYS);
		return;
	}
	c.size = size;
	hxfs_call_start(&c);
}

void hxfs_ops_meta(struct fuse_lowlevel_ops *ops)
{
	ops->lookup = op_lookup;
	ops->forget = op_forget;
	ops->forget_multi = op_forget_multi;
	ops->getattr = op_getattr;
	ops->readlink = op_readlink;
	ops->opendir = op_opendir;
	ops->readdir = op_readdir;
	ops->readdirplus = op_readdirplus;
	ops->statfs = op_statfs;
	ops->getxattr = op_getxattr;
	ops->listxattr = op_listxattr;
}
