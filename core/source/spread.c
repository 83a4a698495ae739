/*
 * Copying a tree. Directories first, private while they are filled; then the
 * bytes, on all processors, in jobs that each open the directory they work
 * in; then the other names of files that have several; last the directories'
 * own attributes, from the bottom up, since filling one changes its times.
 */
#include "base/io.h"
#include "source/spread_item.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define JOB_ITEMS 1024
#define JOB_BYTES (8u << 20) /* and a file as large is a job of its own */

/* ---- directories ------------------------------------------------------- */

static int make_dir(int dirfd, const char *name)
{
	if (mkdirat(dirfd, name, 0700) < 0)
		return -errno;
	/* The umask may have taken away what we need. */
	return fchmodat(dirfd, name, 0700, 0) < 0 ? -errno : 0;
}

static int make_dirs(struct hxs_spread *sp, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	struct hxs_tree *t = sp->t;
	struct hxs_spread_place p;
	size_t i;
	int r;

	hxs_spread_init(&p, sp);
	r = make_dir(sp->cap->dest, t->dirs[0].name);
	i = 0;
	if (r < 0)
		goto failed;
	for (i = 1; i < t->dir_count; i++) {
		if (t->dirs[i].gone)
			continue;
		r = hxs_spread_go_to(&p, t->dirs[i].parent, err);
		if (r < 0)
			break;
		r = make_dir(p.to, t->dirs[i].name);
		if (r < 0)
			goto failed;
	}
	hxs_spread_release(&p);
	return r;
failed:
	hxs_spread_release(&p);
	return hxs_err_errno(err, -r, "cannot create the copy of '%s'",
			     hxs_tree_show(t, i, NULL, &shown));
}

static int finish_dirs(struct hxs_spread *sp, struct hxs_err *err)
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
			hxs_spread_warn_lost(sp->cap,
					     hxs_tree_show(t, i, NULL, &shown));
	}
	return 0;
}

/* ---- jobs -------------------------------------------------------------- */

struct job {
	struct hxs_spread *sp;
	size_t first, count; /* items of one directory */
	size_t piece; /* of that directory: the how manieth */
	uint64_t bytes;
};

struct jobs {
	struct job *job;
	size_t count, cap;
};

static void run_job(void *arg)
{
	const struct job *job = arg;
	struct hxs_tree *t = job->sp->t;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_spread_place p;
	size_t i;
	int r;

	if (!hxs_capture_goes_on(job->sp->cap))
		return;
	hxs_spread_init(&p, job->sp);
	r = hxs_spread_go_to(&p, t->items[job->first].dir, &err);
	for (i = 0; r >= 0 && i < job->count; i++) {
		struct hxs_tree_item *it = &t->items[job->first + i];

		if (it->state == HXS_TREE_OTHER_NAME)
			continue;
		r = hxs_spread_item(&p, it, &err);
		if (!hxs_capture_goes_on(job->sp->cap))
			break;
	}
	if (r < 0)
		hxs_capture_fail(job->sp->cap, r, &err);
	hxs_spread_release(&p);
}

static int add_job(struct jobs *js, const struct job *job)
{
	size_t cap = js->cap ? js->cap * 2 : 256;
	struct job *grown;

	if (js->count == js->cap) {
		grown = reallocarray(js->job, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		js->job = grown;
		js->cap = cap;
	}
	js->job[js->count++] = *job;
	return 0;
}

/* Cut the items of @d into jobs. */
static int cut(struct hxs_spread *sp, const struct hxs_tree_dir *d,
	       struct jobs *js)
{
	struct job job = { .sp = sp, .first = d->first };
	size_t i, end = d->first + d->count;
	uint64_t size;

	for (i = d->first; i < end; i++) {
		const struct hxs_tree_item *it = &sp->t->items[i];

		size = it->state == HXS_TREE_COPY ? it->st.size : 0;
		if (job.count &&
		    (job.count >= JOB_ITEMS || job.bytes + size > JOB_BYTES)) {
			if (add_job(js, &job) < 0)
				return -ENOMEM;
			job.first = i;
			job.count = 0;
			job.bytes = 0;
			job.piece++;
		}
		job.count++;
		job.bytes += size;
	}
	return job.count ? add_job(js, &job) : 0;
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

static int run_jobs(struct hxs_spread *sp, struct hxs_err *err)
{
	struct jobs js = { .job = NULL };
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < sp->t->dir_count; i++)
		if (sp->t->dirs[i].count)
			r = cut(sp, &sp->t->dirs[i], &js);
	if (r < 0) {
		free(js.job);
		return hxs_err_errno(err, -r, "cannot plan the copy of '%s'",
				     sp->t->src->name);
	}
	if (js.count)
		qsort(js.job, js.count, sizeof(*js.job), by_size);
	for (i = 0; i < js.count; i++)
		hxs_pool_submit(sp->cap->pool, run_job, &js.job[i]);
	hxs_pool_wait(sp->cap->pool);
	free(js.job);
	return hxs_capture_status(sp->cap, err);
}

/* ---- files with several names ------------------------------------------ */

/*
 * Make @it another name of @have in the store: 1, or 0 when that has too
 * many names already.
 */
static int link_copy(struct hxs_spread_place *p, struct hxs_tree_item *it,
		     const struct hxs_tree_item *have, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;

	fd = hxs_tree_open(p->sp->t, have->dir, p->sp->cap->dest, true);
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open the copy of '%s'",
				     hxs_spread_show(p, have));
	if (linkat(fd, have->name, p->to, it->name, 0) < 0) {
		if (errno == EMLINK)
			return 0;
		return hxs_err_errno(err, errno,
				     "cannot create the copy of '%s'",
				     hxs_spread_show(p, it));
	}
	hxs_index_builder_link(p->sp->cap->builder, it->handle, have->handle);
	it->st = have->st;
	hxs_spread_done(p, it, have->state == HXS_TREE_LINKED);
	return 1;
}

/*
 * @it was another name of the inode that was met first as item @first. By
 * now either name may mean another inode. So see what it means, and look
 * whether that is among the copies made for this group; else copy it, which
 * makes one more.
 */
static int bring_name(struct hxs_spread_place *p, struct hxs_tree_item *it,
		      size_t first, struct hxs_err *err)
{
	struct hxs_tree_item *items = p->sp->t->items, *have;
	struct stat st;
	size_t i;
	int r;

	r = hxs_spread_go_to(p, it->dir, err);
	if (r == 0)
		r = hxs_spread_open_from(p, err);
	if (r < 0)
		return r;
	if (r > 0 && fstatat(p->from, it->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return hxs_err_errno(err, errno, "cannot look at '%s'",
					     hxs_spread_show(p, it));
		r = 0;
	}
	if (r == 0 || (st.st_mode & S_IFMT) != (it->st.mode & S_IFMT)) {
		hxs_spread_gone(p, it);
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
	r = hxs_spread_item(p, it, err);
	it->same_as = items[first].same_as;
	items[first].same_as = (size_t)(it - items);
	return r;
}

static int bring_names(struct hxs_spread *sp, struct hxs_err *err)
{
	struct hxs_tree *t = sp->t;
	struct hxs_spread_place p;
	size_t i;
	int r = 0;

	hxs_spread_init(&p, sp);
	for (i = 0; r >= 0 && i < t->item_count; i++) {
		if (t->items[i].state != HXS_TREE_OTHER_NAME)
			continue;
		r = bring_name(&p, &t->items[i], t->items[i].same_as, err);
		if (r >= 0 && !hxs_capture_goes_on(sp->cap))
			r = hxs_capture_status(sp->cap, err);
	}
	hxs_spread_release(&p);
	return r < 0 ? r : 0;
}

/* ---- all --------------------------------------------------------------- */

static void settle_totals(struct hxs_spread *sp,
			  struct hxs_source_totals *totals)
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
	struct hxs_spread sp = { .cap = cap, .t = t };
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
	return r;
}
