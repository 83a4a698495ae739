#ifndef HXS_TOOLS_DRILLS_H
#define HXS_TOOLS_DRILLS_H

/* Telling what drills found. */
#include "store/drills.h"
#include "tools/cmd.h"

/* Print one report: as a line of JSON, or its steps as a table. */
HXS_MUST_CHECK
int hxs_drills_print(const struct hxs_tool *tool,
		     const struct hxs_drill_report *rep, struct hxs_err *err);

/* Print all reports of @env, the oldest first, and how the RTO changed. */
HXS_MUST_CHECK
int hxs_drills_history(const struct hxs_tool *tool, const char *env,
		       struct hxs_err *err);

#endif
