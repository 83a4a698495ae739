/* A hash table by open addressing, at most half full. */
#include "source/inodes.h"

#include <errno.h>
#include <stdbool.h>

struct hxs_inodes_slot {
	dev_t dev;
	ino_t ino;
	size_t as;
	bool used;
};

void hxs_inodes_release(struct hxs_inodes *m)
{
	free(m->slots);
	*m = (struct hxs_inodes){ .slots = NULL };
}

static struct hxs_inodes_slot *find(const struct hxs_inodes *m, dev_t dev,
				    ino_t ino)
{
	size_t i = (size_t)((ino ^ dev) * 0x9e3779b97f4a7c15ull >> 20);
	struct hxs_inodes_slot *s;

	for (;; i++) {
		s = &m->slots[i & (m->cap - 1)];
		if (!s->used || (s->dev == dev && s->ino == ino))
			return s;
	}
}

static int grow(struct hxs_inodes *m)
{
	struct hxs_inodes bigger = { .cap = m->cap ? m->cap * 2 : 256 };
	const struct hxs_inodes_slot *s;
	size_t i;

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (i = 0; i < m->cap; i++) {
		s = &m->slots[i];
		if (s->used)
			*find(&bigger, s->dev, s->ino) = *s;
	}
	bigger.count = m->count;
	free(m->slots);
	*m = bigger;
	return 0;
}

int hxs_inodes_meet(struct hxs_inodes *m, dev_t dev, ino_t ino, size_t as,
		    size_t *first)
{
	struct hxs_inodes_slot *s;

	if (m->count * 2 >= m->cap && grow(m) < 0)
		return -ENOMEM;
	s = find(m, dev, ino);
	if (s->used) {
		*first = s->as;
		return 1;
	}
	*s = (struct hxs_inodes_slot){ dev, ino, as, true };
	m->count++;
	return 0;
}
