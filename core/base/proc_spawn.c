/* Pipes for a child and its start, whatever state this process is in. */
#include "base/proc_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>

int hxs_proc_spawn_pipe(int *rd, int *wr)
{
	int raw[2], e;

	if (pipe2(raw, O_CLOEXEC) < 0)
		return -errno;
	*rd = fcntl(raw[0], F_DUPFD_CLOEXEC, 3);
	*wr = *rd < 0 ? -1 : fcntl(raw[1], F_DUPFD_CLOEXEC, 3);
	e = errno;
	(void)close(raw[0]); /* nothing was written through it */
	(void)close(raw[1]);
	if (*wr < 0)
		return -e;
	if (fcntl(*rd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int hxs_proc_spawn_words(int *rd, int *wr)
{
	HXS_AUTO_CLOSE int only = -1, both = -1;
	char path[64];
	int r;

	r = hxs_proc_spawn_pipe(rd, &only);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", only);
	both = open(path, O_RDWR | O_CLOEXEC);
	if (both < 0)
		return -errno;
	*wr = fcntl(both, F_DUPFD_CLOEXEC, 3);
	return *wr < 0 ? -errno : 0;
}

static int describe_files(posix_spawn_file_actions_t *fa,
			  const struct hxs_proc_opts *opts, int out, int words)
{
	int r;

	if (opts->in_fd)
		r = posix_spawn_file_actions_adddup2(fa, opts->in_fd, 0);
	else
		r = posix_spawn_file_actions_addopen(fa, 0, "/dev/null",
						     O_RDONLY, 0);
	if (r == 0 && out >= 0)
		r = posix_spawn_file_actions_adddup2(fa, out, 1);
	else if (r == 0)
		r = posix_spawn_file_actions_addopen(fa, 1, "/dev/null",
						     O_WRONLY, 0);
	if (r == 0 && words >= 0)
		r = posix_spawn_file_actions_adddup2(fa, words, 2);
	else if (r == 0)
		r = posix_spawn_file_actions_addopen(fa, 2, "/dev/null",
						     O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(fa, 3);
	if (r == 0 && opts->cwd)
		r = posix_spawn_file_actions_addchdir_np(fa, opts->cwd);
	return -r;
}

/* Its own group, no signal blocked or ignored, whatever this thread has. */
static int describe_signals(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	r = posix_spawnattr_setpgroup(attr, 0);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attr,
					     POSIX_SPAWN_SETPGROUP |
						     POSIX_SPAWN_SETSIGMASK |
						     POSIX_SPAWN_SETSIGDEF);
	return -r;
}

int hxs_proc_spawn(const struct hxs_proc_opts *opts, int out, int words,
		   pid_t *pid)
{
	const char *const *env =
		opts->env ? opts->env : (const char *const *)environ;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int r;

	r = -posix_spawn_file_actions_init(&fa);
	if (r < 0)
		return r;
	r = -posix_spawnattr_init(&attr);
	if (r == 0) {
		r = describe_files(&fa, opts, out, words);
		if (r == 0)
			r = describe_signals(&attr);
		if (r == 0)
			r = -posix_spawnp(pid, opts->argv[0], &fa, &attr,
					  (char *const *)opts->argv,
					  (char *const *)env);
		(void)posix_spawnattr_destroy(&attr); /* cannot fail */
	}
	(void)posix_spawn_file_actions_destroy(&fa); /* cannot fail */
	return r;
}
