#ifndef HXS_STORE_STAGING_H
#define HXS_STORE_STAGING_H

/*
 * Putting a snapshot into the store: built under a name that no reader takes
 * for one, published by one rename once all of it is durable.
 */
#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * A snapshot under construction: a dot-named directory, mode 0700, beside its
 * final place. The caller holds the environment's lock.
 */
struct hxs_staging {
	struct hxs_store *store; /* borrowed */
	enum hxs_kind kind;
	char env[HXS_ENV_MAX + 1];
	char id[HXS_ID_LEN + 1];
	int area_fd; /* backups/ENV */
	int fd; /* the staging directory itself */
	char name[64]; /* its name in area_fd */
	bool made_env; /* backups/ENV was not there before */
	bool published;
};
#define HXS_STAGING_INIT                 \
	{                                \
		.area_fd = -1, .fd = -1, \
	}

/*
 * Begin one. Its id is the present second, or the second after that of the
 * environment's newest snapshot of either kind if that is later (waits for
 * it; refuses with -HXS_EBUSY and a hint when that lies more than a minute
 * ahead: the clock was set back).
 */
HXS_MUST_CHECK
int hxs_staging_begin(struct hxs_store *s, enum hxs_kind kind, const char *env,
		      struct hxs_staging *out, struct hxs_err *err);

/*
 * Make everything in it durable, give the directory mode @mode, rename it to
 * its id, make that durable. After success it is a snapshot.
 */
HXS_MUST_CHECK
int hxs_staging_publish(struct hxs_staging *st, mode_t mode,
			struct hxs_err *err);

/*
 * Take up the one that was left as @name for snapshot @id; made_env is not
 * known. -ENOENT when it is not there, -errno.
 */
HXS_MUST_CHECK
int hxs_staging_reopen(struct hxs_store *s, enum hxs_kind kind, const char *env,
		       const char *id, const char *name,
		       struct hxs_staging *out, struct hxs_err *err);

/* Close it and leave what is in it: a journal says what becomes of it. */
void hxs_staging_leave(struct hxs_staging *st);

/*
 * Close it; what was not published is removed. Safe to call twice, and for
 * one that was only initialised with HXS_STAGING_INIT.
 */
void hxs_staging_release(struct hxs_staging *st);
#define HXS_AUTO_STAGING __attribute__((cleanup(hxs_staging_release)))

/*
 * Remove snapshot @id, and what is known of it; the caller holds the lock of
 * its environment. It gets a name that no reader takes for a snapshot's, that
 * is made durable, and only then is anything in it removed: at any moment
 * there is all of it or none.
 *
 * 1: removed. 0: not, and *@left says why: an operation uses it (its
 * directory is locked with flock(2)), or it was marked as kept meanwhile.
 * -HXS_ENOSUCH; -errno: the message says whether it is still there.
 */
HXS_MUST_CHECK
int hxs_staging_discard(struct hxs_store *s, enum hxs_kind kind,
			const char *env, const char *id, const char **left,
			struct hxs_err *err);

/*
 * Remove what crashed creates and removals left of @env. The caller holds its
 * lock. @removed counts them.
 */
HXS_MUST_CHECK
int hxs_staging_sweep(struct hxs_store *s, const char *env, unsigned *removed,
		      struct hxs_err *err);

#endif
