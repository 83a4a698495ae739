/* The command that restored waits to be told that it was right. */
#include "verbs/confirm.h"

#include "base/clock.h"
#include "store/lock.h"
#include "verbs/recover.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BETWEEN 0.1 /* seconds between two looks at the record */
#define UNDECIDED \
	((1u << HXS_UNCONFIRMED_BEGUN) | (1u << HXS_UNCONFIRMED_WAITING))
#define HEALTH_EVERY 1.0 /* seconds from one check's end to the next */

static void pause_for(long ms)
{
	const struct timespec pause = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&pause, NULL); /* a signal only shortens it */
}

struct hxs_confirm_wait {
	struct hxs_unconfirmed record;
	struct hxs_lock *own;
};

struct hxs_confirm_wait *hxs_confirm_wait_new(struct hxs_unconfirmed *u,
					      struct hxs_lock **own)
{
	struct hxs_confirm_wait *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->record = *u;
	u->paths = NULL;
	u->path_count = 0;
	p->own = *own;
	*own = NULL;
	return p;
}

void hxs_confirm_wait_free(struct hxs_confirm_wait *p)
{
	if (!p)
		return;
	hxs_unconfirmed_release(&p->record);
	hxs_lock_release(p->own);
	free(p);
}

struct wait {
	struct hxs_store *store;
	const struct hxs_restore_opts *opts;
	struct hxs_restore_report *rep;
	const struct hxs_unconfirmed *record;
	double until, look_at, ask_at; /* in ticks */
	enum hxs_unconfirmed_state state; /* as of the last look; 0: gone */
	struct hxs_after last; /* what the health hooks said last */
	struct hxs_listener listener; /* theirs */
};

static bool wants_end(const struct wait *w)
{
	const struct hxs_listener *l = w->opts->listener;

	return l && l->cancelled && l->cancelled(l->ctx);
}

/* What cannot be read now may be another time: it is as it was. */
static void look(struct wait *w)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	double now = hxs_clock_ticks();
	int r;

	if (now < w->look_at)
		return;
	w->look_at = now + BETWEEN;
	r = hxs_unconfirmed_read(w->store, w->record->env, &u, NULL);
	if (r == 0 ||
	    (r > 0 && strcmp(u.rollback_id, w->record->rollback_id) != 0))
		w->state = 0;
	else if (r > 0) /* that the time counts may not have been recorded */
		w->state = u.state == HXS_UNCONFIRMED_BEGUN
				   ? HXS_UNCONFIRMED_WAITING
				   : u.state;
}

static bool goes_on(struct wait *w)
{
	look(w);
	return w->state == HXS_UNCONFIRMED_WAITING && !wants_end(w) &&
	       hxs_clock_ticks() < w->until;
}

/* Asked while a health hook runs. */
static bool ends_health(void *ctx)
{
	return !goes_on(ctx);
}

/* Whether it is confirmed by that. */
static bool ask_health(struct wait *w)
{
	struct hxs_relay relay = { .to = &w->listener };
	enum hxs_unconfirmed_state found;
	struct hxs_hooks h;

	if (!hxs_hooks_any(hxs_config_env(w->opts->config, w->opts->env),
			   HXS_HEALTH) ||
	    hxs_clock_ticks() < w->ask_at)
		return false;
	hxs_restore_hooks_init(&h, w->store, w->opts, &relay, w->rep);
	h.ended = true;
	h.rollback_id = w->rep->rollback_id;
	memset(&w->last, 0, sizeof(w->last));
	hxs_hooks_after(&h, HXS_HEALTH, &w->last);
	w->ask_at = hxs_clock_ticks() + HEALTH_EVERY;
	w->rep->after.checked = true;
	w->rep->after.healthy = w->last.healthy;
	/* What cannot be recorded now may be the next time. */
	return w->last.healthy &&
	       hxs_unconfirmed_turn(w->store, w->record->env,
				    w->record->rollback_id, UNDECIDED,
				    HXS_UNCONFIRMED_CONFIRMED, &found,
				    NULL) > 0;
}

/* Why it is put back, in @err. */
static int give_up(const struct wait *w, struct hxs_err *err)
{
	char until[HXS_RFC3339_LEN + 1] = "";
	bool over = hxs_clock_ticks() >= w->until;
	int r;

	(void)hxs_clock_format_rfc3339(w->record->deadline, until);
	if (over)
		r = hxs_err_set(err, ETIMEDOUT,
				"'%s' was restored, but not confirmed until %s",
				w->rep->reference, until);
	else
		r = hxs_err_set(err, ECANCELED,
				"'%s' was restored, but waiting for its "
				"confirmation was cancelled",
				w->rep->reference);
	if (w->last.failed)
		(void)hxs_err_suffix(err, r, "it was not healthy: %s",
				     w->last.first);
	return r;
}

/* Wait for whoever works on the environment: it may be a long backup. */
static int lock_env(const struct wait *w, struct hxs_lock **out,
		    struct hxs_err *err)
{
	struct hxs_relay relay = { .to = w->opts->listener };
	struct hxs_err busy = HXS_ERR_INIT;
	bool told = false;
	int r;

	for (;;) {
		r = hxs_lock_env(w->store, w->record->env, "restore", out,
				 &busy);
		if (r != -HXS_EBUSY)
			break;
		if (!told)
			hxs_relay_warn(&relay, busy.message);
		told = true;
		pause_for(50);
	}
	if (r < 0 && err)
		*err = busy;
	return r;
}

static int taken_back(const struct wait *w, struct hxs_err *err)
{
	w->rep->outcome = HXS_RESTORE_TAKEN_BACK;
	return hxs_err_set(err, ECANCELED,
			   "'%s' was restored, and taken back by another "
			   "command",
			   w->rep->reference);
}

/* It is decided: put it back. @err says why. */
static int put_back(struct wait *w, struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	struct hxs_recover_report recovered;
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	r = lock_env(w, &lock, &why);
	memset(&recovered, 0, sizeof(recovered));
	if (r == 0)
		r = hxs_recover_locked(w->store, w->opts->config,
				       w->record->env, &recovered, &why);
	if (r == 0)
		r = hxs_unconfirmed_settle(w->store, w->record->env, &u, &why);
	if (r < 0)
		return hxs_restore_not_back(w->record, w->rep, &why, err);
	if (r == 0 || u.state == HXS_UNCONFIRMED_TAKEN_BACK)
		return taken_back(w, err);
	return hxs_restore_take_back(w->store, w->opts, &u, w->rep, err);
}

/* 1 as long as nothing is decided. */
static int wait_once(struct wait *w, struct hxs_err *err)
{
	enum hxs_unconfirmed_state found;
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	if (goes_on(w)) {
		if (!ask_health(w))
			pause_for(50);
		w->look_at = 0;
		return 1;
	}
	if (w->state == HXS_UNCONFIRMED_CONFIRMED)
		return 0;
	if (w->state == HXS_UNCONFIRMED_TAKEN_BACK)
		return taken_back(w, err);
	if (w->state != HXS_UNCONFIRMED_WAITING)
		return hxs_err_set(err, HXS_EAFTER,
				   "'%s' was restored, but the record that it "
				   "is to be confirmed is gone; nothing was "
				   "put back",
				   w->rep->reference);
	(void)give_up(w, err);
	r = hxs_unconfirmed_turn(w->store, w->record->env,
				 w->record->rollback_id, UNDECIDED,
				 HXS_UNCONFIRMED_UNDOING, &found, &why);
	w->look_at = 0;
	if (r == 0) /* it was decided a moment ago */
		return 1;
	return r < 0 ? hxs_restore_not_back(w->record, w->rep, &why, err)
		     : put_back(w, err);
}

int hxs_confirm_wait(struct hxs_store *s, const struct hxs_restore_opts *opts,
		     struct hxs_restore_report *rep, struct hxs_err *err)
{
	struct hxs_err why = HXS_ERR_INIT, lost = HXS_ERR_INIT;
	struct hxs_relay relay = { .to = opts->listener };
	struct wait w = {
		.store = s,
		.opts = opts,
		.rep = rep,
		.until = hxs_clock_ticks() + opts->confirm_within,
		.state = HXS_UNCONFIRMED_WAITING,
		.listener = { .cancelled = ends_health, .ctx = &w },
	};
	int r;

	if (!rep->pending && rep->outcome == HXS_RESTORE_UNCONFIRMED)
		return hxs_err_errno(err, ENOMEM,
				     "'%s' was restored, but cannot be waited "
				     "for",
				     rep->reference);
	if (!rep->pending)
		return 0;
	w.record = &rep->pending->record;
	do
		r = wait_once(&w, &why);
	while (r > 0);
	if (r == 0)
		rep->outcome = HXS_RESTORE_CONFIRMED;
	/* What is settled has been seen. */
	w.look_at = 0;
	look(&w);
	if ((w.state == HXS_UNCONFIRMED_CONFIRMED ||
	     w.state == HXS_UNCONFIRMED_TAKEN_BACK) &&
	    hxs_unconfirmed_drop(s, opts->env, &lost) < 0)
		hxs_relay_warn(&relay, lost.message);
	hxs_confirm_wait_free(rep->pending);
	rep->pending = NULL;
	if (r < 0)
		hxs_restore_end(s, opts, r, why.message, rep);
	if (r < 0 && err)
		*err = why;
	return r;
}
