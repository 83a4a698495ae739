/*
 * The one door to stored bytes: opening it, and what it means when that
 * cannot be done. What comes out of it: content_read.c.
 */
#include "store/content.h"

#include "base/io.h"
#include "store/snapshot_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFETCH_BYTES (256 * 1024)

const char *hxs_fault_name(enum hxs_fault_kind kind)
{
	static const char *const names[] = {
		[HXS_FAULT_NONE] = "none",
		[HXS_FAULT_BLOCK] = "block",
		[HXS_FAULT_DIGEST] = "digest",
		[HXS_FAULT_MISSING] = "missing",
		[HXS_FAULT_SIZE] = "size",
		[HXS_FAULT_TYPE] = "type",
		[HXS_FAULT_TARGET] = "target",
		[HXS_FAULT_EXTRA] = "extra",
		[HXS_FAULT_READ] = "read",
		[HXS_FAULT_SNAPSHOT] = "snapshot",
	};

	return (unsigned)kind < HXS_ARRAY_LEN(names) ? names[kind] : "unknown";
}

void hxs_scratch_release(struct hxs_scratch *s)
{
	free(s->mem);
	s->mem = NULL;
	s->cap = 0;
}

int hxs_content_fail(const struct hxs_snapshot *snap,
		     const struct hxs_fault *fault, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	(void)hxs_index_path(snap->idx, fault->entry, &path);
	return hxs_err_set(err, HXS_ECORRUPT, "'%s/%s': %s",
			   hxs_snapshot_name(snap), hxs_buf_str(&path),
			   fault->reason);
}

/* Record @fault and its sentence in @err; the entry's path is put before. */
static int fail(struct hxs_snapshot *snap, uint32_t entry,
		struct hxs_fault *fault, enum hxs_fault_kind kind,
		const char *reason, struct hxs_err *err)
{
	fault->kind = kind;
	fault->entry = entry;
	(void)snprintf(fault->reason, sizeof(fault->reason), "%s", reason);
	return hxs_content_fail(snap, fault, err);
}

/* What an entry that cannot be opened means. */
static int fail_open(struct hxs_snapshot *snap, uint32_t entry, int e,
		     struct hxs_fault *fault, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

	if (e == ENOENT)
		return fail(snap, entry, fault, HXS_FAULT_MISSING,
			    "it is missing from the store", err);
	if (e == ENOTDIR || e == ELOOP || e == EINVAL || e == ENXIO ||
	    e == EXDEV)
		return fail(snap, entry, fault, HXS_FAULT_TYPE,
			    "something that is no regular file took its place",
			    err);
	if (e == EIO) {
		fault->kind = HXS_FAULT_READ;
		fault->entry = entry;
		(void)snprintf(fault->reason, sizeof(fault->reason),
			       "the store cannot read it");
	}
	(void)hxs_index_path(snap->idx, entry, &path);
	return hxs_err_errno(err, e, "cannot open '%s/%s'",
			     hxs_snapshot_name(snap), hxs_buf_str(&path));
}

static int open_file(struct hxs_content *c, const struct hxs_stop *stop,
		     bool later, struct hxs_fault *fault, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_node node;
	struct stat st;
	char reason[128];
	int r;

	hxs_index_get(c->snap->idx, c->entry, &node);
	if (S_ISDIR(node.mode))
		return hxs_err_errno(err, EISDIR, "cannot open '%s'",
				     node.name);
	if (!S_ISREG(node.mode))
		return hxs_err_errno(err, EINVAL, "cannot open '%s'",
				     node.name);
	c->size = node.size;
	r = hxs_index_path(c->snap->idx, c->entry, &path);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot open '%s'", node.name);
	c->fd = hxs_io_open_regular(c->snap->fd, path.data, &st);
	if (c->fd < 0)
		return fail_open(c->snap, c->entry, -c->fd, fault, err);
	if ((uint64_t)st.st_size != node.size) {
		(void)snprintf(reason, sizeof(reason),
			       "it has %" PRIu64 " bytes instead of %" PRIu64,
			       (uint64_t)st.st_size, node.size);
		fault->len = node.size;
		return fail(c->snap, c->entry, fault, HXS_FAULT_SIZE, reason,
			    err);
	}
	c->holes = (uint64_t)st.st_blocks * 512 < node.size;
	hxs_index_chain_view(c->snap->idx, c->entry, &c->chain);
	c->unproven = c->snap->foreign;
	if (!c->unproven || later)
		return 0;
	r = hxs_content_pour(c, stop, NULL, fault, err);
	return r < 0 ? r : 0;
}

/* The index and the manifest are served from the bytes that were proven. */
static int open_part(struct hxs_content *c, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_digest self;
	const void *bytes;
	size_t len;

	if (c->entry == HXS_ENTRY_INDEX && c->snap->foreign)
		return hxs_err_errno(err, ENOENT, "cannot open '%s'",
				     HXS_INDEX_NAME);
	bytes = hxs_index_bytes(c->snap->idx, &len);
	if (c->entry == HXS_ENTRY_INDEX) {
		c->mem = bytes;
		c->size = len;
		return 0;
	}
	if (c->snap->foreign) {
		c->mem = c->snap->manifest_text;
		c->size = c->snap->manifest_len;
		return 0;
	}
	hxs_digest_of(bytes, len, &self);
	hxs_index_manifest(c->snap->idx, &self, &text);
	if (hxs_buf_status(&text) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot open '%s'",
				     HXS_MANIFEST_NAME);
	c->mem = c->own = hxs_buf_steal(&text, &len);
	c->size = len;
	return 0;
}

static int open_any(struct hxs_snapshot *snap, uint32_t entry,
		    const struct hxs_stop *stop, bool later,
		    struct hxs_content **out, struct hxs_fault *fault,
		    struct hxs_err *err)
{
	HXS_AUTO(content) struct hxs_content *c = calloc(1, sizeof(*c));
	int r;

	memset(fault, 0, sizeof(*fault));
	if (!c)
		return hxs_err_errno(err, ENOMEM, "cannot open a file");
	c->fd = -1;
	atomic_init(&c->last, 0);
	c->entry = entry;
	c->snap = hxs_snapshot_ref(snap);
	if (entry == HXS_ENTRY_INDEX || entry == HXS_ENTRY_MANIFEST)
		r = open_part(c, err);
	else if (entry >= hxs_index_count(snap->idx))
		r = hxs_err_errno(err, ENOENT, "cannot open a file");
	else
		r = open_file(c, stop, later, fault, err);
	if (r < 0)
		return r;
	*out = HXS_STEAL(c);
	return 0;
}

int hxs_content_open(struct hxs_snapshot *snap, uint32_t entry,
		     struct hxs_content **out, struct hxs_fault *fault,
		     struct hxs_err *err)
{
	return open_any(snap, entry, NULL, false, out, fault, err);
}

int hxs_content_open_until(struct hxs_snapshot *snap, uint32_t entry,
			   const struct hxs_stop *stop,
			   struct hxs_content **out, struct hxs_fault *fault,
			   struct hxs_err *err)
{
	return open_any(snap, entry, stop, false, out, fault, err);
}

int hxs_content_open_unproven(struct hxs_snapshot *snap, uint32_t entry,
			      struct hxs_content **out, struct hxs_fault *fault,
			      struct hxs_err *err)
{
	return open_any(snap, entry, NULL, true, out, fault, err);
}

bool hxs_content_is_proven(const struct hxs_content *c)
{
	return !c->unproven;
}

void hxs_content_prefetch(struct hxs_snapshot *snap, uint32_t entry)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_node node;
	struct stat st;

	if (entry >= hxs_index_count(snap->idx))
		return;
	hxs_index_get(snap->idx, entry, &node);
	if (!S_ISREG(node.mode) || hxs_index_path(snap->idx, entry, &path) < 0)
		return;
	fd = hxs_io_open_regular(snap->fd, path.data, &st);
	if (fd >= 0 && st.st_size > 0)
		(void)posix_fadvise(fd, 0, PREFETCH_BYTES, POSIX_FADV_WILLNEED);
}

void hxs_content_close(struct hxs_content *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		(void)close(c->fd); /* it was only read */
	free(c->own);
	hxs_snapshot_unref(c->snap);
	free(c);
}

uint64_t hxs_content_size(const struct hxs_content *c)
{
	return c->size;
}

uint32_t hxs_content_entry(const struct hxs_content *c)
{
	return c->entry;
}
