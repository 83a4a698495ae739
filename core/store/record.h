#ifndef HXS_STORE_RECORD_H
#define HXS_STORE_RECORD_H

/*
 * Files in a directory of the store, one an environment and named like it:
 * what journals and unconfirmed restores have in common. For store/ only.
 */
#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

/* Make that of @env in @dir hold @text, durably: 0 or -errno. */
HXS_MUST_CHECK
int hxs_record_write(struct hxs_store *s, const char *dir, const char *env,
		     const struct hxs_buf *text);

/*
 * The text of that of @env: 1 with *@text the caller's, 0 when there is none,
 * -HXS_EDENIED for one that others than its owner may write, -EFBIG beyond
 * @max bytes, -EINVAL for what is no file, -errno. No message.
 */
HXS_MUST_CHECK
int hxs_record_read(const struct hxs_store *s, const char *dir, const char *env,
		    size_t max, char **text, size_t *len);

/* Remove that of @env in @dir, durably. Absent is success. */
HXS_MUST_CHECK
int hxs_record_drop(struct hxs_store *s, const char *dir, const char *env,
		    struct hxs_err *err);

/*
 * Remove what a killed hxs_record_write() left, which is no record yet. To be
 * called with @env locked. Not made durable: it may come back, harmless.
 */
HXS_MUST_CHECK
int hxs_record_clean(struct hxs_store *s, const char *dir, const char *env,
		     struct hxs_err *err);

/* The environments that have one, or something in its place. */
HXS_MUST_CHECK
int hxs_record_envs(const struct hxs_store *s, const char *dir,
		    struct hxs_names *out, struct hxs_err *err);

#endif
