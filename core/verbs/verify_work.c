/*
 * Checking one snapshot's entries with several workers.
 *
 * Workers take pieces of work from one place: the next few small files, or
 * the next range of a large one. A large file is checked by all of them at
 * once, because each block can be checked alone; a foreign file has no chain
 * yet and is hashed whole by whoever opens it.
 */
#include "verbs/verify_work.h"

#include "base/io.h"
#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RANGE_BLOCKS 512u /* of a large file, taken at once: 32 MiB */
#define FILES_AT_ONCE 32u /* small ones, taken at once */

/* A large file whose ranges are handed out one by one. */
struct hxs_verify_large {
	struct hxs_verify_large *next;
	struct hxs_content *content;
	uint64_t next_block, blocks;
	unsigned users; /* workers that check a range of it */
};

void hxs_verify_report_fault(struct hxs_verify_run *run,
			     const struct hxs_fault *fault, const char *path)
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
	struct hxs_verify_run *run = ctx;
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	(void)hxs_index_path(hxs_snapshot_index(run->snap), fault->entry,
			     &path);
	(void)pthread_mutex_lock(&run->lock);
	hxs_verify_report_fault(run, fault, hxs_buf_str(&path));
	(void)pthread_mutex_unlock(&run->lock);
}

/* Ends the run: checking itself failed. */
static void stop(struct hxs_verify_run *run, int r, const struct hxs_err *err)
{
	(void)pthread_mutex_lock(&run->lock);
	if (run->status == 0) {
		run->status = r;
		if (run->err && err)
			*run->err = *err;
	}
	(void)pthread_mutex_unlock(&run->lock);
}

static bool is_cancelled(struct hxs_verify_run *run)
{
	const struct hxs_listener *l = run->opts->listener;

	return l && l->cancelled && l->cancelled(l->ctx);
}

static void add_progress(struct hxs_verify_run *run, uint64_t files,
			 uint64_t bytes)
{
	const struct hxs_listener *l = run->opts->listener;

	(void)pthread_mutex_lock(&run->lock);
	run->progress.files += files;
	run->progress.bytes += bytes;
	if (l && l->progress)
		l->progress(&run->progress, l->ctx);
	(void)pthread_mutex_unlock(&run->lock);
}

static void fault_of(struct hxs_verify_run *run, uint32_t entry,
		     enum hxs_fault_kind kind, const char *reason)
{
	struct hxs_fault fault = { .kind = kind, .entry = entry };

	(void)snprintf(fault.reason, sizeof(fault.reason), "%s", reason);
	lock_and_report(&fault, run);
}

static void stop_open(struct hxs_verify_run *run, const struct hxs_buf *path,
		      int r)
{
	struct hxs_err err = HXS_ERR_INIT;

	(void)hxs_err_errno(&err, -r, "cannot open '%s/%s'",
			    hxs_snapshot_name(run->snap), hxs_buf_str(path));
	stop(run, r, &err);
}

/* Whether the directory that @node lies in is not there either, or is none. */
static bool is_gone_above(struct hxs_verify_run *run,
			  const struct hxs_node *node)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;

	if (hxs_index_path(hxs_snapshot_index(run->snap), node->parent, &path) <
	    0)
		return false;
	fd = hxs_io_open_dir(hxs_snapshot_fd(run->snap), hxs_buf_str(&path));
	return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV;
}

static void check_dir(struct hxs_verify_run *run, const struct hxs_node *node,
		      const struct hxs_buf *path, int fd)
{
	bool missing = fd == -ENOENT;

	if (fd >= 0)
		return;
	if (missing || fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV) {
		/* The uppermost is named, and every file that is listed. */
		if (!is_gone_above(run, node))
			fault_of(run, node->number,
				 missing ? HXS_FAULT_MISSING : HXS_FAULT_TYPE,
				 missing ? "the directory is missing from the "
					   "store"
					 : "something else took the "
					   "directory's place");
	} else if (hxs_verify_is_ours(fd)) {
		stop_open(run, path, fd);
	} else {
		fault_of(run, node->number, HXS_FAULT_READ,
			 "the directory cannot be opened");
	}
}

/* A link must lead where the index says, a directory must be one. */
static void check_other(struct hxs_verify_run *run, const struct hxs_node *node)
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
		check_dir(run, node, &path, fd);
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

bool hxs_verify_is_ours(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EAGAIN ||
	       r == -EACCES || r == -EPERM;
}

/* Whether hashing a foreign file, which may take hours, has become useless. */
static bool is_over(void *ctx)
{
	struct hxs_verify_run *run = ctx;
	bool stopped;

	(void)pthread_mutex_lock(&run->lock);
	stopped = run->status != 0;
	(void)pthread_mutex_unlock(&run->lock);
	return stopped || is_cancelled(run);
}

static struct hxs_content *open_content(struct hxs_verify_run *run,
					uint32_t entry)
{
	const struct hxs_stop over = { is_over, run };
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_content *content;
	struct hxs_fault fault;
	int r;

	r = hxs_content_open_until(run->snap, entry, &over, &content, &fault,
				   &err);
	if (r == 0)
		return content;
	if (r == -ECANCELED) {
		stop(run, r, NULL);
		return NULL;
	}
	if (fault.kind == HXS_FAULT_NONE && hxs_verify_is_ours(r)) {
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

static void check_blocks(struct hxs_verify_run *run,
			 struct hxs_content *content, uint64_t first,
			 uint64_t count, struct hxs_scratch *scratch)
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

static bool is_large(const struct hxs_verify_run *run,
		     const struct hxs_node *node)
{
	return S_ISREG(node->mode) && !hxs_snapshot_is_foreign(run->snap) &&
	       hxs_chain_blocks(node->size) > RANGE_BLOCKS;
}

/* Open a large file for everybody to check. */
static void add_large(struct hxs_verify_run *run, uint32_t entry)
{
	HXS_AUTO(content)
	struct hxs_content *content = open_content(run, entry);
	struct hxs_verify_large *f = content ? calloc(1, sizeof(*f)) : NULL;

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

static void check_range(struct hxs_verify_run *run, struct hxs_verify_large *f,
			uint64_t first, uint64_t count,
			struct hxs_scratch *scratch)
{
	uint64_t at = first << HXS_BLOCK_SHIFT, bytes;
	bool last;

	check_blocks(run, f->content, first, count, scratch);
	bytes = hxs_content_size(f->content) - at;
	if (bytes > count << HXS_BLOCK_SHIFT)
		bytes = count << HXS_BLOCK_SHIFT;
	(void)pthread_mutex_lock(&run->lock);
	last = --f->users == 0 && f->next_block == f->blocks;
	(void)pthread_mutex_unlock(&run->lock);
	add_progress(run, last, bytes);
	if (!last)
		return;
	hxs_content_close(f->content);
	free(f);
}

static void check_entry(struct hxs_verify_run *run, uint32_t entry,
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
	add_progress(run, 1, content ? node.size : 0);
}

/* What a worker does next: a range of a large file, or some entries. */
struct piece {
	struct hxs_verify_large *large;
	uint64_t first, count;
	uint32_t entries[FILES_AT_ONCE];
	unsigned entry_count;
	bool opens_large; /* the one entry is to be opened for everybody */
};

static void take_range(struct hxs_verify_run *run, struct piece *piece)
{
	struct hxs_verify_large *f = run->large;

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

static void take_entries(struct hxs_verify_run *run, struct piece *piece)
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
static bool take(struct hxs_verify_run *run, struct piece *piece)
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

void hxs_verify_work(void *arg)
{
	struct hxs_verify_run *run = arg;
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

/* Files that a stopped run left open. */
void hxs_verify_close_large(struct hxs_verify_run *run)
{
	struct hxs_verify_large *f;

	while ((f = run->large)) {
		run->large = f->next;
		hxs_content_close(f->content);
		free(f);
	}
}
