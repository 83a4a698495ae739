#ifndef HXS_TOOLS_RECOVERY_H
#define HXS_TOOLS_RECOVERY_H

/* Finishing or undoing, before all else, what a crash interrupted. */
#include "tools/cmd.h"
#include "verbs/recover.h"

/*
 * Recover what waits for it in tool->store, as the command wants it; @env is
 * the environment that it is about, or NULL. What a command cannot go on
 * without is an error, all else is told as a warning.
 */
HXS_MUST_CHECK
int hxs_recovery_first(struct hxs_tool *tool, const char *env,
		       struct hxs_err *err);

/* Recover @env, tell what was done and record it; adds to @sum. */
HXS_MUST_CHECK
int hxs_recovery_of(const struct hxs_tool *tool, const char *env,
		    struct hxs_recover_report *sum, struct hxs_err *err);

/*
 * Put the old state of @env back, if a restore of it was not confirmed in time
 * and nobody else does it; with @again also if that failed before. Tells and
 * records it; *@put_back (may be NULL) is raised by what was done.
 */
HXS_MUST_CHECK
int hxs_recovery_due(const struct hxs_tool *tool, const char *env, bool again,
		     unsigned *put_back, struct hxs_err *err);

#endif
