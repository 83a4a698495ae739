/* Removing snapshots, and what is left of those that never came to be. */
#include "store/staging.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/mountinfo.h"
#include "store/result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define NEW ".new-" /* under construction; as in staging.c */
#define OLD ".old-" /* and the id: being removed */

static bool begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static int open_area(struct hxs_store *s, enum hxs_kind kind, const char *env,
		     char path[HXS_REF_TEXT])
{
	(void)snprintf(path, HXS_REF_TEXT, "%s/%s", hxs_store_area(kind), env);
	return hxs_io_open_dir(hxs_store_fd(s), path);
}

/* ---- what is left over ------------------------------------------------- */

static int see_left(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	struct hxs_names *left = ctx;
	char **grown;

	if (!begins(name, NEW) && !begins(name, OLD))
		return 0;
	grown = reallocarray(left->name, left->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	left->name = grown;
	grown[left->count] = strdup(name);
	if (!grown[left->count])
		return -ENOMEM;
	left->count++;
	return 0;
}

/*
 * Remove @name in @area_fd. A snapshot that is being removed: what is known of
 * it goes first, as nothing would lead there any more.
 */
static int remove_left(struct hxs_store *s, enum hxs_kind kind, const char *env,
		       int area_fd, const char *name)
{
	const char *id = name + strlen(OLD);
	int r = 0;

	if (begins(name, OLD) && hxs_clock_is_id(id))
		r = hxs_result_forget(s, kind, env, id);
	return r < 0 ? r : hxs_io_remove_tree(area_fd, name);
}

static int sweep_area(struct hxs_store *s, enum hxs_kind kind, const char *env,
		      unsigned *removed, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names left = HXS_NAMES_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	char path[HXS_REF_TEXT];
	size_t i;
	int r;

	fd = open_area(s, kind, env, path);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open '%s/%s'",
				     hxs_store_path(s), path);
	/* First listed, then removed: a listing under change may skip. */
	r = hxs_io_list(fd, see_left, &left);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list '%s/%s'",
				     hxs_store_path(s), path);
	/*
	 * Whoever renamed a snapshot may have been killed before that was
	 * durable: what loses its files now must not get its name back.
	 */
	if (left.count && fsync(fd) < 0)
		return hxs_err_errno(err, errno, "cannot make '%s/%s' durable",
				     hxs_store_path(s), path);
	for (i = 0; i < left.count; i++) {
		r = remove_left(s, kind, env, fd, left.name[i]);
		if (r < 0)
			return hxs_err_errno(err, -r,
					     "cannot remove '%s/%s', left by a "
					     "%s that did not end",
					     path, left.name[i],
					     begins(left.name[i], OLD)
						     ? "prune"
						     : "create");
		(*removed)++;
	}
	return 0;
}

int hxs_staging_sweep(struct hxs_store *s, const char *env, unsigned *removed,
		      struct hxs_err *err)
{
	unsigned count = 0;
	int r;

	r = sweep_area(s, HXS_BACKUP, env, &count, err);
	if (r == 0)
		r = sweep_area(s, HXS_ROLLBACK, env, &count, err);
	if (removed)
		*removed = count;
	return r;
}

/* ---- a snapshot -------------------------------------------------------- */

struct below {
	const char *path;
	size_t len;
};

static int is_below(const struct hxs_mount *m, void *ctx)
{
	const struct below *b = ctx;

	return strncmp(m->where, b->path, b->len) == 0 &&
	       m->where[b->len] == '/';
}

/*
 * Whether something is mounted in directory @path of the store, which a
 * removal would stop at halfway: 1, 0, -errno.
 */
static int holds_mount(struct hxs_store *s, const char *path)
{
	HXS_AUTO_BUF struct hxs_buf full = HXS_BUF_INIT;
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	struct below below;
	size_t len;
	int r;

	fd = open(HXS_MOUNTINFO, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = hxs_io_read_all(fd, HXS_MOUNTINFO_MAX, &text, &len);
	if (r == 0)
		r = hxs_buf_printf(&full, "%s/%s", hxs_store_path(s), path);
	if (r < 0)
		return r;
	below.path = hxs_buf_str(&full);
	below.len = strlen(below.path);
	return hxs_mountinfo_each(text, len, is_below, &below);
}

/* Take it away from its readers: durable, or as it was before. */
static int hide(int area_fd, const char *id, const char *name, const char *ref,
		struct hxs_err *err)
{
	int e;

	if (renameat(area_fd, id, area_fd, name) < 0)
		return hxs_err_errno(err, errno, "cannot remove '%s'", ref);
	if (fsync(area_fd) == 0)
		return 0;
	e = errno;
	if (renameat(area_fd, name, area_fd, id) == 0)
		return hxs_err_errno(err, e, "cannot remove '%s'", ref);
	return hxs_err_errno(err, e,
			     "'%s' is gone, but perhaps not durably, and what "
			     "was in it could not be removed",
			     ref);
}

static int discard(struct hxs_store *s, enum hxs_kind kind, const char *env,
		   const char *id, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int area_fd = -1;
	char path[HXS_REF_TEXT], ref[HXS_REF_TEXT], name[sizeof(OLD) + 32];
	HXS_AUTO_BUF struct hxs_buf dir = HXS_BUF_INIT;
	int r;

	hxs_ref_format(kind, env, id, ref);
	(void)snprintf(name, sizeof(name), OLD "%s", id);
	area_fd = open_area(s, kind, env, path);
	if (area_fd < 0)
		return hxs_err_errno(err, -area_fd, "cannot open '%s/%s'",
				     hxs_store_path(s), path);
	r = hxs_buf_printf(&dir, "%s/%s", path, id);
	if (r == 0)
		r = holds_mount(s, hxs_buf_str(&dir));
	if (r > 0)
		return hxs_err_set(err, HXS_EBUSY,
				   "cannot remove '%s': something is mounted "
				   "in it",
				   ref);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot remove '%s'", ref);
	r = hide(area_fd, id, name, ref, err);
	if (r < 0)
		return r;
	r = remove_left(s, kind, env, area_fd, name);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "'%s' is gone, but not all that was in "
				     "it could be removed",
				     ref);
	return 0;
}

int hxs_staging_discard(struct hxs_store *s, enum hxs_kind kind,
			const char *env, const char *id, const char **left,
			struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	int r;

	r = hxs_store_open_dir(s, kind, env, id, &fd, err);
	if (r < 0)
		return r;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return hxs_err_errno(err, errno,
					     "cannot lock '%s/%s/%s'",
					     hxs_store_area(kind), env, id);
		*left = "an operation uses it";
		return 0;
	}
	/* Whoever marks it holds a lock on it, too: now nobody does. */
	if (hxs_result_is_pinned(s, kind, env, id)) {
		*left = "it was marked as kept meanwhile";
		return 0;
	}
	r = discard(s, kind, env, id, err);
	return r < 0 ? r : 1;
}
