/*
 * The one door to stored bytes.
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
#define PREFETCH_BYTES (256 * 1024)
#define AHEAD_BYTES (2 << 20)

const char *hxs_fault_name(enum hxs_fault_kind kind)
{
	static const char *const names[] = {
		[HXS_FAULT_NONE] = "none",
		[HXS_FAULT_BLOCK] = "block",
		[HXS_FAULT_DIGEST] = "digest",
		[HXS_FAULT_MISSING] = "missing",
		[HXS_FAULT_SIZE] = "size",
		[HXS_FAULT_TYPE] = "type",
		[HXS_FAULT_TARGET] = "target",
		[HXS_FAULT_EXTRA] = "extra",
		[HXS_FAULT_READ] = "read",
		[HXS_FAULT_SNAPSHOT] = "snapshot",
	};

	return (unsigned)kind < HXS_ARRAY_LEN(names) ? names[kind] : "unknown";
}

void hxs_scratch_release(struct hxs_scratch *s)
{
	free(s->mem);
	s->mem = NULL;
	s->cap = 0;
}

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

int hxs_content_fail(const struct hxs_snapshot *snap,
		     const struct hxs_fault *fault, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	(void)hxs_index_path(snap->idx, fault->entry, &path);
	return hxs_err_set(err, HXS_ECORRUPT, "'%s/%s': %s",
			   hxs_snapshot_name(snap), hxs_buf_str(&path),
			   fault->reason);
}

/* Record @fault and its sentence in @err; the entry's path is put before. */
static int fail(struct hxs_snapshot *snap, uint32_t entry,
		struct hxs_fault *fault, enum hxs_fault_kind kind,
		const char *reason, struct hxs_err *err)
{
	fault->kind = kind;
	fault->entry = entry;
	(void)snprintf(fault->reason, sizeof(fault->reason), "%s", reason);
	return hxs_content_fail(snap, fault, err);
}

/* What an entry that cannot be opened means. */
static int fail_open(struct hxs_snapshot *snap, uint32_t entry, int e,
		     struct hxs_fault *fault, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	if (e == ENOENT)
		return fail(snap, entry, fault, HXS_FAULT_MISSING,
			    "it is missing from the store", err);
	if (e == ENOTDIR || e == ELOOP || e == EINVAL || e == ENXIO ||
	    e == EXDEV)
		return fail(snap, entry, fault, HXS_FAULT_TYPE,
			    "something that is no regular file took its place",
			    err);
	if (e == EIO) {
		fault->kind = HXS_FAULT_READ;
		fault->entry = entry;
		(void)snprintf(fault->reason, sizeof(fault->reason),
			       "the store cannot read it");
	}
	(void)hxs_index_path(snap->idx, entry, &path);
	return hxs_err_errno(err, e, "cannot open '%s/%s'",
			     hxs_snapshot_name(snap), hxs_buf_str(&path));
}

static int open_file(struct hxs_content *c, const struct hxs_stop *stop,
		     bool later, struct hxs_fault *fault, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_node node;
	struct stat st;
	char reason[128];
	int r;

	hxs_index_get(c->snap->idx, c->entry, &node);
	if (S_ISDIR(node.mode))
		return hxs_err_errno(err, EISDIR, "cannot open '%s'",
				     node.name);
	if (!S_ISREG(node.mode))
		return hxs_err_errno(err, EINVAL, "cannot open '%s'",
				     node.name);
	c->size = node.size;
	r = hxs_index_path(c->snap->idx, c->entry, &path);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot open '%s'", node.name);
	c->fd = hxs_io_open_regular(c->snap->fd, path.data, &st);
	if (c->fd < 0)
		return fail_open(c->snap, c->entry, -c->fd, fault, err);
	if ((uint64_t)st.st_size != node.size) {
		(void)snprintf(reason, sizeof(reason),
			       "it has %" PRIu64 " bytes instead of %" PRIu64,
			       (uint64_t)st.st_size, node.size);
		fault->len = node.size;
		return fail(c->snap, c->entry, fault, HXS_FAULT_SIZE, reason,
			    err);
	}
	c->holes = (uint64_t)st.st_blocks * 512 < node.size;
	hxs_index_chain_view(c->snap->idx, c->entry, &c->chain);
	c->unproven = c->snap->foreign;
	if (!c->unproven || later)
		return 0;
	r = hxs_content_pour(c, stop, NULL, fault, err);
	return r < 0 ? r : 0;
}

/* The index and the manifest are served from the bytes that were proven. */
static int open_part(struct hxs_content *c, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_digest self;
	const void *bytes;
	size_t len;

	if (c->entry == HXS_ENTRY_INDEX && c->snap->foreign)
		return hxs_err_errno(err, ENOENT, "cannot open '%s'",
				     HXS_INDEX_NAME);
	bytes = hxs_index_bytes(c->snap->idx, &len);
	if (c->entry == HXS_ENTRY_INDEX) {
		c->mem = bytes;
		c->size = len;
		return 0;
	}
	if (c->snap->foreign) {
		c->mem = c->snap->manifest_text;
		c->size = c->snap->manifest_len;
		return 0;
	}
	hxs_digest_of(bytes, len, &self);
	hxs_index_manifest(c->snap->idx, &self, &text);
	if (hxs_buf_status(&text) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot open '%s'",
				     HXS_MANIFEST_NAME);
	c->mem = c->own = hxs_buf_steal(&text, &len);
	c->size = len;
	return 0;
}

static int open_any(struct hxs_snapshot *snap, uint32_t entry,
		    const struct hxs_stop *stop, bool later,
		    struct hxs_content **out, struct hxs_fault *fault,
		    struct hxs_err *err)
{
	HXS_AUTO(content) struct hxs_content *c = calloc(1, sizeof(*c));
	int r;

	memset(fault, 0, sizeof(*fault));
	if (!c)
		return hxs_err_errno(err, ENOMEM, "cannot open a file");
	c->fd = -1;
	atomic_init(&c->last, 0);
	c->entry = entry;
	c->snap = hxs_snapshot_ref(snap);
	if (entry == HXS_ENTRY_INDEX || entry == HXS_ENTRY_MANIFEST)
		r = open_part(c, err);
	else if (entry >= hxs_index_count(snap->idx))
		r = hxs_err_errno(err, ENOENT, "cannot open a file");
	else
		r = open_file(c, stop, later, fault, err);
	if (r < 0)
		return r;
	*out = HXS_STEAL(c);
	return 0;
}

int hxs_content_open(struct hxs_snapshot *snap, uint32_t entry,
		     struct hxs_content **out, struct hxs_fault *fault,
		     struct hxs_err *err)
{
	return open_any(snap, entry, NULL, false, out, fault, err);
}

int hxs_content_open_until(struct hxs_snapshot *snap, uint32_t entry,
			   const struct hxs_stop *stop,
			   struct hxs_content **out, struct hxs_fault *fault,
			   struct hxs_err *err)
{
	return open_any(snap, entry, stop, false, out, fault, err);
}

int hxs_content_open_unproven(struct hxs_snapshot *snap, uint32_t entry,
			      struct hxs_content **out, struct hxs_fault *fault,
			      struct hxs_err *err)
{
	return open_any(snap, entry, NULL, true, out, fault, err);
}

bool hxs_content_is_proven(const struct hxs_content *c)
{
	return !c->unproven;
}

void hxs_content_prefetch(struct hxs_snapshot *snap, uint32_t entry)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_node node;
	struct stat st;

	if (entry >= hxs_index_count(snap->idx))
		return;
	hxs_index_get(snap->idx, entry, &node);
	if (!S_ISREG(node.mode) || hxs_index_path(snap->idx, entry, &path) < 0)
		return;
	fd = hxs_io_open_regular(snap->fd, path.data, &st);
	if (fd >= 0 && st.st_size > 0)
		(void)posix_fadvise(fd, 0, PREFETCH_BYTES, POSIX_FADV_WILLNEED);
}

void hxs_content_close(struct hxs_content *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		(void)close(c->fd); /* it was only read */
	free(c->own);
	hxs_snapshot_unref(c->snap);
	free(c);
}

uint64_t hxs_content_size(const struct hxs_content *c)
{
	return c->size;
}

uint32_t hxs_content_entry(const struct hxs_content *c)
{
	return c->entry;
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
