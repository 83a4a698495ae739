#include "fs/slots.h"

#include "base/log.h"
#include "fs/files.h"
#include "fs/load.h"
#include "fs/notes.h"
#include "fs/registry.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the list by last use, with fs->lock held ---------------------------- */

static void list_remove(struct hxfs *fs, struct hxfs_slot *s)
{
	if (s->newer)
		s->newer->older = s->older;
	else
		fs->newest = s->older;
	if (s->older)
		s->older->newer = s->newer;
	else
		fs->oldest = s->newer;
	s->newer = s->older = NULL;
}

static void list_push(struct hxfs *fs, struct hxfs_slot *s)
{
	s->older = fs->newest;
	s->newer = NULL;
	if (fs->newest)
		fs->newest->newer = s;
	else
		fs->oldest = s;
	fs->newest = s;
}

static void touch(struct hxfs *fs, struct hxfs_slot *s)
{
	if (fs->newest == s)
		return;
	list_remove(fs, s);
	list_push(fs, s);
}

/* Take the snapshot out of @s, which may be freed by this. */
static struct hxs_snapshot *take_out(struct hxfs *fs, struct hxfs_slot *s)
{
	struct hxs_snapshot *snap = HXS_STEAL(s->snap);

	free(HXS_STEAL(s->hashed));
	free(HXS_STEAL(s->touched));
	list_remove(fs, s);
	fs->loaded--;
	fs->loaded_bytes -= s->bytes;
	s->bytes = 0;
	s->state = HXFS_IDLE;
	if (s->gone)
		hxfs_registry_drop(fs, s);
	return snap;
}

static bool over_budget(const struct hxfs *fs)
{
	return fs->loaded > fs->loaded_min &&
	       (fs->loaded_bytes > fs->budget || fs->loaded > fs->loaded_max);
}

/* ---- dropping ------------------------------------------------------------ */

/*
 * Drop one slot that nobody has pinned: one that has gone, or with @gone_only
 * false the least recently used one if there are too many. False when there
 * is none. Freeing an index may take a while, so it is done without the lock.
 */
static bool drop_one(struct hxfs *fs, bool gone_only)
{
	struct hxs_snapshot *snap = NULL;
	struct hxfs_slot *s;
	uint32_t number = 0;

	hxfs_lock(fs);
	if (gone_only || over_budget(fs)) {
		for (s = fs->oldest; s; s = s->newer)
			if (s->pins == 0 && (!gone_only || s->gone))
				break;
		if (s) {
			number = s->number;
			snap = take_out(fs, s);
		}
	}
	hxfs_unlock(fs);
	if (!snap)
		return false;
	hxfs_files_drop(fs, number);
	hxs_snapshot_unref(snap);
	if (!gone_only)
		atomic_fetch_add(&fs->counters.evictions, 1);
	return true;
}

void hxfs_slots_sweep(struct hxfs *fs)
{
	while (drop_one(fs, true))
		;
}

static void trim(struct hxfs *fs)
{
	while (drop_one(fs, false))
		;
}

/* ---- loading ------------------------------------------------------------- */

/* With fs->lock held: put down how a load ended. */
static void settle(struct hxfs *fs, struct hxfs_slot *s,
		   const struct hxfs_load *j)
{
	free(s->past->reason);
	*s->past = j->past;
	s->past->reason = NULL;
	s->past->code = 0;
	s->snap = j->snap;
	s->bytes = j->bytes;
	s->state = HXFS_LOADED;
	fs->loaded++;
	fs->loaded_bytes += j->bytes;
	list_push(fs, s);
	if (s->past->has_xattrs)
		atomic_store(&fs->xattr_wanted, true);
}

bool hxfs_slots_is_shortage(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* With fs->lock held; true when the reason is a new one. */
static bool settle_failed(struct hxfs *fs, struct hxfs_slot *s, int code,
			  const char *why)
{
	bool news = !s->past->reason || strcmp(s->past->reason, why) != 0;

	free(s->past->reason);
	s->past->reason = strdup(why); /* NULL when there is no memory */
	s->past->code = code;
	s->past->failed_at = hxs_clock_ticks();
	s->state = s->gone || hxfs_slots_is_shortage(code) ? HXFS_IDLE
							   : HXFS_FAILED;
	if (s->state == HXFS_FAILED)
		fs->failed++;
	return news;
}

static bool is_gone(int r)
{
	return r == -HXS_ENOSUCH || r == -ESTALE;
}

/* With fs->lock held, which is let go meanwhile. @s is pinned. */
static int load_locked(struct hxfs *fs, struct hxfs_slot *s,
		       struct hxs_err *err)
{
	struct hxs_err own = HXS_ERR_INIT;
	struct hxfs_load j = { .kind = s->kind, .met = s->met };
	bool news = false;
	int r;

	if (!s->past) {
		s->past = calloc(1, sizeof(*s->past));
		if (!s->past)
			return hxs_err_errno(err, ENOMEM,
					     "cannot load a snapshot");
		s->past->unlisted = -1;
	}
	r = hxs_clock_format_id(s->seconds, j.id);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot name a snapshot");
	j.env = fs->env[s->env]->name;
	j.dev = s->dev;
	j.ino = s->ino;
	j.past = *s->past;
	if (s->state == HXFS_FAILED)
		fs->failed--;
	s->state = HXFS_LOADING;
	hxfs_unlock(fs);
	atomic_fetch_add(&fs->counters.loads, 1);
	r = hxfs_load(fs, &j, &own);
	hxfs_lock(fs);
	if (r == 0)
		settle(fs, s, &j);
	else
		news = settle_failed(fs, s, r, own.message);
	if (j.changed) {
		s->met = true; /* with a directory that is none */
		s->dev = 0;
		s->ino = 0;
	}
	(void)pthread_cond_broadcast(&fs->settled);
	if (r == 0)
		return 0;
	atomic_fetch_add(&fs->counters.load_failures, 1);
	if (is_gone(r))
		hxfs_notes_wish(fs->notes, HXFS_WISH_RESCAN);
	else if (news)
		hxs_log_error("%s", own.message);
	if (err)
		*err = own;
	return r;
}

bool hxfs_slots_is_removed(struct hxfs *fs, const struct hxfs_slot *s)
{
	HXS_AUTO_CLOSE int fd = -1;
	char id[HXS_ID_LEN + 1];
	struct stat was, is;
	const char *env;
	int r;

	hxfs_lock(fs);
	env = fs->env[s->env]->name; /* it stays */
	hxfs_unlock(fs);
	if (hxs_clock_format_id(s->seconds, id) < 0)
		return false;
	r = hxs_store_open_dir(fs->store, s->kind, env, id, &fd, NULL);
	if (r < 0)
		return r == -HXS_ENOSUCH;
	return fstat(hxs_snapshot_fd(s->snap), &was) == 0 &&
	       fstat(fd, &is) == 0 &&
	       (was.st_dev != is.st_dev || was.st_ino != is.st_ino);
}

/* With fs->lock held. */
static bool failed_lately(const struct hxfs_slot *s)
{
	double wait = HXFS_RETRY_SECONDS;

	if (!s->past || !s->past->code || s->state == HXFS_LOADING)
		return false;
	if (hxfs_slots_is_shortage(s->past->code))
		wait = HXFS_SHORTAGE_SECONDS;
	else if (s->state != HXFS_FAILED)
		return false;
	return hxs_clock_ticks() - s->past->failed_at < wait;
}

/* With fs->lock held and @s pinned. */
static int wait_loaded(struct hxfs *fs, struct hxfs_slot *s,
		       enum hxfs_patience patience, struct hxs_err *err)
{
	int r = 0;

	while (s->state != HXFS_LOADED) {
		if (failed_lately(s))
			return hxs_err_set(err, -s->past->code, "%s",
					   s->past->reason
						   ? s->past->reason
						   : "it cannot be loaded");
		if (s->gone)
			return hxs_err_errno(err, ESTALE,
					     "the snapshot is gone");
		if (patience == HXFS_NOW)
			return -EAGAIN;
		if (s->state == HXFS_LOADING)
			(void)pthread_cond_wait(&fs->settled, &fs->lock);
		else
			r = load_locked(fs, s, err);
		if (r < 0)
			return r;
	}
	touch(fs, s);
	return 0;
}

int hxfs_slots_enter(struct hxfs *fs, uint32_t number,
		     enum hxfs_patience patience, struct hxfs_slot **out,
		     struct hxs_err *err)
{
	struct hxfs_slot *s;
	bool fresh;
	int r;

	hxfs_lock(fs);
	s = hxfs_registry_slot(fs, number);
	if (!s) {
		hxfs_unlock(fs);
		return hxs_err_errno(err, ESTALE, "the snapshot is gone");
	}
	s->pins++;
	fresh = s->state != HXFS_LOADED;
	r = wait_loaded(fs, s, patience, err);
	hxfs_unlock(fs);
	if (r < 0) {
		hxfs_slots_leave(fs, s);
		return r;
	}
	if (fresh)
		trim(fs);
	*out = s;
	return 0;
}

void hxfs_slots_leave(struct hxfs *fs, struct hxfs_slot *s)
{
	struct hxs_snapshot *snap = NULL;
	uint32_t number = s->number;
	bool over;

	hxfs_lock(fs);
	s->pins--;
	if (s->gone && s->pins == 0) {
		if (s->state == HXFS_LOADED)
			snap = take_out(fs, s);
		else if (s->state == HXFS_IDLE)
			hxfs_registry_drop(fs, s);
	}
	over = over_budget(fs);
	hxfs_unlock(fs);
	if (snap) {
		hxfs_files_drop(fs, number);
		hxs_snapshot_unref(snap);
	}
	if (over)
		trim(fs);
}

void hxfs_slots_recount(struct hxfs *fs, struct hxfs_slot *s)
{
	size_t bytes = hxs_snapshot_memory(s->snap);

	hxfs_lock(fs);
	fs->loaded_bytes += bytes - s->bytes;
	s->bytes = bytes;
	hxfs_unlock(fs);
	trim(fs);
}

void hxfs_slots_release(struct hxfs *fs)
{
	struct hxs_snapshot *snap;

	while (fs->oldest) {
		snap = take_out(fs, fs->oldest);
		hxs_snapshot_unref(snap);
	}
}

int64_t hxfs_slots_unlisted(struct hxfs *fs, struct hxfs_slot *s)
{
	int64_t known, n;

	hxfs_lock(fs);
	known = s->past->unlisted;
	hxfs_unlock(fs);
	if (known >= 0)
		return known;
	n = hxs_snapshot_extras(s->snap, NULL, NULL);
	if (n < 0)
		return n;
	hxfs_lock(fs);
	if (s->past->unlisted < 0) {
		s->past->unlisted = n;
		if (!s->gone)
			fs->unlisted += (uint64_t)n;
	}
	hxfs_unlock(fs);
	return n;
}
