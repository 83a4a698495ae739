#ifndef HXS_BASE_DIGEST_H
#define HXS_BASE_DIGEST_H

/*
 * SHA-256 (FIPS 180-4), whole, streaming, and as a chain of states.
 *
 * SHA-256 carries 256 bits from one 64-byte chunk to the next. Those 32
 * bytes after each block of HXS_BLOCK_SIZE let any block be checked alone:
 * resume from the state before it, hash it, compare with the state after it.
 * The last block, padded, must give the digest that sha256sum prints. The
 * state before block 0 is the standard's initial value.
 *
 * The only user of OpenSSL.
 */
#include "base/cleanup.h"

#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HXS_DIGEST_LEN 32
#define HXS_DIGEST_HEX_LEN 64
#define HXS_BLOCK_SHIFT 16
#define HXS_BLOCK_SIZE (1u << HXS_BLOCK_SHIFT)

/* A digest, or a chain state: eight 32-bit words, big-endian. */
struct hxs_digest {
	uint8_t b[HXS_DIGEST_LEN];
};

struct hxs_hasher {
	SHA256_CTX ctx;
};

void hxs_hasher_init(struct hxs_hasher *h);

/* Continue after @bytes bytes (a multiple of 64) whose state is @state. */
void hxs_hasher_resume(struct hxs_hasher *h, const struct hxs_digest *state,
		       uint64_t bytes);
void hxs_hasher_update(struct hxs_hasher *h, const void *data, size_t len);

/* The chain state; only after a multiple of 64 bytes (asserted). */
void hxs_hasher_state(const struct hxs_hasher *h, struct hxs_digest *out);
void hxs_hasher_final(struct hxs_hasher *h, struct hxs_digest *out);

void hxs_digest_of(const void *data, size_t len, struct hxs_digest *out);
bool hxs_digest_equal(const struct hxs_digest *a, const struct hxs_digest *b);

/* @out gets 64 lower-case digits and a NUL. */
void hxs_digest_to_hex(const struct hxs_digest *d,
		       char out[HXS_DIGEST_HEX_LEN + 1]);

/* Exactly 64 digits of either case; -EINVAL otherwise. */
int hxs_digest_from_hex(const char *hex, struct hxs_digest *out);

/*
 * What checks one block alone.
 *
 * @before is the state before it, NULL for block 0. @after is the state after
 * it, or for the file's last block the file's digest (@last).
 */
struct hxs_block_check {
	const struct hxs_digest *before;
	const struct hxs_digest *after;
	uint64_t offset; /* of its first byte in the file */
	uint32_t len; /* HXS_BLOCK_SIZE, less only for the last one */
	bool last;
};

/* Hash @len bytes of @data as that block into @found; true if they match. */
bool hxs_digest_block_matches(const struct hxs_block_check *check,
			      const void *data, struct hxs_digest *found);

/*
 * The same for two blocks, which often takes less than twice the time: each
 * @check with its @data, the results in @found and @matches.
 */
void hxs_digest_blocks_match(const struct hxs_block_check check[2],
			     const void *const data[2],
			     struct hxs_digest found[2], bool matches[2]);

#endif
