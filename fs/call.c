#include "fs/mount.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "fs/mountinfo.h"
#include "fs/signals.h"

#include <errno.h>
#include <string.h>

/*
 * Work that nobody waits for goes on for so many milliseconds: a program that
 * was interrupted by a signal it handles asks again, and should find it done
 * some day.
 */
#define LINGER 2000
#define LOOK 100 /* milliseconds between looks at clients that had a signal */

static int64_t now_ms(void)
{
	return (int64_t)(hxs_clock_ticks() * 1000);
}

static void answer_interrupted(struct hxfs_call *c)
{
	atomic_store(&c->interrupted, now_ms());
	if (!atomic_exchange(&c->answered, true))
		(void)fuse_reply_err(c->req, EINTR); /* or it was unmounted */
}

/*
 * The kernel tells of one signal a request: a second one, which may be the
 * one that kills, has to be looked for.
 */
static void look_after_signalled(struct hxfs_mount *m)
{
	int64_t now = now_ms(), before = atomic_load(&m->looked);
	struct hxfs_call *c;

	if (now - before < LOOK ||
	    !atomic_compare_exchange_strong(&m->looked, &before, now))
		return;
	(void)pthread_mutex_lock(&m->calls_lock);
	for (c = m->calls; c; c = c->next)
		if (atomic_load(&c->signalled) && !atomic_load(&c->answered) &&
		    hxfs_signals_want_end(c->tid))
			answer_interrupted(c);
	(void)pthread_mutex_unlock(&m->calls_lock);
}

/*
 * A walk over all backups. They take turns, or they would take every worker
 * and fill the queue; each does its own work.
 */
static bool takes_turns(const struct hxfs_call *c)
{
	struct hxfs_node node;

	hxfs_number_decode(c->ino, &node);
	return c->patience == HXFS_HASH &&
	       (node.kind == HXFS_IS_HISTORY || node.kind == HXFS_IS_TRAIL);
}

/* Whether everybody who waits for call @ctx was interrupted, and long ago. */
static bool is_unwanted(void *ctx)
{
	const struct hxfs_call *c = ctx, *l;
	int64_t last = 0, then;
	bool wanted = !c->deferred;

	if (wanted)
		return false;
	look_after_signalled(c->m);
	(void)pthread_mutex_lock(&c->m->calls_lock);
	for (l = c; l && !wanted; l = takes_turns(c) ? NULL : l->follower) {
		wanted = !atomic_load(&l->answered);
		then = atomic_load(&l->interrupted);
		last = then > last ? then : last;
	}
	(void)pthread_mutex_unlock(&c->m->calls_lock);
	return !wanted &&
	       (atomic_load(&c->m->ended) || now_ms() - last >= LINGER);
}

void hxfs_call_init(struct hxfs_call *c, fuse_req_t req, fuse_ino_t ino,
		    int (*run)(struct hxfs_call *c))
{
	struct hxfs_mount *m = fuse_req_userdata(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	/* Not before: answering INIT puts the kernel's own limit back. */
	if (!atomic_load_explicit(&m->tuned, memory_order_relaxed) &&
	    !atomic_exchange(&m->tuned, true))
		hxfs_mountpoint_tune(m->fs->mountpoint);
	memset(c, 0, sizeof(*c));
	atomic_init(&c->answered, false);
	c->stop = (struct hxs_stop){ is_unwanted, c };
	c->m = m;
	c->fs = m->fs;
	c->req = req;
	c->ino = ino;
	c->run = run;
	c->privileged = ctx->uid == 0;
	c->tid = ctx->pid;
}

#define GROUPS_MAX 256

void hxfs_call_know_caller(struct hxfs_call *c)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(c->req);
	const struct hxfs_options *opt = c->fs->opt;
	gid_t groups[GROUPS_MAX];
	int i, n;

	if (ctx->uid == 0 || ctx->uid == c->fs->uid)
		return;
	c->stranger = true;
	if (!opt->has_control_gid)
		return;
	if (ctx->gid == opt->control_gid)
		c->stranger = false;
	n = fuse_req_getgroups(c->req, GROUPS_MAX, groups);
	for (i = 0; i < n && i < GROUPS_MAX; i++)
		if (groups[i] == opt->control_gid)
			c->stranger = false;
}

bool hxfs_call_claim(struct hxfs_call *c)
{
	if (!c->deferred)
		return true;
	/* Only the main thread ever locks it for writing, at the end. */
	(void)pthread_rwlock_rdlock(&c->m->answering);
	if (atomic_exchange(&c->answered, true)) {
		(void)pthread_rwlock_unlock(&c->m->answering);
		return false;
	}
	c->claimed = true;
	/* Waits for an interrupt that is just being looked at. */
	fuse_req_interrupt_func(c->req, NULL, NULL);
	return true;
}

static void answer_error(struct hxfs_call *c, int r)
{
	int e = hxs_err_to_errno(r);

	if (hxfs_call_claim(c))
		(void)fuse_reply_err(c->req, e); /* or it was unmounted */
}

static void list_call(struct hxfs_call *c)
{
	struct hxfs_mount *m = c->m;

	(void)pthread_mutex_lock(&m->calls_lock);
	c->next = m->calls;
	c->link = &m->calls;
	if (c->next)
		c->next->link = &c->next;
	m->calls = c;
	(void)pthread_mutex_unlock(&m->calls_lock);
}

static void free_call(struct hxfs_call *c)
{
	struct hxfs_mount *m = c->m;

	(void)pthread_mutex_lock(&m->calls_lock);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	(void)pthread_mutex_unlock(&m->calls_lock);
	free(c->own_name);
	free(c);
}

void hxfs_call_abandon_all(struct hxfs_mount *m)
{
	struct hxfs_call *c;

	(void)pthread_mutex_lock(&m->calls_lock);
	for (c = m->calls; c; c = c->next)
		if (!atomic_exchange(&c->answered, true))
			(void)fuse_reply_err(c->req, EINTR);
	(void)pthread_mutex_unlock(&m->calls_lock);
	/* Those that are answering now end first. */
	(void)pthread_rwlock_wrlock(&m->answering);
	(void)pthread_rwlock_unlock(&m->answering);
}

/*
 * In the thread that received the interrupt; @data lives as long as this. When
 * the interrupt came first, libfuse calls this while registering, with the
 * request locked: it must not be answered, and so freed, before it is let go.
 */
static void interrupted(fuse_req_t req HXS_UNUSED, void *data)
{
	struct hxfs_call *c = data;

	if (atomic_load(&c->registering)) {
		atomic_store(&c->too_early, true);
		return;
	}
	/* When @c is answered by another thread it may be gone. */
	if (hxfs_signals_want_end(c->tid))
		answer_interrupted(c);
	else
		atomic_store(&c->signalled, true);
}

/* ---- workers ------------------------------------------------------------- */

static void run_deferred(void *arg);

#define WALKS 2u /* at once */

/* Calls with one key wait for the same thing: an index, a file's hash. */
static uint64_t key_of(const struct hxfs_call *c)
{
	struct hxfs_node node;

	hxfs_number_decode(c->ino, &node);
	if (takes_turns(c))
		return hxfs_number_env((uint32_t)(c->ino % WALKS),
				       HXFS_IS_HISTORY);
	if (c->patience == HXFS_LOAD &&
	    (node.kind == HXFS_IS_SNAPSHOT || node.kind == HXFS_IS_ENTRY) &&
	    !(c->name && strcmp(c->name, ".status") == 0))
		return hxfs_number_entry(node.slot, 0);
	return c->ino;
}

/* With m->calls_lock held: the call that already works for @c's key. */
static struct hxfs_call *find_leader(const struct hxfs_call *c)
{
	struct hxfs_call *l;

	for (l = c->m->calls; l; l = l->next)
		if (l->leads && l->patience == c->patience && l->key == c->key)
			return l;
	return NULL;
}

/*
 * Give @c to a worker, or put it behind the call that does its work already:
 * a thousand readers of one file take one worker, not all of them.
 */
static void place(struct hxfs_call *c)
{
	struct hxfs_mount *m = c->m;
	struct hxfs_call *leader, **at;

	c->key = key_of(c);
	(void)pthread_mutex_lock(&m->calls_lock);
	leader = find_leader(c);
	if (leader) {
		at = &leader->follower;
		while (takes_turns(c) && *at)
			at = &(*at)->follower;
		c->follower = *at;
		*at = c;
	} else {
		c->leads = true;
	}
	(void)pthread_mutex_unlock(&m->calls_lock);
	if (!leader)
		hxs_pool_submit(c->patience == HXFS_HASH ? c->fs->hash_pool
							 : c->fs->pool,
				run_deferred, c);
}

/* @c was run with result @r: it ends, or hashes on another worker. */
static void settle(struct hxfs_call *c, int r)
{
	if (r == -EINPROGRESS && c->patience < HXFS_HASH) {
		c->patience = HXFS_HASH;
		place(c);
		return;
	}
	if (r < 0) /* there is nothing left to try again later */
		answer_error(c, r == -EAGAIN || r == -EINPROGRESS ? -EIO : r);
	if (c->claimed)
		(void)pthread_rwlock_unlock(&c->m->answering);
	free_call(c);
}

/*
 * Nobody gets behind @c any more; returns those who are. The first of them
 * leads the others if @c did not do their work: @pass.
 */
static struct hxfs_call *stop_leading(struct hxfs_call *c, bool pass)
{
	struct hxfs_call *behind;

	(void)pthread_mutex_lock(&c->m->calls_lock);
	c->leads = false;
	behind = HXS_STEAL(c->follower);
	if (behind && pass)
		behind->leads = true;
	(void)pthread_mutex_unlock(&c->m->calls_lock);
	return behind;
}

/*
 * When the leader is done its followers find their work done too. If it gave
 * up, one came in the moment before it stopped leading and takes its place.
 */
static void run_deferred(void *arg)
{
	struct hxfs_call *c = arg, *behind, *next;
	bool pass;
	int r;

	do {
		r = is_unwanted(c) ? -ECANCELED : c->run(c);
		pass = r == -ECANCELED || takes_turns(c);
		behind = stop_leading(c, pass);
		settle(c, r);
		c = behind;
	} while (c && pass);
	for (; c; c = next) {
		next = HXS_STEAL(c->follower);
		r = is_unwanted(c) ? -ECANCELED : c->run(c);
		settle(c, r);
	}
}

/* Run it again on a worker, which may take longer. */
static int defer(const struct hxfs_call *from, enum hxfs_patience patience)
{
	struct hxfs_call *c = malloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	memcpy(c, from, sizeof(*c));
	c->stop.ctx = c;
	atomic_init(&c->interrupted, 0);
	atomic_init(&c->signalled, false);
	atomic_init(&c->answered, false);
	atomic_init(&c->registering, false);
	atomic_init(&c->too_early, false);
	c->patience = patience;
	c->deferred = true;
	if (c->name) {
		c->own_name = strdup(c->name);
		if (!c->own_name) {
			free(c);
			return -ENOMEM;
		}
		c->name = c->own_name;
	}
	/*
	 * From here on an interrupt may answer; the call itself lives until
	 * its run has ended.
	 */
	list_call(c);
	atomic_store(&c->registering, true);
	fuse_req_interrupt_func(c->req, interrupted, c);
	atomic_store(&c->registering, false);
	if (atomic_load(&c->too_early))
		interrupted(c->req, c);
	place(c);
	return 0;
}

void hxfs_call_start(struct hxfs_call *c)
{
	int r = c->run(c);

	if (r == -EAGAIN)
		r = defer(c, HXFS_LOAD);
	else if (r == -EINPROGRESS)
		r = defer(c, HXFS_HASH);
	if (r < 0)
		answer_error(c, r);
}

struct hxs_scratch *hxfs_call_scratch(struct hxfs_mount *m)
{
	struct hxs_scratch *s = pthread_getspecific(m->scratch);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (s && pthread_setspecific(m->scratch, s) != 0) {
		free(s);
		s = NULL;
	}
	return s;
}
