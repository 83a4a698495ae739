/*
 * Both trees are walked in the manifest's order, which is the order of paths
 * where a directory's ends in '/', and merged as two sorted lists. One path
 * that is a directory in one tree only stands at two places in that order: it
 * is told at the first, together with its counterpart, and what lies in the
 * directory at the second.
 */
#include "format/treecmp.h"

#include "format/meta.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* One tree, and how far the walk is in it. */
struct side {
	const struct hxs_index *idx;
	uint32_t top;
	size_t skip; /* bytes before the path relative to @top */
	int64_t at; /* entry number, or -1 at the end */
	struct hxs_node node;
	struct hxs_buf key; /* path from entry 0, a directory's with a slash */
};

static bool is_passed_over(const struct side *s)
{
	return s->top == 0 && s->node.parent == 0 &&
	       (strcmp(s->node.name, HXS_META_NAME) == 0 ||
		strcmp(s->node.name, HXS_SETTINGS_NAME) == 0);
}

static int advance(struct side *s)
{
	do {
		s->at = hxs_index_next(s->idx, (uint32_t)s->at, s->top);
		if (s->at < 0)
			return 0;
		hxs_index_get(s->idx, (uint32_t)s->at, &s->node);
	} while (is_passed_over(s));
	hxs_buf_truncate(&s->key, 0);
	(void)hxs_index_path(s->idx, (uint32_t)s->at, &s->key);
	if (S_ISDIR(s->node.mode))
		(void)hxs_buf_putc(&s->key, '/');
	return hxs_buf_status(&s->key);
}

static int begin(struct side *s, const struct hxs_index *idx, uint32_t top)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	int r = hxs_index_path(idx, top, &path);

	if (r < 0)
		return r;
	s->idx = idx;
	s->top = top;
	s->at = top;
	s->skip = path.len ? path.len + 1 : 0;
	return advance(s);
}

/* The present path relative to the top, without a directory's slash. */
static const char *relative(const struct side *s, size_t *len)
{
	*len = s->key.len - s->skip - (S_ISDIR(s->node.mode) ? 1 : 0);
	return s->key.data + s->skip;
}

static int compare_keys(const struct side *a, const struct side *b)
{
	size_t a_len = a->key.len - a->skip, b_len = b->key.len - b->skip;
	int r;

	if (a->at < 0 || b->at < 0) /* an ended side is behind everything */
		return (a->at < 0) - (b->at < 0);
	r = memcmp(a->key.data + a->skip, b->key.data + b->skip,
		   a_len < b_len ? a_len : b_len);
	return r ? r : (a_len > b_len) - (a_len < b_len);
}

/* The entry of @s at @path, relative to its top, or -1. */
static int64_t find(const struct side *s, const char *path, size_t len)
{
	const char *slash;
	int64_t n = s->top;
	size_t part;

	for (;;) {
		slash = memchr(path, '/', len);
		part = slash ? (size_t)(slash - path) : len;
		n = hxs_index_lookup(s->idx, (uint32_t)n, path, part);
		if (n < 0 || !slash)
			return n < 0 ? -1 : n;
		path += part + 1;
		len -= part + 1;
	}
}

/* The path of the inode's first name, which tells one group from another. */
static int leader_path(const struct side *s, uint32_t leader,
		       struct hxs_buf *path)
{
	int r = hxs_index_path(s->idx, leader, path);

	if (r < 0)
		return r;
	/* below the top it counts from there, as all that is compared does */
	if (s->skip && path->len > s->skip &&
	    memcmp(path->data, s->key.data, s->skip) == 0) {
		path->len -= s->skip;
		memmove(path->data, path->data + s->skip, path->len + 1);
	}
	return 0;
}

/* 1 if the entries' other names are others, 0 if not, -ENOMEM. */
static int links_differ(const struct side *a, const struct hxs_node *na,
			const struct side *b, const struct hxs_node *nb)
{
	HXS_AUTO_BUF struct hxs_buf pa = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf pb = HXS_BUF_INIT;
	int r;

	if (S_ISDIR(na->mode) || S_ISDIR(nb->mode))
		return 0; /* their count is of what they hold */
	if (na->nlink != nb->nlink)
		return 1;
	if (na->nlink == 1)
		return 0;
	r = leader_path(a, na->leader, &pa);
	if (r >= 0)
		r = leader_path(b, nb->leader, &pb);
	if (r < 0)
		return r;
	return strcmp(hxs_buf_str(&pa), hxs_buf_str(&pb)) != 0;
}

static bool content_differs(const struct hxs_node *a, const struct hxs_node *b)
{
	if (S_ISREG(a->mode))
		return a->size != b->size ||
		       !hxs_digest_equal(a->digest, b->digest);
	return S_ISLNK(a->mode) && strcmp(a->target, b->target) != 0;
}

unsigned hxs_treecmp_node(const struct hxs_node *na, const struct hxs_node *nb)
{
	unsigned what = 0;

	if ((na->mode & S_IFMT) != (nb->mode & S_IFMT))
		what |= HXS_DIFF_TYPE;
	else if (content_differs(na, nb))
		what |= HXS_DIFF_CONTENT;
	if ((na->mode & 07777) != (nb->mode & 07777))
		what |= HXS_DIFF_MODE;
	if (na->uid != nb->uid || na->gid != nb->gid)
		what |= HXS_DIFF_OWNER;
	if (na->mtime.tv_sec != nb->mtime.tv_sec ||
	    na->mtime.tv_nsec != nb->mtime.tv_nsec)
		what |= HXS_DIFF_TIME;
	if (na->xattrs_len != nb->xattrs_len ||
	    (na->xattrs_len &&
	     memcmp(na->xattrs, nb->xattrs, na->xattrs_len) != 0))
		what |= HXS_DIFF_XATTRS;
	return what;
}

/* What differs between two entries at one path, or -ENOMEM. */
static int compare_nodes(const struct side *a, const struct hxs_node *na,
			 const struct side *b, const struct hxs_node *nb)
{
	int what = (int)hxs_treecmp_node(na, nb);
	int r = links_differ(a, na, b, nb);

	if (r < 0)
		return r;
	return r ? what | HXS_DIFF_LINKS : what;
}

struct teller {
	hxs_treecmp_fn fn;
	void *ctx;
	struct hxs_buf path;
};

static int tell(struct teller *t, int what, const char *path, size_t len,
		const struct hxs_node *na, const struct hxs_node *nb)
{
	int r;

	if (what <= 0)
		return what;
	hxs_buf_truncate(&t->path, 0);
	r = hxs_buf_append(&t->path, path, len);
	if (r < 0)
		return r;
	return t->fn((unsigned)what, t->path.data, na, nb, t->ctx);
}

/*
 * @here stands at a key that @other has not. It may have the path all the
 * same, as something else: whoever comes first in the order, and that is the
 * one that is no directory, tells it for both.
 */
static int tell_one(struct teller *t, const struct side *here,
		    const struct side *other, bool here_is_a)
{
	const struct hxs_node *node = &here->node;
	struct hxs_node twin;
	size_t len;
	const char *path = relative(here, &len);
	int64_t n = find(other, path, len);
	int what;

	if (n < 0) {
		if (here_is_a)
			return tell(t, HXS_DIFF_REMOVED, path, len, node, NULL);
		return tell(t, HXS_DIFF_ADDED, path, len, NULL, node);
	}
	if (S_ISDIR(node->mode))
		return 0;
	hxs_index_get(other->idx, (uint32_t)n, &twin);
	if (here_is_a) {
		what = compare_nodes(here, node, other, &twin);
		return tell(t, what, path, len, node, &twin);
	}
	what = compare_nodes(other, &twin, here, node);
	return tell(t, what, path, len, &twin, node);
}

static int step(struct teller *t, struct side *a, struct side *b)
{
	int order = compare_keys(a, b), r;
	const char *path;
	size_t len;

	if (order < 0) {
		r = tell_one(t, a, b, true);
		return r ? r : advance(a);
	}
	if (order > 0) {
		r = tell_one(t, b, a, false);
		return r ? r : advance(b);
	}
	path = relative(a, &len);
	r = tell(t, compare_nodes(a, &a->node, b, &b->node), path, len,
		 &a->node, &b->node);
	if (r)
		return r;
	r = advance(a);
	return r ? r : advance(b);
}

int hxs_treecmp(const struct hxs_index *a, uint32_t top_a,
		const struct hxs_index *b, uint32_t top_b, hxs_treecmp_fn fn,
		void *ctx)
{
	struct side sa = { .key = HXS_BUF_INIT }, sb = { .key = HXS_BUF_INIT };
	struct teller t = { .fn = fn, .ctx = ctx, .path = HXS_BUF_INIT };
	int r;

	r = begin(&sa, a, top_a);
	if (r >= 0)
		r = begin(&sb, b, top_b);
	while (r == 0 && (sa.at >= 0 || sb.at >= 0))
		r = step(&t, &sa, &sb);
	hxs_buf_release(&sa.key);
	hxs_buf_release(&sb.key);
	hxs_buf_release(&t.path);
	return r;
}
