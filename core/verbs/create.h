#ifndef HXS_VERBS_CREATE_H
#define HXS_VERBS_CREATE_H

/* Making a backup. */
#include "base/err.h"
#include "format/config.h"
#include "store/store.h"
#include "verbs/hooks.h"
#include "verbs/progress.h"

struct hxs_create_opts {
	const struct hxs_config *config;
	const char *env;
	const char *const *tags;
	size_t tag_count;
	bool keep; /* pin it */
	bool full; /* read everything, link nothing */
	bool allow_shrink; /* accept empty or much smaller sources */
	unsigned threads; /* 0: by the number of processors */
	const char *tool_version;
	const struct hxs_listener *listener; /* may be NULL */
};

struct hxs_create_report {
	char id[HXS_ID_LEN + 1];
	uint64_t files, bytes; /* of all sources */
	uint64_t linked_files, linked_bytes; /* of these: linked, not read */
	double seconds;
	unsigned warnings;
	struct hxs_after after; /* what became of the after_create hooks */
};

/*
 * Capture all sources of the environment into one new snapshot of @s, with
 * its before_create hooks before anything is looked at, its after_create hooks
 * once the snapshot is published, and its on_failure hooks if that fails,
 * from when the environment is locked.
 *
 * Either the snapshot is complete, durable and published, or nothing that
 * looks like one is there. -HXS_ENOSUCH (no such environment), -HXS_EBUSY,
 * -HXS_EDENIED with "refused" in the message (empty or shrunken source
 * without allow_shrink; source and store inside one another), -ECANCELED,
 * -HXS_EHOOK (a before_create hook failed), -errno. Every message ends by saying that no snapshot was made, but for
 * one: when it was, and could not be pinned, it says that (and *@out is
 * filled).
 */
HXS_MUST_CHECK
int hxs_create(struct hxs_store *s, const struct hxs_create_opts *opts,
	       struct hxs_create_report *out, struct hxs_err *err);

#endif
