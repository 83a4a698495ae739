#ifndef HXS_TOOLS_PROGRESS_H
#define HXS_TOOLS_PROGRESS_H

/*
 * What a running verb is told and asked: progress on a terminal, warnings,
 * and whether a person or a service manager wants it to end.
 */
#include "base/buf.h"
#include "base/json.h"
#include "verbs/progress.h"

#include <stdbool.h>
#include <stddef.h>

struct hxs_meter {
	struct hxs_listener listener; /* to be handed to the verb */
	bool quiet; /* warnings are kept, not printed */
	bool visible; /* standard error is a terminal, and wanted */
	bool drawn; /* a line stands there now */
	double started, last; /* this stretch of work; the last drawing */
	const char *phase;
	uint64_t bytes;
	char **warning;
	size_t warning_count;
};

/*
 * Begin: SIGINT, SIGTERM and SIGHUP end the verb from here on; a second one
 * ends the program at once.
 */
void hxs_meter_init(struct hxs_meter *m, bool quiet);

/* Take the line away, before something else is printed. */
void hxs_meter_clear(struct hxs_meter *m);

/* Put the warnings into the object that is being written to @o. */
void hxs_meter_json(const struct hxs_meter *m, struct hxs_json_out *o);

/* Clear, and free the warnings. */
void hxs_meter_release(struct hxs_meter *m);

/*
 * Append what stands on the line @elapsed seconds into @p, at most @width
 * characters: phase, share done, bytes, files, rate, time left.
 */
void hxs_meter_line(const struct hxs_progress *p, double elapsed, size_t width,
		    struct hxs_buf *out);

#endif
