#ifndef TESTS_BENCH_SUM_H
#define TESTS_BENCH_SUM_H

/*
 * What the measuring programs share: a clock, a way to give up, and a sum
 * that every byte read goes into, so that nothing can be skipped and two
 * trees that read differently are found out.
 */
#include <err.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static inline double bench_now(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
		err(2, "clock_gettime");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline uint64_t bench_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ (x >> 32);
}

/*
 * A running sum over bytes. Each step is a bijection of the state for a given
 * word and of the word for a given state: one wrong byte always shows. Eight
 * lanes, so that it is several times as fast as memory is copied.
 */
struct bench_sum {
	uint64_t lane[8];
	uint64_t bytes;
};

static inline void bench_sum_init(struct bench_sum *s, uint64_t seed)
{
	unsigned i;

	for (i = 0; i < 8; i++)
		s->lane[i] = bench_mix(seed + i);
	s->bytes = 0;
}

/* The way the bytes are cut into calls matters unless cuts are at 64 bytes. */
static inline void bench_sum_add(struct bench_sum *s, const void *data,
				 size_t len)
{
	const unsigned char *p = data;
	uint64_t w[8];
	unsigned i;

	s->bytes += len;
	for (; len >= 64; len -= 64, p += 64) {
		memcpy(w, p, 64);
		for (i = 0; i < 8; i++)
			s->lane[i] = s->lane[i] * 0x9e3779b97f4a7c15u + w[i];
	}
	if (len) {
		memset(w, 0, sizeof(w));
		memcpy(w, p, len);
		for (i = 0; i < 8; i++)
			s->lane[i] = s->lane[i] * 0x9e3779b97f4a7c15u + w[i];
	}
}

static inline uint64_t bench_sum_end(const struct bench_sum *s)
{
	uint64_t x = bench_mix(s->bytes);
	unsigned i;

	for (i = 0; i < 8; i++)
		x = bench_mix(x ^ s->lane[i]);
	return x;
}

static inline uint64_t bench_sum_string(uint64_t seed, const char *s)
{
	struct bench_sum sum;

	bench_sum_init(&sum, seed);
	bench_sum_add(&sum, s, strlen(s));
	return bench_sum_end(&sum);
}

#endif
