#ifndef HXS_STORE_SNAPSHOT_H
#define HXS_STORE_SNAPSHOT_H

/*
 * One published snapshot: its directory handle and its index, proven by the
 * manifest.
 *
 * Native (index.hxi is there): the manifest must be, to the byte, the
 * rendering of the index, which must name this environment, id and kind.
 * Foreign (no index): the manifest is parsed with tolerance and an index is
 * built in memory from it and from the files; a manifest that lists an
 * index.hxi which is not there is damage. If meta.json is there, is listed
 * and intact, and names another environment or id, the snapshot is damaged.
 *
 * Immutable once open: share by reference from any thread.
 */
#include "base/err.h"
#include "format/index.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Entries that an index cannot hold, numbered after all that it can. */
#define HXS_ENTRY_INDEX 0xfffffff0u
#define HXS_ENTRY_MANIFEST 0xfffffff1u

struct hxs_snapshot;

/*
 * Open and prove one. -HXS_ENOSUCH, -HXS_ECORRUPT (the message says what is
 * wrong with manifest or index), -ENOMEM, -errno of reading.
 */
HXS_MUST_CHECK
int hxs_snapshot_open(const struct hxs_store *s, enum hxs_kind kind,
		      const char *env, const char *id,
		      struct hxs_snapshot **out, struct hxs_err *err);

struct hxs_snapshot *hxs_snapshot_ref(struct hxs_snapshot *snap);
void hxs_snapshot_unref(struct hxs_snapshot *snap); /* takes NULL */
HXS_AUTO_DEFINE(snapshot, struct hxs_snapshot *, hxs_snapshot_unref)

int hxs_snapshot_fd(const struct hxs_snapshot *snap); /* its directory */
struct hxs_index *hxs_snapshot_index(const struct hxs_snapshot *snap);
bool hxs_snapshot_is_foreign(const struct hxs_snapshot *snap);

/* "dev/20260205T152900Z", "dev/.rollbacks/..."; borrowed. */
const char *hxs_snapshot_name(const struct hxs_snapshot *snap);

/* The digest of manifest.sha256 as it was read. */
const struct hxs_digest *hxs_snapshot_manifest_digest(
	const struct hxs_snapshot *snap);

/*
 * Whether the manifest that a foreign snapshot was read from lies there still,
 * by inode, size and time. A native one does not change: it is not asked.
 */
bool hxs_snapshot_is_current(const struct hxs_snapshot *snap);

/* What all its regular files hold, by its index. */
uint64_t hxs_snapshot_bytes(const struct hxs_snapshot *snap);

/* Memory it holds, in bytes, as a cache should count it. */
size_t hxs_snapshot_memory(const struct hxs_snapshot *snap);

/*
 * Attributes of entry @n, HXS_ENTRY_INDEX and HXS_ENTRY_MANIFEST included
 * (-ENOENT for the index of a foreign snapshot). st_ino and st_dev are zero:
 * they are the mount's. A name the manifest of a foreign snapshot lists and
 * the directory lacks shows as a regular file of size 0, mode 0.
 */
int hxs_snapshot_stat(const struct hxs_snapshot *snap, uint32_t n,
		      struct stat *st);

/*
 * Files and special files on disk that the manifest does not list and the
 * index does not know: walks the directories (no file is opened), reports
 * each through @fn (may be NULL), returns their number. When a directory
 * cannot be read the others are, and the first such -errno is returned.
 */
typedef void (*hxs_snapshot_extra_fn)(const char *path, void *ctx);
int64_t hxs_snapshot_extras(const struct hxs_snapshot *snap,
			    hxs_snapshot_extra_fn fn, void *ctx);

#endif
