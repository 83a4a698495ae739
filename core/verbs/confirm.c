#include "verbs/confirm.h"

#include "base/clock.h"
#include "store/lock.h"
#include "verbs/recover.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define PATIENCE 5.0 /* seconds: who is told that it is settled, ends soon */

static void pause_for(long ms)
{
	const struct timespec pause = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&pause, NULL); /* a signal only shortens it */
}

static bool is_settled(enum hxs_unconfirmed_state state)
{
	return state == HXS_UNCONFIRMED_CONFIRMED ||
	       state == HXS_UNCONFIRMED_TAKEN_BACK;
}

int hxs_confirm_own(struct hxs_store *s, const char *env, struct hxs_lock **own,
		    struct hxs_err *err)
{
	double until = hxs_clock_ticks() + PATIENCE;
	int r, got;

	for (;;) {
		HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u =
			HXS_UNCONFIRMED_INIT;

		r = hxs_unconfirmed_own(s, env, own, err);
		if (r != -HXS_EBUSY || hxs_clock_ticks() > until)
			return r;
		got = hxs_unconfirmed_read(s, env, &u, NULL);
		if (got != 0 && !(got > 0 && is_settled(u.state)))
			return r;
		pause_for(10);
	}
}

static int none(const char *env, struct hxs_err *err)
{
	return hxs_err_set(err, HXS_ENOSUCH,
			   "no restore of '%s' waits for confirmation", env);
}

/* Who waits is told by the record; without, it has to be removed. */
static void end_confirmed(struct hxs_store *s, const char *env)
{
	HXS_AUTO(lock) struct hxs_lock *own = NULL;

	if (hxs_confirm_own(s, env, &own, NULL) == 0 &&
	    hxs_unconfirmed_drop(s, env, NULL) < 0)
		return; /* what is left does no harm: the next one removes it */
}

/*
 * It is not just waited for: not until nobody is at work on it can be told
 * what there is to confirm. 1 if it now waits.
 */
static int confirm_idle(struct hxs_store *s, const struct hxs_config *config,
			const char *env, const struct hxs_unconfirmed *u,
			struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed now = HXS_UNCONFIRMED_INIT;
	HXS_AUTO(lock) struct hxs_lock *lock = NULL, *own = NULL;
	struct hxs_recover_report recovered;
	int r;

	r = hxs_lock_env(s, env, "confirm", &lock, err);
	memset(&recovered, 0, sizeof(recovered));
	if (r == 0 && u)
		r = hxs_recover_locked(s, config, env, &recovered, err);
	if (r == 0 && u) {
		r = hxs_unconfirmed_settle(s, env, &now, err);
		if (r == 0)
			return none(env, err);
		if (r > 0 && now.state == HXS_UNCONFIRMED_WAITING)
			return 1;
	}
	if (r >= 0)
		r = hxs_unconfirmed_own(s, env, &own, err);
	if (r == -HXS_EBUSY && u && u->state == HXS_UNCONFIRMED_UNDOING)
		return hxs_err_set(err, HXS_EBUSY,
				   "too late: the restore of '%s' is being "
				   "taken back",
				   u->reference);
	if (r == 0) /* without @u it is damaged: nothing can be told */
		r = hxs_unconfirmed_drop(s, env, err);
	if (r == 0 && (now.state == HXS_UNCONFIRMED_CONFIRMED ||
		       now.state == HXS_UNCONFIRMED_TAKEN_BACK))
		return none(env, err);
	return r;
}

static int confirm_once(struct hxs_store *s, const struct hxs_config *config,
			const char *env, struct hxs_confirm_report *out,
			struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	enum hxs_unconfirmed_state found;
	int r;

	r = hxs_unconfirmed_read(s, env, &u, err);
	if (r == -HXS_ECORRUPT)
		return confirm_idle(s, config, env, NULL, err);
	if (r < 0)
		return r;
	if (r == 0 || is_settled(u.state))
		return none(env, err);
	memcpy(out->reference, u.reference, sizeof(out->reference));
	memcpy(out->rollback_id, u.rollback_id, sizeof(out->rollback_id));
	if (u.state != HXS_UNCONFIRMED_WAITING)
		return confirm_idle(s, config, env, &u, err);
	r = hxs_unconfirmed_turn(s, env, u.rollback_id,
				 (1u << HXS_UNCONFIRMED_WAITING),
				 HXS_UNCONFIRMED_CONFIRMED, &found, err);
	if (r == 0)
		return 1;
	if (r > 0)
		end_confirmed(s, env);
	return r < 0 ? r : 0;
}

int hxs_confirm(struct hxs_store *s, const struct hxs_config *config,
		const char *env, struct hxs_confirm_report *out,
		struct hxs_err *err)
{
	int r;

	memset(out, 0, sizeof(*out));
	do
		r = confirm_once(s, config, env, out, err);
	while (r > 0);
	return r;
}
