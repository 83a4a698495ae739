/* Building an index: collecting entries, in any order. */
#include "base/path.h"
#include "format/index_layout.h"
#include "format/index_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	struct hxs_index_item *items;
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
	struct hxs_index_item *it = &b->items[handle];
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
	struct hxs_index_item *it;
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
	struct hxs_index_item *it = &b->items[handle];

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
