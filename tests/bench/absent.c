/*
 * absent PATH COMMAND...: look at PATH all the time while COMMAND runs.
 *
 * Prints SECONDS LOOKS GAP: the longest time that PATH was not there, from the
 * last look that found it to the next that did (0: every look found it), how
 * often it looked, and the longest time between two looks, which is as long as
 * an absence can have been and not be seen. It only looks: a file held open,
 * even for a moment, is a reason for a restore to refuse. Ends as COMMAND
 * ended; what that prints goes to standard error.
 */
#include "sum.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct watch {
	const char *path;
	double found, last; /* when a look found it, when the last was */
	bool missing;
	double longest, gap;
	unsigned long long looks;
};

static void look(struct watch *w)
{
	struct stat st;
	int r = stat(w->path, &st);
	double now = bench_now();

	if (r < 0 && errno != ENOENT)
		err(2, "cannot look at '%s'", w->path);
	if (w->looks++ && now - w->last > w->gap)
		w->gap = now - w->last;
	w->last = now;
	if (r < 0)
		w->missing = true;
	if (w->missing && now - w->found > w->longest)
		w->longest = now - w->found;
	if (r < 0)
		return;
	w->missing = false;
	w->found = now;
}

static pid_t start(char **command)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (pid > 0)
		return pid;
	/* who ends the one ends the other */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		err(2, "cannot start '%s'", command[0]);
	(void)execvp(command[0], command);
	err(2, "cannot start '%s'", command[0]);
}

int main(int argc, char **argv)
{
	struct watch w = { .found = bench_now() };
	int status = 0;
	pid_t pid, r;

	if (argc < 3)
		errx(2, "usage: absent PATH COMMAND...");
	w.path = argv[1];
	look(&w);
	if (w.missing)
		errx(2, "'%s' is not there", w.path);
	pid = start(argv + 2);
	do {
		look(&w);
		r = waitpid(pid, &status, WNOHANG);
	} while (r == 0);
	if (r < 0)
		err(2, "waitpid");
	look(&w);
	printf("%.6f %llu %.6f\n", w.longest, w.looks, w.gap);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
