/*
 * Staging a tree. Directories first, private while they are filled; then
 * files and links, on all processors, in jobs that each open the directory
 * they work in (stage_jobs.c); then the other names of files that have
 * several; last the directories' own attributes, from the bottom up, since
 * filling one changes its times.
 */
#include "base/io.h"
#include "base/path.h"
#include "source/stage_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* ---- what there is to do ----------------------------------------------- */

/* Make room for one more of @size bytes in an array. */
static int grow(void **array, size_t *cap, size_t count, size_t size)
{
	size_t want = *cap ? *cap * 2 : 64;
	void *grown;

	if (count < *cap)
		return 0;
	grown = reallocarray(*array, want, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*cap = want;
	return 0;
}

static int add_dir(struct hxs_stage_run *run, uint32_t entry)
{
	void *array = run->dirs;
	int r = grow(&array, &run->dir_cap, run->dir_count, sizeof(*run->dirs));

	run->dirs = array;
	if (r == 0)
		run->dirs[run->dir_count++] = entry;
	return r;
}

static int add_twin(struct hxs_stage_run *run, const struct hxs_node *node)
{
	void *array = run->twins;
	int r = grow(&array, &run->twin_cap, run->twin_count,
		     sizeof(*run->twins));

	run->twins = array;
	if (r == 0)
		run->twins[run->twin_count++] =
			(struct hxs_stage_twin){ node->leader, node->number };
	return r;
}

static int by_leader(const void *pa, const void *pb)
{
	const struct hxs_stage_twin *a = pa, *b = pb;

	if (a->leader != b->leader)
		return a->leader < b->leader ? -1 : 1;
	return (a->entry > b->entry) - (a->entry < b->entry);
}

static int collect(struct hxs_stage_run *run)
{
	struct hxs_node node, child;
	uint32_t n;
	size_t i;
	int r = 0;

	hxs_index_get(run->idx, run->top, &node);
	if (S_ISDIR(node.mode))
		r = add_dir(run, run->top);
	for (i = 0; r == 0 && i < run->dir_count; i++) {
		hxs_index_get(run->idx, run->dirs[i], &node);
		for (n = 0; r == 0 && n < node.child_count; n++) {
			hxs_index_get(run->idx, node.first_child + n, &child);
			if (S_ISDIR(child.mode))
				r = add_dir(run, child.number);
			else if (child.nlink > 1)
				r = add_twin(run, &child);
		}
	}
	if (run->twin_count)
		qsort(run->twins, run->twin_count, sizeof(*run->twins),
		      by_leader);
	return r;
}

bool hxs_stage_is_twin(const struct hxs_stage_run *run,
		       const struct hxs_node *node)
{
	size_t low = 0, high = run->twin_count, mid;

	if (node->nlink < 2 || !run->twin_count)
		return false;
	while (low < high) { /* the first of its leader's */
		mid = low + (high - low) / 2;
		if (run->twins[mid].leader < node->leader)
			low = mid + 1;
		else
			high = mid;
	}
	return run->twins[low].entry != node->number;
}

/* ---- names and places -------------------------------------------------- */

const char *hxs_stage_show(const struct hxs_stage_run *run, uint32_t entry,
			   struct hxs_buf *out)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	hxs_buf_truncate(out, 0);
	(void)hxs_index_path(run->idx, entry, &path);
	(void)hxs_path_show(out, hxs_buf_str(&path), path.len);
	return hxs_buf_str(out);
}

const char *hxs_stage_name(const struct hxs_stage_run *run,
			   const struct hxs_node *node)
{
	return node->number == run->top ? run->name : node->name;
}

int hxs_stage_open_dir(const struct hxs_stage_run *run, uint32_t entry)
{
	HXS_AUTO_BUF struct hxs_buf top = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	size_t skip;
	int r;

	if (entry == run->top)
		return hxs_io_open_dir(run->top_fd, ".");
	r = hxs_index_path(run->idx, run->top, &top);
	if (r == 0)
		r = hxs_index_path(run->idx, entry, &path);
	if (r < 0)
		return r;
	skip = top.len ? top.len + 1 : 0;
	return hxs_io_open_dir(run->top_fd, path.data + skip);
}

int hxs_stage_open_parent(const struct hxs_stage_run *run, uint32_t entry)
{
	struct hxs_node node;
	int fd;

	if (entry != run->top) {
		hxs_index_get(run->idx, entry, &node);
		return hxs_stage_open_dir(run, node.parent);
	}
	fd = fcntl(run->dirfd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* ---- failures ---------------------------------------------------------- */

void hxs_stage_fail(struct hxs_stage_run *run, int r,
		    const struct hxs_fault *fault, const struct hxs_err *err)
{
	(void)pthread_mutex_lock(&run->cap.lock);
	if (run->cap.failed == 0) {
		run->cap.err = *err;
		if (fault && r == -HXS_ECORRUPT)
			run->s->fault = *fault;
		__atomic_store_n(&run->cap.failed, r, __ATOMIC_RELAXED);
	}
	(void)pthread_mutex_unlock(&run->cap.lock);
}

int hxs_stage_begin(struct hxs_stage_run *run, struct hxs_stage *s,
		    uint32_t entry, int dirfd, const char *name,
		    struct hxs_err *err)
{
	int r;

	*run = (struct hxs_stage_run){
		.s = s,
		.idx = hxs_snapshot_index(s->snap),
		.top = entry,
		.dirfd = dirfd,
		.name = name,
		.top_fd = -1,
	};
	hxs_capture_init(&run->cap);
	run->cap.ears = s->ears;
	run->cap.files = s->files;
	run->cap.bytes = s->bytes;
	r = collect(run);
	return r < 0 ? hxs_err_errno(err, -r, "cannot list what to restore")
		     : 0;
}

int hxs_stage_end(struct hxs_stage_run *run, int r, struct hxs_err *err)
{
	if (r == 0)
		r = hxs_capture_status(&run->cap, err);
	if (r == 0)
		hxs_stage_tell_lost(run);
	run->s->files = run->cap.files;
	run->s->bytes = run->cap.bytes;
	if (run->top_fd >= 0)
		(void)close(run->top_fd); /* a directory */
	free(run->dirs);
	free(run->twins);
	hxs_capture_release(&run->cap);
	return r;
}

/* ---- directories ------------------------------------------------------- */

static int fail_create(const struct hxs_stage_run *run, uint32_t entry, int r,
		       struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	return hxs_err_errno(err, -r, "cannot create the copy of '%s'",
			     hxs_stage_show(run, entry, &shown));
}

static int make_dir(const struct hxs_stage_run *run, int dirfd,
		    const char *name)
{
	if (mkdirat(dirfd, name, 0700) < 0)
		return -errno;
	if (run->narrow_umask && fchmodat(dirfd, name, 0700, 0) < 0)
		return -errno;
	return 0;
}

/* What is made in the top inherits nothing that the top does not have. */
static int make_top(struct hxs_stage_run *run)
{
	struct stat st;
	int fd, r;

	r = make_dir(run, run->dirfd, run->name);
	if (r < 0)
		return r;
	if (fstatat(run->dirfd, run->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	run->narrow_umask = (st.st_mode & 0700) != 0700;
	if ((st.st_mode & 07777) != 0700 &&
	    fchmodat(run->dirfd, run->name, 0700, 0) < 0)
		return -errno;
	fd = hxs_io_open_dir(run->dirfd, run->name);
	if (fd < 0)
		return fd;
	run->top_fd = fd;
	return hxs_stage_disown(fd);
}

static int make_dirs(struct hxs_stage_run *run, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int at = -1;
	uint32_t open = run->top;
	struct hxs_node node;
	size_t i;
	int r;

	r = make_top(run);
	if (r < 0)
		return fail_create(run, run->top, r, err);
	for (i = 1; i < run->dir_count; i++) {
		hxs_index_get(run->idx, run->dirs[i], &node);
		if (at < 0 || open != node.parent) {
			if (at >= 0)
				(void)close(at); /* a directory */
			open = node.parent;
			at = hxs_stage_open_dir(run, open);
		}
		r = at < 0 ? at : make_dir(run, at, node.name);
		if (r < 0)
			return fail_create(run, node.number, r, err);
		if (!hxs_capture_goes_on(&run->cap))
			return hxs_capture_status(&run->cap, err);
	}
	return 0;
}

static int finish_dirs(struct hxs_stage_run *run, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	struct hxs_node node;
	size_t i;
	int r = 0;

	for (i = run->dir_count; r == 0 && i-- > 0;) {
		HXS_AUTO_CLOSE int fd = hxs_stage_open_dir(run, run->dirs[i]);

		if (fd < 0)
			return hxs_err_errno(err, -fd,
					     "cannot open the copy of '%s'",
					     hxs_stage_show(run, run->dirs[i],
							    &shown));
		hxs_index_get(run->idx, run->dirs[i], &node);
		r = hxs_stage_set(run, &node, fd, err);
	}
	return r;
}

/* ---- files with several names ------------------------------------------ */

/* Copy it after all: this file system allows no more names of the others. */
static int copy_twin(struct hxs_stage_run *run, const struct hxs_node *node,
		     int dir, struct hxs_err *err)
{
	struct hxs_scratch scratch = { 0 };
	struct hxs_fault fault = { 0 };
	int r;

	hxs_stage_lose(run, node, "the link count");
	if (S_ISLNK(node->mode))
		return hxs_stage_link(run, node, dir, err);
	r = hxs_stage_file(run, node, dir, &scratch, &fault, err);
	hxs_scratch_release(&scratch);
	if (r < 0)
		hxs_stage_fail(run, r, &fault, err);
	return r;
}

/* Make @node another name of @first, which is there; or the new first. */
static int link_twin(struct hxs_stage_run *run, uint32_t *first,
		     const struct hxs_node *node, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int from = hxs_stage_open_parent(run, *first);
	HXS_AUTO_CLOSE int to = hxs_stage_open_parent(run, node->number);
	struct hxs_node have;

	if (from < 0 || to < 0)
		return fail_create(run, node->number, from < 0 ? from : to,
				   err);
	hxs_index_get(run->idx, *first, &have);
	if (linkat(from, have.name, to, node->name, 0) == 0)
		return 0;
	if (errno != EMLINK && errno != EPERM && errno != EOPNOTSUPP)
		return fail_create(run, node->number, -errno, err);
	*first = node->number;
	return copy_twin(run, node, to, err);
}

static int link_twins(struct hxs_stage_run *run, struct hxs_err *err)
{
	uint32_t first = 0;
	struct hxs_node node;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < run->twin_count; i++) {
		if (i == 0 ||
		    run->twins[i].leader != run->twins[i - 1].leader) {
			first = run->twins[i].entry;
			continue;
		}
		hxs_index_get(run->idx, run->twins[i].entry, &node);
		r = link_twin(run, &first, &node, err);
		if (r == 0 && !hxs_capture_goes_on(&run->cap))
			r = hxs_capture_status(&run->cap, err);
	}
	return r;
}

/* ---- all --------------------------------------------------------------- */

static int stage(struct hxs_stage_run *run, struct hxs_err *err)
{
	int r = 0;

	if (run->dir_count)
		r = make_dirs(run, err);
	if (r == 0)
		r = hxs_stage_files(run, err);
	if (r == 0)
		r = link_twins(run, err);
	if (r == 0)
		r = finish_dirs(run, err);
	return r;
}

int hxs_stage_entry(struct hxs_stage *s, uint32_t entry, int dirfd,
		    const char *name, struct hxs_err *err)
{
	struct hxs_stage_run run;
	int r;

	memset(&s->fault, 0, sizeof(s->fault));
	r = hxs_stage_begin(&run, s, entry, dirfd, name, err);
	if (r == 0)
		r = stage(&run, err);
	return hxs_stage_end(&run, r, err);
}
