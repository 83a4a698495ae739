#ifndef HXS_BASE_PROC_H
#define HXS_BASE_PROC_H

/* Run an argument list. Never a shell. */
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct hxs_proc_opts {
	const char *const
		*argv; /* NULL-terminated; argv[0] looked up in PATH */
	const char *cwd; /* or NULL */
	const char *const *env; /* "NAME=value", NULL-terminated; NULL: ours */
	unsigned timeout_ms; /* 0: none; then the process group is killed */
	size_t max_output; /* bytes of standard output kept; more is an error */
	/*
	 * What it reads, from where the descriptor stands, if not 0. Whether it
	 * reads all of it is its own affair.
	 */
	int in_fd;
	/*
	 * Where its standard output goes, if not 0: all that it has written
	 * when it ends, and nothing after that.
	 */
	int out_fd;
	/*
	 * Gets the last line of standard error that is not blank, however it
	 * ended, at most HXS_PROC_SAID bytes and whatever bytes they are.
	 * NULL: standard error is dropped.
	 */
	struct hxs_buf *said;
	bool said_all; /* of so many bytes, all lines and not the last alone */
	/* Asked often while it is waited for; true ends it like the limit. */
	bool (*stop)(void *ctx);
	void *stop_ctx;
};
#define HXS_PROC_SAID 4096

/*
 * Run it with standard input from /dev/null unless opts->in_fd says otherwise,
 * all other descriptors closed. *@status is the exit status, or 128 + signal.
 * Returns 0 when it ran, -ETIMEDOUT, -EFBIG, -ECANCELED, or -errno when it
 * could not be started, or what it wrote could not be put into opts->out_fd.
 * @out may be NULL, and is with opts->out_fd.
 */
HXS_MUST_CHECK
int hxs_proc_run(const struct hxs_proc_opts *opts, struct hxs_buf *out,
		 int *status, struct hxs_err *err);

/*
 * The same in two steps, for a program that runs while we do other work.
 * What @opts points to stays the caller's and has to last until the end. The
 * time limit counts from the start. With @output its standard output is kept
 * in a pipe meanwhile, so it should write little.
 */
struct hxs_proc;
HXS_MUST_CHECK
int hxs_proc_start(const struct hxs_proc_opts *opts, bool output,
		   struct hxs_proc **out, struct hxs_err *err);

/* Its number, which is its process group's, too; until it is waited for. */
pid_t hxs_proc_pid(const struct hxs_proc *p);

/*
 * Wait for its end; once. @out is NULL if there is no @output. With
 * opts->out_fd it is only now that anything gets there.
 */
HXS_MUST_CHECK
int hxs_proc_finish(struct hxs_proc *p, struct hxs_buf *out, int *status,
		    struct hxs_err *err);

/* End it if it has not ended, with its group. Takes NULL. */
void hxs_proc_free(struct hxs_proc *p);
HXS_AUTO_DEFINE(proc, struct hxs_proc *, hxs_proc_free)

#endif
