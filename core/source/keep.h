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
 * ones. An excluded file or .env* takes the place of a staged one of that
 * name, since no rollback point holds it; anything else does not. What would
 * be applied to a staged database is not kept.
 *
 * @staged is -1 where what is staged is no directory: then there must be
 * nothing to keep. Both are on one file system. *@kept counts what was linked.
 * -HXS_EDENIED for anything live that is immutable or append-only; -errno.
 */
HXS_MUST_CHECK
int hxs_keep_left_out(const struct hxs_config_source *src, const char *below,
		      int live, int staged, uint64_t *kept,
		      struct hxs_err *err);

/*
 * The same where nothing is staged: directory @name, like the live one, is
 * made in @stage if there is anything to keep.
 */
HXS_MUST_CHECK
int hxs_keep_alone(const struct hxs_config_source *src, const char *below,
		   int live, int stage, const char *name, uint64_t *kept,
		   struct hxs_err *err);

#endif
