/*
 * Finding what there is. No recursion, one directory open at a time; what
 * one directory holds is listed first and looked at then, so that nothing
 * of the walk depends on its depth or width but memory.
 */
#include "source/inodes.h"
#include "source/tree.h"

#include "base/io.h"
#include "base/path.h"
#include "base/xattr.h"
#include "source/sqlite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

struct walk {
	struct hxs_capture *cap;
	struct hxs_tree *t;
	struct hxs_err *err;
	uint64_t mnt_id; /* of the top, if has_mnt_id */
	bool has_mnt_id;
	dev_t dev; /* of the top */
	struct hxs_inodes inodes; /* those with several names */
	uint64_t env_files; /* left out */
	struct hxs_buf shown, path, xattrs;
	struct found {
		char *name;
		struct stat st;
	} * found; /* in the directory at hand */
	size_t found_count, found_cap;
};

static const char *show(struct walk *w, size_t dir, const char *name)
{
	return hxs_tree_show(w->t, dir, name, &w->shown);
}

static int no_memory(struct walk *w, size_t dir)
{
	return hxs_err_errno(w->err, ENOMEM, "cannot note what '%s' holds",
			     show(w, dir, NULL));
}

/* If another item has this inode, note that @item is another name of it. */
static int note_names(struct walk *w, const struct stat *st, size_t item)
{
	struct hxs_tree_item *it = &w->t->items[item];
	size_t first;
	int r;

	r = hxs_inodes_meet(&w->inodes, st->st_dev, st->st_ino, item, &first);
	w->t->links_found++;
	if (r == 0)
		w->t->links_wanted += st->st_nlink;
	if (r > 0) {
		it->state = HXS_TREE_OTHER_NAME;
		it->same_as = first;
	}
	return r < 0 ? r : 0;
}

/* ---- what is left out -------------------------------------------------- */

bool hxs_walk_excludes(const struct hxs_config_source *src, const char *path,
		       const char *name)
{
	size_t i;

	for (i = 0; i < src->exclude_count; i++)
		if (fnmatch(src->exclude[i],
			    strchr(src->exclude[i], '/') ? path : name, 0) == 0)
			return true;
	return false;
}

/* 1 if a pattern of the configuration says so, or -ENOMEM. */
static int is_excluded(struct walk *w, size_t dir, const char *name)
{
	if (w->t->src->exclude_count == 0)
		return 0;
	if (hxs_tree_path(w->t, dir, name, false, &w->path) < 0)
		return -ENOMEM;
	return hxs_walk_excludes(w->t->src, hxs_buf_str(&w->path), name);
}

static const char *special_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFSOCK:
		return "a socket";
	case S_IFIFO:
		return "a FIFO";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	default:
		return NULL;
	}
}

static dev_t stx_dev(const struct statx *x)
{
	return makedev(x->stx_dev_major, x->stx_dev_minor);
}

/*
 * The mount's number tells, for files too; st_dev would not do: on overlayfs
 * files of one mount have several, and so have subvolumes on btrfs.
 */
static bool is_other_mount(const struct walk *w, const struct statx *x)
{
	if (w->has_mnt_id && (x->stx_mask & STATX_MNT_ID))
		return x->stx_mnt_id != w->mnt_id;
	return S_ISDIR(x->stx_mode) && stx_dev(x) != w->dev;
}

/* ---- noting entries ---------------------------------------------------- */

static struct timespec stx_time(const struct statx_timestamp *ts)
{
	return (struct timespec){ ts->tv_sec, (long)ts->tv_nsec };
}

static void from_statx(struct stat *st, const struct statx *x)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = stx_dev(x);
	st->st_ino = x->stx_ino;
	st->st_mode = x->stx_mode;
	st->st_nlink = x->stx_nlink;
	st->st_uid = x->stx_uid;
	st->st_gid = x->stx_gid;
	st->st_size = (off_t)x->stx_size;
	st->st_atim = stx_time(&x->stx_atime);
	st->st_mtim = stx_time(&x->stx_mtime);
	st->st_ctim = stx_time(&x->stx_ctime);
}

/* Attributes of what cannot be opened for reading: a symbolic link. */
static int link_xattrs(struct walk *w, int dirfd, const char *name)
{
	HXS_AUTO_CLOSE int fd = -1;

	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return hxs_xattr_read(fd, &w->xattrs);
}

static int add_entry(struct walk *w, uint32_t parent, const char *name,
		     const char *target, const struct hxs_tree_stat *st,
		     uint32_t *handle)
{
	struct hxs_node node;

	hxs_tree_to_node(st, &node);
	node.name = name;
	node.name_len = strlen(name);
	node.target = target;
	node.xattrs = w->xattrs.data;
	node.xattrs_len = w->xattrs.len;
	return hxs_index_builder_add(w->cap->builder, parent, &node, handle,
				     w->err);
}

static int add_subdir(struct walk *w, size_t parent, const char *name,
		      const struct stat *st)
{
	struct hxs_tree *t = w->t;
	struct hxs_tree_dir *d;
	int64_t n;
	int r;

	if (hxs_capture_is_own(w->cap, st->st_dev, st->st_ino))
		return hxs_err_set(w->err, HXS_EDENIED,
				   "refused: source '%s' holds the store, at "
				   "'%s'",
				   t->src->name, show(w, parent, name));
	if (t->dirs[parent].depth + 2 >= HXS_PATH_DEPTH_MAX)
		return hxs_err_set(w->err, ENAMETOOLONG,
				   "source '%s' has more than %d directories "
				   "in one another",
				   t->src->name, HXS_PATH_DEPTH_MAX);
	n = hxs_tree_add_dir(t);
	if (n < 0)
		return no_memory(w, parent);
	d = &t->dirs[n];
	d->parent = (uint32_t)parent;
	d->depth = t->dirs[parent].depth + 1;
	d->name = hxs_tree_keep(t, name, strlen(name));
	if (!d->name)
		return no_memory(w, parent);
	hxs_tree_from_stat(&d->st, st);
	hxs_buf_truncate(&w->xattrs, 0);
	r = add_entry(w, t->dirs[parent].handle, d->name, NULL, &d->st,
		      &d->handle);
	return r < 0 ? hxs_err_prefix(w->err, r, "'%s'", show(w, parent, NULL))
		     : 0;
}

static int read_target(struct walk *w, int dirfd, const char *name,
		       const char **out)
{
	char buf[4097];
	ssize_t n = readlinkat(dirfd, name, buf, sizeof(buf));

	if (n < 0)
		return -errno;
	if ((size_t)n >= sizeof(buf))
		return -ENAMETOOLONG;
	*out = hxs_tree_keep(w->t, buf, (size_t)n);
	return *out ? 0 : -ENOMEM;
}

static void count_item(struct hxs_source_totals *totals,
		       const struct hxs_tree_stat *st)
{
	totals->entries++;
	if (S_ISREG(st->mode)) {
		totals->files++;
		totals->bytes += st->size;
	}
}

static int add_item(struct walk *w, size_t dir, int dirfd, const char *name,
		    const struct stat *st)
{
	struct hxs_tree *t = w->t;
	const char *target = NULL;
	struct hxs_tree_item *it;
	int64_t n;
	int r = 0;

	hxs_buf_truncate(&w->xattrs, 0);
	if (S_ISLNK(st->st_mode)) {
		r = read_target(w, dirfd, name, &target);
		if (r == 0)
			r = link_xattrs(w, dirfd, name);
		if (r == -ENOENT || r == -EINVAL)
			return 0; /* gone, or another thing, meanwhile */
		if (r < 0)
			return hxs_err_errno(w->err, -r, "cannot read '%s'",
					     show(w, dir, name));
	}
	n = hxs_tree_add_item(t);
	if (n < 0)
		return no_memory(w, dir);
	it = &t->items[n];
	it->dir = (uint32_t)dir;
	it->same_as = HXS_TREE_NO_ITEM;
	it->target = target;
	it->name = hxs_tree_keep(t, name, strlen(name));
	if (!it->name)
		return no_memory(w, dir);
	if (w->xattrs.len) {
		it->xattrs = hxs_tree_keep(t, w->xattrs.data, w->xattrs.len);
		it->xattrs_len = (uint32_t)w->xattrs.len;
		if (!it->xattrs)
			return no_memory(w, dir);
	}
	hxs_tree_from_stat(&it->st, st);
	r = add_entry(w, t->dirs[dir].handle, it->name, target, &it->st,
		      &it->handle);
	if (r < 0)
		return hxs_err_prefix(w->err, r, "'%s'", show(w, dir, NULL));
	if (st->st_nlink > 1 && note_names(w, st, (size_t)n) < 0)
		return no_memory(w, dir);
	count_item(&t->totals, &it->st);
	t->dirs[dir].count++;
	return 0;
}

/* 1 with @st filled if @name is to be noted, else 0. */
static int look(struct walk *w, size_t dir, int dirfd, const char *name,
		struct stat *st)
{
	const char *kind;
	struct statx x;
	int r;

	r = is_excluded(w, dir, name);
	w->t->has_more |= r > 0;
	if (r != 0)
		return r < 0 ? no_memory(w, dir) : 0;
	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_BASIC_STATS | STATX_MNT_ID, &x) < 0) {
		if (errno == ENOENT)
			return 0; /* gone since it was listed */
		return hxs_err_errno(w->err, errno, "cannot look at '%s'",
				     show(w, dir, name));
	}
	if (is_other_mount(w, &x)) {
		w->t->has_more = true;
		hxs_capture_warn(w->cap,
				 "'%s' was left out: another file system is "
				 "mounted there",
				 show(w, dir, name));
		return 0;
	}
	kind = special_kind(x.stx_mode);
	if (kind) {
		w->t->has_more = true;
		hxs_capture_warn(w->cap, "'%s' was left out: it is %s",
				 show(w, dir, name), kind);
		return 0;
	}
	if (!S_ISDIR(x.stx_mode) && strncmp(name, ".env", 4) == 0) {
		w->env_files++;
		w->t->has_more = true;
		return 0;
	}
	/* No warning: it belongs to the database, whose copy has it all. */
	if (S_ISREG(x.stx_mode) && !w->t->src->sqlite_raw &&
	    hxs_sqlite_is_beside(dirfd, name)) {
		w->t->dirs[dir].beside = true;
		w->t->has_more = true;
		return 0;
	}
	from_statx(st, &x);
	return 1;
}

/* ---- directories ------------------------------------------------------- */

static void forget_found(struct walk *w)
{
	while (w->found_count)
		free(w->found[--w->found_count].name);
}

static int collect_name(const char *name, unsigned char type HXS_UNUSED,
			void *ctx)
{
	struct walk *w = ctx;
	size_t cap = w->found_cap ? w->found_cap * 2 : 256;
	struct found *grown;

	if (w->found_count == w->found_cap) {
		grown = reallocarray(w->found, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		w->found = grown;
		w->found_cap = cap;
	}
	w->found[w->found_count].name = strdup(name);
	if (!w->found[w->found_count].name)
		return -ENOMEM;
	w->found_count++;
	return 0;
}

/* In the order of inodes, which is the order on a disk, more or less. */
static int by_inode(const void *pa, const void *pb)
{
	const struct found *a = pa, *b = pb;

	return (a->st.st_ino > b->st.st_ino) - (a->st.st_ino < b->st.st_ino);
}

/* Look at each name that was found; those not to be noted become NULL. */
static int look_at_found(struct walk *w, size_t dir, int dirfd)
{
	size_t i;
	int r;

	for (i = 0; i < w->found_count; i++) {
		if ((i & 255) == 0 && !hxs_capture_goes_on(w->cap))
			return hxs_capture_status(w->cap, w->err);
		r = look(w, dir, dirfd, w->found[i].name, &w->found[i].st);
		if (r < 0)
			return r;
		if (r == 0) {
			free(w->found[i].name);
			w->found[i].name = NULL;
		}
	}
	if (w->found_count)
		qsort(w->found, w->found_count, sizeof(*w->found), by_inode);
	return 0;
}

static int take_attributes(struct walk *w, size_t dir, int fd)
{
	struct hxs_tree_dir *d = &w->t->dirs[dir];
	struct hxs_node node;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	hxs_tree_from_stat(&d->st, &st);
	hxs_buf_truncate(&w->xattrs, 0);
	r = hxs_xattr_read(fd, &w->xattrs);
	if (r < 0)
		return r;
	if (w->xattrs.len) {
		d->xattrs = malloc(w->xattrs.len);
		if (!d->xattrs)
			return -ENOMEM;
		memcpy(d->xattrs, w->xattrs.data, w->xattrs.len);
		d->xattrs_len = (uint32_t)w->xattrs.len;
	}
	hxs_tree_to_node(&d->st, &node);
	node.xattrs = d->xattrs;
	node.xattrs_len = d->xattrs_len;
	return hxs_index_builder_update(w->cap->builder, d->handle, &node);
}

/* Directory @dir is not to be had any more: say so and leave it out. */
static void drop_dir(struct walk *w, size_t dir, const char *why)
{
	w->t->dirs[dir].gone = true;
	w->t->has_more = true;
	hxs_index_builder_drop(w->cap->builder, w->t->dirs[dir].handle);
	hxs_capture_warn(w->cap, "'%s' was left out: %s", show(w, dir, NULL),
			 why);
}

static int see_dir(struct walk *w, size_t dir)
{
	HXS_AUTO_CLOSE int fd = -1;
	size_t i;
	int r;

	fd = hxs_tree_open(w->t, dir, w->t->fd, false);
	if (dir != 0 && (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)) {
		drop_dir(w, dir, "it vanished meanwhile");
		return 0;
	}
	if (dir != 0 && fd == -EXDEV) {
		drop_dir(w, dir, "another file system is mounted there");
		return 0;
	}
	if (fd < 0)
		return hxs_err_errno(w->err, -fd, "cannot open '%s'",
				     show(w, dir, NULL));
	w->t->dirs[dir].first = w->t->item_count;
	r = take_attributes(w, dir, fd);
	if (r == 0) {
		forget_found(w);
		r = hxs_io_list(fd, collect_name, w);
	}
	if (r < 0)
		return hxs_err_errno(w->err, -r, "cannot read '%s'",
				     show(w, dir, NULL));
	r = look_at_found(w, dir, fd);
	for (i = 0; r == 0 && i < w->found_count; i++) {
		const struct found *f = &w->found[i];

		if (!f->name)
			continue;
		if (S_ISDIR(f->st.st_mode))
			r = add_subdir(w, dir, f->name, &f->st);
		else
			r = add_item(w, dir, fd, f->name, &f->st);
	}
	return r;
}

static int see_all(struct walk *w)
{
	struct hxs_tree *t = w->t;
	struct statx x;
	size_t i;
	int r;

	if (statx(t->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID,
		  &x) < 0)
		return hxs_err_errno(w->err, errno, "cannot look at '%s'",
				     t->src->path);
	w->dev = stx_dev(&x);
	w->has_mnt_id = (x.stx_mask & STATX_MNT_ID) != 0;
	w->mnt_id = x.stx_mnt_id;
	for (i = 0; i < t->dir_count; i++) {
		r = see_dir(w, i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The one item of a source that is a file, by the name it is known by. */
static int see_single(struct walk *w)
{
	const char *name = strrchr(w->t->src->path, '/');
	struct stat st = { .st_size = 0 };
	int r;

	name = name ? name + 1 : w->t->src->path;
	if (strncmp(name, ".env", 4) == 0) {
		w->env_files = 1;
		return 0;
	}
	r = is_excluded(w, 0, name);
	if (r != 0)
		return r < 0 ? no_memory(w, 0) : 0;
	r = look(w, 0, w->t->fd, w->t->live_name, &st);
	w->t->dirs[0].beside = !w->t->src->sqlite_raw; /* nobody looked */
	if (r > 0)
		r = add_item(w, 0, w->t->fd, name, &st);
	return r;
}

int hxs_walk(struct hxs_capture *cap, struct hxs_tree *t, struct hxs_err *err)
{
	struct walk w = { .cap = cap, .t = t, .err = err };
	int r;

	r = t->single ? see_single(&w) : see_all(&w);
	if (r == 0 && w.env_files)
		hxs_capture_warn(cap,
				 "source '%s': %llu '.env*' file%s left out",
				 t->src->name, (unsigned long long)w.env_files,
				 w.env_files == 1 ? " was" : "s were");
	forget_found(&w);
	free(w.found);
	hxs_inodes_release(&w.inodes);
	hxs_buf_release(&w.shown);
	hxs_buf_release(&w.path);
	hxs_buf_release(&w.xattrs);
	return r;
}
