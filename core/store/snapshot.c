/* Opening a snapshot and proving it by its manifest. */
#include "store/snapshot.h"

#include "base/io.h"
#include "base/path.h"
#include "store/snapshot_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void destroy(struct hxs_snapshot *snap)
{
	uint32_t i, count;

	if (snap->files) {
		count = hxs_index_count(snap->idx);
		for (i = 0; i < count; i++) {
			if (!snap->files[i])
				continue;
			hxs_chain_release(&snap->files[i]->chain);
			free(snap->files[i]);
		}
		free(snap->files);
	}
	hxs_index_unref(snap->idx);
	free(snap->manifest_text);
	if (snap->fd >= 0)
		(void)close(snap->fd); /* it was only read */
	(void)pthread_mutex_destroy(&snap->lock);
	(void)pthread_cond_destroy(&snap->changed);
	free(snap);
}

struct hxs_snapshot *hxs_snapshot_ref(struct hxs_snapshot *snap)
{
	atomic_fetch_add_explicit(&snap->refs, 1, memory_order_relaxed);
	return snap;
}

void hxs_snapshot_unref(struct hxs_snapshot *snap)
{
	if (snap && atomic_fetch_sub_explicit(&snap->refs, 1,
					      memory_order_acq_rel) == 1)
		destroy(snap);
}

static struct hxs_snapshot *new_snapshot(enum hxs_kind kind, const char *env,
					 const char *id)
{
	struct hxs_snapshot *snap = calloc(1, sizeof(*snap));

	if (!snap)
		return NULL;
	atomic_init(&snap->refs, 1);
	atomic_init(&snap->files_memory, 0);
	(void)pthread_mutex_init(&snap->lock, NULL); /* cannot fail on Linux */
	(void)pthread_cond_init(&snap->changed, NULL);
	snap->fd = -1;
	snap->kind = kind;
	(void)strncpy(snap->env, env, HXS_ENV_MAX); /* zeroed, so ended */
	(void)strncpy(snap->id, id, HXS_ID_LEN);
	hxs_ref_format(kind, env, id, snap->name);
	return snap;
}

/*
 * Open one of the snapshot's own files. That it is missing or something else
 * than a file is damage; that it cannot be read is the reason given.
 */
static int open_part(const struct hxs_snapshot *snap, const char *name,
		     uint64_t max, struct stat *st, struct hxs_err *err)
{
	int fd = hxs_io_open_regular(snap->fd, name, st);

	if (fd == -ENOENT)
		return hxs_err_set(err, HXS_ECORRUPT, "%s is missing", name);
	if (fd == -ELOOP || fd == -EINVAL || fd == -EXDEV || fd == -ENXIO)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "%s is not a regular file", name);
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open %s", name);
	if ((uint64_t)st->st_size > max) {
		(void)close(fd); /* it was only read */
		return hxs_err_set(err, HXS_ECORRUPT, "%s is too large", name);
	}
	return fd;
}

/* Read all @len bytes of it; fewer means that it is being changed. */
static int read_part(int fd, const char *name, size_t len, char **out,
		     struct hxs_err *err)
{
	HXS_AUTO_FREE char *bytes = malloc(len ? len : 1);
	ssize_t n;

	if (!bytes)
		return hxs_err_errno(err, ENOMEM, "cannot read %s", name);
	n = hxs_io_pread_full(fd, bytes, len, 0);
	if (n < 0)
		return hxs_err_errno(err, (int)-n, "cannot read %s", name);
	if ((size_t)n != len)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "%s became shorter while it was read", name);
	*out = HXS_STEAL(bytes);
	return 0;
}

static int load_manifest(struct hxs_snapshot *snap, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	int r;

	fd = open_part(snap, HXS_MANIFEST_NAME, HXS_MANIFEST_MAX,
		       &snap->manifest_st, err);
	if (fd < 0)
		return fd;
	snap->manifest_len = (size_t)snap->manifest_st.st_size;
	r = read_part(fd, HXS_MANIFEST_NAME, snap->manifest_len,
		      &snap->manifest_text, err);
	if (r < 0)
		return r;
	hxs_digest_of(snap->manifest_text, snap->manifest_len,
		      &snap->manifest_digest);
	return 0;
}

/* The header is looked at first, so that no index makes us read gigabytes. */
static int load_index(struct hxs_snapshot *snap, int fd, struct hxs_err *err)
{
	uint64_t size = (uint64_t)snap->index_st.st_size;
	HXS_AUTO_FREE char *bytes = NULL;
	struct hxs_index_head head;
	char header[256];
	ssize_t n = hxs_io_pread_full(fd, header, sizeof(header), 0);
	int r;

	if (n < 0)
		return hxs_err_errno(err, (int)-n, "cannot read %s",
				     HXS_INDEX_NAME);
	r = hxs_index_peek(header, (size_t)n, size, &head, err);
	if (r < 0)
		return r;
	if (strcmp(head.env, snap->env) != 0 ||
	    strcmp(head.id, snap->id) != 0 || head.kind != snap->kind) {
		char name[HXS_REF_TEXT];

		hxs_ref_format(head.kind, head.env, head.id, name);
		return hxs_err_set(err, HXS_ECORRUPT,
				   "its index belongs to snapshot '%s'", name);
	}
	r = read_part(fd, HXS_INDEX_NAME, size, &bytes, err);
	if (r < 0)
		return r;
	return hxs_index_take(HXS_STEAL(bytes), size, &snap->idx, err);
}

/* Which line of the two texts differs first, from 1. */
static size_t first_difference(const char *a, size_t a_len, const char *b,
			       size_t b_len)
{
	size_t i, line = 1;

	for (i = 0; i < a_len && i < b_len && a[i] == b[i]; i++)
		line += a[i] == '\n';
	return line;
}

/* A native snapshot's manifest is, to the byte, what its index renders. */
static int prove_native(struct hxs_snapshot *snap, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf want = HXS_BUF_INIT;
	struct hxs_digest self;
	const void *bytes;
	size_t len;
	int r;

	bytes = hxs_index_bytes(snap->idx, &len);
	hxs_digest_of(bytes, len, &self);
	(void)hxs_buf_reserve(&want, snap->manifest_len + 1);
	hxs_index_manifest(snap->idx, &self, &want);
	r = hxs_buf_status(&want);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot check %s",
				     HXS_MANIFEST_NAME);
	if (want.len == snap->manifest_len &&
	    memcmp(want.data, snap->manifest_text, want.len) == 0)
		return 0;
	return hxs_err_set(err, HXS_ECORRUPT,
			   "%s and %s disagree at line %zu of the manifest: "
			   "one of them is damaged",
			   HXS_MANIFEST_NAME, HXS_INDEX_NAME,
			   first_difference(want.data, want.len,
					    snap->manifest_text,
					    snap->manifest_len));
}

static int load(struct hxs_snapshot *snap, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	int r;

	r = load_manifest(snap, err);
	if (r < 0)
		return r;
	/* Only its absence makes a snapshot foreign. */
	if (faccessat(snap->fd, HXS_INDEX_NAME, F_OK, AT_SYMLINK_NOFOLLOW) <
		    0 &&
	    errno == ENOENT) {
		snap->foreign = true;
		return hxs_snapshot_build_foreign(snap, err);
	}
	fd = open_part(snap, HXS_INDEX_NAME, HXS_INDEX_MAX, &snap->index_st,
		       err);
	if (fd < 0)
		return fd;
	r = load_index(snap, fd, err);
	if (r == 0)
		r = prove_native(snap, err);
	if (r < 0)
		return r;
	/* It can be rendered again: only a foreign manifest is kept. */
	free(HXS_STEAL(snap->manifest_text));
	return 0;
}

int hxs_snapshot_open(const struct hxs_store *s, enum hxs_kind kind,
		      const char *env, const char *id,
		      struct hxs_snapshot **out, struct hxs_err *err)
{
	HXS_AUTO(snapshot)
	struct hxs_snapshot *snap = new_snapshot(kind, env, id);
	int r;

	if (!snap)
		return hxs_err_errno(err, ENOMEM, "cannot open a snapshot");
	r = hxs_store_open_dir(s, kind, env, id, &snap->fd, err);
	if (r < 0)
		return r;
	r = load(snap, err);
	if (r < 0)
		return hxs_err_prefix(err, r, "snapshot '%s'", snap->name);
	*out = HXS_STEAL(snap);
	return 0;
}

int hxs_snapshot_fd(const struct hxs_snapshot *snap)
{
	return snap->fd;
}

struct hxs_index *hxs_snapshot_index(const struct hxs_snapshot *snap)
{
	return snap->idx;
}

bool hxs_snapshot_is_foreign(const struct hxs_snapshot *snap)
{
	return snap->foreign;
}

const char *hxs_snapshot_name(const struct hxs_snapshot *snap)
{
	return snap->name;
}

const struct hxs_digest *hxs_snapshot_manifest_digest(
	const struct hxs_snapshot *snap)
{
	return &snap->manifest_digest;
}

uint64_t hxs_snapshot_bytes(const struct hxs_snapshot *snap)
{
	struct hxs_index *idx = hxs_snapshot_index(snap);
	uint32_t n, count = hxs_index_count(idx);
	struct hxs_node node;
	uint64_t sum = 0;

	for (n = 0; n < count; n++) {
		hxs_index_get(idx, n, &node);
		if (S_ISREG(node.mode) &&
		    __builtin_add_overflow(sum, node.size, &sum))
			return UINT64_MAX;
	}
	return sum;
}

size_t hxs_snapshot_memory(const struct hxs_snapshot *snap)
{
	size_t len;

	(void)hxs_index_bytes(snap->idx, &len);
	len += sizeof(*snap);
	if (snap->foreign)
		len += snap->manifest_len +
		       hxs_index_count(snap->idx) * sizeof(*snap->files) +
		       atomic_load(&snap->files_memory);
	return len;
}

/* Attributes of the two files that no index holds. */
static void stat_part(const struct stat *from, size_t size, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = from->st_mode & (S_IFMT | 0777);
	st->st_nlink = 1;
	st->st_uid = from->st_uid;
	st->st_gid = from->st_gid;
	st->st_size = (off_t)size;
	st->st_blocks = (blkcnt_t)((size + 511) / 512);
	st->st_mtim = st->st_atim = from->st_mtim;
	st->st_ctim = from->st_ctim;
}

bool hxs_snapshot_is_current(const struct hxs_snapshot *snap)
{
	const struct stat *was = &snap->manifest_st;
	struct stat now;

	if (!snap->foreign)
		return true;
	if (fstatat(snap->fd, HXS_MANIFEST_NAME, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno != ENOENT;
	return now.st_ino == was->st_ino && now.st_size == was->st_size &&
	       now.st_mtim.tv_sec == was->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

int hxs_snapshot_stat(const struct hxs_snapshot *snap, uint32_t n,
		      struct stat *st)
{
	struct hxs_node node;
	size_t len;

	if (n == HXS_ENTRY_MANIFEST) {
		stat_part(&snap->manifest_st, snap->manifest_len, st);
		return 0;
	}
	if (n == HXS_ENTRY_INDEX) {
		if (snap->foreign)
			return -ENOENT;
		(void)hxs_index_bytes(snap->idx, &len);
		stat_part(&snap->index_st, len, st);
		return 0;
	}
	if (n >= hxs_index_count(snap->idx))
		return -ENOENT;

	hxs_index_get(snap->idx, n, &node);
	memset(st, 0, sizeof(*st));
	st->st_mode = node.mode;
	st->st_nlink = node.nlink;
	st->st_uid = node.uid;
	st->st_gid = node.gid;
	st->st_mtim = st->st_atim = node.mtime;
	st->st_ctim = node.ctime;
	st->st_blksize = HXS_BLOCK_SIZE;
	if (S_ISDIR(node.mode)) {
		st->st_size = 4096; /* what most file systems say */
		st->st_blocks = 8;
		return 0;
	}
	st->st_size = (off_t)node.size;
	if (S_ISREG(node.mode))
		st->st_blocks =
			(blkcnt_t)((hxs_index_data_bytes(snap->idx, n) + 511) /
				   512);
	return 0;
}

/* Looking for what is not listed: one directory at a time. */
struct extras {
	const struct hxs_snapshot *snap;
	struct hxs_buf path; /* of the directory, relative to the snapshot */
	uint32_t dir;
	hxs_snapshot_extra_fn fn;
	void *ctx;
	int64_t count;
};

static int report_extra(struct extras *x, const char *name)
{
	size_t len = x->path.len;

	x->count++;
	if (!x->fn)
		return 0;
	if (len)
		(void)hxs_buf_putc(&x->path, '/');
	(void)hxs_buf_puts(&x->path, name);
	if (x->path.status < 0)
		return x->path.status;
	x->fn(x->path.data, x->ctx);
	hxs_buf_truncate(&x->path, len);
	return 0;
}

static int check_listed(const char *name, unsigned char d_type HXS_UNUSED,
			void *ctx)
{
	struct extras *x = ctx;

	if (x->dir == 0 && (strcmp(name, HXS_MANIFEST_NAME) == 0 ||
			    strcmp(name, HXS_INDEX_NAME) == 0))
		return 0;
	/* Whether it is what was listed is for whoever opens it to see. */
	if (hxs_index_lookup(x->snap->idx, x->dir, name, strlen(name)) >= 0)
		return 0;
	return report_extra(x, name);
}

/* Look at the names in directory @n. */
static int list_directory(struct extras *x, uint32_t n)
{
	int fd, r;

	hxs_buf_truncate(&x->path, 0);
	r = hxs_index_path(x->snap->idx, n, &x->path);
	if (r < 0)
		return r;
	x->dir = n;
	fd = hxs_io_open_dir(x->snap->fd, hxs_buf_str(&x->path));
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV)
		return 0; /* whoever looks for the directory will tell */
	if (fd < 0)
		return fd;
	r = hxs_io_list(fd, check_listed, x);
	(void)close(fd); /* it was only read */
	return r;
}

int64_t hxs_snapshot_extras(const struct hxs_snapshot *snap,
			    hxs_snapshot_extra_fn fn, void *ctx)
{
	struct extras x = {
		.snap = snap,
		.path = HXS_BUF_INIT,
		.fn = fn,
		.ctx = ctx,
	};
	struct hxs_node node;
	int64_t n;
	int r, first = 0;

	for (n = 0; n >= 0; n = hxs_index_next(snap->idx, (uint32_t)n, 0)) {
		hxs_index_get(snap->idx, (uint32_t)n, &node);
		if (!S_ISDIR(node.mode))
			continue;
		r = list_directory(&x, (uint32_t)n);
		if (r < 0 && first == 0)
			first = r;
	}
	hxs_buf_release(&x.path);
	return first < 0 ? first : x.count;
}
