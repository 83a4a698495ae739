#include "fs/registry.h"

#include "fs/notes.h"
#include "fs/registry_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct hxfs_env *hxfs_registry_env(struct hxfs *fs, uint32_t number)
{
	if (number >= fs->env_count || !fs->env[number]->present)
		return NULL;
	return fs->env[number];
}

struct hxfs_env *hxfs_registry_find_any(struct hxfs *fs, const char *name)
{
	size_t i;

	for (i = 0; i < fs->env_count; i++)
		if (strcmp(fs->env[i]->name, name) == 0)
			return fs->env[i];
	return NULL;
}

struct hxfs_env *hxfs_registry_find(struct hxfs *fs, const char *name)
{
	struct hxfs_env *e = hxfs_registry_find_any(fs, name);

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

void hxfs_registry_note_moved(struct hxfs *fs, uint32_t env, enum hxs_kind kind)
{
	uint64_t dir = area_dir(env, kind);

	hxfs_env_area(fs->env[env], kind)->changes++;
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

static void merge_gone(struct hxfs_merge *m, struct hxfs_slot *s)
{
	m->changed = true;
	if (!m->quiet)
		note_gone(m->fs, s);
	slot_retire(m->fs, s);
}

int hxfs_registry_merge(struct hxfs_merge *m, struct hxfs_area *a,
			const int64_t *sec, size_t n)
{
	struct hxfs_area next = { .present = a->present,
				  .changes = a->changes };
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

int hxfs_registry_env_new(struct hxfs *fs, const char *name,
			  struct hxfs_env **out)
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

void hxfs_registry_env_leave(struct hxfs *fs, struct hxfs_env *e)
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
		a->changes++;
	}
	hxfs_notes_add(fs->notes, HXFS_NOTE_GONE, HXFS_ROOT,
		       hxfs_number_env(e->number, HXFS_IS_ENV), e->name);
}

/* ---- meeting ------------------------------------------------------------- */

/* With fs->lock held: the slot of @seconds, or NULL. */
static struct hxfs_slot *find(struct hxfs_env *e, enum hxs_kind kind,
			      int64_t seconds)
{
	struct hxfs_area *a = hxfs_env_area(e, kind);
	size_t at = hxfs_registry_place(a, seconds);

	return at < a->count && a->slot[at]->seconds == seconds ? a->slot[at]
								: NULL;
}

/*
 * The number of the slot of @seconds if what it has in memory is not what
 * lies in the store any more, else 0. Without the lock: it asks the disk.
 */
static uint32_t find_outdated(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
			      int64_t seconds)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	struct hxfs_slot *s = NULL;
	struct hxfs_env *e;
	uint32_t number = 0;

	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	if (e)
		s = find(e, kind, seconds);
	if (s && s->state == HXFS_LOADED) {
		number = s->number;
		snap = hxs_snapshot_ref(s->snap);
	}
	hxfs_unlock(fs);
	return snap && !hxs_snapshot_is_current(snap) ? number : 0;
}

/* With fs->lock held. */
static int64_t meet(struct hxfs *fs, struct hxfs_env *e, enum hxs_kind kind,
		    int64_t seconds, const struct stat *st, uint32_t outdated)
{
	struct hxfs_area *a = hxfs_env_area(e, kind);
	size_t at = hxfs_registry_place(a, seconds);
	struct hxfs_slot *s = find(e, kind, seconds), *fresh;
	int r;

	if (s && s->number != outdated &&
	    (!s->met || (s->dev == st->st_dev && s->ino == st->st_ino))) {
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
	hxfs_registry_note_moved(fs, e->number, kind);
	return fresh->number;
}

int64_t hxfs_registry_meet(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
			   int64_t seconds, const struct stat *st)
{
	uint32_t outdated = find_outdated(fs, env, kind, seconds);
	struct hxfs_env *e;
	int64_t r = -ENOENT;

	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	if (e)
		r = meet(fs, e, kind, seconds, st, outdated);
	hxfs_unlock(fs);
	return r;
}

bool hxfs_registry_knows(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
			 int64_t seconds)
{
	struct hxfs_env *e;
	bool known;

	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	known = e && find(e, kind, seconds);
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
