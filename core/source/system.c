/*
 * What systems have in common: which there are, and what they are as
 * sources. As such one is the files that fetch() wrote into the staging
 * directory: nobody else has them, so they are hashed where they lie.
 */
#include "source/system.h"

#include "base/io.h"
#include "source/tree.h"

#include <errno.h>

static const struct hxs_system_ops *const all[] = {
	&hxs_system_postgres, &hxs_system_command, NULL, /* the end */
};

const struct hxs_system_ops *hxs_system_ops(enum hxs_source_kind kind)
{
	size_t i;

	for (i = 0; all[i]; i++)
		if (all[i]->kind == kind)
			return all[i];
	return NULL;
}

struct fetched {
	struct hxs_config_source src; /* all of it as mere bytes */
	struct hxs_tree *tree;
};

static void free_state(void *state)
{
	struct fetched *f = state;

	if (!f)
		return;
	hxs_tree_free(f->tree);
	free(f);
}

static int open_top(struct hxs_capture *cap, struct hxs_tree *t,
		    struct hxs_err *err)
{
	struct stat st;

	t->fd = hxs_io_open_dir(cap->dest, t->src->name);
	if (t->fd == -ENOENT)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "source '%s' was not captured",
				   t->src->name);
	if (t->fd < 0 || fstat(t->fd, &st) < 0)
		return hxs_err_errno(err, t->fd < 0 ? -t->fd : errno,
				     "cannot look at source '%s'",
				     t->src->name);
	return hxs_tree_begin(cap, t, &st, err);
}

static int list(struct hxs_capture *cap, const struct hxs_config_source *src,
		void **state, struct hxs_source_totals *totals,
		struct hxs_err *err)
{
	struct fetched *f = calloc(1, sizeof(*f));
	struct hxs_tree *t = f ? calloc(1, sizeof(*t)) : NULL;
	int r;

	if (!t) {
		free(f);
		return hxs_err_errno(err, ENOMEM, "source '%s'", src->name);
	}
	f->src = *src;
	f->src.sqlite_raw = true;
	f->tree = t;
	t->src = &f->src;
	t->fd = -1;
	r = open_top(cap, t, err);
	if (r == 0)
		r = hxs_walk(cap, t, err);
	/* What is left out would lie there unlisted. */
	if (r == 0 && t->has_more)
		r = hxs_err_set(err, EIO,
				"source '%s': what was captured holds "
				"something that cannot be kept",
				src->name);
	if (r < 0) {
		free_state(f);
		return r;
	}
	*totals = t->totals;
	*state = f;
	return 0;
}

static int survey(struct hxs_capture *cap, void *state,
		  struct hxs_source_totals *totals, struct hxs_err *err)
{
	struct fetched *f = state;
	int r = hxs_survey(cap, f->tree, totals, err);

	if (r == 0)
		return hxs_err_set(err, EIO,
				   "source '%s': what was captured changes, or "
				   "has a name elsewhere",
				   f->src.name);
	return r;
}

static int copy(struct hxs_capture *cap, void *state,
		struct hxs_source_totals *totals, struct hxs_err *err)
{
	int r = survey(cap, state, totals, err);

	return r < 0 ? r : 0;
}

const struct hxs_source_ops hxs_source_postgres = {
	.kind = HXS_SOURCE_POSTGRES,
	.list = list,
	.copy = copy,
	.survey = survey,
	.free = free_state,
};

const struct hxs_source_ops hxs_source_command = {
	.kind = HXS_SOURCE_COMMAND,
	.list = list,
	.copy = copy,
	.survey = survey,
	.free = free_state,
};
