#include "store/staging.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define PREFIX ".new-"
#define WAIT_MAX 60 /* seconds */

/* ---- beginning --------------------------------------------------------- */

/* The second after the newest snapshot of either kind; 0 without one. */
static int earliest(struct hxs_store *s, const char *env, int64_t *out,
		    struct hxs_err *err)
{
	static const enum hxs_kind kinds[] = { HXS_BACKUP, HXS_ROLLBACK };
	int64_t sec, min = 0;
	size_t i;
	int r;

	for (i = 0; i < HXS_ARRAY_LEN(kinds); i++) {
		HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;

		r = hxs_store_ids(s, kinds[i], env, &ids, err);
		if (r < 0)
			return r;
		if (ids.count &&
		    hxs_clock_parse_id(ids.name[ids.count - 1], &sec) == 0 &&
		    sec >= min)
			min = sec + 1;
	}
	*out = min;
	return 0;
}

static int choose_id(struct hxs_store *s, const char *env,
		     char id[HXS_ID_LEN + 1], struct hxs_err *err)
{
	struct timespec now;
	int64_t min;
	int r;

	r = earliest(s, env, &min, err);
	if (r < 0)
		return r;
	hxs_clock_now(&now);
	/* The clock may be set back while we wait: ask it anew each second. */
	while (now.tv_sec < min && min - now.tv_sec <= WAIT_MAX) {
		hxs_clock_wait_until(now.tv_sec + 1);
		hxs_clock_now(&now);
	}
	if (now.tv_sec < min) {
		char then[HXS_RFC3339_LEN + 1] = "the future";

		(void)hxs_clock_format_rfc3339(min - 1, then); /* else so */
		(void)hxs_err_set(err, HXS_EBUSY,
				  "the newest snapshot of '%s' is dated '%s', "
				  "which is still to come",
				  env, then);
		hxs_err_hint(err, "was the clock set back? Wait, set it right, "
				  "or remove that snapshot");
		return -HXS_EBUSY;
	}
	r = hxs_clock_format_id(now.tv_sec, id);
	if (r < 0)
		return hxs_err_errno(err, -r, "the clock is wrong");
	return 0;
}

static int make_staging(struct hxs_staging *st, struct hxs_err *err)
{
	uint8_t rnd[8];
	char hex[2 * sizeof(rnd) + 1];
	size_t i;

	if (getrandom(rnd, sizeof(rnd), 0) != (ssize_t)sizeof(rnd))
		return hxs_err_errno(err, EIO, "cannot get random bytes");
	for (i = 0; i < sizeof(rnd); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", rnd[i]);
	(void)snprintf(st->name, sizeof(st->name), PREFIX "%s-%s", st->id, hex);
	if (mkdirat(st->area_fd, st->name, 0700) < 0) {
		int e = errno;

		st->name[0] = '\0'; /* not ours to remove */
		return hxs_err_errno(err, e,
				     "cannot create a directory in '%s/%s/%s'",
				     hxs_store_path(st->store),
				     hxs_store_area(st->kind), st->env);
	}
	/* The umask may have taken away what we need. */
	if (fchmodat(st->area_fd, st->name, 0700, 0) < 0)
		return hxs_err_errno(err, errno, "cannot set the mode of '%s'",
				     st->name);
	st->fd = hxs_io_open_dir(st->area_fd, st->name);
	if (st->fd < 0)
		return hxs_err_errno(err, -st->fd, "cannot open '%s'",
				     st->name);
	return 0;
}

int hxs_staging_begin(struct hxs_store *s, enum hxs_kind kind, const char *env,
		      struct hxs_staging *out, struct hxs_err *err)
{
	HXS_AUTO_STAGING struct hxs_staging st = HXS_STAGING_INIT;
	char path[HXS_REF_TEXT];
	int r;

	if (!hxs_path_is_name(env))
		return hxs_err_set(err, HXS_EUSAGE,
				   "'%s' is no name of an environment", env);
	st.store = s;
	st.kind = kind;
	(void)snprintf(st.env, sizeof(st.env), "%s", env);
	r = choose_id(s, env, st.id, err);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%s/%s", hxs_store_area(kind), env);
	st.area_fd = hxs_store_make_dir(s, path, 0755, &st.made_env);
	if (st.area_fd < 0)
		return hxs_err_errno(err, -st.area_fd, "cannot create '%s/%s'",
				     hxs_store_path(s), path);
	r = make_staging(&st, err);
	if (r < 0)
		return r;
	*out = st;
	st = (struct hxs_staging)HXS_STAGING_INIT; /* now the caller's */
	return 0;
}

int hxs_staging_reopen(struct hxs_store *s, enum hxs_kind kind, const char *env,
		       const char *id, const char *name,
		       struct hxs_staging *out, struct hxs_err *err)
{
	struct hxs_staging st = { .store = s, .kind = kind, .fd = -1 };
	char path[HXS_REF_TEXT];
	int r;

	(void)snprintf(st.env, sizeof(st.env), "%s", env);
	(void)snprintf(st.id, sizeof(st.id), "%s", id);
	(void)snprintf(st.name, sizeof(st.name), "%s", name);
	(void)snprintf(path, sizeof(path), "%s/%s", hxs_store_area(kind), env);
	st.area_fd = hxs_io_open_dir(hxs_store_fd(s), path);
	r = st.area_fd < 0 ? st.area_fd : 0;
	if (r == 0)
		st.fd = hxs_io_open_dir(st.area_fd, name);
	if (r == 0 && st.fd < 0) {
		r = st.fd;
		(void)close(st.area_fd); /* a directory */
	}
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot open '%s/%s'", path,
				     name);
	*out = st;
	return 0;
}

/* ---- publishing -------------------------------------------------------- */

static int rename_new(int dirfd, const char *from, const char *to)
{
	struct stat st;

	if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* A file system without it; the lock keeps others of us away. */
	if (fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	if (renameat(dirfd, from, dirfd, to) < 0)
		return -errno;
	return 0;
}

int hxs_staging_publish(struct hxs_staging *st, mode_t mode,
			struct hxs_err *err)
{
	char ref[HXS_REF_TEXT];
	int r;

	hxs_ref_format(st->kind, st->env, st->id, ref);
	if (fchmod(st->fd, mode) < 0)
		return hxs_err_errno(err, errno, "cannot set the mode of '%s'",
				     ref);
	/* Reports what could not be written since st->fd was opened. */
	if (syncfs(st->fd) < 0)
		return hxs_err_errno(err, errno, "cannot make '%s' durable",
				     ref);
	r = rename_new(st->area_fd, st->name, st->id);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot publish '%s'", ref);
	if (fsync(st->area_fd) < 0) {
		r = -errno;
		/* It may be lost at the next power cut: better gone now. */
		if (renameat(st->area_fd, st->id, st->area_fd, st->name) < 0)
			st->published = true; /* and not to be removed */
		return hxs_err_errno(err, -r, "cannot make '%s' durable", ref);
	}
	st->published = true;
	return 0;
}

/* ---- removing ---------------------------------------------------------- */

static void remove_unpublished(struct hxs_staging *st)
{
	char path[HXS_REF_TEXT];

	if (st->area_fd < 0 || st->published)
		return;
	/* What cannot be removed now is what the next create sweeps. */
	if (st->name[0])
		(void)hxs_io_remove_tree(st->area_fd, st->name);
	if (!st->made_env)
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", hxs_store_area(st->kind),
		       st->env);
	(void)unlinkat(hxs_store_fd(st->store), path, AT_REMOVEDIR);
}

void hxs_staging_leave(struct hxs_staging *st)
{
	st->published = true; /* not to be removed */
	hxs_staging_release(st);
}

void hxs_staging_release(struct hxs_staging *st)
{
	if (st->fd >= 0)
		(void)close(st->fd); /* a directory */
	st->fd = -1;
	remove_unpublished(st);
	if (st->area_fd >= 0)
		(void)close(st->area_fd); /* a directory */
	st->area_fd = -1;
}
