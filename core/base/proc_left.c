/*
 * All processes are looked at again and again until none is left. As long as
 * one of a group lives, its number is no other's: so what was known for ours
 * once stays ours. Nor does a group ever change its session: the number of one
 * in another session is another's by now.
 *
 * One pass may miss what was begun during it by one that ended meanwhile; so
 * there have to be two that find nothing.
 */
#include "base/proc_left.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define END_SECONDS 20 /* for it to end in */
#define POLL_MS 10
#define PASSES 2 /* that find nothing */
#define STAT_MAX 2048
#define ENVIRON_MAX (8u << 20)

/* ---- one process ------------------------------------------------------- */

struct process {
	pid_t pid, group, session;
	uint64_t start;
	bool ended; /* and not waited for by who started it */
};

static int open_of(const char *pid, const char *what)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* 1, 0 when there is no such process any more, or -errno. */
static int look(const char *pid, struct process *out)
{
	HXS_AUTO_CLOSE int fd = open_of(pid, "stat");
	char text[STAT_MAX], state;
	const char *p;
	int group, session, threads;
	ssize_t n;

	n = fd < 0 ? fd : hxs_io_read_full(fd, text, sizeof(text) - 1);
	if (n == -ENOENT || n == -ESRCH)
		return 0;
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name before it may hold anything */
	if (!p ||
	    sscanf(p + 1,
		   " %c %*d %d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		   "%*s %*s %*s %d %*s %" SCNu64,
		   &state, &group, &session, &threads, &out->start) != 5)
		return -EPROTO;
	out->pid = (pid_t)strtol(pid, NULL, 10);
	out->group = group;
	out->session = session;
	/* Where its first thread alone has, it has not. */
	out->ended = state == 'X' || (state == 'Z' && threads <= 1);
	return 1;
}

static bool has(const char *text, size_t len, const char *variable)
{
	const char *end = text + len;

	for (; text < end; text += strlen(text) + 1)
		if (strcmp(text, variable) == 0)
			return true;
	return false;
}

/* Whether @pid was given all of @env: 1, 0, or -errno if it does not tell. */
static int was_given(const char *pid, const char *const *env)
{
	HXS_AUTO_CLOSE int fd = open_of(pid, "environ");
	HXS_AUTO_FREE char *text = NULL;
	size_t len = 0;
	int r = fd < 0 ? fd : hxs_io_read_all(fd, ENVIRON_MAX, &text, &len);

	if (r == -ENOENT || r == -ESRCH)
		return 0; /* it ends just now */
	if (r < 0)
		return r;
	for (; *env; env++)
		if (!has(text, len, *env))
			return 0;
	return 1;
}

/* ---- all of them ------------------------------------------------------- */

struct scan {
	const struct hxs_proc_left *left;
	pid_t group; /* 0: to be found */
	struct process first; /* which tells what it is; pid 0: none */
	pid_t alive; /* one of it that has not ended; 0: there is none */
	bool seen; /* there is one of it, ended or not */
	bool leader; /* the one that was started is among them */
	bool ours; /* known for it, now or before */
	bool another; /* its number is somebody else's now */
};

static int see_member(struct scan *s, const char *name, const struct process *p)
{
	int r;

	s->seen = true;
	if (p->group == s->group && p->session != s->left->session)
		s->another = true;
	if (p->pid == s->left->pid) {
		s->another = s->another || p->start != s->left->start;
		s->ours = s->ours || !s->another;
		s->leader = !p->ended;
	}
	if (p->ended || s->another)
		return 0;
	s->alive = p->pid;
	r = s->ours ? 0 : was_given(name, s->left->env);
	s->ours = s->ours || r > 0;
	return r == -ENOMEM ? r : 0;
}

/*
 * Its number is not known. It began before all that it has started, and is in
 * the session of who started it, as it leads a group and so cannot leave that. A
 * service that it started does, and is none of it.
 */
static int see_any(struct scan *s, const char *name, const struct process *p)
{
	const struct process *first = &s->first;
	int r;

	if (p->ended || p->session != s->left->session ||
	    p->start < s->left->start || p->group <= 1 || p->group == getpgrp())
		return 0;
	if (first->pid && (first->start < p->start ||
			   (first->start == p->start && first->pid < p->pid)))
		return 0;
	r = was_given(name, s->left->env);
	if (r > 0)
		s->first = *p;
	return r == -ENOMEM ? r : 0;
}

static int see(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	struct scan *s = ctx;
	struct process p;
	int r;

	if (name[strspn(name, "0123456789")])
		return 0; /* no process */
	r = look(name, &p);
	if (r == -EPERM || r == -EACCES || r == -EPROTO) {
		/* Others' may be hidden from us. It may be another's, too. */
		if (s->left->pid && strtol(name, NULL, 10) == s->left->pid)
			s->alive = s->left->pid;
		return 0;
	}
	if (r <= 0)
		return r;
	if (!s->group)
		return see_any(s, name, &p);
	return p.group == s->group || p.pid == s->group
		       ? see_member(s, name, &p)
		       : 0;
}

static int look_around(struct scan *s)
{
	HXS_AUTO_CLOSE int proc = -1;
	int r;

	s->first.pid = s->alive = 0;
	s->seen = s->leader = s->another = false;
	proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = proc < 0 ? -errno : hxs_io_list(proc, see, s);
	if (r == 0 && s->first.pid) {
		s->group = s->first.group;
		s->alive = s->first.pid;
		s->seen = s->ours = true;
	}
	return r;
}

/* Whether there is one of the group that cannot be seen. */
static bool is_hidden(const struct scan *s)
{
	return s->group > 1 && !s->seen &&
	       (kill(-s->group, 0) == 0 || errno == EPERM);
}

int hxs_proc_left_end(const struct hxs_proc_left *left, pid_t *still)
{
	double end = hxs_clock_ticks() + END_SECONDS;
	struct scan s = { .left = left, .group = left->pid };
	int r, nothing = 0;

	for (;;) {
		r = look_around(&s);
		if (r < 0)
			return r;
		if (s.another)
			return 0;
		if (!s.alive && !is_hidden(&s)) {
			if (++nothing == PASSES)
				return 0;
			continue;
		}
		nothing = 0;
		*still = s.alive ? s.alive : s.group;
		/* We may be a part of it: then it is up to who runs us. */
		if (s.group == getpgrp() || hxs_clock_ticks() > end)
			return -HXS_EBUSY;
		if (s.ours && s.group > 1) {
			(void)kill(-s.group, SIGKILL); /* asked for again */
			if (s.leader) /* it may have left its group */
				(void)kill(left->pid, SIGKILL);
		}
		(void)poll(NULL, 0, POLL_MS);
	}
}

/* ---- what is noted ----------------------------------------------------- */

int hxs_proc_left_start(pid_t pid, uint64_t *out)
{
	struct process p;
	struct timespec ts;
	char name[24];
	long hz = sysconf(_SC_CLK_TCK);
	int r;

	if (pid) {
		(void)snprintf(name, sizeof(name), "%ld", (long)pid);
		r = look(name, &p);
		if (r > 0)
			*out = p.start;
		return r > 0 ? 0 : r < 0 ? r : -ESRCH;
	}
	if (clock_gettime(CLOCK_BOOTTIME, &ts) < 0)
		return -errno;
	*out = (uint64_t)ts.tv_sec * (uint64_t)hz +
	       (uint64_t)ts.tv_nsec / (1000000000u / (uint64_t)hz);
	return 0;
}

int hxs_proc_left_place(char out[HXS_PROC_LEFT_PLACE])
{
	HXS_AUTO_CLOSE int fd = -1;
	char boot[40], ns[40];
	ssize_t n;

	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = hxs_io_read_full(fd, boot, sizeof(boot) - 1);
	if (n < 0)
		return (int)n;
	boot[n] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	n = readlink("/proc/self/ns/pid", ns, sizeof(ns) - 1);
	if (n < 0)
		return -errno;
	ns[n] = '\0';
	(void)snprintf(out, HXS_PROC_LEFT_PLACE, "%.38s/%.38s", boot, ns);
	return 0;
}
