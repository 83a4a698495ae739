#include "fs/mountinfo.h"

#include "base/io.h"
#include "base/log.h"
#include "base/mountinfo.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define OUR_TYPE "fuse.hxsnapfs"

/* What a request is at most: one more and the kernel splits it. */
#define READ_AHEAD_KB "1024\n"

/* ---- reading mountinfo --------------------------------------------------- */

struct search {
	const char *path;
	struct hxfs_mounted *out;
	bool found;
};

static void read_options(char *options, struct hxfs_mounted *out)
{
	char *save = NULL, *word;

	out->uid = out->gid = 0;
	out->allow_other = false;
	for (word = strtok_r(options, ",", &save); word;
	     word = strtok_r(NULL, ",", &save)) {
		if (strcmp(word, "allow_other") == 0)
			out->allow_other = true;
		else if (sscanf(word, "user_id=%u", &out->uid) != 1)
			(void)sscanf(word, "group_id=%u", &out->gid);
	}
}

/* Later lines lie above earlier ones. */
static int see_mount(const struct hxs_mount *m, void *ctx)
{
	struct search *s = ctx;
	char options[sizeof(m->options)];

	if (strcmp(m->where, s->path) != 0)
		return 0;
	s->out->major = m->major;
	s->out->minor = m->minor;
	memcpy(s->out->type, m->type, sizeof(m->type));
	memcpy(s->out->source, m->source, sizeof(m->source));
	memcpy(options, m->options, sizeof(options));
	read_options(options, s->out);
	s->found = true;
	return 0;
}

bool hxfs_mountinfo_find(const char *text, size_t len, const char *path,
			 struct hxfs_mounted *out)
{
	struct search s = { .path = path, .out = out };

	(void)hxs_mountinfo_each(text, len, see_mount, &s); /* never stops */
	return s.found;
}

int hxfs_mountinfo_ask(const char *path, struct hxfs_mounted *out)
{
	HXS_AUTO_CLOSE int fd = -1;
	HXS_AUTO_FREE char *text = NULL;
	size_t len;
	int r;

	fd = open(HXS_MOUNTINFO, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = hxs_io_read_all(fd, HXS_MOUNTINFO_MAX, &text, &len);
	if (r < 0)
		return r;
	return hxfs_mountinfo_find(text, len, path, out);
}

/* ---- the mount point ----------------------------------------------------- */

/*
 * realpath(3) that also works when the last component is a dead mount, which
 * answers nothing: its parent is resolved and the name put behind.
 */
static int resolve(const char *path, char **out)
{
	HXS_AUTO_FREE char *copy = NULL;
	HXS_AUTO_FREE char *dir = NULL;
	char *slash, *name;
	size_t len;

	*out = realpath(path, NULL);
	if (*out)
		return 0;
	if (errno != ENOTCONN && errno != ECONNABORTED && errno != EIO)
		return -errno;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	len = strlen(copy);
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -ENOTCONN;
	if (slash && slash != copy)
		*slash = '\0';
	dir = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (!dir)
		return -errno;
	if (asprintf(out, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name) < 0)
		return -ENOMEM;
	return 0;
}

int hxfs_mountpoint_detach(const char *path)
{
	const char *argv[] = {
		"fusermount3", "-u", "-z", "-q", "--", path, NULL
	};
	struct hxs_proc_opts opts = { .argv = argv, .timeout_ms = 10000 };
	int r, status;

	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	/* An ordinary user: the set-uid helper knows whose mount it is. */
	r = hxs_proc_run(&opts, NULL, &status, NULL);
	if (r < 0)
		return r;
	return status == 0 ? 0 : -EPERM;
}

/* Ask what is mounted on @path as its owner would. Root may. */
static int statfs_as(const char *path, uid_t uid, gid_t gid)
{
	HXS_AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
	struct statfs sf;
	int status;
	pid_t pid;

	if (fd < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		/* There may be threads: nothing but system calls. */
		if (syscall(SYS_setresgid, gid, gid, gid) < 0 ||
		    syscall(SYS_setresuid, uid, uid, uid) < 0 ||
		    fstatfs(fd, &sf) < 0)
			_exit(errno);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/*
 * 0 if the daemon of @m on @path answers. A stat might be answered from
 * memory, a statfs only by the daemon; but to those whom the mount does not
 * let in, root among them, the kernel itself says that all is well.
 */
static int ask_daemon(const char *path, const struct hxfs_mounted *m)
{
	struct statfs sf;

	if (geteuid() == 0 && !m->allow_other && (m->uid || m->gid))
		return statfs_as(path, m->uid, m->gid);
	return statfs(path, &sf) < 0 ? -errno : 0;
}

/* 1 when what lies uppermost on @path is a dead mount of ours, else 0. */
static int is_dead(const char *path, struct hxs_err *err)
{
	struct hxfs_mounted m = { .major = 0 };
	int r;

	r = hxfs_mountinfo_ask(path, &m);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot read '%s'",
				     HXS_MOUNTINFO);
	if (r == 0 || strcmp(m.type, OUR_TYPE) != 0)
		return 0;
	if (geteuid() != 0 && geteuid() != m.uid && !m.allow_other)
		return hxs_err_set(err, HXS_EBUSY,
				   "'%s' is a mount of the user with id %u",
				   path, m.uid);
	r = ask_daemon(path, &m);
	if (r == 0 || r == -EACCES)
		return hxs_err_set(err, HXS_EBUSY,
				   "store '%s' is mounted on '%s' already",
				   m.source, path);
	if (r != -ENOTCONN && r != -ECONNABORTED)
		return hxs_err_errno(err, -r, "cannot look at '%s'", path);
	return 1;
}

/* Whether directory @st lies on the way from @path up to the root. */
static int is_above(const char *path, const struct stat *st)
{
	HXS_AUTO_CLOSE int at = -1;
	struct stat here, last = { 0 };
	int up;

	at = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (at >= 0) {
		if (fstat(at, &here) < 0)
			return -errno;
		if (here.st_dev == st->st_dev && here.st_ino == st->st_ino)
			return 1;
		if (here.st_dev == last.st_dev && here.st_ino == last.st_ino)
			return 0; /* the root is its own parent */
		last = here;
		up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		(void)close(at); /* only looked at */
		at = up;
	}
	return -errno;
}

/*
 * A mount inside the store would be served by a daemon that waits for itself;
 * one around it would hide the store.
 */
static int check_apart(const struct hxs_store *store, const char *path,
		       const struct stat *mp, struct hxs_err *err)
{
	struct stat st;
	int r;

	if (fstat(hxs_store_fd(store), &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at '%s'",
				     hxs_store_path(store));
	r = is_above(path, &st);
	if (r > 0)
		return hxs_err_set(err, HXS_EUSAGE,
				   "mount point '%s' lies inside the store",
				   path);
	if (r == 0) {
		r = is_above(hxs_store_path(store), mp);
		if (r > 0)
			return hxs_err_set(err, HXS_EUSAGE,
					   "store '%s' lies inside the mount "
					   "point",
					   hxs_store_path(store));
	}
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look above '%s'", path);
	return 0;
}

static int check_place(const struct hxs_store *store, const char *path,
		       struct hxs_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return hxs_err_set(err, HXS_EUSAGE,
				   "mount point '%s' is not a directory", path);
	return check_apart(store, path, &st, err);
}

int hxfs_mountpoint_check(const struct hxs_store *store, const char *path,
			  char **out, struct hxs_err *err)
{
	HXS_AUTO_FREE char *full = NULL;
	int r;

	r = resolve(path, &full);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot resolve mount point '%s'",
				     path);
	r = is_dead(full, err);
	if (r == 0)
		r = check_place(store, full, err);
	if (r < 0)
		return r;
	*out = HXS_STEAL(full);
	return 0;
}

int hxfs_mountpoint_clear(const struct hxs_store *store, const char *path,
			  struct hxs_err *err)
{
	int r, rounds;

	for (rounds = 0; rounds < 16; rounds++) {
		r = is_dead(path, err);
		if (r < 0)
			return r;
		if (r == 0)
			return check_place(store, path, err);
		r = hxfs_mountpoint_detach(path);
		if (r < 0)
			return hxs_err_errno(err, -r,
					     "cannot unmount the dead mount "
					     "on '%s'",
					     path);
		hxs_log_info("unmounted the dead mount on '%s'", path);
	}
	return hxs_err_set(err, HXS_EBUSY, "too many dead mounts on '%s'",
			   path);
}

void hxfs_mountpoint_tune(const char *path)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct hxfs_mounted m;
	char file[96];

	if (hxfs_mountinfo_ask(path, &m) != 1)
		return;
	(void)snprintf(file, sizeof(file), "/sys/class/bdi/%u:%u/read_ahead_kb",
		       m.major, m.minor);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	/* An ordinary user may not, and does without. */
	if (fd < 0 ||
	    hxs_io_write_full(fd, READ_AHEAD_KB, strlen(READ_AHEAD_KB)) < 0)
		hxs_log_debug("cannot set '%s'", file);
}
