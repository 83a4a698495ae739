#ifndef HXFS_STATUS_H
#define HXFS_STATUS_H

/*
 * The texts of .status (JSON) and .metrics (Prometheus).
 *
 * A .status that covers a loaded snapshot counts the files that its manifest
 * does not list, once: that walks its directories, so it is -EAGAIN when
 * @patience is HXFS_NOW. To a @stranger, who need not be allowed to see every
 * directory, damaged files are told by snapshot but not by path.
 *
 * *@out is the caller's.
 */
#include "fs/hxfs.h"

HXS_MUST_CHECK
int hxfs_status_text(struct hxfs *fs, const struct hxfs_node *node,
		     enum hxfs_patience patience, bool stranger, char **out,
		     size_t *len, struct hxs_err *err);

#endif
