/*
 * A service that a before_restore hook stops was at work while its targets
 * were looked at and the snapshot was staged beside them: that way it stands
 * still for the exchange only. What it did meanwhile seldom matters, since
 * most targets are exchanged as one. It does where names are exchanged one by
 * one: what is new there would stay among what is restored.
 */
#include "verbs/restore_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool is_same_item(const struct hxs_restore_item *a,
			 const struct hxs_restore_item *b)
{
	return a->entry == b->entry && strcmp(a->dir, b->dir) == 0 &&
	       strcmp(a->name, b->name) == 0 &&
	       a->only_count == b->only_count &&
	       (a->only_count == 0 ||
		memcmp(a->only, b->only, a->only_count * sizeof(*a->only)) ==
			0);
}

/* What is exchanged name by name has attributes of its own to remember. */
static bool is_same_place(const struct hxs_restore_target *now,
			  const struct hxs_target *then)
{
	struct hxs_ident id;
	struct stat st;

	if (hxs_ident_of(now->place_fd, "", &id) < 0 ||
	    !hxs_ident_equal(&id, &then->place_id) ||
	    fstat(now->place_fd, &st) < 0)
		return false;
	return !then->contents ||
	       (st.st_mtim.tv_sec == then->old_time.tv_sec &&
		st.st_mtim.tv_nsec == then->old_time.tv_nsec);
}

static bool is_same(const struct hxs_restore_target *a,
		    const struct hxs_restore_target *b,
		    const struct hxs_target *then)
{
	size_t i;

	if (a->number != b->number || a->entry != b->entry ||
	    a->single != b->single || a->contents != b->contents ||
	    a->whole != b->whole || a->item_count != b->item_count ||
	    strcmp(a->path, b->path) != 0 ||
	    !hxs_ident_equal(&a->old, &b->old) || !is_same_place(b, then))
		return false;
	for (i = 0; i < a->item_count; i++)
		if (!is_same_item(&a->items[i], &b->items[i]))
			return false;
	return true;
}

static bool are_same(const struct hxs_restore *then,
		     const struct hxs_restore *now)
{
	size_t i;

	if (then->target_count != now->target_count)
		return false;
	for (i = 0; i < then->target_count; i++)
		if (!is_same(&then->targets[i], &now->targets[i],
			     &then->journal->targets[i]))
			return false;
	return true;
}

/* The directory a target is in may have got another time meanwhile. */
static int note_times(struct hxs_restore *rs, struct hxs_err *err)
{
	struct stat st;
	size_t i;

	for (i = 0; i < rs->target_count; i++) {
		if (fstat(rs->targets[i].place_fd, &st) < 0)
			return hxs_err_errno(err, errno, "cannot look at '%s'",
					     rs->targets[i].place);
		rs->journal->targets[i].old_time = st.st_mtim;
	}
	return 0;
}

/* Take away what was staged, and begin again with the targets of @now. */
static int stage_anew(struct hxs_restore *rs, struct hxs_restore *now,
		      struct hxs_err *err)
{
	HXS_AUTO(journal) struct hxs_journal *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return hxs_err_errno(err, ENOMEM, "cannot restore '%s'",
				     rs->env->name);
	r = hxs_restore_undo(rs->store, rs->opts->config, rs->journal, err);
	if (r < 0)
		return r;
	hxs_journal_free(rs->journal);
	rs->journal = HXS_STEAL(j);
	hxs_restore_free_targets(rs);
	rs->targets = HXS_STEAL(now->targets);
	rs->target_count = now->target_count;
	now->target_count = 0;
	hxs_restore_until_release(&rs->until); /* it counts what is staged */
	r = hxs_restore_until_begin(&rs->until, rs->opts, rs->snap, &rs->pick,
				    &rs->relay, err);
	return r < 0 ? r : hxs_restore_stage(rs, true, err);
}

int hxs_restore_look_again(struct hxs_restore *rs, struct hxs_err *err)
{
	struct hxs_restore now = *rs;
	int r;

	now.targets = NULL;
	now.target_count = 0;
	now.again = true;
	r = hxs_restore_find_targets(&now, &rs->pick, err);
	if (r == 0 && !are_same(rs, &now)) {
		r = stage_anew(rs, &now, err);
	} else if (r == 0) {
		r = note_times(rs, err);
		if (r == 0)
			r = hxs_restore_keep_left_out(rs, err);
	}
	hxs_restore_free_targets(&now);
	return r;
}
