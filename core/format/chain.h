#ifndef HXS_FORMAT_CHAIN_H
#define HXS_FORMAT_CHAIN_H

/*
 * What checks every block of one file alone: its digest, and the SHA-256
 * states between its blocks, made in one pass over its bytes.
 *
 * Blocks that the file system reports as holes are not listed: the index says
 * that they are zero. What is listed are runs of data blocks. A chain without
 * runs (run_count 0 and !sparse) is one run over all blocks whose state before
 * is the standard's initial value: block_count - 1 states, the digest being
 * the last. In a sparse chain each run has the state before it and the state
 * after each of its blocks, but not after the file's last block.
 */
#include "base/digest.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Fields are little-endian, as the index stores them. */
struct hxs_run {
	uint64_t first_block, block_count;
	uint64_t first_state; /* the one before its first block */
};

struct hxs_chain {
	uint64_t size;
	struct hxs_digest digest;
	struct hxs_digest *states;
	uint64_t state_count;
	struct hxs_run *runs; /* ascending, apart from each other */
	uint64_t run_count;
	bool sparse;
};

void hxs_chain_release(struct hxs_chain *chain);

/* Blocks of a file of @size bytes. */
static inline uint64_t hxs_chain_blocks(uint64_t size)
{
	return (size >> HXS_BLOCK_SHIFT) + ((size & (HXS_BLOCK_SIZE - 1)) != 0);
}

/* Makes a chain from a stream. */
struct hxs_chain_maker;

HXS_MUST_CHECK
int hxs_chain_maker_new(struct hxs_chain_maker **out);
void hxs_chain_maker_free(struct hxs_chain_maker *m);
HXS_AUTO_DEFINE(chain_maker, struct hxs_chain_maker *, hxs_chain_maker_free)

/* Start anew for another file; what was made before is dropped. */
void hxs_chain_maker_reset(struct hxs_chain_maker *m);

/* The next @len bytes, of any length. -ENOMEM. */
HXS_MUST_CHECK
int hxs_chain_maker_data(struct hxs_chain_maker *m, const void *data,
			 size_t len);

/* The next @len bytes are a hole: hashed as zeros, not listed. -ENOMEM. */
HXS_MUST_CHECK
int hxs_chain_maker_hole(struct hxs_chain_maker *m, uint64_t len);

/* The end. *@out is the caller's to release. */
HXS_MUST_CHECK
int hxs_chain_maker_finish(struct hxs_chain_maker *m, struct hxs_chain *out);

/* A chain seen where it lies: in a struct hxs_chain, or in an index. */
struct hxs_chain_view {
	uint64_t size;
	const struct hxs_digest *digest, *states;
	const struct hxs_run *runs;
	uint64_t run_count;
	bool sparse;
};
void hxs_chain_view(const struct hxs_chain *chain, struct hxs_chain_view *out);

/*
 * What checks block @block: 1 with *@out filled (borrowed from what @v
 * sees), 0 when the block is a hole, -ERANGE past the end.
 */
int hxs_chain_check(const struct hxs_chain_view *v, uint64_t block,
		    struct hxs_block_check *out);

/*
 * The start of the next data (@hole false) or hole (@hole true) at or after
 * @off, as lseek(2)'s SEEK_DATA and SEEK_HOLE; the end of the file is a
 * hole. -ENXIO at or past the end, or when no data follow.
 */
int64_t hxs_chain_seek(const struct hxs_chain_view *v, uint64_t off, bool hole);

/* Bytes that lie in data blocks. */
uint64_t hxs_chain_data_bytes(const struct hxs_chain_view *v);

#endif
