#include "fs/ending.h"

#include "base/log.h"
#include "fs/mountinfo.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 3 /* seconds */

struct hxfs_ending {
	pthread_mutex_t lock;
	/* guarded by lock */
	struct hxfs_mount *m; /* while it is mounted */
	struct hxfs_mounted own;
	bool hurried;
};

struct hxfs_ending *hxfs_ending_new(void)
{
	struct hxfs_ending *e = calloc(1, sizeof(*e));

	if (e)
		(void)pthread_mutex_init(&e->lock, NULL); /* cannot fail */
	return e;
}

void hxfs_ending_mounted(struct hxfs_ending *e, struct hxfs_mount *m)
{
	const char *where = m->fs->mountpoint;

	(void)pthread_mutex_lock(&e->lock);
	e->m = m;
	if (hxfs_mountinfo_ask(where, &e->own) != 1)
		hxs_log_warn("'%s' is not to be found among the mounts", where);
	(void)pthread_mutex_unlock(&e->lock);
}

/*
 * The mount, if it is to be unmounted: not if another lies on the place by
 * now. Then ours was detached by hand and lives on for those who still use
 * it, and what came after is not ours to take away; closing the session ends
 * ours. Once; with the lock held.
 */
static struct hxfs_mount *take_own(struct hxfs_ending *e)
{
	struct hxfs_mount *m = HXS_STEAL(e->m);
	struct hxfs_mounted now;

	if (!m || (hxfs_mountinfo_ask(m->fs->mountpoint, &now) == 1 &&
		   (now.major != e->own.major || now.minor != e->own.minor)))
		return NULL;
	return m;
}

void hxfs_ending_unmount(struct hxfs_ending *e)
{
	struct hxfs_mount *m;

	(void)pthread_mutex_lock(&e->lock);
	m = take_own(e);
	if (m)
		fuse_session_unmount(m->se);
	(void)pthread_mutex_unlock(&e->lock);
}

static void *run(void *arg)
{
	struct timespec wait = { .tv_sec = PATIENCE };
	struct hxfs_ending *e = arg;
	struct hxfs_mount *m;
	int r;

	(void)nanosleep(&wait, NULL);
	hxs_log_warn("work under way did not end: leaving it");
	(void)pthread_mutex_lock(&e->lock);
	m = take_own(e);
	/* Not the session: others still read from it. */
	r = m ? hxfs_mountpoint_detach(m->fs->mountpoint) : 0;
	if (r < 0)
		hxs_log_warn("cannot unmount '%s': %s", m->fs->mountpoint,
			     strerror(-r));
	_exit(0);
}

void hxfs_ending_hurry(struct hxfs_ending *e)
{
	pthread_t t;

	(void)pthread_mutex_lock(&e->lock);
	if (!e->hurried && pthread_create(&t, NULL, run, e) == 0) {
		(void)pthread_detach(t);
		e->hurried = true;
	}
	(void)pthread_mutex_unlock(&e->lock);
}
