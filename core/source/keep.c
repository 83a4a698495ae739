#include "source/keep.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/path.h"
#include "base/xattr.h"
#include "source/copy.h"
#include "source/sqlite.h"
#include "source/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A directory still to be seen. */
struct todo {
	char *path; /* below both tops */
	bool all; /* everything in it is left out */
};

struct keep {
	const struct hxs_config_source *src;
	const char *below; /* where in the source the tops are */
	int live, staged; /* the tops */
	struct todo *todo;
	size_t count, cap;
	uint64_t kept;
	/* the directory at hand */
	struct todo at;
	int from, to; /* to: -1 until it is needed */
	struct stat to_before;
	struct hxs_err *err;
};

static int fail(const struct keep *k, int r, const char *name)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	(void)hxs_path_show(&shown, k->at.path, strlen(k->at.path));
	(void)hxs_buf_puts(&shown, k->at.path[0] ? "/" : "");
	(void)hxs_path_show(&shown, name, strlen(name));
	return hxs_err_errno(k->err, -r,
			     "cannot keep '%s', which backups leave out",
			     hxs_buf_str(&shown));
}

static int add_todo(struct keep *k, const char *name, bool all)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	size_t cap = k->cap ? k->cap * 2 : 64;
	struct todo *grown;

	if (k->count == k->cap) {
		grown = reallocarray(k->todo, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		k->todo = grown;
		k->cap = cap;
	}
	if (hxs_buf_printf(&path, "%s%s%s", k->at.path,
			   k->at.path[0] ? "/" : "", name) < 0)
		return -ENOMEM;
	k->todo[k->count++] = (struct todo){ hxs_buf_steal(&path, NULL), all };
	return 0;
}

/* Give @fd, a directory of ours, all attributes of the live one @live. */
static int make_like(int fd, int live)
{
	HXS_AUTO_BUF struct hxs_buf x = HXS_BUF_INIT;
	struct hxs_tree_stat ts;
	struct stat st, now;
	int r;

	r = fstat(live, &st) < 0 ? -errno : hxs_xattr_read(live, &x);
	if (r < 0)
		return r;
	hxs_tree_from_stat(&ts, &st);
	r = hxs_copy_attributes(fd, &ts, x.data, x.len, NULL);
	if (r == 0 && fstat(fd, &now) < 0)
		r = -errno;
	/* That leaves set-id bits out. */
	if (r == 0 && now.st_uid == st.st_uid && now.st_gid == st.st_gid &&
	    fchmod(fd, st.st_mode & 07777) < 0)
		r = -errno;
	return r;
}

/* Make directory @path of the staged tree, like the live one. */
static int make_dir(struct keep *k, const char *path)
{
	HXS_AUTO_CLOSE int live = -1, fd = -1;
	int r;

	live = hxs_io_open_dir(k->live, path);
	if (live < 0)
		return live;
	r = hxs_io_mkdirs(k->staged, path, 0700);
	if (r < 0)
		return r;
	fd = hxs_io_open_dir(k->staged, path);
	return fd < 0 ? fd : make_like(fd, live);
}

/* Make the directory at hand, and those it is in, as far as is needed. */
static int make_dirs(struct keep *k)
{
	HXS_AUTO_FREE char *path = strdup(k->at.path);
	HXS_AUTO_CLOSE int fd = -1;
	char *p;
	int r;

	if (!path)
		return -ENOMEM;
	for (p = strchr(path, '/');; p = strchr(p + 1, '/')) {
		if (p)
			*p = '\0';
		fd = hxs_io_open_dir(k->staged, path);
		if (fd >= 0)
			(void)close(HXS_STEAL_FD(fd)); /* a directory */
		else if (fd != -ENOENT)
			return fd;
		else if ((r = make_dir(k, path)) < 0)
			return r;
		if (!p)
			return 0;
		*p = '/';
	}
}

static int open_to(struct keep *k)
{
	int r;

	if (k->to >= 0)
		return 0;
	if (k->staged < 0)
		return -ENOTDIR;
	k->to = hxs_io_open_dir(k->staged, k->at.path);
	if (k->to == -ENOENT) {
		r = make_dirs(k);
		if (r < 0)
			return r;
		k->to = hxs_io_open_dir(k->staged, k->at.path);
	}
	if (k->to < 0)
		return k->to;
	return fstat(k->to, &k->to_before) < 0 ? -errno : 0;
}

static bool is_special(mode_t mode)
{
	return S_ISSOCK(mode) || S_ISFIFO(mode) || S_ISCHR(mode) ||
	       S_ISBLK(mode);
}

static bool leaves_out(const struct keep *k, const char *name, mode_t mode)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	if (k->at.all || is_special(mode) ||
	    (!S_ISDIR(mode) && strncmp(name, ".env", 4) == 0))
		return true;
	if (k->src->exclude_count == 0)
		return false;
	(void)hxs_buf_printf(&path, "%s%s%s%s%s", k->below,
			     k->below[0] ? "/" : "", k->at.path,
			     k->at.path[0] ? "/" : "", name);
	return hxs_walk_excludes(k->src, hxs_buf_str(&path), name);
}

/* What may not be changed can neither be linked nor be done away with. */
static int check_free(const struct keep *k, const struct statx *x,
		      const char *name)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	if (!(x->stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)))
		return 0;
	(void)hxs_path_show(&shown, k->at.path, strlen(k->at.path));
	(void)hxs_buf_puts(&shown, k->at.path[0] ? "/" : "");
	(void)hxs_path_show(&shown, name, strlen(name));
	return hxs_err_set(k->err, HXS_EDENIED,
			   "refused: source '%s': '%s%s%s' is immutable or "
			   "append-only (chattr)",
			   k->src->name, k->below, k->below[0] ? "/" : "",
			   hxs_buf_str(&shown));
}

static int keep(struct keep *k, const char *name, mode_t mode)
{
	int r = open_to(k);

	if (r < 0)
		return r;
	if (hxs_sqlite_is_beside(k->to, name))
		return 0;
	if (linkat(k->from, name, k->to, name, 0) == 0) {
		k->kept++;
		return 0;
	}
	if (errno != EEXIST || is_special(mode))
		return errno == EEXIST ? 0 : -errno;
	if (unlinkat(k->to, name, 0) < 0 ||
	    linkat(k->from, name, k->to, name, 0) < 0)
		return -errno;
	k->kept++;
	return 0;
}

static int see(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	struct keep *k = ctx;
	struct statx x;
	bool out;
	int r;

	if (statx(k->from, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_TYPE, &x) < 0)
		return errno == ENOENT ? 0 : fail(k, -errno, name);
	r = check_free(k, &x, name);
	if (r < 0)
		return r;
	out = leaves_out(k, name, x.stx_mode);
	if (S_ISDIR(x.stx_mode)) {
		/* An empty directory that is left out is kept, too. */
		r = add_todo(k, name, out);
		return r < 0 ? fail(k, r, name) : 0;
	}
	if (!out)
		return 0;
	r = keep(k, name, x.stx_mode);
	return r < 0 ? fail(k, r, name) : 0;
}

static int see_dir(struct keep *k)
{
	const struct timespec *t = &k->to_before.st_atim;
	struct timespec times[2];
	int r;

	k->from = hxs_io_open_dir(k->live, k->at.path);
	if (k->from == -ENOENT)
		return 0;
	if (k->from < 0)
		return fail(k, k->from, "");
	r = hxs_io_list(k->from, see, k);
	if (r == 0 && k->at.all)
		r = open_to(k);
	if (r < 0 && k->err && !k->err->code)
		r = fail(k, r, "");
	if (k->to >= 0) {
		times[0] = *t;
		times[1] = k->to_before.st_mtim;
		(void)futimens(k->to, times); /* its owner's are ours to set */
		(void)close(HXS_STEAL_FD(k->to)); /* a directory */
	}
	(void)close(HXS_STEAL_FD(k->from)); /* a directory */
	return r;
}

int hxs_keep_left_out(const struct hxs_config_source *src, const char *below,
		      int live, int staged, uint64_t *kept, struct hxs_err *err)
{
	struct keep k = {
		.src = src,
		.below = below,
		.live = live,
		.staged = staged,
		.from = -1,
		.to = -1,
		.err = err,
	};
	int r;

	k.at.path = strdup("");
	r = k.at.path ? see_dir(&k) : -ENOMEM;
	while (r == 0 && k.count) {
		free(k.at.path);
		k.at = k.todo[--k.count];
		r = see_dir(&k);
	}
	free(k.at.path);
	while (k.count)
		free(k.todo[--k.count].path);
	free(k.todo);
	*kept += k.kept;
	if (r == -ENOMEM && err && !err->code)
		return hxs_err_errno(err, ENOMEM,
				     "cannot keep what backups "
				     "leave out");
	return r;
}

int hxs_keep_alone(const struct hxs_config_source *src, const char *below,
		   int live, int stage, const char *name, uint64_t *kept,
		   struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	int r;

	if (mkdirat(stage, name, 0700) < 0)
		return hxs_err_errno(err, errno, "cannot stage '%s'", below);
	fd = hxs_io_open_dir(stage, name);
	r = fd < 0 ? hxs_err_errno(err, -fd, "cannot stage '%s'", below)
		   : hxs_keep_left_out(src, below, live, fd, kept, err);
	/* Nothing was put in: then it goes again. */
	if (r < 0 || unlinkat(stage, name, AT_REMOVEDIR) == 0)
		return r;
	r = errno == ENOTEMPTY || errno == EEXIST ? make_like(fd, live)
						  : -errno;
	return r < 0 ? hxs_err_errno(err, -r, "cannot stage '%s'", below) : 0;
}
