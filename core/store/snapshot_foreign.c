/*
 * A snapshot that another program wrote: an index in memory, from the
 * manifest and from the files themselves.
 *
 * The manifest says which regular files there are and what is in them; the
 * directory says the rest. A file that is not listed is not there. A listed
 * file that is missing, or has become something else, keeps its place as an
 * empty file of mode 0 that cannot be opened.
 */
#include "base/io.h"
#include "base/xattr.h"
#include "format/manifest.h"
#include "format/meta.h"
#include "store/snapshot_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <string.h>

/* A directory that is still to be walked. */
struct dir {
	uint32_t handle;
	char *path;
};

/* An inode with several names that was met before. */
struct inode {
	ino_t ino;
	mode_t mode;
	uint32_t handle;
	struct hxs_digest digest; /* of its content, or a link's target */
};

struct build {
	struct hxs_snapshot *snap;
	struct hxs_manifest *manifest;
	struct hxs_index_builder *builder;
	struct dir *queue;
	size_t queued, queue_cap, next;
	uint8_t *seen; /* by manifest line */
	void *inodes; /* tsearch tree of struct inode */
	void *dirs, *links; /* tsearch trees of struct place */
	uint32_t made_up; /* directories that the disk does not have */
	int dir_fd; /* of the directory being walked */
	const struct dir *at;
	struct hxs_err *err;
};

/*
 * Missing directories cost more than the two bytes of manifest that can name
 * one, so there is an end to making them up.
 */
#define MADE_UP_MAX (1u << 20)

/* A name in a directory, and its handle. */
struct place {
	uint32_t parent, handle;
	size_t len;
	const char *name; /* not ended by a NUL */
};

static int by_place(const void *va, const void *vb)
{
	const struct place *a = va, *b = vb;

	if (a->parent != b->parent)
		return a->parent > b->parent ? 1 : -1;
	if (a->len != b->len)
		return a->len > b->len ? 1 : -1;
	return memcmp(a->name, b->name, a->len);
}

/* Remember that @name (a copy is made) in @parent has @handle. */
static int note_place(void **tree, uint32_t parent, const char *name,
		      size_t len, uint32_t handle)
{
	struct place *p = malloc(sizeof(*p) + len);

	if (!p)
		return -ENOMEM;
	memcpy(p + 1, name, len);
	*p = (struct place){ parent, handle, len, (const char *)(p + 1) };
	if (!tsearch(p, tree, by_place)) {
		free(p);
		return -ENOMEM;
	}
	return 0;
}

static const struct place *find_place(void *const *tree, uint32_t parent,
				      const char *name, size_t len)
{
	struct place key = { parent, 0, len, name };
	struct place **found = tfind(&key, tree, by_place);

	return found ? *found : NULL;
}

static int enqueue(struct build *b, uint32_t handle, const char *path)
{
	struct dir *grown;
	size_t cap;

	if (b->queued == b->queue_cap) {
		cap = b->queue_cap ? b->queue_cap * 2 : 64;
		grown = reallocarray(b->queue, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		b->queue = grown;
		b->queue_cap = cap;
	}
	b->queue[b->queued].path = strdup(path);
	if (!b->queue[b->queued].path)
		return -ENOMEM;
	b->queue[b->queued++].handle = handle;
	return 0;
}

static int by_ino(const void *a, const void *b)
{
	ino_t x = ((const struct inode *)a)->ino;
	ino_t y = ((const struct inode *)b)->ino;

	return (x > y) - (x < y);
}

/* Group @handle with a name of the same inode and content met before. */
static int note_inode(struct build *b, const struct stat *st, uint32_t handle,
		      const struct hxs_digest *digest)
{
	struct inode *in, **found;

	if (st->st_nlink < 2)
		return 0;
	in = malloc(sizeof(*in));
	if (!in)
		return -ENOMEM;
	*in = (struct inode){ st->st_ino, st->st_mode, handle, *digest };
	found = tsearch(in, &b->inodes, by_ino);
	if (!found) {
		free(in);
		return -ENOMEM;
	}
	if (*found == in)
		return 0;
	free(in);
	if ((*found)->mode == st->st_mode &&
	    hxs_digest_equal(&(*found)->digest, digest))
		hxs_index_builder_link(b->builder, handle, (*found)->handle);
	return 0;
}

static void fill_node(const struct stat *st, struct hxs_node *node)
{
	node->mode = st->st_mode;
	node->uid = st->st_uid;
	node->gid = st->st_gid;
	node->size = (uint64_t)st->st_size;
	node->ino = st->st_ino;
	node->mtime = st->st_mtim;
	node->ctime = st->st_ctim;
}

/* Open the entry itself, whatever it is, without an effect on it. */
static int open_entry(int dirfd, const char *name, struct stat *st)
{
	int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0) {
		int e = errno;

		(void)close(fd); /* O_PATH */
		return -e;
	}
	return fd;
}

static int add_file(struct build *b, struct hxs_node *node,
		    const struct stat *st, const struct hxs_manifest_line *line)
{
	uint32_t handle;
	int r;

	if (!st || !S_ISREG(st->st_mode)) {
		*node = (struct hxs_node){ .name = node->name,
					   .name_len = node->name_len,
					   .mode = S_IFREG };
	}
	r = hxs_index_builder_add(b->builder, b->at->handle, node, &handle,
				  b->err);
	if (r < 0)
		return r;
	hxs_index_builder_set_digest(b->builder, handle, &line->digest);
	return st && S_ISREG(st->st_mode)
		       ? note_inode(b, st, handle, &line->digest)
		       : 0;
}

static int read_target(int fd, char *buf, size_t size)
{
	ssize_t n = readlinkat(fd, "", buf, size - 1);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

/*
 * An entry whose attributes cannot be read goes without them: one such file
 * must not hide a whole snapshot. What is wrong with it shows when it is
 * opened.
 */
static int read_xattrs(int fd, struct hxs_buf *out)
{
	int r = hxs_xattr_read(fd, out);

	if (r == 0 || r == -ENOMEM)
		return r;
	hxs_buf_release(out);
	*out = (struct hxs_buf)HXS_BUF_INIT;
	return 0;
}

static int add_link(struct build *b, struct hxs_node *node, int fd,
		    const struct stat *st)
{
	struct hxs_digest digest;
	char target[4096];
	uint32_t handle;
	int r;

	r = read_target(fd, target, sizeof(target));
	if (r < 0)
		return r;
	node->target = target;
	r = hxs_index_builder_add(b->builder, b->at->handle, node, &handle,
				  b->err);
	if (r < 0)
		return r;
	hxs_digest_of(target, strlen(target), &digest);
	r = note_inode(b, st, handle, &digest);
	return r < 0 ? r
		     : note_place(&b->links, b->at->handle, node->name,
				  node->name_len, handle);
}

/* Add what lies at @name in the directory being walked. */
static int add_entry(const char *name, unsigned char d_type HXS_UNUSED,
		     void *ctx)
{
	struct build *b = ctx;
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf xattrs = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_node node = { .name = name, .name_len = strlen(name) };
	const struct hxs_manifest_line *line;
	uint32_t handle;
	struct stat st;
	int r;

	if (*b->at->path)
		(void)hxs_buf_printf(&path, "%s/", b->at->path);
	(void)hxs_buf_puts(&path, name);
	if (path.status < 0)
		return path.status;
	if (strcmp(path.data, HXS_MANIFEST_NAME) == 0)
		return 0;
	fd = open_entry(b->dir_fd, name, &st);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	fill_node(&st, &node);
	line = hxs_manifest_find(b->manifest, path.data);
	if (!line && !S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0; /* not listed: not there */
	r = read_xattrs(fd, &xattrs);
	if (r < 0)
		return r;
	node.xattrs = xattrs.data;
	node.xattrs_len = xattrs.len;
	if (line) {
		b->seen[line - hxs_manifest_line(b->manifest, 0)] = 1;
		return add_file(b, &node, &st, line);
	}
	if (S_ISLNK(st.st_mode))
		return add_link(b, &node, fd, &st);
	r = hxs_index_builder_add(b->builder, b->at->handle, &node, &handle,
				  b->err);
	if (r == 0)
		r = note_place(&b->dirs, b->at->handle, name, node.name_len,
			       handle);
	return r < 0 ? r : enqueue(b, handle, path.data);
}

static int walk(struct build *b)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct dir at;
	int r;

	for (b->next = 0; b->next < b->queued; b->next++) {
		at = b->queue[b->next]; /* the queue moves as it grows */
		fd = hxs_io_open_dir(b->snap->fd, at.path);
		if (fd == -EXDEV || fd == -EACCES)
			continue; /* what is listed below it stays listed */
		if (fd < 0)
			return hxs_err_errno(b->err, -fd,
					     "cannot open directory '%s'",
					     at.path);
		b->dir_fd = fd;
		b->at = &at;
		r = hxs_io_list(fd, add_entry, b);
		if (r < 0)
			return b->err && b->err->code
				       ? r
				       : hxs_err_errno(b->err, -r,
						       "cannot read '%s'",
						       at.path);
		(void)close(HXS_STEAL_FD(fd)); /* it was only read */
	}
	return 0;
}

/*
 * Make up directory @name, which the disk does not have. A link that took its
 * place gives way: the manifest is the one to believe.
 */
static int make_up(struct build *b, uint32_t parent, const char *name,
		   size_t len, uint32_t *handle)
{
	const struct place *link = find_place(&b->links, parent, name, len);
	struct hxs_node node = {
		.name = name,
		.name_len = len,
		.mode = S_IFDIR | 0555,
	};
	int r;

	if (b->made_up++ == MADE_UP_MAX)
		return hxs_err_set(b->err, HXS_ECORRUPT,
				   "more than %u directories of %s are missing",
				   MADE_UP_MAX, HXS_MANIFEST_NAME);
	if (link)
		hxs_index_builder_drop(b->builder, link->handle);
	r = hxs_index_builder_add(b->builder, parent, &node, handle, b->err);
	return r < 0 ? r : note_place(&b->dirs, parent, name, len, *handle);
}

/* The handle of the directory that @path's last name stands in. */
static int find_dir(struct build *b, const char *path, const char **name,
		    uint32_t *handle)
{
	const struct place *place;
	const char *slash;
	uint32_t at = 0;
	int r;

	for (; (slash = strchr(path, '/')); path = slash + 1) {
		size_t len = (size_t)(slash - path);

		place = find_place(&b->dirs, at, path, len);
		r = place ? 0 : make_up(b, at, path, len, &at);
		if (r < 0)
			return r;
		if (place)
			at = place->handle;
	}
	*name = path;
	*handle = at;
	return 0;
}

/* Give every listed file that was not met its place. */
static int add_missing(struct build *b)
{
	const struct hxs_manifest_line *line;
	size_t i;
	int r;

	for (i = 0; i < hxs_manifest_count(b->manifest); i++) {
		struct hxs_node node = { .mode = S_IFREG };
		struct dir at = { 0 };

		line = hxs_manifest_line(b->manifest, i);
		if (b->seen[i])
			continue;
		r = find_dir(b, line->path, &node.name, &at.handle);
		if (r < 0)
			return r;
		node.name_len = strlen(node.name);
		b->at = &at;
		r = add_file(b, &node, NULL, line);
		if (r < 0)
			return r;
	}
	return 0;
}

/* If it brought a meta.json of ours, that must speak of this snapshot. */
static int check_meta(struct build *b)
{
	const struct hxs_manifest_line *line =
		hxs_manifest_find(b->manifest, HXS_META_NAME);
	struct hxs_snapshot *snap = b->snap;
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_meta meta;
	struct hxs_digest d;
	struct stat st;
	size_t len;
	bool other;

	if (!line)
		return 0;
	fd = hxs_io_open_regular(snap->fd, HXS_META_NAME, &st);
	if (fd < 0 || hxs_io_read_all(fd, HXS_META_MAX, &text, &len) < 0)
		return 0; /* damage of that one file, met when it is opened */
	hxs_digest_of(text, len, &d);
	if (!hxs_digest_equal(&d, &line->digest) ||
	    hxs_meta_parse(text, len, &meta, NULL) < 0)
		return 0; /* damaged likewise, or not written for us */
	other = strcmp(meta.env, snap->env) != 0 ||
		strcmp(meta.id, snap->id) != 0;
	if (other)
		(void)hxs_err_set(b->err, HXS_ECORRUPT,
				  "its %s belongs to snapshot '%s' of '%s'",
				  HXS_META_NAME, meta.id, meta.env);
	hxs_meta_release(&meta);
	return other ? -HXS_ECORRUPT : 0;
}

static int collect(struct build *b)
{
	struct hxs_snapshot *snap = b->snap;
	struct hxs_index_head head = { .kind = snap->kind };
	int r;

	memcpy(head.env, snap->env, sizeof(head.env));
	memcpy(head.id, snap->id, sizeof(head.id));
	r = hxs_index_builder_new(&head, &b->builder);
	if (r == 0)
		r = enqueue(b, 0, "");
	if (r == 0)
		r = walk(b);
	return r < 0 ? r : add_missing(b);
}

static int finish(struct build *b)
{
	struct hxs_snapshot *snap = b->snap;
	void *bytes;
	size_t len;
	int r;

	r = hxs_index_builder_finish(b->builder, &bytes, &len, b->err);
	if (r == 0)
		r = hxs_index_take_bare(bytes, len, &snap->idx, b->err);
	if (r < 0)
		return r;
	snap->files = calloc(hxs_index_count(snap->idx), sizeof(*snap->files));
	return snap->files ? 0 : -ENOMEM;
}

int hxs_snapshot_build_foreign(struct hxs_snapshot *snap, struct hxs_err *err)
{
	HXS_AUTO(manifest) struct hxs_manifest *manifest = NULL;
	struct hxs_err own = HXS_ERR_INIT;
	struct build b = { .snap = snap, .err = err ? err : &own };
	size_t i;
	int r;

	r = hxs_manifest_parse(snap->manifest_text, snap->manifest_len,
			       &manifest, err);
	if (r < 0)
		return hxs_err_prefix(err, r, "%s", HXS_MANIFEST_NAME);
	if (hxs_manifest_find(manifest, HXS_INDEX_NAME))
		return hxs_err_set(err, HXS_ECORRUPT,
				   "%s is listed in the manifest but missing",
				   HXS_INDEX_NAME);
	b.manifest = manifest;
	b.seen = calloc(hxs_manifest_count(manifest) + 1, 1);
	r = b.seen ? check_meta(&b) : -ENOMEM;
	if (r == 0)
		r = collect(&b);
	if (r == 0)
		r = finish(&b);
	if (r < 0 && !b.err->code)
		r = hxs_err_errno(b.err, -r, "cannot list its files");

	for (i = 0; i < b.queued; i++)
		free(b.queue[i].path);
	free(b.queue);
	free(b.seen);
	tdestroy(b.inodes, free);
	tdestroy(b.dirs, free);
	tdestroy(b.links, free);
	hxs_index_builder_free(b.builder);
	return r;
}
