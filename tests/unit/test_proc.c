#include "base/proc.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#define SH(script)                       \
	(const char *const[])            \
	{                                \
		"sh", "-c", script, NULL \
	}

static const struct {
	const char *label, *script;
	int status;
	const char *out;
} cases[] = {
	{ "output", "printf 'a b\\nc'", 0, "a b\nc" },
	{ "no output", ":", 0, "" },
	{ "a status", "exit 7", 7, "" },
	{ "output and a status", "echo x; exit 255", 255, "x\n" },
	{ "a signal", "kill -KILL $$", 128 + 9, "" },
	{ "no signal is blocked or ignored", "kill -TERM $$; echo alive",
	  128 + 15, "" },
	{ "nothing on standard input", "cat; echo $?", 0, "0\n" },
	{ "standard error is dropped", "echo x >&2", 0, "" },
	{ "no other descriptor",
	  "if test -e /proc/self/fd/50; then echo yes; fi", 0, "" },
	{ "output closed early", "exec >&-; exit 3", 3, "" },
	{ "no shell but its own", "echo \"$0\" '$(x)'", 0, "sh $(x)\n" },
};

static int run(const char *const *argv, unsigned timeout_ms, size_t max,
	       struct hxs_buf *out, int *status, struct hxs_err *err)
{
	struct hxs_proc_opts opts = {
		.argv = argv,
		.timeout_ms = timeout_ms,
		.max_output = max,
	};

	return hxs_proc_run(&opts, out, status, err);
}

static void test_cases(void)
{
	sigset_t set, old;
	size_t i;
	int fd;

	/* What a child must not inherit. */
	fd = open("/dev/null", O_RDONLY);
	if (dup2(fd, 50) != 50)
		ok(false, "descriptor 50");
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
		struct hxs_err err = HXS_ERR_INIT;
		int status = -1;

		(void)hxs_buf_puts(&out, "before ");
		is_int(run(SH(cases[i].script), 0, 100, &out, &status, &err), 0,
		       "%s: runs", cases[i].label);
		is_int(status, cases[i].status, "%s: status", cases[i].label);
		ok(strncmp(hxs_buf_str(&out), "before ", 7) == 0 &&
			   strcmp(hxs_buf_str(&out) + 7, cases[i].out) == 0,
		   "%s: output appended", cases[i].label);
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)close(50);
	(void)close(fd);
}

static void test_failures(void)
{
	static const char *const missing[] = { "hxs-no-such-program", NULL };
	static const char *const nox[] = { "/dev/null", NULL };
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_proc_opts opts = { .argv = SH("pwd"), .max_output = 100 };
	int status = 42;

	(void)hxs_buf_puts(&out, "kept");
	is_int(run(missing, 0, 100, &out, &status, &err), -ENOENT,
	       "no such program");
	is_str(err.message,
	       "cannot run 'hxs-no-such-program': No such file or directory",
	       "says so");
	is_int(run(nox, 0, 100, &out, &status, &err), -EACCES, "no program");
	is_int(run(SH("while :; do echo y; done"), 0, 1000, &out, &status,
		   &err),
	       -EFBIG, "too much output");
	is_str(err.message, "'sh' wrote more than 1000 bytes", "says so");
	is_int(run(SH("echo begun; while :; do :; done"), 50, 1000, &out,
		   &status, &err),
	       -ETIMEDOUT, "too long");
	is_str(err.message, "'sh' did not end within 50 ms", "says so");
	is_int(run(SH("trap '' TERM INT HUP; kill -STOP $$"), 50, 1000, &out,
		   &status, &err),
	       -ETIMEDOUT, "stopped, and deaf to signals");
	is_int(run(SH("exec >&-; while :; do :; done"), 50, 1000, &out, &status,
		   &err),
	       -ETIMEDOUT, "too long with its output closed");
	is_int(status, 42, "no status is written");
	is_str(hxs_buf_str(&out), "kept", "and no output");

	is_int(run(SH("printf 1234567890"), 0, 10, &out, &status, NULL), 0,
	       "just as much as allowed");
	is_str(hxs_buf_str(&out), "kept1234567890", "all of it");
	is_int(run(SH("echo dropped; exit 5"), 0, 0, NULL, &status, NULL), 0,
	       "no output wanted");
	is_int(status, 5, "its status");
	is_int(run(SH("sleep 1000"), 50, 0, NULL, &status, NULL), -ETIMEDOUT,
	       "too long, no output wanted");

	opts.cwd = "/";
	hxs_buf_truncate(&out, 0);
	is_int(hxs_proc_run(&opts, &out, &status, NULL), 0, "in a directory");
	is_str(hxs_buf_str(&out), "/\n", "it runs there");
	opts.cwd = "/hxs-no-such-directory";
	is_int(hxs_proc_run(&opts, &out, &status, NULL), -ENOENT,
	       "in a directory that is not there");
}

/*
 * Run a child that has a child, until @timeout_ms ends both. The grandchild
 * writes one byte to the FIFO @path and holds it: *@begun says that it came
 * so far, the result that it has gone.
 */
static bool end_group(const char *path, unsigned timeout_ms, bool *begun)
{
	struct pollfd p = { .events = POLLIN };
	char script[256], c;
	int status, keep;
	ssize_t n = -1;

	/* Opened for both, so that the child's opening does not wait. */
	keep = open(path, O_RDWR | O_CLOEXEC);
	p.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	(void)snprintf(script, sizeof(script),
		       "sh -c 'exec 9>%s; echo >&9; sleep 1000; :' & wait",
		       path);
	is_int(run(SH(script), timeout_ms, 0, NULL, &status, NULL), -ETIMEDOUT,
	       "a child with a child, %u ms", timeout_ms);
	(void)close(keep);
	*begun = false;
	while (poll(&p, 1, 10000) == 1 && (n = read(p.fd, &c, 1)) > 0)
		*begun = true;
	(void)close(p.fd);
	return n == 0;
}

/* What a child started is killed with it. */
static void test_group(void)
{
	char dir[] = "/tmp/hxs-unit-XXXXXX", path[64];
	unsigned timeout_ms = 100;
	bool begun = false, gone = true;

	if (!mkdtemp(dir)) {
		ok(false, "a directory");
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/fifo", dir);
	if (mkfifo(path, 0600) < 0)
		ok(false, "a FIFO");
	/* A busy machine may not come so far in the first time. */
	while (!begun && gone && timeout_ms < 60000) {
		gone = end_group(path, timeout_ms, &begun);
		timeout_ms *= 4;
	}
	ok(begun, "it came so far");
	ok(gone, "and nobody of the group is left");
	(void)unlink(path);
	(void)rmdir(dir);
}

/* A program left in the background on purpose goes on, and holds nobody up. */
static void test_background(void)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	int status = -1;
	long pid;

	is_int(run(SH("sleep 1000 & echo $!"), 60000, 100, &out, &status, NULL),
	       0, "ends though its output is held open");
	pid = strtol(hxs_buf_str(&out), NULL, 10);
	ok(pid > 1 && kill((pid_t)pid, 0) == 0, "what it started goes on");
	if (pid > 1)
		(void)kill((pid_t)pid, SIGKILL);
}

static atomic_int wrong;

static void *many(void *arg)
{
	char want[32], script[64];

	(void)snprintf(want, sizeof(want), "%d\n", *(int *)arg);
	(void)snprintf(script, sizeof(script), "echo %d; exit %d", *(int *)arg,
		       *(int *)arg);
	for (int i = 0; i < 25; i++) {
		HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
		int status = -1;

		if (run(SH(script), 60000, 100, &out, &status, NULL) < 0 ||
		    status != *(int *)arg ||
		    strcmp(hxs_buf_str(&out), want) != 0)
			atomic_fetch_add(&wrong, 1);
	}
	return NULL;
}

static void on_alarm(int sig HXS_UNUSED)
{
}

/* Several at once, while a timer interrupts them. */
static void test_threads(void)
{
	const struct itimerval often = { { 0, 2000 }, { 0, 2000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_handler = on_alarm }; /* no SA_RESTART */
	int ids[4], n = 0;
	pthread_t t[4];

	(void)sigaction(SIGALRM, &sa, NULL);
	(void)setitimer(ITIMER_REAL, &often, NULL);
	for (; n < 4; n++) {
		ids[n] = 10 + n;
		if (pthread_create(&t[n], NULL, many, &ids[n]) != 0)
			break;
	}
	for (int i = 0; i < n; i++)
		(void)pthread_join(t[i], NULL);
	(void)setitimer(ITIMER_REAL, &never, NULL);
	is_int(atomic_load(&wrong), 0, "%d threads at once, interrupted", n);
}

/* In a child of its own, since neither can be undone. */
static int in_child(int (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	(void)waitpid(pid, &status, 0);
	return status;
}

static int without_pidfd(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { HXS_ARRAY_LEN(code), code };
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	int status = -1;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return 77;
	if (run(SH("echo a; exec >&-; exit 3"), 60000, 100, &out, &status,
		NULL) < 0 ||
	    status != 3 || strcmp(hxs_buf_str(&out), "a\n") != 0)
		return 1;
	if (run(SH("while :; do :; done"), 50, 0, NULL, &status, NULL) !=
	    -ETIMEDOUT)
		return 2;
	return 0;
}

/* Who ignores SIGCHLD has no status to read, and is told so. */
static int without_status(void)
{
	int status = 42;

	(void)signal(SIGCHLD, SIG_IGN);
	return run(SH("exit 3"), 60000, 0, NULL, &status, NULL) == -ECHILD &&
			       status == 42
		       ? 0
		       : 1;
}

static void test_surroundings(void)
{
	int status = in_child(without_pidfd);

	if (status == 77 << 8)
		tap_skip("SECCOMP", "no system call filter here");
	else
		is_int(status, 0, "a kernel without pidfd_open");
	is_int(in_child(without_status), 0, "SIGCHLD ignored");
}

/* With the standard descriptors closed, none of ours takes their place. */
static void test_closed(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
		int r;

		(void)close(0);
		(void)close(1);
		(void)close(2);
		r = run(SH("cat; echo out; echo err >&2"), 60000, 100, &out,
			&status, NULL);
		_exit(r < 0			  ? 100
		      : status			  ? 101
		      : strcmp(out.data, "out\n") ? 102
						  : 0);
	}
	(void)waitpid(pid, &status, 0);
	is_int(status, 0, "without standard descriptors");
}

/* In two steps: what it writes before it is asked for is not lost. */
static void test_steps(void)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	const struct hxs_proc_opts quick = {
		.argv = SH("echo early; exit 3"),
		.timeout_ms = 60000,
		.max_output = 100,
	};
	const struct hxs_proc_opts slow = { .argv = SH("sleep 1000") };
	struct hxs_proc *p = NULL;
	siginfo_t info;
	int status = -1;

	is_int(hxs_proc_start(&quick, true, &p, NULL), 0, "started");
	is_int(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0,
	       "it ends before it is asked for");
	is_int(hxs_proc_finish(p, &out, &status, NULL), 0, "finished");
	ok(status == 3 && strcmp(hxs_buf_str(&out), "early\n") == 0,
	   "its status and output: %d, '%s'", status, hxs_buf_str(&out));
	hxs_proc_free(p);

	p = NULL;
	is_int(hxs_proc_start(&slow, false, &p, NULL), 0, "one that lasts");
	hxs_proc_free(p);
	ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD,
	   "is ended when nobody wants it any more");
	hxs_proc_free(NULL);
}

static const struct {
	const char *label, *script, *said;
} said_cases[] = {
	{ "a line", "echo why >&2; exit 3", "why" },
	{ "nothing", ":", "" },
	{ "the last line", "echo a >&2; echo b >&2", "b" },
	{ "one that is not ended", "echo a >&2; printf b >&2", "b" },
	{ "blank lines after it", "printf 'a b \\n\\n \\t\\n' >&2", "a b" },
	{ "blank lines alone", "printf '\\n\\n' >&2", "" },
	{ "whatever bytes", "printf 'a\\033[1m' >&2", "a\033[1m" },
	{ "much before it", "seq 100000 >&2; echo end >&2", "end" },
	{ "by another name", "echo x >/dev/stderr", "x" },
};

static void test_said(void)
{
	HXS_AUTO_BUF struct hxs_buf said = HXS_BUF_INIT;
	struct hxs_proc_opts opts = { .timeout_ms = 60000, .said = &said };
	int status = -1;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(said_cases); i++) {
		opts.argv = SH(said_cases[i].script);
		hxs_buf_truncate(&said, 0);
		is_int(hxs_proc_run(&opts, NULL, &status, NULL), 0, "%s: runs",
		       said_cases[i].label);
		is_str(hxs_buf_str(&said), said_cases[i].said, "%s",
		       said_cases[i].label);
	}
	opts.argv = SH("head -c 5000 /dev/zero | tr '\\0' x >&2");
	hxs_buf_truncate(&said, 0);
	is_int(hxs_proc_run(&opts, NULL, &status, NULL), 0, "a long line");
	is_int((int)said.len, 0, "of one word, whose beginning is lost");
	opts.argv = SH("seq -s ' ' 3000 >&2");
	is_int(hxs_proc_run(&opts, NULL, &status, NULL), 0, "one of many");
	ok(said.len > HXS_PROC_SAID - 10 && said.len < HXS_PROC_SAID &&
		   strncmp(hxs_buf_str(&said), " 21", 3) == 0,
	   "begins with a whole one (%zu bytes, '%.10s')", said.len,
	   hxs_buf_str(&said));
	opts.argv = SH("yes >&2");
	opts.timeout_ms = 1000;
	is_int(hxs_proc_run(&opts, NULL, &status, NULL), -ETIMEDOUT,
	       "a flood does not keep it from ending");
	opts.timeout_ms = 60000;
	opts.argv = SH("echo late >&2; while :; do :; done");
	opts.timeout_ms = 2000;
	hxs_buf_truncate(&said, 0);
	is_int(hxs_proc_run(&opts, NULL, &status, NULL), -ETIMEDOUT,
	       "too long");
	is_str(hxs_buf_str(&said), "late", "what it said until then");
}

/* Nobody reads any more: who is left neither dies of it nor waits. */
static void test_left_alone(void)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	char dir[] = "/tmp/hxs-unit-XXXXXX", script[512], path[64];
	HXS_AUTO_BUF struct hxs_buf said = HXS_BUF_INIT;
	struct hxs_proc_opts opts = { .timeout_ms = 60000, .said = &said };
	int status = -1, tries, fd;

	if (!mkdtemp(dir)) {
		ok(false, "a directory");
		return;
	}
	(void)snprintf(script, sizeof(script),
		       "(cd %s; until [ -e gone ]; do sleep 0.01; done; "
		       "echo x >&2; head -c 300000 /dev/zero >&2; : >done) &",
		       dir);
	opts.argv = SH(script);
	is_int(hxs_proc_run(&opts, NULL, &status, NULL), 0, "one is left");
	(void)snprintf(path, sizeof(path), "%s/gone", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)close(fd);
	(void)snprintf(script, sizeof(script), "%s/done", dir);
	for (tries = 0; tries < 3000 && access(script, F_OK) < 0; tries++)
		(void)nanosleep(&pause, NULL);
	is_int(access(script, F_OK), 0, "and has gone on to its end");
	(void)unlink(script);
	(void)unlink(path);
	(void)rmdir(dir);
}

static void test_env(void)
{
	static const char *const env[] = { "A=1", "B=two words", NULL };
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	const struct hxs_proc_opts opts = {
		.argv = SH("echo \"$A $B ${HOME-none}\""),
		.env = env,
		.max_output = 100,
	};
	int status = -1;

	(void)setenv("HOME", "/x", 1);
	is_int(hxs_proc_run(&opts, &out, &status, NULL), 0, "surroundings");
	is_str(hxs_buf_str(&out), "1 two words none\n", "those and no others");
}

static bool after_some(void *ctx)
{
	return ++*(int *)ctx > 3;
}

static void test_stop(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	int asked = 0, status = 42;
	const struct hxs_proc_opts opts = {
		.argv = SH("trap '' TERM; while :; do sleep 1000; done"),
		.stop = after_some,
		.stop_ctx = &asked,
	};

	is_int(hxs_proc_run(&opts, NULL, &status, &err), -ECANCELED,
	       "cancelled");
	is_str(err.message, "'sh' was cancelled", "says so");
	is_int(asked, 4, "asked until then");
	is_int(status, 42, "no status");
}

/* A file without a name that holds @text, read from its beginning. */
static int file_of(const char *text)
{
	FILE *f = tmpfile();
	int fd = f ? dup(fileno(f)) : -1;

	if (fd < 0 || write(fd, text, strlen(text)) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		ok(false, "a file");
	if (f)
		(void)fclose(f);
	return fd;
}

static const char *text_of(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

static const struct {
	const char *label, *script;
	int status;
	const char *out;
} fd_cases[] = {
	{ "all", "cat", 0, "one\ntwo\n" },
	{ "a line of it", "read x; echo \"<$x>\"", 0, "<one>\n" },
	{ "none of it", "exec <&-; echo x", 0, "x\n" },
	{ "a status all the same", "exec <&-; cat; exit 7", 7, "" },
	{ "no output", "cat >/dev/null", 0, "" },
	{ "output closed early", "exec >&-; exit 3", 3, "" },
};

static void test_files(void)
{
	int in, out;
	struct hxs_proc_opts opts = { .timeout_ms = 60000 };
	char buf[100];
	size_t i;
	int status;

	for (i = 0; i < HXS_ARRAY_LEN(fd_cases); i++) {
		in = file_of("one\ntwo\n");
		out = file_of("");
		opts.argv = SH(fd_cases[i].script);
		opts.in_fd = in;
		opts.out_fd = out;
		status = -1;
		is_int(hxs_proc_run(&opts, NULL, &status, NULL), 0,
		       "from a file, %s: runs", fd_cases[i].label);
		is_int(status, fd_cases[i].status, "%s: status",
		       fd_cases[i].label);
		is_str(text_of(out, buf, sizeof(buf)), fd_cases[i].out,
		       "%s: into a file", fd_cases[i].label);
		(void)close(in);
		(void)close(out);
	}
}

/* More than any pipe holds, and a disk that is full. */
static void test_large_output(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	int out = file_of(""), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct hxs_proc_opts opts = {
		.argv = SH("head -c 9000000 /dev/zero"),
		.timeout_ms = 60000,
		.out_fd = out,
	};
	struct stat st = { .st_size = 0 };
	int status = -1;

	is_int(hxs_proc_run(&opts, NULL, &status, NULL), 0, "9 MB");
	is_int(fstat(out, &st), 0, "a file");
	is_int(st.st_size, 9000000, "of 9 MB");
	opts.out_fd = full;
	is_int(hxs_proc_run(&opts, NULL, &status, &err), -ENOSPC,
	       "onto a full disk");
	is_str(err.message,
	       "cannot keep what 'sh' writes: No space left on device",
	       "says so");
	opts.argv = SH("yes");
	opts.out_fd = out;
	opts.timeout_ms = 100;
	is_int(hxs_proc_run(&opts, NULL, &status, NULL), -ETIMEDOUT,
	       "a flood does not keep it from ending");
	(void)close(out);
	(void)close(full);
}

/* What is left in the background writes nowhere. */
static void test_late_output(void)
{
	char go[] = "/tmp/hxs-unit-XXXXXX", script[256], buf[100];
	const struct timespec pause = { .tv_nsec = 10000000 };
	int out = file_of(""), fd = mkstemp(go), status = -1, tries;
	struct hxs_proc_opts opts = { .timeout_ms = 60000, .out_fd = out };

	(void)snprintf(script, sizeof(script),
		       "(trap '' PIPE; while [ -e %s ]; do sleep 0.01; done; "
		       "echo late; : >%s) & echo early",
		       go, go);
	opts.argv = SH(script);
	is_int(hxs_proc_run(&opts, NULL, &status, NULL), 0, "one is left");
	is_str(text_of(out, buf, sizeof(buf)), "early\n", "what was written");
	(void)unlink(go);
	for (tries = 0; tries < 3000 && access(go, F_OK) < 0; tries++)
		(void)nanosleep(&pause, NULL);
	is_int(access(go, F_OK), 0, "it has gone on");
	is_str(text_of(out, buf, sizeof(buf)), "early\n", "to no effect");
	(void)unlink(go);
	(void)close(fd);
	(void)close(out);
}

int main(void)
{
	/* One that holds a directory nobody may look into answers EACCES. */
	(void)setenv("PATH", "/usr/bin:/bin", 1);
	test_cases();
	test_failures();
	test_group();
	test_background();
	test_threads();
	test_steps();
	test_said();
	test_left_alone();
	test_env();
	test_stop();
	test_files();
	test_large_output();
	test_late_output();
	test_closed();
	test_surroundings();
	ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "no zombie");
	return tap_done();
}
