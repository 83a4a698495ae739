#include "fs/attributes.h"

#include "base/io.h"
#include "base/xattr.h"
#include "fs/faults.h"
#include "fs/files.h"
#include "fs/registry.h"
#include "fs/slots.h"
#include "store/result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define OURS "user.hxsnap."

/* Written by create when a snapshot with extended attributes is published. */

/* ---- whether ------------------------------------------------------------- */

static bool index_has_some(struct hxfs *fs, enum hxs_kind kind, const char *env,
			   const char *id)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_index_head head;
	struct stat st;
	char path[160], bytes[256];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s/%s/%s", hxs_store_area(kind),
		       env, id, HXS_INDEX_NAME);
	fd = hxs_io_open_regular(hxs_store_fd(fs->store), path, &st);
	if (fd < 0)
		return false; /* foreign, or damaged: told when it is read */
	n = hxs_io_pread_full(fd, bytes, sizeof(bytes), 0);
	return n == (ssize_t)sizeof(bytes) &&
	       hxs_index_peek(bytes, sizeof(bytes), (uint64_t)st.st_size, &head,
			      NULL) == 0 &&
	       head.has_xattrs;
}

static bool env_has_some(struct hxfs *fs, size_t i)
{
	char id[2][HXS_ID_LEN + 1] = { "", "" };
	const struct hxfs_area *a;
	const char *name;
	size_t k;

	hxfs_lock(fs);
	name = fs->env[i]->name; /* stays */
	for (k = 0; k < 2; k++) {
		a = &fs->env[i]->area[k];
		if (a->count)
			(void)hxs_clock_format_id(a->slot[a->count - 1]
							  ->seconds,
						  id[k]);
	}
	hxfs_unlock(fs);
	return (id[0][0] && index_has_some(fs, HXS_BACKUP, name, id[0])) ||
	       (id[1][0] && index_has_some(fs, HXS_ROLLBACK, name, id[1]));
}

bool hxfs_attributes_wanted(struct hxfs *fs)
{
	size_t i, count;

	if (fs->opt->xattr != HXFS_XATTR_AUTO)
		return fs->opt->xattr == HXFS_XATTR_ON;
	if (hxs_store_has_xattrs_mark(fs->store))
		return true;
	hxfs_lock(fs);
	count = fs->env_count;
	hxfs_unlock(fs);
	for (i = 0; i < count; i++)
		if (env_has_some(fs, i))
			return true;
	return false;
}

/* ---- ours ---------------------------------------------------------------- */

/* The digest that the manifest gives of entry @n. */
static int put_sha256(struct hxs_snapshot *snap, uint32_t n,
		      struct hxs_buf *out)
{
	char hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest digest;
	struct hxs_node node;
	const void *bytes;
	size_t len;

	if (n == HXS_ENTRY_MANIFEST) {
		digest = *hxs_snapshot_manifest_digest(snap);
	} else if (n == HXS_ENTRY_INDEX) {
		bytes = hxs_index_bytes(hxs_snapshot_index(snap), &len);
		hxs_digest_of(bytes, len, &digest);
	} else {
		hxs_index_get(hxs_snapshot_index(snap), n, &node);
		if (!node.digest)
			return -ENODATA;
		digest = *node.digest;
	}
	hxs_digest_to_hex(&digest, hex);
	return hxs_buf_puts(out, hex);
}

/* When the snapshot, as it is, was last verified whole and found right. */
static int put_verified(struct hxfs *fs, const struct hxfs_slot *s,
			struct hxs_buf *out)
{
	char id[HXS_ID_LEN + 1], when[HXS_RFC3339_LEN + 1];
	struct hxs_result res;
	const char *env;

	hxfs_lock(fs);
	env = fs->env[s->env]->name; /* stays */
	hxfs_unlock(fs);
	if (hxs_clock_format_id(s->seconds, id) < 0 ||
	    hxs_result_load(fs->store, s->kind, env, id, &res) != 1 ||
	    !res.passed ||
	    !hxs_digest_equal(&res.manifest,
			      hxs_snapshot_manifest_digest(s->snap)) ||
	    hxs_clock_format_rfc3339(res.when, when) < 0)
		return -ENODATA;
	return hxs_buf_puts(out, when);
}

/* What readers met, or what opening it finds now. */
static int put_fault(struct hxfs *fs, struct hxfs_slot *s, uint32_t n,
		     enum hxfs_patience patience, const struct hxs_stop *stop,
		     struct hxs_buf *out)
{
	struct hxfs_handle *h;
	struct hxfs_fault f;
	struct stat st;
	int r;

	if (hxfs_faults_find(fs->faults, s->number, n, &f))
		return hxfs_faults_text(&f.fault, out);
	if (hxs_snapshot_stat(s->snap, n, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENODATA;
	r = hxfs_files_open(fs, s->number, n, patience, stop, &h, NULL);
	if (r == -EAGAIN || r == -EINPROGRESS || r == -ECANCELED)
		return r;
	if (r == 0)
		hxfs_files_close(fs, h);
	else if (hxfs_faults_find(fs->faults, s->number, n, &f))
		return hxfs_faults_text(&f.fault, out);
	return -ENODATA;
}

static int put_ours(struct hxfs *fs, struct hxfs_slot *s, uint32_t n,
		    const char *name, enum hxfs_patience patience,
		    const struct hxs_stop *stop, struct hxs_buf *out)
{
	if (strcmp(name, "sha256") == 0)
		return put_sha256(s->snap, n, out);
	if (strcmp(name, "verified") == 0)
		return put_verified(fs, s, out);
	if (strcmp(name, "fault") == 0)
		return put_fault(fs, s, n, patience, stop, out);
	return -ENODATA;
}

/* ---- the snapshot's own -------------------------------------------------- */

/* The attributes of entry @n; none for what the index does not hold. */
static int entry_block(const struct hxfs_slot *s, uint32_t *n,
		       const void **block, size_t *len)
{
	const struct hxs_index *idx = hxs_snapshot_index(s->snap);
	struct hxs_node node;

	*len = 0;
	if (*n >= HXS_ENTRY_INDEX)
		return 0;
	if (*n >= hxs_index_count(idx))
		return -ESTALE;
	hxs_index_get(idx, *n, &node);
	*n = node.leader;
	*block = node.xattrs;
	*len = node.xattrs_len;
	return 0;
}

static int get(struct hxfs *fs, struct hxfs_slot *s, uint32_t n,
	       const char *name, enum hxfs_patience patience,
	       const struct hxs_stop *stop, struct hxs_buf *out)
{
	const void *block = NULL;
	struct hxs_xattr x;
	size_t len;
	int r;

	r = entry_block(s, &n, &block, &len);
	if (r < 0)
		return r;
	/* One of that very name in the data is the data's. */
	if (len && hxs_xattr_find(block, len, name, &x))
		return hxs_buf_append(out, x.value, x.value_len);
	if (strncmp(name, OURS, sizeof(OURS) - 1) == 0)
		return put_ours(fs, s, n, name + sizeof(OURS) - 1, patience,
				stop, out);
	return -ENODATA;
}

int hxfs_attributes_get(struct hxfs *fs, uint64_t ino, const char *name,
			enum hxfs_patience patience,
			const struct hxs_stop *stop, struct hxs_buf *out,
			struct hxs_err *err)
{
	struct hxfs_node node;
	struct hxfs_slot *s;
	int r;

	hxfs_number_decode(ino, &node);
	if (node.kind != HXFS_IS_ENTRY && node.kind != HXFS_IS_SNAPSHOT)
		return node.kind == HXFS_IS_NOTHING ? -ESTALE : -ENODATA;
	/* Listing an environment with attributes must not load them all. */
	if (node.kind == HXFS_IS_SNAPSHOT &&
	    strncmp(name, OURS, sizeof(OURS) - 1) != 0)
		return -ENODATA;
	r = hxfs_slots_enter(fs, node.slot, patience, &s, err);
	if (r < 0)
		return r;
	r = get(fs, s, node.n, name, patience, stop, out);
	hxfs_slots_leave(fs, s);
	return r;
}

static int put_names(const void *block, size_t len, bool privileged,
		     struct hxs_buf *out)
{
	struct hxs_xattr x;
	size_t pos = 0;

	while (len && hxs_xattr_next(block, len, &pos, &x) == 1) {
		if (!privileged && x.name_len > 8 &&
		    memcmp(x.name, "trusted.", 8) == 0)
			continue;
		(void)hxs_buf_append(out, x.name, x.name_len);
		(void)hxs_buf_putc(out, '\0');
	}
	return hxs_buf_status(out);
}

int hxfs_attributes_list(struct hxfs *fs, uint64_t ino, bool privileged,
			 enum hxfs_patience patience, struct hxs_buf *out,
			 struct hxs_err *err)
{
	const void *block = NULL;
	struct hxfs_node node;
	struct hxfs_slot *s;
	size_t len;
	int r;

	hxfs_number_decode(ino, &node);
	if (node.kind == HXFS_IS_NOTHING)
		return -ESTALE;
	if (node.kind != HXFS_IS_ENTRY)
		return 0;
	r = hxfs_slots_enter(fs, node.slot, patience, &s, err);
	if (r < 0)
		return r;
	r = entry_block(s, &node.n, &block, &len);
	if (r == 0)
		r = put_names(block, len, privileged, out);
	hxfs_slots_leave(fs, s);
	return r;
}
