#include "source/behind.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#define BUFFERS 4

struct hxs_behind {
	struct hxs_chain_maker *maker; /* the thread's while it has work */
	pthread_t thread;
	char *mem;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* all below guarded by lock */
	size_t len[BUFFERS];
	unsigned first, count; /* a ring of what waits for hashing */
	int status;
	bool ending;
};

static void *run(void *arg)
{
	struct hxs_behind *b = arg;
	unsigned at;
	size_t len;
	int r;

	(void)pthread_mutex_lock(&b->lock); /* cannot fail: a plain mutex */
	for (;;) {
		while (b->count == 0 && !b->ending)
			(void)pthread_cond_wait(&b->changed, &b->lock);
		if (b->count == 0)
			break;
		at = b->first;
		len = b->len[at];
		r = b->status;
		(void)pthread_mutex_unlock(&b->lock);
		if (r == 0)
			r = hxs_chain_maker_data(
				b->maker,
				b->mem + (size_t)at * HXS_BEHIND_BUFFER, len);
		(void)pthread_mutex_lock(&b->lock);
		b->status = r;
		b->first = (b->first + 1) % BUFFERS;
		b->count--;
		(void)pthread_cond_broadcast(&b->changed);
	}
	(void)pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* Signals are for the thread that set the program up, not for this one. */
static int start(struct hxs_behind *b)
{
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&b->thread, NULL, run, b);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

static void release(struct hxs_behind *b)
{
	(void)pthread_cond_destroy(&b->changed);
	(void)pthread_mutex_destroy(&b->lock);
	free(b->mem);
	free(b);
}

int hxs_behind_new(struct hxs_chain_maker *maker, struct hxs_behind **out)
{
	struct hxs_behind *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->maker = maker;
	(void)pthread_mutex_init(&b->lock, NULL); /* cannot fail on Linux */
	(void)pthread_cond_init(&b->changed, NULL);
	b->mem = malloc((size_t)BUFFERS * HXS_BEHIND_BUFFER);
	r = b->mem ? start(b) : -ENOMEM;
	if (r < 0) {
		release(b);
		return r;
	}
	*out = b;
	return 0;
}

char *hxs_behind_buffer(struct hxs_behind *b)
{
	unsigned at;

	(void)pthread_mutex_lock(&b->lock);
	while (b->count == BUFFERS)
		(void)pthread_cond_wait(&b->changed, &b->lock);
	at = (b->first + b->count) % BUFFERS;
	(void)pthread_mutex_unlock(&b->lock);
	return b->mem + (size_t)at * HXS_BEHIND_BUFFER;
}

void hxs_behind_push(struct hxs_behind *b, size_t len)
{
	(void)pthread_mutex_lock(&b->lock);
	b->len[(b->first + b->count) % BUFFERS] = len;
	b->count++;
	(void)pthread_cond_broadcast(&b->changed);
	(void)pthread_mutex_unlock(&b->lock);
}

int hxs_behind_wait(struct hxs_behind *b)
{
	int r;

	(void)pthread_mutex_lock(&b->lock);
	while (b->count)
		(void)pthread_cond_wait(&b->changed, &b->lock);
	r = b->status;
	(void)pthread_mutex_unlock(&b->lock);
	return r;
}

void hxs_behind_free(struct hxs_behind *b)
{
	if (!b)
		return;
	(void)pthread_mutex_lock(&b->lock);
	b->ending = true;
	(void)pthread_cond_broadcast(&b->changed);
	(void)pthread_mutex_unlock(&b->lock);
	(void)pthread_join(b->thread, NULL); /* cannot fail */
	release(b);
}
