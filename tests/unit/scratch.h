#ifndef HXS_TESTS_SCRATCH_H
#define HXS_TESTS_SCRATCH_H

/* A directory of a test's own, gone at the end; and what it is filled with. */
#include "tests/lib/tap.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

struct scratch {
	char path[PATH_MAX];
	int fd;
};

__attribute__((noreturn)) static inline void scratch_die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Make it and go there. */
static inline void scratch_open(struct scratch *s)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(s->path, sizeof(s->path), "%s/hxs-unit-XXXXXX",
		       tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(s->path) || chdir(s->path) < 0)
		scratch_die("cannot make a directory for the test");
	s->fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0)
		scratch_die("cannot open the test's directory");
}

/* By rm, so that a fault in our own removal does not hide itself. */
static inline void scratch_close(struct scratch *s)
{
	pid_t pid;

	(void)close(s->fd);
	if (chdir("/") < 0)
		scratch_die("cannot leave the test's directory");
	pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", s->path, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

static inline void scratch_file(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			0644);

	if (fd < 0 || hxs_io_write_full(fd, text, strlen(text)) < 0)
		scratch_die(name);
	(void)close(fd);
}

static inline void scratch_dir(int dirfd, const char *name)
{
	if (mkdirat(dirfd, name, 0755) < 0)
		scratch_die(name);
}

/* Whether @name holds exactly @text. */
static inline bool scratch_holds(int dirfd, const char *name, const char *text)
{
	HXS_AUTO_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	HXS_AUTO_FREE char *data = NULL;
	size_t len;

	return fd >= 0 && hxs_io_read_all(fd, 1 << 20, &data, &len) == 0 &&
	       len == strlen(text) && memcmp(data, text, len) == 0;
}

static inline bool scratch_exists(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * From here on mounts are this process's own; false where not allowed. Before
 * scratch_open(): a handle keeps to the mounts of its time.
 */
static inline bool scratch_own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/*
 * Make @depth directories, one in the other, below @name, each called
 * @step, with a file beside each.
 */
static inline void scratch_deep(int dirfd, const char *name, const char *step,
				int depth)
{
	int at, next, i;

	scratch_dir(dirfd, name);
	at = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < depth; i++) {
		scratch_dir(at, step);
		scratch_file(at, "file", "x");
		next = openat(at, step, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (next < 0)
			scratch_die(step);
		(void)close(at);
		at = next;
	}
	scratch_file(at, "bottom", "deep");
	(void)close(at);
}

#endif
