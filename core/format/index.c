/* Reading an index where it lies. */
#include "format/index.h"

#include "base/xattr.h"
#include "format/index_layout.h"
#include "format/manifest.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct hxs_index *hxs_index_ref(struct hxs_index *idx)
{
	atomic_fetch_add_explicit(&idx->refs, 1, memory_order_relaxed);
	return idx;
}

void hxs_index_unref(struct hxs_index *idx)
{
	if (!idx)
		return;
	if (atomic_fetch_sub_explicit(&idx->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(idx->bytes);
	free(idx);
}

static int take(void *bytes, size_t len, bool bare, struct hxs_index **out,
		struct hxs_err *err)
{
	HXS_AUTO(index) struct hxs_index *idx = calloc(1, sizeof(*idx));
	const struct hxs_index_header *h = bytes;
	int r;

	if (!idx) {
		free(bytes);
		return hxs_err_errno(err, ENOMEM, "cannot keep an index");
	}
	atomic_init(&idx->refs, 1);
	idx->bytes = bytes;
	idx->len = len;
	idx->bare = bare;
	r = hxs_index_peek(bytes, len, len, &idx->head, err);
	if (r < 0)
		return r;
	idx->count = (uint32_t)le64toh(h->section[HXS_INDEX_ENTRIES].count);
	idx->entries =
		(const void *)(idx->bytes +
			       le64toh(h->section[HXS_INDEX_ENTRIES].off));
	idx->states = (const void *)(idx->bytes +
				     le64toh(h->section[HXS_INDEX_STATES].off));
	idx->runs = (const void *)(idx->bytes +
				   le64toh(h->section[HXS_INDEX_RUNS].off));
	idx->strings =
		(const char *)(idx->bytes +
			       le64toh(h->section[HXS_INDEX_STRINGS].off));
	idx->xattrs = idx->bytes + le64toh(h->section[HXS_INDEX_XATTRS].off);
	r = hxs_index_prove(idx, err);
	if (r < 0)
		return r;
	*out = HXS_STEAL(idx);
	return 0;
}

int hxs_index_take(void *bytes, size_t len, struct hxs_index **out,
		   struct hxs_err *err)
{
	return take(bytes, len, false, out, err);
}

int hxs_index_take_bare(void *bytes, size_t len, struct hxs_index **out,
			struct hxs_err *err)
{
	return take(bytes, len, true, out, err);
}

const struct hxs_index_head *hxs_index_head(const struct hxs_index *idx)
{
	return &idx->head;
}

const void *hxs_index_bytes(const struct hxs_index *idx, size_t *len)
{
	*len = idx->len;
	return idx->bytes;
}

uint32_t hxs_index_count(const struct hxs_index *idx)
{
	return idx->count;
}

void hxs_index_get(const struct hxs_index *idx, uint32_t n,
		   struct hxs_node *out)
{
	const struct hxs_index_record *e;

	assert(n < idx->count);
	e = &idx->entries[n];
	*out = (struct hxs_node){
		.number = n,
		.parent = le32toh(e->parent),
		.leader = le32toh(e->leader),
		.mode = le32toh(e->mode),
		.uid = le32toh(e->uid),
		.gid = le32toh(e->gid),
		.nlink = le32toh(e->nlink),
		.size = le64toh(e->size),
		.ino = le64toh(e->ino),
		.mtime = { (int64_t)le64toh(e->mtime_sec),
			   le32toh(e->mtime_nsec) },
		.ctime = { (int64_t)le64toh(e->ctime_sec),
			   le32toh(e->ctime_nsec) },
		.name = idx->strings + le32toh(e->name_off),
		.name_len = le16toh(e->name_len),
		.xattrs = idx->xattrs + le32toh(e->xattr_off),
		.xattrs_len = le32toh(e->xattr_len),
	};
	if (S_ISDIR(out->mode)) {
		out->first_child = le32toh(e->a);
		out->child_count = le32toh(e->b);
	} else if (S_ISLNK(out->mode)) {
		out->target = idx->strings + le32toh(e->a);
	} else {
		out->digest = &e->digest;
		out->sparse = (le16toh(e->flags) & HXS_INDEX_SPARSE) != 0;
		out->sqlite_wal =
			(le16toh(e->flags) & HXS_INDEX_SQLITE_WAL) != 0;
	}
}

int hxs_index_name_cmp(const char *a, size_t a_len, bool a_dir, const char *b,
		       size_t b_len, bool b_dir)
{
	size_t common = a_len < b_len ? a_len : b_len;
	int c = memcmp(a, b, common);
	unsigned char ca, cb;

	if (c)
		return c;
	ca = a_len > common ? (unsigned char)a[common] : (a_dir ? '/' : 0);
	cb = b_len > common ? (unsigned char)b[common] : (b_dir ? '/' : 0);
	return (ca > cb) - (ca < cb);
}

static bool is_dir(const struct hxs_index_record *e)
{
	return S_ISDIR(le32toh(e->mode));
}

/* The child of @dir that has this name and is, or is no, directory. */
static int64_t search(const struct hxs_index *idx,
		      const struct hxs_index_record *dir, const char *name,
		      size_t len, bool want_dir)
{
	uint32_t low = le32toh(dir->a), high = low + le32toh(dir->b), mid;
	const struct hxs_index_record *e;
	int c;

	while (low < high) {
		mid = low + (high - low) / 2;
		e = &idx->entries[mid];
		c = hxs_index_name_cmp(name, len, want_dir,
				       idx->strings + le32toh(e->name_off),
				       le16toh(e->name_len), is_dir(e));
		if (c == 0)
			return mid;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return -ENOENT;
}

int64_t hxs_index_lookup(const struct hxs_index *idx, uint32_t dir,
			 const char *name, size_t len)
{
	const struct hxs_index_record *d;
	int64_t n;

	assert(dir < idx->count);
	d = &idx->entries[dir];
	if (!is_dir(d))
		return -ENOTDIR;
	n = search(idx, d, name, len, false);
	return n >= 0 ? n : search(idx, d, name, len, true);
}

int64_t hxs_index_find(const struct hxs_index *idx, const char *path)
{
	const char *end;
	int64_t n = 0;

	while (*path) {
		end = strchrnul(path, '/');
		n = hxs_index_lookup(idx, (uint32_t)n, path,
				     (size_t)(end - path));
		if (n < 0)
			return n;
		path = *end ? end + 1 : end;
	}
	return n;
}

int64_t hxs_index_next(const struct hxs_index *idx, uint32_t n, uint32_t top)
{
	const struct hxs_index_record *e, *parent;

	assert(n < idx->count);
	e = &idx->entries[n];
	if (is_dir(e) && e->b)
		return le32toh(e->a);
	while (n != top) {
		parent = &idx->entries[le32toh(idx->entries[n].parent)];
		if (n + 1 < le32toh(parent->a) + le32toh(parent->b))
			return (int64_t)n + 1;
		n = le32toh(idx->entries[n].parent);
	}
	return -1;
}

int hxs_index_path(const struct hxs_index *idx, uint32_t n, struct hxs_buf *out)
{
	const struct hxs_index_record *e;
	size_t len = 0;
	uint32_t at;
	char *end;
	int r;

	assert(n < idx->count);
	for (at = n; at; at = le32toh(idx->entries[at].parent))
		len += le16toh(idx->entries[at].name_len) + 1u;
	if (!len)
		return hxs_buf_puts(out, "");
	r = hxs_buf_reserve(out, len);
	if (r < 0)
		return r;
	end = out->data + out->len + len - 1;
	out->len += len - 1;
	*end = '\0';
	for (at = n; at; at = le32toh(e->parent)) {
		e = &idx->entries[at];
		end -= le16toh(e->name_len);
		memcpy(end, idx->strings + le32toh(e->name_off),
		       le16toh(e->name_len));
		if (e->parent)
			*--end = '/';
	}
	return 0;
}

void hxs_index_chain_view(const struct hxs_index *idx, uint32_t n,
			  struct hxs_chain_view *out)
{
	const struct hxs_index_record *e;

	assert(n < idx->count);
	e = &idx->entries[n];
	assert(S_ISREG(le32toh(e->mode)));
	*out = (struct hxs_chain_view){
		.size = le64toh(e->size),
		.digest = &e->digest,
		.sparse = (le16toh(e->flags) & HXS_INDEX_SPARSE) != 0,
	};
	if (out->sparse) {
		out->states = idx->states;
		out->runs = idx->runs + le64toh(e->c);
		out->run_count = le32toh(e->a);
	} else {
		out->states = idx->states + le64toh(e->c);
	}
}

int hxs_index_chain(const struct hxs_index *idx, uint32_t n,
		    struct hxs_chain *out)
{
	struct hxs_chain chain = { 0 };
	struct hxs_chain_view v;
	const struct hxs_run *last;
	uint64_t i, first = 0;

	if (idx->bare)
		return -ENODATA;
	hxs_index_chain_view(idx, n, &v);
	chain.size = v.size;
	chain.digest = *v.digest;
	chain.sparse = v.sparse;
	chain.state_count = hxs_chain_blocks(v.size);
	chain.state_count -= chain.state_count ? 1 : 0;
	if (v.sparse) {
		chain.state_count = 0;
		chain.run_count = v.run_count;
	}
	if (v.run_count) {
		first = le64toh(v.runs[0].first_state);
		last = &v.runs[v.run_count - 1];
		chain.state_count = le64toh(last->first_state) - first +
				    le64toh(last->block_count) + 1;
		if (le64toh(last->first_block) + le64toh(last->block_count) ==
		    hxs_chain_blocks(v.size))
			chain.state_count--;
		chain.runs = malloc(v.run_count * sizeof(*chain.runs));
		if (!chain.runs)
			return -ENOMEM;
		memcpy(chain.runs, v.runs, v.run_count * sizeof(*chain.runs));
		for (i = 0; i < v.run_count; i++)
			chain.runs[i].first_state =
				htole64(le64toh(v.runs[i].first_state) - first);
	}
	if (chain.state_count) {
		chain.states =
			malloc(chain.state_count * sizeof(*chain.states));
		if (!chain.states) {
			hxs_chain_release(&chain);
			return -ENOMEM;
		}
		memcpy(chain.states, v.states + first,
		       chain.state_count * sizeof(*chain.states));
	}
	*out = chain;
	return 0;
}

int hxs_index_check(const struct hxs_index *idx, uint32_t n, uint64_t block,
		    struct hxs_block_check *out)
{
	struct hxs_chain_view v;

	if (idx->bare)
		return -ENODATA;
	hxs_index_chain_view(idx, n, &v);
	return hxs_chain_check(&v, block, out);
}

uint64_t hxs_index_data_bytes(const struct hxs_index *idx, uint32_t n)
{
	struct hxs_chain_view v;

	hxs_index_chain_view(idx, n, &v);
	return hxs_chain_data_bytes(&v);
}

int64_t hxs_index_seek(const struct hxs_index *idx, uint32_t n, uint64_t off,
		       bool hole)
{
	struct hxs_chain_view v;

	hxs_index_chain_view(idx, n, &v);
	return hxs_chain_seek(&v, off, hole);
}

/*
 * The walk in depth is the manifest's order, so paths are rendered by one
 * buffer that grows and shrinks. The index itself is the one line that has no
 * entry; it takes its place among the names of the snapshot's top.
 */
void hxs_index_manifest(const struct hxs_index *idx,
			const struct hxs_digest *self, struct hxs_buf *out)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	bool listed = false;
	struct hxs_node node;
	int64_t n = 0;

	while ((n = hxs_index_next(idx, (uint32_t)n, 0)) > 0) {
		hxs_index_get(idx, (uint32_t)n, &node);
		if (!listed && node.parent == 0 &&
		    hxs_index_name_cmp(node.name, node.name_len,
				       S_ISDIR(node.mode), HXS_INDEX_NAME,
				       strlen(HXS_INDEX_NAME), false) > 0) {
			hxs_manifest_append(out, self, HXS_INDEX_NAME,
					    strlen(HXS_INDEX_NAME));
			listed = true;
		}
		if (!S_ISREG(node.mode))
			continue;
		hxs_buf_truncate(&path, 0);
		if (hxs_index_path(idx, (uint32_t)n, &path) < 0) {
			out->status = -ENOMEM;
			return;
		}
		hxs_manifest_append(out, node.digest, path.data, path.len);
	}
	if (!listed)
		hxs_manifest_append(out, self, HXS_INDEX_NAME,
				    strlen(HXS_INDEX_NAME));
}
