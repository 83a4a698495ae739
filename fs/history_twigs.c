/*
 * Which path a number means.
 *
 * A path that the kernel remembers is a twig, and so is every one above it.
 * Numbers are digests of paths: should two paths ever have the same one, who
 * comes second gets an error instead of the other's history.
 */
#include "fs/history.h"
#include "fs/history_parts.h"

#include <errno.h>
#include <string.h>

struct twig {
	struct twig *next; /* in its bucket */
	uint64_t number;
	struct twig *parent; /* NULL: .history itself */
	uint32_t env;
	uint64_t known; /* how often the kernel remembers it */
	size_t twigs; /* that have it for a parent */
	struct twig *after, **link; /* listed: among those that are */
	char name[];
};

struct hxfs_twigs {
	pthread_mutex_t lock;
	/* guarded by lock */
	struct twig **bucket;
	size_t buckets, count; /* buckets: a power of two */
	struct twig *listed;
};

int hxfs_twigs_new(struct hxfs_twigs **out)
{
	struct hxfs_twigs *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->buckets = 64;
	h->bucket = calloc(h->buckets, sizeof(*h->bucket));
	if (!h->bucket) {
		free(h);
		return -ENOMEM;
	}
	(void)pthread_mutex_init(&h->lock, NULL); /* no attributes: works */
	*out = h;
	return 0;
}

void hxfs_twigs_free(struct hxfs_twigs *h)
{
	struct twig *w;
	size_t i;

	if (!h)
		return;
	for (i = 0; i < h->buckets; i++) {
		while ((w = h->bucket[i])) {
			h->bucket[i] = w->next;
			free(w);
		}
	}
	free(h->bucket);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

static void lock(struct hxfs_twigs *h)
{
	(void)pthread_mutex_lock(&h->lock); /* a plain mutex: cannot fail */
}

static void unlock(struct hxfs_twigs *h)
{
	(void)pthread_mutex_unlock(&h->lock);
}

/* ---- twigs, with the lock held ------------------------------------------- */

static struct twig **bucket_of(struct hxfs_twigs *h, uint64_t number)
{
	return &h->bucket[number & (h->buckets - 1)];
}

static struct twig *find_twig(struct hxfs_twigs *h, uint64_t number)
{
	struct twig *w = *bucket_of(h, number);

	while (w && w->number != number)
		w = w->next;
	return w;
}

/* Longer chains do no harm: without memory it stays as it is. */
static void grow(struct hxfs_twigs *h)
{
	struct twig **old = h->bucket, *w, *next;
	size_t i, count = h->buckets;

	h->bucket = calloc(count * 2, sizeof(*h->bucket));
	if (!h->bucket) {
		h->bucket = old;
		return;
	}
	h->buckets = count * 2;
	for (i = 0; i < count; i++) {
		for (w = old[i]; w; w = next) {
			next = w->next;
			w->next = *bucket_of(h, w->number);
			*bucket_of(h, w->number) = w;
		}
	}
	free(old);
}

static void unlist(struct twig *w)
{
	if (!w->link)
		return;
	*w->link = w->after;
	if (w->after)
		w->after->link = w->link;
	w->link = NULL;
}

/* Forget @w, and what is above it, unless it is used. */
static void drop_unused(struct hxfs_twigs *h, struct twig *w)
{
	struct twig **at, *parent;

	for (; w && w->known == 0 && w->twigs == 0; w = parent) {
		at = bucket_of(h, w->number);
		while (*at != w)
			at = &(*at)->next;
		*at = w->next;
		unlist(w);
		parent = w->parent;
		if (parent)
			parent->twigs--;
		h->count--;
		free(w);
	}
}

static int know(struct hxfs_twigs *h, const struct hxfs_node *dir,
		uint64_t dir_number, uint64_t number, const char *name)
{
	struct twig *parent = NULL, *w = find_twig(h, number);
	size_t len = strlen(name);

	if (dir->kind == HXFS_IS_TRAIL) {
		parent = find_twig(h, dir_number);
		if (!parent)
			return -ESTALE;
	}
	if (w) {
		if (w->parent != parent || strcmp(w->name, name) != 0 ||
		    (!parent && w->env != dir->env))
			return -EIO;
		w->known++;
		return 0;
	}
	w = calloc(1, sizeof(*w) + len + 1);
	if (!w)
		return -ENOMEM;
	if (h->count >= h->buckets)
		grow(h);
	memcpy(w->name, name, len);
	w->number = number;
	w->env = parent ? parent->env : dir->env;
	w->known = 1;
	w->parent = parent;
	if (parent)
		parent->twigs++;
	w->next = *bucket_of(h, number);
	*bucket_of(h, number) = w;
	h->count++;
	return 0;
}

static void put_path(const struct twig *w, struct hxs_buf *path)
{
	const struct twig *up;
	size_t len = strlen(w->name), at;

	for (up = w->parent; up; up = up->parent)
		len += strlen(up->name) + 1;
	if (hxs_buf_reserve(path, len) < 0)
		return;
	path->len = at = len;
	path->data[len] = '\0';
	for (; w; w = w->parent) {
		at -= strlen(w->name);
		memcpy(path->data + at, w->name, strlen(w->name));
		if (at)
			path->data[--at] = '/';
	}
}

/* ---- what a number means ------------------------------------------------- */

int hxfs_place_find(struct hxfs_twigs *h, uint64_t number, bool listed,
		    struct hxfs_place *out)
{
	struct hxfs_node node;
	struct twig *w;

	out->number = number;
	hxfs_number_decode(number, &node);
	out->env = node.env;
	if (node.kind == HXFS_IS_HISTORY)
		return 0;
	lock(h);
	w = find_twig(h, number);
	if (w) {
		out->env = w->env;
		put_path(w, &out->path);
		if (listed && !w->link) {
			w->after = h->listed;
			w->link = &h->listed;
			if (w->after)
				w->after->link = &w->after;
			h->listed = w;
		}
	}
	unlock(h);
	return w ? hxs_buf_status(&out->path) : -ESTALE;
}

uint64_t hxfs_place_parent(struct hxfs_twigs *h, uint64_t number)
{
	uint64_t parent = 0;
	struct twig *w;

	lock(h);
	w = find_twig(h, number);
	if (w)
		parent = w->parent ? w->parent->number
				   : hxfs_number_env(w->env, HXFS_IS_HISTORY);
	unlock(h);
	return parent;
}

void hxfs_history_forget(struct hxfs *fs, uint64_t ino, uint64_t times)
{
	struct hxfs_twigs *h = fs->history->twigs;
	struct hxfs_node node;
	struct twig *w;

	hxfs_number_decode(ino, &node);
	if (node.kind != HXFS_IS_TRAIL)
		return;
	lock(h);
	w = find_twig(h, ino);
	if (w) {
		w->known -= times < w->known ? times : w->known;
		drop_unused(h, w);
	}
	unlock(h);
}

uint64_t hxfs_history_unlist(struct hxfs *fs, uint32_t env)
{
	struct hxfs_twigs *h = fs->history->twigs;
	uint64_t number = 0;
	struct twig *w;

	lock(h);
	for (w = h->listed; w && w->env != env; w = w->after)
		;
	if (w) {
		number = w->number;
		unlist(w);
	}
	unlock(h);
	return number;
}

int hxfs_place_know(struct hxfs_twigs *h, uint64_t dir, uint64_t number,
		    const char *name)
{
	struct hxfs_node node;
	int r;

	hxfs_number_decode(dir, &node);
	lock(h);
	r = know(h, &node, dir, number, name);
	unlock(h);
	return r;
}
