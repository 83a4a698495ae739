/*
 * Listings are read without fs->lock and applied under it. A snapshot that a
 * handler met in between has a younger generation than the listing and is
 * not taken for one that has gone.
 */
#include "fs/registry.h"

#include "base/io.h"
#include "fs/notes.h"
#include "store/result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What one listing of one area gave. */
struct listing {
	struct hxs_names names;
	bool present;
};

struct hxfs_env *hxfs_registry_env(struct hxfs *fs, uint32_t number)
{
	if (number >= fs->env_count || !fs->env[number]->present)
		return NULL;
	return fs->env[number];
}

static struct hxfs_env *find_any(struct hxfs *fs, const char *name)
{
	size_t i;

	for (i = 0; i < fs->env_count; i++)
		if (strcmp(fs->env[i]->name, name) == 0)
			return fs->env[i];
	return NULL;
}

struct hxfs_env *hxfs_registry_find(struct hxfs *fs, const char *name)
{
	struct hxfs_env *e = find_any(fs, name);

	return e && e->present ? e : NULL;
}

struct hxfs_slot *hxfs_registry_slot(struct hxfs *fs, uint32_t number)
{
	return number < fs->slot_count ? fs->slot[number] : NULL;
}

size_t hxfs_registry_place(const struct hxfs_area *a, int64_t seconds)
{
	size_t lo = 0, hi = a->count, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (a->slot[mid]->seconds < seconds)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int64_t newest(const struct hxfs_area *a)
{
	return a->count ? a->slot[a->count - 1]->seconds : HXFS_NO_TIME;
}

int64_t hxfs_registry_link(struct hxfs *fs, uint32_t env, enum hxfs_link link)
{
	struct hxfs_env *e = hxfs_registry_env(fs, env);

	if (!e)
		return HXFS_NO_TIME;
	switch (link) {
	case HXFS_LATEST:
		return newest(&e->area[0]);
	case HXFS_LATEST_ROLLBACK:
		return newest(&e->area[1]);
	case HXFS_LATEST_VERIFIED:
		return e->verified;
	}
	return HXFS_NO_TIME;
}

/* ---- slots --------------------------------------------------------------- */

/* A slot for @seconds with the next number; -ENOMEM, -ENOSPC. */
static int slot_new(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
		    int64_t seconds, struct hxfs_slot **out)
{
	struct hxfs_slot *s, **grown;
	size_t cap;

	if (fs->slot_count > HXFS_SLOT_MAX)
		return -ENOSPC;
	if (fs->slot_count >= fs->slot_cap) {
		cap = fs->slot_cap ? fs->slot_cap * 2 : 64;
		grown = reallocarray(fs->slot, cap, sizeof(struct hxfs_slot *));
		if (!grown)
			return -ENOMEM;
		fs->slot = grown;
		fs->slot_cap = cap;
		if (fs->slot_count == 0)
			fs->slot[fs->slot_count++] = NULL; /* fixed space */
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->number = (uint32_t)fs->slot_count;
	s->env = env;
	s->kind = kind;
	s->seconds = seconds;
	s->born = fs->generation;
	fs->slot[fs->slot_count++] = s;
	*out = s;
	return 0;
}

void hxfs_registry_drop(struct hxfs *fs, struct hxfs_slot *s)
{
	fs->slot[s->number] = NULL;
	if (s->past)
		free(s->past->reason);
	free(s->past);
	free(s);
}

/* @s is no longer in the store. It stays while somebody uses it. */
static void slot_retire(struct hxfs *fs, struct hxfs_slot *s)
{
	s->gone = true;
	if (s->past && s->past->unlisted > 0)
		fs->unlisted -= (uint64_t)s->past->unlisted;
	if (s->state == HXFS_FAILED) {
		fs->failed--;
		s->state = HXFS_IDLE;
	}
	/* A loaded one is dropped by whoever looks at it next. */
	if (s->pins == 0 && s->state == HXFS_IDLE)
		hxfs_registry_drop(fs, s);
}

static uint64_t area_dir(uint32_t env, enum hxs_kind kind)
{
	return hxfs_number_env(env, kind == HXS_ROLLBACK ? HXFS_IS_ROLLBACKS
							 : HXFS_IS_ENV);
}

static void note_came(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
		      int64_t seconds)
{
	char id[HXS_ID_LEN + 1];

	if (hxs_clock_format_id(seconds, id) == 0)
		hxfs_notes_add(fs->notes, HXFS_NOTE_NAME, area_dir(env, kind),
			       0, id);
}

static void note_gone(struct hxfs *fs, const struct hxfs_slot *s)
{
	char id[HXS_ID_LEN + 1];

	if (hxs_clock_format_id(s->seconds, id) == 0)
		hxfs_notes_add(fs->notes, HXFS_NOTE_GONE,
			       area_dir(s->env, s->kind),
			       hxfs_number_entry(s->number, 0), id);
}

/* The links that follow @kind, and the listing they stand in. */
static void note_moved(struct hxfs *fs, uint32_t env, enum hxs_kind kind)
{
	uint64_t dir = area_dir(env, kind);

	hxfs_notes_add(fs->notes, HXFS_NOTE_NAME, dir, 0, "latest");
	hxfs_notes_add(fs->notes, HXFS_NOTE_DIR, dir, 0, NULL);
}

/* ---- one area ------------------------------------------------------------ */

static int area_reserve(struct hxfs_area *a, size_t count)
{
	struct hxfs_slot **grown;
	size_t cap = a->cap ? a->cap : 16;

	if (count <= a->cap)
		return 0;
	while (cap < count)
		cap *= 2;
	grown = reallocarray(a->slot, cap, sizeof(struct hxfs_slot *));
	if (!grown)
		return -ENOMEM;
	a->slot = grown;
	a->cap = cap;
	return 0;
}

struct merge {
	struct hxfs *fs;
	struct hxfs_env *env;
	enum hxs_kind kind;
	uint64_t before; /* generation when the listing began */
	bool quiet; /* the kernel cannot know this area yet */
	bool changed;
};

static void merge_gone(struct merge *m, struct hxfs_slot *s)
{
	m->changed = true;
	if (!m->quiet)
		note_gone(m->fs, s);
	slot_retire(m->fs, s);
}

/*
 * Make @a hold the snapshots @sec[0..@n), ascending. On -ENOMEM what could
 * not be added is missing; the next listing adds it.
 */
static int merge(struct merge *m, struct hxfs_area *a, const int64_t *sec,
		 size_t n)
{
	struct hxfs_area next = { .present = a->present };
	struct hxfs_slot *s;
	size_t i = 0, j = 0;
	int r;

	r = area_reserve(&next, a->count + n + 1);
	if (r < 0)
		return r;
	while (i < a->count || j < n) {
		if (j >= n || (i < a->count && a->slot[i]->seconds < sec[j])) {
			s = a->slot[i++];
			if (s->born >= m->before)
				next.slot[next.count++] = s;
			else
				merge_gone(m, s);
		} else if (i < a->count && a->slot[i]->seconds == sec[j]) {
			next.slot[next.count++] = a->slot[i++];
			j++;
		} else {
			if (r == 0)
				r = slot_new(m->fs, m->env->number, m->kind,
					     sec[j], &s);
			if (r == 0) {
				next.slot[next.count++] = s;
				m->changed = true;
				if (!m->quiet)
					note_came(m->fs, m->env->number,
						  m->kind, sec[j]);
			}
			j++;
		}
	}
	free(a->slot);
	*a = next;
	return r;
}

/* ---- environments -------------------------------------------------------- */

static bool area_there(struct hxfs *fs, enum hxs_kind kind, const char *env)
{
	HXS_AUTO_CLOSE int fd = -1;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", hxs_store_area(kind), env);
	fd = hxs_io_open_beneath(hxs_store_fd(fs->store), path,
				 O_PATH | O_DIRECTORY, 0);
	return fd >= 0;
}

static int64_t ask_verified(struct hxfs *fs, const char *env)
{
	char id[HXS_ID_LEN + 1];
	int64_t sec;

	if (hxs_result_latest(fs->store, env, id) == 1 &&
	    hxs_clock_parse_id(id, &sec) == 0)
		return sec;
	return HXFS_NO_TIME;
}

static void set_verified(struct hxfs *fs, struct hxfs_env *e, int64_t sec)
{
	uint64_t dir = hxfs_number_env(e->number, HXFS_IS_ENV);

	if (e->verified == sec)
		return;
	e->verified = sec;
	hxfs_notes_add(fs->notes, HXFS_NOTE_NAME, dir, 0, "latest-verified");
	hxfs_notes_add(fs->notes, HXFS_NOTE_DIR, dir, 0, NULL);
}

/* The seconds of @names, which are valid ids in ascending order. */
static int64_t *to_seconds(const struct hxs_names *names)
{
	int64_t *sec = calloc(names->count + 1, sizeof(*sec));
	size_t i;

	for (i = 0; sec && i < names->count; i++)
		(void)hxs_clock_parse_id(names->name[i], &sec[i]);
	return sec;
}

static int apply_area(struct hxfs *fs, struct hxfs_env *e, enum hxs_kind kind,
		      const struct listing *l, const int64_t *sec,
		      uint64_t before, bool quiet)
{
	struct hxfs_area *a = hxfs_env_area(e, kind);
	struct merge m = {
		.fs = fs,
		.env = e,
		.kind = kind,
		.before = before,
		.quiet = quiet,
	};
	int r;

	r = merge(&m, a, sec, l->names.count);
	if (a->present != l->present) {
		a->present = l->present;
		if (kind == HXS_ROLLBACK && !quiet) {
			uint64_t dir = hxfs_number_env(e->number, HXFS_IS_ENV);

			hxfs_notes_add(fs->notes, HXFS_NOTE_NAME, dir, 0,
				       ".rollbacks");
			hxfs_notes_add(fs->notes, HXFS_NOTE_DIR, dir, 0, NULL);
		}
	}
	if (m.changed && !quiet)
		note_moved(fs, e->number, kind);
	return r;
}

static int scan_area(struct hxfs *fs, struct hxfs_env *e, enum hxs_kind kind,
		     uint64_t before, bool quiet, struct hxs_err *err)
{
	HXS_AUTO_FREE int64_t *sec = NULL;
	struct listing l = { .present = false };
	int r;

	l.present = area_there(fs, kind, e->name);
	r = hxs_store_ids(fs->store, kind, e->name, &l.names, err);
	if (r < 0)
		return r;
	sec = to_seconds(&l.names);
	if (sec) {
		hxfs_lock(fs);
		r = apply_area(fs, e, kind, &l, sec, before, quiet);
		hxfs_unlock(fs);
	} else {
		r = -ENOMEM;
	}
	hxs_names_release(&l.names);
	return r < 0 ? hxs_err_errno(err, -r, "cannot list '%s'", e->name) : 0;
}

/* With scan_lock held. Environments are never freed, so @e stays. */
static int scan_env(struct hxfs *fs, struct hxfs_env *e, bool quiet,
		    struct hxs_err *err)
{
	uint64_t before;
	int64_t verified;
	int r, r2;

	hxfs_lock(fs);
	before = ++fs->generation;
	hxfs_unlock(fs);
	r = scan_area(fs, e, HXS_BACKUP, before, quiet, err);
	r2 = scan_area(fs, e, HXS_ROLLBACK, before, quiet, r ? NULL : err);
	verified = ask_verified(fs, e->name);
	hxfs_lock(fs);
	set_verified(fs, e, verified);
	hxfs_unlock(fs);
	return r ? r : r2;
}

int hxfs_registry_scan_env(struct hxfs *fs, uint32_t env, struct hxs_err *err)
{
	struct hxfs_env *e;
	int r = 0;

	(void)pthread_mutex_lock(&fs->scan_lock);
	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	hxfs_unlock(fs);
	if (e)
		r = scan_env(fs, e, false, err);
	(void)pthread_mutex_unlock(&fs->scan_lock);
	return r;
}

void hxfs_registry_scan_verified(struct hxfs *fs, uint32_t env)
{
	struct hxfs_env *e;
	int64_t sec;

	(void)pthread_mutex_lock(&fs->scan_lock);
	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	hxfs_unlock(fs);
	if (e) {
		sec = ask_verified(fs, e->name);
		hxfs_lock(fs);
		set_verified(fs, e, sec);
		hxfs_unlock(fs);
	}
	(void)pthread_mutex_unlock(&fs->scan_lock);
}

static int env_new(struct hxfs *fs, const char *name, struct hxfs_env **out)
{
	struct hxfs_env *e, **grown;
	size_t cap;

	if (fs->env_count >= HXFS_ENV_COUNT_MAX)
		return -ENOSPC;
	if (fs->env_count == fs->env_cap) {
		cap = fs->env_cap ? fs->env_cap * 2 : 8;
		grown = reallocarray(fs->env, cap, sizeof(struct hxfs_env *));
		if (!grown)
			return -ENOMEM;
		fs->env = grown;
		fs->env_cap = cap;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	(void)snprintf(e->name, sizeof(e->name), "%s", name);
	e->number = (uint32_t)fs->env_count;
	e->verified = HXFS_NO_TIME;
	fs->env[fs->env_count++] = e;
	*out = e;
	return 0;
}

static void env_leave(struct hxfs *fs, struct hxfs_env *e)
{
	struct hxfs_area *a;
	size_t i, k;

	e->present = false;
	e->verified = HXFS_NO_TIME;
	for (k = 0; k < HXS_ARRAY_LEN(e->area); k++) {
		a = &e->area[k];
		for (i = 0; i < a->count; i++)
			slot_retire(fs, a->slot[i]);
		a->count = 0;
		a->present = false;
	}
	hxfs_notes_add(fs->notes, HXFS_NOTE_GONE, HXFS_ROOT,
		       hxfs_number_env(e->number, HXFS_IS_ENV), e->name);
}

static bool listed(const struct hxs_names *names, const char *name)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		if (strcmp(names->name[i], name) == 0)
			return true;
	return false;
}

/* With fs->lock held. */
static int apply_envs(struct hxfs *fs, const struct hxs_names *names)
{
	struct hxfs_env *e;
	bool changed = false;
	size_t i;
	int r = 0;

	for (i = 0; i < fs->env_count; i++) {
		e = fs->env[i];
		if (e->present && !listed(names, e->name)) {
			env_leave(fs, e);
			changed = true;
		}
	}
	for (i = 0; i < names->count && r == 0; i++) {
		e = find_any(fs, names->name[i]);
		if (!e)
			r = env_new(fs, names->name[i], &e);
		if (r == 0 && !e->present) {
			e->present = true;
			changed = true;
			hxfs_notes_add(fs->notes, HXFS_NOTE_NAME, HXFS_ROOT, 0,
				       e->name);
		}
	}
	if (changed)
		hxfs_notes_add(fs->notes, HXFS_NOTE_DIR, HXFS_ROOT, 0, NULL);
	return r;
}

static int scan_all(struct hxfs *fs, struct hxs_err *err)
{
	struct hxs_names names = { .count = 0 };
	struct hxfs_env *e;
	size_t i, count;
	bool quiet;
	int r, r2;

	r = hxs_store_envs(fs->store, &names, err);
	if (r < 0)
		return r;
	hxfs_lock(fs);
	quiet = fs->generation == 0;
	r = apply_envs(fs, &names);
	count = fs->env_count;
	hxfs_unlock(fs);
	hxs_names_release(&names);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list the environments");
	for (i = 0; i < count; i++) {
		hxfs_lock(fs);
		e = hxfs_registry_env(fs, (uint32_t)i);
		hxfs_unlock(fs);
		if (!e)
			continue;
		/* One that may not be read does not hide the others. */
		r2 = scan_env(fs, e, quiet, r ? NULL : err);
		if (r == 0)
			r = r2;
	}
	return r;
}

int hxfs_registry_scan(struct hxfs *fs, struct hxs_err *err)
{
	int r;

	(void)pthread_mutex_lock(&fs->scan_lock);
	r = scan_all(fs, err);
	(void)pthread_mutex_unlock(&fs->scan_lock);
	return r;
}

/* ---- meeting ------------------------------------------------------------- */

/* With fs->lock held. */
static int64_t meet(struct hxfs *fs, struct hxfs_env *e, enum hxs_kind kind,
		    int64_t seconds, const struct stat *st)
{
	struct hxfs_area *a = hxfs_env_area(e, kind);
	size_t at = hxfs_registry_place(a, seconds);
	struct hxfs_slot *s = NULL, *fresh;
	int r;

	if (at < a->count && a->slot[at]->seconds == seconds)
		s = a->slot[at];
	if (s && (!s->met || (s->dev == st->st_dev && s->ino == st->st_ino))) {
		if (!s->met) {
			s->met = true;
			s->dev = st->st_dev;
			s->ino = st->st_ino;
		}
		return s->number;
	}
	r = s ? 0 : area_reserve(a, a->count + 1);
	if (r == 0)
		r = slot_new(fs, e->number, kind, seconds, &fresh);
	if (r < 0)
		return r;
	if (s) {
		slot_retire(fs, s);
	} else {
		memmove(&a->slot[at + 1], &a->slot[at],
			(a->count - at) * sizeof(*a->slot));
		a->count++;
	}
	a->slot[at] = fresh;
	fresh->met = true;
	fresh->dev = st->st_dev;
	fresh->ino = st->st_ino;
	note_came(fs, e->number, kind, seconds);
	note_moved(fs, e->number, kind);
	return fresh->number;
}

int64_t hxfs_registry_meet(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
			   int64_t seconds, const struct stat *st)
{
	struct hxfs_env *e;
	int64_t r = -ENOENT;

	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	if (e)
		r = meet(fs, e, kind, seconds, st);
	hxfs_unlock(fs);
	return r;
}

bool hxfs_registry_there(struct hxfs *fs, const char *name)
{
	return area_there(fs, HXS_BACKUP, name) ||
	       area_there(fs, HXS_ROLLBACK, name);
}

bool hxfs_registry_knows(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
			 int64_t seconds)
{
	const struct hxfs_area *a;
	struct hxfs_env *e;
	bool known = false;
	size_t at;

	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	if (e) {
		a = hxfs_env_area(e, kind);
		at = hxfs_registry_place(a, seconds);
		known = at < a->count && a->slot[at]->seconds == seconds;
	}
	hxfs_unlock(fs);
	return known;
}

void hxfs_registry_release(struct hxfs *fs)
{
	size_t i, k;

	for (i = 0; i < fs->slot_count; i++)
		if (fs->slot[i])
			hxfs_registry_drop(fs, fs->slot[i]);
	free(fs->slot);
	for (i = 0; i < fs->env_count; i++) {
		for (k = 0; k < HXS_ARRAY_LEN(fs->env[i]->area); k++)
			free(fs->env[i]->area[k].slot);
		free(fs->env[i]);
	}
	free(fs->env);
}
