/*
 * The names in a directory over all backups.
 *
 * They are gathered in the order in which an index has them, which is that of
 * all indexes, so that a backup which brings no new name, as most do, costs
 * one pass of comparing and no memory.
 */
#include "base/xattr.h"
#include "fs/acl.h"
#include "fs/history_parts.h"

#include <errno.h>
#include <string.h>

/* ---- access -------------------------------------------------------------- */

/*
 * Who owns it here may be of the group, or anybody, there; who is anybody
 * here may be who owned it there. So each gets what every one that he may be
 * had.
 */
void hxfs_access_narrow(struct hxfs_access *a, const struct hxfs_access *other)
{
	mode_t u = other->mode >> 6 & 7, g = other->mode >> 3 & 7;
	mode_t o = other->mode & 7;
	mode_t user = u, group = g, others = o;

	if (a->uid != other->uid) {
		user = g & o;
		group &= u;
		others &= u;
	}
	if (a->gid != other->gid) {
		group &= o;
		others &= g;
	}
	a->mode &= user << 6 | group << 3 | others;
}

static bool same(const struct hxfs_access *a, const struct hxfs_access *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

void hxfs_gates_add(struct hxfs_gates *g, const struct hxfs_access *dir)
{
	struct hxfs_access gate = { 0, dir->uid, dir->gid };
	size_t i;

	/* All three bits for whom it has x: none is taken from him. */
	gate.mode = (dir->mode & 0111) * 7;
	if (gate.mode == 0777)
		return;
	for (i = 0; i < g->count; i++)
		if (same(&g->gate[i], &gate))
			return;
	if (g->count < HXFS_GATES_MAX)
		g->gate[g->count++] = gate;
	else
		g->gate[0].mode = 0;
}

void hxfs_gates_narrow(const struct hxfs_gates *g, struct hxfs_access *a)
{
	size_t i;

	for (i = 0; i < g->count; i++)
		hxfs_access_narrow(a, &g->gate[i]);
}

struct hxfs_access hxfs_access_of(const struct hxs_node *node)
{
	struct hxfs_access a = { 0777, node->uid, node->gid };
	struct hxs_xattr acl;

	if (!S_ISDIR(node->mode))
		return a;
	a.mode = node->mode & 0777;
	if (node->xattrs_len && hxs_xattr_find(node->xattrs, node->xattrs_len,
					       "system.posix_acl_access", &acl))
		a.mode = hxfs_acl_narrow(a.mode, acl.value, acl.value_len) &
			 0777;
	return a;
}

/* ---- names --------------------------------------------------------------- */

/* In the order of an index: a directory's name as if it ended in '/'. */
static int compare(const struct hxfs_branch *b, const struct hxs_node *node)
{
	size_t n = b->len < node->name_len ? b->len : node->name_len;
	int r = memcmp(b->name, node->name, n), x, y;

	if (r != 0)
		return r;
	x = b->len > n ? (unsigned char)b->name[n] : b->dir ? '/' : 0;
	y = node->name_len > n	  ? (unsigned char)node->name[n]
	    : S_ISDIR(node->mode) ? '/'
				  : 0;
	return x - y;
}

static struct hxfs_access access_behind(const struct hxfs_gates *g,
					const struct hxs_node *node)
{
	struct hxfs_access a = hxfs_access_of(node);

	hxfs_gates_narrow(g, &a);
	return a;
}

static void see_again(struct hxfs_branch *b, const struct hxs_node *node,
		      const struct hxfs_gates *g, size_t turn)
{
	struct hxfs_access now = access_behind(g, node);

	hxfs_access_narrow(&now, &b->access);
	b->access = now;
	b->mtime = node->mtime;
	b->last = turn;
}

/* Its name is NULL if there is no memory. */
static struct hxfs_branch new_branch(struct hxfs_trail *t,
				     const struct hxs_node *node,
				     const struct hxfs_gates *g, size_t turn)
{
	t->bytes += node->name_len + 1;
	return (struct hxfs_branch){
		.name = strdup(node->name),
		.len = node->name_len,
		.access = access_behind(g, node),
		.mtime = node->mtime,
		.last = turn,
		.dir = S_ISDIR(node->mode),
	};
}

/* Look at the names that are known already; the others are counted. */
static size_t see_known(struct hxfs_trail *t, const struct hxs_index *idx,
			const struct hxs_node *dir, const struct hxfs_gates *g,
			size_t turn)
{
	size_t i = 0, fresh = 0;
	struct hxs_node node;
	uint32_t j;
	int r;

	for (j = 0; j < dir->child_count; j++) {
		hxs_index_get(idx, dir->first_child + j, &node);
		r = -1;
		while (i < t->branch_count &&
		       (r = compare(&t->branch[i], &node)) < 0)
			i++;
		if (i < t->branch_count && r == 0)
			see_again(&t->branch[i++], &node, g, turn);
		else
			fresh++;
	}
	return fresh;
}

static int make_room(struct hxfs_trail *t, size_t more)
{
	size_t need = t->branch_count + more;
	size_t cap = t->branch_cap ? t->branch_cap : 16;
	struct hxfs_branch *grown;

	if (need <= t->branch_cap)
		return 0;
	while (cap < need)
		cap *= 2;
	grown = reallocarray(t->branch, cap, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->branch = grown;
	t->branch_cap = cap;
	return 0;
}

/* Put the @fresh names that are not known where they belong. */
static int add_names(struct hxfs_trail *t, const struct hxs_index *idx,
		     const struct hxs_node *dir, const struct hxfs_gates *g,
		     size_t fresh, size_t turn)
{
	size_t i = t->branch_count, to = i + fresh;
	uint32_t j = dir->child_count;
	struct hxs_node node;
	int r = make_room(t, fresh), cmp;

	if (r < 0)
		return r;
	t->branch_count = to;
	/* From the end, so that nothing is in the way. */
	while (to > i && j > 0) {
		hxs_index_get(idx, dir->first_child + j - 1, &node);
		cmp = i > 0 ? compare(&t->branch[i - 1], &node) : -1;
		if (cmp > 0) {
			t->branch[--to] = t->branch[--i];
		} else if (cmp == 0) {
			t->branch[--to] = t->branch[--i];
			j--;
		} else {
			t->branch[--to] = new_branch(t, &node, g, turn);
			if (!t->branch[to].name)
				r = -ENOMEM;
			j--;
		}
	}
	return r;
}

int hxfs_trail_unite(struct hxfs_trail *t, const struct hxs_index *idx,
		     const struct hxs_node *dir, const struct hxfs_gates *g,
		     size_t turn)
{
	size_t fresh = see_known(t, idx, dir, g, turn);

	return fresh ? add_names(t, idx, dir, g, fresh, turn) : 0;
}

/* ---- in the end ---------------------------------------------------------- */

static int by_number(const void *va, const void *vb)
{
	const struct hxfs_branch *a = va, *b = vb;

	return (a->number > b->number) - (a->number < b->number);
}

/* @b is of the same name as @a, and was of another type: one of both. */
static void unite(struct hxfs_branch *a, const struct hxfs_branch *b)
{
	const struct hxfs_branch *newer = a->last > b->last ? a : b;
	const struct hxfs_branch *older = newer == a ? b : a;
	struct hxfs_access access = newer->access;

	hxfs_access_narrow(&access, &older->access);
	a->mtime = newer->mtime;
	a->last = newer->last;
	a->access = access;
	free(b->name);
}

void hxfs_trail_order(struct hxfs_trail *t)
{
	size_t i, n = 0;

	for (i = 0; i < t->branch_count; i++)
		t->branch[i].number =
			hxfs_number_trail(t->number, t->branch[i].name);
	if (t->branch_count)
		qsort(t->branch, t->branch_count, sizeof(*t->branch),
		      by_number);
	for (i = 0; i < t->branch_count; i++) {
		if (n && t->branch[n - 1].number == t->branch[i].number &&
		    strcmp(t->branch[n - 1].name, t->branch[i].name) == 0)
			unite(&t->branch[n - 1], &t->branch[i]);
		else
			t->branch[n++] = t->branch[i];
	}
	t->branch_count = n;
	t->bytes += sizeof(*t) + t->branch_cap * sizeof(*t->branch) +
		    t->version_cap * sizeof(*t->version);
}

const struct hxfs_branch *hxfs_trail_branch(const struct hxfs_trail *t,
					    uint64_t number)
{
	struct hxfs_branch key = { .number = number };

	return t->branch_count ? bsearch(&key, t->branch, t->branch_count,
					 sizeof(*t->branch), by_number)
			       : NULL;
}
