/*
 * Whether live data are still what the rollback point holds. Every name that
 * it has is looked at: files by inode number and times, directories by the
 * time of their last change, which tells of names that came or went.
 */
#include "base/buf.h"
#include "base/io.h"
#include "base/path.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct hxs_node *n, const struct stat *st)
{
	if ((n->mode & S_IFMT) != (st->st_mode & S_IFMT))
		return false;
	if (S_ISLNK(n->mode))
		return n->ino == st->st_ino;
	/* Not the size: that of a database's copy is another. */
	return n->ino == st->st_ino && same_time(n->mtime, st->st_mtim) &&
	       same_time(n->ctime, st->st_ctim);
}

/* The first thing below @dir, which is entry @d, that has changed. */
static int look(const struct hxs_index *idx, uint32_t d, int dir,
		struct hxs_buf *changed)
{
	struct hxs_node node, child;
	struct stat st;
	uint32_t i;

	hxs_index_get(idx, d, &node);
	if (fstat(dir, &st) < 0)
		return -errno;
	if (!same_time(node.mtime, st.st_mtim))
		return hxs_index_path(idx, d, changed) < 0 ? -ENOMEM : 1;
	for (i = 0; i < node.child_count; i++) {
		hxs_index_get(idx, node.first_child + i, &child);
		if (S_ISDIR(child.mode))
			continue;
		if (fstatat(dir, child.name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    is_same(&child, &st))
			continue;
		return hxs_index_path(idx, child.number, changed) < 0 ? -ENOMEM
								      : 1;
	}
	return 0;
}

int hxs_restore_find_change(const struct hxs_index *idx, const char *source,
			    int top, struct hxs_buf *changed)
{
	int64_t first = hxs_index_lookup(idx, 0, source, strlen(source)), n;
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_node node;
	size_t skip;
	int r = 0;

	if (first < 0)
		return 0;
	for (n = first; r == 0 && n >= 0;
	     n = hxs_index_next(idx, (uint32_t)n, (uint32_t)first)) {
		HXS_AUTO_CLOSE int fd = -1;

		hxs_index_get(idx, (uint32_t)n, &node);
		if (!S_ISDIR(node.mode))
			continue;
		hxs_buf_truncate(&path, 0);
		r = hxs_index_path(idx, (uint32_t)n, &path);
		if (r < 0)
			return r;
		skip = strlen(source);
		fd = hxs_io_open_dir(top, path.data[skip] ? path.data + skip + 1
							  : "");
		if (fd < 0) /* gone, or no directory any more */
			return hxs_buf_puts(changed, path.data) < 0 ? -ENOMEM
								    : 1;
		r = look(idx, (uint32_t)n, fd, changed);
	}
	return r;
}
