#include "fs/slots.h"

#include "base/log.h"
#include "fs/files.h"
#include "fs/notes.h"
#include "fs/registry.h"

#include <errno.h>
#include <string.h>

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
	return fs->loaded > 1 &&
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

/* What a load works on: copies, since it runs without the lock. */
struct job {
	enum hxs_kind kind;
	const char *env; /* an environment's name stays for ever */
	char id[HXS_ID_LEN + 1];
	dev_t dev;
	ino_t ino;
	bool met;
	bool changed; /* it is another snapshot than the slot stands for */
	struct hxfs_past past; /* found so far; its reason is not ours */
	struct hxs_snapshot *snap;
	size_t bytes;
};

/* The checks that a load makes besides those of the snapshot itself. */
static int same_as_before(const struct job *j, const struct hxs_snapshot *snap,
			  struct hxs_err *err)
{
	struct stat st;

	if (fstat(hxs_snapshot_fd(snap), &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at '%s'",
				     hxs_snapshot_name(snap));
	if (j->met && (j->dev != st.st_dev || j->ino != st.st_ino))
		return hxs_err_errno(err, ESTALE, "'%s' was replaced",
				     hxs_snapshot_name(snap));
	if (j->past.proven &&
	    !hxs_digest_equal(&j->past.manifest,
			      hxs_snapshot_manifest_digest(snap)))
		return hxs_err_set(err, HXS_ECORRUPT,
				   "'%s': the manifest has changed since it "
				   "was first read",
				   hxs_snapshot_name(snap));
	return 0;
}

/*
 * What the kernel keeps by an entry's number without asking again: which name
 * it has, where, and how far it reaches. Times and owners are left out: a
 * script that links the files of one backup into the next changes some.
 */
static void digest_numbers(const struct hxs_index *idx, struct hxs_digest *out)
{
	uint32_t n, count = hxs_index_count(idx);
	struct hxs_hasher h;
	struct hxs_node node;

	hxs_hasher_init(&h);
	for (n = 0; n < count; n++) {
		uint64_t fixed[2];

		hxs_index_get(idx, n, &node);
		fixed[0] = (uint64_t)node.parent << 32 | (node.mode & S_IFMT);
		fixed[1] = node.size;
		hxs_hasher_update(&h, fixed, sizeof(fixed));
		hxs_hasher_update(&h, node.name, node.name_len + 1);
		if (node.target)
			hxs_hasher_update(&h, node.target,
					  strlen(node.target) + 1);
	}
	hxs_hasher_final(&h, out);
}

/*
 * A foreign snapshot's entries are numbered by what lies in its directory, of
 * which the manifest is only a part. When that changed, a number that the
 * kernel has kept may mean another file or another size now. So the slot ends
 * as one whose directory was replaced does: the id gets a new one.
 */
static int same_numbers(struct job *j, const struct hxs_snapshot *snap,
			struct hxs_err *err)
{
	struct hxs_digest now;

	if (!hxs_snapshot_is_foreign(snap))
		return 0; /* the manifest covers its index */
	digest_numbers(hxs_snapshot_index(snap), &now);
	j->changed =
		j->past.proven && !hxs_digest_equal(&j->past.numbers, &now);
	if (j->changed)
		return hxs_err_errno(err, ESTALE, "'%s' was changed",
				     hxs_snapshot_name(snap));
	j->past.numbers = now;
	return 0;
}

static void count_files(const struct hxs_snapshot *snap, struct hxfs_past *past)
{
	const struct hxs_index *idx = hxs_snapshot_index(snap);
	uint32_t i, n = hxs_index_count(idx);
	struct hxs_node node;

	past->files = past->bytes = 0;
	for (i = 0; i < n; i++) {
		hxs_index_get(idx, i, &node);
		if (!S_ISREG(node.mode))
			continue;
		past->files++;
		past->bytes += node.size;
	}
}

/* Open and check the snapshot, without a lock. */
static int load(struct hxfs *fs, struct job *j, struct hxs_err *err)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	int r;

	r = hxs_snapshot_open(fs->store, j->kind, j->env, j->id, &snap, err);
	if (r == 0)
		r = same_as_before(j, snap, err);
	if (r == 0)
		r = same_numbers(j, snap, err);
	if (r < 0)
		return r;
	j->past.foreign = hxs_snapshot_is_foreign(snap);
	j->past.has_xattrs =
		hxs_index_head(hxs_snapshot_index(snap))->has_xattrs;
	if (!j->past.proven)
		count_files(snap, &j->past);
	j->past.manifest = *hxs_snapshot_manifest_digest(snap);
	j->past.proven = true;
	j->bytes = hxs_snapshot_memory(snap);
	j->snap = HXS_STEAL(snap);
	return 0;
}

/* With fs->lock held: put down how a load ended. */
static void settle(struct hxfs *fs, struct hxfs_slot *s, const struct job *j)
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

/* With fs->lock held; true when the reason is a new one. */
static bool settle_failed(struct hxfs *fs, struct hxfs_slot *s, int code,
			  const char *why)
{
	bool news = !s->past->reason || strcmp(s->past->reason, why) != 0;

	free(s->past->reason);
	s->past->reason = strdup(why); /* NULL when there is no memory */
	s->past->code = code;
	s->past->failed_at = hxs_clock_ticks();
	s->state = s->gone ? HXFS_IDLE : HXFS_FAILED;
	if (!s->gone)
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
	struct job j = { .kind = s->kind, .met = s->met };
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
	r = load(fs, &j, &own);
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

/* With fs->lock held. */
static bool failed_lately(const struct hxfs_slot *s)
{
	return s->state == HXFS_FAILED &&
	       hxs_clock_ticks() - s->past->failed_at < HXFS_RETRY_SECONDS;
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
