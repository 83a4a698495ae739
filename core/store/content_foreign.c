/*
 * The first open of a foreign file: hash it whole, once, and keep the chain.
 *
 * Several readers may ask for one file at once; one of them hashes, the rest
 * wait for its verdict. A wrong file's verdict is kept too, for that inode as
 * it was, so that asking again does not read it again.
 */
#include "base/io.h"
#include "store/snapshot_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define READ_SIZE (1u << 20)

/* Hash all of @fd; the size is known and must not change meanwhile. */
static int hash_file(int fd, uint64_t size, struct hxs_chain *chain)
{
	HXS_AUTO(chain_maker) struct hxs_chain_maker *maker = NULL;
	size_t want = size < READ_SIZE ? (size_t)size + 1 : READ_SIZE;
	HXS_AUTO_FREE void *buf = malloc(want);
	uint64_t off = 0;
	ssize_t n;
	int r;

	if (!buf)
		return -ENOMEM;
	r = hxs_chain_maker_new(&maker);
	if (r < 0)
		return r;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only advice */
	do {
		n = hxs_io_pread_full(fd, buf, want, off);
		if (n < 0)
			return (int)n;
		r = hxs_chain_maker_data(maker, buf, (size_t)n);
		if (r < 0)
			return r;
		off += (uint64_t)n;
	} while ((size_t)n == want && off <= size); /* or it grew: wrong */
	return hxs_chain_maker_finish(maker, chain);
}

static bool same_file(const struct hxs_foreign_file *f, const struct stat *st)
{
	return f->ino == st->st_ino && f->size == st->st_size &&
	       f->ctime.tv_sec == st->st_ctim.tv_sec &&
	       f->ctime.tv_nsec == st->st_ctim.tv_nsec;
}

/*
 * The record of file @entry with its verdict settled, or READING and then
 * this thread's to settle. NULL when out of memory. The lock is held.
 */
static struct hxs_foreign_file *claim(struct hxs_snapshot *snap, uint32_t entry,
				      const struct stat *st, bool *mine)
{
	struct hxs_foreign_file *f;

	*mine = false;
	while ((f = snap->files[entry]) && f->verdict == HXS_READING)
		(void)pthread_cond_wait(&snap->changed, &snap->lock);
	if (!f) {
		f = snap->files[entry] = calloc(1, sizeof(*f));
		if (!f)
			return NULL;
		atomic_fetch_add(&snap->files_memory, sizeof(*f));
	}
	/*
	 * A right file's chain is in use by its readers and stays: it was
	 * made from the manifest's bytes and no others can match it.
	 */
	if (f->verdict == HXS_UNREAD ||
	    (f->verdict == HXS_WRONG && !same_file(f, st))) {
		f->verdict = HXS_READING;
		*mine = true;
	}
	return f;
}

/* Put down how hashing it has ended; whether it is right. */
static bool settle(struct hxs_snapshot *snap, struct hxs_foreign_file *f,
		   const struct stat *st, int r, const struct hxs_digest *want,
		   struct hxs_chain *chain)
{
	bool right = false;

	(void)pthread_mutex_lock(&snap->lock);
	if (r < 0) {
		f->verdict = HXS_UNREAD;
	} else if (hxs_digest_equal(&chain->digest, want) &&
		   chain->size == (uint64_t)st->st_size) {
		f->verdict = HXS_RIGHT;
		right = true;
		f->chain = *chain;
		memset(chain, 0, sizeof(*chain));
		atomic_fetch_add(&snap->files_memory,
				 f->chain.state_count * sizeof(*want));
	} else {
		f->verdict = HXS_WRONG;
		f->found = chain->digest;
		f->ino = st->st_ino;
		f->size = st->st_size;
		f->ctime = st->st_ctim;
	}
	(void)pthread_cond_broadcast(&snap->changed);
	(void)pthread_mutex_unlock(&snap->lock);
	return right;
}

static int fail_wrong(struct hxs_snapshot *snap, uint32_t entry,
		      const struct hxs_digest *want,
		      const struct hxs_digest *found, uint64_t size,
		      struct hxs_fault *fault, struct hxs_err *err)
{
	fault->kind = HXS_FAULT_DIGEST;
	fault->entry = entry;
	fault->len = size;
	fault->expected = *want;
	fault->found = *found;
	(void)snprintf(fault->reason, sizeof(fault->reason),
		       "its bytes are not those the manifest lists");
	return hxs_content_fail(snap, fault, err);
}

int hxs_content_prove_foreign(struct hxs_snapshot *snap, uint32_t entry, int fd,
			      const struct stat *st,
			      const struct hxs_chain **chain,
			      struct hxs_fault *fault, struct hxs_err *err)
{
	struct hxs_chain made = { 0 };
	struct hxs_foreign_file *f;
	struct hxs_digest found;
	struct hxs_node node;
	bool mine, right;
	int r = 0;

	hxs_index_get(snap->idx, entry, &node);
	(void)pthread_mutex_lock(&snap->lock);
	f = claim(snap, entry, st, &mine);
	/* Settled now; another thread may unsettle it as soon as we let go. */
	right = f && f->verdict == HXS_RIGHT;
	if (f)
		found = f->found;
	(void)pthread_mutex_unlock(&snap->lock);
	if (!f)
		return hxs_err_errno(err, ENOMEM, "cannot check a file");
	if (mine) {
		r = hash_file(fd, node.size, &made);
		found = made.digest;
		right = settle(snap, f, st, r, node.digest, &made);
		hxs_chain_release(&made);
	}
	if (r < 0) {
		fault->kind = r == -EIO ? HXS_FAULT_READ : HXS_FAULT_NONE;
		fault->entry = entry;
		(void)snprintf(fault->reason, sizeof(fault->reason),
			       "the store cannot read it");
		return hxs_err_errno(err, -r, "cannot read '%s'", node.name);
	}
	if (!right)
		return fail_wrong(snap, entry, node.digest, &found, node.size,
				  fault, err);
	*chain = &f->chain;
	return 0;
}
