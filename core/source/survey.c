/*
 * A source's tree taken as it is: hashed where it lies, on all processors,
 * nothing copied. For a rollback point that will be the very tree a restore
 * displaced.
 */
#include "base/xattr.h"
#include "source/copy.h"
#include "source/tree.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define SLICE 64 /* items taken at once */

struct survey {
	struct hxs_capture *cap;
	struct hxs_tree *t;
	atomic_size_t next; /* item */
	atomic_bool odd; /* a copy has to be made after all */
};

static bool is_odd(uint32_t mode, const void *xattrs, size_t len)
{
	struct hxs_xattr x;

	return hxs_copy_mode(mode & 07777) != (mode & 07777) ||
	       hxs_xattr_find(xattrs, len, "security.capability", &x);
}

/* One worker's hands. */
struct hand {
	struct survey *s;
	struct hxs_scribe *scribe;
	size_t dir; /* open as @fd, if that is not -1 */
	int fd;
	struct hxs_buf shown;
};

static const char *show(struct hand *h, const struct hxs_tree_item *it)
{
	return hxs_tree_show(h->s->t, it->dir, it->name, &h->shown);
}

static int go_to(struct hand *h, size_t dir)
{
	if (h->fd >= 0 && h->dir == dir)
		return 0;
	if (h->fd >= 0)
		(void)close(h->fd); /* a directory */
	h->dir = dir;
	h->fd = hxs_tree_open(h->s->t, dir, h->s->t->fd, false);
	return h->fd < 0 ? h->fd : 0;
}

/* Unchanged since an earlier backup: what was hashed then holds. */
static int take_earlier(struct hand *h, const struct hxs_tree_item *it,
			struct hxs_node *node, struct hxs_err *err)
{
	struct hxs_capture *cap = h->s->cap;
	struct hxs_chain chain;
	struct hxs_node prev;
	int r;

	r = hxs_index_chain(cap->prev, it->prev, &chain);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot note '%s'", show(h, it));
	hxs_index_builder_set_chain(cap->builder, it->handle, &chain);
	hxs_index_get(cap->prev, it->prev, &prev);
	node->xattrs = prev.xattrs;
	node->xattrs_len = prev.xattrs_len;
	hxs_capture_done(cap, 1, it->st.size, true);
	return 1;
}

/* 1 when hashed, 0 when a copy is needed. */
static int hash(struct hand *h, struct hxs_tree_item *it, struct hxs_node *node,
		struct hxs_err *err)
{
	struct hxs_tree *t = h->s->t;
	struct hxs_copy c = {
		.cap = h->s->cap,
		.scribe = h->scribe,
		.from_dir = h->fd,
		.from = t->live_name ? t->live_name : it->name,
		.databases = !t->src->sqlite_raw,
	};
	int r = hxs_copy_hash(&c, err);

	if (r < 0)
		return hxs_err_prefix(err, r, "'%s'", show(h, it));
	if (r != HXS_COPY_DONE)
		return 0;
	it->st = c.st;
	hxs_tree_to_node(&it->st, node);
	node->xattrs = h->scribe->xattrs.data;
	node->xattrs_len = h->scribe->xattrs.len;
	hxs_index_builder_set_chain(h->s->cap->builder, it->handle, &c.chain);
	hxs_capture_done(h->s->cap, 1, it->st.size, false);
	return 1;
}

/* 1 when noted, 0 when a copy is needed. */
static int take(struct hand *h, struct hxs_tree_item *it, struct hxs_err *err)
{
	struct hxs_node node;
	int r;

	if (it->target || it->state == HXS_TREE_OTHER_NAME)
		return 1;
	r = go_to(h, it->dir);
	if (r == -ENOMEM)
		return hxs_err_errno(err, ENOMEM, "cannot hash");
	if (r < 0)
		return 0; /* the copy tells what is the matter */
	hxs_tree_to_node(&it->st, &node);
	if (it->state == HXS_TREE_SAME)
		r = take_earlier(h, it, &node, err);
	else
		r = hash(h, it, &node, err);
	if (r <= 0 || is_odd(node.mode, node.xattrs, node.xattrs_len))
		return r < 0 ? r : 0;
	r = hxs_index_builder_update(h->s->cap->builder, it->handle, &node);
	return r < 0 ? hxs_err_errno(err, -r, "cannot note '%s'", show(h, it))
		     : 1;
}

static void work(void *arg)
{
	struct survey *s = arg;
	struct hand h = { .s = s, .fd = -1 };
	struct hxs_err err = HXS_ERR_INIT;
	size_t i, first;
	int r = 1;

	h.scribe = hxs_copy_take_scribe(s->cap);
	if (!h.scribe) {
		r = hxs_err_errno(&err, ENOMEM, "cannot hash");
		hxs_capture_fail(s->cap, r, &err);
		return;
	}
	while (r > 0 && !atomic_load(&s->odd)) {
		first = atomic_fetch_add(&s->next, SLICE);
		if (first >= s->t->item_count)
			break;
		for (i = first; r > 0 && i < first + SLICE; i++) {
			if (i >= s->t->item_count ||
			    !hxs_capture_goes_on(s->cap))
				break;
			r = take(&h, &s->t->items[i], &err);
		}
		if (!hxs_capture_goes_on(s->cap))
			break;
	}
	if (r == 0)
		atomic_store(&s->odd, true);
	if (r < 0)
		hxs_capture_fail(s->cap, r, &err);
	if (h.fd >= 0)
		(void)close(h.fd); /* a directory */
	hxs_copy_give_scribe(s->cap, h.scribe);
	hxs_buf_release(&h.shown);
}

int hxs_survey(struct hxs_capture *cap, struct hxs_tree *t,
	       struct hxs_source_totals *totals, struct hxs_err *err)
{
	struct survey s = { .cap = cap, .t = t };
	const struct hxs_tree_item *it;
	size_t i;
	int r;

	/* A directory's set-id bits do no harm; those of files do. */
	if (t->has_more || t->links_found != t->links_wanted)
		return 0;
	atomic_init(&s.next, 0);
	atomic_init(&s.odd, false);
	for (i = 0; i < 2 * hxs_pool_processors(); i++)
		hxs_pool_submit(cap->pool, work, &s);
	hxs_pool_wait(cap->pool);
	r = hxs_capture_status(cap, err);
	if (r < 0 || atomic_load(&s.odd))
		return r;
	for (i = 0; i < t->item_count; i++) {
		it = &t->items[i];
		if (it->state == HXS_TREE_OTHER_NAME)
			hxs_index_builder_link(cap->builder, it->handle,
					       t->items[it->same_as].handle);
	}
	*totals = t->totals;
	return 1;
}
