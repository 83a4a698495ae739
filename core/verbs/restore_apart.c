/* What a restore must not touch, and what it would disturb. */
#include "base/buf.h"
#include "base/holders.h"
#include "base/io.h"
#include "base/mountinfo.h"
#include "base/path.h"
#include "source/apart.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- mounts ------------------------------------------------------------ */

struct below {
	const char *path;
	size_t len;
	char found[PATH_MAX];
};

static int see_mount(const struct hxs_mount *m, void *ctx)
{
	struct below *b = ctx;

	if (strncmp(m->where, b->path, b->len) != 0 || m->where[b->len] != '/')
		return 0;
	(void)memcpy(b->found, m->where, sizeof(b->found));
	return 1;
}

/* A mount inside would travel with the directory it is in. */
static int check_mounts(const struct hxs_restore_target *t, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = open(HXS_MOUNTINFO, O_RDONLY | O_CLOEXEC);
	struct below b = { .path = t->path, .len = strlen(t->path) };
	HXS_AUTO_FREE char *text = NULL;
	size_t len = 0;
	int r;

	r = fd < 0 ? -errno
		   : hxs_io_read_all(fd, HXS_MOUNTINFO_MAX, &text, &len);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot read '" HXS_MOUNTINFO "'");
	if (hxs_mountinfo_each(text, len, see_mount, &b) == 0)
		return 0;
	r = hxs_err_set(err, HXS_EDENIED,
			"refused: source '%s': something is mounted inside it, "
			"at '%s'",
			t->source->name, b.found);
	hxs_err_hint(err, "unmount it for the time of the restore");
	return r;
}

/* ---- the target and its parent ----------------------------------------- */

static int check_flags(const struct hxs_restore_target *t, int dir,
		       const char *name, const char *path, struct hxs_err *err)
{
	struct statx x;

	if (statx(dir, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_TYPE,
		  &x) < 0)
		return errno == ENOENT
			       ? 0
			       : hxs_err_errno(err, errno,
					       "cannot look at '%s'", path);
	if (!(x.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)))
		return 0;
	return hxs_err_set(err, HXS_EDENIED,
			   "refused: source '%s': '%s' is immutable or "
			   "append-only (chattr)",
			   t->source->name, path);
}

static int check_place(const struct hxs_restore_target *t, struct hxs_err *err)
{
	struct stat st;

	if (fstat(t->place_fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at '%s'",
				     t->place);
	if (st.st_mode & S_IWOTH)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s': everybody may write "
				   "to '%s', and could exchange what is "
				   "restored there",
				   t->source->name, t->place);
	return check_flags(t, t->place_fd, "", t->place, err);
}

int hxs_restore_check_apart(struct hxs_restore *rs,
			    const struct hxs_restore_target *t,
			    struct hxs_err *err)
{
	HXS_AUTO_CAPTURE struct hxs_capture cap;
	HXS_AUTO_CLOSE int fd = -1;
	bool single = t->old.type != S_IFDIR;
	int r;

	hxs_capture_init(&cap);
	r = hxs_apart_note(&cap, rs->store, err);
	if (r < 0)
		return r;
	/* What is not there, or a file, is looked at by where it is. */
	fd = hxs_io_open_dir(t->place_fd, single || t->contents ? "" : t->name);
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open '%s'", t->path);
	r = hxs_apart_check(&cap, t->source->name, fd, single, err);
	if (r == 0)
		r = check_place(t, err);
	if (r == 0)
		r = check_flags(t, fd, "", t->path, err);
	if (r == 0 && !single)
		r = check_mounts(t, err);
	return r;
}

/* Names can be exchanged if neither they nor their directories are frozen. */
int hxs_restore_check_items(const struct hxs_restore_target *t,
			    struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < t->item_count; i++) {
		const struct hxs_restore_item *it = &t->items[i];
		HXS_AUTO_CLOSE int dir = hxs_io_open_dir(t->place_fd, it->dir);
		HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

		if (dir < 0)
			return hxs_err_errno(err, -dir, "cannot open '%s/%s'",
					     t->place, it->dir);
		(void)hxs_buf_printf(&path, "%s/%s", t->place, it->dir);
		r = check_flags(t, dir, "", hxs_buf_str(&path), err);
		(void)hxs_buf_printf(&path, "%s%s", it->dir[0] ? "/" : "",
				     it->name);
		if (r == 0)
			r = check_flags(t, dir, it->name, hxs_buf_str(&path),
					err);
	}
	return r;
}

/* ---- what cannot be done away with ------------------------------------- */

/* Whether this user may empty directory @path of the target's place. */
static bool may_empty(const struct hxs_restore_target *t, const char *path,
		      const struct hxs_node *node)
{
	HXS_AUTO_CLOSE int fd = -1;

	if (node->uid == geteuid() || node->child_count == 0)
		return true; /* its owner makes it passable first */
	fd = hxs_io_open_dir(t->place_fd, path);
	return fd >= 0 && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0;
}

/* Look through what @it displaces, as the rollback point has it. */
static int check_emptied(const struct hxs_restore *rs,
			 const struct hxs_restore_target *t,
			 const struct hxs_restore_item *it, struct hxs_err *err)
{
	const struct hxs_index *idx = rs->rollback.index;
	size_t name = strlen(t->source->name),
	       skip = t->name ? strlen(t->name) : 0;
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf live = HXS_BUF_INIT;
	struct hxs_node node;
	int64_t n, top;

	/* The same below the source and, with another name, below the place. */
	(void)hxs_buf_printf(&live, "%s%s%s", it->dir, it->dir[0] ? "/" : "",
			     it->name);
	(void)hxs_buf_printf(&path, "%s%s%s", t->source->name,
			     t->contents ? "/" : "",
			     hxs_buf_str(&live) + (t->contents ? 0 : skip));
	if (hxs_buf_status(&live) < 0 || hxs_buf_status(&path) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot restore '%s'",
				     rs->env->name);
	top = hxs_index_find(idx, path.data);
	for (n = top; n >= 0;
	     n = hxs_index_next(idx, (uint32_t)n, (uint32_t)top)) {
		hxs_index_get(idx, (uint32_t)n, &node);
		if (!S_ISDIR(node.mode))
			continue;
		hxs_buf_truncate(&path, 0);
		hxs_buf_truncate(&live, 0);
		if (hxs_index_path(idx, (uint32_t)n, &path) < 0 ||
		    hxs_buf_printf(&live, "%s%s", t->contents ? "" : t->name,
				   path.data + name + (t->contents ? 1 : 0)) <
			    0)
			return hxs_err_errno(err, ENOMEM, "cannot restore '%s'",
					     rs->env->name);
		if (!may_empty(t, live.data, &node))
			return hxs_err_set(err, HXS_EDENIED,
					   "refused: '%s' belongs to another "
					   "user, and what is in it could not "
					   "be removed",
					   path.data);
	}
	return 0;
}

int hxs_restore_check_emptied(const struct hxs_restore *rs, const bool *adopted,
			      struct hxs_err *err)
{
	size_t i, k;
	int r = 0;

	if (geteuid() == 0 || !rs->rollback.index)
		return 0;
	for (i = 0; i < rs->target_count; i++) {
		const struct hxs_restore_target *t = &rs->targets[i];

		if (adopted[t->number] || t->old.type != S_IFDIR)
			continue;
		for (k = 0; r == 0 && k < t->item_count; k++)
			r = check_emptied(rs, t, &t->items[k], err);
	}
	return r;
}

/* ---- who uses it ------------------------------------------------------- */

/* "'events' is used by 812 (app), 901 (tail)" */
static void name_holders(const struct hxs_holders *h, struct hxs_buf *out)
{
	size_t i;

	for (i = 0; i < h->count && i < 8; i++) {
		(void)hxs_buf_printf(out, "%s%d (", i ? ", " : "",
				     (int)h->holder[i].pid);
		(void)hxs_path_show(out, h->holder[i].command,
				    strlen(h->holder[i].command));
		(void)hxs_buf_printf(out, ": '%s')", h->holder[i].path);
	}
	if (i < h->count)
		(void)hxs_buf_printf(out, " and %zu more", h->count - i);
}

int hxs_restore_check_holders(struct hxs_restore *rs, struct hxs_err *err)
{
	size_t i;
	int r;

	for (i = 0; i < rs->target_count; i++) {
		const struct hxs_restore_target *t = &rs->targets[i];
		HXS_AUTO_HOLDERS struct hxs_holders h = HXS_HOLDERS_INIT;
		HXS_AUTO_BUF struct hxs_buf who = HXS_BUF_INIT;

		if (t->old.ino == 0)
			continue;
		r = hxs_holders_find(t->path, &h, err);
		if (r == -ENOSYS) {
			hxs_err_clear(err);
			continue;
		}
		if (r < 0)
			return r;
		if (h.count == 0)
			continue;
		rs->held = true;
		if (rs->opts->force)
			continue;
		name_holders(&h, &who);
		r = hxs_err_set(err, HXS_EBUSY, "source '%s' is in use by %s",
				t->source->name, hxs_buf_str(&who));
		hxs_err_hint(err, "stop them; with --force they would go on "
				  "with the old files");
		return r;
	}
	return 0;
}
