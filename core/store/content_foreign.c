/*
 * The first open of a foreign file: hash it whole, once, and keep the chain.
 *
 * Several readers may ask for one file at once; one of them hashes, the rest
 * wait for its verdict. If that one gives up, another of them begins anew. A
 * wrong file's verdict is kept too, for that inode as it was, so that asking
 * again does not read it again.
 */
#include "base/io.h"
#include "store/snapshot_parts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define READ_SIZE (1u << 20)
#define WAIT_NS (20 * 1000 * 1000) /* between looks at whether to stop */

static bool is_wanted(const struct hxs_stop *stop)
{
	return stop && stop->wanted(stop->ctx);
}

/* Hashing one file. */
struct hashing {
	int fd;
	uint64_t size;
	const struct hxs_stop *stop;
	const struct hxs_pour *pour;
	bool stuck; /* the one it is handed to has failed, and said so */
};

/* Hand over what was read at @off, but nothing past the known end. */
static int hand_over(struct hashing *h, const void *data, size_t len,
		     uint64_t off, struct hxs_err *err)
{
	int r;

	if (!h->pour || off >= h->size)
		return 0;
	if (len > h->size - off)
		len = (size_t)(h->size - off);
	r = len ? h->pour->fn(data, len, off, h->pour->ctx, err) : 0;
	h->stuck = r < 0;
	return r;
}

/* Hash all of it; the size is known and must not change meanwhile. */
static int hash_file(struct hashing *h, struct hxs_chain *chain,
		     struct hxs_err *err)
{
	uint64_t size = h->size;
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
	(void)posix_fadvise(h->fd, 0, 0,
			    POSIX_FADV_SEQUENTIAL); /* only advice */
	do {
		if (is_wanted(h->stop))
			return -ECANCELED;
		n = hxs_io_pread_full(h->fd, buf, want, off);
		if (n < 0)
			return (int)n;
		r = hxs_chain_maker_data(maker, buf, (size_t)n);
		if (r == 0)
			r = hand_over(h, buf, (size_t)n, off, err);
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
 * Wait until nobody hashes file @entry, with the lock held, which is let go
 * meanwhile. -ECANCELED.
 */
static int wait_settled(struct hxs_snapshot *snap, uint32_t entry,
			const struct hxs_stop *stop)
{
	struct hxs_foreign_file *f;
	struct timespec until;
	bool wanted;

	while ((f = snap->files[entry]) && f->verdict == HXS_READING) {
		if (!stop) {
			(void)pthread_cond_wait(&snap->changed, &snap->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&snap->lock);
		wanted = is_wanted(stop);
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		(void)pthread_mutex_lock(&snap->lock);
		if (wanted)
			return -ECANCELED;
		if (f->verdict != HXS_READING)
			continue;
		until.tv_nsec += WAIT_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		(void)pthread_cond_clockwait(&snap->changed, &snap->lock,
					     CLOCK_MONOTONIC, &until);
	}
	return 0;
}

/*
 * The record of file @entry with its verdict settled, or READING and then
 * this thread's to settle. -ENOMEM, -ECANCELED. The lock is held.
 */
static int claim(struct hxs_snapshot *snap, uint32_t entry,
		 const struct stat *st, const struct hxs_stop *stop,
		 struct hxs_foreign_file **out, bool *mine)
{
	struct hxs_foreign_file *f;
	int r;

	*mine = false;
	r = wait_settled(snap, entry, stop);
	if (r < 0)
		return r;
	f = snap->files[entry];
	if (!f) {
		f = snap->files[entry] = calloc(1, sizeof(*f));
		if (!f)
			return -ENOMEM;
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
	*out = f;
	return 0;
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
			      const struct hxs_stop *stop,
			      const struct hxs_pour *pour,
			      const struct hxs_chain **chain,
			      struct hxs_fault *fault, struct hxs_err *err)
{
	struct hashing h = { .fd = fd, .stop = stop, .pour = pour };
	struct hxs_chain made = { 0 };
	struct hxs_foreign_file *f;
	struct hxs_digest found;
	struct hxs_node node;
	bool mine, right = false;
	int r;

	hxs_index_get(snap->idx, entry, &node);
	(void)pthread_mutex_lock(&snap->lock);
	r = claim(snap, entry, st, stop, &f, &mine);
	/* Settled now; another thread may unsettle it as soon as we let go. */
	if (r == 0) {
		right = f->verdict == HXS_RIGHT;
		found = f->found;
	}
	(void)pthread_mutex_unlock(&snap->lock);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot check '%s'", node.name);
	if (mine) {
		h.size = node.size;
		r = hash_file(&h, &made, err);
		found = made.digest;
		right = settle(snap, f, st, r, node.digest, &made);
		hxs_chain_release(&made);
	}
	if (h.stuck)
		return r;
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
	return mine;
}

int hxs_content_pour(struct hxs_content *c, const struct hxs_stop *stop,
		     const struct hxs_pour *pour, struct hxs_fault *fault,
		     struct hxs_err *err)
{
	const struct hxs_chain *chain;
	struct stat st;
	int r;

	memset(fault, 0, sizeof(*fault));
	assert(c->unproven);
	if (fstat(c->fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at a file");
	r = hxs_content_prove_foreign(c->snap, c->entry, c->fd, &st, stop, pour,
				      &chain, fault, err);
	if (r < 0)
		return r;
	hxs_chain_view(chain, &c->chain);
	c->unproven = false;
	return r;
}
