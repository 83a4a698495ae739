#ifndef HXS_STORE_JOURNAL_TEXT_H
#define HXS_STORE_JOURNAL_TEXT_H

/* What a journal's file holds. For journal*.c only. */
#include "base/buf.h"
#include "store/journal.h"

#define HXS_JOURNAL_TEXT_MAX (16u << 20) /* bytes; that is 100,000 moves */

/* The whole text of @j. 0, -EFBIG or -ENOMEM. */
HXS_MUST_CHECK
int hxs_journal_text_make(const struct hxs_journal *j, struct hxs_buf *out);

/*
 * The journal that @text is, if it is one of @env: 1 with *@out the caller's,
 * -EBADMSG, -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_journal_text_read(const char *text, size_t len, const char *env,
			  struct hxs_journal **out);

#endif
