#include "base/err.h"
#include "base/proc.h"
#include "base/proc_left.h"
#include "tests/lib/tap.h"
#include "tests/unit/scratch.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static const char *const ours[] = { "HXS_LEFT=a b", "HXS_MORE=1", NULL };
static const char *const others[] = { "HXS_LEFT=a", "HXS_MORE=1", NULL };
static const char *const given[] = { "PATH=/usr/bin:/bin", "HXS_MORE=1",
				     "HXS_LEFT=a b", NULL };

/* Whether @pid is a process that has not ended. */
static bool lives(pid_t pid)
{
	char path[40], line[64] = "";
	bool yes = false;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "State:\t", 7) == 0)
			yes = line[7] != 'Z' && line[7] != 'X';
	if (f)
		(void)fclose(f);
	return yes;
}

/*
 * A program in a group of its own, with a process that it started, *@inner.
 * The caller ends it.
 */
static struct hxs_proc *begin(pid_t *inner)
{
	static const char script[] = "tail -f /dev/null & echo $! >inner.new; "
				     "mv inner.new inner; wait";
	static const char *const argv[] = { "sh", "-c", script, NULL };
	const struct hxs_proc_opts opts = { .argv = argv, .env = given };
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_proc *p = NULL;
	long n = 0;
	FILE *f = NULL;
	int i;

	(void)unlink("inner");
	if (hxs_proc_start(&opts, false, &p, &err) < 0) {
		ok(false, "begun: %s", err.message);
		exit(1);
	}
	for (i = 0; i < 6000 && !f; i++) {
		f = fopen("inner", "re");
		if (!f)
			(void)poll(NULL, 0, 10);
	}
	ok(f && fscanf(f, "%ld", &n) == 1 && lives((pid_t)n), "it has begun");
	if (f)
		(void)fclose(f);
	*inner = (pid_t)n;
	return p;
}

static void test_end(void)
{
	struct hxs_proc_left left = { .env = ours, .session = getsid(0) };
	pid_t inner, still = 0;
	struct hxs_proc *p = begin(&inner);
	uint64_t start;

	left.pid = hxs_proc_pid(p);
	is_int(hxs_proc_left_start(left.pid, &start), 0, "when it began");
	left.start = start + 1;
	is_int(hxs_proc_left_end(&left, &still), 0, "begun at another time");
	ok(lives(left.pid) && lives(inner), "it is another's, and goes on");
	left.start = start;
	is_int(hxs_proc_left_end(&left, &still), 0, "it is ended");
	ok(!lives(left.pid) && !lives(inner), "with its group");
	is_int(hxs_proc_left_end(&left, &still), 0, "and again");
	hxs_proc_free(p);
	is_int(hxs_proc_left_end(&left, &still), 0, "and when it has gone");
	is_int(hxs_proc_left_start(left.pid, &start), -ESRCH, "nothing to ask");
}

/* The one that was started has ended, and is not waited for yet, or is. */
static void test_rest(bool waited)
{
	struct hxs_proc_left left = { .env = ours, .session = getsid(0) };
	pid_t inner, still = 0;
	struct hxs_proc *p = begin(&inner);
	int ws;

	left.pid = hxs_proc_pid(p);
	is_int(hxs_proc_left_start(left.pid, &left.start), 0, "begun");
	(void)kill(left.pid, SIGKILL);
	while (lives(left.pid))
		(void)poll(NULL, 0, 1);
	if (waited)
		(void)waitpid(left.pid, &ws, 0);
	if (waited) {
		left.session++;
		is_int(hxs_proc_left_end(&left, &still), 0, "another's?");
		ok(lives(inner), "what is in another session goes on");
		left.session--;
	}
	is_int(hxs_proc_left_end(&left, &still), 0, "the rest is ended");
	ok(!lives(inner), "waited for: %s", waited ? "yes" : "no");
	hxs_proc_free(p);
}

/* What does not tell whose it is, and may be of it, is waited for. */
static void test_stranger(void)
{
	struct hxs_proc_left left = { .env = others, .session = getsid(0) };
	pid_t inner, ender, still = 0;
	struct hxs_proc *p = begin(&inner);
	int ws;

	left.pid = hxs_proc_pid(p);
	is_int(hxs_proc_left_start(left.pid, &left.start), 0, "begun");
	(void)kill(left.pid, SIGKILL);
	(void)waitpid(left.pid, &ws, 0);
	ender = fork();
	if (ender == 0) {
		(void)poll(NULL, 0, 200);
		_exit(kill(inner, SIGKILL) < 0);
	}
	is_int(hxs_proc_left_end(&left, &still), 0, "it may be of it");
	ok(!lives(inner), "and has ended");
	ok(waitpid(ender, &ws, 0) == ender && ws == 0, "by itself");
	hxs_proc_free(p);
}

/* One that starts a service in a session of its own, *@service. */
static struct hxs_proc *begin_service(pid_t *service)
{
	static const char script[] =
		"setsid sh -c 'echo $$ >own.new; mv own.new own; "
		"exec tail -f /dev/null' & wait";
	static const char *const argv[] = { "sh", "-c", script, NULL };
	const struct hxs_proc_opts opts = { .argv = argv, .env = given };
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_proc *p = NULL;
	long n = 0;
	FILE *f = NULL;
	int i;

	if (hxs_proc_start(&opts, false, &p, &err) < 0) {
		ok(false, "begun: %s", err.message);
		exit(1);
	}
	for (i = 0; i < 6000 && !f; i++) {
		f = fopen("own", "re");
		if (!f)
			(void)poll(NULL, 0, 10);
	}
	ok(f && fscanf(f, "%ld", &n) == 1 && n > 1, "a service has begun");
	if (f)
		(void)fclose(f);
	*service = (pid_t)n;
	return p;
}

/* Its number is not known, and there is a service that it started. */
static void test_service(void)
{
	struct hxs_proc_left left = { .env = ours, .session = getsid(0) };
	pid_t service, still = 0;
	struct hxs_proc *p;

	is_int(hxs_proc_left_start(0, &left.start), 0, "the time");
	p = begin_service(&service);
	is_int(hxs_proc_left_end(&left, &still), 0, "it is found");
	ok(!lives(hxs_proc_pid(p)), "and ended");
	ok(lives(service), "and its service is not");
	is_int(hxs_proc_left_end(&left, &still), 0, "nor when it has ended");
	ok(lives(service), "but goes on");
	if (service > 1)
		(void)kill(service, SIGKILL);
	hxs_proc_free(p);
}

/* Its number is not known. */
static void test_unknown(void)
{
	struct hxs_proc_left left = { .env = ours, .session = getsid(0) };
	pid_t inner, still = 0;
	struct hxs_proc *p;

	is_int(hxs_proc_left_start(0, &left.start), 0, "the time");
	p = begin(&inner);
	left.env = others;
	is_int(hxs_proc_left_end(&left, &still), 0, "not found");
	left.env = ours;
	left.start += 1000000;
	is_int(hxs_proc_left_end(&left, &still), 0, "begun before that");
	ok(lives(hxs_proc_pid(p)) && lives(inner), "goes on");
	left.start -= 1000000;
	is_int(hxs_proc_left_end(&left, &still), 0, "found");
	ok(!lives(hxs_proc_pid(p)) && !lives(inner), "and ended");
	hxs_proc_free(p);
}

static void test_self(void)
{
	struct hxs_proc_left left = { .env = ours,
				      .pid = getpgrp(),
				      .session = getsid(0) };
	pid_t still = 0;

	is_int(hxs_proc_left_start(left.pid, &left.start), 0, "our own group");
	is_int(hxs_proc_left_end(&left, &still), -HXS_EBUSY, "is not ended");
	ok(still > 0, "and said to go on");
}

static void test_place(void)
{
	char a[HXS_PROC_LEFT_PLACE], b[HXS_PROC_LEFT_PLACE];

	is_int(hxs_proc_left_place(a), 0, "where we are");
	is_int(hxs_proc_left_place(b), 0, "and again");
	is_str(a, b, "is the same");
	ok(strlen(a) > 40 && strstr(a, "/pid:[") && !strchr(a, ' ') &&
		   !strchr(a, '\n'),
	   "a word: %s", a);
}

int main(void)
{
	struct scratch here;

	scratch_open(&here);
	if (setpgid(0, 0) < 0)
		scratch_die("setpgid");
	test_end();
	test_rest(false);
	test_rest(true);
	test_stranger();
	test_unknown();
	test_service();
	test_self();
	test_place();
	scratch_close(&here);
	return tap_done();
}
