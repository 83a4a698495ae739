#ifndef HXFS_OPS_CONTROL_H
#define HXFS_OPS_CONTROL_H

/* Requests for control files, which fs/ops_data.c and _refuse.c pass on. */
#include "fs/mount.h"

bool hxfs_is_control(uint64_t ino);

void hxfs_control_op_open(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi);
void hxfs_control_op_read(fuse_req_t req, size_t size, off_t off,
			  struct fuse_file_info *fi);
void hxfs_control_op_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
			   size_t size, struct fuse_file_info *fi);
void hxfs_control_op_release(fuse_req_t req, struct fuse_file_info *fi);
void hxfs_control_op_setattr(fuse_req_t req, fuse_ino_t ino,
			     const struct stat *attr, int to_set);

#endif
