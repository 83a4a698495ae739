#ifndef HXS_BASE_PROC_H
#define HXS_BASE_PROC_H

/* Run an argument list. Never a shell. */
#include "base/buf.h"
#include "base/err.h"

struct hxs_proc_opts {
	const char *const
		*argv; /* NULL-terminated; argv[0] looked up in PATH */
	const char *cwd; /* or NULL */
	unsigned timeout_ms; /* 0: none; then the process group is killed */
	size_t max_output; /* bytes of standard output kept; more is an error */
};

/*
 * Run it with standard input from /dev/null and standard error dropped, all
 * other descriptors closed. *@status is the exit status, or 128 + signal.
 * Returns 0 when it ran, -ETIMEDOUT, -EFBIG, or -errno when it could not be
 * started. @out may be NULL.
 */
HXS_MUST_CHECK
int hxs_proc_run(const struct hxs_proc_opts *opts, struct hxs_buf *out,
		 int *status, struct hxs_err *err);

#endif
