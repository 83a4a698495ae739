#include "fs/history.h"

#include "fs/history_parts.h"
#include "fs/notes.h"

#include <errno.h>
#include <string.h>

#define FEW 16u /* so many directories are looked at at once */

int hxfs_history_new(struct hxfs_history **out)
{
	struct hxfs_history *h = calloc(1, sizeof(*h));
	int r = h ? 0 : -ENOMEM;

	if (r == 0)
		r = hxfs_twigs_new(&h->twigs);
	if (r == 0)
		r = hxfs_kept_new(&h->kept);
	if (r < 0) {
		hxfs_history_free(h);
		return r;
	}
	*out = h;
	return 0;
}

void hxfs_history_free(struct hxfs_history *h)
{
	if (!h)
		return;
	hxfs_kept_free(h->kept);
	hxfs_twigs_free(h->twigs);
	free(h);
}

/* ---- attributes ---------------------------------------------------------- */

static void stat_branch(const struct hxfs_branch *b, struct stat *st)
{
	*st = (struct stat){
		.st_ino = b->number,
		.st_mode = S_IFDIR | (b->access.mode & 0555),
		.st_nlink = 1,
		.st_uid = b->access.uid,
		.st_gid = b->access.gid,
		.st_mtim = b->mtime,
		.st_ctim = b->mtime,
		.st_atim = b->mtime,
	};
}

/*
 * .history itself. Who may not enter each of the backups, as they lie in the
 * store, does not get at what they held by this way either.
 */
static int stat_top(struct hxfs *fs, uint32_t env, enum hxfs_patience patience,
		    struct stat *st)
{
	HXS_AUTO_FREE struct hxfs_backup *all = NULL;
	struct hxfs_gates gates = { .count = 0 };
	struct hxfs_access access, other;
	uint64_t changes;
	struct stat one;
	size_t i, count;
	int r;

	r = hxfs_stat_env(fs, env, false, st);
	if (r == 0)
		r = hxfs_trail_backups(fs, env, &all, &count, &changes);
	if (r != 0)
		return r;
	if (count > FEW && patience == HXFS_NOW)
		return -EAGAIN;
	access = (struct hxfs_access){ st->st_mode & 0777, st->st_uid,
				       st->st_gid };
	hxfs_gates_add(&gates, &access);
	for (i = 0; i < count; i++) {
		if (hxfs_stat_snapshot(fs, env, HXS_BACKUP, all[i].seconds,
				       &one) < 0)
			continue; /* it has gone, or shows nothing */
		other = (struct hxfs_access){ one.st_mode & 0777, one.st_uid,
					      one.st_gid };
		hxfs_gates_add(&gates, &other);
		hxfs_access_narrow(&access, &other);
	}
	hxfs_gates_narrow(&gates, &access);
	st->st_ino = hxfs_number_env(env, HXFS_IS_HISTORY);
	st->st_mode = S_IFDIR | (access.mode & 0555);
	return 0;
}

int hxfs_history_stat(struct hxfs *fs, uint64_t ino,
		      enum hxfs_patience patience, struct stat *st,
		      struct hxs_err *err)
{
	HXFS_AUTO_PLACE struct hxfs_place p = { .path = HXS_BUF_INIT };
	const struct hxfs_branch *b;
	struct hxfs_trail *t;
	struct hxfs_node node;
	uint64_t parent;
	int r;

	hxfs_number_decode(ino, &node);
	if (node.kind == HXFS_IS_HISTORY)
		return stat_top(fs, node.env, patience, st);
	parent = hxfs_place_parent(fs->history->twigs, ino);
	if (!parent)
		return -ESTALE;
	r = hxfs_place_find(fs->history->twigs, parent, false, &p);
	if (r == 0)
		r = hxfs_trail_enter(fs, &p, patience, &t, err);
	if (r != 0)
		return r;
	b = hxfs_trail_branch(t, ino);
	if (b)
		stat_branch(b, st);
	else
		r = t->fault ? t->fault : -ESTALE;
	hxfs_trail_leave(fs, t);
	return r;
}

/* ---- names --------------------------------------------------------------- */

static int lookup_in(struct hxfs *fs, uint64_t dir, const struct hxfs_trail *t,
		     const char *name, struct hxfs_found *out)
{
	const struct hxfs_version *v = NULL;
	const struct hxfs_branch *b;
	int64_t seconds;
	int r;

	/* Where a directory held a name like an id, a version goes before. */
	if (hxs_clock_parse_id(name, &seconds) == 0)
		v = hxfs_trail_version(t, seconds);
	if (v) {
		out->ino = hxfs_number_entry(v->slot, v->n);
		out->st = v->st;
		return 0;
	}
	b = hxfs_trail_branch(t, hxfs_number_trail(dir, name));
	if (!b || strcmp(b->name, name) != 0)
		return t->fault ? t->fault : -ENOENT;
	r = hxfs_place_know(fs->history->twigs, dir, b->number, name);
	if (r < 0)
		return r;
	out->ino = b->number;
	stat_branch(b, &out->st);
	return 0;
}

int hxfs_history_lookup(struct hxfs *fs, uint64_t dir, const char *name,
			enum hxfs_patience patience, struct hxfs_found *out,
			struct hxs_err *err)
{
	HXFS_AUTO_PLACE struct hxfs_place p = { .path = HXS_BUF_INIT };
	struct hxfs_trail *t;
	int r;

	r = hxfs_place_find(fs->history->twigs, dir, false, &p);
	if (r == 0)
		r = hxfs_trail_enter(fs, &p, patience, &t, err);
	if (r != 0)
		return r;
	r = lookup_in(fs, dir, t, name, out);
	hxfs_trail_leave(fs, t);
	return r;
}

/* ---- listings ------------------------------------------------------------ */

/*
 * Places: those of versions are made of their times, of years 1 to 9999;
 * those of names are their numbers, which are greater.
 */
enum { AT_SELF = 0, AT_PARENT = 1, AT_FIRST = 2 };
#define TIME_BIAS INT64_C(62135596800)

struct listing {
	uint64_t from;
	hxfs_emit_fn emit;
	void *ctx;
	bool full;
};

static void emit(struct listing *l, uint64_t at, const char *name, uint64_t ino,
		 mode_t mode, const struct hxfs_found *found)
{
	struct hxfs_dirent d = {
		.name = name,
		.ino = ino,
		.mode = mode,
		.next = at + 1,
		.found = found,
	};

	if (!l->full && at >= l->from && l->emit(l->ctx, &d) != 0)
		l->full = true;
}

/*
 * Attributes of names are not handed out with the listing, for the kernel then
 * remembers them, all of them; they are at hand when it asks.
 */
static void list_in(struct listing *l, uint64_t dir, uint64_t parent,
		    const struct hxfs_trail *t)
{
	struct hxfs_found found = { .ino = 0 };
	char id[HXS_ID_LEN + 1];
	int64_t seconds;
	size_t i;

	emit(l, AT_SELF, ".", dir, S_IFDIR, NULL);
	emit(l, AT_PARENT, "..", parent, S_IFDIR, NULL);
	for (i = 0; i < t->version_count && !l->full; i++) {
		const struct hxfs_version *v = &t->version[i];

		if (hxs_clock_format_id(v->seconds, id) < 0)
			continue;
		found.ino = hxfs_number_entry(v->slot, v->n);
		found.st = v->st;
		emit(l, (uint64_t)(v->seconds + TIME_BIAS) + AT_FIRST, id,
		     found.ino, v->st.st_mode, &found);
	}
	for (i = 0; i < t->branch_count && !l->full; i++) {
		const struct hxfs_branch *b = &t->branch[i];

		if (t->version_count &&
		    hxs_clock_parse_id(b->name, &seconds) == 0 &&
		    hxfs_trail_version(t, seconds))
			continue;
		emit(l, b->number, b->name, b->number, S_IFDIR, NULL);
	}
}

int hxfs_history_list(struct hxfs *fs, uint64_t dir, uint64_t from,
		      enum hxfs_patience patience, hxfs_emit_fn emit_fn,
		      void *ctx, struct hxs_err *err)
{
	HXFS_AUTO_PLACE struct hxfs_place p = { .path = HXS_BUF_INIT };
	struct listing l = { .from = from, .emit = emit_fn, .ctx = ctx };
	uint64_t parent, changes = 0;
	struct hxfs_trail *t;
	int r;

	r = hxfs_place_find(fs->history->twigs, dir, true, &p);
	if (r == 0)
		r = hxfs_trail_enter(fs, &p, patience, &t, err);
	if (r != 0)
		return r;
	if (!t->found && p.path.len > 0) {
		r = t->fault ? t->fault : -ESTALE;
	} else {
		parent = p.path.len ? hxfs_place_parent(fs->history->twigs, dir)
				    : hxfs_number_env(p.env, HXFS_IS_ENV);
		list_in(&l, dir, parent, t);
	}
	/* What came while it was made may have been told of before. */
	if (hxfs_trail_changes(fs, p.env, &changes) == 0 &&
	    changes != t->changes)
		hxfs_notes_add(fs->notes, HXFS_NOTE_DIR, dir, 0, NULL);
	hxfs_trail_leave(fs, t);
	return r;
}
