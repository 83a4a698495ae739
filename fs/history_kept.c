/* The trails that are kept, by last use. */
#include "base/clock.h"
#include "fs/history_parts.h"
#include "fs/registry.h"
#include "fs/slots.h"

#include <errno.h>

#define BYTES_MAX (16u << 20) /* of trails; the last used one stays */
#define TRAILS_MAX 256u

struct hxfs_kept {
	pthread_mutex_t lock;
	/* guarded by lock */
	struct hxfs_trail *newest, *oldest;
	size_t trails, bytes;
};

int hxfs_kept_new(struct hxfs_kept **out)
{
	struct hxfs_kept *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	(void)pthread_mutex_init(&k->lock, NULL); /* no attributes: works */
	*out = k;
	return 0;
}

static void lock(struct hxfs_kept *k)
{
	(void)pthread_mutex_lock(&k->lock); /* a plain mutex: cannot fail */
}

static void unlock(struct hxfs_kept *k)
{
	(void)pthread_mutex_unlock(&k->lock);
}

/* ---- with the lock held -------------------------------------------------- */

static void take_out(struct hxfs_kept *k, struct hxfs_trail *t)
{
	if (t->newer)
		t->newer->older = t->older;
	else
		k->newest = t->older;
	if (t->older)
		t->older->newer = t->newer;
	else
		k->oldest = t->newer;
	t->newer = t->older = NULL;
	k->trails--;
	k->bytes -= t->bytes;
}

static void put_first(struct hxfs_kept *k, struct hxfs_trail *t)
{
	t->older = k->newest;
	if (k->newest)
		k->newest->newer = t;
	else
		k->oldest = t;
	k->newest = t;
	k->trails++;
	k->bytes += t->bytes;
}

static void unref(struct hxfs_trail *t)
{
	if (t && --t->refs == 0)
		hxfs_trail_free(t);
}

static void drop(struct hxfs_kept *k, struct hxfs_trail *t)
{
	take_out(k, t);
	unref(t);
}

static struct hxfs_trail *find_trail(struct hxfs_kept *k, uint64_t number)
{
	struct hxfs_trail *t = k->newest;

	while (t && t->number != number)
		t = t->older;
	return t;
}

/* ---- without it ---------------------------------------------------------- */

int hxfs_trail_changes(struct hxfs *fs, uint32_t env, uint64_t *out)
{
	struct hxfs_env *e;

	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	if (e)
		*out = hxfs_env_area(e, HXS_BACKUP)->changes;
	hxfs_unlock(fs);
	return e ? 0 : -ESTALE;
}

/* What could not be looked into may be put right, without a new name. */
static bool is_good(const struct hxfs_trail *t, uint64_t changes)
{
	return t->changes == changes &&
	       (!t->fault || hxs_clock_ticks() - t->made < HXFS_RETRY_SECONDS);
}

static void keep(struct hxfs_kept *k, struct hxfs_trail *t)
{
	struct hxfs_trail *old;

	lock(k);
	old = find_trail(k, t->number);
	if (old)
		drop(k, old);
	t->refs++;
	put_first(k, t);
	while (k->trails > 1 &&
	       (k->bytes > BYTES_MAX || k->trails > TRAILS_MAX))
		drop(k, k->oldest);
	unlock(k);
}

void hxfs_trail_leave(struct hxfs *fs, struct hxfs_trail *t)
{
	struct hxfs_kept *k = fs->history->kept;

	lock(k);
	unref(t);
	unlock(k);
}

int hxfs_trail_enter(struct hxfs *fs, const struct hxfs_place *p,
		     enum hxfs_patience patience, struct hxfs_trail **out,
		     struct hxs_err *err)
{
	struct hxfs_kept *k = fs->history->kept;
	uint64_t changes = 0;
	struct hxfs_trail *t;
	int r;

	r = hxfs_trail_changes(fs, p->env, &changes);
	if (r < 0)
		return r;
	lock(k);
	t = find_trail(k, p->number);
	if (t && is_good(t, changes)) {
		take_out(k, t);
		put_first(k, t);
		t->refs++;
		unlock(k);
		*out = t;
		return 0;
	}
	unlock(k);
	if (patience < HXFS_HASH)
		return -EINPROGRESS;
	r = hxfs_trail_make(fs, p->env, p->number, hxs_buf_str(&p->path), out,
			    err);
	if (r == 0)
		keep(k, *out);
	return r;
}

void hxfs_kept_free(struct hxfs_kept *k)
{
	if (!k)
		return;
	while (k->newest)
		drop(k, k->newest);
	(void)pthread_mutex_destroy(&k->lock);
	free(k);
}
