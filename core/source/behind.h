#ifndef HXS_SOURCE_BEHIND_H
#define HXS_SOURCE_BEHIND_H

/*
 * Hashing on a second processor, one step behind the thread that reads and
 * writes: for large files, where a backup of one would else take as long as
 * reading, writing and hashing it together.
 *
 * A buffer is filled, handed over for hashing, and may be read meanwhile (to
 * write it) until the next one is asked for.
 */
#include "format/chain.h"

#include <stddef.h>

#define HXS_BEHIND_BUFFER (512u << 10)

struct hxs_behind;

/* Start one that feeds @maker. -ENOMEM, -EAGAIN. */
HXS_MUST_CHECK
int hxs_behind_new(struct hxs_chain_maker *maker, struct hxs_behind **out);

/* A buffer of HXS_BEHIND_BUFFER bytes; waits until one is free. */
char *hxs_behind_buffer(struct hxs_behind *b);

/* Hash the first @len bytes of the buffer got last. */
void hxs_behind_push(struct hxs_behind *b, size_t len);

/* Wait until all of it is hashed: 0, or -ENOMEM if some of it was not. */
HXS_MUST_CHECK
int hxs_behind_wait(struct hxs_behind *b);

/* Wait, and end it. Takes NULL. */
void hxs_behind_free(struct hxs_behind *b);
HXS_AUTO_DEFINE(behind, struct hxs_behind *, hxs_behind_free)

#endif
