#include "fs/faults.h"

#include "base/log.h"
#include "base/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_KEPT 4096u /* bytes of a shown path */
#define SEEN_SIZE 8192u /* a power of two */

struct kept {
	struct hxfs_fault f;
	char *path;
};

struct hxfs_faults {
	pthread_mutex_t lock;
	/* guarded by lock */
	struct kept *kept;
	size_t count, cap;
	struct hxfs_damage damage;
	/*
	 * Keys of blocks and of files met before, by hash. When two share a
	 * place the older is forgotten: it may be logged and counted again,
	 * which matters less than growing for ever.
	 */
	uint64_t seen[SEEN_SIZE];
};

int hxfs_faults_new(struct hxfs_faults **out)
{
	struct hxfs_faults *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	(void)pthread_mutex_init(&f->lock, NULL); /* no attributes: works */
	*out = f;
	return 0;
}

void hxfs_faults_free(struct hxfs_faults *f)
{
	size_t i;

	if (!f)
		return;
	for (i = 0; i < f->count; i++)
		free(f->kept[i].path);
	free(f->kept);
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
}

/* splitmix64 over what names a fault; never 0. */
static uint64_t key_of(uint32_t slot, uint32_t entry, unsigned kind,
		       uint64_t offset)
{
	uint64_t x = hxfs_number_entry(slot, entry), part[2];
	size_t i;

	part[0] = offset;
	part[1] = kind;
	for (i = 0; i < 2; i++) {
		x += part[i] * UINT64_C(0x9e3779b97f4a7c15) +
		     UINT64_C(0x9e3779b97f4a7c15);
		x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
		x ^= x >> 31;
	}
	return x ? x : 1;
}

/* True when @key was not there; it is now. */
static bool first_time(struct hxfs_faults *f, uint64_t key)
{
	uint64_t *place = &f->seen[key & (SEEN_SIZE - 1)];
	bool news = *place != key;

	*place = key;
	return news;
}

void hxfs_faults_name(const struct hxs_snapshot *snap, uint32_t entry,
		      struct hxs_buf *out)
{
	HXS_AUTO_BUF struct hxs_buf raw = HXS_BUF_INIT;

	if (entry == HXS_ENTRY_INDEX)
		(void)hxs_buf_puts(out, HXS_INDEX_NAME);
	else if (entry == HXS_ENTRY_MANIFEST)
		(void)hxs_buf_puts(out, "manifest.sha256");
	else if (hxs_index_path(hxs_snapshot_index(snap), entry, &raw) == 0)
		(void)hxs_path_show(out, raw.data ? raw.data : "", raw.len);
}

int hxfs_faults_text(const struct hxs_fault *fault, struct hxs_buf *out)
{
	char want[HXS_DIGEST_HEX_LEN + 1], got[HXS_DIGEST_HEX_LEN + 1];

	(void)hxs_buf_printf(out, "%s", fault->reason);
	if (fault->kind == HXS_FAULT_BLOCK || fault->kind == HXS_FAULT_DIGEST) {
		hxs_digest_to_hex(&fault->expected, want);
		hxs_digest_to_hex(&fault->found, got);
		(void)hxs_buf_printf(out,
				     " (%s at byte %" PRIu64 " of length "
				     "%" PRIu64 ": expected %s, found %s)",
				     hxs_fault_name(fault->kind), fault->offset,
				     fault->len, want, got);
	}
	return hxs_buf_status(out);
}

/* With f->lock held. Without memory the fault stays counted only. */
static void keep(struct hxfs_faults *f, const struct hxfs_fault *from,
		 const char *path)
{
	struct kept *grown, *k;
	size_t cap;

	if (f->count >= HXFS_FAULTS_KEPT) { /* the newest are worth most */
		free(f->kept[0].path);
		memmove(&f->kept[0], &f->kept[1],
			--f->count * sizeof(f->kept[0]));
	}
	if (f->count == f->cap) {
		cap = f->cap ? f->cap * 2 : 16;
		grown = reallocarray(f->kept, cap, sizeof(*grown));
		if (!grown)
			return;
		f->kept = grown;
		f->cap = cap;
	}
	k = &f->kept[f->count];
	k->path = strndup(path, PATH_KEPT);
	if (!k->path)
		return;
	k->f = *from;
	k->f.path = k->path;
	f->count++;
}

static void log_fault(const struct hxfs_fault *f, const char *path)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;

	if (hxfs_faults_text(&f->fault, &text) == 0)
		hxs_log_error("'%s/%s': %s", f->ref, path, hxs_buf_str(&text));
	else
		hxs_log_error("'%s/%s' is damaged", f->ref, path);
}

void hxfs_faults_add(struct hxfs *fs, const struct hxfs_slot *s, uint32_t entry,
		     const struct hxs_fault *fault)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxfs_fault f = { .slot = s->number, .env = s->env };
	struct timespec now;
	bool news;

	hxs_clock_now(&now);
	f.first_seen = now.tv_sec;
	f.fault = *fault;
	f.fault.entry = entry;
	(void)snprintf(f.ref, sizeof(f.ref), "%s", hxs_snapshot_name(s->snap));
	hxfs_faults_name(s->snap, entry, &path);

	(void)pthread_mutex_lock(&fs->faults->lock);
	news = first_time(fs->faults,
			  key_of(s->number, entry, fault->kind, fault->offset));
	if (news) {
		if (fault->kind == HXS_FAULT_BLOCK)
			fs->faults->damage.blocks++;
		if (first_time(fs->faults,
			       key_of(s->number, entry, UINT32_MAX, 0)))
			fs->faults->damage.files++;
		keep(fs->faults, &f, hxs_buf_str(&path));
	}
	(void)pthread_mutex_unlock(&fs->faults->lock);
	if (news)
		log_fault(&f, hxs_buf_str(&path));
}

void hxfs_faults_damage(struct hxfs_faults *f, struct hxfs_damage *out)
{
	(void)pthread_mutex_lock(&f->lock);
	*out = f->damage;
	(void)pthread_mutex_unlock(&f->lock);
}

int hxfs_faults_each(struct hxfs_faults *f, uint32_t env, uint32_t slot,
		     hxfs_faults_fn fn, void *ctx)
{
	const struct hxfs_fault *one;
	size_t i;
	int r = 0;

	(void)pthread_mutex_lock(&f->lock);
	for (i = 0; i < f->count && r == 0; i++) {
		one = &f->kept[i].f;
		if ((env == HXFS_ANY || one->env == env) &&
		    (slot == HXFS_ANY || one->slot == slot))
			r = fn(one, ctx);
	}
	(void)pthread_mutex_unlock(&f->lock);
	return r;
}

struct wanted {
	uint32_t entry;
	struct hxfs_fault *out;
};

static int match_entry(const struct hxfs_fault *f, void *ctx)
{
	struct wanted *w = ctx;

	if (f->fault.entry != w->entry)
		return 0;
	*w->out = *f;
	w->out->path = NULL;
	return 1;
}

bool hxfs_faults_find(struct hxfs_faults *f, uint32_t slot, uint32_t entry,
		      struct hxfs_fault *out)
{
	struct wanted w = { .entry = entry, .out = out };

	return hxfs_faults_each(f, HXFS_ANY, slot, match_entry, &w) == 1;
}
