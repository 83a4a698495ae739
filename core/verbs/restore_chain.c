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

int hxs_restore_staged_path(const struct hxs_index *idx, uint32_t top,
			    uint32_t entry, const char *name,
			    struct hxs_buf *out)
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

static int descending(const void *pa, const void *pb)
{
	const uint32_t *a = pa, *b = pb;

	return (*a < *b) - (*a > *b);
}

/* The directories above what @it wants: *@out, of @count, lower ones first. */
static int list_chain(const struct hxs_index *idx,
		      const struct hxs_restore_item *it, uint32_t **out,
		      size_t *count)
{
	HXS_AUTO_FREE uint32_t *dirs = NULL;
	size_t n = 0, cap = 0, i;
	struct hxs_node node;
	uint32_t at, *grown;

	for (i = 0; i < it->only_count; i++) {
		for (at = it->only[i]; at != it->entry; at = node.parent) {
			hxs_index_get(idx, at, &node);
			if (n == cap) {
				cap = cap ? 2 * cap : 64;
				grown = reallocarray(dirs, cap, sizeof(*dirs));
				if (!grown)
					return -ENOMEM;
				dirs = grown;
			}
			dirs[n++] = node.parent;
		}
	}
	/* What is below something has the higher number. */
	if (n)
		qsort(dirs, n, sizeof(*dirs), descending);
	*out = HXS_STEAL(dirs);
	*count = n;
	return 0;
}

/*
 * Give those directories their attributes; the lower ones first, which then
 * need not be entered any more.
 */
static int finish_chain(struct hxs_stage *stage,
			const struct hxs_restore_item *it, int stage_fd,
			const char *name, struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(stage->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_FREE uint32_t *dirs = NULL;
	size_t i, count = 0;
	int r;

	r = list_chain(idx, it, &dirs, &count);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot stage '%s'", it->name);
	for (i = 0; r == 0 && i < count; i++) {
		HXS_AUTO_CLOSE int fd = -1;

		if (i && dirs[i] == dirs[i - 1])
			continue;
		r = hxs_restore_staged_path(idx, it->entry, dirs[i], name,
					    &path);
		fd = r < 0 ? r : hxs_io_open_dir(stage_fd, path.data);
		if (fd < 0)
			return hxs_err_errno(err, -fd, "cannot stage '%s'",
					     it->name);
		r = hxs_stage_attributes(stage, dirs[i], fd, err);
	}
	return r;
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
		r = hxs_restore_staged_path(idx, it->entry, node.parent, name,
					    &path);
		dir = r < 0 ? r : open_chain(stage_fd, path.data);
		if (dir < 0)
			return hxs_err_errno(err, -dir, "cannot stage '%s'",
					     node.name);
		r = hxs_restore_stage_one(rs, stage, it->only[i], dir,
					  node.name, err);
	}
	return r < 0 ? r : finish_chain(stage, it, stage_fd, name, err);
}
