/*
 * Which names of a target get something else. A database and what SQLite
 * keeps beside it belong together: neither is ever put beside another's.
 */
#include "base/buf.h"
#include "base/io.h"
#include "base/path.h"
#include "source/tree.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int no_memory(const struct hxs_restore_target *t, struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "source '%s'", t->source->name);
}

/* ---- the list ---------------------------------------------------------- */

static struct hxs_restore_item *find_item(const struct hxs_restore_target *t,
					  const char *dir, const char *name)
{
	size_t i;

	for (i = 0; i < t->item_count; i++)
		if (strcmp(t->items[i].name, name) == 0 &&
		    strcmp(t->items[i].dir, dir) == 0)
			return &t->items[i];
	return NULL;
}

static struct hxs_restore_item *append(struct hxs_restore_target *t,
				       uint32_t entry, const char *dir,
				       const char *name, struct hxs_err *err)
{
	struct hxs_restore_item *grown;

	grown = reallocarray(t->items, t->item_count + 1, sizeof(*grown));
	if (grown) {
		t->items = grown;
		grown += t->item_count++;
		*grown = (struct hxs_restore_item){
			.entry = entry,
			.dir = strdup(dir),
			.name = strdup(name),
		};
	}
	if (grown && grown->dir && grown->name)
		return grown;
	(void)no_memory(t, err);
	return NULL;
}

/* A name that goes and that comes, too, is one that gets something else. */
static int add_item(struct hxs_restore_target *t, uint32_t entry,
		    const char *dir, const char *name, struct hxs_err *err)
{
	struct hxs_restore_item *it = find_item(t, dir, name);

	if (!it)
		return append(t, entry, dir, name, err) ? 0 : -ENOMEM;
	if (it->entry == HXS_NO_ENTRY)
		it->entry = entry;
	return 0;
}

/* Entry @entry below directory @top, which is to be made as @dir/@name. */
static int add_below(struct hxs_restore_target *t, uint32_t top, uint32_t entry,
		     const char *dir, const char *name, struct hxs_err *err)
{
	struct hxs_restore_item *it = find_item(t, dir, name);
	uint32_t *grown;
	size_t i;

	if (!it)
		it = append(t, top, dir, name, err);
	if (!it)
		return -ENOMEM;
	for (i = 0; i < it->only_count; i++)
		if (it->only[i] == entry)
			return 0;
	grown = reallocarray(it->only, it->only_count + 1, sizeof(*grown));
	if (!grown)
		return no_memory(t, err);
	it->only = grown;
	grown[it->only_count++] = entry;
	return 0;
}

/* ---- databases --------------------------------------------------------- */

/*
 * Put entry @n at @name in directory @dir, open as @fd. What lies beside a
 * database would be applied to the one that is restored: it goes first,
 * unless the snapshot's database has something of that kind itself.
 */
static int add_file(const struct hxs_restore *rs, struct hxs_restore_target *t,
		    uint32_t n, int fd, const char *dir, const char *name,
		    struct hxs_err *err)
{
	struct stat st;
	int64_t other;
	size_t i;
	int r;

	r = hxs_restore_is_database(rs, n, err);
	for (i = 0; r > 0 && i < HXS_BESIDE; i++) {
		HXS_AUTO_BUF struct hxs_buf at = HXS_BUF_INIT;

		if (hxs_buf_printf(&at, "%s%s", name, hxs_restore_beside[i]) <
		    0)
			return no_memory(t, err);
		other = hxs_restore_stored_beside(rs, n, hxs_restore_beside[i]);
		if (other < 0 &&
		    (fstatat(fd, at.data, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		     !S_ISREG(st.st_mode)))
			continue;
		if (add_item(t, other < 0 ? HXS_NO_ENTRY : (uint32_t)other, dir,
			     at.data, err) < 0)
			return -ENOMEM;
	}
	return r < 0 ? r : add_item(t, n, dir, name, err);
}

/* ---- what is in a mount point ------------------------------------------ */

/* Whether backups leave @name, a file of mode @mode, out. */
static bool is_left_out(const struct hxs_restore_target *t, const char *path,
			const char *name, mode_t mode)
{
	return (!S_ISDIR(mode) && strncmp(name, ".env", 4) == 0) ||
	       hxs_walk_excludes(t->source, path, name);
}

/* What of a mount point's top is never touched. */
static bool is_left_alone(const struct hxs_restore_target *t, const char *name)
{
	struct stat st;

	if (fstatat(t->place_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno != ENOENT;
	if (strcmp(name, "lost+found") == 0 ||
	    is_left_out(t, name, name, st.st_mode))
		return true;
	return S_ISDIR(st.st_mode) &&
	       hxs_restore_is_mount_point(t->place_fd, name) != 0;
}

struct leaving {
	const struct hxs_restore *rs;
	struct hxs_restore_target *t;
	struct hxs_err *err;
};

/* Whether @name would be applied to a database that the snapshot has. */
static bool is_stale(const struct leaving *l, const char *name)
{
	const struct hxs_index *idx = hxs_snapshot_index(l->rs->snap);
	size_t len = strlen(name), i, n;
	int64_t base;

	for (i = 0; i < HXS_BESIDE; i++) {
		n = strlen(hxs_restore_beside[i]);
		if (len <= n ||
		    strcmp(name + len - n, hxs_restore_beside[i]) != 0)
			continue;
		base = hxs_index_lookup(idx, l->t->entry, name, len - n);
		return base >= 0 &&
		       hxs_restore_is_database(l->rs, (uint32_t)base, NULL);
	}
	return false;
}

/* Whether that is where we have staged. */
static bool is_stage(const struct hxs_restore *rs, const char *name)
{
	size_t i;

	for (i = 0; rs->journal && i < rs->journal->target_count; i++)
		if (strcmp(rs->journal->targets[i].stage, name) == 0)
			return true;
	return false;
}

/* A name that is there and is not to be. */
static int see_leaving(const char *name, unsigned char type HXS_UNUSED,
		       void *ctx)
{
	struct leaving *l = ctx;
	struct stat st;

	if (is_stage(l->rs, name) ||
	    hxs_index_lookup(hxs_snapshot_index(l->rs->snap), l->t->entry, name,
			     strlen(name)) >= 0 ||
	    fstatat(l->t->place_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) &&
	    !S_ISLNK(st.st_mode))
		return 0;
	if (is_left_alone(l->t, name) && !is_stale(l, name))
		return 0;
	return append(l->t, HXS_NO_ENTRY, "", name, l->err) ? 0 : -ENOMEM;
}

static int add_contents(const struct hxs_restore *rs,
			struct hxs_restore_target *t, struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(rs->snap);
	struct leaving l = { rs, t, err };
	struct hxs_node top, child;
	uint32_t i;
	int r;

	r = hxs_io_list(t->place_fd, see_leaving, &l);
	if (r < 0 && r != -ENOMEM)
		return hxs_err_errno(err, -r, "cannot list '%s'", t->path);
	hxs_index_get(idx, t->entry, &top);
	for (i = 0; r == 0 && i < top.child_count; i++) {
		hxs_index_get(idx, top.first_child + i, &child);
		if (is_left_alone(t, child.name))
			continue;
		if (!append(t, child.number, "", child.name, err))
			return -ENOMEM;
	}
	return r;
}

int hxs_restore_add_whole(const struct hxs_restore *rs,
			  struct hxs_restore_target *t, struct hxs_err *err)
{
	t->whole = true;
	if (t->contents)
		return add_contents(rs, t, err);
	if (t->single != HXS_NO_ENTRY)
		return add_file(rs, t, t->single, t->place_fd, "", t->name,
				err);
	return add_item(t, t->entry, "", t->name, err);
}

/* ---- paths ------------------------------------------------------------- */

/* Where something goes: the directory below the place, and its name there. */
struct goal {
	struct hxs_buf dir, name;
	int fd; /* the directory */
	uint32_t top; /* the entry that is to be made there */
};
#define GOAL_INIT                                                    \
	{                                                            \
		.dir = HXS_BUF_INIT, .name = HXS_BUF_INIT, .fd = -1, \
	}

static void goal_release(struct goal *g)
{
	hxs_buf_release(&g->dir);
	hxs_buf_release(&g->name);
	if (g->fd >= 0)
		(void)close(g->fd); /* a directory */
}

/* One up: the directory itself becomes what is to be made. */
static int goal_climb(struct goal *g)
{
	const char *slash = strrchr(g->dir.data, '/');
	size_t keep = slash ? (size_t)(slash - g->dir.data) : 0;

	hxs_buf_truncate(&g->name, 0);
	(void)hxs_buf_puts(&g->name, slash ? slash + 1 : g->dir.data);
	hxs_buf_truncate(&g->dir, keep);
	return hxs_buf_status(&g->name);
}

/* Find the nearest directory above @path, below the place, that is there. */
static int find_goal(const struct hxs_restore *rs,
		     const struct hxs_restore_target *t, const char *path,
		     uint32_t entry, struct goal *g, struct hxs_err *err)
{
	struct hxs_node node;

	g->top = entry;
	if (hxs_buf_puts(&g->dir, path) < 0 || goal_climb(g) < 0)
		return no_memory(t, err);
	for (;;) {
		g->fd = hxs_io_open_dir(t->place_fd, hxs_buf_str(&g->dir));
		if (g->fd != -ENOENT || g->dir.len == 0)
			break;
		hxs_index_get(hxs_snapshot_index(rs->snap), g->top, &node);
		g->top = node.parent;
		if (goal_climb(g) < 0)
			return no_memory(t, err);
	}
	if (g->fd < 0)
		return hxs_err_errno(err, -g->fd, "cannot open '%s/%s'",
				     t->place, hxs_buf_str(&g->dir));
	return 0;
}

/*
 * What is at the goal and would be lost: backups leave it out, so that no
 * rollback point holds it.
 */
static int check_left_out(const struct hxs_restore_target *t,
			  const struct goal *g, const char *rest,
			  struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	struct stat st;

	if (fstatat(g->fd, g->name.data, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	(void)hxs_path_show(&shown, rest, strlen(rest));
	if (hxs_restore_is_mount_point(g->fd, g->name.data) > 0)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: '%s/%s' is a mount point",
				   t->source->name, hxs_buf_str(&shown));
	if (S_ISREG(st.st_mode) &&
	    is_left_out(t, rest, g->name.data, st.st_mode))
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: '%s/%s' is left out of backups, "
				   "and could not be kept",
				   t->source->name, hxs_buf_str(&shown));
	return 0;
}

static int add_path(const struct hxs_restore *rs, struct hxs_restore_target *t,
		    const char *path, const char *rest, uint32_t entry,
		    struct goal *g, struct hxs_err *err)
{
	int64_t other;
	size_t i;
	int r;

	r = find_goal(rs, t, path, entry, g, err);
	if (r < 0)
		return r;
	if (g->top == entry) {
		r = check_left_out(t, g, rest, err);
		return r < 0 ? r
			     : add_file(rs, t, entry, g->fd,
					hxs_buf_str(&g->dir), g->name.data,
					err);
	}
	r = hxs_restore_is_database(rs, entry, err);
	for (i = 0; r > 0 && i < HXS_BESIDE; i++) {
		other = hxs_restore_stored_beside(rs, entry,
						  hxs_restore_beside[i]);
		if (other >= 0 &&
		    add_below(t, g->top, (uint32_t)other, hxs_buf_str(&g->dir),
			      g->name.data, err) < 0)
			return -ENOMEM;
	}
	return r < 0 ? r
		     : add_below(t, g->top, entry, hxs_buf_str(&g->dir),
				 g->name.data, err);
}

int hxs_restore_add_path(const struct hxs_restore *rs,
			 struct hxs_restore_target *t, const char *rest,
			 uint32_t entry, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct goal g = GOAL_INIT;
	int r;

	if (t->single != HXS_NO_ENTRY)
		return hxs_restore_add_whole(rs, t, err);
	r = hxs_buf_printf(&path, "%s%s%s", t->contents ? "" : t->name,
			   t->contents ? "" : "/", rest);
	r = r < 0 ? no_memory(t, err)
		  : add_path(rs, t, path.data, rest, entry, &g, err);
	goal_release(&g);
	return r;
}
