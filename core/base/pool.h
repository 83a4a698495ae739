#ifndef HXS_BASE_POOL_H
#define HXS_BASE_POOL_H

/* A few worker threads behind a bounded queue. */
#include "base/cleanup.h"
#include "base/err.h"

struct hxs_pool;

/* Threads that keep this machine's processors busy: at least 1. */
unsigned hxs_pool_processors(void);

/*
 * Start @threads workers; at most @queue jobs wait (both at least 1).
 * -ENOMEM or -EAGAIN when threads cannot be had.
 */
HXS_MUST_CHECK
int hxs_pool_new(unsigned threads, unsigned queue, struct hxs_pool **out);

/*
 * Start as many workers as do well: @wanted, or if that is 0 two a processor,
 * since some wait for a disk, and at least 4. Fewer, and at least 1, where the
 * limit on open files leaves too few for @fds_spare and @fds_each of every
 * worker, or that on processes for so many. Errors as above.
 */
HXS_MUST_CHECK
int hxs_pool_start(unsigned wanted, unsigned fds_spare, unsigned fds_each,
		   struct hxs_pool **out, struct hxs_err *err);

/* Run @fn(@arg) on a worker; waits while the queue is full. */
void hxs_pool_submit(struct hxs_pool *pool, void (*fn)(void *arg), void *arg);

/* Wait until every job submitted so far has ended. */
void hxs_pool_wait(struct hxs_pool *pool);

/* Wait, then end the workers. Takes NULL. */
void hxs_pool_free(struct hxs_pool *pool);
HXS_AUTO_DEFINE(pool, struct hxs_pool *, hxs_pool_free)

#endif
