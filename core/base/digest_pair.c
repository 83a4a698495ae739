/*
 * A round of SHA-256 has to wait for the one before it, for longer than the
 * processor needs to begin the next. Two blocks that do not depend on one
 * another fill that time: a third more bytes a second. OpenSSL has no
 * interface for that, so this uses the processor's instructions itself; what
 * checks a block alone (digest.h) makes the blocks independent.
 */
#include "base/digest_pair.h"

#include "base/cleanup.h"

#include <assert.h>

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

#define CAN __attribute__((target("sha,sse4.1,ssse3")))
#define SHA_BIT (1u << 29) /* leaf 7, EBX */
#define SSE_BITS (1u << 19 | 1u << 9) /* leaf 1, ECX: SSE4.1, SSSE3 */

enum { UNKNOWN, NO, YES };

bool hxs_digest_can_pair(void)
{
	static atomic_int known; /* asking is slow in a virtual machine */
	int answer = atomic_load_explicit(&known, memory_order_relaxed);
	unsigned a, b, c, d;

	if (answer == UNKNOWN) {
		answer = __get_cpuid(1, &a, &b, &c, &d) &&
					 (c & SSE_BITS) == SSE_BITS &&
					 __get_cpuid_count(7, 0, &a, &b, &c,
							   &d) &&
					 (b & SHA_BIT)
				 ? YES
				 : NO;
		atomic_store_explicit(&known, answer, memory_order_relaxed);
	}
	return answer == YES;
}

/* FIPS 180-4, 4.2.2 */
static const uint32_t round_constant[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The eight words as the instructions want them, and 16 of the message. */
struct lane {
	__m128i abef, cdgh, word[4];
};

CAN static inline void load(struct lane *l, const uint32_t state[8])
{
	__m128i dcba = _mm_loadu_si128((const __m128i *)state);
	__m128i hgfe = _mm_loadu_si128((const __m128i *)(state + 4));

	dcba = _mm_shuffle_epi32(dcba, 0xb1);
	hgfe = _mm_shuffle_epi32(hgfe, 0x1b);
	l->abef = _mm_alignr_epi8(dcba, hgfe, 8);
	l->cdgh = _mm_blend_epi16(hgfe, dcba, 0xf0);
}

CAN static inline void store(const struct lane *l, uint32_t state[8])
{
	__m128i feba = _mm_shuffle_epi32(l->abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(l->cdgh, 0xb1);

	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4),
			 _mm_alignr_epi8(dchg, feba, 8));
}

CAN static inline void read_chunk(struct lane *l, const uint8_t *data)
{
	const __m128i swap =
		_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	unsigned i;

	for (i = 0; i < 4; i++)
		l->word[i] = _mm_shuffle_epi8(_mm_loadu_si128((
						      const __m128i *)(data +
								       16 * i)),
					      swap);
}

/* Rounds 4 * @n and the three after; then what round 4 * @n + 16 needs. */
CAN static inline void four_rounds(struct lane *l, unsigned n)
{
	const __m128i *k = (const __m128i *)(round_constant + (size_t)4 * n);
	__m128i *w = &l->word[n % 4], *w1 = &l->word[(n + 1) % 4],
		*w2 = &l->word[(n + 2) % 4], *w3 = &l->word[(n + 3) % 4];
	__m128i sum = _mm_add_epi32(*w, _mm_load_si128(k));

	l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, sum);
	sum = _mm_shuffle_epi32(sum, 0x0e);
	l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, sum);
	if (n >= 12)
		return;
	sum = _mm_add_epi32(_mm_sha256msg1_epu32(*w, *w1),
			    _mm_alignr_epi8(*w3, *w2, 4));
	*w = _mm_sha256msg2_epu32(sum, *w3);
}

CAN void hxs_digest_pair(uint32_t a[8], uint32_t b[8], const void *data_a,
			 const void *data_b, size_t chunks)
{
	const uint8_t *from_a = data_a, *from_b = data_b;
	struct lane la, lb, was_a, was_b;
	unsigned n;

	load(&la, a);
	load(&lb, b);
	for (; chunks; chunks--, from_a += 64, from_b += 64) {
		was_a = la;
		was_b = lb;
		read_chunk(&la, from_a);
		read_chunk(&lb, from_b);
#pragma GCC unroll 16
		for (n = 0; n < 16; n++) {
			four_rounds(&la, n);
			four_rounds(&lb, n);
		}
		la.abef = _mm_add_epi32(la.abef, was_a.abef);
		la.cdgh = _mm_add_epi32(la.cdgh, was_a.cdgh);
		lb.abef = _mm_add_epi32(lb.abef, was_b.abef);
		lb.cdgh = _mm_add_epi32(lb.cdgh, was_b.cdgh);
	}
	store(&la, a);
	store(&lb, b);
}

#else

bool hxs_digest_can_pair(void)
{
	return false;
}

void hxs_digest_pair(uint32_t a[8] HXS_UNUSED, uint32_t b[8] HXS_UNUSED,
		     const void *data_a HXS_UNUSED,
		     const void *data_b HXS_UNUSED, size_t chunks HXS_UNUSED)
{
	assert(!"this processor cannot");
}

#endif
