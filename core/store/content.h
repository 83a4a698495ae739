#ifndef HXS_STORE_CONTENT_H
#define HXS_STORE_CONTENT_H

/*
 * The one door to stored bytes: read into a buffer, hash that buffer, hand
 * over that buffer or an error. Mount, verify, restore, drill and diff have
 * no other way in.
 */
#include "base/digest.h"
#include "base/err.h"
#include "store/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum hxs_fault_kind {
	HXS_FAULT_NONE,
	HXS_FAULT_BLOCK, /* a block's bytes are not the recorded ones */
	HXS_FAULT_DIGEST, /* a whole file's are not (foreign snapshots) */
	HXS_FAULT_MISSING, /* listed, not there */
	HXS_FAULT_SIZE, /* longer or shorter than recorded */
	HXS_FAULT_TYPE, /* not a regular file, or not the recorded type */
	HXS_FAULT_TARGET, /* a symbolic link leads elsewhere */
	HXS_FAULT_EXTRA, /* there, not listed */
	HXS_FAULT_READ, /* the file system could not read it */
	HXS_FAULT_SNAPSHOT, /* manifest or index */
};

/* "block", "digest", ... for logs and JSON. */
const char *hxs_fault_name(enum hxs_fault_kind kind);

/* One thing found wrong. */
struct hxs_fault {
	enum hxs_fault_kind kind;
	uint32_t entry; /* HXS_ENTRY_* or entry number; 0 if neither */
	uint64_t offset, len; /* of the block (BLOCK), else 0 and the size */
	struct hxs_digest expected, found; /* BLOCK and DIGEST */
	char reason[256]; /* a sentence without the path */
};

/* Memory for one reader at a time; grows as needed, reused between reads. */
struct hxs_scratch {
	void *mem;
	size_t cap;
};
void hxs_scratch_release(struct hxs_scratch *s);

struct hxs_content;

/*
 * Open regular file @entry (or HXS_ENTRY_INDEX, HXS_ENTRY_MANIFEST) of
 * @snap; keeps a reference on @snap. A native file's blocks are checked as
 * they are read. A foreign file is hashed whole here, once a snapshot object,
 * whatever the number of threads that ask at once; what checks its blocks is
 * kept with the snapshot.
 *
 * -HXS_ECORRUPT with *@fault filled (missing, size, type, digest), -EISDIR,
 * -EINVAL for other types, -errno with fault kind READ for I/O errors.
 */
HXS_MUST_CHECK
int hxs_content_open(struct hxs_snapshot *snap, uint32_t entry,
		     struct hxs_content **out, struct hxs_fault *fault,
		     struct hxs_err *err);

/*
 * The same for a caller that may lose interest: hashing a foreign file, or
 * waiting for who does, ends with -ECANCELED soon after @stop said true. It
 * is asked about every millisecond, while no lock is held.
 */
struct hxs_stop {
	bool (*wanted)(void *ctx);
	void *ctx;
};
HXS_MUST_CHECK
int hxs_content_open_until(struct hxs_snapshot *snap, uint32_t entry,
			   const struct hxs_stop *stop,
			   struct hxs_content **out, struct hxs_fault *fault,
			   struct hxs_err *err);

/*
 * The same for a copy of all of it, which need not read it twice: a foreign
 * file is not hashed yet. Unless hxs_content_is_proven(), clone and pour it,
 * and do nothing else with it until that has ended well.
 */
HXS_MUST_CHECK
int hxs_content_open_unproven(struct hxs_snapshot *snap, uint32_t entry,
			      struct hxs_content **out, struct hxs_fault *fault,
			      struct hxs_err *err);
bool hxs_content_is_proven(const struct hxs_content *c);
void hxs_content_close(struct hxs_content *c); /* takes NULL */
HXS_AUTO_DEFINE(content, struct hxs_content *, hxs_content_close)

uint64_t hxs_content_size(const struct hxs_content *c);
uint32_t hxs_content_entry(const struct hxs_content *c);

/*
 * Bytes [@off, @off + @len) of the file, less at its end, none past it:
 * returns their number and points *@out at them, in @scratch, valid until its
 * next use. Every block they lie in was hashed and matched in this call.
 * Several threads may read one content with a scratch each.
 *
 * -HXS_ECORRUPT with *@fault telling the first block that does not match; a
 * caller that wants the others asks for them one by one. -errno.
 */
HXS_MUST_CHECK
ssize_t hxs_content_read(struct hxs_content *c, uint64_t off, size_t len,
			 struct hxs_scratch *scratch, const void **out,
			 struct hxs_fault *fault, struct hxs_err *err);

/*
 * Check blocks [@first, @first + @count) without handing them over, each
 * fault through @fn, going on after it. Holes are checked to read as zeros.
 * Returns the number of faults, or -errno when checking itself failed.
 */
typedef void (*hxs_content_fault_fn)(const struct hxs_fault *fault, void *ctx);
HXS_MUST_CHECK
int64_t hxs_content_check(struct hxs_content *c, uint64_t first, uint64_t count,
			  struct hxs_scratch *scratch, hxs_content_fault_fn fn,
			  void *ctx);

/*
 * The same for a caller that wants none of it if any is wrong: 0, or
 * -HXS_ECORRUPT with *@fault telling the first that does not match; -errno.
 */
HXS_MUST_CHECK
int hxs_content_prove(struct hxs_content *c, uint64_t first, uint64_t count,
		      struct hxs_scratch *scratch, struct hxs_fault *fault,
		      struct hxs_err *err);

/*
 * Read all of an unproven file in order and once, hand over each piece, and
 * tell in the end whether they were right: until then none can be believed.
 * 1; or 0 when another has proven it meanwhile and nothing was handed over.
 * Either way it is a proven one from then on.
 *
 * What @fn fails with ends it, with the message that @fn wrote. -ECANCELED,
 * -HXS_ECORRUPT with *@fault, -errno as for opening.
 */
struct hxs_pour {
	int (*fn)(const void *data, size_t len, uint64_t off, void *ctx,
		  struct hxs_err *err);
	void *ctx;
};
HXS_MUST_CHECK
int hxs_content_pour(struct hxs_content *c, const struct hxs_stop *stop,
		     const struct hxs_pour *pour, struct hxs_fault *fault,
		     struct hxs_err *err);

/*
 * Make @to, an empty file open for reading and writing, a clone of the stored
 * file: 1, or 0 with @to empty where that cannot be had; then *@never tells
 * that no other file between these two places can be cloned either.
 *
 * From a clone on, @c reads and checks the clone: prove all of it before it
 * is of any use. Not while others read @c. -HXS_ECORRUPT, -errno.
 */
HXS_MUST_CHECK
int hxs_content_clone(struct hxs_content *c, int to, bool *never,
		      struct hxs_fault *fault, struct hxs_err *err);

/*
 * Where the stored file has data and holes, finer than its blocks, for a copy
 * that leaves out what it leaves out: as lseek(2)'s SEEK_DATA and SEEK_HOLE,
 * -ENXIO when no data follow, -errno. A file without holes need not be asked.
 * It tells nothing of the bytes: those come from hxs_content_read().
 */
bool hxs_content_may_have_holes(const struct hxs_content *c);
int64_t hxs_content_seek(const struct hxs_content *c, uint64_t off, bool hole);

/*
 * Have the file system fetch @len bytes from @off on into its cache, without
 * waiting, for a caller that reads in order, with others elsewhere in @c.
 */
void hxs_content_fetch(const struct hxs_content *c, uint64_t off, uint64_t len);

/*
 * Have the file system fetch the beginning of @entry into its cache, without
 * looking at it or waiting for it. For files that will be read soon; failing
 * is of no consequence.
 */
void hxs_content_prefetch(struct hxs_snapshot *snap, uint32_t entry);

#endif
