/*
 * Reading and checking all of one snapshot.
 *
 * Workers take pieces of work from one place: the next few small files, or
 * the next range of a large one. A large file is checked by all of them at
 * once, because each block can be checked alone; a foreign file has no chain
 * yet and is hashed whole by whoever opens it.
 */
#include "verbs/verify.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/path.h"
#include "base/pool.h"
#include "store/result.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define RANGE_BLOCKS 512u /* of a large file, taken at once: 32 MiB */
#define FILES_AT_ONCE 32u /* small ones, taken at once */

/* A large file whose ranges are handed out one by one. */
struct large_file {
	struct large_file *next;
	struct hxs_content *content;
	uint64_t next_block, blocks;
	unsigned users; /* workers that check a range of it */
};

struct run {
	struct hxs_snapshot *snap;
	const struct hxs_verify_opts *opts;
	struct hxs_verify_report *report;
	pthread_mutex_t lock; /* guards all below, and the callbacks */
	int64_t next; /* the next entry to look at, -1 at the end */
	struct large_file *large; /* those with ranges left to hand out */
	unsigned opening; /* workers that are about to add one */
	pthread_cond_t opened;
	struct hxs_progress progress;
	int status;
	struct hxs_err *err;
};

static void report_fault(struct run *run, const struct hxs_fault *fault,
			 const char *path)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	if (!run->report->faults++) {
		(void)hxs_path_show(&shown, path, strlen(path));
		(void)snprintf(run->report->first_fault,
			       sizeof(run->report->first_fault), "%s%s%s",
			       hxs_buf_str(&shown), *path ? ": " : "",
			       fault->reason);
	}
	if (run->opts->fault)
		run->opts->fault(fault, path, run->opts->fault_ctx);
}

static void lock_and_report(const struct hxs_fault *fault, void *ctx)
{
	struct run *run = ctx;
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	(void)hxs_index_path(hxs_snapshot_index(run->snap), fault->entry,
			     &path);
	(void)pthread_mutex_lock(&run->lock);
	report_fault(run, fault, hxs_buf_str(&path));
	(void)pthread_mutex_unlock(&run->lock);
}

/* Ends the run: checking itself failed. */
static void stop(struct run *run, int r, const struct hxs_err *err)
{
	(void)pthread_mutex_lock(&run->lock);
	if (run->status == 0) {
		run->status = r;
		if (run->err && err)
			*run->err = *err;
	}
	(void)pthread_mutex_unlock(&run->lock);
}

static bool is_cancelled(struct run *run)
{
	const struct hxs_listener *l = run->opts->listener;

	return l && l->cancelled && l->cancelled(l->ctx);
}

static void add_progress(struct run *run, uint64_t files, uint64_t bytes)
{
	const struct hxs_listener *l = run->opts->listener;

	(void)pthread_mutex_lock(&run->lock);
	run->progress.files += files;
	run->progress.bytes += bytes;
	if (l && l->progress)
		l->progress(&run->progress, l->ctx);
	(void)pthread_mutex_unlock(&run->lock);
}

static void fault_of(struct run *run, uint32_t entry, enum hxs_fault_kind kind,
		     const char *reason)
{
	struct hxs_fault fault = { .kind = kind, .entry = entry };

	(void)snprintf(fault.reason, sizeof(fault.reason), "%s", reason);
	lock_and_report(&fault, run);
}

/* A link must lead where the index says, a directory must be one. */
static void check_other(struct run *run, const struct hxs_node *node)
{
	struct hxs_index *idx = hxs_snapshot_index(run->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	uint32_t dir = S_ISDIR(node->mode) ? node->number : node->parent;
	char target[4097];
	ssize_t n;

	if (hxs_index_path(idx, dir, &path) < 0) {
		stop(run, -ENOMEM, NULL);
		return;
	}
	fd = hxs_io_open_dir(hxs_snapshot_fd(run->snap), hxs_buf_str(&path));
	if (S_ISDIR(node->mode)) {
		if (fd == -ENOENT)
			fault_of(run, node->number, HXS_FAULT_MISSING,
				 "the directory is missing from the store");
		else if (fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV)
			fault_of(run, node->number, HXS_FAULT_TYPE,
				 "something else took the directory's place");
		else if (fd < 0)
			fault_of(run, node->number, HXS_FAULT_READ,
				 "the directory cannot be opened");
		return;
	}
	if (fd < 0)
		return; /* its directory was reported */
	n = readlinkat(fd, node->name, target, sizeof(target));
	if (n < 0 && errno == ENOENT)
		fault_of(run, node->number, HXS_FAULT_MISSING,
			 "the link is missing from the store");
	else if (n < 0)
		fault_of(run, node->number, HXS_FAULT_TYPE,
			 "something else took the link's place");
	else if ((uint64_t)n != node->size ||
		 memcmp(target, node->target, (size_t)n) != 0)
		fault_of(run, node->number, HXS_FAULT_TARGET,
			 "the link in the store leads elsewhere");
}

static struct hxs_content *open_content(struct run *run, uint32_t entry)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_content *content;
	struct hxs_fault fault;
	int r;

	r = hxs_content_open(run->snap, entry, &content, &fault, &err);
	if (r == 0)
		return content;
	if (fault.kind == HXS_FAULT_NONE && (r == -ENOMEM || r == -EMFILE)) {
		stop(run, r, &err);
		return NULL;
	}
	if (fault.kind == HXS_FAULT_NONE) {
		fault.kind = HXS_FAULT_READ;
		fault.entry = entry;
		(void)snprintf(fault.reason, sizeof(fault.reason),
			       "it cannot be opened: %s", strerror(-r));
	}
	lock_and_report(&fault, run);
	return NULL;
}

static void check_blocks(struct run *run, struct hxs_content *content,
			 uint64_t first, uint64_t count,
			 struct hxs_scratch *scratch)
{
	struct hxs_err err = HXS_ERR_INIT;
	int64_t r = hxs_content_check(content, first, count, scratch,
				      lock_and_report, run);

	if (r < 0) {
		(void)hxs_err_errno(&err, (int)-r, "cannot check '%s'",
				    hxs_snapshot_name(run->snap));
		stop(run, (int)r, &err);
	}
}

static bool is_large(const struct run *run, const struct hxs_node *node)
{
	return S_ISREG(node->mode) && !hxs_snapshot_is_foreign(run->snap) &&
	       hxs_chain_blocks(node->size) > RANGE_BLOCKS;
}

/* Open a large file for everybody to check. */
static void add_large(struct run *run, uint32_t entry)
{
	HXS_AUTO(content)
	struct hxs_content *content = open_content(run, entry);
	struct large_file *f = content ? calloc(1, sizeof(*f)) : NULL;

	if (content && !f)
		stop(run, -ENOMEM, NULL);
	(void)pthread_mutex_lock(&run->lock);
	if (f) {
		f->blocks = hxs_chain_blocks(hxs_content_size(content));
		f->content = HXS_STEAL(content);
		f->next = run->large;
		run->large = f;
	}
	run->opening--;
	(void)pthread_cond_broadcast(&run->opened);
	(void)pthread_mutex_unlock(&run->lock);
	if (!f)
		add_progress(run, 1, 0);
}

static void check_range(struct run *run, struct large_file *f, uint64_t first,
			uint64_t count, struct hxs_scratch *scratch)
{
	bool last;

	check_blocks(run, f->content, first, count, scratch);
	(void)pthread_mutex_lock(&run->lock);
	last = --f->users == 0 && f->next_block == f->blocks;
	(void)pthread_mutex_unlock(&run->lock);
	add_progress(run, last, count << HXS_BLOCK_SHIFT);
	if (!last)
		return;
	hxs_content_close(f->content);
	free(f);
}

static void check_entry(struct run *run, uint32_t entry,
			struct hxs_scratch *scratch)
{
	HXS_AUTO(content) struct hxs_content *content = NULL;
	struct hxs_node node;

	hxs_index_get(hxs_snapshot_index(run->snap), entry, &node);
	if (!S_ISREG(node.mode)) {
		check_other(run, &node);
		return;
	}
	content = open_content(run, entry);
	/* A foreign file has been hashed whole by opening it. */
	if (content && !hxs_snapshot_is_foreign(run->snap))
		check_blocks(run, content, 0, UINT64_MAX, scratch);
	add_progress(run, 1, node.size);
}

/* What a worker does next: a range of a large file, or some entries. */
struct piece {
	struct large_file *large;
	uint64_t first, count;
	uint32_t entries[FILES_AT_ONCE];
	unsigned entry_count;
	bool opens_large; /* the one entry is to be opened for everybody */
};

static void take_range(struct run *run, struct piece *piece)
{
	struct large_file *f = run->large;

	piece->large = f;
	piece->first = f->next_block;
	piece->count = f->blocks - f->next_block;
	if (piece->count > RANGE_BLOCKS)
		piece->count = RANGE_BLOCKS;
	f->next_block += piece->count;
	f->users++;
	if (f->next_block == f->blocks)
		run->large = f->next;
}

static void take_entries(struct run *run, struct piece *piece)
{
	struct hxs_index *idx = hxs_snapshot_index(run->snap);
	struct hxs_node node;

	while (run->next > 0 && piece->entry_count < FILES_AT_ONCE) {
		hxs_index_get(idx, (uint32_t)run->next, &node);
		piece->opens_large = is_large(run, &node);
		if (piece->opens_large && piece->entry_count) {
			piece->opens_large = false;
			return; /* it comes next, alone */
		}
		run->next = hxs_index_next(idx, node.number, 0);
		piece->entries[piece->entry_count++] = node.number;
		if (piece->opens_large) {
			run->opening++;
			return;
		}
		if (node.size > HXS_BLOCK_SIZE)
			return;
	}
}

/* False when nothing is left, or the run was stopped. */
static bool take(struct run *run, struct piece *piece)
{
	bool more;

	piece->large = NULL;
	piece->entry_count = 0;
	piece->opens_large = false;
	(void)pthread_mutex_lock(&run->lock);
	while (run->status == 0 && !run->large && run->next <= 0 &&
	       run->opening)
		(void)pthread_cond_wait(&run->opened, &run->lock);
	if (run->status == 0 && run->large)
		take_range(run, piece);
	else if (run->status == 0)
		take_entries(run, piece);
	more = piece->large || piece->entry_count;
	(void)pthread_mutex_unlock(&run->lock);
	return more;
}

static void work(void *arg)
{
	struct run *run = arg;
	struct hxs_scratch scratch = { 0 };
	struct piece piece;
	unsigned i;

	while (take(run, &piece)) {
		if (is_cancelled(run))
			stop(run, -ECANCELED, NULL);
		if (piece.large)
			check_range(run, piece.large, piece.first, piece.count,
				    &scratch);
		else if (piece.opens_large)
			add_large(run, piece.entries[0]);
		else
			for (i = 0; i < piece.entry_count; i++)
				check_entry(run, piece.entries[i], &scratch);
	}
	hxs_scratch_release(&scratch);
}

static void report_extra(const char *path, void *ctx)
{
	struct hxs_fault fault = { .kind = HXS_FAULT_EXTRA };

	(void)snprintf(fault.reason, sizeof(fault.reason),
		       "the manifest does not list it");
	report_fault(ctx, &fault, path);
}

/* Totals beforehand, so that progress has an end. */
static void count_work(struct run *run)
{
	struct hxs_index *idx = hxs_snapshot_index(run->snap);
	uint32_t n, count = hxs_index_count(idx);
	struct hxs_node node;

	run->progress.phase = "verifying";
	for (n = 0; n < count; n++) {
		hxs_index_get(idx, n, &node);
		if (!S_ISREG(node.mode))
			continue;
		run->progress.files_total++;
		run->progress.bytes_total += node.size;
	}
}

/* Files that a stopped run left open. */
static void close_large(struct run *run)
{
	struct large_file *f;

	while ((f = run->large)) {
		run->large = f->next;
		hxs_content_close(f->content);
		free(f);
	}
}

static int check_all(struct run *run)
{
	HXS_AUTO(pool) struct hxs_pool *pool = NULL;
	unsigned threads = run->opts->threads, i;
	int64_t extras;
	int r;

	if (!threads)
		threads = hxs_pool_processors();
	r = hxs_pool_new(threads, threads, &pool);
	if (r < 0)
		return hxs_err_errno(run->err, -r, "cannot start threads");
	for (i = 0; i < threads; i++)
		hxs_pool_submit(pool, work, run);
	hxs_pool_wait(pool);
	close_large(run);
	if (run->status < 0)
		return run->status;
	extras = hxs_snapshot_extras(run->snap, report_extra, run);
	if (extras < 0)
		return hxs_err_errno(run->err, (int)-extras,
				     "cannot list the snapshot's directories");
	return 0;
}

static void warn(const struct hxs_verify_opts *opts, const char *text)
{
	const struct hxs_listener *l = opts->listener;

	if (l && l->warning)
		l->warning(text, l->ctx);
}

static void save_result(struct hxs_store *s, enum hxs_kind kind,
			const char *env, const char *id,
			const struct hxs_digest *manifest,
			const struct hxs_verify_opts *opts,
			const struct hxs_verify_report *report)
{
	struct hxs_result result = {
		.passed = report->faults == 0,
		.files = report->files,
		.bytes = report->bytes,
		.faults = report->faults,
	};
	struct hxs_err err = HXS_ERR_INIT;
	struct timespec now;

	if (!opts->save)
		return;
	hxs_clock_now(&now);
	result.when = now.tv_sec;
	if (manifest)
		result.manifest = *manifest;
	(void)snprintf(result.first_fault, sizeof(result.first_fault), "%s",
		       report->first_fault);
	if (hxs_result_save(s, kind, env, id, &result, &err) < 0)
		warn(opts, err.message);
}

/* The snapshot itself is damaged: that is the one fault there is. */
static void report_snapshot(struct run *run, const struct hxs_err *why)
{
	struct hxs_fault fault = { .kind = HXS_FAULT_SNAPSHOT };

	(void)snprintf(fault.reason, sizeof(fault.reason), "%.255s",
		       why->message);
	report_fault(run, &fault, "");
}

static int verify_open(struct run *run, const char *name)
{
	struct hxs_verify_report *out = run->report;
	int r;

	/* Whoever removes snapshots leaves a locked one alone. */
	if (flock(hxs_snapshot_fd(run->snap), LOCK_SH | LOCK_NB) < 0)
		return hxs_err_set(run->err, HXS_EBUSY,
				   "snapshot '%s' is being removed", name);
	out->foreign = hxs_snapshot_is_foreign(run->snap);
	run->next = hxs_index_next(hxs_snapshot_index(run->snap), 0, 0);
	count_work(run);
	r = check_all(run);
	out->files = run->progress.files;
	out->bytes = run->progress.bytes;
	if (r == -ECANCELED)
		return hxs_err_errno(run->err, ECANCELED,
				     "verifying '%s' ended early", name);
	if (r < 0 && run->err && !run->err->code)
		return hxs_err_errno(run->err, -r, "cannot verify '%s'", name);
	return r;
}

int hxs_verify(struct hxs_store *s, enum hxs_kind kind, const char *env,
	       const char *id, const struct hxs_verify_opts *opts,
	       struct hxs_verify_report *out, struct hxs_err *err)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	struct run run = { .opts = opts, .report = out, .err = err };
	double start = hxs_clock_ticks();
	char name[HXS_REF_TEXT];
	int r;

	memset(out, 0, sizeof(*out));
	hxs_ref_format(kind, env, id, name);
	(void)pthread_mutex_init(&run.lock, NULL); /* cannot fail on Linux */
	(void)pthread_cond_init(&run.opened, NULL);
	r = hxs_snapshot_open(s, kind, env, id, &snap, &why);
	if (r == 0) {
		run.snap = snap;
		r = verify_open(&run, name);
	} else if (r == -HXS_ECORRUPT) {
		report_snapshot(&run, &why);
		r = 0;
	} else if (err) {
		*err = why;
	}
	(void)pthread_mutex_destroy(&run.lock);
	(void)pthread_cond_destroy(&run.opened);
	out->seconds = hxs_clock_ticks() - start;
	if (r < 0)
		return r;
	save_result(s, kind, env, id,
		    snap ? hxs_snapshot_manifest_digest(snap) : NULL, opts,
		    out);
	if (out->faults)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "snapshot '%s' is damaged: %" PRIu64
				   " fault%s, the first: %s",
				   name, out->faults,
				   out->faults == 1 ? "" : "s",
				   out->first_fault);
	return 0;
}
