/*
 * Checking the databases of what was staged. A database's size is a multiple
 * of 512, the smallest page: most other files need not be opened for telling.
 */
#include "base/io.h"
#include "source/sqlite.h"
#include "source/stage_parts.h"

#include <errno.h>
#include <fcntl.h>

#define PAGE 512

struct job {
	struct hxs_stage_run *run;
	uint32_t entry;
};

struct list {
	struct job *jobs;
	size_t count, cap;
};

static void warn(struct hxs_stage_run *run, uint32_t entry, const char *why)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	hxs_capture_warn(&run->cap,
			 "'%s': SQLite could not check all of it: %s",
			 hxs_stage_show(run, entry, &shown), why);
}

/* Whether @name is a database that can be checked; or -errno. */
static int look(struct hxs_stage_run *run, uint32_t entry, int dir,
		const char *name)
{
	HXS_AUTO_CLOSE int fd = hxs_io_open_regular(dir, name, NULL);
	int r;

	if (fd < 0)
		return fd;
	r = hxs_sqlite_look(fd);
	if (r <= HXS_SQLITE_NONE)
		return r;
	if (run->s->trial)
		return 1;
	r = hxs_sqlite_needs_more(dir, name);
	if (r > 0)
		warn(run, entry, "changes that belong to it lie beside it");
	return r < 0 ? r : !r;
}

static int check(struct hxs_stage_run *run, uint32_t entry, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int dir = hxs_stage_open_parent(run, entry);
	struct hxs_node node;
	const char *name;
	char why[128];
	int r;

	hxs_index_get(run->idx, entry, &node);
	name = hxs_stage_name(run, &node);
	r = dir < 0 ? dir : look(run, entry, dir, name);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot check the copy of '%s'",
				     hxs_stage_show(run, entry, &shown));
	if (r == 0)
		return 0;
	r = run->s->trial ? hxs_sqlite_try(&run->cap, dir, name, why, err)
			  : hxs_sqlite_check(&run->cap, dir, name, why, err);
	if (r > 0)
		warn(run, entry, why);
	if (r == 0)
		__atomic_fetch_add(&run->s->databases, 1, __ATOMIC_RELAXED);
	return r < 0 ? hxs_err_prefix(err, r, "'%s'",
				      hxs_stage_show(run, entry, &shown))
		     : 0;
}

static void run_job(void *arg)
{
	const struct job *job = arg;
	struct hxs_err err = HXS_ERR_INIT;
	int r;

	if (!hxs_capture_goes_on(&job->run->cap))
		return;
	r = check(job->run, job->entry, &err);
	if (r < 0)
		hxs_stage_fail(job->run, r, NULL, &err);
}

static int add(struct list *l, struct hxs_stage_run *run, uint32_t entry)
{
	size_t cap = l->cap ? l->cap * 2 : 64;
	struct job *grown;
	struct hxs_node node;

	hxs_index_get(run->idx, entry, &node);
	if (!S_ISREG(node.mode) || node.size == 0 || node.size % PAGE != 0 ||
	    hxs_stage_is_twin(run, &node))
		return 0;
	if (l->count == l->cap) {
		grown = reallocarray(l->jobs, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		l->jobs = grown;
		l->cap = cap;
	}
	l->jobs[l->count++] = (struct job){ run, entry };
	return 0;
}

static int list_candidates(struct hxs_stage_run *run, struct list *l)
{
	struct hxs_node node;
	uint32_t n;
	size_t i;
	int r = 0;

	if (!run->dir_count)
		return add(l, run, run->top);
	for (i = 0; r == 0 && i < run->dir_count; i++) {
		hxs_index_get(run->idx, run->dirs[i], &node);
		for (n = 0; r == 0 && n < node.child_count; n++)
			r = add(l, run, node.first_child + n);
	}
	return r;
}

static int check_all(struct hxs_stage_run *run, struct hxs_err *err)
{
	struct hxs_pool *pool = run->s->pool;
	struct list l = { NULL, 0, 0 };
	size_t i;
	int r;

	if (run->dir_count) {
		run->top_fd = hxs_io_open_dir(run->dirfd, run->name);
		if (run->top_fd < 0)
			return hxs_err_errno(err, -run->top_fd,
					     "cannot open '%s'", run->name);
	}
	r = list_candidates(run, &l);
	for (i = 0; r == 0 && i < l.count; i++) {
		if (pool)
			hxs_pool_submit(pool, run_job, &l.jobs[i]);
		else
			run_job(&l.jobs[i]);
	}
	if (r == 0 && pool)
		hxs_pool_wait(pool);
	free(l.jobs);
	return r < 0 ? hxs_err_errno(err, -r, "cannot list the databases")
		     : hxs_capture_status(&run->cap, err);
}

int hxs_stage_check(struct hxs_stage *s, uint32_t entry, int dirfd,
		    const char *name, struct hxs_err *err)
{
	struct hxs_stage_run run;
	int r;

	r = hxs_stage_begin(&run, s, entry, dirfd, name, err);
	if (r == 0)
		r = check_all(&run, err);
	return hxs_stage_end(&run, r, err);
}
