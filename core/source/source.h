#ifndef HXS_SOURCE_SOURCE_H
#define HXS_SOURCE_SOURCE_H

/*
 * What is captured, and (with restore) put back. One row a kind of source.
 *
 * Capturing has two steps so that the verb can spread the second over all
 * processors: list() adds every entry to the builder; the verb then calls
 * copy() for each regular file that list() announced.
 */
#include "base/err.h"
#include "format/config.h"
#include "format/index.h"

#include <stdbool.h>
#include <stdint.h>

struct hxs_capture;

struct hxs_source_totals {
	uint64_t files, bytes;
};

struct hxs_source_ops {
	enum hxs_source_kind kind;

	/*
	 * Walk @src and add its entries to @cap below the top entry named
	 * like the source. -HXS_EUSAGE or -errno when it is missing or
	 * cannot be read.
	 */
	int (*list)(struct hxs_capture *cap,
		    const struct hxs_config_source *src,
		    struct hxs_source_totals *totals, struct hxs_err *err);
};

/* NULL for a kind that this version cannot capture. */
const struct hxs_source_ops *hxs_source_ops(enum hxs_source_kind kind);

#endif
