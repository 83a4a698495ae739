/*
 * Bringing over one item: copied, linked to the earlier backup's copy, or a
 * symbolic link made anew; noted in the index, and told of.
 */
#include "source/spread_item.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define TELL_FILES 64 /* so many are counted at once */
#define TELL_BYTES (1u << 20)

const char *hxs_spread_show(struct hxs_spread_place *p,
			    const struct hxs_tree_item *it)
{
	return hxs_tree_show(p->sp->t, it->dir, it->name, &p->shown);
}

void hxs_spread_init(struct hxs_spread_place *p, struct hxs_spread *sp)
{
	*p = (struct hxs_spread_place){
		.sp = sp, .from = -1, .to = -1, .prev = -1
	};
}

static void leave(struct hxs_spread_place *p)
{
	int *const fds[] = { &p->from, &p->to, &p->prev };
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]); /* a directory */
		*fds[i] = -1;
	}
}

/* Tell of what was done: not of each file, since all tell the same place. */
static void tell(struct hxs_spread_place *p)
{
	if (p->files)
		hxs_capture_done(p->sp->cap, p->files, p->bytes, p->linked);
	p->files = p->bytes = 0;
}

void hxs_spread_release(struct hxs_spread_place *p)
{
	tell(p);
	leave(p);
	if (p->scribe)
		hxs_copy_give_scribe(p->sp->cap, p->scribe);
	hxs_buf_release(&p->shown);
}

int hxs_spread_go_to(struct hxs_spread_place *p, size_t dir,
		     struct hxs_err *err)
{
	const struct hxs_tree *t = p->sp->t;
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	if (p->to >= 0 && p->dir == dir)
		return 0;
	leave(p);
	p->dir = dir;
	p->to = hxs_tree_open(t, dir, p->sp->cap->dest, true);
	if (p->to < 0)
		return hxs_err_errno(err, -p->to,
				     "cannot open the copy of "
				     "'%s'",
				     hxs_tree_show(t, dir, NULL, &shown));
	return 0;
}

int hxs_spread_open_from(struct hxs_spread_place *p, struct hxs_err *err)
{
	const struct hxs_tree *t = p->sp->t;

	if (p->from >= 0)
		return 1;
	p->from = hxs_tree_open(t, p->dir, t->fd, false);
	if (p->from == -ENOENT || p->from == -ENOTDIR || p->from == -ELOOP ||
	    p->from == -EXDEV)
		return 0;
	if (p->from < 0)
		return hxs_err_errno(err, -p->from, "cannot open '%s'",
				     hxs_tree_show(t, p->dir, NULL, &p->shown));
	return 1;
}

void hxs_spread_warn_lost(struct hxs_capture *cap, const char *shown)
{
	hxs_capture_warn(cap,
			 "'%s': not all of its extended attributes fit into "
			 "the store's file system; the index has them",
			 shown);
}

/* ---- one item ---------------------------------------------------------- */

void hxs_spread_gone(struct hxs_spread_place *p, struct hxs_tree_item *it)
{
	it->state = HXS_TREE_GONE;
	hxs_capture_warn(p->sp->cap, "'%s' was left out: it vanished meanwhile",
			 hxs_spread_show(p, it));
}

static int need_scribe(struct hxs_spread_place *p, struct hxs_err *err)
{
	if (!p->scribe)
		p->scribe = hxs_copy_take_scribe(p->sp->cap);
	return p->scribe ? 0 : hxs_err_errno(err, ENOMEM, "cannot copy");
}

void hxs_spread_done(struct hxs_spread_place *p, struct hxs_tree_item *it,
		     bool linked)
{
	it->state = linked ? HXS_TREE_LINKED : HXS_TREE_DONE;
	if (!S_ISREG(it->st.mode))
		return;
	if (p->linked != linked)
		tell(p);
	p->linked = linked;
	p->files++;
	p->bytes += it->st.size;
	if (p->files >= TELL_FILES || (!linked && p->bytes >= TELL_BYTES))
		tell(p);
}

static int copy_item(struct hxs_spread_place *p, struct hxs_tree_item *it,
		     struct hxs_err *err)
{
	struct hxs_index_builder *b = p->sp->cap->builder;
	const char *live = p->sp->t->live_name;
	struct hxs_copy c = {
		.cap = p->sp->cap,
		.from = live ? live : it->name,
		.to = it->name,
		.no_clone = &p->sp->no_clone,
		.databases = !p->sp->t->src->sqlite_raw,
	};
	struct hxs_node node;
	int r;

	r = need_scribe(p, err);
	if (r == 0)
		r = hxs_spread_open_from(p, err);
	if (r < 0)
		return r;
	if (r > 0) {
		c.scribe = p->scribe;
		c.from_dir = p->from;
		c.to_dir = p->to;
		r = hxs_copy_file(&c, err);
		if (r < 0)
			return hxs_err_prefix(err, r, "'%s'",
					      hxs_spread_show(p, it));
	}
	if (r == HXS_COPY_GONE) {
		hxs_spread_gone(p, it);
		return 0;
	}
	if (c.lost_xattrs)
		hxs_spread_warn_lost(p->sp->cap, hxs_spread_show(p, it));
	if (c.unchecked[0])
		hxs_capture_warn(p->sp->cap,
				 "'%s': SQLite could not check all of it: %s",
				 hxs_spread_show(p, it), c.unchecked);
	it->st = c.st;
	hxs_tree_to_node(&it->st, &node);
	node.sqlite_wal = c.wal;
	node.xattrs = p->scribe->xattrs.data;
	node.xattrs_len = p->scribe->xattrs.len;
	hxs_index_builder_set_chain(b, it->handle, &c.chain);
	r = hxs_index_builder_update(b, it->handle, &node);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot note '%s'",
				     hxs_spread_show(p, it));
	hxs_spread_done(p, it, false);
	return 0;
}

static int make_link(struct hxs_spread_place *p, struct hxs_tree_item *it,
		     struct hxs_err *err)
{
	int r = 0;

	if (symlinkat(it->target, p->to, it->name) < 0)
		r = -errno;
	if (r == 0)
		r = hxs_copy_link_attributes(p->to, it->name, &it->st,
					     it->xattrs, it->xattrs_len);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot create the copy of '%s'",
				     hxs_spread_show(p, it));
	hxs_spread_done(p, it, false);
	return 0;
}

/*
 * Whether the earlier backup's copy is still what it was made as, as far as
 * looking at it tells.
 */
static bool prev_is_intact(const struct hxs_spread_place *p,
			   const struct hxs_tree_item *it)
{
	struct stat st;

	return fstatat(p->prev, it->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && (uint64_t)st.st_size == it->st.size &&
	       st.st_mtim.tv_sec == it->st.mtime.tv_sec &&
	       st.st_mtim.tv_nsec == it->st.mtime.tv_nsec;
}

/* 1 when linked, 0 when it has to be copied after all. */
static int link_item(struct hxs_spread_place *p, struct hxs_tree_item *it,
		     struct hxs_err *err)
{
	struct hxs_capture *cap = p->sp->cap;
	struct hxs_chain chain;
	struct hxs_node prev, node;
	int r;

	if (p->prev < 0)
		p->prev = hxs_tree_open(p->sp->t, p->dir, cap->prev_fd, true);
	if (p->prev < 0 || !prev_is_intact(p, it))
		return 0;
	/* Too many links, another owner's file, ...: then it is copied. */
	if (linkat(p->prev, it->name, p->to, it->name, 0) < 0)
		return 0;
	r = hxs_index_chain(cap->prev, it->prev, &chain);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot note '%s'",
				     hxs_spread_show(p, it));
	hxs_index_builder_set_chain(cap->builder, it->handle, &chain);
	hxs_index_get(cap->prev, it->prev, &prev);
	if (prev.xattrs_len) {
		hxs_tree_to_node(&it->st, &node);
		node.xattrs = prev.xattrs;
		node.xattrs_len = prev.xattrs_len;
		r = hxs_index_builder_update(cap->builder, it->handle, &node);
		if (r < 0)
			return hxs_err_errno(err, -r, "cannot note '%s'",
					     hxs_spread_show(p, it));
	}
	hxs_spread_done(p, it, true);
	return 1;
}

int hxs_spread_item(struct hxs_spread_place *p, struct hxs_tree_item *it,
		    struct hxs_err *err)
{
	int r = 0;

	if (it->target)
		return make_link(p, it, err);
	if (it->state == HXS_TREE_SAME)
		r = link_item(p, it, err);
	return r != 0 ? r : copy_item(p, it, err);
}
