/*
 * Giving what is staged its own attributes, as far as this user and this
 * file system can have them. What they cannot have must not let anybody in
 * whom the original kept out: without its group a file has nothing for the
 * group that the others do not have, and without its ACL nothing for anybody
 * but the owner.
 */
#include "source/stage_parts.h"

#include "base/xattr.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#define CAPABILITY "security.capability"
#define ACL "system.posix_acl_access"
#define DEFAULT_ACL "system.posix_acl_default"

/* What could be had. */
struct had {
	bool owner, group, acl;
};

void hxs_stage_lose(struct hxs_stage_run *run, const struct hxs_node *node,
		    const char *what)
{
	(void)pthread_mutex_lock(&run->cap.lock);
	if (!run->lost.count++ || node->number < run->lost.entry) {
		run->lost.entry = node->number;
		run->lost.what = what;
	}
	(void)pthread_mutex_unlock(&run->cap.lock);
}

void hxs_stage_tell_lost(struct hxs_stage_run *run)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	const char *path = hxs_stage_show(run, run->lost.entry, &shown);

	if (run->lost.count == 1)
		hxs_capture_warn(&run->cap, "%s of '%s' could not be set here",
				 run->lost.what, path);
	else if (run->lost.count > 1)
		hxs_capture_warn(&run->cap,
				 "%" PRIu64 " attributes could not be set here,"
				 " the first: %s of '%s'",
				 run->lost.count, run->lost.what, path);
}

/* Whether @e says that this cannot be had here, and no more than that. */
static bool is_refused(int e)
{
	return e == EPERM || e == EINVAL || e == EOPNOTSUPP || e == ENOSYS;
}

int hxs_stage_disown(int fd)
{
	static const char *const names[] = { DEFAULT_ACL, ACL };
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(names); i++)
		if (fremovexattr(fd, names[i]) < 0 && errno != ENODATA &&
		    !is_refused(errno))
			return -errno;
	return 0;
}

/* ---- owner ------------------------------------------------------------- */

static int set_owner(struct hxs_stage_run *run, const struct hxs_node *node,
		     int fd, struct had *had)
{
	struct stat now;

	*had = (struct had){ true, true, true };
	if (fstat(fd, &now) < 0)
		return -errno;
	if (now.st_uid == node->uid && now.st_gid == node->gid)
		return 0;
	if (fchown(fd, node->uid, node->gid) == 0)
		return 0;
	if (!is_refused(errno))
		return -errno;
	had->owner = now.st_uid == node->uid;
	had->group = now.st_gid == node->gid ||
		     fchown(fd, (uid_t)-1, node->gid) == 0;
	hxs_stage_lose(run, node, had->owner ? "the group" : "the owner");
	return 0;
}

/* ---- extended attributes ----------------------------------------------- */

static bool is_named(const struct hxs_xattr *x, const char *name)
{
	return x->name_len == strlen(name) &&
	       memcmp(x->name, name, x->name_len) == 0;
}

/*
 * Whether @e means that an attribute is larger than this file system takes:
 * ENOSPC may also mean what it says.
 */
static bool is_too_large(int fd, int e)
{
	struct statvfs fs;

	if (e == E2BIG || e == ERANGE)
		return true;
	return e == ENOSPC && fstatvfs(fd, &fs) == 0 && fs.f_bavail > 0;
}

/* Set one of them: 1, 0 if it cannot be had, or -errno. */
static int set_xattr(int fd, const struct hxs_xattr *x, const void *blob,
		     size_t len, const struct had *had)
{
	unsigned skipped = 0;
	int r;

	/* They are about owner and group: not for another's. */
	if ((!had->group && is_named(x, ACL)) ||
	    (!had->owner && is_named(x, CAPABILITY)))
		return 0;
	r = hxs_xattr_write(fd, blob, len, &skipped);
	if (r < 0 && is_too_large(fd, -r))
		return 0;
	return r < 0 ? r : !skipped;
}

static int set_xattrs(struct hxs_stage_run *run, const struct hxs_node *node,
		      int fd, struct had *had)
{
	size_t pos = 0, before = 0;
	struct hxs_xattr x;
	int r;

	for (; hxs_xattr_next(node->xattrs, node->xattrs_len, &pos, &x) > 0;
	     before = pos) {
		r = set_xattr(fd, &x, (const char *)node->xattrs + before,
			      pos - before, had);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		hxs_stage_lose(run, node, "an extended attribute");
		if (is_named(&x, ACL))
			had->acl = false;
	}
	return 0;
}

/* ---- mode and times ---------------------------------------------------- */

static mode_t mode_for(const struct hxs_node *node, const struct had *had)
{
	mode_t mode = node->mode & 07777;

	if (!S_ISDIR(node->mode) && !(had->owner && had->group))
		mode &= (mode_t) ~(S_ISUID | S_ISGID);
	if (!had->group)
		mode &= (mode_t)~S_ISGID &
			(mode_t)(~0070u | ((mode & 0007u) << 3));
	if (!had->acl)
		mode &= (mode_t)~0077u;
	return mode;
}

static void get_times(const struct hxs_node *node, struct timespec times[2])
{
	times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	times[1] = node->mtime;
}

int hxs_stage_set(struct hxs_stage_run *run, const struct hxs_node *node,
		  int fd, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	struct timespec times[2];
	struct had had;
	int r;

	/* In this order: each step may undo what a later one sets. */
	r = set_owner(run, node, fd, &had);
	if (r == 0)
		r = set_xattrs(run, node, fd, &had);
	if (r == 0 && fchmod(fd, mode_for(node, &had)) < 0) {
		r = is_refused(errno) ? 0 : -errno;
		hxs_stage_lose(run, node, "the mode");
	}
	get_times(node, times);
	if (r == 0 && futimens(fd, times) < 0) {
		r = is_refused(errno) ? 0 : -errno;
		hxs_stage_lose(run, node, "the time");
	}
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot set the attributes of the copy "
				     "of '%s'",
				     hxs_stage_show(run, node->number, &shown));
	return 0;
}

/* ---- symbolic links ---------------------------------------------------- */

static int set_link_xattrs(struct hxs_stage_run *run,
			   const struct hxs_node *node, int dir,
			   const char *name)
{
	struct had had = { true, true, true };
	HXS_AUTO_CLOSE int fd = -1;

	if (!node->xattrs_len)
		return 0;
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : set_xattrs(run, node, fd, &had);
}

int hxs_stage_set_link(struct hxs_stage_run *run, const struct hxs_node *node,
		       int dir, const char *name, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	struct timespec times[2];
	struct stat now;
	int r = 0;

	if (fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r == 0 && (now.st_uid != node->uid || now.st_gid != node->gid) &&
	    fchownat(dir, name, node->uid, node->gid, AT_SYMLINK_NOFOLLOW) <
		    0) {
		r = is_refused(errno) ? 0 : -errno;
		hxs_stage_lose(run, node, "the owner");
	}
	if (r == 0)
		r = set_link_xattrs(run, node, dir, name);
	get_times(node, times);
	if (r == 0 && utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0) {
		r = is_refused(errno) ? 0 : -errno;
		hxs_stage_lose(run, node, "the time");
	}
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot set the attributes of the copy "
				     "of '%s'",
				     hxs_stage_show(run, node->number, &shown));
	return 0;
}

/* ---- for callers -------------------------------------------------------- */

int hxs_stage_attributes(struct hxs_stage *s, uint32_t entry, int fd,
			 struct hxs_err *err)
{
	struct hxs_stage_run run = {
		.s = s,
		.idx = hxs_snapshot_index(s->snap),
		.top = entry,
		.top_fd = -1,
	};
	struct hxs_node node;
	int r;

	hxs_capture_init(&run.cap);
	run.cap.ears = s->ears;
	run.cap.files = s->files;
	run.cap.bytes = s->bytes;
	hxs_index_get(run.idx, entry, &node);
	r = hxs_stage_set(&run, &node, fd, err);
	return hxs_stage_end(&run, r, err);
}
