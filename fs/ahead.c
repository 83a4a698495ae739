#include "fs/ahead.h"

#include "fs/slots.h"

#include <errno.h>
#include <stdlib.h>

#define THREADS 8u /* they wait for the disk, not for a processor */
#define QUEUE 256u
#define WINDOW 64u /* entries ahead of the one opened */
#define SLOW 100e-6 /* seconds: longer than what lies in memory takes */
#define CREDIT 64 /* opens for which one slow one is remembered */

struct wish {
	uint32_t slot, entry;
};

struct hxfs_ahead {
	struct hxfs *fs;
	atomic_int credit;
	pthread_mutex_t lock;
	pthread_cond_t wished;
	/* guarded by lock */
	struct wish queue[QUEUE]; /* a ring */
	unsigned first, count;
	uint32_t slot, last, until; /* where opening goes on in order */
	pthread_t thread[THREADS];
	unsigned threads;
	bool stop;
};

int hxfs_ahead_new(struct hxfs *fs, struct hxfs_ahead **out)
{
	struct hxfs_ahead *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->fs = fs;
	atomic_init(&a->credit, 0);
	(void)pthread_mutex_init(&a->lock, NULL); /* no attributes: works */
	(void)pthread_cond_init(&a->wished, NULL);
	*out = a;
	return 0;
}

void hxfs_ahead_free(struct hxfs_ahead *a)
{
	unsigned i;

	if (!a)
		return;
	(void)pthread_mutex_lock(&a->lock);
	a->stop = true;
	(void)pthread_cond_broadcast(&a->wished);
	(void)pthread_mutex_unlock(&a->lock);
	for (i = 0; i < a->threads; i++)
		(void)pthread_join(a->thread[i], NULL);
	(void)pthread_cond_destroy(&a->wished);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}

static void fetch(struct hxfs *fs, const struct wish *w)
{
	struct hxfs_slot *s;

	if (hxfs_slots_enter(fs, w->slot, HXFS_NOW, &s, NULL) < 0)
		return; /* it has been dropped meanwhile */
	hxs_content_prefetch(s->snap, w->entry);
	hxfs_slots_leave(fs, s);
}

static void *run(void *arg)
{
	struct hxfs_ahead *a = arg;
	struct wish w;

	(void)pthread_mutex_lock(&a->lock);
	for (;;) {
		while (!a->stop && a->count == 0)
			(void)pthread_cond_wait(&a->wished, &a->lock);
		if (a->stop)
			break;
		w = a->queue[a->first];
		a->first = (a->first + 1) % QUEUE;
		a->count--;
		(void)pthread_mutex_unlock(&a->lock);
		fetch(a->fs, &w);
		(void)pthread_mutex_lock(&a->lock);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* With the lock held. */
static void start_threads(struct hxfs_ahead *a)
{
	while (a->threads < THREADS &&
	       pthread_create(&a->thread[a->threads], NULL, run, a) == 0)
		a->threads++;
}

/* With the lock held: wish for the entries up to @end that are not yet. */
static void wish_until(struct hxfs_ahead *a, uint32_t end)
{
	uint32_t n = a->until > a->last ? a->until : a->last + 1;

	if (n > a->last + 1 + WINDOW / 2 || n >= end)
		return; /* enough is fetched: wake nobody for one file */
	for (; n < end && a->count < QUEUE; n++)
		a->queue[(a->first + a->count++) % QUEUE] =
			(struct wish){ a->slot, n };
	a->until = n;
	(void)pthread_cond_broadcast(&a->wished);
}

/* One past the last entry of @n's directory. */
static uint32_t directory_end(const struct hxfs_slot *s, uint32_t n)
{
	const struct hxs_index *idx = hxs_snapshot_index(s->snap);
	struct hxs_node node, dir;

	hxs_index_get(idx, n, &node);
	hxs_index_get(idx, node.parent, &dir);
	return dir.first_child + dir.child_count;
}

void hxfs_ahead_opened(struct hxfs_ahead *a, struct hxfs_slot *s, uint32_t n)
{
	bool in_order;
	uint32_t end;

	if (n >= HXS_ENTRY_INDEX || atomic_load(&a->credit) <= 0)
		return;
	atomic_fetch_sub(&a->credit, 1);
	end = directory_end(s, n);
	if (end > n + WINDOW)
		end = n + WINDOW;
	(void)pthread_mutex_lock(&a->lock);
	in_order = a->slot == s->number && n > a->last && n - a->last <= 8;
	if (a->slot != s->number || n >= a->until || n < a->last)
		a->until = 0;
	a->slot = s->number;
	a->last = n;
	if (in_order) {
		start_threads(a);
		wish_until(a, end);
	}
	(void)pthread_mutex_unlock(&a->lock);
}

void hxfs_ahead_took(struct hxfs_ahead *a, double seconds)
{
	if (seconds > SLOW)
		atomic_store(&a->credit, CREDIT);
}
