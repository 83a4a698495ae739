/*
 * The moment itself: intent, swap, commit. Until the commit is durable all
 * of it can be undone, by us or by whoever recovers; from then on it is done.
 */
#include "base/io.h"
#include "base/path.h"
#include "store/swap.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int look_at(int dirfd, const char *name, struct hxs_ident *id,
		   struct timespec *time)
{
	struct stat st;
	int r;

	r = hxs_ident_of(dirfd, name, id);
	if (r < 0 || id->ino == 0)
		return r;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*time = st.st_mtim;
	return 0;
}

/* Which files the moves are about, as of now. */
static int fill_move(const struct hxs_restore_target *t, int stage,
		     struct hxs_move *m, size_t n, bool may_be_nothing)
{
	const struct hxs_restore_item *it = &t->items[n];
	bool goes = it->entry == HXS_NO_ENTRY || it->cut;
	HXS_AUTO_CLOSE int dir = hxs_io_open_dir(t->place_fd, m->dir);
	struct stat st = { .st_size = 0 };
	char name[32];
	int r;

	if (dir < 0)
		return dir;
	r = fstat(dir, &st) < 0 ? -errno : 0;
	m->dir_time = st.st_mtim;
	if (r == 0)
		r = look_at(dir, m->name, &m->old, &m->old_time);
	hxs_swap_new_name(n, name);
	if (r == 0)
		r = look_at(stage, name, &m->new, &m->new_time);
	/* What was there when we looked, or nothing, has to be there. */
	if (r == 0 && !goes && m->new.ino == 0)
		r = -ENOENT;
	if (r == 0 && goes && m->old.ino == 0 && !may_be_nothing)
		r = -ENOENT;
	return r;
}

static bool is_unchanged_target(const struct hxs_restore_target *t,
				const struct hxs_target *to)
{
	return !t->whole || t->contents ||
	       hxs_ident_equal(&to->moves[to->move_count - 1].old, &t->old);
}

static int fill_target(const struct hxs_restore *rs, size_t n,
		       const bool *adopted, struct hxs_err *err)
{
	const struct hxs_restore_target *t = &rs->targets[n];
	struct hxs_target *to = &rs->journal->targets[n];
	HXS_AUTO_CLOSE int stage = hxs_io_open_dir(t->place_fd, to->stage);
	size_t i;
	int r = stage < 0 ? stage : 0;

	for (i = 0; r == 0 && i < to->move_count; i++)
		/* What was cut away may not have been there either. */
		r = fill_move(t, stage, &to->moves[i], i,
			      rs->opts->until != NULL);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at '%s'", t->path);
	if (!is_unchanged_target(t, to))
		return hxs_err_set(err, HXS_EBUSY,
				   "source '%s': '%s' was replaced meanwhile",
				   t->source->name, t->path);
	to->adopted = adopted[t->number];
	return 0;
}

/* ---- did anybody write meanwhile? -------------------------------------- */

static int changed(const struct hxs_restore_target *t, const char *path,
		   struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	int r;

	(void)hxs_path_show(&shown, path, strlen(path));
	r = hxs_err_set(err, HXS_EBUSY,
			"source '%s' was changed while it was restored: '%s'",
			t->source->name, hxs_buf_str(&shown));
	hxs_err_hint(err, "stop what writes there and try again");
	return r;
}

/*
 * Before the swap for what stays in its directory, after it for what was
 * displaced as a whole: then nothing can come between.
 */
static int check_target(const struct hxs_restore *rs, size_t n, bool swapped,
			struct hxs_err *err)
{
	const struct hxs_restore_target *t = &rs->targets[n];
	const struct hxs_target *to = &rs->journal->targets[n];
	bool as_one = t->whole && !t->contents && t->single == HXS_NO_ENTRY;
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int stage = -1, fd = -1;
	char name[32];
	int r = 1;

	if (!rs->rollback.index || t->old.ino == 0 || as_one != swapped)
		return 0;
	if (t->old.type != S_IFDIR) {
		r = hxs_restore_file_changed(rs->rollback.index,
					     t->source->name, t->place_fd,
					     t->name);
		if (r < 0)
			return hxs_err_errno(err, -r,
					     "cannot look at '%s' again",
					     t->path);
		return r > 0 ? changed(t, t->name, err) : 0;
	}
	if (swapped) {
		stage = hxs_io_open_dir(t->place_fd, to->stage);
		r = stage < 0 ? stage
			      : hxs_swap_displaced(to, 0, stage, name, err);
		if (r > 0)
			fd = hxs_io_open_dir(stage, name);
	} else {
		fd = hxs_io_open_dir(t->place_fd, t->contents ? "" : t->name);
	}
	if (r >= 0 && fd < 0)
		r = fd == -1 ? -ENOENT : fd;
	if (r > 0)
		r = hxs_restore_find_change(rs->rollback.index, t->source,
					    to->stage, fd, &path);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at '%s' again",
				     t->path);
	return r > 0 ? changed(t, hxs_buf_str(&path), err) : 0;
}

static int check_unchanged(const struct hxs_restore *rs, bool swapped,
			   struct hxs_err *err)
{
	size_t i;
	int r = 0;

	if (rs->held)
		return 0; /* they go on writing, and that was allowed */
	for (i = 0; r == 0 && i < rs->target_count; i++)
		r = check_target(rs, i, swapped, err);
	return r;
}

/* ---- the swap ---------------------------------------------------------- */

static int forward(struct hxs_restore *rs, double *absent, struct hxs_err *err)
{
	struct hxs_journal *j = rs->journal;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < j->target_count; i++)
		r = hxs_swap_forward(&j->targets[i], absent, err);
	if (r == 0)
		r = hxs_swap_sync(j->targets, j->target_count, err);
	if (r == 0)
		r = check_unchanged(rs, true, err);
	/* Last: who works with them notices most. */
	return r == 0 ? hxs_restore_systems_swap(rs, absent, err) : r;
}

/*
 * The commit was not written, or was, but perhaps not durably. In the second
 * case what is on disk says that all is done, and it is: nothing is undone.
 */
static bool is_committed(const struct hxs_restore *rs)
{
	HXS_AUTO(journal) struct hxs_journal *j = NULL;

	return hxs_journal_read(rs->store, rs->journal->env, &j, NULL) != 1 ||
	       j->state == HXS_JOURNAL_COMMITTED;
}

int hxs_restore_swap(struct hxs_restore *rs, const bool *adopted,
		     double *absent, bool *committed, struct hxs_err *err)
{
	struct hxs_journal *j = rs->journal;
	size_t i;
	int r = 0;

	*committed = false;
	for (i = 0; r == 0 && i < rs->target_count; i++)
		r = fill_target(rs, i, adopted, err);
	if (r == 0)
		r = check_unchanged(rs, false, err);
	if (r == 0)
		r = hxs_restore_systems_intend(rs, err);
	if (r < 0)
		return r;
	(void)snprintf(j->rollback_id, sizeof(j->rollback_id), "%s",
		       rs->rollback.id);
	(void)snprintf(j->rollback_staging, sizeof(j->rollback_staging), "%s",
		       rs->rollback.staging.name);
	j->state = HXS_JOURNAL_INTENT;
	r = hxs_journal_write(rs->store, j, err);
	if (r == 0)
		r = forward(rs, absent, err);
	if (r < 0)
		return r;
	j->state = HXS_JOURNAL_COMMITTED;
	r = hxs_journal_write(rs->store, j, err);
	*committed = r == 0 || is_committed(rs);
	if (r < 0)
		j->state = HXS_JOURNAL_INTENT;
	return r;
}
