#ifndef HXS_SOURCE_KEEP_H
#define HXS_SOURCE_KEEP_H

/*
 * What a backup leaves out (excluded names, .env* files, sockets, FIFOs and
 * devices) belongs to the machine, and a restore leaves it where it is: it is
 * given another name in the tree that is staged.
 */
#include "base/err.h"
#include "format/config.h"

#include <stdint.h>

/*
 * Link all that @src leaves out below the live directory @live, which is
 * @below in the source ("" for its top), into the staged tree @staged, at the
 * same paths; directories it is in that are not there are made like the live
 * ones. A name that the staged tree has is left
 * as it is. Both on one file system. *@kept counts what was linked. -errno.
 */
HXS_MUST_CHECK
int hxs_keep_left_out(const struct hxs_config_source *src, const char *below,
		      int live, int staged, uint64_t *kept,
		      struct hxs_err *err);

#endif
