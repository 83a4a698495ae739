#ifndef HXFS_HXFS_H
#define HXFS_HXFS_H

/*
 * One mount: what is shared between its threads. Knows nothing of FUSE.
 *
 * Two locks. @scan_lock is held while the store's directories are listed, so
 * that an older listing cannot be taken for a newer one; nothing that a
 * reader waits for takes it, but for a name not heard of. @lock guards the
 * tables; nothing blocks while holding it: no disk, no hashing, no FUSE.
 */
#include "base/err.h"
#include "fs/number.h"
#include "fs/options.h"
#include "store/content.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "verbs/recover.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* How long a request may take where it runs. */
enum hxfs_patience {
	HXFS_NOW, /* a stat, or a few blocks: else -EAGAIN */
	HXFS_LOAD, /* load an index, walk a snapshot */
	HXFS_HASH, /* hash a file of any length: before that -EINPROGRESS */
};

enum hxfs_state { HXFS_IDLE, HXFS_LOADING, HXFS_LOADED, HXFS_FAILED };

/* What is remembered of a snapshot when its index has been dropped. */
struct hxfs_past {
	struct hxs_digest manifest; /* as it was first read */
	struct hxs_digest numbers; /* foreign: of how its files are numbered */
	bool proven; /* it was read: the above holds */
	bool foreign, has_xattrs;
	uint64_t files, bytes;
	int64_t unlisted; /* files the manifest does not list; -1 unknown */
	int code; /* FAILED: why, a negative status */
	char *reason; /* the sentence; NULL while nothing failed */
	double failed_at;
};

/*
 * One snapshot, from the moment it is seen in the store until it has gone
 * from there and nobody uses it. Everything is guarded by fs->lock; @snap
 * and what it points at stay while the slot is pinned.
 */
struct hxfs_slot {
	uint32_t number, env;
	enum hxs_kind kind;
	enum hxfs_state state;
	int64_t seconds; /* its id */
	uint64_t born; /* fs->generation when it was seen first */
	dev_t dev;
	ino_t ino;
	bool met; /* dev and ino are known */
	bool gone; /* no longer in the store, or replaced */
	unsigned pins;
	struct hxs_snapshot *snap;
	size_t bytes;
	uint8_t *hashed; /* foreign: a bit for each entry that was; or NULL */
	uint8_t *touched; /* two bits for each entry: fs/refresh.c; or NULL */
	struct hxfs_slot *newer, *older; /* LOADED: by last use */
	struct hxfs_past *past; /* NULL until it was tried */
};

struct hxfs_area {
	struct hxfs_slot **slot; /* ascending by seconds */
	size_t count, cap;
	bool present;
	uint64_t changes; /* how often snapshots came or went */
};

struct hxfs_env {
	char name[HXS_ENV_MAX + 1];
	uint32_t number;
	struct hxfs_area area[2]; /* backups, rollbacks */
	int64_t verified; /* newest verified backup, HXFS_NO_TIME if none */
	bool present; /* in the store; once seen, a number is kept */
};

#define HXFS_NO_TIME INT64_MIN

struct hxfs_counters {
	atomic_uint_fast64_t lookups, opens, reads, read_bytes, read_errors;
	atomic_uint_fast64_t loads, load_failures, evictions;
};

struct hxfs_ahead;
struct hxfs_control;
struct hxfs_due;
struct hxfs_faults;
struct hxfs_files;
struct hxfs_handle;
struct hxfs_history;
struct hxfs_notes;
struct hxfs_texts;
struct hxs_pool;

struct hxfs {
	struct hxs_store *store;
	const struct hxfs_options *opt;
	char *mountpoint; /* absolute */
	int64_t started; /* seconds since 1970 */
	uid_t uid;
	gid_t gid;
	bool xattr; /* extended attributes are answered */
	bool no_open; /* the kernel opens files without asking */
	struct hxs_recover_report recovery; /* at the start */
	char *recovery_error; /* why it failed, or NULL */
	atomic_bool ending; /* whoever waits for an answer gets none */
	atomic_bool xattr_wanted; /* a snapshot has some, @xattr or not */

	pthread_mutex_t scan_lock;
	pthread_mutex_t lock;
	pthread_cond_t settled; /* a slot has left LOADING */
	/* guarded by lock */
	struct hxfs_env **env;
	size_t env_count, env_cap;
	struct hxfs_slot **slot; /* by number; NULL where one has gone */
	size_t slot_count, slot_cap;
	uint64_t generation;
	struct hxfs_slot *newest, *oldest; /* loaded, by last use */
	struct hxfs_handle *handles; /* all that are open */
	size_t loaded, loaded_bytes;
	size_t failed; /* slots in state FAILED */
	uint64_t unlisted; /* sum over present slots where known */

	/* set before threads start; a quarter of our descriptors at most */
	size_t budget, loaded_min, loaded_max;
	struct hxfs_counters counters;
	struct hxfs_ahead *ahead;
	struct hxfs_control *control; /* NULL: there are no control files */
	struct hxfs_due *due;
	struct hxfs_faults *faults;
	struct hxfs_history *history;
	struct hxfs_notes *notes;
	struct hxfs_files *files; /* @no_open */
	struct hxfs_texts *texts; /* @no_open */
	struct hxs_pool *pool; /* for HXFS_LOAD */
	struct hxs_pool *hash_pool; /* for HXFS_HASH */
	struct hxs_pool *record_pool; /* of one thread; or NULL */
	atomic_uint recording; /* jobs it has or is about to get */
};

#define HXFS_BUDGET (64u << 20) /* bytes of indexes held in memory */
/* Stay whatever their size: comparing two snapshots takes turns. */
#define HXFS_LOADED_MIN 2u

/*
 * Take the store (borrowed) and @opt (borrowed), finish or undo what a crash
 * left in it (failing to is told, and shown in .status), read what is in it.
 * Everything else in *@out is ready for use but for the pool and files,
 * texts, no_open.
 */
HXS_MUST_CHECK
int hxfs_new(struct hxs_store *store, const struct hxfs_options *opt,
	     const char *mountpoint, struct hxfs **out, struct hxs_err *err);
void hxfs_free(struct hxfs *fs); /* takes NULL */
HXS_AUTO_DEFINE(hxfs, struct hxfs *, hxfs_free)

static inline void hxfs_lock(struct hxfs *fs)
{
	(void)pthread_mutex_lock(&fs->lock); /* a plain mutex: cannot fail */
}

static inline void hxfs_unlock(struct hxfs *fs)
{
	(void)pthread_mutex_unlock(&fs->lock);
}

#endif
