/*
 * Staging some of a directory that is not there: the directories that lead to
 * what is wanted come back with it, as they were, and empty but for that.
 */
#include "base/buf.h"
#include "base/io.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int hxs_restore_check_staged(struct hxs_restore *rs, struct hxs_stage *stage,
			     uint32_t entry, int dir, const char *name,
			     struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	if (rs->opts->kind != HXS_ROLLBACK)
		return hxs_stage_check(stage, entry, dir, name, err);
	r = hxs_stage_check(stage, entry, dir, name, &why);
	if (r == -HXS_ECORRUPT) {
		(void)hxs_buf_printf(&text,
				     "%s; so it was when the rollback point "
				     "was made",
				     why.message);
		hxs_relay_warn(&rs->relay, hxs_buf_str(&text));
		return 0;
	}
	if (r < 0 && err)
		*err = why;
	return r;
}

/* A directory of ours below @stage_fd, made if it is not there. */
static int open_chain(int stage_fd, const char *path)
{
	HXS_AUTO_FREE char *at = strdup(path);
	HXS_AUTO_CLOSE int dir = -1;
	char *name, *rest = at;
	int fd;

	if (!at)
		return -ENOMEM;
	dir = hxs_io_open_dir(stage_fd, "");
	while (dir >= 0 && (name = strsep(&rest, "/"))) {
		if (mkdirat(dir, name, 0700) == 0) {
			if (fchmodat(dir, name, 0700, 0) < 0)
				return -errno;
		} else if (errno != EEXIST) {
			return -errno;
		}
		fd = hxs_io_open_dir(dir, name);
		(void)close(dir); /* a directory */
		dir = fd;
	}
	return dir < 0 ? dir : HXS_STEAL_FD(dir);
}

/* Where entry @entry, at or below @top, is staged if @top is as @name. */
static int chain_path(const struct hxs_index *idx, uint32_t top, uint32_t entry,
		      const char *name, struct hxs_buf *out)
{
	HXS_AUTO_BUF struct hxs_buf above = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf all = HXS_BUF_INIT;
	int r;

	hxs_buf_truncate(out, 0);
	r = hxs_index_path(idx, top, &above);
	if (r == 0)
		r = hxs_index_path(idx, entry, &all);
	return r < 0 ? r
		     : hxs_buf_printf(out, "%s%s", name, all.data + above.len);
}

/*
 * Give the directories above entry @entry, up to @top, their attributes; the
 * lower ones first, which then need not be entered any more.
 */
static int finish_chain(struct hxs_stage *stage, uint32_t top, uint32_t entry,
			int stage_fd, const char *name, struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(stage->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_node node;
	int r;

	while (entry != top) {
		HXS_AUTO_CLOSE int fd = -1;

		hxs_index_get(idx, entry, &node);
		entry = node.parent;
		r = chain_path(idx, top, entry, name, &path);
		fd = r < 0 ? r : hxs_io_open_dir(stage_fd, path.data);
		if (fd < 0)
			return hxs_err_errno(err, -fd, "cannot stage '%s'",
					     node.name);
		r = hxs_stage_attributes(stage, entry, fd, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int hxs_restore_stage_only(struct hxs_restore *rs, struct hxs_stage *stage,
			   const struct hxs_restore_item *it, int stage_fd,
			   const char *name, struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(rs->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_node node;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < it->only_count; i++) {
		HXS_AUTO_CLOSE int dir = -1;

		hxs_index_get(idx, it->only[i], &node);
		r = chain_path(idx, it->entry, node.parent, name, &path);
		dir = r < 0 ? r : open_chain(stage_fd, path.data);
		if (dir < 0)
			return hxs_err_errno(err, -dir, "cannot stage '%s'",
					     node.name);
		r = hxs_stage_entry(stage, it->only[i], dir, node.name, err);
		if (r == 0)
			r = hxs_restore_check_staged(rs, stage, it->only[i],
						     dir, node.name, err);
	}
	for (i = 0; r == 0 && i < it->only_count; i++)
		r = finish_chain(stage, it->entry, it->only[i], stage_fd, name,
				 err);
	return r;
}
