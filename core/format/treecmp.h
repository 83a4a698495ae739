#ifndef HXS_FORMAT_TREECMP_H
#define HXS_FORMAT_TREECMP_H

/* What differs between two trees of entries. A pure decision. */
#include "base/err.h"
#include "format/index.h"

enum {
	HXS_DIFF_ADDED = 1, /* only in @b */
	HXS_DIFF_REMOVED = 2, /* only in @a */
	HXS_DIFF_TYPE = 4,
	HXS_DIFF_CONTENT = 8, /* bytes, or a link's target */
	HXS_DIFF_MODE = 16,
	HXS_DIFF_OWNER = 32,
	HXS_DIFF_TIME = 64,
	HXS_DIFF_XATTRS = 128,
	HXS_DIFF_LINKS = 256, /* hard-link grouping */
};

/*
 * Called in path order for each entry that differs. @na or @nb is NULL where
 * the entry is only in the other. Non-zero stops and is returned.
 */
typedef int (*hxs_treecmp_fn)(unsigned what, const char *path,
			      const struct hxs_node *na,
			      const struct hxs_node *nb, void *ctx);

/*
 * What differs between two entries by themselves: a set of the bits above,
 * but for ADDED, REMOVED and LINKS.
 */
unsigned hxs_treecmp_node(const struct hxs_node *na, const struct hxs_node *nb);

/*
 * Compare the trees below @a's entry @top_a and @b's @top_b (not the tops
 * themselves). At the top of
 * a snapshot meta.json and config.json are passed over. -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_treecmp(const struct hxs_index *a, uint32_t top_a,
		const struct hxs_index *b, uint32_t top_b, hxs_treecmp_fn fn,
		void *ctx);

#endif
