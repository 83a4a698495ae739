/* What nobody waits for any more: is it right, or is it to be put back? */
#include "base/clock.h"
#include "store/lock.h"
#include "verbs/confirm.h"
#include "verbs/recover.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Another store's may have an environment of the same name. */
static bool knows(const struct hxs_config *config, const struct hxs_store *s,
		  const char *env)
{
	struct stat a, b;

	return config && hxs_config_env(config, env) &&
	       stat(config->store, &a) == 0 &&
	       fstat(hxs_store_fd(s), &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static bool is_over(const struct hxs_unconfirmed *u)
{
	struct timespec now;

	hxs_clock_now(&now);
	return now.tv_sec >= u->deadline;
}

static bool is_due(const struct hxs_unconfirmed *u, bool again)
{
	switch (u->state) {
	case HXS_UNCONFIRMED_BEGUN:
	case HXS_UNCONFIRMED_WAITING:
		return is_over(u);
	case HXS_UNCONFIRMED_FAILED:
		return again;
	default:
		return true;
	}
}

static void tell(const struct hxs_unconfirmed *u, struct hxs_due_report *out)
{
	memcpy(out->reference, u->reference, sizeof(out->reference));
	memcpy(out->rollback_id, u->rollback_id, sizeof(out->rollback_id));
	out->confirm_until = u->deadline;
	out->due = HXS_DUE_NONE;
	if (u->state == HXS_UNCONFIRMED_FAILED)
		out->due = HXS_DUE_FAILED;
	else if (hxs_unconfirmed_is_open(u))
		out->due = HXS_DUE_LATER;
}

static int put_back(struct hxs_store *s, const struct hxs_restore_opts *opts,
		    struct hxs_unconfirmed *u, struct hxs_due_report *out,
		    struct hxs_err *err)
{
	struct hxs_restore_report rep = { .files = 0 };
	enum hxs_unconfirmed_state found;
	char until[HXS_RFC3339_LEN + 1] = "";
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	r = hxs_unconfirmed_turn(s, u->env, u->rollback_id, 1u << u->state,
				 HXS_UNCONFIRMED_UNDOING, &found, err);
	if (r <= 0)
		return r; /* 0: it was confirmed a moment ago */
	memcpy(rep.reference, u->reference, sizeof(rep.reference));
	memcpy(rep.rollback_id, u->rollback_id, sizeof(rep.rollback_id));
	(void)hxs_clock_format_rfc3339(u->deadline, until);
	if (u->state == HXS_UNCONFIRMED_WAITING)
		(void)hxs_err_set(&why, ETIMEDOUT,
				  "'%s' was restored, but not confirmed until "
				  "%s",
				  u->reference, until);
	else
		(void)hxs_err_set(&why, ECANCELED,
				  "'%s' was restored, and was to be taken back",
				  u->reference);
	r = hxs_restore_take_back(s, opts, u, &rep, &why);
	hxs_restore_end(s, opts, r, why.message, &rep);
	if (rep.outcome != HXS_RESTORE_PUT_BACK) {
		*err = why;
		return r;
	}
	out->due = HXS_DUE_PUT_BACK;
	memcpy(out->undo_id, rep.undo_id, sizeof(out->undo_id));
	(void)snprintf(out->told, sizeof(out->told), "%.*s",
		       (int)sizeof(out->told) - 1, why.message);
	return 0;
}

/* With both locks: what is to be done, now that nobody else does it. */
static int see_to_it(struct hxs_store *s, const struct hxs_restore_opts *opts,
		     bool again, struct hxs_due_report *out,
		     struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	struct hxs_recover_report recovered;
	int r;

	memset(&recovered, 0, sizeof(recovered));
	r = hxs_recover_locked(s, opts->config, opts->env, &recovered, err);
	if (r == 0)
		r = hxs_unconfirmed_settle(s, opts->env, &u, err);
	if (r <= 0)
		return r;
	tell(&u, out);
	if (u.state == HXS_UNCONFIRMED_CONFIRMED ||
	    u.state == HXS_UNCONFIRMED_TAKEN_BACK)
		return hxs_unconfirmed_drop(s, opts->env, err);
	if (!is_due(&u, again))
		return 0;
	if (knows(opts->config, s, opts->env))
		return put_back(s, opts, &u, out, err);
	r = hxs_err_set(err, HXS_EUSAGE,
			"the restore of '%s' was not confirmed and is to be "
			"taken back, and the configuration that tells where "
			"it is was not found",
			u.reference);
	hxs_err_hint(err,
		     "'hxsnap --config FILE recover %s' takes it back, "
		     "'hxsnap confirm %s' keeps it",
		     u.env, u.env);
	return r;
}

/* ---- asking whether it is right ------------------------------------------ */

#define BETWEEN 0.1 /* seconds between two looks at the record */

struct asking {
	struct hxs_store *store;
	const struct hxs_listener *to;
	const struct hxs_unconfirmed *u;
	double look_at; /* in ticks */
};

static void pass_warning(const char *text, void *ctx)
{
	const struct hxs_listener *to = ((struct asking *)ctx)->to;

	if (to && to->warning)
		to->warning(text, to->ctx);
}

/* Asked while a health hook runs. */
static bool ends_asking(void *ctx)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed now = HXS_UNCONFIRMED_INIT;
	struct asking *a = ctx;

	if (is_over(a->u) ||
	    (a->to && a->to->cancelled && a->to->cancelled(a->to->ctx)))
		return true;
	if (hxs_clock_ticks() < a->look_at)
		return false;
	a->look_at = hxs_clock_ticks() + BETWEEN;
	return hxs_unconfirmed_read(a->store, a->u->env, &now, NULL) <= 0 ||
	       now.state != HXS_UNCONFIRMED_WAITING;
}

static bool is_healthy(struct asking *a, const struct hxs_config *config)
{
	const struct hxs_listener listener = { .warning = pass_warning,
					       .cancelled = ends_asking,
					       .ctx = a };
	const struct hxs_relay relay = { .to = &listener };
	const struct hxs_restore_opts opts = { .config = config,
					       .env = a->u->env,
					       .id = "" };
	struct hxs_restore_report rep = { .files = 0 };
	struct hxs_after said;
	struct hxs_hooks h;

	memset(&said, 0, sizeof(said));
	memcpy(rep.reference, a->u->reference, sizeof(rep.reference));
	hxs_restore_hooks_init(&h, a->store, &opts, &relay, &rep);
	h.ended = true;
	h.rollback_id = a->u->rollback_id;
	hxs_hooks_after(&h, HXS_HEALTH, &said);
	return said.checked && said.healthy;
}

/* Who decided it meanwhile left the record to us, its owner. */
static int drop_settled(struct hxs_store *s, const char *env,
			struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed now = HXS_UNCONFIRMED_INIT;
	int r = hxs_unconfirmed_read(s, env, &now, err);

	if (r > 0 && (now.state == HXS_UNCONFIRMED_CONFIRMED ||
		      now.state == HXS_UNCONFIRMED_TAKEN_BACK))
		r = hxs_unconfirmed_drop(s, env, err);
	return r < 0 ? r : 0;
}

int hxs_confirm_ask(struct hxs_store *s, const struct hxs_config *config,
		    const char *env, const struct hxs_listener *listener,
		    struct hxs_confirm_report *out, struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	struct asking a = { .store = s, .to = listener, .u = &u };
	HXS_AUTO(lock) struct hxs_lock *own = NULL;
	enum hxs_unconfirmed_state found;
	int r, told = 0;

	if (!knows(config, s, env) ||
	    !hxs_hooks_any(hxs_config_env(config, env), HXS_HEALTH))
		return 0;
	r = hxs_unconfirmed_own(s, env, &own, err);
	if (r == 0)
		r = hxs_unconfirmed_read(s, env, &u, err);
	if (r == -HXS_EBUSY || r == 0)
		return 0; /* somebody waits for it, or there is none */
	if (r < 0)
		return r;
	if (u.state == HXS_UNCONFIRMED_WAITING && !is_over(&u) &&
	    is_healthy(&a, config))
		told = hxs_unconfirmed_turn(s, env, u.rollback_id,
					    1u << HXS_UNCONFIRMED_WAITING,
					    HXS_UNCONFIRMED_CONFIRMED, &found,
					    err);
	r = drop_settled(s, env, told < 0 ? NULL : err);
	if (told < 0 || r < 0)
		return told < 0 ? told : r;
	memcpy(out->reference, u.reference, sizeof(out->reference));
	memcpy(out->rollback_id, u.rollback_id, sizeof(out->rollback_id));
	return told;
}

/* ---- putting it back when it is time ------------------------------------- */

int hxs_confirm_due(struct hxs_store *s, const struct hxs_config *config,
		    const char *env, bool again,
		    const struct hxs_listener *listener,
		    const char *tool_version, struct hxs_due_report *out,
		    struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	HXS_AUTO(lock) struct hxs_lock *lock = NULL, *own = NULL;
	const struct hxs_restore_opts opts = {
		.config = config,
		.env = env,
		.id = "",
		.tool_version = tool_version,
		.listener = listener,
	};
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	memset(out, 0, sizeof(*out));
	r = hxs_unconfirmed_read(s, env, &u, &why);
	if (r > 0) {
		tell(&u, out);
		r = is_due(&u, again)
			    ? hxs_lock_env(s, env, "recover", &lock, &why)
			    : 1;
	} else if (r == 0) {
		return 0;
	}
	if (r == 0)
		r = hxs_unconfirmed_own(s, env, &own, &why);
	if (r == -HXS_EBUSY) { /* somebody is at work on it */
		out->due = HXS_DUE_NONE;
		return 0;
	}
	if (r == 0)
		r = see_to_it(s, &opts, again, out, &why);
	if (r < 0 && err)
		*err = why;
	return r < 0 ? r : 0;
}
