#include "verbs/repair.h"

#include "base/io.h"
#include "base/path.h"
#include "store/lock.h"
#include "store/snapshot.h"
#include "verbs/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AREA ".hxsnap/repair" /* what is taken over lies there meanwhile */
#define PIECE 65536u

struct repair {
	struct hxs_store *store;
	const struct hxs_repair_opts *opts;
	struct hxs_repair_report *out;
	struct hxs_snapshot *snap;
	int from, area;
	char tmp[HXS_ENV_MAX + 8]; /* its name in the area: one a lock */
	uint32_t *entries; /* regular files that are damaged */
	size_t count, cap;
	int status; /* -ENOMEM while they were collected */
};

static void on_fault(const struct hxs_fault *fault, const char *path HXS_UNUSED,
		     void *ctx)
{
	struct repair *rp = ctx;
	struct hxs_index *idx = hxs_snapshot_index(rp->snap);
	struct hxs_node node;
	uint32_t *grown;
	size_t cap, i;

	if (fault->kind == HXS_FAULT_EXTRA ||
	    fault->kind == HXS_FAULT_SNAPSHOT || fault->entry == 0 ||
	    fault->entry >= hxs_index_count(idx))
		return;
	hxs_index_get(idx, fault->entry, &node);
	if (!S_ISREG(node.mode))
		return;
	/* Faults of one file come near each other. */
	for (i = rp->count; i > 0; i--)
		if (rp->entries[i - 1] == fault->entry)
			return;
	if (rp->count == rp->cap) {
		cap = rp->cap ? 2 * rp->cap : 64;
		grown = reallocarray(rp->entries, cap, sizeof(*grown));
		if (!grown) {
			rp->status = -ENOMEM;
			return;
		}
		rp->entries = grown;
		rp->cap = cap;
	}
	rp->entries[rp->count++] = fault->entry;
}

static bool is_zero(const char *data, size_t len)
{
	return len == 0 ||
	       (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/*
 * Copy all of @in, which is to have @digest and no more than @most bytes; holes
 * stay holes.
 */
static int take_over(int in, int out, const struct hxs_digest *digest,
		     uint64_t most, struct hxs_err *err)
{
	HXS_AUTO_FREE char *piece = malloc(PIECE);
	struct hxs_digest found;
	struct hxs_hasher h;
	uint64_t off = 0;
	ssize_t n;
	int r;

	if (!piece)
		return hxs_err_errno(err, ENOMEM, "cannot take it over");
	hxs_hasher_init(&h);
	do {
		n = hxs_io_read_full(in, piece, PIECE);
		if (n < 0)
			return hxs_err_errno(err, (int)-n,
					     "cannot read the copy");
		hxs_hasher_update(&h, piece, (size_t)n);
		r = is_zero(piece, (size_t)n)
			    ? 0
			    : hxs_io_pwrite_full(out, piece, (size_t)n, off);
		if (r < 0)
			return hxs_err_errno(err, -r, "cannot write to '%s'",
					     AREA);
		off += (uint64_t)n;
	} while (n == (ssize_t)PIECE && off <= most);
	hxs_hasher_final(&h, &found);
	if (off > most || !hxs_digest_equal(&found, digest))
		return hxs_err_set(err, HXS_ECORRUPT,
				   "the copy is another one than the manifest "
				   "lists");
	if (ftruncate(out, (off_t)off) < 0)
		return hxs_err_errno(err, errno, "cannot write to '%s'", AREA);
	return 0;
}

/* What the stored file is to look like; one of ours says so in its index. */
static void attributes_of(const struct repair *rp, const struct hxs_node *node,
			  int dir, int in, struct stat *st)
{
	if (!hxs_snapshot_is_foreign(rp->snap)) {
		st->st_mode = node->mode;
		st->st_uid = node->uid;
		st->st_gid = node->gid;
		st->st_mtim = node->mtime;
	} else if (fstatat(dir, node->name, st, AT_SYMLINK_NOFOLLOW) < 0 ||
		   !S_ISREG(st->st_mode)) {
		(void)fstat(in, st); /* it is open: cannot fail */
	}
}

static int set_attributes(int fd, const struct stat *st, struct hxs_err *err)
{
	const struct timespec times[2] = { st->st_mtim, st->st_mtim };

	/* Owners are for root to give; without, they are ours. */
	if (geteuid() == 0 && fchown(fd, st->st_uid, st->st_gid) < 0)
		return hxs_err_errno(err, errno, "cannot set its owner");
	if (fchmod(fd, st->st_mode & 07777) < 0 || futimens(fd, times) < 0 ||
	    fsync(fd) < 0)
		return hxs_err_errno(err, errno, "cannot make it durable");
	return 0;
}

/* The directory it belongs in, made if that is missing, too. */
static int open_parent(const struct repair *rp, const struct hxs_node *node,
		       struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(rp->snap);
	const struct hxs_index_head *head = hxs_index_head(idx);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf whole = HXS_BUF_INIT;
	int fd, r;

	r = hxs_index_path(idx, node->parent, &path);
	if (r == 0)
		r = hxs_buf_printf(&whole, "%s/%s/%s/%s",
				   hxs_store_area(head->kind), head->env,
				   head->id, hxs_buf_str(&path));
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot name its directory");
	fd = hxs_io_open_dir(hxs_snapshot_fd(rp->snap), hxs_buf_str(&path));
	if (fd == -ENOENT)
		fd = hxs_store_make_dir(rp->store, whole.data, 0755, NULL);
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open its directory");
	return fd;
}

/* In one step; the directory's times are as they were, or were to be. */
static int place(const struct repair *rp, const struct hxs_node *node, int dir,
		 struct hxs_err *err)
{
	struct timespec times[2];
	struct hxs_node parent;
	struct stat st;

	if (fstat(dir, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at its place");
	hxs_index_get(hxs_snapshot_index(rp->snap), node->parent, &parent);
	if (!hxs_snapshot_is_foreign(rp->snap) && node->parent != 0)
		st.st_mtim = parent.mtime;
	times[0] = times[1] = st.st_mtim;
	if (renameat(rp->area, rp->tmp, dir, node->name) < 0 ||
	    futimens(dir, times) < 0 || fsync(dir) < 0)
		return hxs_err_errno(err, errno, "cannot put it in its place");
	return 0;
}

static int put_back(struct repair *rp, const struct hxs_node *node,
		    const char *path, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int in = -1;
	HXS_AUTO_CLOSE int out = -1;
	HXS_AUTO_CLOSE int dir = -1;
	struct stat st = { .st_mode = 0 };
	int r;

	in = hxs_io_open_regular(rp->from, path, NULL);
	if (in < 0)
		return hxs_err_errno(err, -in, "cannot open the copy");
	(void)unlinkat(rp->area, rp->tmp, 0); /* of one that was killed */
	out = hxs_io_open_beneath(rp->area, rp->tmp, O_RDWR | O_CREAT | O_EXCL,
				  0600);
	if (out < 0)
		return hxs_err_errno(err, -out, "cannot write to '%s'", AREA);
	/* Without an index, a size is that of what lies there. */
	r = take_over(in, out, node->digest,
		      hxs_snapshot_is_foreign(rp->snap) ? INT64_MAX
							: node->size,
		      err);
	if (r < 0)
		return r;
	dir = open_parent(rp, node, err);
	if (dir < 0)
		return dir;
	attributes_of(rp, node, dir, in, &st);
	r = set_attributes(out, &st, err);
	if (r < 0)
		return r;
	return place(rp, node, dir, err);
}

static int repair_files(struct repair *rp, struct hxs_err *err)
{
	struct hxs_index *idx = hxs_snapshot_index(rp->snap);
	const struct hxs_listener *l = rp->opts->listener;
	struct hxs_node node;
	size_t i;
	int r;

	for (i = 0; i < rp->count; i++) {
		HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
		struct hxs_err why = HXS_ERR_INIT;

		if (l && l->cancelled && l->cancelled(l->ctx))
			return hxs_err_errno(err, ECANCELED,
					     "the repair ended early");
		hxs_index_get(idx, rp->entries[i], &node);
		r = hxs_index_path(idx, rp->entries[i], &path);
		if (r < 0)
			return hxs_err_errno(err, -r, "cannot repair it");
		r = put_back(rp, &node, path.data, &why);
		(void)unlinkat(rp->area, rp->tmp, 0); /* gone if it is placed */
		rp->out->repaired += r == 0;
		if (rp->opts->file)
			rp->opts->file(path.data, r, why.message,
				       rp->opts->ctx);
	}
	return 0;
}

static int run(struct repair *rp, enum hxs_kind kind, const char *env,
	       const char *id, struct hxs_err *err)
{
	struct hxs_verify_opts look = {
		.listener = rp->opts->listener,
		.fault = on_fault,
		.fault_ctx = rp,
	};
	struct hxs_verify_report rep;
	int r;

	r = hxs_verify(rp->store, kind, env, id, &look, &rep, err);
	if (r < 0 && r != -HXS_ECORRUPT)
		return r;
	if (rp->status < 0)
		return hxs_err_errno(err, -rp->status, "cannot repair it");
	hxs_err_clear(err);
	rp->out->damaged = rp->count;
	r = repair_files(rp, err);
	if (r < 0)
		return r;
	look.fault = NULL;
	look.save = true;
	r = hxs_verify(rp->store, kind, env, id, &look, &rep, err);
	rp->out->left = rep.faults;
	return r;
}

int hxs_repair(struct hxs_store *s, enum hxs_kind kind, const char *env,
	       const char *id, int from, const struct hxs_repair_opts *opts,
	       struct hxs_repair_report *out, struct hxs_err *err)
{
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	HXS_AUTO_CLOSE int area = -1;
	struct repair rp = {
		.store = s, .opts = opts, .out = out, .from = from
	};
	int r;

	memset(out, 0, sizeof(*out));
	r = hxs_lock_env(s, env, "repair", &lock, err);
	if (r == 0)
		r = hxs_snapshot_open(s, kind, env, id, &snap, err);
	if (r < 0)
		return r;
	area = hxs_store_make_dir(s, AREA, 0700, NULL);
	if (area < 0)
		return hxs_err_errno(err, -area, "cannot make '%s/%s'",
				     hxs_store_path(s), AREA);
	rp.snap = snap;
	rp.area = area;
	(void)snprintf(rp.tmp, sizeof(rp.tmp), "%s", env);
	r = run(&rp, kind, env, id, err);
	free(rp.entries);
	return r;
}
