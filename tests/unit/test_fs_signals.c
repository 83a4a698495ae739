/* Whether a thread that had a signal wants its answer still. */
#include "base/cleanup.h"
#include "fs/signals.h"
#include "tests/lib/tap.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(sig) (1ull << ((sig)-1))

static const struct {
	const char *label;
	unsigned long long own, shared, blocked, caught;
	bool want;
} cases[] = {
	{ "nothing", 0, 0, 0, 0, false },
	{ "an alarm that is handled", 0, BIT(SIGALRM), 0, BIT(SIGALRM), false },
	{ "an alarm that kills", 0, BIT(SIGALRM), 0, 0, true },
	{ "one that is blocked", 0, BIT(SIGALRM), BIT(SIGALRM), 0, false },
	{ "a thread's own", BIT(SIGURG), 0, 0, BIT(SIGURG), false },
	{ "SIGKILL", BIT(SIGKILL), 0, 0, ~BIT(SIGKILL), true },
	{ "SIGKILL and a handled one", BIT(SIGKILL), BIT(SIGALRM), 0,
	  BIT(SIGALRM), true },
	{ "SIGINT, handled", 0, BIT(SIGINT), 0, BIT(SIGINT), true },
	{ "SIGTERM, handled", 0, BIT(SIGTERM), 0, BIT(SIGTERM), true },
	{ "SIGTERM, blocked", 0, BIT(SIGTERM), BIT(SIGTERM), 0, false },
	{ "a stop", 0, BIT(SIGTSTP), 0, 0, false },
	{ "the last real-time one, handled", BIT(64), 0, 0, BIT(64), false },
	{ "the last real-time one", BIT(64), 0, 0, 0, true },
};

static void on_signal(int sig HXS_UNUSED)
{
}

static void test_self(void)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);
	sigset_t set, old;

	(void)signal(SIGTERM, on_signal);
	ok(!hxfs_signals_want_end(tid), "nothing for us");
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	(void)raise(SIGTERM);
	ok(!hxfs_signals_want_end(tid), "what is blocked waits");
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	ok(hxfs_signals_want_end(0), "a thread we do not see");
	ok(hxfs_signals_want_end(0x7ffffff0), "one that is no more");
}

int main(void)
{
	char text[512];
	size_t i, cut;
	int len = 0;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		len = snprintf(text, sizeof(text),
			       "Name:\tx SigPnd:\\nSigPnd: 1\nThreads:\t1\n"
			       "SigQ:\t0/1\nSigPnd:\t%016llx\n"
			       "ShdPnd:\t%016llx\nSigBlk:\t%016llx\n"
			       "SigIgn:\t%016llx\nSigCgt:\t%016llx\n",
			       cases[i].own, cases[i].shared, cases[i].blocked,
			       0ull, cases[i].caught);
		ok(hxfs_signals_in_status(text, (size_t)len) == cases[i].want,
		   "%s", cases[i].label);
	}
	for (cut = 0; cut + 18 < (size_t)len; cut++)
		if (!hxfs_signals_in_status(text, cut))
			break;
	is_int(cut, len - 18, "what is cut off tells nothing: it ends");
	test_self();
	return tap_done();
}
