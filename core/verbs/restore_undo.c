/*
 * A restore as it is asked for: under the environment's lock, not across one
 * that is still to be confirmed, and taken back when it has to be.
 */
#include "base/clock.h"
#include "store/lock.h"
#include "verbs/confirm.h"
#include "verbs/recover.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void hxs_restore_end(struct hxs_store *s, const struct hxs_restore_opts *opts,
		     int r, const char *message,
		     const struct hxs_restore_report *rep)
{
	struct hxs_relay relay = { .to = opts->listener };
	char done[HXS_REF_TEXT + 32];
	struct hxs_hooks h;

	(void)snprintf(done, sizeof(done), "'%s' was restored", rep->reference);
	hxs_restore_hooks_init(&h, s, opts, &relay, rep);
	h.ended = true;
	h.status = r;
	h.message = message;
	h.rollback_id = rep->rollback_id;
	hxs_hooks_end(&h, &rep->after, done);
}

/* ---- one that is still to be confirmed --------------------------------- */

/* One restore that was asked for. */
struct call {
	struct hxs_store *store;
	const struct hxs_restore_opts *opts;
	struct hxs_restore_report *rep;
	struct hxs_lock *own; /* the record's owner's, or NULL */
	struct hxs_unconfirmed before; /* an earlier one's; 0: there is none */
	bool answers; /* this takes that back */
	struct hxs_unconfirmed record; /* of this one; 0: there is none */
};

static bool is_rollback_of(const struct hxs_restore_opts *o,
			   const struct hxs_unconfirmed *u)
{
	return o->kind == HXS_ROLLBACK && strcmp(o->id, u->rollback_id) == 0 &&
	       o->path_count == 0 && !o->until && !o->confirm_within;
}

static int refuse(const struct hxs_unconfirmed *u, struct hxs_err *err)
{
	char until[HXS_RFC3339_LEN + 1];
	int r;

	if (u->state == HXS_UNCONFIRMED_WAITING &&
	    hxs_clock_format_rfc3339(u->deadline, until) == 0)
		r = hxs_err_set(err, HXS_EBUSY,
				"the restore of '%s' is to be confirmed until "
				"%s",
				u->reference, until);
	else
		r = hxs_err_set(err, HXS_EBUSY,
				"the restore of '%s' was not confirmed, and is "
				"to be taken back",
				u->reference);
	hxs_err_hint(err,
		     "'hxsnap confirm %s' keeps it, 'hxsnap rollback %s' takes "
		     "it back",
		     u->env, u->env);
	return r;
}

/* Remove what a restore has left that is confirmed or taken back. */
static int clear_settled(struct call *c, struct hxs_err *err)
{
	HXS_AUTO(lock) struct hxs_lock *own = NULL;
	int r = 0;

	c->before.state = 0;
	if (!c->own)
		r = hxs_confirm_own(c->store, c->opts->env, &own, err);
	return r < 0 ? r : hxs_unconfirmed_drop(c->store, c->opts->env, err);
}

/* What an earlier restore says to this one. With the lock held. */
static int look_before(struct call *c, struct hxs_err *err)
{
	const struct hxs_restore_opts *o = c->opts;
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	struct hxs_recover_report rep;
	int r;

	r = hxs_unconfirmed_read(c->store, o->env, &u, err);
	if (r <= 0)
		return r;
	memset(&rep, 0, sizeof(rep));
	r = hxs_recover_locked(c->store, o->config, o->env, &rep, err);
	if (r == 0)
		r = hxs_unconfirmed_settle(c->store, o->env, &c->before, err);
	if (r <= 0)
		return r;
	if (c->before.state == HXS_UNCONFIRMED_CONFIRMED ||
	    c->before.state == HXS_UNCONFIRMED_TAKEN_BACK)
		return clear_settled(c, err);
	c->answers = is_rollback_of(o, &c->before);
	if (!c->answers && (hxs_unconfirmed_is_open(&c->before) ||
			    (c->before.state == HXS_UNCONFIRMED_FAILED &&
			     o->confirm_within > 0)))
		return refuse(&c->before, err);
	return 0;
}

/* It has taken back the earlier one, or come in its place. */
static void settle_before(struct call *c)
{
	const char *env = c->opts->env;
	struct hxs_relay relay = { .to = c->opts->listener };
	HXS_AUTO(lock) struct hxs_lock *own = NULL;
	enum hxs_unconfirmed_state found;
	struct hxs_err err = HXS_ERR_INIT;
	int r = 0;

	if (c->before.state == 0 || c->record.state)
		return;
	if (c->answers)
		r = hxs_unconfirmed_turn(c->store, env, c->before.rollback_id,
					 ~0u, HXS_UNCONFIRMED_TAKEN_BACK,
					 &found, &err);
	/* If somebody waits for it, it is told so, and removes it. */
	if (r >= 0 && hxs_unconfirmed_own(c->store, env, &own, NULL) == 0)
		r = hxs_unconfirmed_drop(c->store, env, &err);
	if (r < 0)
		hxs_relay_warn(&relay, err.message);
}

/* ---- one that is to be confirmed --------------------------------------- */

static int fill_record(struct call *c, enum hxs_unconfirmed_state state,
		       const char *rollback_id, struct hxs_err *err)
{
	const struct hxs_restore_opts *o = c->opts;
	struct hxs_unconfirmed *u = &c->record;
	struct timespec now;

	hxs_clock_now(&now);
	if (!u->paths &&
	    hxs_unconfirmed_take_paths(u, o->paths, o->path_count) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot restore '%s'",
				     o->env);
	(void)snprintf(u->env, sizeof(u->env), "%s", o->env);
	memcpy(u->reference, c->rep->reference, sizeof(u->reference));
	(void)snprintf(u->rollback_id, sizeof(u->rollback_id), "%s",
		       rollback_id);
	u->deadline = now.tv_sec + o->confirm_within;
	u->force = o->force;
	u->state = state;
	return hxs_unconfirmed_write(c->store, u, err);
}

/*
 * Before anything is exchanged: what is recorded from here on holds, if it
 * comes about, whatever becomes of this process.
 */
static int intended(void *ctx, const char *rollback_id, struct hxs_err *err)
{
	struct call *c = ctx;
	struct hxs_relay relay = { .to = c->opts->listener };

	if (c->answers)
		return hxs_restore_note_undo(c->store, &c->before, rollback_id,
					     err);
	if (!c->opts->confirm_within)
		return 0;
	if (rollback_id[0])
		return fill_record(c, HXS_UNCONFIRMED_BEGUN, rollback_id, err);
	hxs_relay_warn(&relay, "nothing was there that could be put back: no "
			       "confirmation is waited for");
	return 0;
}

/* The time begins when all is done that could take some. */
static void begin_waiting(struct call *c)
{
	struct hxs_relay relay = { .to = c->opts->listener };
	struct hxs_restore_report *rep = c->rep;
	struct hxs_err err = HXS_ERR_INIT;

	if (fill_record(c, HXS_UNCONFIRMED_WAITING, rep->rollback_id, &err) < 0)
		hxs_relay_warn(&relay, err.message);
	rep->outcome = HXS_RESTORE_UNCONFIRMED;
	rep->confirm_until = c->record.deadline;
	rep->pending = hxs_confirm_wait_new(&c->record, &c->own);
	if (!rep->pending) /* the next command puts it back */
		hxs_relay_warn(&relay, "out of memory: the confirmation cannot "
				       "be waited for");
}

/* It is done, and the service is not healthy. */
static int undo_unhealthy(struct call *c, struct hxs_err *err)
{
	struct hxs_relay relay = { .to = c->opts->listener };
	struct hxs_restore_report *rep = c->rep;
	struct hxs_err why = HXS_ERR_INIT;
	char done[HXS_REF_TEXT + 32];
	int r;

	(void)snprintf(done, sizeof(done), "'%s' was restored", rep->reference);
	if (hxs_hooks_status(&rep->after, done, &why) < 0)
		(void)hxs_err_set(err, HXS_EHOOK, "%s", why.message);
	/* So that it is put back, though we should be killed meanwhile. */
	r = hxs_confirm_own(c->store, c->opts->env, &c->own, &why);
	if (r == 0)
		r = fill_record(c, HXS_UNCONFIRMED_UNDOING, rep->rollback_id,
				&why);
	if (r < 0)
		hxs_relay_warn(&relay, why.message);
	if (!c->record.rollback_id[0])
		return hxs_err_suffix(err, -HXS_EHOOK,
				      "and it cannot be taken back");
	return hxs_restore_take_back(c->store, c->opts, &c->record, rep, err);
}

/* ---- all --------------------------------------------------------------- */

static int carry_out(struct call *c, struct hxs_err *err)
{
	const struct hxs_restore_watch watch = { .intended = intended,
						 .ctx = c };
	const struct hxs_config_env *env =
		hxs_config_env(c->opts->config, c->opts->env);
	struct hxs_restore_report *rep = c->rep;
	const struct hxs_after *after = &rep->after;
	int r;

	r = hxs_restore_locked(c->store, c->opts, &watch, rep, err);
	if (r < 0)
		return r;
	settle_before(c);
	if (c->record.state)
		begin_waiting(c);
	else if (env->undo_on_failed_health && after->checked &&
		 !after->healthy && !c->answers && rep->rollback_id[0])
		return undo_unhealthy(c, err);
	return 0;
}

static int run(struct call *c, struct hxs_err *err)
{
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	const struct hxs_restore_opts *o = c->opts;
	int r;

	r = hxs_restore_check_request(o, err);
	if (r == 0 && o->confirm_within)
		r = hxs_confirm_own(c->store, o->env, &c->own, err);
	if (r == 0)
		r = hxs_lock_env(c->store, o->env, "restore", &lock, err);
	if (r == 0)
		r = look_before(c, err);
	if (r < 0)
		return hxs_err_suffix(err, r, "nothing was changed");
	r = carry_out(c, err);
	hxs_restore_end(c->store, o, r, err->message, c->rep);
	return r;
}

int hxs_restore(struct hxs_store *s, const struct hxs_restore_opts *opts,
		struct hxs_restore_report *out, struct hxs_err *err)
{
	struct call c = { .store = s, .opts = opts, .rep = out };
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	memset(out, 0, sizeof(*out));
	hxs_ref_format(opts->kind, opts->env, opts->id, out->reference);
	r = run(&c, &why);
	hxs_unconfirmed_release(&c.before);
	hxs_unconfirmed_release(&c.record);
	hxs_lock_release(c.own);
	if (r < 0 && err)
		*err = why;
	return r;
}
