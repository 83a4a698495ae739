#ifndef HXS_STORE_UNCONFIRMED_TEXT_H
#define HXS_STORE_UNCONFIRMED_TEXT_H

/* The text of a record. For unconfirmed*.c only. */
#include "store/unconfirmed.h"

#define HXS_UNCONFIRMED_TEXT_MAX (16u << 20) /* bytes */

/* Append the text of @u. -ENOMEM; -EFBIG for more than can be read again. */
HXS_MUST_CHECK
int hxs_unconfirmed_text_make(const struct hxs_unconfirmed *u,
			      struct hxs_buf *out);

/* -EBADMSG for what is not a record of @env, whole; -ENOMEM. */
HXS_MUST_CHECK
int hxs_unconfirmed_text_take(const char *text, size_t len, const char *env,
			      struct hxs_unconfirmed *out);

#endif
