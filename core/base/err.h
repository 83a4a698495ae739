#ifndef HXS_BASE_ERR_H
#define HXS_BASE_ERR_H

/*
 * Our few codes, the sentence that goes with a failure, and the one table
 * from code to errno and exit status.
 *
 * A status is an int: zero or more is success, negative is -errno or one of
 * the codes below, negated. Whoever notices a failure writes the message;
 * callers may put a prefix before it, never replace it; the code travels up
 * unchanged. Every function here accepts a NULL @err.
 */
#include "base/cleanup.h"

enum hxs_code {
	HXS_EUSAGE = 4097, /* not understood: EINVAL, exit status 2 */
	HXS_ECORRUPT, /* stored bytes are wrong: EIO, 3 */
	HXS_ENOSUCH, /* no such snapshot, environment or path: ENOENT, 4 */
	HXS_EDENIED, /* this user may not: EACCES, 5 */
	HXS_ECONFIRM, /* wants confirmation: EPERM, 5 */
	HXS_EBUSY, /* another operation holds it: EBUSY, 6 */
	HXS_EHOOK, /* a hook stopped it, nothing was changed: ECANCELED, 1 */
	HXS_EAFTER, /* done, but a hook that came after it failed: EIO, 7 */
};

struct hxs_err {
	int code; /* the negative status, 0 while nothing failed */
	char message[3072]; /* one sentence, no full stop, no newline */
	char hint[512]; /* what a person can do about it, or empty */
};

#define HXS_ERR_INIT      \
	{                 \
		.code = 0 \
	}

/* Record @code (positive) with a sentence; returns -code. */
int hxs_err_set(struct hxs_err *err, int code, const char *fmt, ...)
	HXS_PRINTF(3, 4);

/* Record errno value @errnum; ": strerror" is appended. Returns -errnum. */
int hxs_err_errno(struct hxs_err *err, int errnum, const char *fmt, ...)
	HXS_PRINTF(3, 4);

/* Put "prefix: " before the message already there; returns @r unchanged. */
int hxs_err_prefix(struct hxs_err *err, int r, const char *fmt, ...)
	HXS_PRINTF(3, 4);

/* Append "; suffix", such as "nothing was changed"; returns @r unchanged. */
int hxs_err_suffix(struct hxs_err *err, int r, const char *fmt, ...)
	HXS_PRINTF(3, 4);

/* Say what a person can do; printed on a line of its own. */
void hxs_err_hint(struct hxs_err *err, const char *fmt, ...) HXS_PRINTF(2, 3);

/* Forget what was recorded. */
void hxs_err_clear(struct hxs_err *err);

/* The positive errno for status @r (@r < 0); unknown codes give EIO. */
int hxs_err_to_errno(int r);

/* The exit status for status @r: 0 for @r >= 0, else CONTRACT section 5. */
int hxs_err_to_exit(int r);

#endif
