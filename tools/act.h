#ifndef HXS_TOOLS_ACT_H
#define HXS_TOOLS_ACT_H

/* Telling the audit log what a command did, or was refused. */
#include "tools/cmd.h"

/* From here on, what becomes of the command is recorded for @env. */
void hxs_act_begin(struct hxs_tool *tool, const char *env);

/*
 * Record it, if there is a store to record it in. Returns @r; a success that
 * could not be recorded is a failure, with a message that says both.
 */
HXS_MUST_CHECK
int hxs_act_end(struct hxs_tool *tool, int r, struct hxs_err *err);

/* Record @act, which ended with @r and @message; not to do so is a warning. */
void hxs_act_record(const struct hxs_tool *tool, const struct hxs_act *act,
		    int r, const char *message);

#endif
