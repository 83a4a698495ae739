/* Every request that would change something: only control files take some. */
#include "fs/mount.h"
#include "fs/ops_control.h"

#include <errno.h>

static void refuse(fuse_req_t req)
{
	(void)fuse_reply_err(req, EROFS);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
		       int to_set, struct fuse_file_info *fi HXS_UNUSED)
{
	if (hxfs_is_control(ino))
		hxfs_control_op_setattr(req, ino, attr, to_set);
	else
		refuse(req);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent HXS_UNUSED,
		     const char *name HXS_UNUSED, mode_t mode HXS_UNUSED,
		     dev_t rdev HXS_UNUSED)
{
	refuse(req);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent HXS_UNUSED,
		     const char *name HXS_UNUSED, mode_t mode HXS_UNUSED)
{
	refuse(req);
}

/* unlink and rmdir */
static void op_remove(fuse_req_t req, fuse_ino_t parent HXS_UNUSED,
		      const char *name HXS_UNUSED)
{
	refuse(req);
}

static void op_symlink(fuse_req_t req, const char *target HXS_UNUSED,
		       fuse_ino_t parent HXS_UNUSED,
		       const char *name HXS_UNUSED)
{
	refuse(req);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent HXS_UNUSED,
		      const char *name HXS_UNUSED,
		      fuse_ino_t new_parent HXS_UNUSED,
		      const char *new_name HXS_UNUSED,
		      unsigned flags HXS_UNUSED)
{
	refuse(req);
}

static void op_link(fuse_req_t req, fuse_ino_t ino HXS_UNUSED,
		    fuse_ino_t new_parent HXS_UNUSED,
		    const char *new_name HXS_UNUSED)
{
	refuse(req);
}

static void op_create(fuse_req_t req, fuse_ino_t parent HXS_UNUSED,
		      const char *name HXS_UNUSED, mode_t mode HXS_UNUSED,
		      struct fuse_file_info *fi HXS_UNUSED)
{
	refuse(req);
}

/* Where in it a control file is written to means nothing. */
static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
		     size_t size, off_t off HXS_UNUSED,
		     struct fuse_file_info *fi)
{
	if (hxfs_is_control(ino))
		hxfs_control_op_write(req, ino, buf, size, fi);
	else
		refuse(req);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino HXS_UNUSED,
			const char *name HXS_UNUSED,
			const char *value HXS_UNUSED, size_t size HXS_UNUSED,
			int flags HXS_UNUSED)
{
	refuse(req);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino HXS_UNUSED,
			   const char *name HXS_UNUSED)
{
	refuse(req);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino HXS_UNUSED,
			 int mode HXS_UNUSED, off_t off HXS_UNUSED,
			 off_t len HXS_UNUSED,
			 struct fuse_file_info *fi HXS_UNUSED)
{
	refuse(req);
}

static void op_copy_file_range(fuse_req_t req, fuse_ino_t from HXS_UNUSED,
			       off_t from_off HXS_UNUSED,
			       struct fuse_file_info *from_fi HXS_UNUSED,
			       fuse_ino_t to HXS_UNUSED,
			       off_t to_off HXS_UNUSED,
			       struct fuse_file_info *to_fi HXS_UNUSED,
			       size_t len HXS_UNUSED, int flags HXS_UNUSED)
{
	refuse(req);
}

void hxfs_ops_refuse(struct fuse_lowlevel_ops *ops)
{
	ops->setattr = op_setattr;
	ops->mknod = op_mknod;
	ops->mkdir = op_mkdir;
	ops->unlink = op_remove;
	ops->rmdir = op_remove;
	ops->symlink = op_symlink;
	ops->rename = op_rename;
	ops->link = op_link;
	ops->create = op_create;
	ops->write = op_write;
	ops->setxattr = op_setxattr;
	ops->removexattr = op_removexattr;
	ops->fallocate = op_fallocate;
	ops->copy_file_range = op_copy_file_range;
}
