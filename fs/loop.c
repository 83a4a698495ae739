#include "fs/loop.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define WAKE_SIGNAL SIGUSR2 /* ends the wait for a request */
#define PERIOD 10 /* milliseconds after which a request has taken long */
#define MUCH (32u << 10) /* bytes that take a while to read and hash */
#define WARY 32 /* requests after one that had to wait for the disk */

/* One thread; what it reads requests into outlives it. */
struct thread {
	struct hxfs_loop *loop;
	struct thread *next;
	pthread_t id;
	struct fuse_buf buf;
};

struct hxfs_loop {
	struct fuse_session *se;
	unsigned max;

	/*
	 * Who leads does so for a term. Whoever raises the number ends it,
	 * and takes the lead or has made it vacant.
	 */
	atomic_uint term;
	atomic_uint busy; /* the term whose leader is in a request; or 0 */
	atomic_uint served; /* requests that leaders have answered */
	atomic_bool unwatched; /* the guard sleeps, or there is none */
	atomic_uint wary; /* so many requests more may wait for the disk */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t to_follow, to_guard, to_end;
	struct thread *threads;
	unsigned count, following; /* the guard is one who follows */
	bool vacant, guarded, ended;
	int status;
};

static void lock(struct hxfs_loop *l)
{
	(void)pthread_mutex_lock(&l->lock); /* a plain mutex: cannot fail */
}

static void unlock(struct hxfs_loop *l)
{
	(void)pthread_mutex_unlock(&l->lock);
}

/* ---- the whole ----------------------------------------------------------- */

int hxfs_loop_new(struct fuse_session *se, unsigned threads,
		  struct hxfs_loop **out)
{
	struct hxfs_loop *l = calloc(1, sizeof(*l));
	pthread_condattr_t attr;

	if (!l)
		return -ENOMEM;
	l->se = se;
	l->max = threads;
	l->vacant = true;
	atomic_init(&l->term, 1);
	atomic_init(&l->unwatched, true);
	/* None of these can fail with what they are given. */
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&l->to_guard, &attr);
	(void)pthread_condattr_destroy(&attr);
	(void)pthread_cond_init(&l->to_follow, NULL);
	(void)pthread_cond_init(&l->to_end, NULL);
	*out = l;
	return 0;
}

void hxfs_loop_free(struct hxfs_loop *l)
{
	struct thread *t;

	if (!l)
		return;
	while ((t = l->threads) != NULL) {
		l->threads = t->next;
		free(t->buf.mem);
		free(t);
	}
	(void)pthread_cond_destroy(&l->to_end);
	(void)pthread_cond_destroy(&l->to_follow);
	(void)pthread_cond_destroy(&l->to_guard);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

/* With the lock held. */
static void end(struct hxfs_loop *l, int status)
{
	if (l->ended)
		return;
	l->ended = true;
	l->status = status;
	fuse_session_exit(l->se);
	(void)pthread_cond_broadcast(&l->to_follow);
	(void)pthread_cond_broadcast(&l->to_guard);
	(void)pthread_cond_broadcast(&l->to_end);
}

void hxfs_loop_end(struct hxfs_loop *l)
{
	lock(l);
	end(l, 0);
	unlock(l);
}

/* ---- following ----------------------------------------------------------- */

static void add_period(struct timespec *t)
{
	t->tv_nsec += PERIOD * 1000000;
	if (t->tv_nsec >= 1000000000) {
		t->tv_nsec -= 1000000000;
		t->tv_sec++;
	}
}

/* With the lock held: whether a whole period went by. */
static bool nap(struct hxfs_loop *l)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	add_period(&until);
	return pthread_cond_timedwait(&l->to_guard, &l->lock, &until) ==
	       ETIMEDOUT;
}

/* With the lock held: until a leader begins with a request and wakes us. */
static void sleep_long(struct hxfs_loop *l)
{
	atomic_store(&l->unwatched, true);
	/* A leader that did not see that is seen here. */
	if (atomic_load(&l->busy) == 0)
		(void)pthread_cond_wait(&l->to_guard, &l->lock);
	atomic_store(&l->unwatched, false);
}

/*
 * With the lock held: watch the leader until there is none, or it is in one
 * request for so long that the lead is taken from it.
 */
static void guard(struct hxfs_loop *l)
{
	unsigned served, busy, term;
	bool idle = false, still;

	l->guarded = true;
	atomic_store(&l->unwatched, false);
	while (!l->vacant && !l->ended) {
		served = atomic_load(&l->served);
		busy = term = atomic_load(&l->busy);
		if (idle) {
			sleep_long(l);
			idle = false;
			continue;
		}
		if (!nap(l))
			continue;
		still = served == atomic_load(&l->served) &&
			busy == atomic_load(&l->busy);
		idle = still && busy == 0;
		if (still && busy != 0 &&
		    atomic_compare_exchange_strong(&l->term, &term, term + 1))
			l->vacant = true; /* for us */
	}
	atomic_store(&l->unwatched, true);
	l->guarded = false;
	(void)pthread_cond_signal(&l->to_follow); /* somebody else guards */
}

/* Wait for the lead: true with the term, false at the end. */
static bool follow(struct hxfs_loop *l, unsigned *term)
{
	bool leads;

	lock(l);
	l->following++;
	while (!l->vacant && !l->ended) {
		if (l->guarded)
			(void)pthread_cond_wait(&l->to_follow, &l->lock);
		else
			guard(l);
	}
	l->following--;
	leads = !l->ended;
	l->vacant = false;
	*term = atomic_load(&l->term);
	unlock(l);
	return leads;
}

/* ---- leading ------------------------------------------------------------- */

static void *work(void *arg);

/* With the lock held. Without another thread those that are there go on. */
static void add_thread(struct hxfs_loop *l)
{
	struct thread *t;

	if (l->count == l->max)
		return;
	t = calloc(1, sizeof(*t));
	if (!t)
		return;
	t->loop = l;
	if (pthread_create(&t->id, NULL, work, t) != 0) {
		free(t);
		return;
	}
	t->next = l->threads;
	l->threads = t;
	l->count++;
}

/* Let somebody else lead. */
static void pass_on(struct hxfs_loop *l, unsigned term)
{
	unsigned ours = term;

	/* Unless it was taken from us just now. */
	if (!atomic_compare_exchange_strong(&l->term, &ours, term + 1))
		return;
	lock(l);
	l->vacant = true;
	if (l->following > (l->guarded ? 1u : 0u))
		(void)pthread_cond_signal(&l->to_follow);
	else if (l->following)
		(void)pthread_cond_signal(&l->to_guard);
	else
		add_thread(l);
	unlock(l);
}

static void wake_guard(struct hxfs_loop *l)
{
	lock(l);
	/* There is none yet, or all are at work. */
	if (!l->following)
		add_thread(l);
	(void)pthread_cond_signal(&l->to_guard);
	unlock(l);
}

static bool is_of_disk(const struct fuse_in_header *in)
{
	return in->opcode == FUSE_OPEN || in->opcode == FUSE_READ;
}

static bool is_long(struct hxfs_loop *l, const struct fuse_in_header *in)
{
	const struct fuse_read_in *read = (const void *)(in + 1);

	if (in->opcode == FUSE_READ && in->len >= sizeof(*in) + sizeof(*read) &&
	    read->size > MUCH)
		return true;
	return is_of_disk(in) &&
	       atomic_load_explicit(&l->wary, memory_order_relaxed) > 0;
}

/* How often this thread has waited for something. */
static long waits(void)
{
	struct rusage u;

	return getrusage(RUSAGE_THREAD, &u) == 0 ? u.ru_nvcsw : 0;
}

/* Answer @in, which needs the disk, and note whether it had to wait for it. */
static void serve_from_disk(struct hxfs_loop *l, struct thread *t)
{
	unsigned wary = atomic_load(&l->wary);
	long before = waits();

	fuse_session_process_buf(l->se, &t->buf);
	if (waits() != before)
		atomic_store(&l->wary, WARY);
	else if (wary > 0) /* another thread may do so as well: no matter */
		atomic_store(&l->wary, wary - 1);
}

/*
 * Who has lost the lead a moment ago may not have noticed; it must not take
 * the place of the one who leads now.
 */
static void begin(struct hxfs_loop *l, unsigned term)
{
	unsigned busy = atomic_load(&l->busy);

	while (atomic_load(&l->term) == term &&
	       !atomic_compare_exchange_weak(&l->busy, &busy, term))
		;
}

static void serve(struct hxfs_loop *l, struct thread *t, unsigned term)
{
	const struct fuse_in_header *in = t->buf.mem;
	unsigned ours = term;

	if (is_long(l, in)) {
		pass_on(l, term);
	} else {
		begin(l, term);
		if (atomic_load(&l->unwatched))
			wake_guard(l);
	}
	if (is_of_disk(in))
		serve_from_disk(l, t);
	else
		fuse_session_process_buf(l->se, &t->buf);
	atomic_fetch_add(&l->served, 1);
	/* Another leader's is not ours to change. */
	(void)atomic_compare_exchange_strong(&l->busy, &ours, 0);
}

/* Take requests as long as @term lasts. */
static void lead(struct hxfs_loop *l, struct thread *t, unsigned term)
{
	int r;

	do {
		r = fuse_session_receive_buf(l->se, &t->buf);
		if (r > 0)
			serve(l, t, term);
		if ((r <= 0 && r != -EINTR && r != -EAGAIN) ||
		    fuse_session_exited(l->se)) {
			lock(l);
			/* Unmounted by force is unmounted. */
			end(l, r < 0 && r != -ECONNABORTED ? r : 0);
			unlock(l);
			return;
		}
	} while (atomic_load(&l->term) == term);
}

static void *work(void *arg)
{
	struct thread *t = arg;
	unsigned term;

	while (follow(t->loop, &term))
		lead(t->loop, t, term);
	return NULL;
}

/* ---- all of it ----------------------------------------------------------- */

static void on_wake(int sig HXS_UNUSED)
{
}

/*
 * Wait for the end of @t, which may be waiting for a request. Only a signal
 * interrupts that, and one that comes a moment before is lost: so send it
 * until the thread has ended.
 */
static void join(struct thread *t)
{
	struct timespec until;

	do {
		(void)pthread_kill(t->id, WAKE_SIGNAL);
		(void)clock_gettime(CLOCK_REALTIME, &until);
		add_period(&until);
	} while (pthread_timedjoin_np(t->id, NULL, &until) != 0);
}

int hxfs_loop_run(struct hxfs_loop *l)
{
	struct sigaction wake = { .sa_handler = on_wake };
	struct thread *t;
	unsigned count;

	(void)sigaction(WAKE_SIGNAL, &wake, NULL);
	lock(l);
	add_thread(l);
	if (l->count == 0)
		end(l, -EAGAIN);
	while (!l->ended)
		(void)pthread_cond_wait(&l->to_end, &l->lock);
	count = l->count;
	l->max = count; /* no more of them */
	unlock(l);
	for (t = l->threads; t; t = t->next)
		join(t);
	return l->status;
}
