/*
 * A source that is one SQLite database. It is captured as a single file of a
 * directory source is; only that what was captured has to be a database.
 */
#include "base/io.h"
#include "source/source.h"
#include "source/sqlite.h"
#include "source/tree.h"

#include <errno.h>

static int list(struct hxs_capture *cap, const struct hxs_config_source *src,
		void **state, struct hxs_source_totals *totals,
		struct hxs_err *err)
{
	HXS_AUTO(tree) struct hxs_tree *t = NULL;
	void *found = NULL;
	int r;

	r = hxs_source_directory.list(cap, src, &found, totals, err);
	t = found;
	if (r < 0)
		return r;
	if (!t->single)
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': '%s' is a directory, and no "
				   "SQLite database",
				   src->name, src->path);
	if (t->item_count == 0)
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': '%s' is never copied, as its "
				   "name says that it may hold secrets",
				   src->name, src->path);
	*state = HXS_STEAL(t);
	return 0;
}

/*
 * Look at the copy, which is what will be restored, whatever the live file
 * was before and after.
 */
static int check_copy(struct hxs_capture *cap, const struct hxs_tree *t,
		      struct hxs_err *err)
{
	HXS_AUTO_CLOSE int dir = -1, fd = -1;
	int r;

	if (t->items[0].state == HXS_TREE_GONE)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s': '%s' vanished while "
				   "it was read",
				   t->src->name, t->src->path);
	dir = hxs_tree_open(t, 0, cap->dest, true);
	fd = dir < 0 ? dir : hxs_io_open_regular(dir, t->items[0].name, NULL);
	r = fd < 0 ? fd : hxs_sqlite_look(fd);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "source '%s': cannot read the copy of "
				     "'%s'",
				     t->src->name, t->src->path);
	if (r == HXS_SQLITE_NONE)
		return hxs_err_set(err, EIO,
				   "source '%s': '%s' is no SQLite database",
				   t->src->name, t->src->path);
	return 0;
}

static int copy(struct hxs_capture *cap, void *state,
		struct hxs_source_totals *totals, struct hxs_err *err)
{
	const struct hxs_tree *t = state;
	int r;

	r = hxs_source_directory.copy(cap, state, totals, err);
	/* A rollback point keeps whatever there is. */
	return r == 0 && !t->src->sqlite_raw ? check_copy(cap, t, err) : r;
}

static int survey(struct hxs_capture *cap, void *state,
		  struct hxs_source_totals *totals, struct hxs_err *err)
{
	return hxs_source_directory.survey(cap, state, totals, err);
}

static void free_state(void *state)
{
	hxs_tree_free(state);
}

const struct hxs_source_ops hxs_source_sqlite = {
	.kind = HXS_SOURCE_SQLITE,
	.list = list,
	.copy = copy,
	.survey = survey,
	.free = free_state,
};
