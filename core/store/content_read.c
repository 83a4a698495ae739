/*
 * What comes out of the door to stored bytes, and what is found of it.
 *
 * Every read covers whole blocks: they are read into the caller's scratch,
 * hashed there, and handed over from there. What the file system holds by the
 * time the reader looks at it does not matter any more.
 */
#include "store/content.h"

#include "base/io.h"
#include "store/snapshot_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHECK_BLOCKS 16u /* read at once when checking */
#define AHEAD_BYTES (2 << 20)

static int scratch_reserve(struct hxs_scratch *s, size_t len)
{
	void *mem;

	if (len <= s->cap)
		return 0;
	/* The old bytes are of no use: no realloc, which would copy them. */
	mem = aligned_alloc(4096, (len + 4095) & ~(size_t)4095);
	if (!mem)
		return -ENOMEM;
	free(s->mem);
	s->mem = mem;
	s->cap = len;
	return 0;
}

/* Note that block @check is not what it should be. */
static void note_block(struct hxs_fault *fault, uint32_t entry,
		       const struct hxs_block_check *check, const char *reason)
{
	fault->kind = HXS_FAULT_BLOCK;
	fault->entry = entry;
	fault->offset = check->offset;
	fault->len = check->len;
	fault->expected = *check->after;
	(void)snprintf(fault->reason, sizeof(fault->reason),
		       "%s at byte %" PRIu64, reason, check->offset);
}

/*
 * Read the run of data blocks that starts at @block, at most @count, into
 * @mem: the number of blocks read, 0 for a hole.
 */
static ssize_t read_run(struct hxs_content *c, uint64_t block, uint64_t count,
			uint8_t *mem, size_t *got)
{
	struct hxs_block_check check;
	uint64_t n = 0, len = 0;
	ssize_t r;

	while (n < count && hxs_chain_check(&c->chain, block + n, &check) > 0) {
		len += check.len;
		n++;
	}
	*got = 0;
	if (!n)
		return 0;
	r = hxs_io_pread_full(c->fd, mem, len, block << HXS_BLOCK_SHIFT);
	if (r < 0)
		return r;
	*got = (size_t)r;
	return (ssize_t)n;
}

/* Some blocks that lie at @mem, and what was found of the last one or two. */
struct run {
	struct hxs_content *c;
	uint64_t block, left; /* the next, and how many there are */
	const uint8_t *mem;
	size_t got; /* so many bytes could be read */
	struct hxs_fault fault[2]; /* of kind NONE: it is right */
	unsigned checked, told; /* of these */
};

/* Check the next block, or two at once, and go past. */
static void check_next(struct run *run)
{
	unsigned i,
		n = run->left >= 2 && run->got >= 2 * HXS_BLOCK_SIZE ? 2 : 1;
	const void *data[2] = { run->mem, run->mem + HXS_BLOCK_SIZE };
	struct hxs_block_check check[2];
	struct hxs_digest found[2];
	bool right[2] = { false, false }, short_of;

	memset(run->fault, 0, sizeof(run->fault));
	memset(found, 0, sizeof(found));
	for (i = 0; i < n; i++) /* it is data */
		(void)hxs_chain_check(&run->c->chain, run->block + i,
				      &check[i]);
	short_of = n == 1 && run->got < check[0].len;
	if (n == 2)
		hxs_digest_blocks_match(check, data, found, right);
	else if (!short_of)
		right[0] = hxs_digest_block_matches(check, data[0], found);
	for (i = 0; i < n; i++) {
		if (right[i])
			continue;
		run->fault[i].found = found[i];
		note_block(&run->fault[i], run->c->entry, &check[i],
			   short_of ? "the file was cut short"
				    : "wrong bytes in the block");
	}
	run->block += n;
	run->left -= n;
	run->mem += (size_t)n * HXS_BLOCK_SIZE;
	run->got -= run->got < (size_t)n * HXS_BLOCK_SIZE
			    ? run->got
			    : (size_t)n * HXS_BLOCK_SIZE;
	run->checked = n;
	run->told = 0;
}

/* The next fault, or NULL when all blocks were looked at. */
static const struct hxs_fault *next_fault(struct run *run)
{
	const struct hxs_fault *f;

	for (;;) {
		while (run->told < run->checked) {
			f = &run->fault[run->told++];
			if (f->kind != HXS_FAULT_NONE)
				return f;
		}
		if (run->left == 0)
			return NULL;
		check_next(run);
	}
}

static int fail_read(struct hxs_content *c, int e, uint64_t block,
		     struct hxs_fault *fault, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	fault->kind = HXS_FAULT_READ;
	fault->entry = c->entry;
	fault->offset = block << HXS_BLOCK_SHIFT;
	(void)snprintf(fault->reason, sizeof(fault->reason),
		       "the store cannot read it at byte %" PRIu64,
		       fault->offset);
	(void)hxs_index_path(c->snap->idx, c->entry, &path);
	return hxs_err_errno(err, e, "cannot read '%s/%s' at byte %" PRIu64,
			     hxs_snapshot_name(c->snap), hxs_buf_str(&path),
			     fault->offset);
}

/* Check the @count data blocks from @block that lie at @mem. */
static int prove_run(struct hxs_content *c, uint64_t block, uint64_t count,
		     const uint8_t *mem, size_t got, struct hxs_fault *fault,
		     struct hxs_err *err)
{
	struct run run = { c, block, count, mem, got, { { 0 } }, 0, 0 };
	const struct hxs_fault *f = next_fault(&run);

	if (!f)
		return 0;
	*fault = *f;
	return hxs_content_fail(c->snap, fault, err);
}

/* Fill @mem with blocks [@first, @end), each checked. */
static int read_blocks(struct hxs_content *c, uint64_t first, uint64_t end,
		       uint8_t *mem, struct hxs_fault *fault,
		       struct hxs_err *err)
{
	uint64_t block = first;
	uint8_t *at = mem;
	ssize_t run;
	size_t got;
	int r;

	while (block < end) {
		at = mem + ((block - first) << HXS_BLOCK_SHIFT);
		run = read_run(c, block, end - block, at, &got);
		if (run < 0)
			return fail_read(c, (int)-run, block, fault, err);
		if (run == 0) {
			memset(at, 0, HXS_BLOCK_SIZE);
			block++;
			continue;
		}
		r = prove_run(c, block, (uint64_t)run, at, got, fault, err);
		if (r < 0)
			return r;
		block += (uint64_t)run;
	}
	return 0;
}

/*
 * While these blocks are hashed let the disk fetch the next, from @end on, if
 * reads come in order, or nearly so: several are under way at once.
 */
static void fetch_next(struct hxs_content *c, uint64_t off, size_t len,
		       uint64_t end)
{
	uint64_t before =
		atomic_exchange_explicit(&c->last, off, memory_order_relaxed);

	if (len >= HXS_BLOCK_SIZE && end < c->size && off > before &&
	    off - before <= AHEAD_BYTES)
		(void)posix_fadvise(c->fd, (off_t)end, AHEAD_BYTES,
				    POSIX_FADV_WILLNEED); /* only advice */
}

ssize_t hxs_content_read(struct hxs_content *c, uint64_t off, size_t len,
			 struct hxs_scratch *scratch, const void **out,
			 struct hxs_fault *fault, struct hxs_err *err)
{
	uint64_t first, end;
	int r;

	memset(fault, 0, sizeof(*fault));
	if (off >= c->size || !len) {
		*out = "";
		return 0;
	}
	if (len > c->size - off)
		len = (size_t)(c->size - off);
	if (c->mem) {
		*out = c->mem + off;
		return (ssize_t)len;
	}
	first = off >> HXS_BLOCK_SHIFT;
	end = (off + len - 1) / HXS_BLOCK_SIZE + 1;
	r = scratch_reserve(scratch, (end - first) << HXS_BLOCK_SHIFT);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot read");
	fetch_next(c, off, len, end << HXS_BLOCK_SHIFT);
	r = read_blocks(c, first, end, scratch->mem, fault, err);
	if (r < 0)
		return r;
	*out = (uint8_t *)scratch->mem + (off - (first << HXS_BLOCK_SHIFT));
	return (ssize_t)len;
}

/*
 * Hole block @block must read as zeros. The file system vouches for what it
 * reports as a hole; anything else is read. Returns the next block to look at.
 */
static int64_t check_hole(struct hxs_content *c, uint64_t block, uint64_t end,
			  uint8_t *mem, struct hxs_fault *fault)
{
	uint64_t off = block << HXS_BLOCK_SHIFT, next, i;
	off_t data = lseek(c->fd, (off_t)off, SEEK_DATA);
	ssize_t n;

	if (data < 0 && errno == ENXIO)
		data = (off_t)c->size + HXS_BLOCK_SIZE;
	next = data < 0 ? block : (uint64_t)data >> HXS_BLOCK_SHIFT;
	if (next > block) {
		/* Only as far as the index says hole. */
		int64_t known = hxs_chain_seek(&c->chain, off, false);

		if (known >= 0 && (uint64_t)known >> HXS_BLOCK_SHIFT < next)
			next = (uint64_t)known >> HXS_BLOCK_SHIFT;
		return (int64_t)(next < end ? next : end);
	}
	n = hxs_io_pread_full(c->fd, mem, HXS_BLOCK_SIZE, off);
	if (n < 0)
		return n;
	for (i = 0; i < (uint64_t)n; i++) {
		if (!mem[i])
			continue;
		memset(fault, 0, sizeof(*fault));
		fault->kind = HXS_FAULT_BLOCK;
		fault->entry = c->entry;
		fault->offset = off;
		fault->len = (uint64_t)n;
		(void)snprintf(fault->reason, sizeof(fault->reason),
			       "a hole is not zero at byte %" PRIu64, off + i);
		break;
	}
	return (int64_t)block + 1;
}

/* The same for all of them, each fault through @fn: how many. */
static int64_t check_run(struct hxs_content *c, uint64_t block, uint64_t count,
			 const uint8_t *mem, size_t got,
			 hxs_content_fault_fn fn, void *ctx)
{
	struct run run = { c, block, count, mem, got, { { 0 } }, 0, 0 };
	const struct hxs_fault *f;
	int64_t faults = 0;

	while ((f = next_fault(&run)) != NULL) {
		fn(f, ctx);
		faults++;
	}
	return faults;
}

int64_t hxs_content_check(struct hxs_content *c, uint64_t first, uint64_t count,
			  struct hxs_scratch *scratch, hxs_content_fault_fn fn,
			  void *ctx)
{
	uint64_t block = first, end = hxs_chain_blocks(c->size);
	uint64_t batch = CHECK_BLOCKS;
	struct hxs_fault fault;
	int64_t faults = 0, next;
	ssize_t run;
	size_t got;
	int r;

	if (c->mem || first >= end)
		return 0; /* the former was proven with the snapshot */
	if (count < end - first)
		end = first + count;
	r = scratch_reserve(scratch, CHECK_BLOCKS << HXS_BLOCK_SHIFT);
	if (r < 0)
		return r;
	while (block < end) {
		memset(&fault, 0, sizeof(fault));
		run = read_run(c, block,
			       end - block < batch ? end - block : batch,
			       scratch->mem, &got);
		if (run < 0 && batch > 1) {
			batch = 1; /* one bad block must not hide the others */
			continue;
		}
		if (run < 0) {
			(void)fail_read(c, (int)-run, block, &fault, NULL);
			fn(&fault, ctx);
			faults++;
			block++;
			continue;
		}
		batch = CHECK_BLOCKS;
		if (run > 0) {
			faults += check_run(c, block, (uint64_t)run,
					    scratch->mem, got, fn, ctx);
			block += (uint64_t)run;
			continue;
		}
		next = check_hole(c, block, end, scratch->mem, &fault);
		if (next < 0) {
			(void)fail_read(c, (int)-next, block, &fault, NULL);
			next = (int64_t)block + 1;
		}
		if (fault.kind) {
			fn(&fault, ctx);
			faults++;
		}
		block = (uint64_t)next;
	}
	return faults;
}
