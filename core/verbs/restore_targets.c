/*
 * What goes where. A target is what the configuration names and nothing
 * else: its parent's path may lead through links, which are followed once;
 * the target itself may not be one.
 */
#include "base/buf.h"
#include "base/io.h"
#include "verbs/restore_parts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void free_target(struct hxs_restore_target *t)
{
	size_t i;

	for (i = 0; i < t->item_count; i++) {
		free(t->items[i].only);
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

bool hxs_restore_is_first_there(const struct hxs_restore *rs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (rs->targets[i].dev == rs->targets[n].dev)
			return false;
	return true;
}

static int no_memory(const struct hxs_restore_target *t, struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "source '%s'", t->source->name);
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
	struct stat st;

	assert(t->place); /* split_path() or go_inside() set it */
	t->place_fd =
		open(t->place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t->place_fd < 0)
		return hxs_err_errno(err, errno, "cannot open '%s'", t->place);
	if (fstat(t->place_fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at '%s'",
				     t->place);
	t->dev = st.st_dev;
	return 0;
}

int hxs_restore_is_mount_point(int dirfd, const char *name)
{
	struct statx a, b;

	if (statx(dirfd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &a) <
		    0 ||
	    statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_TYPE | STATX_MNT_ID, &b) < 0)
		return -errno;
	if ((a.stx_mask & b.stx_mask & STATX_MNT_ID) &&
	    a.stx_mnt_id != b.stx_mnt_id)
		return 1;
	/* A subvolume is to stay one. Files of overlayfs have any device. */
	return S_ISDIR(b.stx_mode) && (a.stx_dev_major != b.stx_dev_major ||
				       a.stx_dev_minor != b.stx_dev_minor);
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
	r = hxs_restore_is_mount_point(t->place_fd, t->name);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at '%s'", t->path);
	return r ? go_inside(t, err) : 0;
}

/* ---- a source that is one file ----------------------------------------- */

/*
 * The file that directory @top is about: its only one, or one beside which
 * lies nothing but what SQLite puts there. HXS_NO_ENTRY: it is not about one.
 */
static uint32_t main_file(const struct hxs_index *idx,
			  const struct hxs_node *top)
{
	uint32_t found = HXS_NO_ENTRY, i;
	struct hxs_node child, best = { .name_len = SIZE_MAX };

	for (i = 0; i < top->child_count; i++) {
		hxs_index_get(idx, top->first_child + i, &child);
		if (!S_ISREG(child.mode))
			return HXS_NO_ENTRY;
		if (child.name_len < best.name_len) {
			best = child;
			found = child.number;
		}
	}
	for (i = 0; i < top->child_count; i++) {
		hxs_index_get(idx, top->first_child + i, &child);
		if (child.number != found &&
		    !hxs_restore_is_beside(child.name, best.name))
			return HXS_NO_ENTRY;
	}
	return found;
}

/*
 * Create makes up the directory of such a source, and an inode number for it
 * that no file has. A foreign snapshot tells only by what is in it.
 */
static int find_single(const struct hxs_restore *rs,
		       struct hxs_restore_target *t, struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(rs->snap);
	const char *base = strrchr(t->path, '/') + 1;
	struct hxs_node top, file;
	bool single;

	hxs_index_get(idx, t->entry, &top);
	t->single = main_file(idx, &top);
	single = t->single != HXS_NO_ENTRY;
	if (!hxs_snapshot_is_foreign(rs->snap)) {
		single = single && top.ino == 0;
	} else if (single) {
		hxs_index_get(idx, t->single, &file);
		single = strcmp(file.name, base) == 0 &&
			 (t->old.ino == 0 || t->old.type == S_IFREG);
	}
	if (!single)
		t->single = HXS_NO_ENTRY;
	if (t->old.ino != 0 && single != (t->old.type == S_IFREG))
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s': '%s' is a %s, and "
				   "the snapshot's is a %s",
				   t->source->name, t->path,
				   single ? "directory" : "file",
				   single ? "file" : "directory");
	return 0;
}

/*
 * What takes the place of a database has to be one. A rollback point keeps
 * what there was, and that is put back.
 */
static int check_kind(const struct hxs_restore *rs,
		      const struct hxs_restore_target *t, struct hxs_err *err)
{
	int r = 0;

	if (t->source->kind != HXS_SOURCE_SQLITE)
		return 0;
	if (t->single != HXS_NO_ENTRY)
		r = hxs_restore_is_database(rs, t->single, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (t->single != HXS_NO_ENTRY && rs->opts->kind == HXS_ROLLBACK)
		return 0;
	return hxs_err_set(err, HXS_EDENIED,
			   "refused: source '%s' is an SQLite database, and "
			   "what snapshot '%s' has of it is none",
			   t->source->name, hxs_snapshot_name(rs->snap));
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
		return hxs_err_errno(err, ENOMEM, "cannot restore '%s'",
				     rs->env->name);
	rs->targets = grown;
	t = &grown[rs->target_count++];
	*t = (struct hxs_restore_target){
		.source = &rs->env->sources[number],
		.number = number,
		.entry = entry,
		.single = HXS_NO_ENTRY,
		.place_fd = -1,
	};
	r = locate(t, err);
	if (r == 0)
		r = find_single(rs, t, err);
	if (r == 0)
		r = check_kind(rs, t, err);
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
		return hxs_err_errno(err, ENOMEM, "cannot restore '%s'",
				     rs->env->name);
	top = strcspn(path.data, "/");
	dir = hxs_index_lookup(idx, 0, path.data, top);
	if (!find_source(rs, path.data, top, &number)) {
		r = hxs_err_set(err, HXS_ENOSUCH,
				"snapshot '%s' holds '%.*s', and '%s' has "
				"no source of that name now",
				hxs_snapshot_name(rs->snap), (int)top,
				path.data, rs->env->name);
		hxs_err_hint(err,
			     "'hxsnap restore %s SOURCE...' restores those "
			     "that are named",
			     hxs_snapshot_name(rs->snap));
		return r;
	}
	if (hxs_config_is_system(&rs->env->sources[number]))
		return hxs_restore_systems_add(rs, number, (uint32_t)dir,
					       path.data[top]
						       ? path.data + top + 1
						       : NULL,
					       err);
	r = get_target(rs, number, (uint32_t)dir, &t, err);
	if (r < 0)
		return r;
	return path.data[top] ? hxs_restore_add_path(rs, t, path.data + top + 1,
						     entry, err)
			      : hxs_restore_add_whole(rs, t, err);
}

/* What the snapshot does not hold stays, and that is said. */
static void tell_unheld(const struct hxs_restore *rs)
{
	const struct hxs_index *idx = hxs_snapshot_index(rs->snap);
	const char *name;
	size_t i;

	for (i = 0; i < rs->env->source_count; i++) {
		HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;

		name = rs->env->sources[i].name;
		if (hxs_index_lookup(idx, 0, name, strlen(name)) >= 0)
			continue;
		(void)hxs_buf_printf(&text,
				     "source '%s' is not in snapshot '%s', and "
				     "is left as it is",
				     name, hxs_snapshot_name(rs->snap));
		hxs_relay_warn(&rs->relay, hxs_buf_str(&text));
	}
}

int hxs_restore_find_targets(struct hxs_restore *rs,
			     const struct hxs_restore_pick *pick,
			     struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < pick->count; i++)
		r = find_entry(rs, pick->entries[i], err);
	for (i = 0; r == 0 && i < rs->target_count; i++)
		r = hxs_restore_check_items(&rs->targets[i], err);
	if (r == 0 && pick->all && !rs->again)
		tell_unheld(rs);
	if (r == 0 && rs->target_count == 0 && rs->system_count == 0)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "snapshot '%s' holds nothing to restore",
				   hxs_snapshot_name(rs->snap));
	return r;
}
