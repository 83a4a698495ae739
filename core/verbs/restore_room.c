#include "verbs/restore_room.h"

#include "base/path.h"
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* The smallest file that no file system keeps within its inode. */
#define OUTSIDE_INODE 4096u

/* Holes smaller than the index tells of are looked for in files so large. */
#define LARGE (1u << 20)

/* Whether @a and @b lie on one file system, or nobody can tell. */
static bool is_one(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) < 0 || fstat(b, &sb) < 0 || sa.st_dev == sb.st_dev;
}

/* Whether a byte written at @fd takes a byte there. */
static bool is_plain(const struct hxs_store *s, int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch ((uint64_t)fs.f_type) {
	case EXT4_SUPER_MAGIC: /* and ext2, ext3 */
	case TMPFS_MAGIC:
		return true;
	case XFS_SUPER_MAGIC:
		return !is_one(hxs_store_fd(s), fd);
	default:
		return false;
	}
}

void hxs_restore_room_begin(struct hxs_room *room, const struct hxs_store *s,
			    int fd)
{
	struct statvfs fs;

	*room = (struct hxs_room){ .unit = 0 };
	if (is_plain(s, fd) && fstatvfs(fd, &fs) == 0)
		room->unit = fs.f_frsize;
}

/* What the stored file has of @node's bytes, at most all of them. */
static uint64_t stored_bytes(const struct hxs_snapshot *snap,
			     const struct hxs_node *node)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct stat st;

	if (hxs_index_path(hxs_snapshot_index(snap), node->number, &path) < 0 ||
	    fstatat(hxs_snapshot_fd(snap), hxs_buf_str(&path), &st,
		    AT_SYMLINK_NOFOLLOW) < 0)
		return node->size;
	return (uint64_t)st.st_blocks * 512 < node->size
		       ? (uint64_t)st.st_blocks * 512
		       : node->size;
}

void hxs_restore_room_add(struct hxs_room *room,
			  const struct hxs_snapshot *snap, uint32_t top)
{
	const struct hxs_index *idx = hxs_snapshot_index(snap);
	struct hxs_node node;
	uint64_t bytes;
	int64_t n;

	if (room->unit == 0 || hxs_snapshot_is_foreign(snap))
		return;
	for (n = top; n >= 0; n = hxs_index_next(idx, (uint32_t)n, top)) {
		hxs_index_get(idx, (uint32_t)n, &node);
		if (node.leader != node.number)
			continue;
		room->inodes++;
		if (!S_ISREG(node.mode) || node.sparse)
			continue;
		bytes = node.size < LARGE ? node.size
					  : stored_bytes(snap, &node);
		if (bytes >= OUTSIDE_INODE)
			bytes += room->unit - 1 - (bytes - 1) % room->unit;
		room->bytes += bytes;
	}
}

int hxs_restore_room_check(const struct hxs_room *room, int fd,
			   const char *path, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	struct statvfs fs;
	uint64_t free;

	if (room->unit == 0 || fstatvfs(fd, &fs) < 0)
		return 0;
	free = (geteuid() == 0 ? fs.f_bfree : fs.f_bavail) * fs.f_frsize;
	(void)hxs_path_show(&shown, path, strlen(path));
	/* A tmpfs without a limit tells of no blocks at all. */
	if (fs.f_blocks != 0 && room->bytes > free)
		return hxs_err_errno(err, ENOSPC,
				     "%" PRIu64 " bytes are to be written in "
				     "'%s', and %" PRIu64 " are free",
				     room->bytes, hxs_buf_str(&shown), free);
	if (fs.f_files != 0 && room->inodes > fs.f_ffree)
		return hxs_err_errno(err, ENOSPC,
				     "%" PRIu64 " files are to be made in "
				     "'%s', and %" PRIu64 " can be",
				     room->inodes, hxs_buf_str(&shown),
				     (uint64_t)fs.f_ffree);
	return 0;
}
