/*
 * Where numbers of processes mean something else, on another machine that has
 * the store, too, or in another container, a program cannot be looked for.
 * What tells of it there is a lock on what it reads from: it is the open
 * file's that the program was given, and so goes with the last of those that
 * have that as their standard input.
 */
#include "store/running.h"

#include "base/io.h"
#include "base/proc_left.h"
#include "store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define RUNNING_DIR ".hxsnap/running"
#define RECORD_MAX 8192

struct hxs_running {
	int dir, fd;
	bool over;
	char name[2 * HXS_ENV_MAX + 2];
	char event[16];
	char place[HXS_PROC_LEFT_PLACE];
	char *input; /* or "-" */
};

/* No environment's name has a dot, and no source's. */
static void name_it(char *out, size_t size, const char *env, const char *source)
{
	(void)snprintf(out, size, "%s.%s", env, source);
}

/* ---- what was left behind ---------------------------------------------- */

/* What a record says. */
struct said {
	char event[16];
	char place[HXS_PROC_LEFT_PLACE];
	struct hxs_proc_left left;
	const char *input; /* borrowed */
};

/* Whether it says anything. A machine that crashed may have left anything. */
static bool parse(char *text, struct said *out)
{
	int pid, session, at = 0;

	text[strcspn(text, "\n")] = '\0';
	if (sscanf(text, "hxsnap-running 2 %15s %d %d %" SCNu64 " %79s %n",
		   out->event, &pid, &session, &out->left.start, out->place,
		   &at) != 5 ||
	    !at || pid < 0 || pid == 1)
		return false;
	out->left.session = session;
	out->left.pid = pid;
	out->input = text + at;
	return true;
}

static int still_runs(const struct said *said, pid_t pid, struct hxs_err *err)
{
	return hxs_err_set(err, HXS_EBUSY,
			   "the program of event '%s' that a command left "
			   "behind still runs (process %ld)",
			   said->event, (long)pid);
}

static int look_here(struct said *said, const char *const *given,
		     struct hxs_err *err)
{
	pid_t still = 0;
	int r;

	said->left.env = given;
	r = hxs_proc_left_end(&said->left, &still);
	if (r == -HXS_EBUSY)
		return still_runs(said, still, err);
	return r < 0 ? hxs_err_errno(err, -r,
				     "cannot tell whether the program of event "
				     "'%s' that a command left behind runs",
				     said->event)
		     : 0;
}

static int look_elsewhere(struct hxs_store *s, const struct said *said,
			  struct hxs_err *err)
{
	/* NFS locks what is open for writing only. */
	HXS_AUTO_CLOSE int fd =
		hxs_io_open_beneath(hxs_store_fd(s), said->input,
				    O_RDWR | O_NONBLOCK | O_NOFOLLOW |
					    O_CLOEXEC,
				    0);

	if (fd == -EACCES)
		fd = hxs_io_open_regular(hxs_store_fd(s), said->input, NULL);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0;
	return hxs_err_set(err, HXS_EBUSY,
			   "the program of event '%s' that a command left "
			   "behind still runs, on another machine or in "
			   "another container (process %ld there)",
			   said->event, (long)said->left.pid);
}

int hxs_running_settle(struct hxs_store *s, const char *env, const char *source,
		       const char *const *given, struct hxs_err *err)
{
	char name[2 * HXS_ENV_MAX + 2], place[HXS_PROC_LEFT_PLACE];
	HXS_AUTO_FREE char *text = NULL;
	struct said said;
	size_t len;
	int r;

	name_it(name, sizeof(name), env, source);
	r = hxs_record_read(s, RUNNING_DIR, name, RECORD_MAX, &text, &len);
	if (r == 0)
		return 0;
	if (r > 0)
		r = hxs_proc_left_place(place);
	if (r == -HXS_EDENIED)
		return hxs_err_set(err, HXS_EDENIED,
				   "'%s/%s/%s' may be written by others than "
				   "its owner",
				   hxs_store_path(s), RUNNING_DIR, name);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot tell whether a program runs that "
				     "'%s/%s/%s' speaks of",
				     hxs_store_path(s), RUNNING_DIR, name);
	if (!text || !parse(text, &said))
		return 0;
	return strcmp(place, said.place) == 0 ? look_here(&said, given, err)
					      : look_elsewhere(s, &said, err);
}

/* ---- what runs --------------------------------------------------------- */

/* As many bytes whatever the numbers are. */
static int write_line(struct hxs_running *r, pid_t pid, uint64_t start)
{
	HXS_AUTO_BUF struct hxs_buf line = HXS_BUF_INIT;
	int e;

	e = hxs_buf_printf(&line,
			   "hxsnap-running 2 %s %010ld %010ld %020" PRIu64
			   " %s %s\n",
			   r->event, (long)pid, (long)getsid(0), start,
			   r->place, r->input);
	if (e == 0)
		e = hxs_io_pwrite_full(r->fd, line.data, line.len, 0);
	if (e == 0 && ftruncate(r->fd, (off_t)line.len) < 0)
		e = -errno;
	return e;
}

static int cannot(const struct hxs_running *r, int e, struct hxs_err *err)
{
	return hxs_err_errno(err, -e,
			     "cannot note in '" RUNNING_DIR "/%s' that a "
			     "program runs",
			     r->name);
}

int hxs_running_begin(struct hxs_store *s, const char *env, const char *source,
		      const char *event, const char *input, int fd,
		      struct hxs_running **out, struct hxs_err *err)
{
	HXS_AUTO(running) struct hxs_running *n = calloc(1, sizeof(*n));
	uint64_t now = 0;
	int r;

	if (!n)
		return hxs_err_errno(err, ENOMEM,
				     "cannot note that a program runs");
	n->dir = n->fd = -1;
	name_it(n->name, sizeof(n->name), env, source);
	(void)snprintf(n->event, sizeof(n->event), "%s", event);
	n->input = strdup(input && !strchr(input, '\n') ? input : "-");
	r = n->input ? hxs_proc_left_place(n->place) : -ENOMEM;
	if (r == 0)
		r = hxs_proc_left_start(0, &now);
	if (r == 0)
		r = n->dir = hxs_store_make_dir(s, RUNNING_DIR, 0700, NULL);
	if (r >= 0)
		r = n->fd = hxs_io_open_beneath(n->dir, n->name,
						O_RDWR | O_CREAT, 0600);
	if (r >= 0)
		r = write_line(n, 0, now);
	if (r < 0)
		return cannot(n, r, err);
	/* Where a file system has no locks, nobody is told elsewhere. */
	if (input)
		(void)flock(fd, LOCK_SH | LOCK_NB);
	*out = HXS_STEAL(n);
	return 0;
}

int hxs_running_started(struct hxs_running *r, pid_t pid, struct hxs_err *err)
{
	uint64_t start;
	int e = hxs_proc_left_start(pid, &start);

	if (e == 0)
		e = write_line(r, pid, start);
	return e < 0 ? cannot(r, e, err) : 0;
}

void hxs_running_ended(struct hxs_running *r)
{
	r->over = true;
}

void hxs_running_free(struct hxs_running *r)
{
	if (!r)
		return;
	/* One that stays speaks of what has ended. */
	if (r->over)
		(void)unlinkat(r->dir, r->name, 0);
	if (r->fd >= 0)
		(void)close(r->fd); /* for nobody's eyes but ours */
	if (r->dir >= 0)
		(void)close(r->dir); /* only a place */
	free(r->input);
	free(r);
}
