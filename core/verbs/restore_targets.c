/*
 * What goes where. A target is what the configuration names and nothing
 * else: its parent's path may lead through links, which are followed once;
 * the target itself may not be one.
 */
#include "base/buf.h"
#include "base/io.h"
#include "base/path.h"
#include "source/sqlite.h"
#include "source/tree.h"
#include "store/content.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void free_target(struct hxs_restore_target *t)
{
	size_t i;

	for (i = 0; i < t->item_count; i++) {
		free(t->items[i].dir);
		free(t->items[i].name);
	}
	free(t->items);
	free(t->path);
	free(t->name);
	free(t->place);
	if (t->place_fd >= 0)
		(void)close(t->place_fd); /* a directory */
}

void hxs_restore_free_targets(struct hxs_restore *rs)
{
	size_t i;

	for (i = 0; i < rs->target_count; i++)
		free_target(&rs->targets[i]);
	free(rs->targets);
	rs->targets = NULL;
	rs->target_count = 0;
}

static int no_memory(const struct hxs_restore_target *t, struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "source '%s'", t->source->name);
}

static int add_item(struct hxs_restore_target *t, uint32_t entry,
		    const char *dir, const char *name, struct hxs_err *err)
{
	struct hxs_restore_item *grown;

	grown = reallocarray(t->items, t->item_count + 1, sizeof(*grown));
	if (!grown)
		return no_memory(t, err);
	t->items = grown;
	grown += t->item_count++;
	grown->entry = entry;
	grown->dir = strdup(dir);
	grown->name = strdup(name);
	return grown->dir && grown->name ? 0 : no_memory(t, err);
}

/* ---- where a target is ------------------------------------------------- */

/* Split the configured path into a parent without links and a name. */
static int split_path(struct hxs_restore_target *t, struct hxs_err *err)
{
	HXS_AUTO_FREE char *path = strdup(t->source->path);
	HXS_AUTO_FREE char *parent = NULL;
	size_t len;
	char *slash;
	int r;

	if (!path)
		return no_memory(t, err);
	for (len = strlen(path); len > 1 && path[len - 1] == '/';)
		path[--len] = '\0';
	slash = strrchr(path, '/');
	if (!slash || !slash[1])
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s' is the root directory",
				   t->source->name);
	t->name = strdup(slash + 1);
	*slash = '\0';
	parent = realpath(path[0] ? path : "/", NULL);
	if (!parent && errno == ENOENT) {
		r = hxs_err_set(err, HXS_EDENIED,
				"refused: source '%s': there is no directory "
				"'%s' to put it in",
				t->source->name, path);
		hxs_err_hint(err, "is its file system mounted? If so, make "
				  "the directory");
		return r;
	}
	if (!parent)
		return hxs_err_errno(err, errno, "cannot open '%s'", path);
	if (!t->name ||
	    asprintf(&t->path, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
		     t->name) < 0)
		return no_memory(t, err);
	t->place = HXS_STEAL(parent);
	return 0;
}

static int open_place(struct hxs_restore_target *t, struct hxs_err *err)
{
	t->place_fd =
		open(t->place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t->place_fd < 0)
		return hxs_err_errno(err, errno, "cannot open '%s'", t->place);
	return 0;
}

/* 1 if something is mounted on @name in @dirfd, or -errno. */
static int is_mount_point(int dirfd, const char *name)
{
	struct statx a, b;

	if (statx(dirfd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &a) <
		    0 ||
	    statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_TYPE | STATX_MNT_ID, &b) < 0)
		return -errno;
	if (a.stx_mask & b.stx_mask & STATX_MNT_ID)
		return a.stx_mnt_id != b.stx_mnt_id;
	return a.stx_dev_major != b.stx_dev_major ||
	       a.stx_dev_minor != b.stx_dev_minor;
}

/* The place becomes the target itself. */
static int go_inside(struct hxs_restore_target *t, struct hxs_err *err)
{
	if (t->old.type != S_IFDIR)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s': '%s' is a file that "
				   "is mounted there",
				   t->source->name, t->path);
	(void)close(t->place_fd); /* a directory */
	t->place_fd = -1;
	free(t->place);
	t->place = strdup(t->path);
	free(HXS_STEAL(t->name));
	t->contents = true;
	return t->place ? open_place(t, err) : no_memory(t, err);
}

static int locate(struct hxs_restore_target *t, struct hxs_err *err)
{
	int r;

	r = split_path(t, err);
	if (r == 0)
		r = open_place(t, err);
	if (r < 0)
		return r;
	r = hxs_ident_of(t->place_fd, t->name, &t->old);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at '%s'", t->path);
	if (t->old.ino == 0)
		return 0;
	if (t->old.type == S_IFLNK) {
		r = hxs_err_set(err, HXS_EDENIED,
				"refused: source '%s': '%s' is a symbolic link",
				t->source->name, t->path);
		hxs_err_hint(err, "name the real path in the configuration");
		return r;
	}
	if (t->old.type != S_IFDIR && t->old.type != S_IFREG)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s': '%s' is neither a "
				   "directory nor a regular file",
				   t->source->name, t->path);
	r = is_mount_point(t->place_fd, t->name);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at '%s'", t->path);
	return r ? go_inside(t, err) : 0;
}

/* ---- a source that is one file ----------------------------------------- */

/*
 * Create makes up the directory of such a source, and an inode number for it
 * that no file has. A foreign snapshot tells only by what is in it.
 */
static int find_single(const struct hxs_restore *rs,
		       struct hxs_restore_target *t, struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(rs->snap);
	const char *base = strrchr(t->path, '/') + 1;
	struct hxs_node top, only;
	bool single;

	t->single = HXS_NO_ENTRY;
	hxs_index_get(idx, t->entry, &top);
	single = top.child_count == 1;
	if (single) {
		hxs_index_get(idx, top.first_child, &only);
		single = S_ISREG(only.mode) && strcmp(only.name, base) == 0;
	}
	if (!hxs_snapshot_is_foreign(rs->snap))
		single = single && top.ino == 0;
	else if (t->old.ino != 0)
		single = single && t->old.type == S_IFREG;
	if (single)
		t->single = top.first_child;
	if (t->old.ino != 0 && single != (t->old.type == S_IFREG))
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s': '%s' is a %s, and "
				   "the snapshot's is a %s",
				   t->source->name, t->path,
				   single ? "directory" : "file",
				   single ? "file" : "directory");
	return 0;
}

/* ---- items ------------------------------------------------------------- */

/* 1 if entry @n is a file that begins as an SQLite database does. */
static int is_database(const struct hxs_restore *rs, uint32_t n,
		       struct hxs_err *err)
{
	HXS_AUTO(content) struct hxs_content *c = NULL;
	struct hxs_scratch scratch = { .mem = NULL };
	struct hxs_node node;
	struct hxs_fault fault;
	const void *bytes;
	ssize_t len;
	int r;

	hxs_index_get(hxs_snapshot_index(rs->snap), n, &node);
	if (!S_ISREG(node.mode) || node.size < sizeof(HXS_SQLITE_MAGIC))
		return 0;
	r = hxs_content_open(rs->snap, n, &c, &fault, err);
	if (r < 0)
		return r;
	len = hxs_content_read(c, 0, sizeof(HXS_SQLITE_MAGIC), &scratch, &bytes,
			       &fault, err);
	r = len < 0 ? (int)len
		    : memcmp(bytes, HXS_SQLITE_MAGIC,
			     sizeof(HXS_SQLITE_MAGIC)) == 0;
	hxs_scratch_release(&scratch);
	return r;
}

/*
 * Put entry @n at @name in directory @dir, open as @fd. What lies beside a
 * database would be applied to the one that is restored: it goes first.
 */
static int add_file(const struct hxs_restore *rs, struct hxs_restore_target *t,
		    uint32_t n, int fd, const char *dir, const char *name,
		    struct hxs_err *err)
{
	static const char *const beside[] = { "-wal", "-shm", "-journal" };
	struct stat st;
	size_t i;
	int r;

	r = is_database(rs, n, err);
	for (i = 0; r > 0 && i < HXS_ARRAY_LEN(beside); i++) {
		HXS_AUTO_BUF struct hxs_buf other = HXS_BUF_INIT;

		if (hxs_buf_printf(&other, "%s%s", name, beside[i]) < 0)
			return no_memory(t, err);
		if (fstatat(fd, other.data, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode) &&
		    add_item(t, HXS_NO_ENTRY, dir, other.data, err) < 0)
			return -ENOMEM;
	}
	return r < 0 ? r : add_item(t, n, dir, name, err);
}

/* What of a mount point's top is never touched. */
static bool is_left_alone(const struct hxs_restore_target *t, const char *name)
{
	struct stat st;

	if (strcmp(name, "lost+found") == 0 ||
	    hxs_walk_excludes(t->source, name, name))
		return true;
	if (fstatat(t->place_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	if (S_ISDIR(st.st_mode))
		return is_mount_point(t->place_fd, name) != 0;
	return strncmp(name, ".env", 4) == 0 ||
	       (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode));
}

struct leaving {
	const struct hxs_index *idx;
	struct hxs_restore_target *t;
	struct hxs_err *err;
};

/* A name that is there and is not to be. */
static int see_leaving(const char *name, unsigned char type HXS_UNUSED,
		       void *ctx)
{
	struct leaving *l = ctx;

	if (hxs_index_lookup(l->idx, l->t->entry, name, strlen(name)) >= 0 ||
	    is_left_alone(l->t, name))
		return 0;
	return add_item(l->t, HXS_NO_ENTRY, "", name, l->err);
}

static int add_contents(const struct hxs_restore *rs,
			struct hxs_restore_target *t, struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(rs->snap);
	struct leaving l = { idx, t, err };
	struct hxs_node top, child;
	uint32_t i;
	int r;

	r = hxs_io_list(t->place_fd, see_leaving, &l);
	if (r < 0 && r != -ENOMEM)
		return hxs_err_errno(err, -r, "cannot list '%s'", t->path);
	hxs_index_get(idx, t->entry, &top);
	for (i = 0; r == 0 && i < top.child_count; i++) {
		hxs_index_get(idx, top.first_child + i, &child);
		r = add_item(t, child.number, "", child.name, err);
	}
	return r;
}

static int add_whole(const struct hxs_restore *rs, struct hxs_restore_target *t,
		     struct hxs_err *err)
{
	t->whole = true;
	if (t->contents)
		return add_contents(rs, t, err);
	if (t->single != HXS_NO_ENTRY)
		return add_file(rs, t, t->single, t->place_fd, "", t->name,
				err);
	return add_item(t, t->entry, "", t->name, err);
}

/* Add what is at @rest ("a/b") below the source. */
static int add_path(const struct hxs_restore *rs, struct hxs_restore_target *t,
		    const char *rest, uint32_t entry, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf dir = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	const char *slash = strrchr(rest, '/');
	const char *name = slash ? slash + 1 : rest;
	int r;

	if (t->single != HXS_NO_ENTRY)
		return add_whole(rs, t, err);
	if (!t->contents)
		(void)hxs_buf_printf(&dir, "%s%s", t->name, slash ? "/" : "");
	if (slash)
		(void)hxs_buf_append(&dir, rest, (size_t)(slash - rest));
	if (hxs_buf_status(&dir) < 0)
		return no_memory(t, err);
	fd = hxs_io_open_dir(t->place_fd, hxs_buf_str(&dir));
	if (fd == -ENOENT) {
		r = hxs_err_set(err, HXS_ENOSUCH,
				"there is no directory '%s/%s' to put '%s' in",
				t->place, hxs_buf_str(&dir), name);
		hxs_err_hint(err, "restore that directory as a whole");
		return r;
	}
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open '%s/%s'", t->place,
				     hxs_buf_str(&dir));
	if (is_mount_point(fd, name) > 0)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: '%s/%s/%s' is a mount point",
				   t->place, hxs_buf_str(&dir), name);
	return add_file(rs, t, entry, fd, hxs_buf_str(&dir), name, err);
}

/* ---- which sources ----------------------------------------------------- */

static const struct hxs_config_source *find_source(const struct hxs_restore *rs,
						   const char *name, size_t len,
						   size_t *number)
{
	size_t i;

	for (i = 0; i < rs->env->source_count; i++) {
		const struct hxs_config_source *src = &rs->env->sources[i];

		if (strlen(src->name) == len &&
		    memcmp(src->name, name, len) == 0) {
			*number = i;
			return src;
		}
	}
	return NULL;
}

/* The target of source @number, found and checked when first needed. */
static int get_target(struct hxs_restore *rs, size_t number, uint32_t entry,
		      struct hxs_restore_target **out, struct hxs_err *err)
{
	struct hxs_restore_target *grown, *t;
	size_t i;
	int r;

	for (i = 0; i < rs->target_count; i++) {
		if (rs->targets[i].number == number) {
			*out = &rs->targets[i];
			return 0;
		}
	}
	grown = reallocarray(rs->targets, rs->target_count + 1, sizeof(*grown));
	if (!grown)
		return hxs_err_errno(err, ENOMEM, "cannot restore");
	rs->targets = grown;
	t = &grown[rs->target_count++];
	*t = (struct hxs_restore_target){
		.source = &rs->env->sources[number],
		.number = number,
		.entry = entry,
		.single = HXS_NO_ENTRY,
		.place_fd = -1,
	};
	if (t->source->kind != HXS_SOURCE_DIRECTORY)
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': kind '%s' cannot be restored "
				   "by this version",
				   t->source->name,
				   hxs_config_kind_name(t->source->kind));
	r = locate(t, err);
	if (r == 0)
		r = find_single(rs, t, err);
	if (r == 0)
		r = hxs_restore_check_apart(rs, t, err);
	*out = t;
	return r;
}

/* Put entry @entry, a source's directory or something below one, back. */
static int find_entry(struct hxs_restore *rs, uint32_t entry,
		      struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(rs->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_restore_target *t = NULL;
	size_t top, number;
	int64_t dir;
	int r;

	if (hxs_index_path(idx, entry, &path) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot restore");
	top = strcspn(path.data, "/");
	dir = hxs_index_lookup(idx, 0, path.data, top);
	if (!find_source(rs, path.data, top, &number))
		return hxs_err_set(err, HXS_EUSAGE,
				   "snapshot '%s' holds '%.*s', and '%s' has "
				   "no source of that name now",
				   hxs_snapshot_name(rs->snap), (int)top,
				   path.data, rs->env->name);
	r = get_target(rs, number, (uint32_t)dir, &t, err);
	if (r < 0)
		return r;
	return path.data[top] ? add_path(rs, t, path.data + top + 1, entry, err)
			      : add_whole(rs, t, err);
}

int hxs_restore_find_targets(struct hxs_restore *rs,
			     const struct hxs_restore_pick *pick,
			     struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < pick->count; i++)
		r = find_entry(rs, pick->entries[i], err);
	if (r == 0 && rs->target_count == 0)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "snapshot '%s' holds nothing to restore",
				   hxs_snapshot_name(rs->snap));
	return r;
}
