#include "store/store.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/path.h"
#include "store/result.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define STATE_DIR ".hxsnap"

struct hxs_store {
	int fd;
	char *path;
};

static const char *const parts[] = { "backups", "rollbacks", STATE_DIR };

const char *hxs_store_area(enum hxs_kind kind)
{
	return kind == HXS_ROLLBACK ? "rollbacks" : "backups";
}

int hxs_store_fd(const struct hxs_store *s)
{
	return s->fd;
}

const char *hxs_store_path(const struct hxs_store *s)
{
	return s->path;
}

/* ---- opening and making ------------------------------------------------ */

static int any_entry(const char *name, unsigned char type HXS_UNUSED,
		     void *ctx HXS_UNUSED)
{
	return strcmp(name, "lost+found") != 0;
}

/*
 * How many of a store's parts directory @fd has. What everybody may write to
 * proves nothing about what it holds, so it is refused: -HXS_EDENIED.
 */
static int count_parts(int fd, const char *path, struct hxs_err *err)
{
	struct stat st;
	int found = 0;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(parts); i++) {
		if (fstatat(fd, parts[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return hxs_err_errno(err, errno,
					     "cannot look at '%s/%s'", path,
					     parts[i]);
		}
		if (!S_ISDIR(st.st_mode))
			return hxs_err_set(err, HXS_EUSAGE,
					   "'%s' is not a store: its '%s' is "
					   "not a directory",
					   path, parts[i]);
		if (st.st_mode & S_IWOTH) {
			(void)hxs_err_set(err, HXS_EDENIED,
					  "'%s/%s' is writable by everybody",
					  path, parts[i]);
			hxs_err_hint(err, "run 'chmod o-w %s/%s'", path,
				     parts[i]);
			return -HXS_EDENIED;
		}
		found++;
	}
	return found;
}

/* The same for the store's own directory; a sticky one protects its names. */
static int check_root(int fd, const char *path, struct hxs_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at '%s'", path);
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)) {
		(void)hxs_err_set(err, HXS_EDENIED,
				  "store '%s' is writable by everybody", path);
		hxs_err_hint(err, "run 'chmod o-w %s'", path);
		return -HXS_EDENIED;
	}
	return 0;
}

static int not_a_store(int fd, const char *path, struct hxs_err *err)
{
	int r = hxs_io_list(fd, any_entry, NULL);

	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list '%s'", path);
	if (r == 0) {
		(void)hxs_err_set(err, HXS_EUSAGE,
				  "'%s' is not a store: it is empty; is its "
				  "file system mounted?",
				  path);
		hxs_err_hint(err,
			     "to make a new store there, run 'hxsnap init'");
		return -HXS_EUSAGE;
	}
	return hxs_err_set(err, HXS_EUSAGE,
			   "'%s' is not a store: it holds no 'backups', "
			   "'rollbacks' or '.hxsnap'",
			   path);
}

static int open_root(const char *path, struct hxs_err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT) {
		(void)hxs_err_set(err, HXS_ENOSUCH, "there is no store at '%s'",
				  path);
		hxs_err_hint(err, "to make a new store, run 'hxsnap init'");
		return -HXS_ENOSUCH;
	}
	if (errno == ENOTDIR)
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is not a store: it is not a directory",
				   path);
	return hxs_err_errno(err, errno, "cannot open store '%s'", path);
}

int hxs_store_open(const char *path, struct hxs_store **out,
		   struct hxs_err *err)
{
	HXS_AUTO(store) struct hxs_store *s = NULL;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return hxs_err_errno(err, ENOMEM, "cannot open store '%s'",
				     path);
	s->fd = open_root(path, err);
	if (s->fd < 0)
		return s->fd;
	s->path = realpath(path, NULL);
	if (!s->path)
		return hxs_err_errno(err, errno, "cannot resolve '%s'", path);
	r = count_parts(s->fd, s->path, err);
	if (r == 0)
		return not_a_store(s->fd, path, err);
	if (r > 0)
		r = check_root(s->fd, s->path, err);
	if (r < 0)
		return r;
	*out = HXS_STEAL(s);
	return 0;
}

void hxs_store_close(struct hxs_store *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		(void)close(s->fd); /* only read */
	free(s->path);
	free(s);
}

/* One directory of @mode below @at, whatever the umask: an fd or -errno. */
static int make_one(int at, const char *name, mode_t mode, bool *made)
{
	*made = mkdirat(at, name, mode) == 0;
	if (!*made && errno != EEXIST) {
		int e = errno, fd = hxs_io_open_dir(at, name);

		/* A read-only file system may say so before EEXIST. */
		return fd >= 0 ? fd : -e;
	}
	/* Durable, or what is acknowledged below it could vanish with it. */
	if (*made && (fchmodat(at, name, mode, 0) < 0 || fsync(at) < 0))
		return -errno;
	return hxs_io_open_dir(at, name);
}

int hxs_store_make_dir(struct hxs_store *s, const char *path, mode_t mode,
		       bool *made)
{
	HXS_AUTO_CLOSE int at = -1;
	char name[HXS_NAME_MAX + 1];
	bool fresh = false;
	size_t n;
	int fd;

	for (;;) {
		n = strcspn(path, "/");
		if (n == 0 || n > HXS_NAME_MAX)
			return -EINVAL;
		memcpy(name, path, n);
		name[n] = '\0';
		fd = make_one(at >= 0 ? at : s->fd, name, mode, &fresh);
		if (fd < 0)
			return fd;
		if (at >= 0)
			(void)close(at); /* only read */
		at = fd;
		if (path[n] == '\0')
			break;
		path += n + 1;
	}
	if (made)
		*made = fresh;
	return HXS_STEAL_FD(at);
}

int hxs_store_init(const char *path, bool in_use, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	bool made;
	size_t i;
	int r;

	if (mkdir(path, 0755) == 0) {
		if (chmod(path, 0755) < 0)
			return hxs_err_errno(err, errno,
					     "cannot set the mode of '%s'",
					     path);
	} else if (errno != EEXIST && errno != EROFS) {
		return hxs_err_errno(err, errno, "cannot create '%s'", path);
	}
	fd = open_root(path, err);
	if (fd < 0)
		return fd;
	r = count_parts(fd, path, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = in_use ? 0 : hxs_io_list(fd, any_entry, NULL);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list '%s'", path);
	if (r > 0)
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is not empty; no store was made of it",
				   path);
	/* backups last: it is what makes it a store in everybody's eyes. */
	for (i = HXS_ARRAY_LEN(parts); i-- > 0;) {
		HXS_AUTO_CLOSE int part = -1;

		if (strcmp(parts[i], "rollbacks") == 0)
			continue; /* made when the first one is */
		part = make_one(fd, parts[i], 0755, &made);
		if (part < 0)
			return hxs_err_errno(err, -part,
					     "cannot create '%s/%s'", path,
					     parts[i]);
	}
	if (fsync(fd) < 0)
		return hxs_err_errno(err, errno, "cannot make '%s' durable",
				     path);
	return 0;
}

/* ---- listing ----------------------------------------------------------- */

void hxs_names_release(struct hxs_names *n)
{
	size_t i;

	for (i = 0; i < n->count; i++)
		free(n->name[i]);
	free(n->name);
	n->name = NULL;
	n->count = 0;
}

struct collect {
	int dirfd;
	struct hxs_names names;
	bool (*wanted)(const char *name);
};

static int collect_name(const char *name, unsigned char type, void *ctx)
{
	struct collect *c = ctx;
	struct stat st;
	char **grown;
	char *copy;

	if (!c->wanted(name))
		return 0;
	if (type == DT_UNKNOWN &&
	    fstatat(c->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		type = DT_DIR;
	if (type != DT_DIR)
		return 0;
	if ((c->names.count & (c->names.count - 1)) == 0) {
		size_t cap = c->names.count ? c->names.count * 2 : 16;

		grown = reallocarray(c->names.name, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		c->names.name = grown;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	c->names.name[c->names.count++] = copy;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Add @path's wanted directories to @c; no such directory has none. */
static int collect(const struct hxs_store *s, const char *path,
		   struct collect *c, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	int r;

	fd = hxs_io_open_dir(s->fd, path);
	/* A link or a file in its place is nobody's environment. */
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open '%s/%s'", s->path,
				     path);
	c->dirfd = fd;
	r = hxs_io_list(fd, collect_name, c);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list '%s/%s'", s->path,
				     path);
	return 0;
}

int hxs_store_envs(const struct hxs_store *s, struct hxs_names *out,
		   struct hxs_err *err)
{
	struct collect c = { .wanted = hxs_path_is_name };
	size_t i, kept = 0;
	int r;

	r = collect(s, hxs_store_area(HXS_BACKUP), &c, err);
	if (r == 0)
		r = collect(s, hxs_store_area(HXS_ROLLBACK), &c, err);
	if (r < 0) {
		hxs_names_release(&c.names);
		return r;
	}
	if (c.names.count)
		qsort(c.names.name, c.names.count, sizeof(char *),
		      compare_names);
	for (i = 0; i < c.names.count; i++) {
		if (kept &&
		    strcmp(c.names.name[kept - 1], c.names.name[i]) == 0)
			free(c.names.name[i]); /* in both areas */
		else
			c.names.name[kept++] = c.names.name[i];
	}
	c.names.count = kept;
	*out = c.names;
	return 0;
}

/* "backups/dev" or "backups/dev/20260205T152900Z". */
#define AREA_PATH_MAX 128
static void area_path(enum hxs_kind kind, const char *env, const char *id,
		      char out[AREA_PATH_MAX])
{
	(void)snprintf(out, AREA_PATH_MAX, "%s/%s%s%s", hxs_store_area(kind),
		       env, id ? "/" : "", id ? id : "");
}

int hxs_store_ids(const struct hxs_store *s, enum hxs_kind kind,
		  const char *env, struct hxs_names *out, struct hxs_err *err)
{
	struct collect c = { .wanted = hxs_clock_is_id };
	char path[AREA_PATH_MAX];
	int r;

	if (hxs_path_is_name(env)) {
		area_path(kind, env, NULL, path);
		r = collect(s, path, &c, err);
		if (r < 0) {
			hxs_names_release(&c.names);
			return r;
		}
	}
	if (c.names.count)
		qsort(c.names.name, c.names.count, sizeof(char *),
		      compare_names);
	*out = c.names;
	return 0;
}

int hxs_store_open_dir(const struct hxs_store *s, enum hxs_kind kind,
		       const char *env, const char *id, int *fd,
		       struct hxs_err *err)
{
	char path[AREA_PATH_MAX], ref[HXS_REF_TEXT];
	int r = -ENOENT;

	if (hxs_path_is_name(env) && hxs_clock_is_id(id)) {
		area_path(kind, env, id, path);
		r = hxs_io_open_dir(s->fd, path);
	}
	if (r >= 0) {
		*fd = r;
		return 0;
	}
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP) {
		if (!hxs_path_is_name(env) || !hxs_clock_is_id(id))
			return hxs_err_set(err, HXS_ENOSUCH,
					   "there is no such snapshot");
		hxs_ref_format(kind, env, id, ref);
		return hxs_err_set(err, HXS_ENOSUCH,
				   "there is no snapshot '%s'", ref);
	}
	return hxs_err_errno(err, -r, "cannot open '%s/%s'", s->path, path);
}

#define XATTRS_MARK ".hxsnap/xattrs"

bool hxs_store_has_xattrs_mark(const struct hxs_store *s)
{
	HXS_AUTO_CLOSE int fd = -1;

	fd = hxs_io_open_beneath(s->fd, XATTRS_MARK, O_PATH, 0);
	return fd >= 0;
}

int hxs_store_mark_xattrs(struct hxs_store *s)
{
	HXS_AUTO_CLOSE int dir = -1;

	if (hxs_store_has_xattrs_mark(s))
		return 0;
	dir = hxs_store_make_dir(s, ".hxsnap", 0755, NULL);
	return dir < 0 ? dir : hxs_io_publish(dir, "xattrs", "", 0, 0644);
}
