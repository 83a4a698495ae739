#ifndef HXS_VERBS_CONFIRM_H
#define HXS_VERBS_CONFIRM_H

/*
 * A restore that is to be confirmed (store/unconfirmed.h): waiting for that,
 * saying so, and putting the old state back when the time is over, be it by
 * the command that waits or, when that is dead, by whoever comes next.
 */
#include "verbs/restore.h"

void hxs_confirm_wait_free(struct hxs_confirm_wait *p); /* takes NULL */

/*
 * Wait for the confirmation of the restore that @opts asked for and @rep tells
 * of, without the environment's lock: until hxs_confirm() is called; or, with
 * health hooks, until these, run every second, pass; or until the time is over,
 * the listener wants an end, or somebody rolls it back.
 *
 * 0: it is confirmed. Else it is not, and the old state is back: -ETIMEDOUT,
 * -ECANCELED; -HXS_EAFTER if it could not be put back. @rep is brought up to
 * date; rep->pending is gone. The on_failure hooks are run.
 */
HXS_MUST_CHECK
int hxs_confirm_wait(struct hxs_store *s, const struct hxs_restore_opts *opts,
		     struct hxs_restore_report *rep, struct hxs_err *err);

/* What was confirmed. */
struct hxs_confirm_report {
	char reference[HXS_REF_TEXT]; /* "" if that cannot be told any more */
	char rollback_id[HXS_ID_LEN + 1];
};

/*
 * Confirm the restore of @env that waits for that, or whose old state could
 * not be put back. Waits for no backup. @config (may be NULL) as for
 * hxs_recover(). -HXS_ENOSUCH when there is none; -HXS_EBUSY while it is still
 * being carried out, or put back: then it is too late.
 */
HXS_MUST_CHECK
int hxs_confirm(struct hxs_store *s, const struct hxs_config *config,
		const char *env, struct hxs_confirm_report *out,
		struct hxs_err *err);

/*
 * Ask the health hooks whether a restore of @env is right for which there is
 * time left, but nobody waits any more; and confirm it if they pass, as who
 * waits does. 1 if that was done, with *@out; 0 if not, or there is nothing to
 * be asked, or nobody. They are ended when the listener wants that, the time
 * is over, or it is decided by somebody else. @config as for
 * hxs_confirm_due(), but that without it nobody is asked.
 */
HXS_MUST_CHECK
int hxs_confirm_ask(struct hxs_store *s, const struct hxs_config *config,
		    const char *env, const struct hxs_listener *listener,
		    struct hxs_confirm_report *out, struct hxs_err *err);

/* What hxs_confirm_due() found. */
enum hxs_due {
	HXS_DUE_NONE, /* nothing to be done, or somebody else does it */
	HXS_DUE_LATER, /* nobody waits for it, and there is time left */
	HXS_DUE_FAILED, /* it could not be put back, and is left so */
	HXS_DUE_PUT_BACK,
};

struct hxs_due_report {
	enum hxs_due due;
	char reference[HXS_REF_TEXT]; /* of what was restored */
	char rollback_id[HXS_ID_LEN + 1]; /* of the old state */
	char undo_id[HXS_ID_LEN + 1]; /* PUT_BACK: of what was displaced */
	int64_t confirm_until;
	char told[HXS_HOOK_TEXT]; /* PUT_BACK: all that is to be said */
};

/*
 * Put the old state of @env back if a restore of it was not confirmed in time
 * and who waited is dead; with @again also if that was tried in vain. @config
 * says how (NULL, or one that is not of this store or does not know @env:
 * -HXS_EUSAGE if it is wanted). 0, or why it could not be put back. @listener
 * and @tool_version as in struct hxs_restore_opts.
 */
HXS_MUST_CHECK
int hxs_confirm_due(struct hxs_store *s, const struct hxs_config *config,
		    const char *env, bool again,
		    const struct hxs_listener *listener,
		    const char *tool_version, struct hxs_due_report *out,
		    struct hxs_err *err);

#endif
