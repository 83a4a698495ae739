/* One process, its threads, and the mounts it sees. */
#include "base/holders_scan.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define KTHREAD 0x00200000u /* PF_KTHREAD in /proc/PID/stat */

/*
 * What failure @e means to the scan: a process may have ended (EINVAL is what
 * mountinfo of one that has left its namespace says; it holds no files any
 * more), or be another user's; all else ends the scan, since what was not
 * looked at may hold the tree.
 */
static int judge(struct hxs_scan *s, int e)
{
	if (e == EACCES || e == EPERM)
		s->denied = true;
	else if (e != ENOENT && e != ESRCH && e != EINVAL)
		return -e;
	return 0;
}

/* The text of a link; "" for one that cannot be read. */
static void read_link(struct hxs_scan *s, int dirfd, const char *name,
		      char out[PATH_MAX])
{
	ssize_t n = readlinkat(dirfd, name, out, PATH_MAX - 1);

	if (n < 0)
		(void)judge(s, errno); /* a name cannot fail in other ways */
	out[n > 0 ? n : 0] = '\0';
}

/* ---- views --------------------------------------------------------------- */

static int make_view(struct hxs_scan *s, int procfd, const char *ns,
		     const char *root)
{
	HXS_AUTO_FREE char *text = NULL;
	struct hxs_view *v;
	size_t len;
	int r;

	r = hxs_holders_read(procfd, "mountinfo", &text, &len);
	if (r < 0)
		return r;
	v = reallocarray(s->view, s->view_count + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->view = v;
	v += s->view_count;
	*v = (struct hxs_view){ .root = strdup(root) };
	if (!v->root)
		return -ENOMEM;
	s->view_count++;
	(void)snprintf(v->ns, sizeof(v->ns), "%.*s", (int)sizeof(v->ns) - 1,
		       ns);
	return hxs_places_find(&s->object, text, len, root, &v->places);
}

/*
 * Paths in our namespace are told from our root, whatever the process's, and
 * so are our mounts; in another one paths are told from its own root, and
 * the mounts from the process's.
 */
int hxs_holders_view(struct hxs_scan *s, int procfd, size_t *out)
{
	char ns[PATH_MAX], root[PATH_MAX] = "";
	size_t i;
	int r = 0;

	read_link(s, procfd, "ns/mnt", ns);
	if (s->view_count)
		read_link(s, procfd, "root", root);
	for (i = 0; i < s->view_count; i++)
		if (strcmp(ns, s->view[i].ns) == 0 &&
		    (i == 0 || strcmp(root, s->view[i].root) == 0))
			break;
	if (i == s->view_count)
		r = make_view(s, procfd, ns, root);
	*out = i;
	return r;
}

/* ---- one process --------------------------------------------------------- */

static void read_comm(int fd, char *out, size_t size)
{
	HXS_AUTO_CLOSE int comm = openat(fd, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = comm < 0 ? -1 : hxs_io_read_full(comm, out, size - 1);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static int see_path(struct hxs_scan *s, const char *text, int dirfd,
		    const char *name)
{
	const struct hxs_place *place;
	const char *rest;
	char comm[64];

	if (s->found ||
	    !hxs_holders_match(s->here, text, dirfd, name, &place, &rest))
		return 0;
	s->found = true;
	read_comm(s->fd, comm, sizeof(comm));
	return hxs_holders_add(s->out, s->pid, comm, place->ours, rest);
}

static int see_link(struct hxs_scan *s, int dirfd, const char *name)
{
	char text[PATH_MAX];

	read_link(s, dirfd, name, text);
	return see_path(s, text, dirfd, name);
}

struct fds {
	struct hxs_scan *s;
	int dirfd;
};

static int see_fd(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	const struct fds *f = ctx;
	int r = see_link(f->s, f->dirfd, name);

	return r < 0 ? r : f->s->found;
}

static int see_fds(struct hxs_scan *s)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct fds f = { .s = s };
	int r;

	fd = openat(s->fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return judge(s, errno);
	f.dirfd = fd;
	r = hxs_io_list(fd, see_fd, &f);
	return r < 0 ? judge(s, -r) : 0;
}

/* "7f..-7f.. r-xp 00000000 08:01 1234   /path": the newline is escaped. */
static int see_map(struct hxs_scan *s, char *line)
{
	char *path = strchr(line, '/'), *from, *to;

	if (!path)
		return 0;
	for (from = to = path; *from; to++) {
		bool nl = strncmp(from, "\\012", 4) == 0;

		*to = nl ? '\n' : *from;
		from += nl ? 4 : 1;
	}
	*to = '\0';
	return see_path(s, path, -1, NULL);
}

static int see_maps(struct hxs_scan *s)
{
	HXS_AUTO_FREE char *text = NULL;
	char *line, *end;
	size_t len;
	int r;

	r = hxs_holders_read(s->fd, "maps", &text, &len);
	if (r < 0)
		return judge(s, -r);
	for (line = text; r == 0 && line && !s->found; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		r = see_map(s, line);
	}
	return r;
}

/* ---- all processes -------------------------------------------------------- */

static bool same_files(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, a, b, KCMP_FILES, 0, 0) == 0;
}

struct threads {
	struct hxs_scan *s;
	int dirfd;
	pid_t first; /* the one whose files were looked at, or 0 */
	bool mapped; /* the memory was looked at: one has it for all */
};

/* All of it but what another thread of the process was asked for already. */
static int see_held(struct threads *t, pid_t tid)
{
	struct hxs_scan *s = t->s;
	char exe[PATH_MAX];
	int r;

	r = see_link(s, s->fd, "cwd");
	if (r == 0)
		r = see_link(s, s->fd, "root");
	if (r == 0 && !s->found && !(t->first && same_files(t->first, tid)))
		r = see_fds(s);
	if (!t->first)
		t->first = tid;
	if (r < 0 || s->found || t->mapped)
		return r;
	read_link(s, s->fd, "exe", exe);
	t->mapped = *exe != '\0';
	r = see_path(s, exe, s->fd, "exe");
	if (r == 0 && t->mapped)
		r = see_maps(s);
	return r;
}

/*
 * Threads share their files and directories unless they asked not to, and
 * the first one may have ended before the others.
 */
static int see_thread(const char *name, unsigned char type HXS_UNUSED,
		      void *ctx)
{
	struct threads *t = ctx;
	struct hxs_scan *s = t->s;
	HXS_AUTO_CLOSE int fd = -1;
	size_t view;
	int r;

	fd = openat(t->dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return judge(s, errno);
	s->fd = fd;
	r = hxs_holders_view(s, fd, &view);
	if (r < 0)
		return judge(s, -r);
	s->here = &s->view[view];
	r = see_held(t, (pid_t)strtol(name, NULL, 10));
	return r < 0 ? r : s->found;
}

/* Threads of the kernel, and what has ended, hold nothing. */
static bool could_hold(int pidfd)
{
	HXS_AUTO_FREE char *text = NULL;
	const char *p;
	unsigned flags;
	size_t len;
	char state;

	if (hxs_holders_read(pidfd, "stat", &text, &len) < 0)
		return false;
	p = strrchr(text, ')');
	if (!p ||
	    sscanf(p + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return true;
	return state != 'Z' && state != 'X' && !(flags & KTHREAD);
}

int hxs_holders_see(const char *name, unsigned char type HXS_UNUSED, void *scan)
{
	struct hxs_scan *s = scan;
	struct threads t = { .s = s };
	HXS_AUTO_CLOSE int tasks = -1;
	HXS_AUTO_CLOSE int fd = -1;
	char *end;
	long pid = strtol(name, &end, 10);
	char path[32];
	int r;

	if (*end || pid <= 0 || pid == getpid())
		return 0;
	s->pid = (pid_t)pid;
	s->found = s->denied = false;
	(void)snprintf(path, sizeof(path), "/proc/%ld", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return judge(s, errno);
	tasks = openat(fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tasks < 0)
		return judge(s, errno);
	t.dirfd = tasks;
	r = hxs_io_list(tasks, see_thread, &t);
	if (r < 0)
		r = judge(s, -r);
	if (s->denied && !s->found && could_hold(fd))
		s->out->hidden++;
	return r < 0 ? r : 0;
}
