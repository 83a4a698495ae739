/*
 * Believing nothing an index says until it has been checked.
 *
 * Because entries are numbered breadth first and every section lies in entry
 * order, one pass with a running position for each section checks all of it:
 * a number that is not the expected one is damage. A second pass needs what
 * the first has proven: that names are sorted, that parents are parents.
 */
#include "format/index_layout.h"

#include "base/path.h"
#include "base/xattr.h"
#include "format/manifest.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

size_t hxs_index_record_size(unsigned i)
{
	static const uint8_t sizes[HXS_INDEX_SECTIONS] = {
		[HXS_INDEX_ENTRIES] = sizeof(struct hxs_index_record),
		[HXS_INDEX_STATES] = sizeof(struct hxs_digest),
		[HXS_INDEX_RUNS] = sizeof(struct hxs_run),
		[HXS_INDEX_STRINGS] = 1,
		[HXS_INDEX_XATTRS] = 1,
	};

	return sizes[i];
}

static bool all_zero(const void *mem, size_t len)
{
	const uint8_t *p = mem;

	while (len && !*p)
		p++, len--;
	return len == 0;
}

static int damaged(struct hxs_err *err, const char *what)
{
	return hxs_err_set(err, HXS_ECORRUPT, "index: %s", what);
}

/* Where the sections must lie, given their counts. */
static int check_sections(const struct hxs_index_header *h, uint64_t file_size,
			  struct hxs_err *err)
{
	uint64_t at = sizeof(*h), bytes, count;
	unsigned i;

	for (i = 0; i < HXS_INDEX_SECTIONS; i++) {
		count = le64toh(h->section[i].count);
		at = (at + 7) & ~7ull;
		if (le64toh(h->section[i].off) != at)
			return damaged(err, "a section is not in its place");
		if (__builtin_mul_overflow(count, hxs_index_record_size(i),
					   &bytes) ||
		    bytes > file_size || at + bytes > file_size)
			return damaged(err, "a section reaches past the end");
		at += bytes;
	}
	if (at != file_size)
		return damaged(err, "it is longer than its sections");
	count = le64toh(h->section[HXS_INDEX_ENTRIES].count);
	if (count < 1 || count > HXS_INDEX_ENTRIES_MAX)
		return damaged(err, "an impossible number of entries");
	if (le64toh(h->section[HXS_INDEX_STRINGS].count) > UINT32_MAX ||
	    le64toh(h->section[HXS_INDEX_XATTRS].count) > UINT32_MAX)
		return damaged(err, "a section is too large");
	return 0;
}

int hxs_index_peek(const void *header, size_t len, uint64_t file_size,
		   struct hxs_index_head *out, struct hxs_err *err)
{
	const struct hxs_index_header *h = header;
	int64_t sec;
	int r;

	if (len < sizeof(*h) || file_size < sizeof(*h))
		return damaged(err, "it is shorter than its header");
	if (memcmp(h->magic, HXS_INDEX_MAGIC, sizeof(h->magic)) != 0)
		return damaged(err, "it does not begin with 'HXSINDEX'");
	if (le32toh(h->version) != HXS_INDEX_VERSION)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "index: version %" PRIu32
				   ", this program reads version 1",
				   le32toh(h->version));
	if (le32toh(h->header_size) != sizeof(*h) ||
	    le32toh(h->entry_size) != sizeof(struct hxs_index_record) ||
	    le32toh(h->block_shift) != HXS_BLOCK_SHIFT ||
	    le64toh(h->flags) & ~(uint64_t)HXS_INDEX_HAS_XATTRS || h->zero ||
	    !all_zero(h->reserved, sizeof(h->reserved)))
		return damaged(err, "a header field has an unknown value");
	if (le64toh(h->file_size) != file_size || file_size > HXS_INDEX_MAX)
		return damaged(err, "its size is not the recorded one");
	r = check_sections(h, file_size, err);
	if (r < 0)
		return r;

	memset(out, 0, sizeof(*out));
	memcpy(out->id, h->id, HXS_ID_LEN);
	memcpy(out->env, h->env, HXS_ENV_MAX);
	out->kind = h->kind == HXS_ROLLBACK ? HXS_ROLLBACK : HXS_BACKUP;
	out->captured.tv_sec = (int64_t)le64toh((uint64_t)h->captured_sec);
	out->captured.tv_nsec = le32toh(h->captured_nsec);
	out->has_xattrs = le64toh(h->flags) & HXS_INDEX_HAS_XATTRS;
	if (hxs_clock_parse_id(out->id, &sec) < 0 ||
	    !hxs_path_is_name(out->env) ||
	    !all_zero(h->env + strlen(out->env),
		      HXS_ENV_MAX - strlen(out->env)) ||
	    (enum hxs_kind)h->kind != out->kind ||
	    out->captured.tv_nsec >= 1000000000)
		return damaged(err, "a header field has an unknown value");
	return 0;
}

/* How far each section is used up by the entries before this one. */
struct pass {
	const struct hxs_index *idx;
	uint64_t total[HXS_INDEX_SECTIONS], used[HXS_INDEX_SECTIONS];
	uint64_t children; /* the number the next directory's first child has */
	uint32_t *tally; /* an entry's links, or subdirectories */
	uint32_t *reach; /* bytes of a directory's path */
	uint16_t *depth;
	bool has_xattrs;
	struct hxs_digest empty; /* of no bytes */
};

/* One string of @len bytes that must lie at the running position. */
static const char *next_string(struct pass *p, uint32_t off, uint32_t len)
{
	uint64_t *used = &p->used[HXS_INDEX_STRINGS];
	const char *s = p->idx->strings + off;

	if (off != *used ||
	    (uint64_t)len + 1 > p->total[HXS_INDEX_STRINGS] - *used ||
	    s[len] != '\0' || memchr(s, '\0', len))
		return NULL;
	*used += (uint64_t)len + 1;
	return s;
}

static const char *check_name(struct pass *p, uint32_t n)
{
	const struct hxs_index_record *all = p->idx->entries, *e = &all[n];
	const struct hxs_index_record *parent = &all[le32toh(e->parent)];
	uint16_t len = le16toh(e->name_len);
	const char *name = next_string(p, le32toh(e->name_off), len);
	bool dir = S_ISDIR(le32toh(e->mode));
	const struct hxs_index_record *before;

	if (!name)
		return "a name is not in its place";
	if (n == 0)
		return len ? "the top has a name" : NULL;
	if (hxs_path_name_fault(name, len))
		return hxs_path_name_fault(name, len);
	if (e->parent == 0 && (strcmp(name, HXS_INDEX_NAME) == 0 ||
			       strcmp(name, HXS_MANIFEST_NAME) == 0))
		return "it lists itself or the manifest";
	if (n == le32toh(parent->a))
		return NULL;
	before = &all[n - 1];
	if (hxs_index_name_cmp(p->idx->strings + le32toh(before->name_off),
			       le16toh(before->name_len),
			       S_ISDIR(le32toh(before->mode)), name, len,
			       dir) >= 0)
		return "names are not sorted";
	return NULL;
}

static const char *check_parent(struct pass *p, uint32_t n)
{
	const struct hxs_index_record *all = p->idx->entries, *e = &all[n];
	uint32_t parent = le32toh(e->parent);
	uint64_t first;

	if (n == 0)
		return parent ? "the top has a parent" : NULL;
	if (n >= p->children)
		return "an entry lies in no directory";
	if (parent >= n || !S_ISDIR(le32toh(all[parent].mode)))
		return "a parent is no directory before it";
	first = le32toh(all[parent].a);
	if (n < first || n >= first + le32toh(all[parent].b))
		return "an entry is not among its parent's";
	p->depth[n] = (uint16_t)(p->depth[parent] + 1);
	if (__builtin_add_overflow(p->reach[parent], le16toh(e->name_len) + 1u,
				   &p->reach[n]) ||
	    p->reach[n] > HXS_PATH_LEN_MAX || p->depth[n] > HXS_PATH_DEPTH_MAX)
		return "a path is too long";
	return NULL;
}

static const char *check_dir(struct pass *p, uint32_t n)
{
	const struct hxs_index_record *e = &p->idx->entries[n];
	uint32_t first = le32toh(e->a), count = le32toh(e->b);

	if (e->size || e->c || e->flags || le32toh(e->leader) != n ||
	    !all_zero(&e->digest, sizeof(e->digest)))
		return "a directory has a file's fields";
	if (first != (count ? p->children : 0) ||
	    count > p->total[HXS_INDEX_ENTRIES] - p->children)
		return "a directory's children are not in their place";
	p->children += count;
	p->tally[n] = 2;
	if (n)
		p->tally[le32toh(e->parent)]++;
	return NULL;
}

/* Take @count records of section @s; false when there are not so many. */
static bool use(struct pass *p, unsigned s, uint64_t count)
{
	if (count > p->total[s] - p->used[s])
		return false;
	p->used[s] += count;
	return true;
}

static const char *check_runs(struct pass *p, const struct hxs_index_record *e)
{
	uint64_t blocks = hxs_chain_blocks(le64toh(e->size)), data = 0, end = 0;
	const struct hxs_run *run = p->idx->runs + le64toh(e->c);
	uint32_t i, count = le32toh(e->a);
	uint64_t first, length;

	for (i = 0; i < count; i++) {
		first = le64toh(run[i].first_block);
		length = le64toh(run[i].block_count);
		if (first >= blocks || !length || length > blocks - first ||
		    (i && first <= end))
			return "a run is not in its place";
		if (le64toh(run[i].first_state) != p->used[HXS_INDEX_STATES])
			return "a run's states are not in their place";
		end = first + length;
		data += length;
		if (!use(p, HXS_INDEX_STATES, length + (end < blocks)))
			return "there are too few states";
	}
	return data < blocks ? NULL : "a sparse file has no hole";
}

static const char *check_file(struct pass *p, uint32_t n)
{
	const struct hxs_index_record *e = &p->idx->entries[n];
	uint64_t size = le64toh(e->size), blocks = hxs_chain_blocks(size);

	if (size > INT64_MAX || e->b)
		return "a file has an impossible size";
	if (le16toh(e->flags) & ~(HXS_INDEX_SPARSE | HXS_INDEX_SQLITE_WAL))
		return "an entry has an unknown flag";
	/* No block would ever be compared with it. */
	if (size == 0 && !p->idx->bare &&
	    !hxs_digest_equal(&e->digest, &p->empty))
		return "an empty file has another file's digest";
	if (p->idx->bare)
		return e->flags || e->a || e->c ? "a bare index has chains"
						: NULL;
	if (le16toh(e->flags) & HXS_INDEX_SPARSE) {
		if (le64toh(e->c) != p->used[HXS_INDEX_RUNS] ||
		    !use(p, HXS_INDEX_RUNS, le32toh(e->a)))
			return "a file's runs are not in their place";
		return check_runs(p, e);
	}
	if (e->a || le64toh(e->c) != p->used[HXS_INDEX_STATES] ||
	    !use(p, HXS_INDEX_STATES, blocks ? blocks - 1 : 0))
		return "a file's states are not in their place";
	return NULL;
}

static const char *check_link(struct pass *p, uint32_t n)
{
	const struct hxs_index_record *e = &p->idx->entries[n];
	uint32_t len = le32toh(e->b);

	if (!len || len > 4095 || le64toh(e->size) != len || e->c || e->flags ||
	    !all_zero(&e->digest, sizeof(e->digest)))
		return "a link has impossible fields";
	return next_string(p, le32toh(e->a), len)
		       ? NULL
		       : "a link's target is not in its place";
}

static const char *check_xattrs(struct pass *p, uint32_t n)
{
	const struct hxs_index_record *e = &p->idx->entries[n];
	uint32_t len = le32toh(e->xattr_len);

	if (!len)
		return e->xattr_off ? "attributes without length" : NULL;
	p->has_xattrs = true;
	if (le32toh(e->xattr_off) != p->used[HXS_INDEX_XATTRS] ||
	    !use(p, HXS_INDEX_XATTRS, len))
		return "attributes are not in their place";
	return hxs_xattr_check(p->idx->xattrs + le32toh(e->xattr_off), len)
		       ? "attributes are malformed"
		       : NULL;
}

/* Another name of an inode: everything but name and place is the leader's. */
static const char *check_member(struct pass *p, uint32_t n)
{
	const struct hxs_index_record *all = p->idx->entries;
	struct hxs_index_record copy = all[n];
	const struct hxs_index_record *leader = &all[le32toh(copy.leader)];

	if (S_ISDIR(le32toh(copy.mode)))
		return "a directory has two names";
	copy.parent = leader->parent;
	copy.name_off = leader->name_off;
	copy.name_len = leader->name_len;
	if (memcmp(&copy, leader, sizeof(copy)) != 0)
		return "two names of one inode differ";
	p->tally[le32toh(copy.leader)]++;
	return NULL;
}

static const char *check_entry(struct pass *p, uint32_t n)
{
	const struct hxs_index_record *e = &p->idx->entries[n];
	uint32_t mode = le32toh(e->mode), leader = le32toh(e->leader);
	const char *fault = check_parent(p, n);

	if (!fault)
		fault = check_name(p, n);
	if (fault)
		return fault;
	if (mode & ~(uint32_t)(S_IFMT | 07777) ||
	    (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode)) ||
	    (n == 0 && !S_ISDIR(mode)))
		return "an entry has an impossible mode";
	if (le32toh(e->mtime_nsec) > 999999999 ||
	    le32toh(e->ctime_nsec) > 999999999)
		return "an entry has an impossible time";
	if (leader > n || le32toh(p->idx->entries[leader].leader) != leader)
		return "a leader leads nothing";
	if (leader < n)
		return check_member(p, n);

	if (S_ISDIR(mode)) {
		fault = check_dir(p, n);
	} else {
		p->tally[n] = 1;
		fault = S_ISREG(mode) ? check_file(p, n) : check_link(p, n);
	}
	return fault ? fault : check_xattrs(p, n);
}

/* What needs the first pass: link counts, and twins of different type. */
static const char *check_again(struct pass *p, uint32_t n)
{
	const struct hxs_index_record *all = p->idx->entries, *e = &all[n];
	uint32_t mode = le32toh(e->mode), low, high, mid;
	const char *name = p->idx->strings + le32toh(e->name_off);
	int c;

	if (le32toh(e->nlink) != p->tally[le32toh(e->leader)])
		return "a link count is wrong";
	if (n == 0 || !S_ISDIR(mode))
		return NULL;
	low = le32toh(all[le32toh(e->parent)].a);
	high = n; /* a file of the same name sorts before */
	while (low < high) {
		mid = low + (high - low) / 2;
		c = hxs_index_name_cmp(name, le16toh(e->name_len), false,
				       p->idx->strings +
					       le32toh(all[mid].name_off),
				       le16toh(all[mid].name_len),
				       S_ISDIR(le32toh(all[mid].mode)));
		if (c == 0)
			return "a file and a directory have one name";
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* The bytes between sections belong to nobody and must be zero. */
static bool gaps_are_zero(const struct hxs_index *idx)
{
	const struct hxs_index_header *h = (const void *)idx->bytes;
	uint64_t end, next;
	unsigned i;

	for (i = 0; i + 1 < HXS_INDEX_SECTIONS; i++) {
		end = le64toh(h->section[i].off) +
		      le64toh(h->section[i].count) * hxs_index_record_size(i);
		next = le64toh(h->section[i + 1].off);
		if (!all_zero(idx->bytes + end, next - end))
			return false;
	}
	return true;
}

static const char *check_all(struct pass *p, uint32_t *n)
{
	const char *fault;
	unsigned i;

	p->children = 1;
	for (*n = 0; *n < p->idx->count; (*n)++) {
		fault = check_entry(p, *n);
		if (fault)
			return fault;
	}
	for (*n = 0; *n < p->idx->count; (*n)++) {
		fault = check_again(p, *n);
		if (fault)
			return fault;
	}
	*n = 0;
	p->used[HXS_INDEX_ENTRIES] = p->children;
	for (i = 0; i < HXS_INDEX_SECTIONS; i++)
		if (p->used[i] != p->total[i])
			return "a section holds more than the entries use";
	if (p->has_xattrs != p->idx->head.has_xattrs)
		return "its flags do not fit its entries";
	return gaps_are_zero(p->idx) ? NULL : "a gap is not zero";
}

int hxs_index_prove(const struct hxs_index *idx, struct hxs_err *err)
{
	const struct hxs_index_header *h = (const void *)idx->bytes;
	HXS_AUTO_FREE uint32_t *tally = calloc(idx->count, sizeof(*tally));
	HXS_AUTO_FREE uint32_t *reach = calloc(idx->count, sizeof(*reach));
	HXS_AUTO_FREE uint16_t *depth = calloc(idx->count, sizeof(*depth));
	struct pass p = {
		.idx = idx,
		.tally = tally,
		.reach = reach,
		.depth = depth,
	};
	const char *fault;
	uint32_t n;
	unsigned i;

	if (!tally || !reach || !depth)
		return hxs_err_errno(err, ENOMEM, "cannot check an index");
	hxs_digest_of("", 0, &p.empty);
	for (i = 0; i < HXS_INDEX_SECTIONS; i++)
		p.total[i] = le64toh(h->section[i].count);
	fault = check_all(&p, &n);
	if (fault)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "index: entry %" PRIu32 ": %s", n, fault);
	return 0;
}
