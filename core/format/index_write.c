/*
 * Writing an index of what was collected: sort each directory, number breadth
 * first, and write every section in one sweep.
 */
#include "format/index_layout.h"
#include "format/index_parts.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* Work space. */
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
	const struct hxs_index_item *items = ctx;
	const struct hxs_index_item *a = &items[*(const uint32_t *)pa];
	const struct hxs_index_item *b = &items[*(const uint32_t *)pb];

	return hxs_index_name_cmp(a->name, a->name_len, S_ISDIR(a->mode),
				  b->name, b->name_len, S_ISDIR(b->mode));
}

/* Group the living handles by parent; first_child is a place in slots. */
static void group_children(struct plan *p)
{
	struct hxs_index_item *items = p->b->items;
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
		struct hxs_index_item *parent = &items[items[i].parent];

		if (!items[i].dropped)
			p->slots[parent->first_child + parent->child_count++] =
				i;
	}
}

static int duplicate(const struct plan *p, const struct hxs_index_item *dir,
		     uint32_t i, struct hxs_err *err)
{
	const struct hxs_index_item *items = p->b->items;
	const uint32_t *slots = p->slots + dir->first_child;
	uint32_t low = 0, high = i, mid;
	const struct hxs_index_item *it = &items[slots[i]], *other;
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
	struct hxs_index_item *items = p->b->items, *dir;
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
	struct hxs_index_item *items = p->b->items, *it, *lead;
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
	const struct hxs_index_item *it = &p->b->items[p->order[n]];

	return p->b->items[it->leader].group == n;
}

static int measure(struct plan *p, struct hxs_err *err)
{
	const struct hxs_index_item *it, *lead;
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
	const struct hxs_index_item *items = c->p->b->items;
	const struct hxs_index_item *it = &items[c->p->order[n]];
	const struct hxs_index_item *lead = &items[it->leader];
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
