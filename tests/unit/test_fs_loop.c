/*
 * The loop, with a kernel of our own: a pipe that requests come through. What
 * libfuse has for it is here in its place.
 */
#include "base/cleanup.h"
#include "fs/loop.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#define THREADS 4u

/* What a request is to do. */
enum { QUICK, HOLD, DOZE };

struct request {
	struct fuse_in_header in; /* nodeid: the above */
	struct fuse_read_in read;
};

static int kernel[2]; /* [0] is the loop's */
static int failure; /* what the kernel says instead of a request */
static atomic_bool exited;
static sem_t begun, go_on, done;
static _Atomic pthread_t server; /* of the last quick request */

int fuse_session_receive_buf(struct fuse_session *se HXS_UNUSED,
			     struct fuse_buf *buf)
{
	ssize_t n;

	if (failure)
		return failure;
	if (!buf->mem)
		buf->mem = malloc(sizeof(struct request));
	n = buf->mem ? read(kernel[0], buf->mem, sizeof(struct request)) : -1;
	return n < 0 ? -errno : (int)n;
}

void fuse_session_process_buf(struct fuse_session *se HXS_UNUSED,
			      const struct fuse_buf *buf)
{
	const struct request *r = buf->mem;
	uint64_t what = r->in.nodeid;

	if (what == HOLD) {
		(void)sem_post(&begun);
		while (sem_wait(&go_on) < 0)
			;
	}
	if (what == DOZE)
		(void)usleep(100);
	if (what == QUICK)
		atomic_store(&server, pthread_self());
	(void)sem_post(&done);
}

void fuse_session_exit(struct fuse_session *se HXS_UNUSED)
{
	atomic_store(&exited, true);
}

int fuse_session_exited(struct fuse_session *se HXS_UNUSED)
{
	return atomic_load(&exited);
}

/* ---- clients ------------------------------------------------------------- */

static void ask(uint64_t what, uint32_t opcode, uint32_t size)
{
	const struct request r = {
		.in = { .len = sizeof(r), .opcode = opcode, .nodeid = what },
		.read = { .size = size },
	};

	if (write(kernel[1], &r, sizeof(r)) != sizeof(r))
		abort();
}

static void await(sem_t *sem)
{
	while (sem_wait(sem) < 0)
		;
}

static void quick(void)
{
	ask(QUICK, FUSE_LOOKUP, 0);
	await(&done);
}

static struct hxfs_loop *loop;
static pthread_t runner;

static void *run(void *arg HXS_UNUSED)
{
	return (void *)(intptr_t)hxfs_loop_run(loop);
}

static void begin(void)
{
	atomic_store(&exited, false);
	if (pipe(kernel) < 0 || sem_init(&begun, 0, 0) < 0 ||
	    sem_init(&go_on, 0, 0) < 0 || sem_init(&done, 0, 0) < 0 ||
	    hxfs_loop_new(NULL, THREADS, &loop) < 0 ||
	    pthread_create(&runner, NULL, run, NULL) != 0)
		abort();
}

static int finish(void)
{
	void *r;

	(void)pthread_join(runner, &r);
	hxfs_loop_free(loop);
	(void)close(kernel[0]);
	if (kernel[1] >= 0)
		(void)close(kernel[1]);
	return (int)(intptr_t)r;
}

/* ---- tests --------------------------------------------------------------- */

/* On a busy machine a thread may rest in the middle of a request. */
static void test_one_thread(void)
{
	pthread_t last;
	int i, changes = 0;

	begin();
	quick();
	last = atomic_load(&server);
	for (i = 0; i < 1000; i++) {
		quick();
		changes += !pthread_equal(last, atomic_load(&server));
		last = atomic_load(&server);
	}
	ok(changes < 100, "one thread answers one after the other (%d changes)",
	   changes);
	hxfs_loop_end(loop);
	is_int(finish(), 0, "it ends when it is told to");
}

static void test_long(void)
{
	unsigned i;

	begin();
	ask(HOLD, FUSE_LOOKUP, 0);
	await(&begun);
	quick();
	ok(true, "a request that takes long, by surprise, holds up nobody");
	ask(HOLD, FUSE_READ, 1u << 20);
	await(&begun);
	quick();
	ok(true, "nor does one that was expected to");
	ask(DOZE, FUSE_OPEN, 0);
	await(&done);
	ask(HOLD, FUSE_OPEN, 0);
	await(&begun);
	quick();
	ok(true, "nor one after others that had to wait");
	ask(HOLD, FUSE_READ, 4096);
	await(&begun);
	ask(QUICK, FUSE_LOOKUP, 0);
	for (i = 0; i < THREADS; i++)
		(void)sem_post(&go_on);
	for (i = 0; i < THREADS + 1; i++)
		await(&done);
	ok(true, "when all threads are held, the next waits for one of them");
	for (i = 0; i < 100; i++)
		quick();
	ok(true, "and all goes on as before");
	hxfs_loop_end(loop);
	hxfs_loop_end(loop);
	is_int(finish(), 0, "ended twice");
}

/* Everything at once. */
static void test_many(void)
{
	static const uint32_t sizes[] = { 0, 4096, 1u << 20 };
	static const uint32_t ops[] = { FUSE_LOOKUP, FUSE_OPEN, FUSE_READ };
	int i;

	begin();
	for (i = 0; i < 20000; i++) {
		ask(i % 50 == 0 ? DOZE : QUICK, ops[i % 3], sizes[i / 3 % 3]);
		if (i % 7 == 0)
			(void)sem_trywait(&done);
	}
	(void)close(kernel[1]);
	kernel[1] = -1;
	is_int(finish(), 0, "the mount is gone: it ends by itself");
}

static void test_end_while_held(void)
{
	begin();
	ask(HOLD, FUSE_LOOKUP, 0);
	await(&begun);
	hxfs_loop_end(loop);
	(void)sem_post(&go_on);
	is_int(finish(), 0, "it waits for the request that is under way");
	ok(sem_trywait(&done) == 0, "which was answered");
}

static void test_failures(void)
{
	failure = -EIO;
	begin();
	is_int(finish(), -EIO, "the kernel cannot be read from");
	failure = 0;
	if (hxfs_loop_new(NULL, THREADS, &loop) < 0)
		abort();
	hxfs_loop_end(loop);
	is_int(hxfs_loop_run(loop), 0, "ended before it began");
	hxfs_loop_free(loop);
	hxfs_loop_free(NULL);
}

int main(void)
{
	test_one_thread();
	test_long();
	test_many();
	test_end_while_held();
	test_failures();
	return tap_done();
}
