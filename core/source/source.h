#ifndef HXS_SOURCE_SOURCE_H
#define HXS_SOURCE_SOURCE_H

/*
 * What is captured, and (with restore) put back. One row a kind of source.
 *
 * Capturing has two steps, so that nothing is copied while there is doubt
 * about any source: list() notes every entry, copy() brings the bytes.
 */
#include "base/err.h"
#include "format/config.h"
#include "source/capture.h"

#include <stdbool.h>
#include <stdint.h>

struct hxs_source_totals {
	uint64_t entries; /* of any type but directories */
	uint64_t files, bytes; /* regular files, counted by name */
};

struct hxs_source_ops {
	enum hxs_source_kind kind;

	/*
	 * Look at all of @src: its entries go into the capture's builder,
	 * below a directory named like the source. *@state is for the calls
	 * below and is released with the last of them. *@totals is what was found.
	 *
	 * -HXS_ENOSUCH when the source is not there, -HXS_EDENIED when it
	 * and the store lie in one another, -ECANCELED, -errno.
	 */
	int (*list)(struct hxs_capture *cap,
		    const struct hxs_config_source *src, void **state,
		    struct hxs_source_totals *totals, struct hxs_err *err);

	/*
	 * Copy it into the staging directory, on the capture's pool, and give
	 * the builder digests and final metadata. *@totals is what was copied:
	 * what vanished meanwhile is left out.
	 */
	int (*copy)(struct hxs_capture *cap, void *state,
		    struct hxs_source_totals *totals, struct hxs_err *err);

	/*
	 * Instead of copy(): hash it where it lies, for a snapshot that it is
	 * to be moved into. 1 with *@totals; 0 when only a copy will do.
	 */
	int (*survey)(struct hxs_capture *cap, void *state,
		      struct hxs_source_totals *totals, struct hxs_err *err);

	void (*free)(void *state); /* takes NULL */
};

/* NULL for a kind that this version cannot capture. */
const struct hxs_source_ops *hxs_source_ops(enum hxs_source_kind kind);

extern const struct hxs_source_ops hxs_source_directory;
extern const struct hxs_source_ops hxs_source_sqlite;

#endif
