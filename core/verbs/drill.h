#ifndef HXS_VERBS_DRILL_H
#define HXS_VERBS_DRILL_H

/*
 * Trying a restore where it does no harm (CONTRACT.md, section 9): into
 * scratch space, with all that can tell whether it would have been good.
 */
#include "base/err.h"
#include "format/config.h"
#include "format/ref.h"
#include "store/drills.h"
#include "verbs/progress.h"

struct hxs_drill_opts {
	const struct hxs_config *config;
	const struct hxs_ref *ref; /* an environment alone: its newest backup */
	/* A directory to make the scratch space in; NULL: in the store. */
	const char *scratch;
	unsigned threads; /* 0: by the number of processors */
	const char *tool_version;
	const struct hxs_listener *listener; /* may be NULL */
};

/*
 * Carry out a drill, in steps:
 *
 *	snapshot	it is there, of this environment, its manifest proves it
 *	restore		all of it is written, verified, into scratch space
 *	check SOURCE	databases are whole, logs of records can be read; one
 *			that lives on a server is restored beside the live one
 *	health		the environment's health hooks, told where all that is
 *	rto		the time from the beginning to here is within the target
 *
 * Nothing live is changed, and no other hook runs. The scratch space is gone
 * afterwards, and so is what an earlier drill left that was killed. The
 * environment's lock is taken only if it has a source on a server.
 *
 * Returns 0 with *@out, kept in the store and the caller's to release,
 * whatever came of it: out->status tells, and the first step in out->steps
 * that did not pass says why. Else nothing was tried, or the report could not
 * be kept: -HXS_ENOSUCH (no such environment in the configuration),
 * -HXS_EUSAGE (an ambiguous id), -HXS_EBUSY (another drill of it is under
 * way, or what holds the lock), -errno.
 */
HXS_MUST_CHECK
int hxs_drill(struct hxs_store *s, const struct hxs_drill_opts *opts,
	      struct hxs_drill_report *out, struct hxs_err *err);

#endif
