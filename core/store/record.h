#ifndef HXS_STORE_RECORD_H
#define HXS_STORE_RECORD_H

/*
 * Files in a directory of the store, one an environment and named like it:
 * what journals and unconfirmed restores have in common. For store/ only.
 */
#include "base/err.h"
#include "store/store.h"

/* Remove that of @env in @dir, durably. Absent is success. */
HXS_MUST_CHECK
int hxs_record_drop(struct hxs_store *s, const char *dir, const char *env,
		    struct hxs_err *err);

/* The environments that have one, or something in its place. */
HXS_MUST_CHECK
int hxs_record_envs(const struct hxs_store *s, const char *dir,
		    struct hxs_names *out, struct hxs_err *err);

#endif
