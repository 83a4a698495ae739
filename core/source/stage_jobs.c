/*
 * Files and links, cut into jobs: some files of one directory, or a range of
 * a large file, which is opened by whoever comes first and closed by whoever
 * ends last.
 */
#include "source/stage_parts.h"

#include <errno.h>
#include <string.h>

#define JOB_ITEMS 1024
#define JOB_BYTES (8u << 20)
#define RANGE (32u << 20) /* of a file that is larger than that */

struct large {
	struct hxs_stage_run *run;
	uint32_t entry;
	pthread_mutex_t lock; /* guards all below */
	struct hxs_stage_file file;
	bool opened;
	uint64_t left; /* ranges */
};

struct job {
	struct hxs_stage_run *run;
	uint32_t dir, first, count; /* children of a directory */
	uint32_t piece; /* of that directory: the how manieth */
	struct large *large; /* or its range from here on: */
	uint64_t off;
};

struct plan {
	struct hxs_stage_run *run;
	struct job *jobs;
	size_t count, cap;
	struct large **large;
	size_t large_count, large_cap;
};

static void fail(struct hxs_stage_run *run, int r,
		 const struct hxs_fault *fault, struct hxs_err *err)
{
	if (r < 0)
		hxs_stage_fail(run, r, fault, err);
}

/* ---- ranges ------------------------------------------------------------ */

/* A foreign file is hashed in one go, by one thread. */
static uint64_t range_of(const struct hxs_stage_run *run)
{
	return hxs_snapshot_is_foreign(run->s->snap) ? INT64_MAX : RANGE;
}

/* Open it, unless that was done. The lock is held. */
static int open_large(struct large *l, struct hxs_fault *fault,
		      struct hxs_err *err)
{
	HXS_AUTO_CLOSE int dir = -1;

	if (l->opened)
		return 0;
	dir = hxs_stage_open_parent(l->run, l->entry);
	if (dir < 0)
		return hxs_err_errno(err, -dir,
				     "cannot open the copy of the directory "
				     "of '%s'",
				     l->file.node.name);
	l->opened = true;
	return hxs_stage_file_open(&l->file, dir,
				   hxs_stage_name(l->run, &l->file.node), fault,
				   err);
}

static int end_range(struct large *l, struct hxs_err *err)
{
	bool last;
	int r = 0;

	(void)pthread_mutex_lock(&l->lock);
	last = --l->left == 0;
	(void)pthread_mutex_unlock(&l->lock);
	if (!last)
		return 0;
	r = hxs_stage_file_finish(&l->file, err);
	hxs_stage_file_release(&l->file);
	if (r == 0)
		hxs_capture_done(&l->run->cap, 1, 0, false);
	return r;
}

static void run_range(void *arg)
{
	const struct job *job = arg;
	struct large *l = job->large;
	struct hxs_scratch scratch = { 0 };
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_fault fault = { 0 };
	uint64_t size = l->file.node.size, end, range = range_of(l->run);
	int r;

	if (!hxs_capture_goes_on(&l->run->cap))
		return;
	end = size - job->off < range ? size : job->off + range;
	(void)pthread_mutex_lock(&l->lock);
	r = open_large(l, &fault, &err);
	if (r < 0) /* before another thread takes it for open */
		fail(l->run, r, &fault, &err);
	(void)pthread_mutex_unlock(&l->lock);
	if (r < 0 || !hxs_capture_goes_on(&l->run->cap))
		return;
	r = hxs_stage_file_fill(&l->file, job->off, end, &scratch, &fault,
				&err);
	hxs_scratch_release(&scratch);
	if (r == 0) {
		hxs_capture_done(&l->run->cap, 0, end - job->off - l->file.told,
				 false);
		r = end_range(l, &err);
	}
	fail(l->run, r, &fault, &err);
}

static void free_large(struct large *l)
{
	if (l->opened)
		hxs_stage_file_release(&l->file);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

/* ---- some files of a directory ----------------------------------------- */

static bool is_large(const struct hxs_node *node)
{
	return S_ISREG(node->mode) && node->size > RANGE;
}

static int stage_item(struct hxs_stage_run *run, const struct hxs_node *node,
		      int dir, struct hxs_scratch *scratch,
		      struct hxs_fault *fault, struct hxs_err *err)
{
	if (S_ISDIR(node->mode) || is_large(node) ||
	    hxs_stage_is_twin(run, node))
		return 0;
	if (S_ISLNK(node->mode))
		return hxs_stage_link(run, node, dir, err);
	return hxs_stage_file(run, node, dir, scratch, fault, err);
}

static void run_items(void *arg)
{
	const struct job *job = arg;
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int dir = -1;
	struct hxs_scratch scratch = { 0 };
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_fault fault = { 0 };
	struct hxs_node node;
	uint32_t i;
	int r = 0;

	if (!hxs_capture_goes_on(&job->run->cap))
		return;
	dir = hxs_stage_open_parent(job->run, job->first);
	if (dir < 0)
		r = hxs_err_errno(&err, -dir, "cannot open the copy of '%s'",
				  hxs_stage_show(job->run, job->dir, &shown));
	for (i = 0; r == 0 && i < job->count; i++) {
		hxs_index_get(job->run->idx, job->first + i, &node);
		r = stage_item(job->run, &node, dir, &scratch, &fault, &err);
		if (!hxs_capture_goes_on(&job->run->cap))
			break;
	}
	fail(job->run, r, &fault, &err);
	hxs_scratch_release(&scratch);
}

/* ---- planning ---------------------------------------------------------- */

static int add_job(struct plan *p, const struct job *job)
{
	size_t cap = p->cap ? p->cap * 2 : 64;
	struct job *grown;

	if (p->count == p->cap) {
		grown = reallocarray(p->jobs, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		p->jobs = grown;
		p->cap = cap;
	}
	p->jobs[p->count++] = *job;
	return 0;
}

static int add_large(struct plan *p, const struct hxs_node *node)
{
	size_t cap = p->large_cap ? p->large_cap * 2 : 16;
	struct job job = { .run = p->run };
	uint64_t range = range_of(p->run);
	struct large **grown, *l;
	int r = 0;

	if (p->large_count == p->large_cap) {
		grown = reallocarray(p->large, cap, sizeof(struct large *));
		if (!grown)
			return -ENOMEM;
		p->large = grown;
		p->large_cap = cap;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	p->large[p->large_count++] = l;
	(void)pthread_mutex_init(&l->lock, NULL); /* cannot fail on Linux */
	l->run = p->run;
	l->entry = node->number;
	l->file.run = p->run;
	l->file.node = *node;
	l->file.fd = -1;
	job.large = l;
	for (; r == 0 && job.off < node->size; job.off += range) {
		l->left++;
		r = add_job(p, &job);
	}
	return r;
}

/* Plan the ranges of large children of @dir. */
static int plan_large(struct plan *p, const struct hxs_node *dir)
{
	struct hxs_node node;
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i < dir->child_count; i++) {
		hxs_index_get(p->run->idx, dir->first_child + i, &node);
		if (is_large(&node) && !hxs_stage_is_twin(p->run, &node))
			r = add_large(p, &node);
	}
	return r;
}

/* Cut the rest of its children into jobs. */
static int plan_items(struct plan *p, const struct hxs_node *dir)
{
	struct job job = {
		.run = p->run,
		.dir = dir->number,
		.first = dir->first_child,
	};
	uint64_t bytes = 0, size;
	struct hxs_node node;
	uint32_t i, items = 0, end = dir->first_child + dir->child_count;
	int r = 0;

	for (i = dir->first_child; r == 0 && i < end; i++) {
		hxs_index_get(p->run->idx, i, &node);
		if (S_ISDIR(node.mode) || is_large(&node))
			continue;
		size = node.size;
		if (items && (items >= JOB_ITEMS || bytes + size > JOB_BYTES)) {
			job.count = i - job.first;
			r = add_job(p, &job);
			job.first = i;
			job.piece++;
			bytes = 0;
			items = 0;
		}
		bytes += size;
		items++;
	}
	job.count = end - job.first;
	return r == 0 && items ? add_job(p, &job) : r;
}

/*
 * Large files first, so that none is left over at the end. Then the first
 * pieces of all directories, the second ones, ...: two threads that make
 * names in one directory wait for one another.
 */
static int by_piece(const void *pa, const void *pb)
{
	const struct job *a = pa, *b = pb;

	if (a->piece != b->piece)
		return a->piece < b->piece ? -1 : 1;
	return (a->first > b->first) - (a->first < b->first);
}

static int make_plan(struct plan *p)
{
	const struct hxs_stage_run *run = p->run;
	struct hxs_node node;
	struct job top = { .run = p->run, .first = run->top, .count = 1 };
	size_t i, large;
	int r = 0;

	hxs_index_get(run->idx, run->top, &node);
	if (!S_ISDIR(node.mode))
		return is_large(&node) ? add_large(p, &node) : add_job(p, &top);
	for (i = 0; r == 0 && i < run->dir_count; i++) {
		hxs_index_get(run->idx, run->dirs[i], &node);
		r = plan_large(p, &node);
	}
	large = p->count;
	for (i = 0; r == 0 && i < run->dir_count; i++) {
		hxs_index_get(run->idx, run->dirs[i], &node);
		r = plan_items(p, &node);
	}
	if (p->count > large)
		qsort(p->jobs + large, p->count - large, sizeof(*p->jobs),
		      by_piece);
	return r;
}

static void run_job(struct plan *p, struct job *job)
{
	void (*fn)(void *arg) = job->large ? run_range : run_items;

	if (p->run->s->pool)
		hxs_pool_submit(p->run->s->pool, fn, job);
	else
		fn(job);
}

int hxs_stage_files(struct hxs_stage_run *run, struct hxs_err *err)
{
	struct plan p = { .run = run };
	size_t i;
	int r;

	r = make_plan(&p);
	for (i = 0; r == 0 && i < p.count; i++)
		run_job(&p, &p.jobs[i]);
	if (r == 0 && run->s->pool)
		hxs_pool_wait(run->s->pool);
	for (i = 0; i < p.large_count; i++)
		free_large(p.large[i]);
	free(p.large);
	free(p.jobs);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot plan what to restore");
	return hxs_capture_status(&run->cap, err);
}
