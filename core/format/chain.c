/*
 * Chains of SHA-256 states, made in one pass.
 *
 * The maker always works as if the file were sparse: a run opens with the
 * state before its first block. Only at the end does it know that there was
 * no hole; then the one run and its first state, the standard's initial
 * value, say nothing and are dropped.
 */
#include "format/chain.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct hxs_chain_maker {
	struct hxs_hasher hasher;
	uint64_t pos;
	struct hxs_digest before; /* of the block at pos, once it began */
	bool block_has_data;
	bool in_run; /* the block before belongs to the last run */
	bool sparse;
	struct hxs_digest *states;
	size_t state_count, state_cap;
	struct hxs_run *runs; /* host order until the end */
	size_t run_count, run_cap;
};

static const uint8_t zeros[HXS_BLOCK_SIZE];

void hxs_chain_release(struct hxs_chain *chain)
{
	free(chain->states);
	free(chain->runs);
	memset(chain, 0, sizeof(*chain));
}

int hxs_chain_maker_new(struct hxs_chain_maker **out)
{
	struct hxs_chain_maker *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	hxs_hasher_init(&m->hasher);
	*out = m;
	return 0;
}

void hxs_chain_maker_free(struct hxs_chain_maker *m)
{
	if (!m)
		return;
	free(m->states);
	free(m->runs);
	free(m);
}

void hxs_chain_maker_reset(struct hxs_chain_maker *m)
{
	hxs_hasher_init(&m->hasher);
	m->pos = 0;
	m->block_has_data = m->in_run = m->sparse = false;
	m->state_count = m->run_count = 0;
}

/* Make room for one more of @size bytes in the array that @mem points to. */
static int grow(void *mem, size_t *cap, size_t count, size_t size)
{
	void *grown;
	size_t want;

	if (count < *cap)
		return 0;
	want = *cap ? *cap * 2 : 16;
	memcpy(&grown, mem, sizeof(grown));
	grown = reallocarray(grown, want, size);
	if (!grown)
		return -ENOMEM;
	memcpy(mem, &grown, sizeof(grown));
	*cap = want;
	return 0;
}

static int push_state(struct hxs_chain_maker *m, const struct hxs_digest *state)
{
	int r = grow(&m->states, &m->state_cap, m->state_count, sizeof(*state));

	if (r < 0)
		return r;
	m->states[m->state_count++] = *state;
	return 0;
}

/* Count the block that ends here as data of a run. */
static int extend_run(struct hxs_chain_maker *m, uint64_t block)
{
	int r;

	if (!m->in_run) {
		r = grow(&m->runs, &m->run_cap, m->run_count, sizeof(*m->runs));
		if (r < 0)
			return r;
		m->runs[m->run_count++] = (struct hxs_run){
			.first_block = block,
			.first_state = m->state_count,
		};
		m->in_run = true;
		r = push_state(m, &m->before);
		if (r < 0)
			return r;
	}
	m->runs[m->run_count - 1].block_count++;
	return 0;
}

static int end_block(struct hxs_chain_maker *m)
{
	struct hxs_digest after;
	int r;

	if (!m->block_has_data) {
		m->in_run = false;
		m->sparse = true;
		return 0;
	}
	r = extend_run(m, (m->pos - 1) >> HXS_BLOCK_SHIFT);
	if (r < 0)
		return r;
	hxs_hasher_state(&m->hasher, &after);
	return push_state(m, &after);
}

static int add(struct hxs_chain_maker *m, const uint8_t *data, uint64_t len,
	       bool is_data)
{
	uint32_t used, n;
	int r;

	while (len) {
		used = m->pos & (HXS_BLOCK_SIZE - 1);
		if (!used) {
			hxs_hasher_state(&m->hasher, &m->before);
			m->block_has_data = false;
		}
		n = HXS_BLOCK_SIZE - used;
		if (n > len)
			n = (uint32_t)len;
		hxs_hasher_update(&m->hasher, is_data ? data : zeros, n);
		m->block_has_data |= is_data;
		m->pos += n;
		len -= n;
		if (is_data)
			data += n;
		if (used + n == HXS_BLOCK_SIZE) {
			r = end_block(m);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int hxs_chain_maker_data(struct hxs_chain_maker *m, const void *data,
			 size_t len)
{
	return add(m, data, len, true);
}

int hxs_chain_maker_hole(struct hxs_chain_maker *m, uint64_t len)
{
	return add(m, zeros, len, false);
}

/* The last block's state is never kept: the digest stands for it. */
static int end_last_block(struct hxs_chain_maker *m)
{
	if (!m->pos)
		return 0;
	if (m->pos & (HXS_BLOCK_SIZE - 1)) {
		if (m->block_has_data)
			return extend_run(m, m->pos >> HXS_BLOCK_SHIFT);
		m->sparse = true;
	} else if (m->block_has_data) {
		m->state_count--;
	}
	return 0;
}

static int copy_array(void *out, const void *from, size_t count, size_t size)
{
	void *mem;

	if (!count)
		return 0;
	mem = malloc(count * size);
	if (!mem)
		return -ENOMEM;
	memcpy(mem, from, count * size);
	memcpy(out, &mem, sizeof(mem));
	return 0;
}

int hxs_chain_maker_finish(struct hxs_chain_maker *m, struct hxs_chain *out)
{
	struct hxs_chain chain = { .size = m->pos, .sparse = m->sparse };
	size_t skip, i;
	int r;

	r = end_last_block(m);
	if (r < 0)
		return r;
	chain.sparse = m->sparse;
	skip = !m->sparse && m->state_count ? 1 : 0;
	chain.state_count = m->state_count - skip;
	chain.run_count = m->sparse ? m->run_count : 0;
	r = copy_array(&chain.states, skip ? m->states + skip : m->states,
		       chain.state_count, sizeof(*chain.states));
	if (r == 0)
		r = copy_array(&chain.runs, m->runs, chain.run_count,
			       sizeof(*chain.runs));
	if (r < 0) {
		hxs_chain_release(&chain);
		return r;
	}
	for (i = 0; i < chain.run_count; i++) {
		chain.runs[i].first_block = htole64(chain.runs[i].first_block);
		chain.runs[i].block_count = htole64(chain.runs[i].block_count);
		chain.runs[i].first_state = htole64(chain.runs[i].first_state);
	}
	hxs_hasher_final(&m->hasher, &chain.digest);
	*out = chain;
	return 0;
}

void hxs_chain_view(const struct hxs_chain *chain, struct hxs_chain_view *out)
{
	*out = (struct hxs_chain_view){
		.size = chain->size,
		.digest = &chain->digest,
		.states = chain->states,
		.runs = chain->runs,
		.run_count = chain->run_count,
		.sparse = chain->sparse,
	};
}

/* The first run that ends after @block, or run_count. */
static uint64_t find_run(const struct hxs_chain_view *v, uint64_t block)
{
	uint64_t low = 0, high = v->run_count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (le64toh(v->runs[mid].first_block) +
			    le64toh(v->runs[mid].block_count) <=
		    block)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int hxs_chain_check(const struct hxs_chain_view *v, uint64_t block,
		    struct hxs_block_check *out)
{
	uint64_t blocks = hxs_chain_blocks(v->size), i, first;
	const struct hxs_digest *states;

	if (block >= blocks)
		return -ERANGE;
	out->offset = block << HXS_BLOCK_SHIFT;
	out->last = block == blocks - 1;
	out->len =
		out->last ? (uint32_t)(v->size - out->offset) : HXS_BLOCK_SIZE;
	if (!v->sparse) {
		out->before = block ? &v->states[block - 1] : NULL;
		out->after = out->last ? v->digest : &v->states[block];
		return 1;
	}
	i = find_run(v, block);
	if (i == v->run_count)
		return 0;
	first = le64toh(v->runs[i].first_block);
	if (block < first)
		return 0;
	states = v->states + le64toh(v->runs[i].first_state) + (block - first);
	out->before = states;
	out->after = out->last ? v->digest : states + 1;
	return 1;
}

int64_t hxs_chain_seek(const struct hxs_chain_view *v, uint64_t off, bool hole)
{
	uint64_t block = off >> HXS_BLOCK_SHIFT, i, start, end;

	if (off >= v->size)
		return -ENXIO;
	if (!v->sparse)
		return (int64_t)(hole ? v->size : off);
	i = find_run(v, block);
	if (i == v->run_count)
		return hole ? (int64_t)off : -ENXIO;
	start = le64toh(v->runs[i].first_block);
	end = (start + le64toh(v->runs[i].block_count)) << HXS_BLOCK_SHIFT;
	start <<= HXS_BLOCK_SHIFT;
	if (off < start)
		return (int64_t)(hole ? off : start);
	if (!hole)
		return (int64_t)off;
	return (int64_t)(end < v->size ? end : v->size);
}

uint64_t hxs_chain_data_bytes(const struct hxs_chain_view *v)
{
	uint64_t bytes = 0, i, start, end;

	if (!v->sparse)
		return v->size;
	for (i = 0; i < v->run_count; i++) {
		start = le64toh(v->runs[i].first_block);
		end = (start + le64toh(v->runs[i].block_count))
		      << HXS_BLOCK_SHIFT;
		start <<= HXS_BLOCK_SHIFT;
		bytes += (end < v->size ? end : v->size) - start;
	}
	return bytes;
}
