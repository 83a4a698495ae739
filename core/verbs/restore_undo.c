/* A restore as it is asked for: under the lock, and with what comes of it. */
#include "store/lock.h"
#include "verbs/restore_parts.h"

#include <stdio.h>
#include <string.h>

/* The on_failure hooks, if it failed or its own hooks did. */
static void end(struct hxs_store *s, const struct hxs_restore_opts *opts, int r,
		const struct hxs_restore_report *rep, const struct hxs_err *err)
{
	struct hxs_relay relay = { .to = opts->listener };
	char done[HXS_REF_TEXT + 32];
	struct hxs_hooks h;

	(void)snprintf(done, sizeof(done), "'%s' was restored", rep->reference);
	hxs_restore_hooks_init(&h, s, opts, &relay, rep);
	h.ended = true;
	h.status = r;
	h.message = err->message;
	h.rollback_id = rep->rollback_id;
	hxs_hooks_end(&h, &rep->after, done);
}

int hxs_restore(struct hxs_store *s, const struct hxs_restore_opts *opts,
		struct hxs_restore_report *out, struct hxs_err *err)
{
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	memset(out, 0, sizeof(*out));
	hxs_ref_format(opts->kind, opts->env, opts->id, out->reference);
	r = hxs_restore_check_request(opts, &why);
	if (r == 0)
		r = hxs_lock_env(s, opts->env, "restore", &lock, &why);
	if (r < 0) {
		r = hxs_err_suffix(&why, r, "nothing was changed");
	} else {
		r = hxs_restore_locked(s, opts, NULL, out, &why);
		end(s, opts, r, out, &why);
	}
	if (r < 0 && err)
		*err = why;
	return r;
}
