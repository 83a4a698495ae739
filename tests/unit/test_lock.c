#include "tests/lib/tap.h"
#include "tests/unit/scratch.h"

#include "store/lock.h"

#include <poll.h>

static struct scratch here;
static struct hxs_store *s;

/* A child that takes the lock, says so and waits; its pid. */
static pid_t hold(int *out)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_lock *l = NULL;
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		scratch_die("pipe");
	pid = fork();
	if (pid == 0) {
		char c = hxs_lock_env(s, "dev", "restore", &l, &err) == 0 ? 'y'
									  : 'n';

		if (write(fds[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(fds[1]);
	*out = fds[0];
	return pid;
}

static void test_held(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_lock *l = NULL;
	char c = 0, want[64];
	int fd, status;
	pid_t pid = hold(&fd);

	ok(read(fd, &c, 1) == 1 && c == 'y', "another process takes it");
	(void)close(fd);
	is_int(hxs_lock_env(s, "dev", "create", &l, &err), -HXS_EBUSY,
	       "then it is busy");
	(void)snprintf(want, sizeof(want), "'restore' is at work (process %ld)",
		       (long)pid);
	ok(strstr(err.message, want), "with whom: %s", err.message);
	is_int(hxs_lock_env(s, "live", "create", &l, &err), 0,
	       "another environment is free");
	hxs_lock_release(l);
	(void)kill(pid, SIGSTOP);
	is_int(hxs_lock_env(s, "dev", "create", &l, &err), -HXS_EBUSY,
	       "a stopped holder holds on");
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	is_int(hxs_lock_env(s, "dev", "create", &l, &err), 0,
	       "a dead one does not");
	ok(scratch_holds(here.fd, "s/.hxsnap/locks/dev", "") == false,
	   "the file says who holds it");
	hxs_lock_release(l);
	ok(scratch_holds(here.fd, "s/.hxsnap/locks/dev", ""),
	   "and nothing afterwards");
	hxs_lock_release(NULL);
}

static void test_content(void)
{
	static const char long_word[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
					"aaaaaaaaaaaaaaaaaaaaa 7\n";
	static const char *const texts[] = {
		"",	  "junk",	"\033[2J 7\n", "create -1\n",
		"create", "create x\n", "CREATE 7\n",  long_word,
	};
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_lock *held = NULL, *l = NULL;
	size_t i;

	is_int(hxs_lock_env(s, "dev", "create", &held, &err), 0, "held");
	is_int(hxs_lock_env(s, "dev", "create", &l, &err), -HXS_EBUSY,
	       "not twice by one process either");
	for (i = 0; i < HXS_ARRAY_LEN(texts); i++) {
		scratch_file(here.fd, "s/.hxsnap/locks/dev", texts[i]);
		is_int(hxs_lock_env(s, "dev", "create", &l, &err), -HXS_EBUSY,
		       "busy, whatever the file says (%zu)", i);
		is_str(err.message,
		       "environment 'dev' is busy: another operation is at "
		       "work",
		       "of which nothing is shown");
	}
	hxs_lock_release(held);
}

static void test_odd(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_lock *a = NULL, *b = NULL;
	struct stat st;

	(void)unlink("s/.hxsnap/locks/dev");
	is_int(hxs_lock_env(s, "dev", "create", &a, &err), 0, "made anew");
	ok(stat("s/.hxsnap/locks/dev", &st) == 0 &&
		   (st.st_mode & 07777) == 0600,
	   "for nobody else to open");
	hxs_lock_release(a);
	(void)unlink("s/.hxsnap/locks/dev");
	ok(symlink("/etc/passwd", "s/.hxsnap/locks/dev") == 0, "set up");
	is_int(hxs_lock_env(s, "dev", "create", &b, &err), -ELOOP,
	       "a link is not followed");
	(void)unlink("s/.hxsnap/locks/dev");
	ok(mkfifo("s/.hxsnap/locks/dev", 0600) == 0, "set up");
	is_int(hxs_lock_env(s, "dev", "create", &b, &err), -EINVAL,
	       "a FIFO neither blocks nor locks");
	(void)unlink("s/.hxsnap/locks/dev");
	is_int(hxs_lock_env(s, "../x", "create", &b, &err), -HXS_EUSAGE,
	       "a path is no environment");
}

int main(void)
{
	struct hxs_err err = HXS_ERR_INIT;

	scratch_open(&here);
	if (hxs_store_init("s", false, &err) < 0 ||
	    hxs_store_open("s", &s, &err) < 0)
		scratch_die(err.message);
	test_held();
	test_content();
	test_odd();
	hxs_store_close(s);
	scratch_close(&here);
	return tap_done();
}
