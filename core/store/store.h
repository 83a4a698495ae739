#ifndef HXS_STORE_STORE_H
#define HXS_STORE_STORE_H

/*
 * The store: the directory tree of CONTRACT.md, section 2. Finding and
 * listing what is in it; store/staging.h puts something there.
 *
 * A directory is a store if it holds a directory "backups", "rollbacks" or
 * ".hxsnap". Everything below is reached through its handle; nothing that a
 * store contains can lead out of it.
 */
#include "base/err.h"
#include "format/index.h"
#include "format/ref.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct hxs_store;

/*
 * Open the store at @path (relative to the current directory, links in the
 * operator's own path are followed). -HXS_ENOSUCH when nothing is there,
 * -HXS_EUSAGE "not a store" for anything else, such as an empty mount point:
 * it is never made into one. -HXS_EDENIED when everybody may write to it.
 */
HXS_MUST_CHECK
int hxs_store_open(const char *path, struct hxs_store **out,
		   struct hxs_err *err);

/*
 * Make @path a store: backups/ and .hxsnap/ in it. A missing last component
 * is created (0755). An existing directory must be empty but for lost+found,
 * unless @in_use allows other files in it. A store already there is success.
 */
HXS_MUST_CHECK
int hxs_store_init(const char *path, bool in_use, struct hxs_err *err);

void hxs_store_close(struct hxs_store *s);
HXS_AUTO_DEFINE(store, struct hxs_store *, hxs_store_close)

int hxs_store_fd(const struct hxs_store *s); /* its directory; borrowed */
const char *hxs_store_path(const struct hxs_store *s); /* absolute; borrowed */

/* "backups" or "rollbacks". */
const char *hxs_store_area(enum hxs_kind kind);

/* A sorted list of names. */
struct hxs_names {
	char **name;
	size_t count;
};
#define HXS_NAMES_INIT       \
	{                    \
		.name = NULL \
	}
void hxs_names_release(struct hxs_names *n);
#define HXS_AUTO_NAMES __attribute__((cleanup(hxs_names_release)))

/* Environments that have a directory in backups or rollbacks. */
HXS_MUST_CHECK
int hxs_store_envs(const struct hxs_store *s, struct hxs_names *out,
		   struct hxs_err *err);

/*
 * The ids of @env's snapshots, oldest first: directories (not links) whose
 * name is an id. Whether they are whole is another question. An environment
 * that is not there has none.
 */
HXS_MUST_CHECK
int hxs_store_ids(const struct hxs_store *s, enum hxs_kind kind,
		  const char *env, struct hxs_names *out, struct hxs_err *err);

/* A handle on a snapshot's directory; -HXS_ENOSUCH. */
HXS_MUST_CHECK
int hxs_store_open_dir(const struct hxs_store *s, enum hxs_kind kind,
		       const char *env, const char *id, int *fd,
		       struct hxs_err *err);

/*
 * A handle on directory @path of the store, made with mode @mode (whatever
 * the umask) where it or a parent of it is missing; no link is followed.
 * An fd, or -errno without a message. *@made (may be NULL) tells whether the
 * last component was missing.
 */
HXS_MUST_CHECK
int hxs_store_make_dir(struct hxs_store *s, const char *path, mode_t mode,
		       bool *made);

/*
 * What snapshot @ref means now. -HXS_ENOSUCH (no such environment, snapshot;
 * none verified; none as old as that), -HXS_EUSAGE for an ambiguous prefix
 * or a reference that is an environment alone.
 */
HXS_MUST_CHECK
int hxs_store_resolve(const struct hxs_store *s, const struct hxs_ref *ref,
		      char id[HXS_ID_LEN + 1], struct hxs_err *err);

/*
 * Random digits (.hxsnap/id) that stand for the store where others may have
 * one at the same path; a copy of it has the same. They are made when they are
 * first asked for. -HXS_ECORRUPT, -errno where nothing can be written.
 */
#define HXS_STORE_IDENTITY 32
HXS_MUST_CHECK
int hxs_store_identity(struct hxs_store *s, char out[HXS_STORE_IDENTITY + 1],
		       struct hxs_err *err);

/*
 * A mark (.hxsnap/xattrs) that some snapshot of the store holds extended
 * attributes: a mount that finds it answers requests for them. Never taken
 * back. 0 or -errno.
 */
HXS_MUST_CHECK
int hxs_store_mark_xattrs(struct hxs_store *s);
bool hxs_store_has_xattrs_mark(const struct hxs_store *s);

#endif
