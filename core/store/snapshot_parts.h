#ifndef HXS_STORE_SNAPSHOT_PARTS_H
#define HXS_STORE_SNAPSHOT_PARTS_H

/* What a snapshot is made of. For snapshot*.c and content*.c only. */
#include "format/manifest.h"
#include "store/content.h"
#include "store/snapshot.h"

#include <pthread.h>
#include <stdatomic.h>

/*
 * What is known of one file of a foreign snapshot. The verdict is about the
 * inode and change time it was reached for.
 */
enum hxs_verdict { HXS_UNREAD, HXS_READING, HXS_RIGHT, HXS_WRONG };

struct hxs_foreign_file {
	enum hxs_verdict verdict;
	struct hxs_chain chain; /* if RIGHT */
	struct hxs_digest found; /* if WRONG */
	ino_t ino;
	struct timespec ctime;
	off_t size;
};

struct hxs_snapshot {
	atomic_uint refs;
	int fd;
	enum hxs_kind kind;
	char env[HXS_ENV_MAX + 1];
	char id[HXS_ID_LEN + 1];
	char name[HXS_REF_TEXT];
	struct hxs_index *idx;
	struct hxs_digest manifest_digest;
	struct stat manifest_st, index_st;

	/* Of a foreign snapshot only. */
	bool foreign;
	char *manifest_text;
	size_t manifest_len;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* some verdict is no longer READING */
	struct hxs_foreign_file **files; /* by entry; guarded by lock */
	atomic_size_t files_memory;
};

/*
 * Build @snap->idx from @snap->manifest_text and what lies in the directory.
 * -HXS_ECORRUPT, -ENOMEM, -errno.
 */
HXS_MUST_CHECK
int hxs_snapshot_build_foreign(struct hxs_snapshot *snap, struct hxs_err *err);

/*
 * Make sure that foreign file @entry, open as @fd with attributes @st, was
 * hashed whole and is right; point *@chain at what checks its blocks, valid
 * as long as the snapshot. 1 if it was hashed now, with each piece handed to
 * @pour (may be NULL), 0 if that had been done. -ECANCELED if @stop (may be
 * NULL) wants it, -HXS_ECORRUPT with *@fault, -ENOMEM, -errno; what @pour
 * failed with.
 */
HXS_MUST_CHECK
int hxs_content_prove_foreign(struct hxs_snapshot *snap, uint32_t entry, int fd,
			      const struct stat *st,
			      const struct hxs_stop *stop,
			      const struct hxs_pour *pour,
			      const struct hxs_chain **chain,
			      struct hxs_fault *fault, struct hxs_err *err);

/* An open file, see content.h. */
struct hxs_content {
	struct hxs_snapshot *snap;
	uint32_t entry;
	uint64_t size;
	int fd;
	bool holes; /* the file system may have left some out */
	bool unproven; /* a foreign file that was not hashed yet */
	struct hxs_chain_view chain;
	atomic_uint_fast64_t last; /* where the read before this one began */
	const char *mem; /* of the two files without entry, instead of fd */
	char *own; /* mem, if it is ours to free */
};

/* -HXS_ECORRUPT with the sentence of @fault, its path before it, in @err. */
int hxs_content_fail(const struct hxs_snapshot *snap,
		     const struct hxs_fault *fault, struct hxs_err *err);

#endif
