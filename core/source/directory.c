/*
 * A source that is a directory, or one file. Its path is the operator's own:
 * links in it are followed once, when it is opened; from there on everything
 * goes by handle and no link is.
 */
#include "source/apart.h"
#include "source/source.h"
#include "source/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int is_missing(const struct hxs_config_source *src, struct hxs_err *err)
{
	return hxs_err_set(err, HXS_ENOSUCH, "source '%s': '%s' does not exist",
			   src->name, src->path);
}

/* Open @real, or for a file the directory it is in. */
static int open_real(struct hxs_tree *t, char *real, struct stat *st,
		     struct hxs_err *err)
{
	const struct hxs_config_source *src = t->src;
	HXS_AUTO_CLOSE int fd = -1;
	const char *dir = real;
	char *slash;

	fd = open(real, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return is_missing(src, err);
	if (fd < 0 || fstat(fd, st) < 0)
		return hxs_err_errno(err, errno,
				     "source '%s': cannot open "
				     "'%s'",
				     src->name, src->path);
	if (!S_ISDIR(st->st_mode) && !S_ISREG(st->st_mode))
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': '%s' is neither a directory "
				   "nor a regular file",
				   src->name, src->path);
	t->single = S_ISREG(st->st_mode);
	if (t->single) {
		slash = strrchr(real, '/');
		t->live_name = hxs_tree_keep(t, slash + 1, strlen(slash + 1));
		if (!t->live_name)
			return hxs_err_errno(err, ENOMEM, "source '%s'",
					     src->name);
		*slash = '\0';
		dir = slash == real ? "/" : real;
	}
	t->fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t->fd < 0)
		return hxs_err_errno(err, errno,
				     "source '%s': cannot open "
				     "'%s'",
				     src->name, dir);
	return 0;
}

/* Begin the tree. The top of a single file's is made up from where it is. */
static int add_top(struct hxs_capture *cap, struct hxs_tree *t,
		   const struct stat *file, struct hxs_err *err)
{
	struct stat st;

	if (fstat(t->fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at source '%s'",
				     t->src->name);
	if (t->single) {
		st.st_mode = S_IFDIR | 0755;
		st.st_ino = 0;
		st.st_atim = st.st_mtim = st.st_ctim = file->st_mtim;
	}
	return hxs_tree_begin(cap, t, &st, err);
}

static int list(struct hxs_capture *cap, const struct hxs_config_source *src,
		void **state, struct hxs_source_totals *totals,
		struct hxs_err *err)
{
	HXS_AUTO(tree) struct hxs_tree *t = NULL;
	HXS_AUTO_FREE char *real = NULL;
	struct stat st;
	int r;

	t = calloc(1, sizeof(*t));
	if (!t)
		return hxs_err_errno(err, ENOMEM, "source '%s'", src->name);
	t->src = src;
	t->fd = -1;
	real = realpath(src->path, NULL);
	if (!real && (errno == ENOENT || errno == ENOTDIR))
		return is_missing(src, err);
	if (!real)
		return hxs_err_errno(err, errno,
				     "source '%s': cannot open "
				     "'%s'",
				     src->name, src->path);
	r = open_real(t, real, &st, err);
	if (r == 0)
		r = hxs_apart_check(cap, src->name, t->fd, t->single, err);
	if (r == 0)
		r = add_top(cap, t, &st, err);
	if (r == 0)
		r = hxs_walk(cap, t, err);
	if (r < 0)
		return r;
	*totals = t->totals;
	*state = HXS_STEAL(t);
	return 0;
}

static int copy(struct hxs_capture *cap, void *state,
		struct hxs_source_totals *totals, struct hxs_err *err)
{
	hxs_match(cap, state);
	return hxs_spread(cap, state, totals, err);
}

static int survey(struct hxs_capture *cap, void *state,
		  struct hxs_source_totals *totals, struct hxs_err *err)
{
	hxs_match(cap, state);
	return hxs_survey(cap, state, totals, err);
}

static void free_state(void *state)
{
	hxs_tree_free(state);
}

const struct hxs_source_ops hxs_source_directory = {
	.kind = HXS_SOURCE_DIRECTORY,
	.list = list,
	.copy = copy,
	.survey = survey,
	.free = free_state,
};
