#include "fs/notes.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

struct item {
	struct item *next;
	struct hxfs_note note;
};

struct hxfs_notes {
	pthread_mutex_t lock;
	int fd;
	/* guarded by lock */
	struct item *first, **last;
	unsigned wishes;
	bool lost;
};

int hxfs_notes_new(struct hxfs_notes **out)
{
	struct hxfs_notes *n = calloc(1, sizeof(*n));
	int e;

	if (!n)
		return -ENOMEM;
	n->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->fd < 0) {
		e = errno;
		free(n);
		return -e;
	}
	n->last = &n->first;
	(void)pthread_mutex_init(&n->lock, NULL); /* no attributes: works */
	*out = n;
	return 0;
}

void hxfs_notes_free(struct hxfs_notes *n)
{
	struct hxfs_note note;

	if (!n)
		return;
	while (hxfs_notes_take(n, &note))
		;
	(void)close(n->fd); /* nothing is lost with it */
	(void)pthread_mutex_destroy(&n->lock);
	free(n);
}

int hxfs_notes_fd(const struct hxfs_notes *n)
{
	return n->fd;
}

void hxfs_notes_wish(struct hxfs_notes *n, enum hxfs_wish wish)
{
	uint64_t one = 1;

	(void)pthread_mutex_lock(&n->lock);
	n->wishes |= wish;
	(void)pthread_mutex_unlock(&n->lock);
	/* It fails only when the counter is full, and then it is readable. */
	if (write(n->fd, &one, sizeof(one)) < 0)
		return;
}

unsigned hxfs_notes_wishes(struct hxfs_notes *n)
{
	uint64_t count;
	unsigned w;

	if (read(n->fd, &count, sizeof(count)) < 0)
		count = 0; /* nothing was wished; see below all the same */
	(void)pthread_mutex_lock(&n->lock);
	w = n->wishes;
	n->wishes = 0;
	(void)pthread_mutex_unlock(&n->lock);
	return w;
}

void hxfs_notes_add(struct hxfs_notes *n, enum hxfs_note_kind kind,
		    uint64_t dir, uint64_t child, const char *name)
{
	struct item *it = calloc(1, sizeof(*it));

	if (it) {
		it->note.kind = kind;
		it->note.dir = dir;
		it->note.child = child;
		(void)snprintf(it->note.name, sizeof(it->note.name), "%s",
			       name ? name : "");
	}
	(void)pthread_mutex_lock(&n->lock);
	if (it) {
		*n->last = it;
		n->last = &it->next;
	} else {
		n->lost = true;
	}
	(void)pthread_mutex_unlock(&n->lock);
	hxfs_notes_wish(n, HXFS_WISH_NOTES);
}

bool hxfs_notes_take(struct hxfs_notes *n, struct hxfs_note *out)
{
	struct item *it;

	(void)pthread_mutex_lock(&n->lock);
	it = n->first;
	if (it) {
		n->first = it->next;
		if (!n->first)
			n->last = &n->first;
	}
	(void)pthread_mutex_unlock(&n->lock);
	if (!it)
		return false;
	*out = it->note;
	free(it);
	return true;
}

bool hxfs_notes_lost(struct hxfs_notes *n)
{
	bool lost;

	(void)pthread_mutex_lock(&n->lock);
	lost = n->lost;
	n->lost = false;
	(void)pthread_mutex_unlock(&n->lock);
	return lost;
}
