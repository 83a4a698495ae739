#include "base/digest.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <time.h>

#define BLOCKS_MAX 6

static const struct {
	const char *text, *hex;
} vectors[] = {
	/* FIPS 180-4's examples, and the empty string */
	{ "",
	  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc",
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static uint64_t rng_state;

static uint32_t rng(void)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng_state >> 32);
}

static void test_vectors(void)
{
	char hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest d, back;
	struct hxs_hasher h;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(vectors); i++) {
		hxs_digest_of(vectors[i].text, strlen(vectors[i].text), &d);
		hxs_digest_to_hex(&d, hex);
		is_str(hex, vectors[i].hex, "digest of '%s'", vectors[i].text);
		is_int(hxs_digest_from_hex(hex, &back), 0, "its hex read");
		ok(hxs_digest_equal(&d, &back), "comes back");
	}
	hxs_hasher_init(&h);
	for (i = 0; i < 1000000; i++)
		hxs_hasher_update(&h, "a", 1);
	hxs_hasher_final(&h, &d);
	hxs_digest_to_hex(&d, hex);
	is_str(hex,
	       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd"
	       "0",
	       "a million times a");
}

static void test_hex(void)
{
	static const char good[] = "ba7816bf8f01cfea414140de5dae2223b00361a3961"
				   "77a9cb410ff61f20015ad";
	static const char odd[] = "gG/:@`\n \xff+-x";
	struct hxs_digest d = { { 7 } }, e;
	char hex[HXS_DIGEST_HEX_LEN + 2];
	size_t i, j, accepted = 0;

	(void)snprintf(hex, sizeof(hex), "%s0", good);
	is_int(hxs_digest_from_hex(hex, &d), -EINVAL, "65 digits");
	for (i = 0; i < HXS_DIGEST_HEX_LEN; i++) {
		(void)snprintf(hex, sizeof(hex), "%s", good);
		hex[i] = '\0';
		accepted += hxs_digest_from_hex(hex, &d) == 0;
		for (j = 0; j < sizeof(odd) - 1; j++) {
			hex[i] = odd[j];
			accepted += hxs_digest_from_hex(hex, &d) == 0;
		}
	}
	is_int((long long)accepted, 0, "short and odd ones are refused");
	is_int(d.b[0], 7, "and nothing written");
	(void)snprintf(hex, sizeof(hex), "%s", good);
	for (i = 0; hex[i]; i++)
		if (hex[i] >= 'a')
			hex[i] = (char)(hex[i] - 'a' + 'A');
	is_int(hxs_digest_from_hex(good, &e), 0, "lower case");
	is_int(hxs_digest_from_hex(hex, &d), 0, "upper case");
	ok(hxs_digest_equal(&d, &e), "are the same");
	e.b[31] ^= 1;
	ok(!hxs_digest_equal(&d, &e), "one bit is a difference");
}

static void fill(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)rng();
}

/* The states of @data at each block, as create makes them, in one pass. */
static size_t chain(const uint8_t *data, size_t len, struct hxs_digest *states)
{
	struct hxs_hasher h;
	size_t n = 0, off = 0;

	hxs_hasher_init(&h);
	while (len - off > HXS_BLOCK_SIZE) {
		hxs_hasher_update(&h, data + off, HXS_BLOCK_SIZE);
		hxs_hasher_state(&h, &states[n++]);
		off += HXS_BLOCK_SIZE;
	}
	hxs_hasher_update(&h, data + off, len - off);
	hxs_hasher_final(&h, &states[n++]);
	return n;
}

static struct hxs_block_check nth(size_t len, size_t i,
				  const struct hxs_digest *states, size_t n)
{
	struct hxs_block_check c = {
		.before = i ? &states[i - 1] : NULL,
		.after = &states[i],
		.offset = (uint64_t)i << HXS_BLOCK_SHIFT,
		.last = i == n - 1,
	};

	c.len = c.last ? (uint32_t)(len - c.offset) : HXS_BLOCK_SIZE;
	return c;
}

static bool check(const uint8_t *data, size_t len, size_t i,
		  const struct hxs_digest *states, size_t n)
{
	struct hxs_block_check c = nth(len, i, states, n);
	struct hxs_digest found;

	return hxs_digest_block_matches(&c, data + c.offset, &found);
}

/* Whether any two blocks checked at once give what each gives alone. */
static bool pairs_agree(const uint8_t *data, size_t len,
			const struct hxs_digest *states, size_t n)
{
	struct hxs_digest alone, found[2];
	struct hxs_block_check c[2];
	const void *at[2];
	bool right[2];
	size_t i, k;

	for (i = 0; i < n * n; i++) {
		c[0] = nth(len, i / n, states, n);
		c[1] = nth(len, i % n, states, n);
		at[0] = data + c[0].offset;
		at[1] = data + c[1].offset;
		hxs_digest_blocks_match(c, at, found, right);
		for (k = 0; k < 2; k++)
			if (hxs_digest_block_matches(&c[k], at[k], &alone) !=
				    right[k] ||
			    !hxs_digest_equal(&alone, &found[k]))
				return false;
	}
	return true;
}

/* One random content: each block alone is right, and one bit makes it wrong. */
static bool one_round(uint8_t *data, size_t len)
{
	struct hxs_digest states[BLOCKS_MAX + 1], whole;
	size_t n, i, at;

	fill(data, len);
	n = chain(data, len, states);
	hxs_digest_of(data, len, &whole);
	if (!hxs_digest_equal(&whole, &states[n - 1]))
		return false;
	for (i = 0; i < n; i++)
		if (!check(data, len, i, states, n))
			return false;
	if (!pairs_agree(data, len, states, n))
		return false;
	if (len == 0)
		return true;
	at = rng() % len;
	data[at] ^= (uint8_t)(1u << rng() % 8);
	for (i = 0; i < n; i++)
		if (check(data, len, i, states, n) ==
		    (i == at >> HXS_BLOCK_SHIFT))
			return false;
	if (!pairs_agree(data, len, states, n))
		return false;
	/* A right block with a wrong state before it is wrong as well. */
	data[at] ^= 1;
	if (n > 1) {
		states[n - 2].b[rng() % 32] ^= 1;
		if (check(data, len, n - 1, states, n))
			return false;
	}
	return true;
}

static void test_chain(void)
{
	static const size_t lens[] = {
		0,
		1,
		63,
		64,
		65,
		HXS_BLOCK_SIZE - 64,
		HXS_BLOCK_SIZE - 1,
		HXS_BLOCK_SIZE,
		HXS_BLOCK_SIZE + 1,
		2 * HXS_BLOCK_SIZE - 9,
		2 * HXS_BLOCK_SIZE,
		BLOCKS_MAX * HXS_BLOCK_SIZE,
	};
	static uint8_t data[BLOCKS_MAX * HXS_BLOCK_SIZE];
	const char *given = getenv("HXS_SEED");
	unsigned long long seed;
	size_t i, len;

	seed = given ? strtoull(given, NULL, 0)
		     : (unsigned long long)time(NULL);
	printf("# HXS_SEED=%llu\n", seed);
	rng_state = seed;
	for (i = 0; i < HXS_ARRAY_LEN(lens); i++)
		ok(one_round(data, lens[i]), "every block of %zu bytes",
		   lens[i]);
	for (i = 0; i < 60; i++) {
		len = rng() % (sizeof(data) + 1);
		if (!one_round(data, len))
			break;
	}
	is_int((long long)i, 60, "every block of 60 random lengths");
}

/* Beyond 512 MiB the count of bits no longer fits the low half. */
static void test_large(void)
{
	static uint8_t block[HXS_BLOCK_SIZE];
	struct hxs_digest state = { { 0 } }, want, got;
	const uint64_t n = (512u << 20 >> HXS_BLOCK_SHIFT) + 3;
	struct hxs_hasher h;
	uint64_t i;

	hxs_hasher_init(&h);
	for (i = 0; i < n; i++)
		hxs_hasher_update(&h, block, sizeof(block));
	hxs_hasher_state(&h, &state);
	hxs_hasher_update(&h, "end", 3);
	hxs_hasher_final(&h, &want);
	hxs_hasher_resume(&h, &state, n << HXS_BLOCK_SHIFT);
	hxs_hasher_update(&h, "end", 3);
	hxs_hasher_final(&h, &got);
	ok(hxs_digest_equal(&want, &got), "resumed beyond 512 MiB");
}

int main(void)
{
	test_vectors();
	test_hex();
	test_chain();
	test_large();
	return tap_done();
}
