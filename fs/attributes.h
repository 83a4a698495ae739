#ifndef HXFS_ATTRIBUTES_H
#define HXFS_ATTRIBUTES_H

/*
 * Extended attributes: those of the snapshot, and three of ours that answer
 * by name and are not listed: user.hxsnap.sha256, .verified, .fault.
 */
#include "base/buf.h"
#include "fs/hxfs.h"

/* Whether they are answered at all: -o xattr, or what the store holds. */
bool hxfs_attributes_wanted(struct hxfs *fs);

/*
 * Append the value; -ENODATA when there is none of that name. Telling a
 * file's fault may open it: @stop is as in hxfs_files_open().
 */
HXS_MUST_CHECK
int hxfs_attributes_get(struct hxfs *fs, uint64_t ino, const char *name,
			enum hxfs_patience patience,
			const struct hxs_stop *stop, struct hxs_buf *out,
			struct hxs_err *err);

/* Append the names, each with its NUL; trusted.* only for the @privileged. */
HXS_MUST_CHECK
int hxfs_attributes_list(struct hxfs *fs, uint64_t ino, bool privileged,
			 enum hxfs_patience patience, struct hxs_buf *out,
			 struct hxs_err *err);

#endif
