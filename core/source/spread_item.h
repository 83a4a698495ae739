#ifndef HXS_SOURCE_SPREAD_ITEM_H
#define HXS_SOURCE_SPREAD_ITEM_H

/* Bringing over one item of a tree. For spread*.c only. */
#include "source/copy.h"
#include "source/tree.h"

/* What one tree's items are brought over with, by several threads at once. */
struct hxs_spread {
	struct hxs_capture *cap;
	struct hxs_tree *t;
	bool no_clone; /* atomic */
};

/* What a job, or the one thread after them, works with. */
struct hxs_spread_place {
	struct hxs_spread *sp;
	struct hxs_scribe *scribe;
	size_t dir; /* all of these are of this directory; -1: not open */
	int from, to, prev;
	struct hxs_buf shown;
	uint64_t files, bytes; /* done, and not told yet */
	bool linked; /* all of them */
};

void hxs_spread_init(struct hxs_spread_place *p, struct hxs_spread *sp);
void hxs_spread_release(struct hxs_spread_place *p);

/*
 * Go to the copy of directory @dir; the handles of live data and earlier
 * backup are opened when first needed.
 */
HXS_MUST_CHECK
int hxs_spread_go_to(struct hxs_spread_place *p, size_t dir,
		     struct hxs_err *err);

/* A handle on the live directory at hand: 1, or 0 if it vanished. */
HXS_MUST_CHECK
int hxs_spread_open_from(struct hxs_spread_place *p, struct hxs_err *err);

/* Copy, link or make anew @it, which is of the directory at hand: its state. */
HXS_MUST_CHECK
int hxs_spread_item(struct hxs_spread_place *p, struct hxs_tree_item *it,
		    struct hxs_err *err);

/* @it has vanished; is there now. */
void hxs_spread_gone(struct hxs_spread_place *p, struct hxs_tree_item *it);
void hxs_spread_done(struct hxs_spread_place *p, struct hxs_tree_item *it,
		     bool linked);

/* Not all extended attributes of @shown could be kept beside its copy. */
void hxs_spread_warn_lost(struct hxs_capture *cap, const char *shown);

/* The name of @it to be shown, borrowed from @p until the next call. */
const char *hxs_spread_show(struct hxs_spread_place *p,
			    const struct hxs_tree_item *it);

#endif
