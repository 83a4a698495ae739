#include "verbs/restore_dir.h"

#include "base/io.h"
#include "source/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define TRIES 100 /* for a name that nobody has */

static int fail(const struct hxs_restore_dir *d, int r, const char *what,
		struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	(void)hxs_path_show(&shown, d->dir, strlen(d->dir));
	return hxs_err_errno(err, -r, "cannot %s '%s'", what,
			     hxs_buf_str(&shown));
}

/* ---- before ------------------------------------------------------------ */

static int check_apart(const struct hxs_restore_dir *d,
		       const struct hxs_store *s, struct hxs_err *err)
{
	HXS_AUTO_CAPTURE struct hxs_capture cap;
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	int r;

	hxs_capture_init(&cap);
	r = hxs_apart_note(&cap, s, err);
	if (r < 0)
		return r;
	r = hxs_apart_look(&cap, d->place, true);
	if (r < 0)
		return fail(d, r, "tell where it lies:", err);
	if (r == HXS_APART)
		return 0;
	(void)hxs_path_show(&shown, d->dir, strlen(d->dir));
	return hxs_err_set(err, HXS_EDENIED, "refused: '%s' lies in %s",
			   hxs_buf_str(&shown),
			   r == HXS_APART_MOUNT ? "a mount of backups"
						: "the store");
}

static int see_any(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	(void)snprintf(ctx, HXS_NAME_MAX + 1, "%s", name);
	return 1;
}

static int take_existing(struct hxs_restore_dir *d, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf inside = HXS_BUF_INIT;
	char found[HXS_NAME_MAX + 1];
	int r;

	r = hxs_io_list(d->place, see_any, found);
	if (r <= 0)
		return r < 0 ? fail(d, r, "list", err) : 0;
	(void)hxs_path_show(&shown, d->dir, strlen(d->dir));
	(void)hxs_path_show(&inside, found, strlen(found));
	r = hxs_err_set(err, ENOTEMPTY, "'%s' is not empty: it holds '%s'",
			hxs_buf_str(&shown), hxs_buf_str(&inside));
	hxs_err_hint(err, "name a directory that is empty or does not exist");
	return r;
}

static int take_missing(struct hxs_restore_dir *d, struct hxs_err *err)
{
	HXS_AUTO_FREE char *path = strdup(d->dir);
	const char *last;
	char *slash;
	size_t len;

	if (!path)
		return fail(d, -ENOMEM, "create", err);
	for (len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	slash = strrchr(path, '/');
	last = slash ? slash + 1 : path;
	if (hxs_path_name_fault(last, strlen(last)))
		return fail(d, -ENOENT, "create", err);
	(void)snprintf(d->name, sizeof(d->name), "%s", last);
	if (slash)
		slash[slash == path] = '\0';
	d->place = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->place < 0 ? fail(d, -errno, "create", err) : 0;
}

/* Make the hidden directory, under a name that nobody has. */
static int make_work(struct hxs_restore_dir *d)
{
	unsigned i;
	int r = -EEXIST;

	for (i = 0; i < TRIES && r == -EEXIST; i++) {
		(void)snprintf(d->work, sizeof(d->work),
			       ".hxsnap-restore-%ld-%u", (long)getpid(), i);
		r = mkdirat(d->place, d->work, 0700) < 0 ? -errno : 0;
	}
	if (r < 0) {
		d->work[0] = '\0';
		return r;
	}
	/* Neither the umask nor the directory above has a say. */
	if (fchmodat(d->place, d->work, 0700, 0) < 0)
		return -errno;
	d->fd = hxs_io_open_dir(d->place, d->work);
	return d->fd < 0 ? d->fd : 0;
}

int hxs_restore_dir_open(struct hxs_store *s, const char *dir,
			 struct hxs_restore_dir *d, struct hxs_err *err)
{
	int r;

	*d = (struct hxs_restore_dir)HXS_RESTORE_DIR_INIT;
	d->dir = dir;
	if (dir[0] == '\0')
		return hxs_err_set(err, HXS_EUSAGE,
				   "the name of a directory is empty");
	d->place = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->place < 0 && errno != ENOENT)
		return fail(d, -errno, "open", err);
	r = d->place >= 0 ? take_existing(d, err) : take_missing(d, err);
	if (r == 0)
		r = check_apart(d, s, err);
	if (r < 0)
		return r;
	r = make_work(d);
	return r < 0 ? fail(d, r, "write to", err) : 0;
}

/* ---- the end ----------------------------------------------------------- */

/* Without replacing anything, where that is to be had. */
static int rename_new(int from_dir, const char *from, int to_dir,
		      const char *to)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	return renameat(from_dir, from, to_dir, to) < 0 ? -errno : 0;
}

/*
 * Move @name out of the hidden directory. Whoever is not root must be allowed
 * to write to a directory that moves, since its ".." changes.
 */
static int move_out(const struct hxs_restore_dir *d, const char *name)
{
	struct stat st;
	int r;

	r = rename_new(d->fd, name, d->place, name);
	if (r != -EACCES || fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return r;
	if (fchmodat(d->fd, name, (st.st_mode & 07777) | S_IWUSR, 0) < 0)
		return -errno;
	r = rename_new(d->fd, name, d->place, name);
	if (r == 0 && fchmodat(d->place, name, st.st_mode & 07777, 0) < 0)
		r = -errno;
	return r;
}

static int see_name(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	struct hxs_names *names = ctx;
	char **grown;

	grown = reallocarray(names->name, names->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	names->name = grown;
	grown[names->count] = strdup(name);
	if (!grown[names->count])
		return -ENOMEM;
	names->count++;
	return 0;
}

/* Move all of it out, or nothing. */
static int move_all(const struct hxs_restore_dir *d)
{
	HXS_AUTO_NAMES struct hxs_names names = HXS_NAMES_INIT;
	size_t i;
	int r;

	r = hxs_io_list(d->fd, see_name, &names);
	for (i = 0; r == 0 && i < names.count; i++)
		r = move_out(d, names.name[i]);
	if (r == 0 && unlinkat(d->place, d->work, AT_REMOVEDIR) < 0)
		r = -errno;
	/* What went is removed there: the one that failed did not go. */
	for (; r < 0 && i > 0; i--)
		if (faccessat(d->fd, names.name[i - 1], F_OK,
			      AT_SYMLINK_NOFOLLOW) < 0)
			(void)hxs_io_remove_tree(d->place, names.name[i - 1]);
	return r;
}

int hxs_restore_dir_publish(struct hxs_restore_dir *d, struct hxs_err *err)
{
	int r;

	/* Reports what could not be written since d->fd was opened. */
	if (syncfs(d->fd) < 0)
		return fail(d, -errno, "make durable", err);
	if (d->name[0])
		r = rename_new(d->place, d->work, d->place, d->name);
	else
		r = move_all(d);
	if (r < 0)
		return fail(d, r, d->name[0] ? "create" : "fill", err);
	d->work[0] = '\0';
	d->published = true;
	if (fsync(d->place) < 0)
		return fail(d, -errno, "make durable", err);
	return 0;
}

int hxs_restore_dir_drop(struct hxs_restore_dir *d, int r, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	if (d->fd >= 0)
		(void)close(HXS_STEAL_FD(d->fd)); /* a directory */
	(void)hxs_path_show(&shown, d->dir, strlen(d->dir));
	if (d->work[0] && hxs_io_remove_tree(d->place, d->work) < 0)
		return hxs_err_suffix(err, r,
				      "'%s', in or beside '%s', could not be "
				      "removed",
				      d->work, hxs_buf_str(&shown));
	if (d->published)
		return r;
	return hxs_err_suffix(err, r, "nothing was written to '%s'",
			      hxs_buf_str(&shown));
}

void hxs_restore_dir_close(struct hxs_restore_dir *d)
{
	if (d->fd >= 0)
		(void)close(d->fd); /* a directory */
	if (d->place >= 0)
		(void)close(d->place); /* likewise */
	d->fd = d->place = -1;
}
