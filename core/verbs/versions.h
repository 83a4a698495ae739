#ifndef HXS_VERBS_VERSIONS_H
#define HXS_VERBS_VERSIONS_H

/*
 * The versions of one file or directory over all snapshots of an environment.
 *
 * Two neighbouring snapshots hold the same version if `diff` would tell no
 * difference but in times and in how names are linked: type, content, mode,
 * owner and extended attributes are equal; of a directory also all that lies
 * in it. A version that went and came again is told twice.
 */
#include "base/err.h"
#include "format/treecmp.h"
#include "store/store.h"
#include "verbs/progress.h"

#include <stdint.h>

struct hxs_version {
	char newest[HXS_ID_LEN + 1]; /* the snapshots that hold it: the last */
	char oldest[HXS_ID_LEN + 1]; /* and the first of them */
	uint64_t snapshots; /* how many they are, but for damaged ones */
	/* As the oldest has it, borrowed for the call; NULL: it is absent. */
	const struct hxs_node *node;
	uint64_t files, bytes; /* in a directory; a file counts as itself */
	/* Since the version before; HXS_DIFF_ADDED if it was absent there. */
	unsigned what;
	/* The same of what lies in a directory. */
	uint64_t added, removed, modified;
};

/* Non-zero stops and is returned. */
typedef int (*hxs_version_fn)(const struct hxs_version *v, void *ctx);

struct hxs_versions {
	enum hxs_kind kind;
	const char *env;
	const char *path; /* "events", "events/2026/a.jsonl" */
	hxs_version_fn fn;
	void *ctx;
	const struct hxs_listener *listener; /* or NULL */
	/* Results. */
	uint64_t found; /* snapshots that hold the path */
	uint64_t snapshots; /* all that were looked into */
	uint64_t damaged; /* those that could not be */
};

/*
 * What parts the version @newer from @older, which are NULL where the path is
 * absent; of directories themselves alone. 0: it is the same version.
 */
unsigned hxs_versions_change(const struct hxs_node *older,
			     const struct hxs_node *newer);

/*
 * Tell the versions of v->path, the newest first. Indexes alone are read.
 * Absence is told where it is newest or between two versions, not before the
 * first. A snapshot that cannot be read is a warning and is passed over; it
 * parts no version from itself.
 *
 * -HXS_EUSAGE for a path that none can have; -ECANCELED, -ENOMEM, -errno, or
 * what @fn returned.
 */
HXS_MUST_CHECK
int hxs_versions_tell(const struct hxs_store *s, struct hxs_versions *v,
		      struct hxs_err *err);

#endif
