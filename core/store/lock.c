#include "store/lock.h"

#include "base/io.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define LOCK_DIR ".hxsnap/locks"
#define TRIES 100

struct hxs_lock {
	int fd;
};

/*
 * Who holds it, as far as it wrote that down: "COMMAND PID". Believed no
 * further than a message goes; what does not look like that is not shown.
 */
static void tell_holder(int fd, const char *env, struct hxs_err *err)
{
	char text[64], what[33];
	ssize_t n = hxs_io_pread_full(fd, text, sizeof(text) - 1, 0);
	long pid;

	text[n > 0 ? n : 0] = '\0';
	if (n > 0 && sscanf(text, "%32[a-z-] %ld", what, &pid) == 2 && pid > 0)
		(void)hxs_err_set(err, HXS_EBUSY,
				  "environment '%s' is busy: '%s' is at work "
				  "(process %ld)",
				  env, what, pid);
	else
		(void)hxs_err_set(err, HXS_EBUSY,
				  "environment '%s' is busy: another operation "
				  "is at work",
				  env);
}

static void write_holder(int fd, const char *what)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s %ld\n", what, (long)getpid());

	/* For people only: the lock holds without it, a full disk and all. */
	if (n > 0 && (size_t)n < sizeof(text) && ftruncate(fd, 0) == 0)
		(void)hxs_io_pwrite_full(fd, text, (size_t)n, 0);
}

/* Whether @fd is still the file of that name: someone may have deleted it. */
static bool is_named(int dirfd, const char *name, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 &&
	       fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int open_lock_dir(struct hxs_store *s, const char *env,
			 struct hxs_err *err)
{
	int fd = hxs_store_make_dir(s, LOCK_DIR, 0755, NULL);

	if (fd < 0)
		return hxs_err_errno(err, -fd,
				     "cannot lock environment '%s' in '%s/%s'",
				     env, hxs_store_path(s), LOCK_DIR);
	return fd;
}

static int try_lock(int dirfd, const char *env, int *out, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct stat st;
	int r;

	/* 0600: whoever can open it can hold it. */
	fd = hxs_io_open_beneath(dirfd, env, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open lock '%s/%s'",
				     LOCK_DIR, env);
	if (fstat(fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at lock '%s/%s'",
				     LOCK_DIR, env);
	if (!S_ISREG(st.st_mode))
		return hxs_err_set(err, EINVAL,
				   "lock '%s/%s' is not a regular file",
				   LOCK_DIR, env);
	do
		r = flock(fd, LOCK_EX | LOCK_NB);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EWOULDBLOCK) {
		tell_holder(fd, env, err);
		return -HXS_EBUSY;
	}
	if (r < 0)
		return hxs_err_errno(err, errno, "cannot take lock '%s/%s'",
				     LOCK_DIR, env);
	if (!is_named(dirfd, env, fd))
		return 0;
	*out = HXS_STEAL_FD(fd);
	return 1;
}

static int take(struct hxs_store *s, const char *env, const char *file,
		const char *what, struct hxs_lock **out, struct hxs_err *err)
{
	HXS_AUTO(lock) struct hxs_lock *l = NULL;
	HXS_AUTO_CLOSE int dirfd = -1;
	int i, r;

	l = malloc(sizeof(*l));
	if (!l)
		return hxs_err_errno(err, ENOMEM,
				     "cannot lock environment '%s'", env);
	l->fd = -1;
	dirfd = open_lock_dir(s, env, err);
	if (dirfd < 0)
		return dirfd;
	for (i = 0, r = 0; r == 0 && i < TRIES; i++)
		r = try_lock(dirfd, file, &l->fd, err);
	if (r < 0)
		return r;
	if (r == 0)
		return hxs_err_set(err, HXS_EBUSY,
				   "lock '%s/%s' is deleted over and over",
				   LOCK_DIR, file);
	write_holder(l->fd, what);
	*out = HXS_STEAL(l);
	return 0;
}

static int check_env(const char *env, struct hxs_err *err)
{
	return hxs_path_is_name(env)
		       ? 0
		       : hxs_err_set(err, HXS_EUSAGE,
				     "'%s' is no name of an environment", env);
}

int hxs_lock_env(struct hxs_store *s, const char *env, const char *what,
		 struct hxs_lock **out, struct hxs_err *err)
{
	int r = check_env(env, err);

	return r < 0 ? r : take(s, env, env, what, out, err);
}

int hxs_lock_other(struct hxs_store *s, const char *env, const char *use,
		   struct hxs_lock **out, struct hxs_err *err)
{
	char file[HXS_ENV_MAX + 32];
	int r = check_env(env, err);

	/* No environment's name has a dot. */
	(void)snprintf(file, sizeof(file), "%s.%s", env, use);
	return r < 0 ? r : take(s, env, file, use, out, err);
}

void hxs_lock_release(struct hxs_lock *l)
{
	if (!l)
		return;
	if (l->fd >= 0) {
		if (ftruncate(l->fd, 0) < 0) {
			/* For people only: they see an old name for a while */
		}
		(void)close(l->fd); /* this is what releases it */
	}
	free(l);
}
