/*
 * A line stands or it does not: it is written by one write under a lock, and
 * what a crash or a full disk left of one is a line that is no JSON. The
 * chain goes over such lines like over all others.
 */
#include "store/audit.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/json.h"
#include "format/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define DIR_NAME ".hxsnap"
#define LOG_NAME "audit.log" /* HXS_AUDIT_LOG without the directory */
#define CHUNK 65536
#define MESSAGE_MAX 4096
#define PATIENCE 10 /* seconds to wait for the lock */

/* ---- one line ------------------------------------------------------------- */

static void put_user(struct hxs_json_out *o, uid_t uid)
{
	struct passwd pw, *found = NULL;
	char room[4096];

	hxs_json_out_uint(o, "uid", uid);
	if (getpwuid_r(uid, &pw, room, sizeof(room), &found) == 0 && found)
		hxs_json_out_text(o, "user", found->pw_name);
	else
		hxs_json_out_null(o, "user");
}

static void put_host(struct hxs_json_out *o)
{
	char host[HOST_NAME_MAX + 1];

	if (gethostname(host, sizeof(host)) < 0)
		host[0] = '\0';
	host[sizeof(host) - 1] = '\0';
	hxs_json_out_text(o, "host", host[0] ? host : NULL);
}

/* Why it failed; what a connection string brought into it stays out. */
static void put_message(struct hxs_json_out *o, const char *message)
{
	char text[MESSAGE_MAX];

	if (!message) {
		hxs_json_out_null(o, "message");
		return;
	}
	if (hxs_config_has_password(message))
		message = "left out: it holds a password";
	(void)snprintf(text, sizeof(text), "%s", message);
	hxs_json_out_text(o, "message", text);
}

static int make_line(const struct hxs_audit *a,
		     const struct hxs_digest *previous, struct hxs_buf *out)
{
	char when[HXS_RFC3339_LEN + 1], hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_json_out o;
	struct timespec now;
	int r;

	hxs_clock_now(&now);
	r = hxs_clock_format_rfc3339(now.tv_sec, when);
	if (r < 0)
		return r;
	hxs_digest_to_hex(previous, hex);
	hxs_json_out_init(&o, out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "when", when);
	hxs_json_out_text(&o, "act", a->act);
	hxs_json_out_text(&o, "env", a->env);
	hxs_json_out_text(&o, "reference", a->reference);
	hxs_json_out_text(&o, "rollback_id", a->rollback_id);
	hxs_json_out_text(&o, "from", a->from);
	put_user(&o, a->uid);
	put_host(&o);
	if (a->pid > 0)
		hxs_json_out_int(&o, "pid", a->pid);
	else
		hxs_json_out_null(&o, "pid");
	hxs_json_out_bool(&o, "ok", a->status >= 0);
	hxs_json_out_int(&o, "status", hxs_err_to_exit(a->status));
	put_message(&o, a->message);
	hxs_json_out_double(&o, "seconds",
			    (double)(int64_t)(a->seconds * 1e6 + 0.5) / 1e6);
	hxs_json_out_string(&o, "previous", hex);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(out, '\n'); /* the status keeps failures */
	return hxs_buf_status(out);
}

/* ---- appending ------------------------------------------------------------ */

/* Whether @fd is still the file of that name: someone may have moved it. */
static bool is_named(int dirfd, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 &&
	       fstatat(dirfd, LOG_NAME, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * The log, made if it is missing. 0600: whoever can open it can hold its
 * lock. One that root makes belongs to whom the store belongs.
 */
static int open_log(int dirfd, struct stat *st)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct stat dir;

	fd = hxs_io_open_beneath(dirfd, LOG_NAME, O_RDWR | O_APPEND, 0);
	if (fd == -ENOENT) {
		fd = hxs_io_open_beneath(dirfd, LOG_NAME,
					 O_RDWR | O_APPEND | O_CREAT, 0600);
		if (fd >= 0 && geteuid() == 0 && fstat(dirfd, &dir) == 0 &&
		    fchown(fd, dir.st_uid, dir.st_gid) < 0)
			return -errno;
		if (fd >= 0 && fsync(dirfd) < 0)
			return -errno;
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	return HXS_STEAL_FD(fd);
}

/* Not waited for without end: its holder may be a stopped process. */
static int take_lock(int fd)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	double until = hxs_clock_ticks() + PATIENCE;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (hxs_clock_ticks() > until)
			return -HXS_EBUSY;
		(void)nanosleep(&pause, NULL); /* a signal only shortens it */
	}
	return 0;
}

static int open_locked(struct hxs_store *s, struct stat *st)
{
	HXS_AUTO_CLOSE int dirfd = -1;
	int tries, r;

	dirfd = hxs_store_make_dir(s, DIR_NAME, 0755, NULL);
	if (dirfd < 0)
		return dirfd;
	for (tries = 0; tries < 100; tries++) {
		HXS_AUTO_CLOSE int fd = open_log(dirfd, st);

		if (fd < 0)
			return fd;
		r = take_lock(fd);
		if (r < 0)
			return r;
		if (!is_named(dirfd, fd))
			continue;
		if (fstat(fd, st) < 0)
			return -errno;
		return HXS_STEAL_FD(fd);
	}
	return -HXS_EBUSY;
}

/* Where the last line of the @size bytes begins, which may lack its end. */
static int last_line(int fd, uint64_t size, uint64_t *begin)
{
	uint64_t end = size ? size - 1 : 0, from;
	char chunk[CHUNK];
	const char *nl;
	ssize_t n;

	for (; end; end = from) {
		from = end > CHUNK ? end - CHUNK : 0;
		n = hxs_io_pread_full(fd, chunk, (size_t)(end - from), from);
		if (n < 0)
			return (int)n;
		if ((uint64_t)n != end - from)
			return -EIO; /* it shrank under our lock */
		nl = memrchr(chunk, '\n', (size_t)n);
		if (nl) {
			*begin = from + (uint64_t)(nl - chunk) + 1;
			return 0;
		}
	}
	*begin = 0;
	return 0;
}

/* The digest of the last line; *@torn tells whether that has no end. */
static int digest_last(int fd, uint64_t size, struct hxs_hasher *h, bool *torn)
{
	char chunk[4096];
	uint64_t at;
	ssize_t n = 0;
	int r;

	*torn = false;
	r = last_line(fd, size, &at);
	if (r < 0)
		return r;
	hxs_hasher_init(h);
	for (; at < size; at += (uint64_t)n) {
		n = hxs_io_pread_full(fd, chunk, sizeof(chunk), at);
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		hxs_hasher_update(h, chunk, (size_t)n);
		*torn = chunk[n - 1] != '\n';
	}
	return 0;
}

/*
 * What the first line of a log follows: the last one of the log that was
 * moved aside before, if there is one; it ends as it is. Somebody who had
 * opened it by its old name may be writing to it still, under its lock.
 */
static int digest_moved(const struct hxs_store *s, struct hxs_digest *out)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_hasher h;
	struct stat st;
	bool torn;
	int r;

	memset(out, 0, sizeof(*out));
	fd = hxs_io_open_regular(hxs_store_fd(s), HXS_AUDIT_MOVED, &st);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = take_lock(fd);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return 0;
	r = digest_last(fd, (uint64_t)st.st_size, &h, &torn);
	if (r == 0)
		hxs_hasher_final(&h, out);
	return r;
}

/* What the next line of the locked log follows; ended even if *@torn. */
static int digest_before(const struct hxs_store *s, int fd, uint64_t size,
			 struct hxs_digest *out, bool *torn)
{
	struct hxs_hasher h;
	int r;

	*torn = false;
	if (size == 0)
		return digest_moved(s, out);
	r = digest_last(fd, size, &h, torn);
	if (r < 0)
		return r;
	if (*torn)
		hxs_hasher_update(&h, "\n", 1);
	hxs_hasher_final(&h, out);
	return 0;
}

/* One write. What a failed one left is taken away if that can be done. */
static int write_line(int fd, uint64_t size, const struct hxs_buf *line)
{
	ssize_t n;
	int e;

	do
		n = write(fd, line->data, line->len);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n == line->len)
		return fsync(fd) < 0 ? -errno : 0;
	e = n < 0 ? errno : ENOSPC;
	if (n > 0 && ftruncate(fd, (off_t)size) < 0)
		return -e; /* what stays is ended by the next line */
	return -e;
}

int hxs_audit_append(struct hxs_store *s, const struct hxs_audit *a,
		     struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf line = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_digest previous;
	struct stat st;
	bool torn;
	int r;

	fd = open_locked(s, &st);
	r = fd < 0 ? fd : 0;
	if (r == 0)
		r = digest_before(s, fd, (uint64_t)st.st_size, &previous,
				  &torn);
	if (r == 0 && torn)
		r = hxs_buf_putc(&line, '\n');
	if (r == 0)
		r = make_line(a, &previous, &line);
	if (r == 0)
		r = write_line(fd, (uint64_t)st.st_size, &line);
	if (r == -HXS_EBUSY)
		return hxs_err_set(err, HXS_EBUSY,
				   "cannot write to the audit log '%s/%s': "
				   "another process holds it",
				   hxs_store_path(s), HXS_AUDIT_LOG);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot write to the audit log '%s/%s'",
				     hxs_store_path(s), HXS_AUDIT_LOG);
	return 0;
}
