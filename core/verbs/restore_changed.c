/*
 * Whether live data are still what the rollback point holds. Every name that
 * it has is looked at: files by inode number and times, directories by the
 * time of their last change, which tells of names that came or went. Not so
 * the top, whose time the swap itself may change: its names are read.
 */
#include "base/buf.h"
#include "base/io.h"
#include "base/path.h"
#include "source/sqlite.h"
#include "source/tree.h"
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

/* ---- the names of the top ---------------------------------------------- */

struct top {
	const struct hxs_index *idx;
	const struct hxs_config_source *src;
	const char *own;
	uint32_t entry;
	int fd;
	struct hxs_buf *changed;
};

static int see_name(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	struct top *t = ctx;
	struct stat st;

	if (strcmp(name, t->own) == 0 ||
	    hxs_index_lookup(t->idx, t->entry, name, strlen(name)) >= 0 ||
	    hxs_walk_excludes(t->src, name, name))
		return 0;
	if (fstatat(t->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode) &&
	    ((!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) ||
	     strncmp(name, ".env", 4) == 0 ||
	     hxs_sqlite_is_beside(t->fd, name)))
		return 0; /* left out */
	return hxs_buf_printf(t->changed, "%s/%s", t->src->name, name) < 0
		       ? -ENOMEM
		       : 1;
}

/* ---- any directory ----------------------------------------------------- */

/* The first thing below @dir, which is entry @d, that has changed. */
static int look(const struct hxs_index *idx, uint32_t d, int dir, bool is_top,
		struct hxs_buf *changed)
{
	struct hxs_node node, child;
	struct stat st;
	uint32_t i;

	hxs_index_get(idx, d, &node);
	if (fstat(dir, &st) < 0)
		return -errno;
	if (!is_top && !same_time(node.mtime, st.st_mtim))
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

int hxs_restore_find_change(const struct hxs_index *idx,
			    const struct hxs_config_source *src,
			    const char *own, int top, struct hxs_buf *changed)
{
	size_t skip = strlen(src->name);
	int64_t first = hxs_index_lookup(idx, 0, src->name, skip), n;
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct top t = { idx, src, own, (uint32_t)first, top, changed };
	struct hxs_node node;
	int r;

	if (first < 0)
		return 0;
	r = hxs_io_list(top, see_name, &t);
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
		fd = hxs_io_open_dir(top, path.data[skip] ? path.data + skip + 1
							  : "");
		if (fd < 0) /* gone, or no directory any more */
			return hxs_buf_puts(changed, path.data) < 0 ? -ENOMEM
								    : 1;
		r = look(idx, (uint32_t)n, fd, n == first, changed);
	}
	return r;
}

int hxs_restore_file_changed(const struct hxs_index *idx, const char *source,
			     int dir, const char *name)
{
	int64_t n = hxs_index_lookup(idx, 0, source, strlen(source));
	struct hxs_node node;
	struct stat st;

	n = n < 0 ? n : hxs_index_lookup(idx, (uint32_t)n, name, strlen(name));
	if (n < 0)
		return 0;
	hxs_index_get(idx, (uint32_t)n, &node);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : -errno;
	return !is_same(&node, &st);
}
