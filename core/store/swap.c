/*
 * The swap of whole targets, one name after the other (swap_one.c), what is
 * made durable of it, and what becomes of the displaced.
 *
 * It changes the times of the two directories that it takes place in, and on
 * XFS an exchange those of the directories exchanged. All get back the times
 * that the journal tells, since whoever sees them now may be the second one.
 */
#include "store/swap.h"

#include "base/io.h"
#include "base/xattr.h"
#include "store/swap_one.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

void hxs_swap_new_name(size_t n, char name[32])
{
	(void)snprintf(name, 32, "new-%zu", n);
}

static void old_name(size_t n, char name[32])
{
	(void)snprintf(name, 32, "old-%zu", n);
}

int hxs_swap_open_place(const struct hxs_target *t, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_ident id;
	int r;

	fd = open(t->place,
		  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return hxs_err_errno(err, errno, "cannot open '%s'", t->place);
	r = fd < 0 ? 0 : hxs_ident_of(fd, "", &id);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at '%s'", t->place);
	if (fd < 0 || !hxs_ident_equal(&id, &t->place_id)) {
		r = hxs_err_set(err, HXS_ECORRUPT,
				"source '%s': '%s' is not the directory it was "
				"when the restore began",
				t->source, t->place);
		hxs_err_hint(err, "is its file system mounted?");
		return r;
	}
	return HXS_STEAL_FD(fd);
}

/* ---- all names of a target --------------------------------------------- */

static int open_stage(const struct hxs_target *t, int place,
		      struct hxs_err *err)
{
	int fd = hxs_io_open_dir(place, t->stage);

	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open '%s/%s'", t->place,
				     t->stage);
	return fd;
}

static int open_live(const struct hxs_target *t, const struct hxs_move *m,
		     int place, struct hxs_err *err)
{
	int fd = hxs_io_open_dir(place, m->dir);

	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open '%s/%s'", t->place,
				     m->dir);
	return fd;
}

/* Attributes that @fd has and @want does not name go. */
static int drop_xattrs(int fd, const struct hxs_buf *want)
{
	HXS_AUTO_BUF struct hxs_buf have = HXS_BUF_INIT;
	char name[HXS_XATTR_NAME_MAX + 1];
	struct hxs_xattr x, kept;
	size_t pos = 0;
	int r;

	r = hxs_xattr_read(fd, &have);
	while (r == 0 && hxs_xattr_next(have.data, have.len, &pos, &x) > 0) {
		memcpy(name, x.name, x.name_len);
		name[x.name_len] = '\0';
		if (hxs_xattr_find(want->data, want->len, name, &kept))
			continue;
		if (fremovexattr(fd, name) < 0 && errno != ENODATA &&
		    errno != EPERM && errno != EOPNOTSUPP)
			r = -errno;
	}
	return r;
}

/* The place's own mode, owner, attributes and times, from @name. */
static int give_self(const struct hxs_target *t, int place, int stage,
		     const char *name, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf x = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = hxs_io_open_dir(stage, name);
	struct timespec times[2];
	struct stat st;
	int r;

	r = fd < 0 ? fd : hxs_xattr_read(fd, &x);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0 && fchown(place, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		r = -errno;
	if (r == 0)
		r = drop_xattrs(place, &x);
	if (r == 0)
		r = hxs_xattr_write(place, x.data, x.len, NULL);
	if (r == 0 && fchmod(place, st.st_mode & 07777) < 0)
		r = -errno;
	if (r == 0) {
		times[0] = st.st_atim;
		times[1] = st.st_mtim;
		if (futimens(place, times) < 0)
			r = -errno;
	}
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot set the attributes of "
				     "'%s'",
				     t->place);
	return 0;
}

int hxs_swap_keep_time(int fd, struct timespec time)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, time };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_mtim.tv_sec == time.tv_sec &&
	    st.st_mtim.tv_nsec == time.tv_nsec)
		return 0;
	/* Not ours to set: then so. */
	return futimens(fd, times) < 0 && errno != EPERM ? -errno : 0;
}

/* The same for @name in @dirfd, if that is the directory @want. */
static int keep_time_of(int dirfd, const char *name,
			const struct hxs_ident *want, struct timespec time)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_ident id;
	int r;

	if (want->type != S_IFDIR)
		return 0;
	r = hxs_ident_of(dirfd, name, &id);
	if (r < 0 || !hxs_ident_equal(&id, want))
		return r;
	fd = hxs_io_open_dir(dirfd, name);
	if (fd == -EACCES) /* not even to be entered by us */
		return 0;
	return fd < 0 ? fd : hxs_swap_keep_time(fd, time);
}

/* Do move @n. */
static int run_one(const struct hxs_target *t, size_t n, bool ahead, int place,
		   int stage, double *absent, struct hxs_err *err)
{
	struct hxs_swap_step s = { .t = t, .m = &t->moves[n], .stage = stage };
	HXS_AUTO_CLOSE int live = -1;
	int r, r2;

	hxs_swap_new_name(n, s.fresh);
	old_name(n, s.kept);
	live = open_live(t, s.m, place, err);
	if (live < 0)
		return live;
	s.live_dir = live;
	r = ahead ? hxs_swap_one_forward(&s, absent, err)
		  : hxs_swap_one_back(&s, err);
	r2 = hxs_swap_keep_time(live, s.m->dir_time);
	if (r < 0)
		return r;
	if (r2 == 0)
		r2 = keep_time_of(live, s.m->name,
				  ahead ? &s.m->new : &s.m->old,
				  ahead ? s.m->new_time : s.m->old_time);
	return r2 < 0 ? hxs_swap_one_cannot(&s, r2, err) : 0;
}

static int open_both(const struct hxs_target *t, int *place, int *stage,
		     struct hxs_err *err)
{
	*place = hxs_swap_open_place(t, err);
	if (*place < 0)
		return *place;
	*stage = open_stage(t, *place, err);
	return *stage < 0 ? *stage : 0;
}

static int run(const struct hxs_target *t, bool ahead, double *absent,
	       struct hxs_err *err)
{
	HXS_AUTO_CLOSE int place = -1, stage = -1;
	size_t i;
	int r;

	r = open_both(t, &place, &stage, err);
	if (r < 0)
		return r;
	for (i = 0; r == 0 && i < t->move_count; i++)
		r = run_one(t, ahead ? i : t->move_count - 1 - i, ahead, place,
			    stage, absent, err);
	if (r == 0 && t->contents)
		r = give_self(t, place, stage,
			      ahead ? HXS_SWAP_NEW_SELF : HXS_SWAP_OLD_SELF,
			      err);
	return r;
}

int hxs_swap_forward(const struct hxs_target *t, double *absent,
		     struct hxs_err *err)
{
	return run(t, true, absent, err);
}

int hxs_swap_back(const struct hxs_target *t, struct hxs_err *err)
{
	return run(t, false, NULL, err);
}

static int cannot_sync(const struct hxs_target *t, int r, struct hxs_err *err)
{
	return hxs_err_errno(err, -r, "cannot make '%s' durable", t->place);
}

/* All but the place itself, which other targets may be in as well. */
static int sync_below(const struct hxs_target *t, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int place = -1, stage = -1;
	const char *last = "";
	size_t i;
	int r;

	r = open_both(t, &place, &stage, err);
	if (r < 0)
		return r;
	for (i = 0; r == 0 && i < t->move_count; i++) {
		const char *dir = t->moves[i].dir;

		if (strcmp(dir, last) != 0)
			r = hxs_io_sync_dir(place, dir);
		last = dir;
	}
	if (r == 0 && fsync(stage) < 0)
		r = -errno;
	return r < 0 ? cannot_sync(t, r, err) : 0;
}

int hxs_swap_sync_places(const struct hxs_target *targets, size_t count,
			 struct hxs_err *err)
{
	size_t i, k;

	for (i = 0; i < count; i++) {
		HXS_AUTO_CLOSE int place = -1;

		for (k = 0; k < i; k++)
			if (hxs_ident_equal(&targets[k].place_id,
					    &targets[i].place_id) &&
			    strcmp(targets[k].place, targets[i].place) == 0)
				break;
		if (k < i)
			continue;
		place = hxs_swap_open_place(&targets[i], err);
		if (place < 0)
			return place;
		if (fsync(place) < 0)
			return cannot_sync(&targets[i], -errno, err);
	}
	return 0;
}

int hxs_swap_sync(const struct hxs_target *targets, size_t count,
		  struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++)
		r = sync_below(&targets[i], err);
	return r < 0 ? r : hxs_swap_sync_places(targets, count, err);
}

/* ---- after it ---------------------------------------------------------- */

int hxs_swap_displaced(const struct hxs_target *t, size_t move, int stage_fd,
		       char name[32], struct hxs_err *err)
{
	struct hxs_ident id;
	int r;

	hxs_swap_new_name(move, name);
	r = hxs_ident_of(stage_fd, name, &id);
	if (r == 0 && hxs_swap_is(&id, &t->moves[move].old))
		return 1;
	old_name(move, name);
	if (r == 0)
		r = hxs_ident_of(stage_fd, name, &id);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at '%s/%s/%s'",
				     t->place, t->stage, name);
	return hxs_swap_is(&id, &t->moves[move].old);
}

static int move_adopted(const struct hxs_target *t, int area_fd,
			struct hxs_err *err)
{
	HXS_AUTO_CLOSE int place = -1, stage = -1;
	char name[32] = "";
	int r;

	r = open_both(t, &place, &stage, err);
	if (r < 0)
		return r;
	r = hxs_swap_displaced(t, 0, stage, name, err);
	if (r < 0)
		return r;
	r = r == 0 ? -ENOENT : hxs_swap_move(stage, name, area_fd, t->source);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot move what source '%s' was into "
				     "its rollback point",
				     t->source);
	return 0;
}

int hxs_swap_adopt(const struct hxs_target *t, int area_fd, struct hxs_err *err)
{
	const struct hxs_move *m = &t->moves[0];
	struct hxs_ident id;
	int r;

	r = hxs_ident_of(area_fd, t->source, &id);
	if (r == 0 && !hxs_swap_is(&id, &m->old)) {
		r = move_adopted(t, area_fd, err);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = keep_time_of(area_fd, t->source, &m->old, m->old_time);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot make what source '%s' was part of "
				     "its rollback point",
				     t->source);
	return 0;
}

int hxs_swap_clean(const struct hxs_target *t, bool ahead, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int place = -1;
	struct stat before;
	int r;

	place = hxs_swap_open_place(t, err);
	if (place < 0)
		return place;
	r = fstat(place, &before) < 0 ? -errno : 0;
	if (r == 0)
		r = hxs_io_remove_tree(place, t->stage);
	if (r == 0)
		r = hxs_swap_keep_time(place, !t->contents ? before.st_mtim
					      : ahead	   ? t->new_time
							   : t->old_time);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot remove '%s/%s'", t->place,
				     t->stage);
	return 0;
}
