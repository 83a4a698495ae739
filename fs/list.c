/*
 * Listings. A place in a listing is made of what stands there (an id's time,
 * an environment's number, an entry's place in its directory), so it stays
 * good when names come and go between two calls.
 */
#include "format/manifest.h"
#include "fs/history.h"
#include "fs/nodes.h"
#include "fs/refresh.h"
#include "fs/registry.h"
#include "fs/slots.h"

#include <errno.h>
#include <string.h>

/* Places in every directory; what a directory has of its own comes after. */
enum {
	AT_SELF = 0,
	AT_PARENT = 1,
	AT_FIRST = 2,
};

/* In the root. */
enum {
	AT_CONTROL = AT_FIRST,
	AT_STATUS,
	AT_METRICS,
	AT_ENVS,
};

/* In an environment, and in its .rollbacks. */
enum {
	AT_LATEST = AT_FIRST,
	AT_VERIFIED,
	AT_ROLLBACKS,
	AT_IDS,
};

/* Ids of before 1970 have no place of their own: years 1 to 9999 do. */
#define ID_BIAS INT64_C(62135596800)

struct listing {
	struct hxfs *fs;
	bool plus;
	hxfs_emit_fn emit;
	void *ctx;
	bool full;
};

static void emit(struct listing *l, const char *name, uint64_t ino, mode_t type,
		 uint64_t next, const struct hxfs_found *found)
{
	struct hxfs_dirent d = {
		.name = name,
		.ino = ino,
		.mode = type,
		.next = next,
		.found = found,
	};

	if (!l->full && l->emit(l->ctx, &d) != 0)
		l->full = true;
}

static void emit_dots(struct listing *l, uint64_t from, uint64_t self,
		      uint64_t parent)
{
	if (from <= AT_SELF)
		emit(l, ".", self, S_IFDIR, AT_PARENT, NULL);
	if (from <= AT_PARENT)
		emit(l, "..", parent, S_IFDIR, AT_FIRST, NULL);
}

/* ---- the root and environments ------------------------------------------- */

static void list_root(struct listing *l, uint64_t from)
{
	uint32_t i = from > AT_ENVS ? (uint32_t)(from - AT_ENVS) : 0;
	char name[HXS_ENV_MAX + 1];
	struct hxfs_found found;
	bool there, more, ok;
	uint64_t ino;

	emit_dots(l, from, HXFS_ROOT, HXFS_ROOT);
	/* Their attributes are asked for when they are looked up. */
	if (from <= AT_CONTROL && l->fs->control)
		emit(l, ".control", HXFS_ROOT_CONTROL, S_IFREG, AT_STATUS,
		     NULL);
	if (from <= AT_STATUS)
		emit(l, ".status", HXFS_ROOT_STATUS, S_IFREG, AT_METRICS, NULL);
	if (from <= AT_METRICS)
		emit(l, ".metrics", HXFS_ROOT_METRICS, S_IFREG, AT_ENVS, NULL);
	for (; !l->full; i++) {
		hxfs_lock(l->fs);
		more = i < l->fs->env_count;
		there = more && l->fs->env[i]->present;
		if (there)
			memcpy(name, l->fs->env[i]->name, sizeof(name));
		hxfs_unlock(l->fs);
		if (!more)
			break;
		if (!there)
			continue;
		ino = hxfs_number_env(i, HXFS_IS_ENV);
		found = (struct hxfs_found){ .ino = ino };
		ok = l->plus && hxfs_stat_env(l->fs, i, false, &found.st) == 0;
		emit(l, name, ino, S_IFDIR, (uint64_t)AT_ENVS + i + 1,
		     ok ? &found : NULL);
	}
}

static void list_link(struct listing *l, uint32_t env, enum hxfs_link link,
		      const char *name, uint64_t next)
{
	struct hxfs_found found = { .ino = 0 };
	int64_t sec;

	hxfs_lock(l->fs);
	sec = hxfs_registry_link(l->fs, env, link);
	hxfs_unlock(l->fs);
	if (sec == HXFS_NO_TIME)
		return;
	found.ino = hxfs_number_link(env, link, sec);
	hxfs_stat_link(l->fs, found.ino, sec, &found.st);
	emit(l, name, found.ino, S_IFLNK, next, &found);
}

static void list_rollbacks(struct listing *l, uint32_t env)
{
	struct hxfs_found found = {
		.ino = hxfs_number_env(env, HXFS_IS_ROLLBACKS),
	};

	if (hxfs_stat_env(l->fs, env, true, &found.st) == 0)
		emit(l, ".rollbacks", found.ino, S_IFDIR, AT_IDS, &found);
}

#define BATCH 64u

struct some {
	int64_t seconds[BATCH];
	uint32_t number[BATCH];
	size_t count;
};

/* The next few snapshots at or after @seconds. */
static void take_some(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
		      int64_t seconds, struct some *out)
{
	const struct hxfs_area *a;
	struct hxfs_env *e;
	size_t i;

	out->count = 0;
	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	if (e) {
		a = hxfs_env_area(e, kind);
		i = hxfs_registry_place(a, seconds);
		for (; i < a->count && out->count < BATCH; i++) {
			out->seconds[out->count] = a->slot[i]->seconds;
			out->number[out->count++] = a->slot[i]->number;
		}
	}
	hxfs_unlock(fs);
}

/* Attributes, if the directory is still the one in our tables. */
static bool look_at(struct listing *l, uint32_t env, enum hxs_kind kind,
		    int64_t seconds, uint32_t number, struct hxfs_found *found)
{
	*found = (struct hxfs_found){ .ino = hxfs_number_entry(number, 0) };
	if (!l->plus ||
	    hxfs_stat_snapshot(l->fs, env, kind, seconds, &found->st) < 0 ||
	    hxfs_registry_meet(l->fs, env, kind, seconds, &found->st) !=
		    (int64_t)number)
		return false;
	found->st.st_ino = found->ino;
	found->st.st_dev = 0;
	return true;
}

static void list_ids(struct listing *l, uint32_t env, enum hxs_kind kind,
		     uint64_t from)
{
	int64_t at =
		from > AT_IDS ? (int64_t)(from - AT_IDS) - ID_BIAS : INT64_MIN;
	char id[HXS_ID_LEN + 1];
	struct hxfs_found found;
	struct some some;
	uint64_t next;
	size_t i;
	bool ok;

	do {
		take_some(l->fs, env, kind, at, &some);
		for (i = 0; i < some.count && !l->full; i++) {
			at = some.seconds[i] + 1;
			if (hxs_clock_format_id(some.seconds[i], id) < 0)
				continue;
			next = (uint64_t)(at + ID_BIAS) + AT_IDS;
			ok = look_at(l, env, kind, some.seconds[i],
				     some.number[i], &found);
			emit(l, id, hxfs_number_entry(some.number[i], 0),
			     S_IFDIR, next, ok ? &found : NULL);
		}
	} while (some.count == BATCH && !l->full);
}

static int list_env(struct listing *l, const struct hxfs_node *dir,
		    uint64_t from)
{
	bool back = dir->kind == HXFS_IS_ROLLBACKS;
	uint64_t env = hxfs_number_env(dir->env, HXFS_IS_ENV);
	struct hxfs_env *e;

	hxfs_lock(l->fs);
	e = hxfs_registry_env(l->fs, dir->env);
	hxfs_unlock(l->fs);
	if (!e)
		return -ESTALE;
	if (back) {
		emit_dots(l, from, hxfs_number_env(dir->env, HXFS_IS_ROLLBACKS),
			  env);
		if (from <= AT_LATEST)
			list_link(l, dir->env, HXFS_LATEST_ROLLBACK, "latest",
				  AT_IDS);
		list_ids(l, dir->env, HXS_ROLLBACK, from);
		return 0;
	}
	emit_dots(l, from, env, HXFS_ROOT);
	if (from <= AT_LATEST)
		list_link(l, dir->env, HXFS_LATEST, "latest", AT_VERIFIED);
	if (from <= AT_VERIFIED)
		list_link(l, dir->env, HXFS_LATEST_VERIFIED, "latest-verified",
			  AT_ROLLBACKS);
	if (from <= AT_ROLLBACKS)
		list_rollbacks(l, dir->env);
	list_ids(l, dir->env, HXS_BACKUP, from);
	return 0;
}

/* ---- inside a snapshot --------------------------------------------------- */

static void list_entry(struct listing *l, const struct hxfs_slot *s, uint32_t n,
		       const char *name, uint64_t next)
{
	struct hxfs_found found = { .lasting = true };

	if (hxfs_stat_entry(l->fs, s, &n, &found.st) < 0)
		return; /* an index that a foreign snapshot does not have */
	found.ino = hxfs_number_entry(s->number, n);
	emit(l, name, found.ino, found.st.st_mode, next, &found);
}

static uint64_t parent_of(const struct hxfs_slot *s, const struct hxs_node *dir)
{
	if (dir->number != 0)
		return hxfs_number_entry(s->number, dir->parent);
	return hxfs_number_env(s->env, s->kind == HXS_ROLLBACK
					       ? HXFS_IS_ROLLBACKS
					       : HXFS_IS_ENV);
}

static int list_loaded(struct listing *l, struct hxfs_slot *s, uint32_t n,
		       uint64_t from)
{
	const struct hxs_index *idx = hxs_snapshot_index(s->snap);
	struct hxs_node dir, child;
	uint64_t end, i, last;

	if (n >= hxs_index_count(idx))
		return -ESTALE;
	hxs_index_get(idx, n, &dir);
	if (!S_ISDIR(dir.mode))
		return -ENOTDIR;
	end = AT_FIRST + (uint64_t)dir.child_count;
	last = n == 0 ? end + 2 : end;
	if (from == 0)
		hxfs_refresh_begun(l->fs, s, n);
	else if (from >= last)
		hxfs_refresh_listed(l->fs, s, n);
	emit_dots(l, from, hxfs_number_entry(s->number, n), parent_of(s, &dir));
	for (i = from > AT_FIRST ? from : AT_FIRST; i < end && !l->full; i++) {
		hxs_index_get(idx, dir.first_child + (uint32_t)(i - AT_FIRST),
			      &child);
		list_entry(l, s, child.number, child.name, i + 1);
	}
	if (n != 0)
		return 0;
	if (from <= end)
		list_entry(l, s, HXS_ENTRY_INDEX, HXS_INDEX_NAME, end + 1);
	if (from <= end + 1)
		list_entry(l, s, HXS_ENTRY_MANIFEST, HXS_MANIFEST_NAME, last);
	return 0;
}

int hxfs_list(struct hxfs *fs, uint64_t dir, uint64_t from,
	      enum hxfs_patience patience, bool plus, hxfs_emit_fn emit_fn,
	      void *ctx, struct hxs_err *err)
{
	struct listing l = {
		.fs = fs,
		.plus = plus,
		.emit = emit_fn,
		.ctx = ctx,
	};
	struct hxfs_node node;
	struct hxfs_slot *s;
	int r;

	hxfs_number_decode(dir, &node);
	switch (node.kind) {
	case HXFS_IS_ROOT:
		list_root(&l, from);
		return 0;
	case HXFS_IS_ENV:
	case HXFS_IS_ROLLBACKS:
		return list_env(&l, &node, from);
	case HXFS_IS_HISTORY:
	case HXFS_IS_TRAIL:
		return hxfs_history_list(fs, dir, from, patience, emit_fn, ctx,
					 err);
	case HXFS_IS_SNAPSHOT:
	case HXFS_IS_ENTRY:
		break;
	case HXFS_IS_NOTHING:
		return -ESTALE;
	default:
		return -ENOTDIR;
	}
	r = hxfs_slots_enter(fs, node.slot, patience, &s, err);
	if (r < 0)
		return r;
	r = list_loaded(&l, s, node.n, from);
	hxfs_slots_leave(fs, s);
	return r;
}
