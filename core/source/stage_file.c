/*
 * One file: its bytes, each block hashed before it is written, or shared with
 * the store and hashed where it is. Large files are filled by several threads
 * at once, since each block can be checked alone.
 */
#include "base/io.h"
#include "source/sqlite.h"
#include "source/stage_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PIECE (128u << 10) /* read, hashed and written at a time */
#define FLUSH (8u << 20) /* so much at a time is set on its way to disk */
/*
 * Up to this size a copy is cheaper than a clone, which has to be read anew
 * where the stored file may lie in the page cache.
 */
#define CLONE_FROM (256u << 10)

/* ---- opening ----------------------------------------------------------- */

/* What the store cannot read is as good as wrong. */
static int as_damage(int r, const struct hxs_fault *fault, struct hxs_err *err)
{
	if (r >= 0 || fault->kind != HXS_FAULT_READ)
		return r;
	if (err)
		err->code = -HXS_ECORRUPT;
	return -HXS_ECORRUPT;
}

static int create(struct hxs_stage_file *f, int dir, const char *name,
		  struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	int r = 0;

	/* Nobody else may open it before it has its own mode. */
	f->fd = openat(dir, name,
		       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC |
			       O_NOCTTY,
		       0600);
	if (f->fd < 0)
		r = -errno;
	if (r == 0 && f->node.number == f->run->top)
		r = hxs_stage_disown(f->fd);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot create the copy of '%s'",
				     hxs_stage_show(f->run, f->node.number,
						    &shown));
	return 0;
}

static int try_clone(struct hxs_stage_file *f, struct hxs_fault *fault,
		     struct hxs_err *err)
{
	bool never, *no_clone = &f->run->no_clone;
	int r;

	if (f->node.size < CLONE_FROM ||
	    __atomic_load_n(no_clone, __ATOMIC_RELAXED))
		return 0;
	r = hxs_content_clone(f->content, f->fd, &never, fault, err);
	if (r == 0 && never)
		__atomic_store_n(no_clone, true, __ATOMIC_RELAXED);
	f->cloned = r > 0;
	return r < 0 ? r : 0;
}

static int fail_write(struct hxs_stage_file *f, int r, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	return hxs_err_errno(err, -r, "cannot write the copy of '%s'",
			     hxs_stage_show(f->run, f->node.number, &shown));
}

int hxs_stage_file_open(struct hxs_stage_file *f, int dir, const char *name,
			struct hxs_fault *fault, struct hxs_err *err)
{
	int r;

	f->fd = -1;
	r = hxs_content_open_unproven(f->run->s->snap, f->node.number,
				      &f->content, fault, err);
	if (r < 0)
		return as_damage(r, fault, err);
	r = create(f, dir, name, err);
	if (r == 0)
		r = try_clone(f, fault, err);
	if (r < 0 || f->cloned)
		return as_damage(r, fault, err);
	f->holes = f->node.sparse || hxs_content_may_have_holes(f->content);
	if (f->holes && ftruncate(f->fd, (off_t)f->node.size) < 0)
		return fail_write(f, -errno, err);
	return 0;
}

/* ---- filling ----------------------------------------------------------- */

static bool is_zero(const char *data, size_t len)
{
	return len == 0 ||
	       (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/* The end of what from @off on is data (@hole: a hole) in the stored file. */
static uint64_t extent(struct hxs_stage_file *f, uint64_t off, uint64_t end,
		       bool hole)
{
	int64_t at = hxs_content_seek(f->content, off, !hole);

	if (at == -ENXIO)
		return hole ? end : off;
	if (at < 0) /* it cannot tell: data */
		return hole ? off : end;
	return (uint64_t)at < end ? (uint64_t)at : end;
}

/*
 * Write the @len bytes at @data, which were checked. Of a file with holes
 * those stay holes that are holes in the store too.
 */
static int write_piece(struct hxs_stage_file *f, const char *data, size_t len,
		       uint64_t off)
{
	uint64_t end = off + len, next;
	int r = 0;

	if (!f->holes)
		return hxs_io_pwrite_full(f->fd, data, len, off);
	while (r == 0 && off < end) {
		next = extent(f, off, end, true);
		if (next > off && is_zero(data, (size_t)(next - off))) {
			data += next - off;
			off = next;
			continue;
		}
		next = extent(f, off, end, false);
		if (next == off)
			next = end;
		r = hxs_io_pwrite_full(f->fd, data, (size_t)(next - off), off);
		data += next - off;
		off = next;
	}
	return r;
}

/* Go past a hole that the index knows; @end moves to the next one. */
static void skip_hole(struct hxs_stage_file *f, uint64_t *off, uint64_t *end)
{
	const struct hxs_index *idx = f->run->idx;
	int64_t at;

	if (!f->node.sparse)
		return;
	at = hxs_index_seek(idx, f->node.number, *off, false);
	if (at < 0 || (uint64_t)at >= *end) {
		*off = *end;
		return;
	}
	*off = (uint64_t)at;
	at = hxs_index_seek(idx, f->node.number, *off, true);
	if (at > 0 && (uint64_t)at < *end)
		*end = (uint64_t)at;
}

/* At @off: let the disk fetch what comes after what is worked at next. */
static void fetch(struct hxs_stage_file *f, uint64_t off, uint64_t end,
		  bool first)
{
	uint64_t len = first ? 2 * FLUSH : FLUSH;

	off += first ? 0 : FLUSH;
	if (off < end && end - off > PIECE)
		hxs_content_fetch(f->content, off,
				  end - off < len ? end - off : len);
}

/*
 * After so much that was written: see that making it durable finds less to
 * do, and that what comes next is fetched.
 */
static void flush(struct hxs_stage_file *f, uint64_t from, uint64_t off,
		  uint64_t end)
{
	(void)sync_file_range(f->fd, (off_t)from, (off_t)(off - from),
			      SYNC_FILE_RANGE_WRITE);
	fetch(f, off, end, false);
}

static int copy_data(struct hxs_stage_file *f, uint64_t off, uint64_t end,
		     struct hxs_scratch *scratch, struct hxs_fault *fault,
		     struct hxs_err *err)
{
	uint64_t flushed = off, until;
	const void *data;
	ssize_t n;
	int r;

	fetch(f, off, end, true);
	for (;;) {
		until = end;
		skip_hole(f, &off, &until);
		if (off == end)
			return 0;
		if (until - off > PIECE)
			until = off + PIECE;
		n = hxs_content_read(f->content, off, (size_t)(until - off),
				     scratch, &data, fault, err);
		if (n < 0)
			return as_damage((int)n, fault, err);
		r = write_piece(f, data, (size_t)n, off);
		if (r < 0)
			return fail_write(f, r, err);
		off += (uint64_t)n;
		if (off - flushed >= FLUSH) {
			flush(f, flushed, off, end);
			flushed = off;
		}
		if (off < end && !hxs_capture_goes_on(&f->run->cap))
			return hxs_err_set(err, ECANCELED, "cancelled");
	}
}

static int prove_clone(struct hxs_stage_file *f, uint64_t off, uint64_t end,
		       struct hxs_scratch *scratch, struct hxs_fault *fault,
		       struct hxs_err *err)
{
	uint64_t until;
	int r = 0;

	fetch(f, off, end, true);
	for (; r == 0 && off < end; off = until) {
		until = end - off < FLUSH ? end : off + FLUSH;
		r = hxs_content_prove(f->content, off >> HXS_BLOCK_SHIFT,
				      hxs_chain_blocks(until - off), scratch,
				      fault, err);
		if (r == 0 && until < end && !hxs_capture_goes_on(&f->run->cap))
			return hxs_err_set(err, ECANCELED, "cancelled");
		fetch(f, until, end, false);
	}
	return r;
}

/* ---- foreign snapshots ------------------------------------------------- */

/* Hashing a foreign file may take hours. */
static bool is_over(void *ctx)
{
	struct hxs_stage_file *f = ctx;

	return !hxs_capture_goes_on(&f->run->cap);
}

/* One piece of it: written before all of it is known to be right. */
static int take_piece(const void *data, size_t len, uint64_t off, void *ctx,
		      struct hxs_err *err)
{
	struct hxs_stage_file *f = ctx;
	int r = f->cloned ? 0 : write_piece(f, data, len, off);

	if (r < 0)
		return fail_write(f, r, err);
	off += len;
	if (off - f->told >= FLUSH) {
		if (f->cloned)
			fetch(f, off, f->node.size, false);
		else
			flush(f, f->told, off, f->node.size);
		hxs_capture_done(&f->run->cap, 0, off - f->told, false);
		f->told = off;
	}
	return 0;
}

/* Hash it while it is copied, or the clone. 0 if that was done before. */
static int pour(struct hxs_stage_file *f, struct hxs_fault *fault,
		struct hxs_err *err)
{
	const struct hxs_stop over = { is_over, f };
	const struct hxs_pour take = { take_piece, f };
	int r;

	fetch(f, 0, f->node.size, true);
	r = hxs_content_pour(f->content, &over, &take, fault, err);
	if (r == -ECANCELED)
		return hxs_err_set(err, ECANCELED, "cancelled");
	return as_damage(r, fault, err);
}

/* ---- either ------------------------------------------------------------ */

int hxs_stage_file_fill(struct hxs_stage_file *f, uint64_t off, uint64_t end,
			struct hxs_scratch *scratch, struct hxs_fault *fault,
			struct hxs_err *err)
{
	int r = 0;

	if (!hxs_content_is_proven(f->content))
		r = pour(f, fault, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return f->cloned ? prove_clone(f, off, end, scratch, fault, err)
			 : copy_data(f, off, end, scratch, fault, err);
}

/* ---- the end ----------------------------------------------------------- */

int hxs_stage_file_finish(struct hxs_stage_file *f, struct hxs_err *err)
{
	int r = 0;

	if (f->node.sqlite_wal)
		r = hxs_sqlite_enter_wal_mode(f->fd);
	if (r < 0)
		return fail_write(f, r, err);
	r = hxs_stage_set(f->run, &f->node, f->fd, err);
	if (r < 0)
		return r;
	/* Where close() tells of failed writes, it tells it only once. */
	if (close(HXS_STEAL_FD(f->fd)) < 0)
		return fail_write(f, -errno, err);
	return 0;
}

void hxs_stage_file_release(struct hxs_stage_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd); /* unfinished: the failure is known */
	f->fd = -1;
	hxs_content_close(f->content);
	f->content = NULL;
}

int hxs_stage_file(struct hxs_stage_run *run, const struct hxs_node *node,
		   int dir, struct hxs_scratch *scratch,
		   struct hxs_fault *fault, struct hxs_err *err)
{
	struct hxs_stage_file f = { .run = run, .node = *node };
	int r;

	r = hxs_stage_file_open(&f, dir, hxs_stage_name(run, node), fault, err);
	if (r == 0)
		r = hxs_stage_file_fill(&f, 0, node->size, scratch, fault, err);
	if (r == 0)
		r = hxs_stage_file_finish(&f, err);
	hxs_stage_file_release(&f);
	if (r == 0)
		hxs_capture_done(&run->cap, 1, node->size - f.told, false);
	return r;
}

int hxs_stage_link(struct hxs_stage_run *run, const struct hxs_node *node,
		   int dir, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	const char *name = hxs_stage_name(run, node);

	if (symlinkat(node->target, dir, name) < 0)
		return hxs_err_errno(err, errno,
				     "cannot create the copy of '%s'",
				     hxs_stage_show(run, node->number, &shown));
	return hxs_stage_set_link(run, node, dir, name, err);
}
