#ifndef HXS_VERBS_PROGRESS_H
#define HXS_VERBS_PROGRESS_H

/*
 * How a verb tells its caller what it is doing. A verb neither prints nor
 * asks; everything here may be NULL. Calls come from any thread, one at a
 * time.
 */
#include <stdbool.h>
#include <stdint.h>

struct hxs_progress {
	const char *phase; /* "reading", "verifying": a static string */
	uint64_t files, files_total; /* total 0: not known */
	uint64_t bytes, bytes_total;
};

struct hxs_listener {
	void (*progress)(const struct hxs_progress *p, void *ctx);
	/* A sentence a person should know; the operation goes on. */
	void (*warning)(const char *text, void *ctx);
	/* Asked often, from any thread; true ends the verb with -ECANCELED. */
	bool (*cancelled)(void *ctx);
	void *ctx;
};

#endif
