#include "fs/files.h"

#include <errno.h>
#include <string.h>

#define TEXTS 256u /* a reader may be slow among many who only look */

struct hxfs_texts {
	pthread_mutex_t lock;
	/* guarded by lock */
	uint64_t next; /* serial of the next one; they begin with 1 */
	struct {
		uint64_t serial, ino;
		char *text;
		size_t len;
	} ring[TEXTS];
};

int hxfs_texts_new(struct hxfs_texts **out)
{
	struct hxfs_texts *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->next = 1;
	(void)pthread_mutex_init(&t->lock, NULL); /* no attributes: works */
	*out = t;
	return 0;
}

void hxfs_texts_free(struct hxfs_texts *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < TEXTS; i++)
		free(t->ring[i].text);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

void hxfs_texts_add(struct hxfs_texts *t, uint64_t ino, char *text, size_t len,
		    uint64_t *serial)
{
	char *old;
	size_t i;

	(void)pthread_mutex_lock(&t->lock);
	*serial = t->next++;
	i = *serial % TEXTS;
	old = t->ring[i].text;
	t->ring[i].serial = *serial;
	t->ring[i].ino = ino;
	t->ring[i].text = text;
	t->ring[i].len = len;
	(void)pthread_mutex_unlock(&t->lock);
	free(old);
}

int64_t hxfs_texts_size(struct hxfs_texts *t, uint64_t serial, uint64_t *ino)
{
	size_t i = serial % TEXTS;
	int64_t r = -ESTALE;

	(void)pthread_mutex_lock(&t->lock);
	if (t->ring[i].serial == serial) {
		r = (int64_t)t->ring[i].len;
		*ino = t->ring[i].ino;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}

ssize_t hxfs_texts_read(struct hxfs_texts *t, uint64_t serial, uint64_t off,
			size_t len, struct hxs_scratch *scratch,
			const void **out)
{
	size_t i = serial % TEXTS, have;
	ssize_t r = -ESTALE;

	if (hxfs_files_room(scratch, len) < 0)
		return -ENOMEM;
	(void)pthread_mutex_lock(&t->lock);
	if (t->ring[i].serial == serial) {
		have = off < t->ring[i].len ? t->ring[i].len - off : 0;
		r = (ssize_t)(have < len ? have : len);
		if (r > 0)
			memcpy(scratch->mem, t->ring[i].text + off, (size_t)r);
		*out = scratch->mem;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}
