/*
 * Finding what there is, breadth first, without recursion. Workers list a
 * few directories ahead and look at what is in them (scan.c); one thread
 * notes it, in order.
 */
#include "source/inodes.h"
#include "source/scan.h"
#include "source/sqlite.h"

#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define AHEAD 8 /* directories; what they hold is in memory twice */

/* A directory that a worker has been asked to look at. */
struct ahead {
	struct walk *w;
	struct hxs_scan scan;
	bool done; /* guarded by w->lock */
};

struct walk {
	struct hxs_capture *cap;
	struct hxs_tree *t;
	struct hxs_err *err;
	struct hxs_scan_rules rules;
	struct hxs_inodes inodes; /* those with several names */
	uint64_t env_files; /* left out */
	struct hxs_buf shown;
	struct ahead ahead[AHEAD]; /* directory n is in place n % AHEAD */
	size_t asked; /* directories */
	pthread_mutex_t lock;
	pthread_cond_t done;
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
static int note_names(struct walk *w, const struct hxs_found *f, size_t item)
{
	struct hxs_tree_item *it = &w->t->items[item];
	size_t first;
	int r;

	r = hxs_inodes_meet(&w->inodes, f->dev, f->st.ino, item, &first);
	w->t->links_found++;
	if (r == 0)
		w->t->links_wanted += f->nlink;
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

/* What is left out is told of, but for what is meant to be. */
static void leave_out(struct walk *w, size_t dir, const struct hxs_scan *s,
		      const struct hxs_found *f)
{
	const char *name = hxs_scan_text(s, f->name);

	if (f->as == HXS_FOUND_GONE)
		return;
	w->t->has_more = true;
	if (f->as == HXS_FOUND_MOUNT)
		hxs_capture_warn(w->cap,
				 "'%s' was left out: another file system is "
				 "mounted there",
				 show(w, dir, name));
	else if (f->as == HXS_FOUND_SPECIAL)
		hxs_capture_warn(w->cap, "'%s' was left out: it is %s",
				 show(w, dir, name), special_kind(f->st.mode));
	else if (f->as == HXS_FOUND_ENV)
		w->env_files++;
	else if (f->as == HXS_FOUND_BESIDE) /* its database's copy has it */
		w->t->dirs[dir].beside = true;
}

/* ---- noting entries ---------------------------------------------------- */

static int add_entry(struct walk *w, uint32_t parent, const char *name,
		     const char *target, const struct hxs_scan *s,
		     const struct hxs_found *f, uint32_t *handle)
{
	struct hxs_node node;

	hxs_tree_to_node(&f->st, &node);
	node.name = name;
	node.name_len = strlen(name);
	node.target = target;
	node.xattrs = hxs_scan_text(s, f->xattrs);
	node.xattrs_len = f->xattrs_len;
	return hxs_index_builder_add(w->cap->builder, parent, &node, handle,
				     w->err);
}

static int add_subdir(struct walk *w, size_t parent, const struct hxs_scan *s,
		      const struct hxs_found *f)
{
	const char *name = hxs_scan_text(s, f->name);
	struct hxs_tree *t = w->t;
	struct hxs_tree_dir *d;
	int64_t n;
	int r;

	if (hxs_capture_is_own(w->cap, f->dev, f->st.ino))
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
	d->st = f->st;
	r = add_entry(w, t->dirs[parent].handle, d->name, NULL, s, f,
		      &d->handle);
	return r < 0 ? hxs_err_prefix(w->err, r, "'%s'", show(w, parent, NULL))
		     : 0;
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

/* What a link has beside its name. */
static int keep_link(struct walk *w, struct hxs_tree_item *it,
		     const struct hxs_scan *s, const struct hxs_found *f)
{
	const char *target = hxs_scan_text(s, f->target);

	it->target = hxs_tree_keep(w->t, target, strlen(target));
	if (!it->target)
		return -ENOMEM;
	if (f->xattrs_len) {
		it->xattrs = hxs_tree_keep(w->t, hxs_scan_text(s, f->xattrs),
					   f->xattrs_len);
		it->xattrs_len = f->xattrs_len;
		if (!it->xattrs)
			return -ENOMEM;
	}
	return 0;
}

/* Note @f under @name. */
static int add_item(struct walk *w, size_t dir, const char *name,
		    const struct hxs_scan *s, const struct hxs_found *f)
{
	struct hxs_tree *t = w->t;
	struct hxs_tree_item *it;
	int64_t n;
	int r;

	n = hxs_tree_add_item(t);
	if (n < 0)
		return no_memory(w, dir);
	it = &t->items[n];
	it->dir = (uint32_t)dir;
	it->same_as = HXS_TREE_NO_ITEM;
	it->st = f->st;
	it->name = hxs_tree_keep(t, name, strlen(name));
	if (!it->name || (S_ISLNK(f->st.mode) && keep_link(w, it, s, f) < 0))
		return no_memory(w, dir);
	r = add_entry(w, t->dirs[dir].handle, it->name, it->target, s, f,
		      &it->handle);
	if (r < 0)
		return hxs_err_prefix(w->err, r, "'%s'", show(w, dir, NULL));
	if (f->nlink > 1 && note_names(w, f, (size_t)n) < 0)
		return no_memory(w, dir);
	count_item(&t->totals, &it->st);
	t->dirs[dir].count++;
	return 0;
}

/* ---- directories ------------------------------------------------------- */

/* Note the directory's attributes as they were when it was opened. */
static int take_attributes(struct walk *w, size_t dir, const struct hxs_scan *s)
{
	struct hxs_tree_dir *d = &w->t->dirs[dir];
	struct hxs_node node;

	d->st = s->st;
	if (s->xattrs.len) {
		d->xattrs = malloc(s->xattrs.len);
		if (!d->xattrs)
			return -ENOMEM;
		memcpy(d->xattrs, s->xattrs.data, s->xattrs.len);
		d->xattrs_len = (uint32_t)s->xattrs.len;
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

/* What of @s failed: told, or 0 when it is a directory to be left out. */
static int fault(struct walk *w, size_t dir, const struct hxs_scan *s)
{
	int r = s->r;

	if (!hxs_capture_goes_on(w->cap))
		return hxs_capture_status(w->cap, w->err);
	if (s->step == HXS_SCAN_OPEN && dir != 0) {
		if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP) {
			drop_dir(w, dir, "it vanished meanwhile");
			return 0;
		}
		if (r == -EXDEV) {
			drop_dir(w, dir,
				 "another file system is mounted there");
			return 0;
		}
	}
	if (s->step == HXS_SCAN_LOOK || s->step == HXS_SCAN_LINK)
		return hxs_err_errno(w->err, -r, "cannot %s '%s'",
				     s->step == HXS_SCAN_LOOK ? "look at"
							      : "read",
				     show(w, dir,
					  hxs_scan_text(s,
							s->found[s->at].name)));
	return hxs_err_errno(w->err, -r, "cannot %s '%s'",
			     s->step == HXS_SCAN_OPEN ? "open" : "read",
			     show(w, dir, NULL));
}

static int see_dir(struct walk *w, size_t dir, const struct hxs_scan *s)
{
	size_t i;
	int r;

	if (s->r < 0)
		return fault(w, dir, s);
	w->t->dirs[dir].first = w->t->item_count;
	r = take_attributes(w, dir, s);
	if (r < 0)
		return hxs_err_errno(w->err, -r, "cannot read '%s'",
				     show(w, dir, NULL));
	for (i = 0; r == 0 && i < s->count; i++) {
		const struct hxs_found *f = &s->found[s->order[i]];

		if (f->as != HXS_FOUND_ENTRY)
			leave_out(w, dir, s, f);
		else if (S_ISDIR(f->st.mode))
			r = add_subdir(w, dir, s, f);
		else
			r = add_item(w, dir, hxs_scan_text(s, f->name), s, f);
	}
	return r;
}

/* ---- ahead ------------------------------------------------------------- */

static void scan_job(void *arg)
{
	struct ahead *a = arg;

	hxs_scan_dir(&a->scan);
	(void)pthread_mutex_lock(&a->w->lock);
	a->done = true;
	(void)pthread_cond_signal(&a->w->done);
	(void)pthread_mutex_unlock(&a->w->lock);
}

static struct ahead *place(struct walk *w, size_t dir)
{
	return &w->ahead[dir % AHEAD];
}

static void wait_for(struct walk *w, size_t dir)
{
	(void)pthread_mutex_lock(&w->lock);
	while (!place(w, dir)->done)
		(void)pthread_cond_wait(&w->done, &w->lock);
	(void)pthread_mutex_unlock(&w->lock);
}

/* Have the directories from w->asked on looked at, up to @end. */
static int ask(struct walk *w, size_t end)
{
	struct ahead *a;

	for (; w->asked < end && w->asked < w->t->dir_count; w->asked++) {
		a = place(w, w->asked);
		if (hxs_tree_path(w->t, w->asked, NULL, false, &a->scan.path) <
		    0)
			return no_memory(w, w->asked);
		a->done = false;
		hxs_pool_submit(w->cap->pool, scan_job, a);
	}
	return 0;
}

static int see_dirs(struct walk *w)
{
	size_t i, k;
	int r = 0;

	for (i = 0; i < AHEAD; i++) {
		w->ahead[i].w = w;
		hxs_scan_init(&w->ahead[i].scan, &w->rules);
	}
	for (i = 0; r == 0 && i < w->t->dir_count; i++) {
		r = ask(w, i + AHEAD);
		if (r < 0)
			break;
		wait_for(w, i);
		r = see_dir(w, i, &place(w, i)->scan);
	}
	for (k = i; k < w->asked; k++)
		wait_for(w, k); /* for nothing: it failed */
	for (i = 0; i < AHEAD; i++)
		hxs_scan_release(&w->ahead[i].scan);
	return r;
}

static int see_all(struct walk *w)
{
	struct hxs_tree *t = w->t;
	struct statx x;

	if (statx(t->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID,
		  &x) < 0)
		return hxs_err_errno(w->err, errno, "cannot look at '%s'",
				     t->src->path);
	w->rules.dev = makedev(x.stx_dev_major, x.stx_dev_minor);
	w->rules.has_mnt_id = (x.stx_mask & STATX_MNT_ID) != 0;
	w->rules.mnt_id = x.stx_mnt_id;
	return see_dirs(w);
}

/* Note file @live of the top as @name. */
static int see_file(struct walk *w, const char *name, const char *live)
{
	const struct hxs_found *f;
	struct hxs_scan s;
	int r = 0;

	hxs_scan_init(&s, &w->rules);
	hxs_scan_file(&s, live);
	if (s.r < 0) {
		r = fault(w, 0, &s);
	} else {
		f = &s.found[0];
		if (f->as == HXS_FOUND_ENTRY)
			r = add_item(w, 0, name, &s, f);
		else
			leave_out(w, 0, &s, f);
	}
	hxs_scan_release(&s);
	return r;
}

/*
 * The file that the source is, by the name it is known by. As mere bytes a
 * database is worth nothing without what lies beside it.
 */
static int see_single(struct walk *w)
{
	static const char *const beside[] = { "-wal", "-journal" };
	const struct hxs_config_source *src = w->t->src;
	const char *name = strrchr(src->path, '/');
	const char *live = w->t->live_name;
	size_t i;
	int r;

	name = name ? name + 1 : src->path;
	if (strncmp(name, ".env", 4) == 0) {
		w->env_files = 1;
		return 0;
	}
	if (hxs_walk_excludes(src, name, name))
		return 0;
	r = see_file(w, name, live);
	/* Nobody looked for a -wal. */
	w->t->dirs[0].beside = !src->sqlite_raw;
	if (strcmp(name, live) != 0)
		return r;
	w->t->live_name = NULL; /* it is no other */
	for (i = 0; r == 0 && src->sqlite_raw && i < HXS_ARRAY_LEN(beside);
	     i++) {
		HXS_AUTO_BUF struct hxs_buf at = HXS_BUF_INIT;

		if (hxs_buf_printf(&at, "%s%s", name, beside[i]) < 0)
			return no_memory(w, 0);
		if (hxs_sqlite_is_beside(w->t->fd, at.data))
			r = see_file(w, at.data, at.data);
	}
	return r;
}

int hxs_walk(struct hxs_capture *cap, struct hxs_tree *t, struct hxs_err *err)
{
	struct walk w = {
		.cap = cap,
		.t = t,
		.err = err,
		.rules = { .cap = cap, .src = t->src, .top = t->fd },
	};
	int r;

	(void)pthread_mutex_init(&w.lock, NULL); /* cannot fail on Linux */
	(void)pthread_cond_init(&w.done, NULL);
	r = t->single ? see_single(&w) : see_all(&w);
	if (r == 0 && w.env_files)
		hxs_capture_warn(cap,
				 "source '%s': %llu '.env*' file%s left out",
				 t->src->name, (unsigned long long)w.env_files,
				 w.env_files == 1 ? " was" : "s were");
	(void)pthread_cond_destroy(&w.done);
	(void)pthread_mutex_destroy(&w.lock);
	hxs_inodes_release(&w.inodes);
	hxs_buf_release(&w.shown);
	return r;
}
