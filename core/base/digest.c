/*
 * The low-level SHA-256 interface is deprecated in OpenSSL 3 and still the
 * only one whose state can be read and set, which the chain needs. It runs
 * at the same speed as EVP and allocates nothing.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include "base/digest_pair.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void hxs_hasher_init(struct hxs_hasher *h)
{
	(void)SHA256_Init(&h->ctx); /* the SHA256 calls always return 1 */
}

void hxs_hasher_resume(struct hxs_hasher *h, const struct hxs_digest *state,
		       uint64_t bytes)
{
	uint64_t bits = bytes << 3;
	int i;

	assert(bytes % SHA256_CBLOCK == 0);
	(void)SHA256_Init(&h->ctx);
	for (i = 0; i < 8; i++) {
		const uint8_t *b = state->b + 4 * i;

		h->ctx.h[i] = (SHA_LONG)b[0] << 24 | (SHA_LONG)b[1] << 16 |
			      (SHA_LONG)b[2] << 8 | (SHA_LONG)b[3];
	}
	h->ctx.Nl = (SHA_LONG)bits;
	h->ctx.Nh = (SHA_LONG)(bits >> 32);
}

void hxs_hasher_update(struct hxs_hasher *h, const void *data, size_t len)
{
	(void)SHA256_Update(&h->ctx, data, len);
}

void hxs_hasher_state(const struct hxs_hasher *h, struct hxs_digest *out)
{
	int i;

	assert(h->ctx.num == 0);
	for (i = 0; i < 8; i++) {
		SHA_LONG w = h->ctx.h[i];
		uint8_t *b = out->b + 4 * i;

		b[0] = (uint8_t)(w >> 24);
		b[1] = (uint8_t)(w >> 16);
		b[2] = (uint8_t)(w >> 8);
		b[3] = (uint8_t)w;
	}
}

void hxs_hasher_final(struct hxs_hasher *h, struct hxs_digest *out)
{
	(void)SHA256_Final(out->b, &h->ctx);
}

void hxs_digest_of(const void *data, size_t len, struct hxs_digest *out)
{
	struct hxs_hasher h;

	hxs_hasher_init(&h);
	hxs_hasher_update(&h, data, len);
	hxs_hasher_final(&h, out);
}

bool hxs_digest_equal(const struct hxs_digest *a, const struct hxs_digest *b)
{
	return memcmp(a->b, b->b, HXS_DIGEST_LEN) == 0;
}

void hxs_digest_to_hex(const struct hxs_digest *d,
		       char out[HXS_DIGEST_HEX_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < HXS_DIGEST_LEN; i++) {
		out[2 * i] = digits[d->b[i] >> 4];
		out[2 * i + 1] = digits[d->b[i] & 15];
	}
	out[HXS_DIGEST_HEX_LEN] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hxs_digest_from_hex(const char *hex, struct hxs_digest *out)
{
	struct hxs_digest d;
	size_t i;

	for (i = 0; i < HXS_DIGEST_LEN; i++) {
		int high = nibble(hex[2 * i]);
		int low = high < 0 ? -1 : nibble(hex[2 * i + 1]);

		if (low < 0)
			return -EINVAL; /* a NUL ends here too */
		d.b[i] = (uint8_t)(high << 4 | low);
	}
	if (hex[HXS_DIGEST_HEX_LEN] != '\0')
		return -EINVAL;
	*out = d;
	return 0;
}

static void begin(struct hxs_hasher *h, const struct hxs_block_check *check)
{
	if (check->before)
		hxs_hasher_resume(h, check->before, check->offset);
	else
		hxs_hasher_init(h);
}

bool hxs_digest_block_matches(const struct hxs_block_check *check,
			      const void *data, struct hxs_digest *found)
{
	struct hxs_hasher h;

	begin(&h, check);
	hxs_hasher_update(&h, data, check->len);
	if (check->last)
		hxs_hasher_final(&h, found);
	else
		hxs_hasher_state(&h, found);
	return hxs_digest_equal(found, check->after);
}

void hxs_digest_blocks_match(const struct hxs_block_check check[2],
			     const void *const data[2],
			     struct hxs_digest found[2], bool matches[2])
{
	struct hxs_hasher h[2];
	unsigned i;

	if (check[0].last || check[1].last || !hxs_digest_can_pair()) {
		for (i = 0; i < 2; i++)
			matches[i] =
				hxs_digest_block_matches(&check[i], data[i],
							 &found[i]);
		return;
	}
	begin(&h[0], &check[0]);
	begin(&h[1], &check[1]);
	hxs_digest_pair(h[0].ctx.h, h[1].ctx.h, data[0], data[1],
			HXS_BLOCK_SIZE / SHA256_CBLOCK);
	for (i = 0; i < 2; i++) {
		hxs_hasher_state(&h[i], &found[i]);
		matches[i] = hxs_digest_equal(&found[i], check[i].after);
	}
}
