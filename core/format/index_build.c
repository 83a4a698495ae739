/*
 * Building an index: collect entries in any order, then sort each directory,
 * number breadth first, and write every section in one sweep.
 */
#include "format/index.h"

#include "base/path.h"
#include "base/xattr.h"
#include "format/index_layout.h"
#include "format/manifest.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* One entry while building; its place in the array is its handle. */
struct item {
	char *name; /* with the target, if it is a link, behind its NUL */
	uint16_t name_len;
	bool dropped;
	bool has_digest; /* chain holds a digest and nothing else */
	bool has_chain;
	bool sqlite_wal;
	uint32_t target_len;
	uint32_t parent, leader; /* handles */
	uint32_t mode, uid, gid;
	uint64_t size, ino;
	struct timespec mtime, ctime;
	void *xattrs;
	uint32_t xattrs_len;
	struct hxs_chain chain;
	/* Filled by finish: */
	uint32_t number, first_child, child_count;
	uint32_t group; /* lowest entry number of the inode, or NONE */
	uint32_t nlink;
};

struct hxs_index_builder {
	struct hxs_index_head head;
	struct item *items;
	uint32_t count, cap;
};

int hxs_index_builder_new(const struct hxs_index_head *head,
			  struct hxs_index_builder **out)
{
	HXS_AUTO(index_builder)
	struct hxs_index_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->head = *head;
	b->cap = 64;
	b->items = calloc(b->cap, sizeof(*b->items));
	if (!b->items)
		return -ENOMEM;
	b->items[0].name = strdup("");
	if (!b->items[0].name)
		return -ENOMEM;
	b->items[0].mode = S_IFDIR | 0755;
	b->count = 1;
	*out = HXS_STEAL(b);
	return 0;
}

void hxs_index_builder_free(struct hxs_index_builder *b)
{
	uint32_t i;

	if (!b)
		return;
	for (i = 0; i < b->count; i++) {
		free(b->items[i].name);
		free(b->items[i].xattrs);
		hxs_chain_release(&b->items[i].chain);
	}
	free(b->items);
	free(b);
}

static int grow(struct hxs_index_builder *b)
{
	struct item *items;
	uint32_t cap;

	if (b->count < b->cap)
		return 0;
	if (b->count >= HXS_INDEX_ENTRIES_MAX)
		return -EOVERFLOW;
	cap = b->cap > HXS_INDEX_ENTRIES_MAX / 2 ? HXS_INDEX_ENTRIES_MAX
						 : b->cap * 2;
	items = reallocarray(b->items, cap, sizeof(*items));
	if (!items)
		return -ENOMEM;
	b->items = items;
	b->cap = cap;
	return 0;
}

int hxs_index_builder_update(struct hxs_index_builder *b, uint32_t handle,
			     const struct hxs_node *node)
{
	struct item *it = &b->items[handle];
	void *xattrs = NULL;

	assert(handle < b->count);
	if (node->xattrs_len) {
		xattrs = malloc(node->xattrs_len);
		if (!xattrs)
			return -ENOMEM;
		memcpy(xattrs, node->xattrs, node->xattrs_len);
	}
	free(it->xattrs);
	it->xattrs = xattrs;
	it->xattrs_len = (uint32_t)node->xattrs_len;
	it->mode = node->mode;
	it->uid = node->uid;
	it->gid = node->gid;
	it->size = S_ISDIR(node->mode) ? 0 : node->size;
	it->ino = node->ino;
	it->sqlite_wal = S_ISREG(node->mode) && node->sqlite_wal;
	it->mtime = node->mtime;
	it->ctime = node->ctime;
	return 0;
}

/* The name and, behind its NUL, a link's target. */
static char *copy_strings(const struct hxs_node *node, size_t target_len)
{
	char *copy = malloc(node->name_len + target_len + 2);

	if (!copy)
		return NULL;
	memcpy(copy, node->name, node->name_len);
	copy[node->name_len] = '\0';
	if (target_len)
		memcpy(copy + node->name_len + 1, node->target, target_len);
	copy[node->name_len + 1 + target_len] = '\0';
	return copy;
}

int hxs_index_builder_add(struct hxs_index_builder *b, uint32_t parent,
			  const struct hxs_node *node, uint32_t *handle,
			  struct hxs_err *err)
{
	const char *fault = hxs_path_name_fault(node->name, node->name_len);
	size_t target_len = 0;
	struct item *it;
	int r;

	assert(parent < b->count && S_ISDIR(b->items[parent].mode));
	if (S_ISLNK(node->mode))
		target_len = strlen(node->target);
	if (!fault && S_ISLNK(node->mode) && (!target_len || target_len > 4095))
		fault = "its target is empty or too long";
	if (!fault && !S_ISREG(node->mode) && !S_ISDIR(node->mode) &&
	    !S_ISLNK(node->mode))
		fault = "it is no file, directory or link";
	if (fault)
		return hxs_err_set(err, EINVAL, "'%.*s' cannot be kept: %s",
				   (int)node->name_len, node->name, fault);
	r = grow(b);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot note '%.*s'",
				     (int)node->name_len, node->name);
	it = &b->items[b->count];
	memset(it, 0, sizeof(*it));
	it->name = copy_strings(node, target_len);
	if (!it->name)
		return hxs_err_errno(err, ENOMEM, "cannot note '%.*s'",
				     (int)node->name_len, node->name);
	it->name_len = (uint16_t)node->name_len;
	it->target_len = (uint32_t)target_len;
	it->parent = parent;
	it->leader = b->count;
	r = hxs_index_builder_update(b, b->count++, node);
	if (r < 0) {
		b->count--;
		free(it->name);
		return hxs_err_errno(err, -r, "cannot note '%.*s'",
				     (int)node->name_len, node->name);
	}
	if (target_len)
		it->size = target_len;
	*handle = b->count - 1;
	return 0;
}

void hxs_index_builder_set_chain(struct hxs_index_builder *b, uint32_t handle,
				 struct hxs_chain *chain)
{
	struct item *it = &b->items[handle];

	assert(handle < b->count);
	hxs_chain_release(&it->chain);
	it->chain = *chain;
	it->has_chain = true;
	it->size = chain->size;
	memset(chain, 0, sizeof(*chain));
}

void hxs_index_builder_set_digest(struct hxs_index_builder *b, uint32_t handle,
				  const struct hxs_digest *digest)
{
	assert(handle < b->count);
	b->items[handle].chain.digest = *digest;
	b->items[handle].has_digest = true;
}

void hxs_index_builder_link(struct hxs_index_builder *b, uint32_t handle,
			    uint32_t leader)
{
	assert(handle < b->count && leader < b->count);
	b->items[handle].leader = b->items[leader].leader;
}

void hxs_index_builder_drop(struct hxs_index_builder *b, uint32_t handle)
{
	assert(handle > 0 && handle < b->count);
	b->items[handle].dropped = true;
}

/* Work space of finish. */
struct plan {
	struct hxs_index_builder *b;
	uint32_t *slots; /* handles, grouped by parent */
	uint32_t *order; /* handles in entry order */
	uint32_t entries;
	uint64_t count[HXS_INDEX_SECTIONS];
	uint64_t off[HXS_INDEX_SECTIONS];
	uint64_t total;
	bool has_xattrs;
};

static int by_name(const void *pa, const void *pb, void *ctx)
{
	const struct item *items = ctx;
	const struct item *a = &items[*(const uint32_t *)pa];
	const struct item *b = &items[*(const uint32_t *)pb];

	return hxs_index_name_cmp(a->name, a->name_len, S_ISDIR(a->mode),
				  b->name, b->name_len, S_ISDIR(b->mode));
}

/* Group the living handles by parent; first_child is a place in slots. */
static void group_children(struct plan *p)
{
	struct item *items = p->b->items;
	uint32_t i, at = 0;

	for (i = 0; i < p->b->count; i++)
		items[i].child_count = 0;
	for (i = 1; i < p->b->count; i++) {
		items[i].dropped |= items[items[i].parent].dropped;
		if (!items[i].dropped)
			items[items[i].parent].child_count++;
	}
	for (i = 0; i < p->b->count; i++) {
		items[i].first_child = at;
		at += items[i].child_count;
		items[i].child_count = 0;
	}
	for (i = 1; i < p->b->count; i++) {
		struct item *parent = &items[items[i].parent];

		if (!items[i].dropped)
			p->slots[parent->first_child + parent->child_count++] =
				i;
	}
}

static int duplicate(const struct plan *p, const struct item *dir, uint32_t i,
		     struct hxs_err *err)
{
	const struct item *items = p->b->items;
	const uint32_t *slots = p->slots + dir->first_child;
	uint32_t low = 0, high = i, mid;
	const struct item *it = &items[slots[i]], *other;
	int c;

	/* A twin of the same type is the neighbour before. */
	if (i && by_name(&slots[i - 1], &slots[i], p->b->items) == 0)
		goto found;
	if (!S_ISDIR(it->mode))
		return 0;
	while (low < high) {
		mid = low + (high - low) / 2;
		other = &items[slots[mid]];
		c = hxs_index_name_cmp(it->name, it->name_len, false,
				       other->name, other->name_len,
				       S_ISDIR(other->mode));
		if (c == 0)
			goto found;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return 0;
found:
	return hxs_err_errno(err, EEXIST, "cannot note '%s' twice", it->name);
}

/* Sort each directory and number all entries breadth first. */
static int number_entries(struct plan *p, struct hxs_err *err)
{
	struct item *items = p->b->items, *dir;
	uint32_t done, i;
	int r;

	p->order[0] = 0;
	p->entries = 1;
	for (done = 0; done < p->entries; done++) {
		dir = &items[p->order[done]];
		dir->number = done;
		if (!S_ISDIR(dir->mode) || !dir->child_count)
			continue;
		qsort_r(p->slots + dir->first_child, dir->child_count,
			sizeof(*p->slots), by_name, items);
		for (i = 0; i < dir->child_count; i++) {
			r = duplicate(p, dir, i, err);
			if (r < 0)
				return r;
			p->order[p->entries + i] =
				p->slots[dir->first_child + i];
		}
		dir->first_child = p->entries;
		p->entries += dir->child_count;
	}
	return 0;
}

/* Who leads each inode, and how many links it has. */
static int count_links(struct plan *p, struct hxs_err *err)
{
	struct item *items = p->b->items, *it, *lead;
	uint32_t n;

	for (n = 0; n < p->b->count; n++) {
		items[n].group = NONE;
		items[n].nlink = 0;
	}
	for (n = 0; n < p->entries; n++) {
		it = &items[p->order[n]];
		lead = &items[it->leader];
		if (S_ISDIR(it->mode)) {
			it->group = n;
			it->nlink += 2;
			if (n)
				items[it->parent].nlink++;
			continue;
		}
		if (S_ISREG(it->mode) && !lead->has_chain && !lead->has_digest)
			return hxs_err_set(err, EINVAL,
					   "'%s' has no digest yet", it->name);
		if (lead->group == NONE)
			lead->group = n;
		lead->nlink++;
	}
	return 0;
}

static bool leads(const struct plan *p, uint32_t n)
{
	const struct item *it = &p->b->items[p->order[n]];

	return p->b->items[it->leader].group == n;
}

static int measure(struct plan *p, struct hxs_err *err)
{
	const struct item *it, *lead;
	uint64_t at = sizeof(struct hxs_index_header);
	uint32_t n;
	unsigned i;

	p->count[HXS_INDEX_ENTRIES] = p->entries;
	for (n = 0; n < p->entries; n++) {
		it = &p->b->items[p->order[n]];
		lead = &p->b->items[it->leader];
		p->count[HXS_INDEX_STRINGS] += it->name_len + 1u;
		if (!leads(p, n))
			continue;
		if (lead->target_len)
			p->count[HXS_INDEX_STRINGS] += lead->target_len + 1u;
		p->count[HXS_INDEX_STATES] += lead->chain.state_count;
		p->count[HXS_INDEX_RUNS] += lead->chain.run_count;
		p->count[HXS_INDEX_XATTRS] += lead->xattrs_len;
		p->has_xattrs |= lead->xattrs_len != 0;
	}
	for (i = 0; i < HXS_INDEX_SECTIONS; i++) {
		at = (at + 7) & ~7ull;
		p->off[i] = at;
		at += p->count[i] * hxs_index_record_size(i);
	}
	p->total = at;
	if (at > HXS_INDEX_MAX || p->count[HXS_INDEX_STRINGS] > UINT32_MAX ||
	    p->count[HXS_INDEX_XATTRS] > UINT32_MAX)
		return hxs_err_errno(err, EFBIG, "the index grows too large");
	return 0;
}

static void write_header(const struct plan *p, uint8_t *bytes)
{
	const struct hxs_index_head *head = &p->b->head;
	struct hxs_index_header *h = (void *)bytes;
	unsigned i;

	memcpy(h->magic, HXS_INDEX_MAGIC, sizeof(h->magic));
	h->version = htole32(HXS_INDEX_VERSION);
	h->header_size = htole32(sizeof(*h));
	h->entry_size = htole32(sizeof(struct hxs_index_record));
	h->block_shift = htole32(HXS_BLOCK_SHIFT);
	h->flags = htole64(p->has_xattrs ? HXS_INDEX_HAS_XATTRS : 0);
	h->file_size = htole64(p->total);
	for (i = 0; i < HXS_INDEX_SECTIONS; i++) {
		h->section[i].off = htole64(p->off[i]);
		h->section[i].count = htole64(p->count[i]);
	}
	h->captured_sec =
		(int64_t)htole64((uint64_t)(int64_t)head->captured.tv_sec);
	h->captured_nsec = htole32((uint32_t)head->captured.tv_nsec);
	memcpy(h->id, head->id, HXS_ID_LEN);
	memcpy(h->env, head->env, strlen(head->env));
	h->kind = (uint8_t)head->kind;
}

/* The next free place in each section, while writing. */
struct cursor {
	uint8_t *bytes;
	const struct plan *p;
	uint64_t used[HXS_INDEX_SECTIONS];
};

static uint64_t put(struct cursor *c, unsigned section, const void *from,
		    uint64_t count)
{
	size_t size = hxs_index_record_size(section);
	uint64_t at = c->used[section];

	if (count)
		memcpy(c->bytes + c->p->off[section] + at * size, from,
		       count * size);
	c->used[section] += count;
	return at;
}

static void write_chain(struct cursor *c, const struct hxs_chain *chain,
			struct hxs_index_record *e)
{
	uint64_t first =
		put(c, HXS_INDEX_STATES, chain->states, chain->state_count);
	uint64_t i, at;
	struct hxs_run run;

	e->digest = chain->digest;
	if (!chain->sparse) {
		e->c = htole64(first);
		return;
	}
	e->flags |= htole16(HXS_INDEX_SPARSE);
	e->a = htole32((uint32_t)chain->run_count);
	at = c->used[HXS_INDEX_RUNS];
	e->c = htole64(at);
	for (i = 0; i < chain->run_count; i++) {
		run = chain->runs[i];
		run.first_state = htole64(le64toh(run.first_state) + first);
		(void)put(c, HXS_INDEX_RUNS, &run, 1);
	}
}

static void write_entry(struct cursor *c, uint32_t n)
{
	struct hxs_index_record *all =
		(void *)(c->bytes + c->p->off[HXS_INDEX_ENTRIES]);
	struct hxs_index_record *e = &all[n];
	const struct item *items = c->p->b->items;
	const struct item *it = &items[c->p->order[n]];
	const struct item *lead = &items[it->leader];
	uint64_t name_off =
		put(c, HXS_INDEX_STRINGS, it->name, it->name_len + 1u);

	if (!leads(c->p, n)) {
		*e = all[lead->group];
	} else {
		e->size = htole64(lead->size);
		e->mtime_sec =
			(int64_t)htole64((uint64_t)(int64_t)lead->mtime.tv_sec);
		e->ctime_sec =
			(int64_t)htole64((uint64_t)(int64_t)lead->ctime.tv_sec);
		e->mtime_nsec = htole32((uint32_t)lead->mtime.tv_nsec);
		e->ctime_nsec = htole32((uint32_t)lead->ctime.tv_nsec);
		e->ino = htole64(lead->ino);
		e->mode = htole32(lead->mode);
		e->uid = htole32(lead->uid);
		e->gid = htole32(lead->gid);
		e->nlink = htole32(lead->nlink);
		e->leader = htole32(n);
		if (lead->xattrs_len) {
			e->xattr_len = htole32(lead->xattrs_len);
			e->xattr_off = htole32(
				(uint32_t)put(c, HXS_INDEX_XATTRS, lead->xattrs,
					      lead->xattrs_len));
		}
		if (S_ISDIR(lead->mode)) {
			e->b = htole32(lead->child_count);
			if (lead->child_count)
				e->a = htole32(lead->first_child);
		} else if (S_ISLNK(lead->mode)) {
			e->b = htole32(lead->target_len);
			e->a = htole32(
				(uint32_t)put(c, HXS_INDEX_STRINGS,
					      lead->name + lead->name_len + 1,
					      lead->target_len + 1u));
		} else {
			if (lead->sqlite_wal)
				e->flags = htole16(HXS_INDEX_SQLITE_WAL);
			write_chain(c, &lead->chain, e);
		}
	}
	e->parent = htole32(items[it->parent].number);
	e->name_off = htole32((uint32_t)name_off);
	e->name_len = htole16(it->name_len);
}

int hxs_index_builder_finish(struct hxs_index_builder *b, void **bytes,
			     size_t *len, struct hxs_err *err)
{
	HXS_AUTO_FREE uint32_t *slots = calloc(b->count, sizeof(*slots));
	HXS_AUTO_FREE uint32_t *order = calloc(b->count, sizeof(*order));
	struct plan p = { .b = b, .slots = slots, .order = order };
	struct cursor c = { .p = &p };
	uint32_t n;
	int r;

	if (!slots || !order)
		return hxs_err_errno(err, ENOMEM, "cannot write an index");
	group_children(&p);
	r = number_entries(&p, err);
	if (r == 0)
		r = count_links(&p, err);
	if (r == 0)
		r = measure(&p, err);
	if (r < 0)
		return r;
	c.bytes = calloc(1, p.total);
	if (!c.bytes)
		return hxs_err_errno(err, ENOMEM, "cannot write an index");
	write_header(&p, c.bytes);
	for (n = 0; n < p.entries; n++)
		write_entry(&c, n);
	*bytes = c.bytes;
	*len = p.total;
	return 0;
}
