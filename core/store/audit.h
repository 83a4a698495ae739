#ifndef HXS_STORE_AUDIT_H
#define HXS_STORE_AUDIT_H

/*
 * The record of who did what: STORE/.hxsnap/audit.log, one JSON object a
 * line, each with the SHA-256 of the line before it ("previous", 64 hex
 * digits; zeros in the first), so that a line taken out or changed shows. A
 * line is hashed with the newline at its end.
 *
 * The log may be moved aside at any time, by renaming it to audit.log.1 and
 * what has that name to audit.log.2 and so on, as logrotate(8) does. The
 * first line of the next log follows the last one of audit.log.1.
 */
#include "base/err.h"
#include "store/store.h"

#include <stdint.h>
#include <sys/types.h>

#define HXS_AUDIT_LOG ".hxsnap/audit.log"
#define HXS_AUDIT_MOVED HXS_AUDIT_LOG ".1"
#define HXS_AUDIT_MOVED_MAX 10000 /* logs that were moved aside */
#define HXS_AUDIT_NAME_SIZE 64

struct hxs_audit {
	const char *act; /* "create", "restore", "rollback", "recover", ... */
	const char *env;
	const char *reference; /* of the snapshot, or NULL */
	const char *rollback_id; /* or NULL */
	const char *from; /* "command line" or "control" */
	uid_t uid; /* who asked for it */
	pid_t pid; /* of the asking process; 0: not known */
	int status; /* 0, or the negative status it ended with */
	const char *message; /* why it failed, or NULL; shown text */
	double seconds;
};

/*
 * Append a line: when (UTC), who (uid, its name if it has one, host, pid),
 * from where, what, result. Written in one write under a lock of its own and
 * made durable. A last line that a crash cut short is ended first and stays,
 * as a line that is no JSON. A message that holds a password is left out.
 * 0, -HXS_EBUSY when a process keeps the lock for long, or -errno, with a
 * message; a store that cannot be written to is the caller's to judge.
 */
HXS_MUST_CHECK
int hxs_audit_append(struct hxs_store *s, const struct hxs_audit *a,
		     struct hxs_err *err);

/*
 * Check the chain: 0, or -HXS_ECORRUPT naming the first line that does not
 * follow from the one before. *@lines counts them; no log is 0 lines. Logs
 * that were moved aside are part of it, from audit.log.1 up to the first that
 * is missing: what came before that, compressed or removed, is not known.
 */
HXS_MUST_CHECK
int hxs_audit_check(const struct hxs_store *s, uint64_t *lines,
		    struct hxs_err *err);

/* The name of the log that was moved aside @n times, below the store. */
void hxs_audit_name(unsigned n, char out[HXS_AUDIT_NAME_SIZE]);

/*
 * When the newest line was written by its own word: 1 with *@sec, 0 when
 * there is none that tells, -errno. Where the log tells none, since it was
 * just moved aside, those that were are asked, as far as they lie there
 * uncompressed. A prune that was refused does not count:
 * it does not vouch for the clock it was refused for.
 */
HXS_MUST_CHECK
int hxs_audit_latest(const struct hxs_store *s, int64_t *sec,
		     struct hxs_err *err);

#endif
