#ifndef HXS_SOURCE_COPY_PASS_H
#define HXS_SOURCE_COPY_PASS_H

/* One pass over the bytes of a file. For copy*.c only. */
#include "source/copy.h"

/*
 * Read all of @from, which was as @st, with c->scribe; have its chain maker
 * hash it; and write it to @to unless that is -1, holes kept. -EAGAIN, without
 * a message, when the file ends too soon; -ECANCELED, -errno.
 */
HXS_MUST_CHECK
int hxs_copy_pass(struct hxs_copy *c, int from, int to, const struct stat *st,
		  struct hxs_err *err);

#endif
