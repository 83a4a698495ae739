/*
 * A child in its own process group. It has ended when the process we started
 * has: a program that it left running in the background may go on, and may
 * hold the pipe, so the end of the output is not waited for. What a time
 * limit or too much output ends, it ends for the whole group. It is also why
 * no child gets the file that its output is to go to: who knows who else would
 * go on to write there.
 *
 * Standard error goes into a pipe whose writers can read, too: so a program
 * left in the background never dies of SIGPIPE when we have gone. What it
 * says then fills the pipe, and after that is lost: it is told to try again,
 * and does not wait. But not if we were killed, and could not see to that:
 * then it waits for ever with what does not fit. Who comes to end what was
 * left behind (base/proc_left.h) ends it for its group; one that has left that
 * is on its own.
 */
#include "base/proc.h"

#include "base/io.h"
#include "base/proc_spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define NO_PIDFD_POLL_MS 20 /* how often to look where pidfd is missing */
#define STOP_POLL_MS 50 /* how often to ask whether it is to be ended */
#define TAIL HXS_PROC_SAID /* bytes of standard error kept while it runs */
#define READS 32 /* at once: twice what a pipe holds, not all of a flood */
#define CHUNK (64u << 10)
#define PIPE_BYTES (1 << 20) /* for output that may be large */

struct hxs_proc {
	struct hxs_proc_opts opts;
	pid_t pid; /* 0: reaped, or never there */
	int pidfd; /* readable when it has ended; or -1 */
	int out; /* its standard output; or -1 */
	int words, words_in; /* both ends of its standard error; or -1 */
	char tail[TAIL]; /* the end of what it said there */
	size_t tail_len;
	bool tail_cut; /* it does not begin where it began */
	int64_t deadline; /* 0: none */
	bool lost; /* what failed is to keep its output */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	/* Not the injectable clock: the child lives in real time. */
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* 1 if the child has ended (it is not reaped yet), 0 if not, or -errno. */
static int has_ended(const struct hxs_proc *c)
{
	siginfo_t info = { .si_pid = 0 };
	int r;

	do
		r = waitid(P_PID, (id_t)c->pid, &info,
			   WEXITED | WNOHANG | WNOWAIT);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : info.si_pid != 0;
}

/* Keep @n bytes of its output where they are to go. */
static int keep_output(struct hxs_proc *c, size_t before, const char *data,
		       size_t n, struct hxs_buf *out)
{
	int r;

	if (c->opts.out_fd) {
		r = hxs_io_write_full(c->opts.out_fd, data, n);
		c->lost = r < 0;
		return r;
	}
	assert(out); /* or there would be no pipe */
	if (n > c->opts.max_output - (out->len - before))
		return -EFBIG;
	return hxs_buf_append(out, data, n);
}

/* Read what is there, at most @most bytes. Closes c->out at its end. */
static int take_output(struct hxs_proc *c, size_t before, size_t most,
		       struct hxs_buf *out)
{
	char chunk[CHUNK];
	size_t want;
	ssize_t n;
	int r;

	while (c->out >= 0 && most > 0) {
		want = most < sizeof(chunk) ? most : sizeof(chunk);
		n = read(c->out, chunk, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0) {
			(void)close(HXS_STEAL_FD(c->out)); /* only read */
			break;
		}
		most -= (size_t)n;
		r = keep_output(c, before, chunk, (size_t)n, out);
		if (r < 0)
			return r;
	}
	return 0;
}

/* How much of it there is: others may go on to write for ever. */
static size_t output_there(const struct hxs_proc *c)
{
	int n = 0;

	if (c->out >= 0 && ioctl(c->out, FIONREAD, &n) < 0)
		n = PIPE_BYTES;
	return (size_t)n;
}

/* Keep the end of what there is on standard error. Fails for nobody. */
static void take_words(struct hxs_proc *c)
{
	char chunk[TAIL];
	size_t n, keep;
	ssize_t got;
	int i;

	for (i = 0; i < READS && c->words >= 0; i++) {
		got = read(c->words, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		n = (size_t)got;
		keep = c->tail_len;
		if (keep > TAIL - n) {
			keep = TAIL - n;
			c->tail_cut = true;
		}
		memmove(c->tail, c->tail + c->tail_len - keep, keep);
		memcpy(c->tail + keep, chunk, n);
		c->tail_len = keep + n;
	}
}

static bool is_blank(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

/*
 * Hand over the last line of it that says anything, or all of it. Where the
 * beginning was not kept, not the part of a word that is left: it may be of a
 * password that nobody knows for one any more.
 */
static void tell_words(struct hxs_proc *c)
{
	const char *from = c->tail, *to = from + c->tail_len, *nl;

	if (!c->opts.said)
		return;
	while (to > from && is_blank(to[-1]))
		to--;
	nl = c->opts.said_all ? NULL : memrchr(from, '\n', (size_t)(to - from));
	if (nl)
		from = nl + 1;
	else if (c->tail_cut)
		while (from < to && !is_blank(*from))
			from++;
	/* Without memory for it, it says nothing. */
	(void)hxs_buf_append(c->opts.said, from, (size_t)(to - from));
}

/* Wait for output or the end, at most until the deadline. */
static int wait_for_news(const struct hxs_proc *c)
{
	struct pollfd fds[3] = {
		{ .fd = c->pidfd, .events = POLLIN },
		{ .fd = c->out, .events = POLLIN },
		{ .fd = c->words, .events = POLLIN },
	};
	int64_t left = -1;

	if (c->opts.stop && c->opts.stop(c->opts.stop_ctx))
		return -ECANCELED;
	if (c->deadline) {
		left = c->deadline - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
	}
	if (c->pidfd < 0 && (left < 0 || left > NO_PIDFD_POLL_MS))
		left = NO_PIDFD_POLL_MS;
	if (c->opts.stop && (left < 0 || left > STOP_POLL_MS))
		left = STOP_POLL_MS;
	if (left > 60 * 1000)
		left = 60 * 1000;
	if (poll(fds, 3, (int)left) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

/* Until the child has ended and what it wrote is read. */
static int follow(struct hxs_proc *c, struct hxs_buf *out)
{
	size_t before = out ? out->len : 0;
	int r, ended;

	for (;;) {
		/* First this, then the output: what it wrote is there. */
		ended = has_ended(c);
		if (ended < 0)
			return ended;
		take_words(c);
		r = take_output(c, before,
				ended ? output_there(c) : READS * CHUNK, out);
		if (r < 0 || ended)
			return r;
		r = wait_for_news(c);
		if (r < 0)
			return r;
	}
}

/* End it if it has not ended, with its group, and let no zombie stay. */
static int reap(struct hxs_proc *c, bool stop, int *status)
{
	int ws;
	pid_t r;

	if (stop) {
		/* Both may be gone already; it may also have left its group. */
		(void)kill(-c->pid, SIGKILL);
		(void)kill(c->pid, SIGKILL);
	}
	do
		r = waitpid(c->pid, &ws, 0);
	while (r < 0 && errno == EINTR);
	c->pid = 0;
	if (r < 0)
		return -errno;
	*status = WIFSIGNALED(ws) ? 128 + WTERMSIG(ws) : WEXITSTATUS(ws);
	return 0;
}

static int say_lost(const struct hxs_proc_opts *opts, int r,
		    struct hxs_err *err)
{
	return hxs_err_errno(err, -r, "cannot keep what '%s' writes",
			     opts->argv[0]);
}

static int say_why(const struct hxs_proc_opts *opts, int r, struct hxs_err *err)
{
	bool whole = opts->timeout_ms % 1000 == 0;

	if (r == -ETIMEDOUT)
		return hxs_err_set(err, ETIMEDOUT,
				   "'%s' did not end within %u %s",
				   opts->argv[0],
				   opts->timeout_ms / (whole ? 1000 : 1),
				   whole ? "s" : "ms");
	if (r == -ECANCELED)
		return hxs_err_set(err, ECANCELED, "'%s' was cancelled",
				   opts->argv[0]);
	if (r == -EFBIG)
		return hxs_err_set(err, EFBIG, "'%s' wrote more than %zu bytes",
				   opts->argv[0], opts->max_output);
	return hxs_err_errno(err, -r, "cannot run '%s'", opts->argv[0]);
}

/* ---- start and finish -------------------------------------------------- */

void hxs_proc_free(struct hxs_proc *p)
{
	int status;

	if (!p)
		return;
	if (p->pid)
		(void)reap(p, true, &status); /* nobody asks how it ended */
	if (p->pidfd >= 0)
		(void)close(p->pidfd); /* nothing was written through it */
	if (p->out >= 0)
		(void)close(p->out); /* only read */
	if (p->words_in >= 0) {
		/* Whoever still has it is not to wait for a reader, */
		(void)fcntl(p->words_in, F_SETFL, O_RDWR | O_NONBLOCK);
		(void)close(p->words_in); /* never written through */
		take_words(p); /* nor be waiting for one already */
	}
	if (p->words >= 0)
		(void)close(p->words); /* only read */
	free(p);
}

int hxs_proc_start(const struct hxs_proc_opts *opts, bool output,
		   struct hxs_proc **out, struct hxs_err *err)
{
	HXS_AUTO(proc) struct hxs_proc *p = calloc(1, sizeof(*p));
	HXS_AUTO_CLOSE int wr = -1;
	int r = 0;

	assert(!output || !opts->out_fd);
	if (!p)
		return say_why(opts, -ENOMEM, err);
	p->opts = *opts;
	p->pidfd = p->out = p->words = p->words_in = -1;
	if (output || opts->out_fd)
		r = hxs_proc_spawn_pipe(&p->out, &wr);
	if (r == 0 && opts->out_fd) /* a smaller one does, too */
		(void)fcntl(wr, F_SETPIPE_SZ, PIPE_BYTES);
	/* Where there is no /proc, it says nothing. */
	if (r == 0 && opts->said &&
	    hxs_proc_spawn_words(&p->words, &p->words_in) < 0 && p->words >= 0)
		(void)close(HXS_STEAL_FD(p->words)); /* only read */
	if (r == 0)
		r = hxs_proc_spawn(opts, wr, p->words_in, &p->pid);
	if (r < 0) {
		p->pid = 0; /* whatever was made of it */
		return say_why(opts, r, err);
	}
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (opts->timeout_ms)
		p->deadline = now_ms() + opts->timeout_ms;
	*out = HXS_STEAL(p);
	return 0;
}

pid_t hxs_proc_pid(const struct hxs_proc *p)
{
	return p->pid;
}

int hxs_proc_finish(struct hxs_proc *p, struct hxs_buf *out, int *status,
		    struct hxs_err *err)
{
	size_t before = out ? out->len : 0;
	int r, reaped, found = 0;

	assert(p->pid && (!out || !p->opts.out_fd) &&
	       (out || p->opts.out_fd) == (p->out >= 0));
	r = follow(p, out);
	reaped = reap(p, r < 0, &found);
	take_words(p);
	tell_words(p);
	if (r == 0)
		r = reaped;
	if (r < 0) {
		if (out)
			hxs_buf_truncate(out, before);
		return p->lost ? say_lost(&p->opts, r, err)
			       : say_why(&p->opts, r, err);
	}
	*status = found;
	return 0;
}

int hxs_proc_run(const struct hxs_proc_opts *opts, struct hxs_buf *out,
		 int *status, struct hxs_err *err)
{
	HXS_AUTO(proc) struct hxs_proc *p = NULL;
	int r;

	r = hxs_proc_start(opts, out != NULL, &p, err);
	if (r < 0)
		return r;
	assert(p); /* it was started */
	return hxs_proc_finish(p, out, status, err);
}
