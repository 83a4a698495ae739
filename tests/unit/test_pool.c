#include "base/pool.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define JOBS 6000

static atomic_int done;

struct cell {
	int in, out; /* written by a worker, read after the wait: no lock */
	bool signals_blocked;
};

static void square(void *arg)
{
	struct cell *c = arg;
	sigset_t set;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &set);
	c->signals_blocked = sigismember(&set, SIGTERM) == 1;
	c->out = c->in * c->in;
	atomic_fetch_add(&done, 1);
}

static void run(unsigned threads, unsigned queue)
{
	HXS_AUTO_FREE struct cell *cells = calloc(JOBS, sizeof(*cells));
	HXS_AUTO(pool) struct hxs_pool *pool = NULL;
	int i, wrong = 0, visible = 0;

	if (hxs_pool_new(threads, queue, &pool) < 0 || !cells) {
		ok(false, "pool of %u threads", threads);
		return;
	}
	hxs_pool_wait(pool); /* nothing to wait for: must return */
	for (i = 0; i < JOBS; i++) {
		cells[i].in = i % 1000;
		hxs_pool_submit(pool, square, &cells[i]);
		if (i % 1000 == 0) {
			hxs_pool_wait(pool);
			visible += cells[i].out == cells[i].in * cells[i].in;
		}
	}
	hxs_pool_wait(pool);
	for (i = 0; i < JOBS; i++)
		wrong += cells[i].out != cells[i].in * cells[i].in ||
			 !cells[i].signals_blocked;
	is_int(wrong, 0,
	       "%u threads, queue of %u: every job ran once, and no "
	       "signal for workers",
	       threads, queue);
	is_int(visible, JOBS / 1000, "after a wait the results are there");
}

static void count_up(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

struct submitter {
	struct hxs_pool *pool;
	atomic_int *counter;
};

static void *submit_many(void *arg)
{
	struct submitter *s = arg;

	for (int i = 0; i < JOBS / 4; i++)
		hxs_pool_submit(s->pool, count_up, s->counter);
	return NULL;
}

static void test_submitters(void)
{
	HXS_AUTO(pool) struct hxs_pool *pool = NULL;
	atomic_int counter = 0;
	struct submitter s = { NULL, &counter };
	pthread_t t[4];
	int n = 0;

	if (hxs_pool_new(3, 2, &pool) < 0) {
		ok(false, "a pool");
		return;
	}
	s.pool = pool;
	while (n < 4 && pthread_create(&t[n], NULL, submit_many, &s) == 0)
		n++;
	for (int i = 0; i < n; i++)
		(void)pthread_join(t[i], NULL);
	hxs_pool_wait(pool);
	is_int(atomic_load(&counter), n * (JOBS / 4),
	       "%d threads submit at once", n);
}

/* The first job holds the only worker until all others are in the queue. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void pass_gate(void *arg HXS_UNUSED)
{
	(void)pthread_mutex_lock(&gate);
	(void)pthread_mutex_unlock(&gate);
}

static void test_free(void)
{
	struct hxs_pool *pool = NULL;
	atomic_int counter = 0;

	hxs_pool_free(NULL);
	if (hxs_pool_new(1, 100, &pool) < 0) {
		ok(false, "a pool");
		return;
	}
	(void)pthread_mutex_lock(&gate);
	hxs_pool_submit(pool, pass_gate, NULL);
	for (int i = 0; i < 90; i++)
		hxs_pool_submit(pool, count_up, &counter);
	is_int(atomic_load(&counter), 0, "they wait");
	(void)pthread_mutex_unlock(&gate);
	hxs_pool_free(pool);
	is_int(atomic_load(&counter), 90, "free runs what waits");
}

int main(void)
{
	static const unsigned shapes[][2] = {
		{ 1, 1 }, { 1, 100 }, { 2, 1 }, { 4, 16 }, { 8, 3 }
	};
	struct hxs_pool *pool = NULL;
	sigset_t before, after;
	size_t i;

	ok(hxs_pool_processors() >= 1, "%u processors", hxs_pool_processors());
	is_int(hxs_pool_new(0, 1, &pool), -EINVAL, "no threads");
	is_int(hxs_pool_new(1, 0, &pool), -EINVAL, "no queue");
	ok(pool == NULL, "and nothing written");
	(void)pthread_sigmask(SIG_SETMASK, NULL, &before);
	for (i = 0; i < HXS_ARRAY_LEN(shapes); i++)
		run(shapes[i][0], shapes[i][1]);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &after);
	ok(sigismember(&before, SIGTERM) == sigismember(&after, SIGTERM),
	   "the caller's signals are as they were");
	is_int(atomic_load(&done), JOBS * (int)HXS_ARRAY_LEN(shapes),
	       "no job twice");
	test_submitters();
	test_free();
	return tap_done();
}
