/*
 * nthcall [-f WORD] [-lm] [-s K] [-x COMMAND] N kill|ERRNO PROGRAM [ARGUMENT]...
 *	Run PROGRAM and, at the N-th system call on files that it or any of its
 *	threads and children makes, kill it or let the call fail with ERRNO
 *	without being made; 0 is none of them. Counting begins when a path with
 *	WORD in it is opened; -m counts only calls that change something; -l
 *	tells of every call that counts. -s lets the K-th call that makes
 *	something durable (fsync, fdatasync, syncfs) succeed without being
 *	made. -x runs COMMAND, with sh, just before the kill, while the whole
 *	program stands still.
 *
 * The exit status is the program's (128 + signal), 200 if the N-th call never
 * came, 2 if tracing failed or COMMAND did. Standard error tells which calls
 * these were, and which file the first argument means.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEVER 200
#define THREADS_MAX 256

static const struct call {
	long nr;
	const char *name;
	bool changes;
	int path; /* which argument is a path, from 1; 0: none */
} calls[] = {
#define C(name, changes, path)                   \
	{                                        \
		SYS_##name, #name, changes, path \
	}
	C(openat, false, 2),	     C(openat2, false, 2),
	C(read, false, 0),	     C(pread64, false, 0),
	C(lseek, false, 0),	     C(getdents64, false, 0),
	C(newfstatat, false, 0),     C(fstat, false, 0),
	C(statx, false, 0),	     C(flistxattr, false, 0),
	C(readlinkat, false, 0),     C(flock, false, 0),
	C(faccessat2, false, 0),     C(fgetxattr, false, 0),
	C(close, false, 0),	     C(write, true, 0),
	C(pwrite64, true, 0),	     C(ftruncate, true, 0),
	C(mkdirat, true, 0),	     C(linkat, true, 0),
	C(symlinkat, true, 0),	     C(unlinkat, true, 0),
	C(renameat, true, 0),	     C(renameat2, true, 0),
	C(fchmod, true, 0),	     C(fchmodat, true, 0),
	C(fchown, true, 0),	     C(fchownat, true, 0),
	C(fsetxattr, true, 0),	     C(utimensat, true, 0),
	C(fremovexattr, true, 0),    C(fallocate, true, 0),
	C(copy_file_range, true, 0), C(fsync, true, 0),
	C(fdatasync, true, 0),	     C(syncfs, true, 0),
	C(ioctl, true, 0),
#ifdef SYS_open
	C(open, false, 1),	     C(mkdir, true, 0),
	C(readlink, false, 0),	     C(rename, true, 0),
	C(unlink, true, 0),
#endif
};

static struct thread {
	pid_t tid;
	bool inside; /* a call has begun and not ended */
	bool failing; /* this one is to end with @result */
	int result;
} threads[THREADS_MAX];

static const char *word;
static bool only_changes, tell_all;
static long wanted, seen;
static long left_out, syncs; /* the sync call not made; seen so far */
static const char *command;
static int errnum; /* 0: kill */
static bool counting = true;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static struct thread *thread_of(pid_t tid)
{
	struct thread *unused = NULL;
	size_t i;

	for (i = 0; i < THREADS_MAX; i++) {
		if (threads[i].tid == tid)
			return &threads[i];
		if (!threads[i].tid && !unused)
			unused = &threads[i];
	}
	if (!unused) {
		fputs("nthcall: too many threads\n", stderr);
		exit(2);
	}
	*unused = (struct thread){ .tid = tid };
	return unused;
}

static const struct call *find_call(long nr)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

static bool has_word(pid_t tid, uint64_t addr)
{
	char text[4096];
	struct iovec to = { text, sizeof(text) - 1 };
	struct iovec from = { (void *)(uintptr_t)addr, 0 };
	ssize_t n;

	/* What of it can be read: a page may end right behind it. */
	from.iov_len = 4096 - (addr & 4095);
	if (from.iov_len > to.iov_len)
		from.iov_len = to.iov_len;
	n = process_vm_readv(tid, &to, 1, &from, 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, word) != NULL;
}

/* Make the call that begins none at all. */
static void skip_call(pid_t tid)
{
#if defined(__x86_64__)
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		die("nthcall: registers");
	regs.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, tid, NULL, &regs) < 0)
		die("nthcall: registers");
#elif defined(__aarch64__)
	int none = -1;
	struct iovec iov = { &none, sizeof(none) };

	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL, &iov) < 0)
		die("nthcall: registers");
#else
#error "teach nthcall this processor"
#endif
}

/* Let the call that has ended return @result. */
static void set_result(pid_t tid, int result)
{
	struct user_regs_struct regs;
	struct iovec iov = { &regs, sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov) < 0)
		die("nthcall: registers");
#if defined(__x86_64__)
	regs.rax = (unsigned long long)(long long)result;
#else
	regs.regs[0] = (unsigned long long)(long long)result;
#endif
	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &iov) < 0)
		die("nthcall: registers");
}

/* Which file @fd is to @t. */
static void find_file(const struct thread *t, uint64_t fd, char file[PATH_MAX])
{
	char link[64];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%ld/fd/%d", (long)t->tid,
		       (int)fd);
	n = readlink(link, file, PATH_MAX - 1);
	file[n > 0 ? n : 0] = '\0';
}

/* "WHAT: fsync '/the/file'" to standard error; both directories of a rename. */
static void tell(const struct thread *t, const char *what, const struct call *c,
		 const uint64_t *args)
{
	char file[PATH_MAX], to[PATH_MAX];

	find_file(t, args[0], file);
	if (c->nr == SYS_renameat || c->nr == SYS_renameat2) {
		find_file(t, args[2], to);
		fprintf(stderr, "nthcall: %s: %s '%s' '%s'\n", what, c->name,
			file, to);
		return;
	}
	fprintf(stderr, "nthcall: %s: %s '%s'\n", what, c->name, file);
}

/* The call does nothing and ends with @result. */
static void replace_call(struct thread *t, int result)
{
	skip_call(t->tid);
	t->failing = true;
	t->result = result;
}

static bool is_sync(const struct call *c)
{
	return c->nr == SYS_fsync || c->nr == SYS_fdatasync ||
	       c->nr == SYS_syncfs;
}

static void end_it(pid_t child)
{
	int status = command ? system(command) : 0; /* NOLINT: a test's own */

	(void)kill(child, SIGKILL);
	if (status != 0) {
		fprintf(stderr, "nthcall: '%s' failed\n", command);
		exit(2);
	}
}

static void begins(struct thread *t, pid_t child)
{
	char number[64];
	struct __ptrace_syscall_info info;
	const struct call *c;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	c = find_call((long)info.entry.nr);
	if (!c)
		return;
	if (!counting) {
		counting = c->path &&
			   has_word(t->tid, info.entry.args[c->path - 1]);
		return;
	}
	if (only_changes && !c->changes &&
	    !(c->path == 2 && c->nr == SYS_openat &&
	      (info.entry.args[2] & O_CREAT)))
		return;
	seen++;
	(void)snprintf(number, sizeof(number), "%ld", seen);
	if (tell_all || seen == wanted)
		tell(t, number, c, info.entry.args);
	if (seen == wanted) {
		if (!errnum)
			end_it(child);
		else
			replace_call(t, -errnum);
	} else if (is_sync(c) && ++syncs == left_out) {
		(void)snprintf(number, sizeof(number), "left out %ld at %ld",
			       syncs, seen);
		tell(t, number, c, info.entry.args);
		replace_call(t, 0);
	}
}

static void resume(pid_t tid, int sig)
{
	/* It may be gone already: then its end is reported. */
	(void)ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(intptr_t)sig);
}

static void stopped(pid_t tid, int status, pid_t child)
{
	struct thread *t = thread_of(tid);
	int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		t->inside = !t->inside;
		if (t->inside) {
			begins(t, child);
		} else if (t->failing) {
			set_result(tid, t->result);
			t->failing = false;
		}
		sig = 0;
	} else if (status >> 16 || sig == SIGSTOP) {
		sig = 0; /* an event, or a new thread's first stop */
	}
	resume(tid, sig);
}

static int trace(pid_t child)
{
	int status, result = 2;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			stopped(tid, status, child);
			continue;
		}
		thread_of(tid)->tid = 0;
		if (tid != child)
			continue;
		result = WIFEXITED(status) ? WEXITSTATUS(status)
					   : 128 + WTERMSIG(status);
	}
	return result;
}

static int parse_errno(const char *name)
{
	int e;

	if (strcmp(name, "kill") == 0)
		return 0;
	for (e = 1; e < 256; e++) {
		const char *known = strerrorname_np(e);

		if (known && strcmp(known, name) == 0)
			return e;
	}
	fprintf(stderr, "nthcall: '%s' is no error\n", name);
	exit(2);
}

/* LeakSanitizer would trace the process itself, which only one can. */
static void no_leak_check(void)
{
	const char *old = getenv("ASAN_OPTIONS");
	char *options;

	if (asprintf(&options, "%s:detect_leaks=0", old ? old : "") < 0 ||
	    setenv("ASAN_OPTIONS", options, 1) < 0)
		_exit(2);
	free(options);
}

int main(int argc, char **argv)
{
	int opt, status, result;
	pid_t child;

	while ((opt = getopt(argc, argv, "+f:lms:x:")) != -1) {
		if (opt == 'f')
			word = optarg;
		else if (opt == 'l')
			tell_all = true;
		else if (opt == 'm')
			only_changes = true;
		else if (opt == 's')
			left_out = atol(optarg);
		else if (opt == 'x')
			command = optarg;
		else
			return 2;
	}
	if (argc - optind < 3)
		return 2;
	counting = !word;
	wanted = atol(argv[optind]);
	errnum = parse_errno(argv[optind + 1]);
	child = fork();
	if (child < 0)
		die("nthcall: fork");
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(2);
		(void)raise(SIGSTOP);
		no_leak_check();
		execvp(argv[optind + 2], argv + optind + 2);
		_exit(127);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		die("nthcall: wait");
	if (ptrace(PTRACE_SETOPTIONS, child, NULL,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
			   PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		die("nthcall: options");
	resume(child, 0);
	result = trace(child);
	return seen < wanted && result == 0 ? NEVER : result;
}
