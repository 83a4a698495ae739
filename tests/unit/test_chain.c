#include "format/chain.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <time.h>

#define K64 65536u

static uint64_t rng_state;

static uint32_t rng(void)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng_state >> 32);
}

/* Check every block of @data alone; count those that are data. */
static bool chain_fits(const struct hxs_chain *chain, const uint8_t *data,
		       size_t len, uint64_t *data_blocks)
{
	struct hxs_block_check check;
	struct hxs_chain_view v;
	struct hxs_digest found;
	uint64_t block;
	uint32_t i;
	int r;

	hxs_chain_view(chain, &v);
	*data_blocks = 0;
	for (block = 0; block < hxs_chain_blocks(len); block++) {
		r = hxs_chain_check(&v, block, &check);
		if (r < 0)
			return false;
		if (r == 0) {
			for (i = 0; i < check.len; i++)
				if (data[block * K64 + i])
					return false;
			continue;
		}
		(*data_blocks)++;
		if (!hxs_digest_block_matches(&check, data + check.offset,
					      &found))
			return false;
	}
	return hxs_chain_check(&v, block, &check) == -ERANGE;
}

/* Feed a random mix of data and holes, and check the chain that comes out. */
static bool random_chain(void)
{
	size_t pieces = rng() % 6, i, len = 0, n, at, step;
	HXS_AUTO_FREE uint8_t *data = calloc(1, 6 * 4 * K64);
	HXS_AUTO(chain_maker) struct hxs_chain_maker *m = NULL;
	struct hxs_chain chain;
	struct hxs_digest whole;
	uint64_t blocks;
	bool good;

	if (!data || hxs_chain_maker_new(&m) < 0)
		return false;
	for (i = 0; i < pieces; i++) {
		n = rng() % 3 ? (rng() % 4) * K64 : rng() % (3 * K64);
		if (rng() % 2) {
			if (hxs_chain_maker_hole(m, n) < 0)
				return false;
			len += n;
			continue;
		}
		for (at = 0; at < n; at++)
			data[len + at] = (uint8_t)rng();
		for (at = 0; at < n; at += step) {
			step = 1 + rng() % (2 * K64);
			if (step > n - at)
				step = n - at;
			if (hxs_chain_maker_data(m, data + len + at, step) < 0)
				return false;
		}
		len += n;
	}
	if (hxs_chain_maker_finish(m, &chain) < 0)
		return false;
	hxs_digest_of(data, len, &whole);
	good = chain.size == len && hxs_digest_equal(&whole, &chain.digest) &&
	       chain_fits(&chain, data, len, &blocks);
	hxs_chain_release(&chain);
	return good;
}

static void test_random(void)
{
	unsigned i, good = 0;

	rng_state = (uint64_t)time(NULL);
	printf("# seed %llu\n", (unsigned long long)rng_state);
	for (i = 0; i < 300; i++)
		good += random_chain();
	is_int(good, 300,
	       "random mixes of data and holes check block by block");
}

static const struct {
	const char *label;
	uint64_t size;
	uint64_t states;
} plain[] = {
	{ "empty", 0, 0 },
	{ "one byte", 1, 0 },
	{ "a block", K64, 0 },
	{ "a block and a byte", K64 + 1, 1 },
	{ "two blocks", 2 * K64, 1 },
	{ "three blocks less one", 3 * K64 - 1, 2 },
};

static void test_plain(void)
{
	static const uint8_t data[3 * K64] = { 1, 2, 3 };
	HXS_AUTO(chain_maker) struct hxs_chain_maker *m = NULL;
	struct hxs_chain chain;
	uint64_t blocks;
	size_t i;

	ok(hxs_chain_maker_new(&m) == 0, "a maker");
	for (i = 0; i < HXS_ARRAY_LEN(plain); i++) {
		hxs_chain_maker_reset(m);
		ok(hxs_chain_maker_data(m, data, plain[i].size) == 0 &&
			   hxs_chain_maker_finish(m, &chain) == 0,
		   "%s: made", plain[i].label);
		is_int(chain.state_count, plain[i].states, "%s: states",
		       plain[i].label);
		ok(!chain.sparse && !chain.run_count &&
			   chain_fits(&chain, data, plain[i].size, &blocks),
		   "%s: fits", plain[i].label);
		hxs_chain_release(&chain);
	}
}

/* A changed byte fails its own block and no other. */
static void test_flip(void)
{
	static uint8_t data[5 * K64 + 100];
	HXS_AUTO(chain_maker) struct hxs_chain_maker *m = NULL;
	struct hxs_block_check check;
	struct hxs_chain_view v;
	struct hxs_chain chain;
	struct hxs_digest found;
	unsigned block, bad, hit;
	size_t at;

	ok(hxs_chain_maker_new(&m) == 0 &&
		   hxs_chain_maker_data(m, data, sizeof(data)) == 0 &&
		   hxs_chain_maker_finish(m, &chain) == 0,
	   "a chain over six blocks");
	hxs_chain_view(&chain, &v);
	for (at = 0; at < sizeof(data); at += 9973) {
		data[at] ^= 0x10;
		for (bad = hit = block = 0; block < 6; block++) {
			(void)hxs_chain_check(&v, block, &check);
			if (hxs_digest_block_matches(&check,
						     data + check.offset,
						     &found))
				continue;
			bad++;
			hit = block;
		}
		if (bad != 1 || hit != at / K64)
			ok(false, "a flip at %zu: %u bad, block %u", at, bad,
			   hit);
		data[at] ^= 0x10;
	}
	ok(true, "each flip fails its own block");
	hxs_chain_release(&chain);
}

static void test_seek(void)
{
	static const uint8_t data[K64] = { 1 };
	HXS_AUTO(chain_maker) struct hxs_chain_maker *m = NULL;
	struct hxs_chain_view v;
	struct hxs_chain chain;

	/* hole 2 blocks, data 1, hole 3, data 10 bytes */
	ok(hxs_chain_maker_new(&m) == 0 &&
		   hxs_chain_maker_hole(m, 2 * K64) == 0 &&
		   hxs_chain_maker_data(m, data, K64) == 0 &&
		   hxs_chain_maker_hole(m, 3 * K64) == 0 &&
		   hxs_chain_maker_data(m, data, 10) == 0 &&
		   hxs_chain_maker_finish(m, &chain) == 0,
	   "a sparse chain");
	hxs_chain_view(&chain, &v);
	ok(chain.sparse && chain.run_count == 2, "two runs");
	is_int(hxs_chain_data_bytes(&v), K64 + 10, "bytes of data");
	is_int(hxs_chain_seek(&v, 5, false), 2 * K64, "data after the start");
	is_int(hxs_chain_seek(&v, 5, true), 5, "in a hole");
	is_int(hxs_chain_seek(&v, 2 * K64 + 7, true), 3 * K64, "next hole");
	is_int(hxs_chain_seek(&v, 3 * K64, false), 6 * K64, "last data");
	is_int(hxs_chain_seek(&v, 6 * K64 + 3, true), 6 * K64 + 10,
	       "the end is a hole");
	is_int(hxs_chain_seek(&v, 6 * K64 + 10, true), -ENXIO, "past the end");
	hxs_chain_release(&chain);
}

int main(void)
{
	test_plain();
	test_random();
	test_flip();
	test_seek();
	return tap_done();
}
