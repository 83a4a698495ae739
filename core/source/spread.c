/*
 * Copying a tree. Directories first, private while they are filled; then the
 * bytes, on all processors, in jobs that each open the directory they work
 * in; then the other names of files that have several; last the directories'
 * own attributes, from the bottom up, since filling one changes its times.
 */
#include "base/io.h"
#include "source/copy.h"
#include "source/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define JOB_ITEMS 1024
#define JOB_BYTES (8u << 20) /* and a file as large is a job of its own */
#define TELL_FILES 64 /* so many are counted at once */
#define TELL_BYTES (1u << 20)

struct spread {
	struct hxs_capture *cap;
	struct hxs_tree *t;
	bool no_clone; /* atomic */
	struct job {
		struct spread *sp;
		size_t first, count; /* items of one directory */
		size_t piece; /* of that directory: the how manieth */
		uint64_t bytes;
	} * jobs;
	size_t job_count, job_cap;
};

/* What a job, or the one thread after them, works with. */
struct place {
	struct spread *sp;
	struct hxs_scribe *scribe;
	size_t dir; /* all of these are of this directory; -1: not open */
	int from, to, prev;
	struct hxs_buf shown;
	uint64_t files, bytes; /* done, and not told yet */
	bool linked; /* all of them */
};

static const char *show(struct place *p, const struct hxs_tree_item *it)
{
	return hxs_tree_show(p->sp->t, it->dir, it->name, &p->shown);
}

static void place_init(struct place *p, struct spread *sp)
{
	*p = (struct place){ .sp = sp, .from = -1, .to = -1, .prev = -1 };
}

static void leave(struct place *p)
{
	int *const fds[] = { &p->from, &p->to, &p->prev };
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]); /* a directory */
		*fds[i] = -1;
	}
}

/* Tell of what was done: not of each file, since all tell the same place. */
static void tell(struct place *p)
{
	if (p->files)
		hxs_capture_done(p->sp->cap, p->files, p->bytes, p->linked);
	p->files = p->bytes = 0;
}

static void place_release(struct place *p)
{
	tell(p);
	leave(p);
	if (p->scribe)
		hxs_copy_give_scribe(p->sp->cap, p->scribe);
	hxs_buf_release(&p->shown);
}

/*
 * Go to the copy of directory @dir; the handles of live data and earlier
 * backup are opened when first needed.
 */
static int go_to(struct place *p, size_t dir, struct hxs_err *err)
{
	const struct hxs_tree *t = p->sp->t;
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	if (p->to >= 0 && p->dir == dir)
		return 0;
	leave(p);
	p->dir = dir;
	p->to = hxs_tree_open(t, dir, p->sp->cap->dest, true);
	if (p->to < 0)
		return hxs_err_errno(err, -p->to,
				     "cannot open the copy of "
				     "'%s'",
				     hxs_tree_show(t, dir, NULL, &shown));
	return 0;
}

/* A handle on the live directory at hand: 1, or 0 if it vanished. */
static int open_from(struct place *p, struct hxs_err *err)
{
	const struct hxs_tree *t = p->sp->t;

	if (p->from >= 0)
		return 1;
	p->from = hxs_tree_open(t, p->dir, t->fd, false);
	if (p->from == -ENOENT || p->from == -ENOTDIR || p->from == -ELOOP ||
	    p->from == -EXDEV)
		return 0;
	if (p->from < 0)
		return hxs_err_errno(err, -p->from, "cannot open '%s'",
				     hxs_tree_show(t, p->dir, NULL, &p->shown));
	return 1;
}

/* ---- directories ------------------------------------------------------- */

static int make_dir(int dirfd, const char *name)
{
	if (mkdirat(dirfd, name, 0700) < 0)
		return -errno;
	/* The umask may have taken away what we need. */
	return fchmodat(dirfd, name, 0700, 0) < 0 ? -errno : 0;
}

static int make_dirs(struct spread *sp, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	struct hxs_tree *t = sp->t;
	struct place p;
	size_t i;
	int r;

	place_init(&p, sp);
	r = make_dir(sp->cap->dest, t->dirs[0].name);
	i = 0;
	if (r < 0)
		goto failed;
	for (i = 1; i < t->dir_count; i++) {
		if (t->dirs[i].gone)
			continue;
		r = go_to(&p, t->dirs[i].parent, err);
		if (r < 0)
			break;
		r = make_dir(p.to, t->dirs[i].name);
		if (r < 0)
			goto failed;
	}
	place_release(&p);
	return r;
failed:
	place_release(&p);
	return hxs_err_errno(err, -r, "cannot create the copy of '%s'",
			     hxs_tree_show(t, i, NULL, &shown));
}

static void warn_lost(struct hxs_capture *cap, const char *shown)
{
	hxs_capture_warn(cap,
			 "'%s': not all of its extended attributes fit into "
			 "the store's file system; the index has them",
			 shown);
}

static int finish_dirs(struct spread *sp, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	struct hxs_tree *t = sp->t;
	const struct hxs_tree_dir *d;
	bool lost;
	size_t i;
	int r;

	for (i = t->dir_count; i-- > 0;) {
		HXS_AUTO_CLOSE int fd = -1;

		d = &t->dirs[i];
		if (d->gone)
			continue;
		lost = false;
		fd = hxs_tree_open(t, i, sp->cap->dest, true);
		r = fd < 0 ? fd
			   : hxs_copy_attributes(fd, &d->st, d->xattrs,
						 d->xattrs_len, &lost);
		if (r < 0)
			return hxs_err_errno(err, -r,
					     "cannot set the attributes of "
					     "the copy of '%s'",
					     hxs_tree_show(t, i, NULL, &shown));
		if (lost)
			warn_lost(sp->cap, hxs_tree_show(t, i, NULL, &shown));
	}
	return 0;
}

/* ---- one item ---------------------------------------------------------- */

static void gone(struct place *p, struct hxs_tree_item *it)
{
	it->state = HXS_TREE_GONE;
	hxs_capture_warn(p->sp->cap, "'%s' was left out: it vanished meanwhile",
			 show(p, it));
}

static int need_scribe(struct place *p, struct hxs_err *err)
{
	if (!p->scribe)
		p->scribe = hxs_copy_take_scribe(p->sp->cap);
	return p->scribe ? 0 : hxs_err_errno(err, ENOMEM, "cannot copy");
}

static void done(struct place *p, struct hxs_tree_item *it, bool linked)
{
	it->state = linked ? HXS_TREE_LINKED : HXS_TREE_DONE;
	if (!S_ISREG(it->st.mode))
		return;
	if (p->linked != linked)
		tell(p);
	p->linked = linked;
	p->files++;
	p->bytes += it->st.size;
	if (p->files >= TELL_FILES || (!linked && p->bytes >= TELL_BYTES))
		tell(p);
}

static int copy_item(struct place *p, struct hxs_tree_item *it,
		     struct hxs_err *err)
{
	struct hxs_index_builder *b = p->sp->cap->builder;
	const char *live = p->sp->t->live_name;
	struct hxs_copy c = {
		.cap = p->sp->cap,
		.from = live ? live : it->name,
		.to = it->name,
		.no_clone = &p->sp->no_clone,
		.databases = !p->sp->t->src->sqlite_raw,
	};
	struct hxs_node node;
	int r;

	r = need_scribe(p, err);
	if (r == 0)
		r = open_from(p, err);
	if (r < 0)
		return r;
	if (r > 0) {
		c.scribe = p->scribe;
		c.from_dir = p->from;
		c.to_dir = p->to;
		r = hxs_copy_file(&c, err);
		if (r < 0)
			return hxs_err_prefix(err, r, "'%s'", show(p, it));
	}
	if (r == HXS_COPY_GONE) {
		gone(p, it);
		return 0;
	}
	if (c.lost_xattrs)
		warn_lost(p->sp->cap, show(p, it));
	if (c.unchecked[0])
		hxs_capture_warn(p->sp->cap,
				 "'%s': SQLite could not check all of it: %s",
				 show(p, it), c.unchecked);
	it->st = c.st;
	hxs_tree_to_node(&it->st, &node);
	node.sqlite_wal = c.wal;
	node.xattrs = p->scribe->xattrs.data;
	node.xattrs_len = p->scribe->xattrs.len;
	hxs_index_builder_set_chain(b, it->handle, &c.chain);
	r = hxs_index_builder_update(b, it->handle, &node);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot note '%s'", show(p, it));
	done(p, it, false);
	return 0;
}

static int make_link(struct place *p, struct hxs_tree_item *it,
		     struct hxs_err *err)
{
	int r = 0;

	if (symlinkat(it->target, p->to, it->name) < 0)
		r = -errno;
	if (r == 0)
		r = hxs_copy_link_attributes(p->to, it->name, &it->st,
					     it->xattrs, it->xattrs_len);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot create the copy of '%s'",
				     show(p, it));
	done(p, it, false);
	return 0;
}

/*
 * Whether the earlier backup's copy is still what it was made as, as far as
 * looking at it tells.
 */
static bool prev_is_intact(const struct place *p,
			   const struct hxs_tree_item *it)
{
	struct stat st;

	return fstatat(p->prev, it->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && (uint64_t)st.st_size == it->st.size &&
	       st.st_mtim.tv_sec == it->st.mtime.tv_sec &&
	       st.st_mtim.tv_nsec == it->st.mtime.tv_nsec;
}

/* 1 when linked, 0 when it has to be copied after all. */
static int link_item(struct place *p, struct hxs_tree_item *it,
		     struct hxs_err *err)
{
	struct hxs_capture *cap = p->sp->cap;
	struct hxs_chain chain;
	struct hxs_node prev, node;
	int r;

	if (p->prev < 0)
		p->prev = hxs_tree_open(p->sp->t, p->dir, cap->prev_fd, true);
	if (p->prev < 0 || !prev_is_intact(p, it))
		return 0;
	/* Too many links, another owner's file, ...: then it is copied. */
	if (linkat(p->prev, it->name, p->to, it->name, 0) < 0)
		return 0;
	r = hxs_index_chain(cap->prev, it->prev, &chain);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot note '%s'", show(p, it));
	hxs_index_builder_set_chain(cap->builder, it->handle, &chain);
	hxs_index_get(cap->prev, it->prev, &prev);
	if (prev.xattrs_len) {
		hxs_tree_to_node(&it->st, &node);
		node.xattrs = prev.xattrs;
		node.xattrs_len = prev.xattrs_len;
		r = hxs_index_builder_update(cap->builder, it->handle, &node);
		if (r < 0)
			return hxs_err_errno(err, -r, "cannot note '%s'",
					     show(p, it));
	}
	done(p, it, true);
	return 1;
}

static int bring(struct place *p, struct hxs_tree_item *it, struct hxs_err *err)
{
	int r = 0;

	if (it->target)
		return make_link(p, it, err);
	if (it->state == HXS_TREE_SAME)
		r = link_item(p, it, err);
	return r != 0 ? r : copy_item(p, it, err);
}

/* ---- jobs -------------------------------------------------------------- */

static void run_job(void *arg)
{
	const struct job *job = arg;
	struct hxs_tree *t = job->sp->t;
	struct hxs_err err = HXS_ERR_INIT;
	struct place p;
	size_t i;
	int r;

	if (!hxs_capture_goes_on(job->sp->cap))
		return;
	place_init(&p, job->sp);
	r = go_to(&p, t->items[job->first].dir, &err);
	for (i = 0; r >= 0 && i < job->count; i++) {
		struct hxs_tree_item *it = &t->items[job->first + i];

		if (it->state == HXS_TREE_OTHER_NAME)
			continue;
		r = bring(&p, it, &err);
		if (!hxs_capture_goes_on(job->sp->cap))
			break;
	}
	if (r < 0)
		hxs_capture_fail(job->sp->cap, r, &err);
	place_release(&p);
}

static int add_job(struct spread *sp, const struct job *job)
{
	size_t cap = sp->job_cap ? sp->job_cap * 2 : 256;
	struct job *grown;

	if (sp->job_count == sp->job_cap) {
		grown = reallocarray(sp->jobs, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		sp->jobs = grown;
		sp->job_cap = cap;
	}
	sp->jobs[sp->job_count++] = *job;
	return 0;
}

/* Cut the items of @d into jobs. */
static int cut(struct spread *sp, const struct hxs_tree_dir *d)
{
	struct job job = { .sp = sp, .first = d->first };
	size_t i, end = d->first + d->count;
	uint64_t size;

	for (i = d->first; i < end; i++) {
		const struct hxs_tree_item *it = &sp->t->items[i];

		size = it->state == HXS_TREE_COPY ? it->st.size : 0;
		if (job.count &&
		    (job.count >= JOB_ITEMS || job.bytes + size > JOB_BYTES)) {
			if (add_job(sp, &job) < 0)
				return -ENOMEM;
			job.first = i;
			job.count = 0;
			job.bytes = 0;
			job.piece++;
		}
		job.count++;
		job.bytes += size;
	}
	return job.count ? add_job(sp, &job) : 0;
}

/*
 * Large ones first, so that none is left over at the end. Then the first
 * pieces of all directories, the second ones, ...: two threads that make
 * names in one directory wait for one another.
 */
static int by_size(const void *pa, const void *pb)
{
	const struct job *a = pa, *b = pb;
	uint64_t x = a->bytes > JOB_BYTES ? a->bytes : 0;
	uint64_t y = b->bytes > JOB_BYTES ? b->bytes : 0;

	if (x != y)
		return x < y ? 1 : -1;
	if (a->piece != b->piece)
		return a->piece > b->piece ? 1 : -1;
	return (a->first > b->first) - (a->first < b->first);
}

static int run_jobs(struct spread *sp, struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < sp->t->dir_count; i++)
		if (sp->t->dirs[i].count)
			r = cut(sp, &sp->t->dirs[i]);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot plan the copy of '%s'",
				     sp->t->src->name);
	if (sp->job_count)
		qsort(sp->jobs, sp->job_count, sizeof(*sp->jobs), by_size);
	for (i = 0; i < sp->job_count; i++)
		hxs_pool_submit(sp->cap->pool, run_job, &sp->jobs[i]);
	hxs_pool_wait(sp->cap->pool);
	return hxs_capture_status(sp->cap, err);
}

/* ---- files with several names ------------------------------------------ */

/*
 * Make @it another name of @have in the store: 1, or 0 when that has too
 * many names already.
 */
static int link_copy(struct place *p, struct hxs_tree_item *it,
		     const struct hxs_tree_item *have, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;

	fd = hxs_tree_open(p->sp->t, have->dir, p->sp->cap->dest, true);
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open the copy of '%s'",
				     show(p, have));
	if (linkat(fd, have->name, p->to, it->name, 0) < 0) {
		if (errno == EMLINK)
			return 0;
		return hxs_err_errno(err, errno,
				     "cannot create the copy of '%s'",
				     show(p, it));
	}
	hxs_index_builder_link(p->sp->cap->builder, it->handle, have->handle);
	it->st = have->st;
	done(p, it, have->state == HXS_TREE_LINKED);
	return 1;
}

/*
 * @it was another name of the inode that was met first as item @first. By
 * now either name may mean another inode. So see what it means, and look
 * whether that is among the copies made for this group; else copy it, which
 * makes one more.
 */
static int bring_name(struct place *p, struct hxs_tree_item *it, size_t first,
		      struct hxs_err *err)
{
	struct hxs_tree_item *items = p->sp->t->items, *have;
	struct stat st;
	size_t i;
	int r;

	r = go_to(p, it->dir, err);
	if (r == 0)
		r = open_from(p, err);
	if (r < 0)
		return r;
	if (r > 0 && fstatat(p->from, it->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return hxs_err_errno(err, errno, "cannot look at '%s'",
					     show(p, it));
		r = 0;
	}
	if (r == 0 || (st.st_mode & S_IFMT) != (it->st.mode & S_IFMT)) {
		gone(p, it);
		return 0;
	}
	for (i = first; i != HXS_TREE_NO_ITEM; i = items[i].same_as) {
		have = &items[i];
		if ((have->state != HXS_TREE_DONE &&
		     have->state != HXS_TREE_LINKED) ||
		    have->st.ino != st.st_ino)
			continue;
		r = link_copy(p, it, have, err);
		if (r != 0)
			return r;
	}
	it->state = HXS_TREE_COPY;
	r = bring(p, it, err);
	it->same_as = items[first].same_as;
	items[first].same_as = (size_t)(it - items);
	return r;
}

static int bring_names(struct spread *sp, struct hxs_err *err)
{
	struct hxs_tree *t = sp->t;
	struct place p;
	size_t i;
	int r = 0;

	place_init(&p, sp);
	for (i = 0; r >= 0 && i < t->item_count; i++) {
		if (t->items[i].state != HXS_TREE_OTHER_NAME)
			continue;
		r = bring_name(&p, &t->items[i], t->items[i].same_as, err);
		if (r >= 0 && !hxs_capture_goes_on(sp->cap))
			r = hxs_capture_status(sp->cap, err);
	}
	place_release(&p);
	return r < 0 ? r : 0;
}

/* ---- all --------------------------------------------------------------- */

static void settle_totals(struct spread *sp, struct hxs_source_totals *totals)
{
	const struct hxs_tree_item *it;
	size_t i;

	memset(totals, 0, sizeof(*totals));
	for (i = 0; i < sp->t->item_count; i++) {
		it = &sp->t->items[i];
		if (it->state == HXS_TREE_GONE) {
			hxs_index_builder_drop(sp->cap->builder, it->handle);
			continue;
		}
		totals->entries++;
		if (S_ISREG(it->st.mode)) {
			totals->files++;
			totals->bytes += it->st.size;
		}
	}
}

int hxs_spread(struct hxs_capture *cap, struct hxs_tree *t,
	       struct hxs_source_totals *totals, struct hxs_err *err)
{
	struct spread sp = { .cap = cap, .t = t };
	int r;

	r = make_dirs(&sp, err);
	if (r == 0)
		r = run_jobs(&sp, err);
	if (r == 0)
		r = bring_names(&sp, err);
	if (r == 0)
		r = finish_dirs(&sp, err);
	if (r == 0)
		settle_totals(&sp, totals);
	free(sp.jobs);
	return r;
}
