#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

#define STACK_BYTES (1024 * 1024) /* eight times less than the usual one */

struct job {
	void (*fn)(void *arg);
	void *arg;
};

struct hxs_pool {
	pthread_mutex_t lock;
	pthread_cond_t work; /* a job came, or the end */
	pthread_cond_t room; /* a place in the queue came free */
	pthread_cond_t idle; /* nothing waits and nothing runs */
	/* all below guarded by lock, but for threads and nthreads */
	struct job *queue; /* a ring */
	unsigned size, first, count;
	unsigned running;
	bool ending;
	pthread_t *threads;
	unsigned nthreads;
};

unsigned hxs_pool_processors(void)
{
	cpu_set_t set;
	long n;

	/* The ones we may run on; a container often has fewer than there are */
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	else
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : (unsigned)n;
}

static void *worker(void *arg)
{
	struct hxs_pool *p = arg;
	struct job job;

	(void)pthread_mutex_lock(&p->lock); /* cannot fail: a plain mutex */
	for (;;) {
		while (p->count == 0 && !p->ending)
			(void)pthread_cond_wait(&p->work, &p->lock);
		if (p->count == 0)
			break;
		job = p->queue[p->first];
		p->first = (p->first + 1) % p->size;
		p->count--;
		p->running++;
		(void)pthread_cond_signal(&p->room);
		(void)pthread_mutex_unlock(&p->lock);
		job.fn(job.arg);
		(void)pthread_mutex_lock(&p->lock);
		p->running--;
		if (p->count == 0 && p->running == 0)
			(void)pthread_cond_broadcast(&p->idle);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

/*
 * Workers take no signals: SIGTERM and its like are for the thread that set
 * the program up. What a fault raises stays deliverable.
 */
static void block_signals(sigset_t *old)
{
	static const int faults[] = { SIGSEGV, SIGBUS,	SIGFPE, SIGILL,
				      SIGABRT, SIGTRAP, SIGSYS, SIGPROF };
	sigset_t set;
	size_t i;

	(void)sigfillset(&set);
	for (i = 0; i < HXS_ARRAY_LEN(faults); i++)
		(void)sigdelset(&set, faults[i]);
	(void)pthread_sigmask(SIG_SETMASK, &set, old);
}

static int start(struct hxs_pool *p, unsigned threads)
{
	pthread_attr_t attr;
	sigset_t old;
	int r;

	r = pthread_attr_init(&attr);
	if (r != 0)
		return -r;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES); /* else usual */
	block_signals(&old);
	while (r == 0 && p->nthreads < threads) {
		r = pthread_create(&p->threads[p->nthreads], &attr, worker, p);
		if (r == 0)
			p->nthreads++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return -r;
}

int hxs_pool_new(unsigned threads, unsigned queue, struct hxs_pool **out)
{
	HXS_AUTO(pool) struct hxs_pool *p = NULL;
	int r;

	if (threads < 1 || queue < 1)
		return -EINVAL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	/* None of the four can fail with default attributes on Linux. */
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->work, NULL);
	(void)pthread_cond_init(&p->room, NULL);
	(void)pthread_cond_init(&p->idle, NULL);
	p->size = queue;
	p->queue = calloc(queue, sizeof(*p->queue));
	p->threads = calloc(threads, sizeof(*p->threads));
	if (!p->queue || !p->threads)
		return -ENOMEM;
	r = start(p, threads);
	if (r < 0)
		return r;
	*out = HXS_STEAL(p);
	return 0;
}

static unsigned workers(unsigned wanted, unsigned fds_spare, unsigned fds_each)
{
	unsigned n = wanted;
	struct rlimit lim;

	if (n == 0) {
		n = 2 * hxs_pool_processors();
		if (n < 4)
			n = 4;
	}
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 &&
	    lim.rlim_cur < fds_spare + (rlim_t)n * fds_each)
		n = lim.rlim_cur < fds_spare + fds_each
			    ? 1
			    : (unsigned)((lim.rlim_cur - fds_spare) / fds_each);
	return n;
}

int hxs_pool_start(unsigned wanted, unsigned fds_spare, unsigned fds_each,
		   struct hxs_pool **out, struct hxs_err *err)
{
	unsigned threads = workers(wanted, fds_spare, fds_each);
	int r;

	r = hxs_pool_new(threads, 2 * threads, out);
	if (r == -EAGAIN && threads > 1) /* a limit on processes */
		r = hxs_pool_new(1, 2, out);
	return r < 0 ? hxs_err_errno(err, -r, "cannot start workers") : 0;
}

void hxs_pool_submit(struct hxs_pool *pool, void (*fn)(void *arg), void *arg)
{
	(void)pthread_mutex_lock(&pool->lock);
	while (pool->count == pool->size)
		(void)pthread_cond_wait(&pool->room, &pool->lock);
	pool->queue[(pool->first + pool->count) % pool->size] =
		(struct job){ fn, arg };
	pool->count++;
	(void)pthread_cond_signal(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
}

void hxs_pool_wait(struct hxs_pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	while (pool->count > 0 || pool->running > 0)
		(void)pthread_cond_wait(&pool->idle, &pool->lock);
	(void)pthread_mutex_unlock(&pool->lock);
}

void hxs_pool_free(struct hxs_pool *pool)
{
	unsigned i;

	if (!pool)
		return;
	(void)pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	(void)pthread_cond_broadcast(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
	for (i = 0; i < pool->nthreads; i++)
		(void)pthread_join(pool->threads[i], NULL); /* cannot fail */
	(void)pthread_cond_destroy(&pool->idle);
	(void)pthread_cond_destroy(&pool->room);
	(void)pthread_cond_destroy(&pool->work);
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool->queue);
	free(pool);
}
