/*
 * Staging: everything that is to be restored is written beside its target,
 * in a directory that the journal names before it is made, and checked there.
 */
#include "base/io.h"
#include "base/xattr.h"
#include "source/copy.h"
#include "source/keep.h"
#include "source/stage.h"
#include "source/tree.h"
#include "store/swap.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

/* ---- the journal's first record ---------------------------------------- */

static char *stage_name(const struct hxs_restore *rs,
			const struct hxs_restore_target *t)
{
	uint64_t rnd;
	char *name;

	if (getrandom(&rnd, sizeof(rnd), 0) != (ssize_t)sizeof(rnd))
		return NULL;
	if (asprintf(&name, ".hxsnap-%s-%s-%016llx", rs->env->name,
		     t->source->name, (unsigned long long)rnd) < 0)
		return NULL;
	return name;
}

static int add_moves(const struct hxs_restore_target *t, struct hxs_target *to)
{
	struct hxs_move *m;
	size_t i;

	for (i = 0; i < t->item_count; i++) {
		m = hxs_target_add_move(to);
		if (!m)
			return -ENOMEM;
		m->dir = strdup(t->items[i].dir);
		m->name = strdup(t->items[i].name);
		if (!m->dir || !m->name)
			return -ENOMEM;
	}
	return 0;
}

static int fill_journal(struct hxs_restore *rs)
{
	struct hxs_journal *j = rs->journal;
	struct hxs_node node;
	struct stat st;
	size_t i;
	int r;

	(void)snprintf(j->env, sizeof(j->env), "%s", rs->env->name);
	(void)snprintf(j->reference, sizeof(j->reference), "%s",
		       hxs_snapshot_name(rs->snap));
	for (i = 0; i < rs->target_count; i++) {
		const struct hxs_restore_target *t = &rs->targets[i];
		struct hxs_target *to = hxs_journal_add_target(j);

		if (!to)
			return -ENOMEM;
		to->source = strdup(t->source->name);
		to->place = strdup(t->place);
		to->stage = stage_name(rs, t);
		to->contents = t->contents && t->whole;
		hxs_index_get(hxs_snapshot_index(rs->snap), t->entry, &node);
		to->new_time = node.mtime;
		if (fstat(t->place_fd, &st) < 0)
			return -errno;
		to->old_time = st.st_mtim;
		if (!to->source || !to->place || !to->stage)
			return -ENOMEM;
		r = hxs_ident_of(t->place_fd, "", &to->place_id);
		if (r == 0)
			r = add_moves(t, to);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- one target -------------------------------------------------------- */

static int make_stage(const struct hxs_restore_target *t,
		      const struct hxs_target *to, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct stat before;
	int r;

	if (fstat(t->place_fd, &before) < 0 ||
	    mkdirat(t->place_fd, to->stage, 0700) < 0)
		return hxs_err_errno(err, errno,
				     "cannot create a directory in '%s'",
				     t->place);
	r = hxs_swap_keep_time(t->place_fd, before.st_mtim);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot set the times of '%s'",
				     t->place);
	/* Neither the umask nor the directory above has a say. */
	r = fchmodat(t->place_fd, to->stage, 0700, 0) < 0 ? -errno : 0;
	fd = r < 0 ? r : hxs_io_open_dir(t->place_fd, to->stage);
	r = fd < 0 ? fd : hxs_stage_disown(fd);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot open '%s/%s'", t->place,
				     to->stage);
	return HXS_STEAL_FD(fd);
}

/* What a mount point is like now, for swap's give_self(). */
static int note_self(const struct hxs_restore_target *t, int stage)
{
	HXS_AUTO_BUF struct hxs_buf x = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_tree_stat ts;
	struct stat st;
	int r;

	if (mkdirat(stage, HXS_SWAP_OLD_SELF, 0700) < 0 ||
	    fchmodat(stage, HXS_SWAP_OLD_SELF, 0700, 0) < 0 ||
	    fstat(t->place_fd, &st) < 0)
		return -errno;
	fd = hxs_io_open_dir(stage, HXS_SWAP_OLD_SELF);
	r = fd < 0 ? fd : hxs_xattr_read(t->place_fd, &x);
	if (r < 0)
		return r;
	hxs_tree_from_stat(&ts, &st);
	r = hxs_copy_attributes(fd, &ts, x.data, x.len, NULL);
	/* That leaves set-id bits out. */
	return r == 0 && fchmod(fd, st.st_mode & 07777) < 0 ? -errno : r;
}

/*
 * Stage all that a mount point is to hold at once, so that names of one file
 * stay that, and each under its own name then. What is left is what the mount
 * point itself is to be like.
 */
static int stage_contents(struct hxs_restore *rs,
			  const struct hxs_restore_target *t, int stage_fd,
			  struct hxs_stage *stage, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	char name[32];
	size_t i;
	int r;

	r = note_self(t, stage_fd);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot note what '%s' is like",
				     t->path);
	r = hxs_restore_stage_one(rs, stage, t->entry, stage_fd,
				  HXS_SWAP_NEW_SELF, err);
	if (r < 0)
		return r;
	fd = hxs_io_open_dir(stage_fd, HXS_SWAP_NEW_SELF);
	r = fd < 0 ? fd : fchmod(fd, 0700) < 0 ? -errno : 0;
	for (i = 0; r == 0 && i < t->item_count; i++) {
		if (t->items[i].entry == HXS_NO_ENTRY)
			continue;
		hxs_swap_new_name(i, name);
		if (renameat(fd, t->items[i].name, stage_fd, name) == 0)
			continue;
		if (errno == ENOENT && rs->opts->until)
			t->items[i].cut = true;
		else
			r = -errno;
	}
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot stage '%s'", t->path);
	return hxs_stage_attributes(stage, t->entry, fd, err);
}

/* Where in the source @path, which is below the place, is. */
static const char *below_source(const struct hxs_restore_target *t,
				const char *path)
{
	if (t->contents)
		return path;
	path += strlen(t->name);
	return path[0] ? path + 1 : "";
}

/* Give what backups leave out its place in what is staged as @name. */
static int keep_left_out(const struct hxs_restore_target *t,
			 const struct hxs_restore_item *it, int stage,
			 const char *name, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int live = -1, staged = -1;
	const char *below;
	uint64_t kept = 0;

	(void)hxs_buf_printf(&path, "%s%s%s", it->dir, it->dir[0] ? "/" : "",
			     it->name);
	if (hxs_buf_status(&path) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot stage '%s'",
				     it->name);
	live = hxs_io_open_dir(t->place_fd, path.data);
	if (live == -ENOENT || live == -ENOTDIR || live == -ELOOP)
		return 0;
	if (live < 0)
		return hxs_err_errno(err, -live, "cannot open '%s/%s'",
				     t->place, path.data);
	below = below_source(t, path.data);
	if (it->entry == HXS_NO_ENTRY || it->cut)
		return hxs_keep_alone(t->source, below, live, stage, name,
				      &kept, err);
	staged = hxs_io_open_dir(stage, name);
	if (staged < 0 && staged != -ENOTDIR && staged != -ELOOP)
		return hxs_err_errno(err, -staged, "cannot stage '%s'", below);
	return hxs_keep_left_out(t->source, below, live,
				 staged < 0 ? -1 : staged, &kept, err);
}

/* ---- one item ---------------------------------------------------------- */

int hxs_restore_stage_one(struct hxs_restore *rs, struct hxs_stage *stage,
			  uint32_t entry, int dir, const char *name,
			  struct hxs_err *err)
{
	int r = hxs_stage_entry(stage, entry, dir, name, err);

	if (r == 0)
		r = hxs_restore_check_staged(rs, stage, entry, dir, name, err);
	if (r == 0)
		r = hxs_restore_until_cut(&rs->until, stage, entry, dir, name,
					  err);
	return r;
}

/* Where nothing is left of @it its name goes. */
static int note_gone(struct hxs_restore_item *it, int stage, const char *name,
		     struct hxs_err *err)
{
	struct hxs_ident id;
	int r = hxs_ident_of(stage, name, &id);

	if (r < 0)
		return hxs_err_errno(err, -r, "cannot stage '%s'", it->name);
	if (id.ino == 0)
		it->cut = true;
	return 0;
}

static int stage_items(struct hxs_restore *rs,
		       const struct hxs_restore_target *t, int stage_fd,
		       struct hxs_stage *stage, bool left_out,
		       struct hxs_err *err)
{
	char name[32];
	size_t i;
	int r = 0;

	rs->until.single = t->single;
	if (t->contents && t->whole)
		r = stage_contents(rs, t, stage_fd, stage, err);
	for (i = 0; r == 0 && i < t->item_count; i++) {
		struct hxs_restore_item *it = &t->items[i];

		hxs_swap_new_name(i, name);
		if (it->only_count) {
			r = hxs_restore_stage_only(rs, stage, it, stage_fd,
						   name, err);
			continue;
		}
		if (it->entry != HXS_NO_ENTRY && !(t->contents && t->whole)) {
			r = hxs_restore_stage_one(rs, stage, it->entry,
						  stage_fd, name, err);
			if (r == 0 && rs->opts->until)
				r = note_gone(it, stage_fd, name, err);
		}
		if (r == 0 && left_out)
			r = keep_left_out(t, it, stage_fd, name, err);
	}
	return r;
}

/*
 * Make what was staged durable: once for each file system, as that takes all
 * of it. The descriptors are older than what was staged, so this tells, too,
 * of what could not be written until now.
 */
static int sync_staged(const struct hxs_restore *rs, struct hxs_err *err)
{
	const struct hxs_restore_target *t = rs->targets;
	size_t i;

	for (i = 0; i < rs->target_count; i++)
		if (hxs_restore_is_first_there(rs, i) &&
		    syncfs(t[i].place_fd) < 0)
			return hxs_err_errno(err, errno,
					     "cannot make what was staged in "
					     "'%s' durable",
					     t[i].place);
	return 0;
}

int hxs_restore_keep_left_out(struct hxs_restore *rs, struct hxs_err *err)
{
	char name[32];
	size_t i, k;
	int r = 0;

	for (i = 0; r == 0 && i < rs->target_count; i++) {
		const struct hxs_restore_target *t = &rs->targets[i];
		const char *stage = rs->journal->targets[i].stage;
		HXS_AUTO_CLOSE int fd = hxs_io_open_dir(t->place_fd, stage);

		if (fd < 0)
			return hxs_err_errno(err, -fd, "cannot open '%s/%s'",
					     t->place, stage);
		for (k = 0; r == 0 && k < t->item_count; k++) {
			if (t->items[k].only_count)
				continue;
			hxs_swap_new_name(k, name);
			r = keep_left_out(t, &t->items[k], fd, name, err);
		}
	}
	return r < 0 ? r : sync_staged(rs, err);
}

/* Two restores into one directory would be in each other's way. */
static int lock_place(const struct hxs_restore *rs, size_t n,
		      struct hxs_err *err)
{
	const struct hxs_journal *j = rs->journal;
	size_t i;

	for (i = 0; i < n; i++)
		if (hxs_ident_equal(&j->targets[i].place_id,
				    &j->targets[n].place_id))
			return 0;
	if (flock(rs->targets[n].place_fd, LOCK_EX | LOCK_NB) == 0 ||
	    errno != EWOULDBLOCK)
		return 0;
	return hxs_err_set(err, HXS_EBUSY,
			   "another restore is under way in '%s'",
			   rs->targets[n].place);
}

int hxs_restore_stage(struct hxs_restore *rs, bool left_out,
		      struct hxs_err *err)
{
	struct hxs_stage stage = {
		.snap = rs->snap,
		.pool = rs->pool,
		.ears = hxs_relay_ears(&rs->relay),
	};
	size_t i;
	int r;

	r = fill_journal(rs);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot begin the restore of '%s'",
				     rs->env->name);
	r = hxs_restore_systems_plan(rs, err);
	for (i = 0; r == 0 && i < rs->target_count; i++)
		r = lock_place(rs, i, err);
	if (r < 0)
		return r;
	/* From here on there is something to undo. */
	rs->journal->state = HXS_JOURNAL_STAGING;
	r = hxs_journal_write(rs->store, rs->journal, err);
	for (i = 0; r == 0 && i < rs->target_count; i++) {
		const struct hxs_restore_target *t = &rs->targets[i];
		HXS_AUTO_CLOSE int fd = -1;

		fd = make_stage(t, &rs->journal->targets[i], err);
		r = fd < 0 ? fd : stage_items(rs, t, fd, &stage, left_out, err);
	}
	if (r == 0)
		r = hxs_restore_systems_stage(rs, &stage, err);
	if (r == 0)
		r = sync_staged(rs, err);
	rs->files = stage.files;
	rs->bytes = stage.bytes;
	return r;
}
