/*
 * Directories of a snapshot that are missing. One is made with all it is to
 * have, but open to its owner, and gets its own mode and time when nothing
 * more is put into it.
 */
#include "verbs/repair_parts.h"

#include "base/io.h"
#include "source/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static int no_dir(int r, struct hxs_err *err)
{
	return hxs_err_errno(err, -r, "cannot open its directory");
}

void hxs_repair_clear(const struct hxs_repair_run *run)
{
	/* What cannot be removed is in the way of the next one, which says so. */
	(void)hxs_io_remove_tree(run->area, run->tmp);
}

/* An fd or -errno. */
static int open_entry(const struct hxs_repair_run *run, uint32_t entry)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	int r;

	r = hxs_index_path(hxs_snapshot_index(run->snap), entry, &path);
	return r < 0 ? r
		     : hxs_io_open_dir(hxs_snapshot_fd(run->snap),
				       hxs_buf_str(&path));
}

int hxs_repair_set(int fd, const struct hxs_node *node, struct hxs_err *err)
{
	struct hxs_tree_stat ts = {
		.atime = { .tv_nsec = UTIME_OMIT },
		.mtime = node->mtime,
		.mode = node->mode,
		.uid = node->uid,
		.gid = node->gid,
	};
	int r;

	r = hxs_copy_attributes(fd, &ts, node->xattrs, node->xattrs_len, NULL);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? hxs_err_errno(err, -r, "cannot set its attributes") : 0;
}

static int note_dir(struct hxs_repair_run *run, uint32_t entry)
{
	size_t cap = run->dir_cap ? 2 * run->dir_cap : 16;
	uint32_t *grown;

	if (run->dir_count == run->dir_cap) {
		grown = reallocarray(run->dirs, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		run->dirs = grown;
		run->dir_cap = cap;
	}
	run->dirs[run->dir_count++] = entry;
	return 0;
}

/* Make directory @node beside the snapshot, with all that it is to have. */
static int make_aside(struct hxs_repair_run *run, const struct hxs_node *node,
		      struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_node open = *node;

	hxs_repair_clear(run);
	if (mkdirat(run->area, run->tmp, 0700) < 0)
		return hxs_err_errno(err, errno, "cannot make its directory");
	fd = hxs_io_open_dir(run->area, run->tmp);
	if (fd < 0)
		return no_dir(fd, err);
	if (hxs_snapshot_is_foreign(run->snap)) /* nothing tells */
		return fchmod(fd, 0755) < 0 ? no_dir(-errno, err) : 0;
	/* Root may write to any. */
	if (geteuid() != 0)
		open.mode |= 0700;
	return hxs_repair_set(fd, &open, err);
}

/* Make directory @node, whose parent is there. */
static int make_dir(struct hxs_repair_run *run, const struct hxs_node *node,
		    struct hxs_err *err)
{
	HXS_AUTO_CLOSE int parent = open_entry(run, node->parent);
	struct timespec times[2];
	struct stat st;
	int r;

	if (parent < 0)
		return no_dir(parent, err);
	r = note_dir(run, node->number);
	if (r < 0)
		return no_dir(r, err);
	r = make_aside(run, node, err);
	if (r < 0)
		return r;
	if (fstat(parent, &st) < 0)
		return no_dir(-errno, err);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (renameat(run->area, run->tmp, parent, node->name) < 0 ||
	    futimens(parent, times) < 0 || fsync(parent) < 0)
		return hxs_err_errno(err, errno, "cannot make its directory");
	return 0;
}

int hxs_repair_open_dir(struct hxs_repair_run *run, uint32_t entry,
			struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(run->snap);
	struct hxs_node node;
	int fd, r;

	/* Each round makes the uppermost that is missing. */
	for (;;) {
		fd = open_entry(run, entry);
		if (fd >= 0)
			return fd;
		if (fd != -ENOENT || entry == 0)
			return no_dir(fd, err);
		hxs_index_get(idx, entry, &node);
		while (node.parent != 0) {
			fd = open_entry(run, node.parent);
			if (fd >= 0)
				(void)close(fd); /* a directory */
			if (fd != -ENOENT)
				break;
			hxs_index_get(idx, node.parent, &node);
		}
		r = make_dir(run, &node, err);
		if (r < 0)
			return r;
	}
}

int hxs_repair_end_dirs(struct hxs_repair_run *run, struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(run->snap);
	struct hxs_node node;
	size_t i;
	int r = 0;

	if (hxs_snapshot_is_foreign(run->snap))
		return 0;
	for (i = run->dir_count; r == 0 && i-- > 0;) {
		HXS_AUTO_CLOSE int fd = open_entry(run, run->dirs[i]);

		hxs_index_get(idx, run->dirs[i], &node);
		if (fd >= 0)
			r = hxs_repair_set(fd, &node, err);
		else if (fd != -ENOENT)
			r = no_dir(fd, err);
	}
	return r;
}
