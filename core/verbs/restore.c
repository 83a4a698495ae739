/*
 * Restore (CONTRACT.md, section 6). Everything up to the intent touches
 * nothing live; between intent and commit everything can be undone; after
 * the commit there is only tidying up, which recovery would do as well.
 */
#include "base/clock.h"
#include "verbs/recover.h"
#include "verbs/restore_parts.h"
#include "verbs/restore_room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define FDS_SPARE 32 /* ours beside the workers', and the caller's */
#define FDS_PER_WORKER 6

/* ---- before ------------------------------------------------------------ */

int hxs_restore_check_request(const struct hxs_restore_opts *o,
			      struct hxs_err *err)
{
	const struct hxs_config_env *env = hxs_config_env(o->config, o->env);

	if (!env)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "'%s' has no environment '%s'",
				   o->config->file, o->env);
	if (env->confirm && !o->confirmed)
		return hxs_err_set(err, HXS_ECONFIRM,
				   "refused: a restore of '%s' wants "
				   "confirmation",
				   o->env);
	return 0;
}

void hxs_restore_hooks_init(struct hxs_hooks *h, struct hxs_store *s,
			    const struct hxs_restore_opts *opts,
			    const struct hxs_relay *relay,
			    const struct hxs_restore_report *rep)
{
	*h = (struct hxs_hooks){
		.config = opts->config,
		.env = hxs_config_env(opts->config, opts->env),
		.relay = relay,
		.store = hxs_store_path(s),
		.operation =
			opts->kind == HXS_ROLLBACK ? "rollback" : "restore",
		.reference = rep->reference,
		.id = opts->id,
	};
}

static void add_items(const struct hxs_restore *rs,
		      const struct hxs_restore_target *t, struct hxs_room *room)
{
	size_t i, k;

	for (i = 0; i < t->item_count; i++) {
		const struct hxs_restore_item *it = &t->items[i];

		for (k = 0; k < it->only_count; k++)
			hxs_restore_room_add(room, rs->snap, it->only[k]);
		if (it->only_count == 0 && it->entry != HXS_NO_ENTRY)
			hxs_restore_room_add(room, rs->snap, it->entry);
	}
}

/* Whether each file system has room for all that goes there. */
static int check_room(const struct hxs_restore *rs, struct hxs_err *err)
{
	const struct hxs_restore_target *t = rs->targets;
	struct hxs_room room;
	size_t i, k;
	int r = 0;

	for (i = 0; r == 0 && i < rs->target_count; i++) {
		if (!hxs_restore_is_first_there(rs, i))
			continue;
		hxs_restore_room_begin(&room, rs->store, t[i].place_fd);
		for (k = i; k < rs->target_count; k++)
			if (t[k].dev == t[i].dev)
				add_items(rs, &t[k], &room);
		r = hxs_restore_room_check(&room, t[i].place_fd, t[i].place,
					   err);
	}
	return r;
}

/* ---- the rollback point ------------------------------------------------ */

/* Whether what is displaced may become the rollback point without a copy. */
static bool may_adopt(const struct hxs_restore *rs,
		      const struct hxs_restore_target *t)
{
	struct statx a, b;

	if (!t->whole || t->contents || t->old.type != S_IFDIR || rs->held)
		return false;
	if (statx(t->place_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) < 0 ||
	    statx(hxs_store_fd(rs->store), "", AT_EMPTY_PATH, STATX_MNT_ID,
		  &b) < 0)
		return false;
	return (a.stx_mask & b.stx_mask & STATX_MNT_ID) &&
	       a.stx_mnt_id == b.stx_mnt_id &&
	       a.stx_dev_major == b.stx_dev_major &&
	       a.stx_dev_minor == b.stx_dev_minor;
}

static int make_rollback(struct hxs_restore *rs, bool *adopt,
			 struct hxs_err *err)
{
	const struct hxs_restore_opts *o = rs->opts;
	const struct hxs_create_opts opts = {
		.config = o->config,
		.env = o->env,
		.threads = o->threads,
		.tool_version = o->tool_version,
		.listener = o->listener,
	};
	HXS_AUTO_FREE const char **own = NULL;
	HXS_AUTO_FREE bool *must = NULL;
	HXS_AUTO_FREE char ***marks = NULL;
	struct hxs_rollback_wants wants = { .adopt = adopt };
	size_t i;
	int r;

	wants.own = own = calloc(rs->env->source_count + 1, sizeof(*own));
	wants.must = must = calloc(rs->env->source_count + 1, sizeof(*must));
	marks = calloc(rs->env->source_count + 1, sizeof(*marks));
	wants.marks = marks;
	if (!own || !must || !marks)
		return hxs_err_errno(err, ENOMEM, "cannot restore '%s'",
				     rs->env->name);
	for (i = 0; i < rs->target_count; i++) {
		const struct hxs_restore_target *t = &rs->targets[i];

		adopt[t->number] = may_adopt(rs, t);
		if (t->contents)
			own[t->number] = rs->journal->targets[i].stage;
	}
	for (i = 0; i < rs->system_count; i++) {
		must[rs->systems[i].number] = true;
		marks[rs->systems[i].number] = &rs->systems[i].mark;
	}
	r = hxs_create_rollback(rs->store, &opts, &wants, &rs->rollback, err);
	return r < 0 ? r : 0;
}

/* ---- all --------------------------------------------------------------- */

static int prepare(struct hxs_restore *rs, struct hxs_err *err)
{
	int r;

	r = hxs_restore_open(rs->store, rs->opts, &rs->snap, &rs->pick, err);
	if (r == 0)
		r = hxs_restore_find_targets(rs, &rs->pick, err);
	if (r == 0)
		r = hxs_restore_until_begin(&rs->until, rs->opts, rs->snap,
					    &rs->pick, &rs->relay, err);
	/* Those that a hook is to stop may go on until then. */
	if (r == 0 && !hxs_hooks_any(rs->env, HXS_BEFORE_RESTORE))
		r = hxs_restore_check_holders(rs, err);
	if (r == 0)
		r = check_room(rs, err);
	if (r == 0)
		r = hxs_restore_systems_probe(rs, err);
	if (r < 0)
		return r;
	hxs_restore_pick_count(rs->snap, &rs->pick, &rs->relay.files_total,
			       &rs->relay.bytes_total);
	r = hxs_pool_start(rs->opts->threads, FDS_SPARE, FDS_PER_WORKER,
			   &rs->pool, err);
	if (r < 0)
		return r;
	rs->journal = calloc(1, sizeof(*rs->journal));
	return rs->journal ? 0
			   : hxs_err_errno(err, ENOMEM, "cannot restore '%s'",
					   rs->env->name);
}

/* Take back what was staged, and the swap if there was one. */
static int undo(struct hxs_restore *rs, int r, struct hxs_err *err)
{
	struct hxs_err why = HXS_ERR_INIT;

	if (hxs_restore_undo(rs->store, rs->opts->config, rs->journal, &why) ==
	    0)
		return hxs_err_suffix(err, r, "nothing was changed");
	rs->torn = true;
	hxs_staging_leave(&rs->rollback.staging); /* undoing may need it */
	(void)hxs_err_suffix(err, r, "and it could not be undone: %s",
			     why.message);
	hxs_err_hint(err, "'hxsnap recover %s' tries again", rs->env->name);
	return r;
}

/* What is left once all of it is durably new. */
static void tidy(struct hxs_restore *rs)
{
	HXS_AUTO_FREE char *text = NULL;
	struct hxs_err err = HXS_ERR_INIT;

	hxs_staging_leave(&rs->rollback.staging);
	if (hxs_restore_finish(rs->store, rs->opts->config, rs->journal,
			       &err) == 0)
		return;
	if (asprintf(&text,
		     "restored, but not all was tidied up: %s; 'hxsnap "
		     "recover %s' tries again",
		     err.message, rs->env->name) < 0)
		text = NULL;
	hxs_relay_warn(&rs->relay,
		       text ? text : "restored, but not all was tidied up");
}

/*
 * Stage, with the targets in use as long as can be: hooks that stop what uses
 * them run when only the exchange is left to be done.
 */
static int stage(struct hxs_restore *rs, struct hxs_err *err)
{
	bool stops = hxs_hooks_any(rs->env, HXS_BEFORE_RESTORE);
	int r;

	hxs_relay_enter(&rs->relay, "staging", 0, 0);
	r = hxs_restore_stage(rs, !stops, err);
	if (r < 0 || !stops)
		return r;
	rs->stopped = true;
	r = hxs_hooks_before(&rs->hooks, HXS_BEFORE_RESTORE, err);
	if (r == 0)
		r = hxs_restore_check_holders(rs, err);
	return r < 0 ? r : hxs_restore_look_again(rs, err);
}

static int carry_out(struct hxs_restore *rs, struct hxs_restore_report *out,
		     struct hxs_err *err)
{
	HXS_AUTO_FREE bool *adopt = NULL;
	bool committed = false;
	int r;

	adopt = calloc(rs->env->source_count + 1, sizeof(*adopt));
	if (!adopt)
		return undo(rs,
			    hxs_err_errno(err, ENOMEM, "cannot restore '%s'",
					  rs->env->name),
			    err);
	r = stage(rs, err);
	if (r == 0)
		r = make_rollback(rs, adopt, err);
	if (r == 0)
		r = hxs_restore_check_emptied(rs, adopt, err);
	if (r == 0) /* who came meanwhile? */
		r = hxs_restore_check_holders(rs, err);
	if (r == 0)
		r = hxs_relay_goes_on(&rs->relay, err);
	if (r == 0 && rs->watch)
		r = rs->watch->intended(rs->watch->ctx, rs->rollback.id, err);
	if (r == 0)
		r = hxs_restore_swap(rs, adopt, &out->absent_seconds,
				     &committed, err);
	if (r < 0 && committed) {
		rs->torn = true;
		hxs_staging_leave(&rs->rollback.staging);
		return hxs_err_suffix(err, r,
				      "all of '%s' was exchanged, but perhaps "
				      "not durably",
				      rs->env->name);
	}
	if (r < 0)
		return undo(rs, r, err);
	memcpy(out->rollback_id, rs->rollback.id, sizeof(out->rollback_id));
	tidy(rs);
	return 0;
}

/*
 * What was stopped is started, whatever became of the restore: unless what it
 * would work on is neither the old nor the new state.
 */
static void end_hooks(struct hxs_restore *rs, int r,
		      struct hxs_restore_report *out, struct hxs_err *err)
{
	struct hxs_hooks *h = &rs->hooks;
	struct hxs_after *after = &out->after;

	h->ended = true;
	h->status = r;
	h->message = err ? err->message : NULL;
	h->rollback_id = out->rollback_id;
	if (!rs->torn && (r == 0 || rs->stopped))
		hxs_hooks_after(h, HXS_AFTER_RESTORE, after);
	if (r == 0 && !rs->opts->confirm_within)
		hxs_hooks_after(h, HXS_HEALTH, after);
	if (r < 0 && after->failed)
		(void)hxs_err_suffix(err, r, "%s", after->first);
	if (rs->torn && hxs_hooks_any(rs->env, HXS_AFTER_RESTORE))
		(void)hxs_err_suffix(err, r,
				     "the after_restore hooks were not run");
}

static int run(struct hxs_restore *rs, struct hxs_restore_report *out,
	       struct hxs_err *err)
{
	struct hxs_recover_report recovered = { .removed = 0 };
	int r;

	hxs_restore_hooks_init(&rs->hooks, rs->store, rs->opts, &rs->relay,
			       out);
	r = hxs_recover_locked(rs->store, rs->opts->config, rs->opts->env,
			       &recovered, err);
	if (r == 0)
		r = prepare(rs, err);
	if (r < 0) {
		r = hxs_err_suffix(err, r, "nothing was changed");
	} else {
		r = carry_out(rs, out, err);
		hxs_staging_release(&rs->rollback.staging);
	}
	end_hooks(rs, r, out, err);
	return r;
}

int hxs_restore_locked(struct hxs_store *s, const struct hxs_restore_opts *opts,
		       const struct hxs_restore_watch *watch,
		       struct hxs_restore_report *out, struct hxs_err *err)
{
	struct hxs_restore rs = {
		.store = s,
		.opts = opts,
		.env = hxs_config_env(opts->config, opts->env),
		.watch = watch,
		.relay = { .to = opts->listener, .phase = "looking" },
		.pick = HXS_RESTORE_PICK_INIT,
		.rollback = HXS_ROLLBACK_INIT,
	};
	double since = hxs_clock_ticks();
	int r;

	memset(out, 0, sizeof(*out));
	hxs_ref_format(opts->kind, opts->env, opts->id, out->reference);
	rs.stop = hxs_relay_stop(&rs.relay);
	r = run(&rs, out, err);
	if (r == 0)
		hxs_restore_until_report(&rs.until, out);
	hxs_restore_until_release(&rs.until);
	out->files = rs.files;
	out->bytes = rs.bytes;
	out->seconds = hxs_clock_ticks() - since;
	hxs_restore_free_targets(&rs);
	hxs_restore_systems_free(&rs);
	hxs_restore_pick_release(&rs.pick);
	hxs_journal_free(rs.journal);
	hxs_index_unref(rs.rollback.index);
	hxs_snapshot_unref(rs.snap);
	hxs_pool_free(rs.pool);
	return r;
}
