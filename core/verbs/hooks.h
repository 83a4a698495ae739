#ifndef HXS_VERBS_HOOKS_H
#define HXS_VERBS_HOOKS_H

/*
 * The commands that an environment wants run before and after a verb. The
 * caller holds the environment's lock all the while: a hook that calls for
 * the same environment is told that it is busy. Health hooks that are run
 * while a confirmation is waited for (verbs/confirm.h) run without it.
 *
 * What they are told, they are told by their environment: HXSNAP_EVENT,
 * HXSNAP_ENV, HXSNAP_STORE and HXSNAP_OPERATION always; HXSNAP_REFERENCE,
 * HXSNAP_ID and HXSNAP_ROLLBACK_ID as far as known; HXSNAP_STATUS (an exit
 * status) once it has ended, and HXSNAP_MESSAGE if it failed; what a drill adds
 * (HXSNAP_SCRATCH, HXSNAP_SOURCE_...). CONFIRM_LIVE is taken away: it was not
 * said to them.
 */
#include "base/err.h"
#include "format/config.h"

#include <stdbool.h>

#define HXS_HOOKS_PHASE "running hooks" /* what progress calls it */
#define HXS_HOOK_TEXT 640 /* bytes of what is told of one that failed */

/* What became of the hooks that ran after a verb had done its work. */
struct hxs_after {
	unsigned failed; /* and were to fail it, health hooks among them */
	bool checked, healthy; /* health hooks ran; and none failed */
	char first[HXS_HOOK_TEXT]; /* of those that failed: what it was */
};

/*
 * 0 if none failed, else -HXS_EAFTER with "@done, but ..."; @done says what
 * was done all the same.
 */
HXS_MUST_CHECK
int hxs_hooks_status(const struct hxs_after *after, const char *done,
		     struct hxs_err *err);

struct hxs_relay;

struct hxs_hooks {
	const struct hxs_config *config;
	const struct hxs_config_env *env;
	const struct hxs_relay *relay; /* hears warnings, is asked to cancel */
	const char *store; /* its path */
	const char *operation; /* "create", "restore", "rollback", "drill" */
	/* "" or NULL: not known (yet) */
	const char *reference, *id, *rollback_id;
	bool ended;
	int status; /* ended: 0, or the negative status */
	const char *message; /* ended with a failure: why */
	/* More that they are told: "NAME=value", NULL-terminated; or NULL. */
	const char *const *more;
};

/* Whether there are any for @event. */
bool hxs_hooks_any(const struct hxs_config_env *env, enum hxs_hook_event event);

/*
 * Run those for @event, a before_* or a drill's health, until one fails that
 * may not: -HXS_EHOOK naming it, by its place in the configuration, its program
 * and the last that it said. Its arguments are never shown. Cancelling ends
 * one: -ECANCELED. -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_hooks_before(const struct hxs_hooks *h, enum hxs_hook_event event,
		     struct hxs_err *err);

/*
 * Run all those for @event, whatever becomes of any: what failed is a
 * warning, and counted in @after (may be NULL). What stopped for the verb is
 * started by them, so cancelling does not keep them from it, nor end them;
 * only of health hooks, which change nothing, it ends the one that runs.
 */
void hxs_hooks_after(const struct hxs_hooks *h, enum hxs_hook_event event,
		     struct hxs_after *after);

/*
 * Run the on_failure hooks if h->status is a failure, or else @after tells of
 * one: that is handed to them as hxs_hooks_status() has it.
 */
void hxs_hooks_end(const struct hxs_hooks *h, const struct hxs_after *after,
		   const char *done);

#endif
