#include "fs/files.h"

#include "base/clock.h"
#include "fs/ahead.h"
#include "fs/faults.h"
#include "fs/notes.h"
#include "fs/record.h"
#include "fs/refresh.h"
#include "fs/slots.h"

#include <errno.h>
#include <string.h>

/* Hashing more than this of a foreign file is left to a worker. */
#define QUICK_BYTES (256u << 10)

struct hxfs_handle {
	struct hxs_content *content; /* or NULL: a text */
	struct hxfs_slot *slot; /* pinned; NULL for a text */
	char *text;
	size_t len;
	/* guarded by fs->lock */
	struct hxfs_handle *next, **link;
};

/* An unmount does not wait for every release: what is open is remembered. */
static void remember(struct hxfs *fs, struct hxfs_handle *h)
{
	hxfs_lock(fs);
	h->next = fs->handles;
	h->link = &fs->handles;
	if (h->next)
		h->next->link = &h->next;
	fs->handles = h;
	hxfs_unlock(fs);
}

static void forget(struct hxfs *fs, struct hxfs_handle *h)
{
	hxfs_lock(fs);
	*h->link = h->next;
	if (h->next)
		h->next->link = h->link;
	hxfs_unlock(fs);
}

/* ---- content ------------------------------------------------------------- */

/*
 * Whether hashing entry @n of a foreign snapshot takes long: it is large and
 * was not hashed since its snapshot was loaded.
 */
static bool takes_long(struct hxfs *fs, const struct hxfs_slot *s, uint32_t n)
{
	struct hxs_node node;
	bool done;

	if (n >= HXS_ENTRY_INDEX)
		return false;
	hxs_index_get(hxs_snapshot_index(s->snap), n, &node);
	if (node.size <= QUICK_BYTES)
		return false;
	hxfs_lock(fs);
	done = s->hashed && (s->hashed[n / 8] & 1u << n % 8);
	hxfs_unlock(fs);
	return !done;
}

/* Without memory for it the next open takes the longer way again. */
static void note_hashed(struct hxfs *fs, struct hxfs_slot *s, uint32_t n)
{
	uint32_t count = hxs_index_count(hxs_snapshot_index(s->snap));

	if (n >= count)
		return;
	hxfs_lock(fs);
	if (!s->hashed)
		s->hashed = calloc(count / 8 + 1, 1);
	if (s->hashed)
		s->hashed[n / 8] |= (uint8_t)(1u << n % 8);
	hxfs_unlock(fs);
}

/* Open entry @n of the pinned slot @s. */
static int open_content(struct hxfs *fs, struct hxfs_slot *s, uint32_t n,
			enum hxfs_patience patience,
			const struct hxs_stop *stop, struct hxs_content **out,
			struct hxs_err *err)
{
	struct hxs_fault fault = { .kind = HXS_FAULT_NONE };
	bool foreign = hxs_snapshot_is_foreign(s->snap);
	double start;
	int r;

	if (foreign && patience < HXFS_HASH && takes_long(fs, s, n))
		return -EINPROGRESS;
	hxfs_ahead_opened(fs->ahead, s, n);
	start = hxs_clock_ticks();
	r = hxs_content_open_until(s->snap, n, stop, out, &fault, err);
	hxfs_ahead_took(fs->ahead, hxs_clock_ticks() - start);
	if (fault.kind == HXS_FAULT_MISSING && r < 0 &&
	    hxfs_slots_is_removed(fs, s)) {
		hxfs_notes_wish(fs->notes, HXFS_WISH_RESCAN);
		return hxs_err_errno(err, ESTALE, "the snapshot is gone");
	}
	if (fault.kind != HXS_FAULT_NONE && r < 0) {
		hxfs_faults_add(fs, s, n, &fault);
		hxfs_record_fault(fs, s, n, &fault, r);
	}
	if (foreign && r == 0)
		note_hashed(fs, s, n);
	if (foreign)
		hxfs_slots_recount(fs, s);
	return r;
}

/* @n of the pinned slot @s, if it is an entry at all. */
static int check_entry(const struct hxfs_slot *s, uint32_t n,
		       struct hxs_err *err)
{
	if (n < HXS_ENTRY_INDEX &&
	    n >= hxs_index_count(hxs_snapshot_index(s->snap)))
		return hxs_err_errno(err, ESTALE, "there is no such entry");
	return 0;
}

/*
 * The bytes of manifest and index lie with the content itself, which may be
 * closed as soon as the client has its answer, before the call that sends it
 * returns. So everything is sent out of the thread's own memory.
 */
static int into_scratch(struct hxs_scratch *scratch, const void **bytes,
			size_t len)
{
	const char *p = *bytes, *mem = scratch->mem;

	if (len == 0 || (mem && p >= mem && p < mem + scratch->cap))
		return 0;
	if (hxfs_files_room(scratch, len) < 0 || !scratch->mem)
		return -ENOMEM;
	memcpy(scratch->mem, p, len);
	*bytes = scratch->mem;
	return 0;
}

static ssize_t read_content(struct hxfs *fs, struct hxs_content *c,
			    struct hxfs_slot *s, uint64_t off, size_t len,
			    struct hxs_scratch *scratch, const void **out,
			    struct hxs_err *err)
{
	struct hxs_fault fault = { .kind = HXS_FAULT_NONE };
	double start = hxs_clock_ticks();
	ssize_t r;

	r = hxs_content_read(c, off, len, scratch, out, &fault, err);
	if (hxs_content_size(c) <= HXS_BLOCK_SIZE)
		hxfs_ahead_took(fs->ahead, hxs_clock_ticks() - start);
	atomic_fetch_add(&fs->counters.reads, 1);
	if (r < 0) {
		atomic_fetch_add(&fs->counters.read_errors, 1);
		if (fault.kind == HXS_FAULT_NONE)
			return r;
		hxfs_faults_add(fs, s, hxs_content_entry(c), &fault);
		hxfs_record_fault(fs, s, hxs_content_entry(c), &fault, (int)r);
		return r;
	}
	atomic_fetch_add(&fs->counters.read_bytes, (uint64_t)r);
	hxfs_refresh_read(fs, s, hxs_content_entry(c));
	if (into_scratch(scratch, out, (size_t)r) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot read a file");
	return r;
}

/* ---- handles ------------------------------------------------------------- */

int hxfs_files_open(struct hxfs *fs, uint32_t slot, uint32_t n,
		    enum hxfs_patience patience, const struct hxs_stop *stop,
		    struct hxfs_handle **out, struct hxs_err *err)
{
	struct hxfs_handle *h;
	int r;

	h = calloc(1, sizeof(*h));
	if (!h)
		return hxs_err_errno(err, ENOMEM, "cannot open a file");
	r = hxfs_slots_enter(fs, slot, patience, &h->slot, err);
	if (r < 0) {
		free(h);
		return r;
	}
	r = check_entry(h->slot, n, err);
	if (r == 0)
		r = open_content(fs, h->slot, n, patience, stop, &h->content,
				 err);
	if (r < 0) {
		hxfs_slots_leave(fs, h->slot);
		free(h);
		return r;
	}
	atomic_fetch_add(&fs->counters.opens, 1);
	remember(fs, h);
	*out = h;
	return 0;
}

int hxfs_files_text(struct hxfs *fs, char *text, size_t len,
		    struct hxfs_handle **out)
{
	struct hxfs_handle *h = calloc(1, sizeof(*h));

	if (!h) {
		free(text);
		return -ENOMEM;
	}
	h->text = text;
	h->len = len;
	remember(fs, h);
	*out = h;
	return 0;
}

void hxfs_files_close(struct hxfs *fs, struct hxfs_handle *h)
{
	forget(fs, h);
	hxs_content_close(h->content);
	if (h->slot)
		hxfs_slots_leave(fs, h->slot);
	free(h->text);
	free(h);
}

int hxfs_files_room(struct hxs_scratch *scratch, size_t len)
{
	void *grown;

	if (scratch->cap >= len)
		return 0;
	grown = realloc(scratch->mem, len);
	if (!grown)
		return -ENOMEM;
	scratch->mem = grown;
	scratch->cap = len;
	return 0;
}

void hxfs_files_close_all(struct hxfs *fs)
{
	while (fs->handles)
		hxfs_files_close(fs, fs->handles);
}

/*
 * Copied, since the client may have its answer, and the handle be closed,
 * before the call that sends the bytes returns.
 */
static ssize_t copy_slice(const struct hxfs_handle *h, uint64_t off, size_t len,
			  struct hxs_scratch *scratch, const void **out)
{
	if (off >= h->len)
		return 0;
	if (len > h->len - off)
		len = h->len - off;
	if (hxfs_files_room(scratch, len) < 0)
		return -ENOMEM;
	memcpy(scratch->mem, h->text + off, len);
	*out = scratch->mem;
	return (ssize_t)len;
}

ssize_t hxfs_files_read(struct hxfs *fs, struct hxfs_handle *h, uint64_t off,
			size_t len, struct hxs_scratch *scratch,
			const void **out, struct hxs_err *err)
{
	if (!h->content)
		return copy_slice(h, off, len, scratch, out);
	return read_content(fs, h->content, h->slot, off, len, scratch, out,
			    err);
}

/* ---- files kept open where nobody opens them ----------------------------- */

#define KEPT_MAX 128u

struct kept {
	uint64_t key; /* slot << 32 | entry */
	struct hxs_content *content;
	unsigned refs; /* guarded by files->lock; one is the table's */
};

struct hxfs_files {
	pthread_mutex_t lock;
	size_t max;
	/* guarded by lock */
	struct kept *kept[KEPT_MAX]; /* last used first; NULL at the end */
};

int hxfs_files_new(size_t max, struct hxfs_files **out)
{
	struct hxfs_files *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->max = max < 1 ? 1 : max < KEPT_MAX ? max : KEPT_MAX;
	(void)pthread_mutex_init(&f->lock, NULL); /* no attributes: works */
	*out = f;
	return 0;
}

static void kept_unref(struct hxfs_files *f, struct kept *k)
{
	bool last;

	if (!k)
		return;
	(void)pthread_mutex_lock(&f->lock);
	last = --k->refs == 0;
	(void)pthread_mutex_unlock(&f->lock);
	if (last) {
		hxs_content_close(k->content);
		free(k);
	}
}

void hxfs_files_free(struct hxfs_files *f)
{
	size_t i;

	if (!f)
		return;
	for (i = 0; i < f->max; i++)
		kept_unref(f, f->kept[i]);
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
}

/* With f->lock held. */
static void move_first(struct hxfs_files *f, size_t i, struct kept *k)
{
	memmove(&f->kept[1], &f->kept[0], i * sizeof(f->kept[0]));
	f->kept[0] = k;
}

static struct kept *kept_find(struct hxfs_files *f, uint64_t key)
{
	struct kept *k = NULL;
	size_t i;

	(void)pthread_mutex_lock(&f->lock);
	for (i = 0; i < f->max && f->kept[i]; i++) {
		if (f->kept[i]->key == key) {
			k = f->kept[i];
			k->refs++;
			move_first(f, i, k);
			break;
		}
	}
	(void)pthread_mutex_unlock(&f->lock);
	return k;
}

/* Owns @content from the call on; NULL without memory. */
static struct kept *kept_add(struct hxfs_files *f, uint64_t key,
			     struct hxs_content *content)
{
	struct kept *k = calloc(1, sizeof(*k)), *old;

	if (!k) {
		hxs_content_close(content);
		return NULL;
	}
	k->key = key;
	k->content = content;
	k->refs = 2;
	(void)pthread_mutex_lock(&f->lock);
	old = f->kept[f->max - 1];
	move_first(f, f->max - 1, k);
	(void)pthread_mutex_unlock(&f->lock);
	kept_unref(f, old);
	return k;
}

/* Take out of the table the first entry of @slot, from place *@i on. */
static struct kept *take_out(struct hxfs_files *f, uint32_t slot, size_t *i)
{
	struct kept *k = NULL;

	(void)pthread_mutex_lock(&f->lock);
	while (*i < f->max && f->kept[*i] && f->kept[*i]->key >> 32 != slot)
		++*i;
	if (*i < f->max && f->kept[*i]) {
		k = f->kept[*i];
		memmove(&f->kept[*i], &f->kept[*i + 1],
			(f->max - 1 - *i) * sizeof(f->kept[0]));
		f->kept[f->max - 1] = NULL;
	}
	(void)pthread_mutex_unlock(&f->lock);
	return k;
}

void hxfs_files_drop(struct hxfs *fs, uint32_t slot)
{
	struct kept *k;
	size_t i = 0;

	if (!fs->files)
		return;
	while ((k = take_out(fs->files, slot, &i)))
		kept_unref(fs->files, k);
}

/* The content of entry @n of the pinned slot @s, open already or now. */
static int borrow(struct hxfs *fs, struct hxfs_slot *s, uint32_t n,
		  enum hxfs_patience patience, const struct hxs_stop *stop,
		  struct kept **out, struct hxs_err *err)
{
	uint64_t key = hxfs_number_entry(s->number, n);
	struct hxs_content *content;
	int r;

	*out = kept_find(fs->files, key);
	if (*out)
		return 0;
	r = check_entry(s, n, err);
	if (r == 0)
		r = open_content(fs, s, n, patience, stop, &content, err);
	if (r < 0)
		return r;
	atomic_fetch_add(&fs->counters.opens, 1);
	*out = kept_add(fs->files, key, content);
	return *out ? 0 : hxs_err_errno(err, ENOMEM, "cannot open a file");
}

ssize_t hxfs_files_read_entry(struct hxfs *fs, uint32_t slot, uint32_t n,
			      enum hxfs_patience patience,
			      const struct hxs_stop *stop, uint64_t off,
			      size_t len, struct hxs_scratch *scratch,
			      const void **out, struct hxs_err *err)
{
	struct hxfs_slot *s;
	struct kept *k;
	ssize_t r;

	r = hxfs_slots_enter(fs, slot, patience, &s, err);
	if (r < 0)
		return r;
	r = borrow(fs, s, n, patience, stop, &k, err);
	if (r == 0) {
		r = read_content(fs, k->content, s, off, len, scratch, out,
				 err);
		kept_unref(fs->files, k);
	}
	hxfs_slots_leave(fs, s);
	return r;
}
