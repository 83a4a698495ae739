#include "fs/daemon.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>

/*
 * One byte is the exit status; no byte means that the daemon died. The pipe's
 * other end is held by the daemon alone.
 */
static void parent(int fd, const char *mountpoint)
{
	struct statfs sf;
	uint8_t status;

	if (hxs_io_read_full(fd, &status, 1) != 1) {
		(void)fprintf(stderr,
			      "hxsnapfs: the daemon died before '%s' was "
			      "mounted\n",
			      mountpoint);
		_exit(HXFS_EXIT_SYSTEM);
	}
	if (status == HXFS_EXIT_OK && statfs(mountpoint, &sf) < 0) {
		(void)fprintf(stderr, "hxsnapfs: '%s' does not answer: %s\n",
			      mountpoint, strerror(errno));
		_exit(HXFS_EXIT_MOUNT);
	}
	_exit(status);
}

int hxfs_daemon_begin(struct hxfs_daemon *d, bool foreground,
		      const char *mountpoint, struct hxs_err *err)
{
	int fd[2];
	pid_t pid;

	*d = (struct hxfs_daemon){ .report = -1, .foreground = foreground };
	if (foreground)
		return 0;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return hxs_err_errno(err, errno, "cannot become a daemon");
	pid = fork();
	if (pid < 0)
		return hxs_err_errno(err, errno, "cannot become a daemon");
	if (pid > 0) {
		(void)close(fd[1]); /* else a dead daemon would go unnoticed */
		(void)waitpid(pid, NULL, 0); /* it ends at once */
		parent(fd[0], mountpoint);
	}
	(void)close(fd[0]); /* the parent's end */
	(void)setsid(); /* a child is no group's leader: cannot fail */
	pid = fork();
	if (pid != 0)
		_exit(0); /* on failure too: the pipe's end says so */
	d->report = fd[1];
	return 0;
}

/* One datagram to $NOTIFY_SOCKET; '@' begins an abstract name. */
static void notify_manager(void)
{
	static const char text[] = "READY=1";
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	HXS_AUTO_CLOSE int fd = -1;
	size_t len;

	if (!path || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(to.sun_path))
		return;
	len = strlen(path);
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* A manager that does not listen is not our failure. */
	(void)sendto(fd, text, sizeof(text) - 1, MSG_NOSIGNAL,
		     (const struct sockaddr *)&to,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static void report(struct hxfs_daemon *d, int status)
{
	uint8_t byte = (uint8_t)status;

	if (d->report < 0)
		return;
	/* A parent that was killed does not listen: we go on without it. */
	(void)!write(d->report, &byte, 1);
	(void)close(d->report); /* nothing is lost with it */
	d->report = -1;
}

void hxfs_daemon_ready(struct hxfs_daemon *d)
{
	int null;

	notify_manager();
	if (!d->foreground) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null >= 0) {
			(void)dup2(null, STDIN_FILENO);
			(void)dup2(null, STDOUT_FILENO);
			(void)dup2(null, STDERR_FILENO);
			if (null > STDERR_FILENO)
				(void)close(null); /* it was copied */
		}
	}
	report(d, HXFS_EXIT_OK);
}

void hxfs_daemon_failed(struct hxfs_daemon *d, int status)
{
	report(d, status);
}
