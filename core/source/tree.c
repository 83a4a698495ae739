#include "source/tree.h"

#include "base/io.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES (64u << 10)

struct hxs_tree_block {
	struct hxs_tree_block *next;
	size_t used, cap;
	char data[];
};

void hxs_tree_free(struct hxs_tree *t)
{
	struct hxs_tree_block *b, *next;
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->dir_count; i++)
		free(t->dirs[i].xattrs);
	for (b = t->arena; b; b = next) {
		next = b->next;
		free(b);
	}
	if (t->fd >= 0)
		(void)close(t->fd); /* only read */
	free(t->dirs);
	free(t->items);
	free(t);
}

int hxs_tree_begin(struct hxs_capture *cap, struct hxs_tree *t,
		   const struct stat *st, struct hxs_err *err)
{
	const char *name = t->src->name;
	struct hxs_node node;
	struct hxs_tree_dir *d;

	if (hxs_tree_add_dir(t) < 0)
		return hxs_err_errno(err, ENOMEM, "source '%s'", name);
	d = &t->dirs[0];
	d->name = name;
	hxs_tree_from_stat(&d->st, st);
	hxs_tree_to_node(&d->st, &node);
	node.name = name;
	node.name_len = strlen(name);
	return hxs_index_builder_add(cap->builder, 0, &node, &d->handle, err);
}

char *hxs_tree_keep(struct hxs_tree *t, const char *s, size_t len)
{
	struct hxs_tree_block *b = t->arena;
	size_t cap = len + 1 > BLOCK_BYTES ? len + 1 : BLOCK_BYTES;
	char *out;

	if (!b || b->cap - b->used <= len) {
		b = malloc(sizeof(*b) + cap);
		if (!b)
			return NULL;
		b->next = t->arena;
		b->used = 0;
		b->cap = cap;
		t->arena = b;
	}
	out = b->data + b->used;
	memcpy(out, s, len);
	out[len] = '\0';
	b->used += len + 1;
	return out;
}

int64_t hxs_tree_add_dir(struct hxs_tree *t)
{
	size_t cap = t->dir_cap ? t->dir_cap * 2 : 64;
	struct hxs_tree_dir *grown;

	if (t->dir_count == t->dir_cap) {
		grown = reallocarray(t->dirs, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		t->dirs = grown;
		t->dir_cap = cap;
	}
	memset(&t->dirs[t->dir_count], 0, sizeof(*t->dirs));
	return (int64_t)t->dir_count++;
}

int64_t hxs_tree_add_item(struct hxs_tree *t)
{
	size_t cap = t->item_cap ? t->item_cap * 2 : 256;
	struct hxs_tree_item *grown;

	if (t->item_count == t->item_cap) {
		grown = reallocarray(t->items, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		t->items = grown;
		t->item_cap = cap;
	}
	memset(&t->items[t->item_count], 0, sizeof(*t->items));
	return (int64_t)t->item_count++;
}

int hxs_tree_path(const struct hxs_tree *t, size_t dir, const char *name,
		  bool in_snapshot, struct hxs_buf *out)
{
	size_t len = name ? strlen(name) : 0, at, n, d;
	int r;

	/* First how long it is, then from its end to its beginning. */
	for (d = dir;; d = t->dirs[d].parent) {
		if (d != 0 || in_snapshot)
			len += strlen(t->dirs[d].name) + (len != 0);
		if (d == 0)
			break;
	}
	hxs_buf_truncate(out, 0);
	r = hxs_buf_reserve(out, len + 1);
	if (r < 0)
		return r;
	out->data[len] = '\0';
	out->len = at = len;
	if (name) {
		n = strlen(name);
		at -= n;
		memcpy(out->data + at, name, n);
	}
	for (d = dir;; d = t->dirs[d].parent) {
		if (d != 0 || in_snapshot) {
			if (at != len)
				out->data[--at] = '/';
			n = strlen(t->dirs[d].name);
			at -= n;
			memcpy(out->data + at, t->dirs[d].name, n);
		}
		if (d == 0)
			break;
	}
	return 0;
}

const char *hxs_tree_show(const struct hxs_tree *t, size_t dir,
			  const char *name, struct hxs_buf *out)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	hxs_buf_truncate(out, 0);
	if (hxs_tree_path(t, dir, name, true, &path) < 0 ||
	    hxs_path_show(out, hxs_buf_str(&path), path.len) < 0)
		return name ? name : t->dirs[dir].name;
	return hxs_buf_str(out);
}

void hxs_tree_from_stat(struct hxs_tree_stat *out, const struct stat *st)
{
	*out = (struct hxs_tree_stat){
		.size = (uint64_t)st->st_size,
		.ino = st->st_ino,
		.atime = st->st_atim,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
	};
}

void hxs_tree_to_node(const struct hxs_tree_stat *st, struct hxs_node *out)
{
	*out = (struct hxs_node){
		.mode = st->mode,
		.uid = st->uid,
		.gid = st->gid,
		.size = st->size,
		.ino = st->ino,
		.mtime = st->mtime,
		.ctime = st->ctime,
	};
}

int hxs_tree_open_path(int fd, const char *path)
{
	const int flags = O_RDONLY | O_DIRECTORY;
	int r = hxs_io_open_beneath(fd, path, flags | O_NOATIME, 0);

	if (r == -EPERM) /* not our directory */
		r = hxs_io_open_beneath(fd, path, flags, 0);
	return r;
}

int hxs_tree_open(const struct hxs_tree *t, size_t dir, int fd,
		  bool in_snapshot)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	int r;

	r = hxs_tree_path(t, dir, NULL, in_snapshot, &path);
	return r < 0 ? r : hxs_tree_open_path(fd, hxs_buf_str(&path));
}
