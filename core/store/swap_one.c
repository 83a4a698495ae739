/*
 * The swap of one name. It is one step of the file system wherever it can be
 * (RENAME_EXCHANGE); elsewhere it is two, and for a moment the live name has
 * no file. A name that only loses its file, or only gets one, is one rename.
 *
 * What is where is asked anew each time, so that doing it again after a crash
 * does what is left to do. A rename never replaces anything: RENAME_NOREPLACE,
 * or a look before where the file system lacks that.
 */
#include "store/swap_one.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int look(struct hxs_swap_step *s, struct hxs_err *err)
{
	int r;

	r = hxs_ident_of(s->live_dir, s->m->name, &s->live);
	if (r == 0)
		r = hxs_ident_of(s->stage, s->fresh, &s->in_fresh);
	if (r == 0)
		r = hxs_ident_of(s->stage, s->kept, &s->in_kept);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot look at '%s' in '%s'",
				     s->m->name, s->t->place);
	return 0;
}

static bool none(const struct hxs_ident *id)
{
	return id->ino == 0;
}

static int neither(const struct hxs_swap_step *s, struct hxs_err *err)
{
	int r = hxs_err_set(err, HXS_ECORRUPT,
			    "source '%s': '%s%s%s' in '%s' is neither what it "
			    "was nor what is restored",
			    s->t->source, s->m->dir, s->m->dir[0] ? "/" : "",
			    s->m->name, s->t->place);

	hxs_err_hint(err,
		     "somebody changed it meanwhile; what is staged and "
		     "what was displaced is in '%s/%s'",
		     s->t->place, s->t->stage);
	return r;
}

int hxs_swap_one_cannot(const struct hxs_swap_step *s, int r,
			struct hxs_err *err)
{
	int code = hxs_err_errno(err, -r, "cannot exchange '%s%s%s' in '%s'",
				 s->m->dir, s->m->dir[0] ? "/" : "", s->m->name,
				 s->t->place);

	if (r == -EXDEV)
		hxs_err_hint(err, "overlayfs cannot move a directory of a "
				  "lower layer: restore the paths in it, or "
				  "mount it with redirect_dir=on");
	return code;
}

int hxs_swap_move(int from_dir, const char *from, int to_dir, const char *to)
{
	struct stat st;

	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(from_dir, from, to_dir, to) < 0 ? -errno : 0;
}

/*
 * For a directory, the modification that XFS takes an exchange for. Whoever
 * finishes what was cut short here has the time from the journal.
 */
static void keep_mtime(int dirfd, const char *name, const struct stat *before)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   before->st_mtim };

	if (S_ISDIR(before->st_mode)) /* not ours to set: then so */
		(void)utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW);
}

/* 1 when exchanged, 0 where the file system cannot, or -errno. */
static int exchange(const struct hxs_swap_step *s)
{
	struct stat live, fresh;

	if (fstatat(s->live_dir, s->m->name, &live, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(s->stage, s->fresh, &fresh, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (renameat2(s->live_dir, s->m->name, s->stage, s->fresh,
		      RENAME_EXCHANGE) < 0)
		return errno == EINVAL || errno == ENOSYS ? 0 : -errno;
	keep_mtime(s->live_dir, s->m->name, &fresh);
	keep_mtime(s->stage, s->fresh, &live);
	return 1;
}

/* Give the live name what is staged, where both have something. */
static int replace(const struct hxs_swap_step *s, double *absent)
{
	double since;
	int r;

	if (hxs_swap_is(&s->live, &s->m->old)) {
		r = exchange(s);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	since = hxs_clock_ticks();
	if (hxs_swap_is(&s->live, &s->m->old)) {
		r = hxs_swap_move(s->live_dir, s->m->name, s->stage, s->kept);
		if (r < 0)
			return r;
	}
	r = hxs_swap_move(s->stage, s->fresh, s->live_dir, s->m->name);
	if (absent)
		*absent += hxs_clock_ticks() - since;
	return r;
}

int hxs_swap_one_forward(struct hxs_swap_step *s, double *absent,
			 struct hxs_err *err)
{
	const struct hxs_move *m = s->m;
	int r;

	r = look(s, err);
	if (r < 0)
		return r;
	if (none(&m->new)) {
		if (none(&s->live) &&
		    (none(&m->old) || hxs_swap_is(&s->in_kept, &m->old)))
			return 0;
		if (!hxs_swap_is(&s->live, &m->old) || !none(&s->in_kept))
			return neither(s, err);
		r = hxs_swap_move(s->live_dir, m->name, s->stage, s->kept);
		return r < 0 ? hxs_swap_one_cannot(s, r, err) : 0;
	}
	if (hxs_swap_is(&s->live, &m->new))
		return 0;
	if (!hxs_swap_is(&s->in_fresh, &m->new))
		return neither(s, err);
	if (none(&m->old)) {
		if (!none(&s->live))
			return neither(s, err);
		r = hxs_swap_move(s->stage, s->fresh, s->live_dir, m->name);
		return r < 0 ? hxs_swap_one_cannot(s, r, err) : 0;
	}
	if (!hxs_swap_is(&s->live, &m->old) &&
	    !(none(&s->live) && hxs_swap_is(&s->in_kept, &m->old)))
		return neither(s, err);
	r = replace(s, absent);
	return r < 0 ? hxs_swap_one_cannot(s, r, err) : 0;
}

/* Put the live name, which has the new file, back to the old one. */
static int put_back(const struct hxs_swap_step *s)
{
	int r;

	if (hxs_swap_is(&s->in_fresh, &s->m->old)) {
		r = exchange(s);
		return r > 0 ? 0 : r == 0 ? -EINVAL : r;
	}
	r = hxs_swap_move(s->live_dir, s->m->name, s->stage, s->fresh);
	if (r == 0 && !none(&s->m->old))
		r = hxs_swap_move(s->stage, s->kept, s->live_dir, s->m->name);
	return r;
}

int hxs_swap_one_back(struct hxs_swap_step *s, struct hxs_err *err)
{
	const struct hxs_move *m = s->m;
	int r;

	r = look(s, err);
	if (r < 0)
		return r;
	if (hxs_swap_is(&s->live, &m->old) || (none(&s->live) && none(&m->old)))
		return 0;
	/* It was never touched: what has come to be there is not ours. */
	if (none(&m->old) &&
	    (none(&m->new) || hxs_swap_is(&s->in_fresh, &m->new)))
		return 0;
	if (hxs_swap_is(&s->live, &m->new)) {
		if (!none(&m->old) && !hxs_swap_is(&s->in_fresh, &m->old) &&
		    !hxs_swap_is(&s->in_kept, &m->old))
			return neither(s, err);
		r = put_back(s);
		return r < 0 ? hxs_swap_one_cannot(s, r, err) : 0;
	}
	if (!none(&s->live) || !hxs_swap_is(&s->in_kept, &m->old))
		return neither(s, err);
	r = hxs_swap_move(s->stage, s->kept, s->live_dir, m->name);
	return r < 0 ? hxs_swap_one_cannot(s, r, err) : 0;
}
