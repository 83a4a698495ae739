#ifndef HXS_TOOLS_CHANGES_H
#define HXS_TOOLS_CHANGES_H

/* Printing what differs between two trees, as text or as JSON. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "format/treecmp.h"

#include <stdbool.h>
#include <stdint.h>

struct hxs_changes {
	bool json;
	uint64_t added, modified, removed;
	/* Kept apart: a verb may word a callback's failure in its own way. */
	int status;
	struct hxs_err why;
};

/* The words for the bits of treecmp.h: "content, mode", and as an array. */
void hxs_changes_words(unsigned what, struct hxs_buf *out);
void hxs_changes_json_words(unsigned what, struct hxs_json_out *o);

/* The keys that tell of one entry, put into the object that is open. */
void hxs_changes_json_node(const struct hxs_node *n, struct hxs_json_out *o);

/* Whether a digest is known: of what was not read it is not. */
bool hxs_changes_is_known(const struct hxs_digest *d);

/* Print one difference and count it; a hxs_treecmp_fn. */
int hxs_changes_print(unsigned what, const char *path,
		      const struct hxs_node *na, const struct hxs_node *nb,
		      void *changes);

/* What became of a comparison that returned @r: @r, or why not all of it was
 * printed. */
HXS_MUST_CHECK
int hxs_changes_end(const struct hxs_changes *c, int r, struct hxs_err *err);

#endif
