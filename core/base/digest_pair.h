#ifndef HXS_BASE_DIGEST_PAIR_H
#define HXS_BASE_DIGEST_PAIR_H

/* Two runs of SHA-256 side by side. For digest.c only. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether this processor can. */
bool hxs_digest_can_pair(void);

/*
 * Carry states @a and @b, eight words each, over @chunks chunks of 64 bytes
 * at @data_a and @data_b. Only where the processor can.
 */
void hxs_digest_pair(uint32_t a[8], uint32_t b[8], const void *data_a,
		     const void *data_b, size_t chunks);

#endif
