#ifndef HXS_SOURCE_COPY_H
#define HXS_SOURCE_COPY_H

/*
 * The bytes and attributes of one file, out of the live data into the
 * staging directory, and what they hash to.
 */
#include "base/err.h"
#include "format/chain.h"
#include "source/capture.h"
#include "source/tree.h"

#include <stdbool.h>

/* A worker's buffer and chain maker; borrowed from the capture's stack. */
struct hxs_scribe {
	struct hxs_scribe *next;
	struct hxs_chain_maker *maker;
	struct hxs_buf xattrs;
	char *buf; /* HXS_COPY_BUFFER bytes */
};
#define HXS_COPY_BUFFER (256u << 10)

/* NULL when out of memory. Give it back when done. */
struct hxs_scribe *hxs_copy_take_scribe(struct hxs_capture *cap);
void hxs_copy_give_scribe(struct hxs_capture *cap, struct hxs_scribe *s);
void hxs_copy_free_scribes(struct hxs_capture *cap);

/* One file to copy. */
struct hxs_copy {
	struct hxs_capture *cap;
	struct hxs_scribe *scribe;
	int from_dir, to_dir;
	const char *from, *to; /* names in them */
	bool *no_clone; /* shared: set where cloning turned out impossible */
	bool databases; /* SQLite's are not just bytes */

	/* what was found, on success */
	struct hxs_tree_stat st;
	dev_t dev;
	struct hxs_chain chain; /* the caller's to release */
	bool lost_xattrs; /* some are in the index only */
	bool wal; /* a database, in WAL mode; the copy is not */
	char unchecked[128]; /* why SQLite did not check all of it, or empty */
};

enum hxs_copy_result {
	HXS_COPY_DONE = 1,
	HXS_COPY_GONE = 0, /* it is no longer there, or no regular file */
	HXS_COPY_ODD = 2, /* hxs_copy_hash(): only a copy will do */
};

/*
 * Copy it: read once, hashed, written (or cloned and then hashed), holes
 * kept, attributes set. The file must not change while that happens:
 * otherwise it is done again, three times in all, then -EAGAIN. scribe->xattrs
 * holds its attributes afterwards.
 *
 * A SQLite database at rest is copied so too, with its writers kept out; one
 * that is not, or has changes beside it, by SQLite. The copy of either holds
 * all that was committed, is in rollback mode, and was checked by SQLite.
 *
 * HXS_COPY_*, or -errno with a message that names no path ("cannot read",
 * "cannot write") for the caller to put one before. Nothing is left under
 * @to unless it returns HXS_COPY_DONE.
 */
HXS_MUST_CHECK
int hxs_copy_file(struct hxs_copy *c, struct hxs_err *err);

/*
 * Hash the file where it lies, copying nothing; to_dir, to and lost_xattrs
 * are not used. As hxs_copy_file() otherwise, and HXS_COPY_ODD for a database
 * that more than its bytes belongs to.
 */
HXS_MUST_CHECK
int hxs_copy_hash(struct hxs_copy *c, struct hxs_err *err);

/*
 * Give what is open as @fd the owner, extended attributes, mode and times of
 * @st. Not those that would do harm in a store that others can read: set-id
 * bits and file capabilities are in the index alone; where the owner or
 * group cannot be had, nobody is let in that the original did not let in.
 * -errno. *@lost (may be NULL) is set when some attribute did not fit.
 */
HXS_MUST_CHECK
int hxs_copy_attributes(int fd, const struct hxs_tree_stat *st,
			const void *xattrs, size_t xattrs_len, bool *lost);

/* The same for the symbolic link @name in @dirfd, which has no mode. */
HXS_MUST_CHECK
int hxs_copy_link_attributes(int dirfd, const char *name,
			     const struct hxs_tree_stat *st, const void *xattrs,
			     size_t xattrs_len);

/* The mode that hxs_copy_attributes() gives when owner and group were had. */
static inline mode_t hxs_copy_mode(mode_t mode)
{
	return mode & 01777;
}

#endif
