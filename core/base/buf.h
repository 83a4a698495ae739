#ifndef HXS_BASE_BUF_H
#define HXS_BASE_BUF_H

/*
 * A growing byte buffer. @data is NULL or NUL-terminated at data[len].
 * Appending fails with -ENOMEM and leaves what was there; after a failure
 * every further append fails too, so that a run of appends may be checked
 * once at its end with hxs_buf_status().
 */
#include "base/cleanup.h"

#include <stddef.h>

struct hxs_buf {
	char *data;
	size_t len, cap;
	int status; /* 0, or the first failure */
};

#define HXS_BUF_INIT         \
	{                    \
		.data = NULL \
	}

void hxs_buf_release(struct hxs_buf *b);
#define HXS_AUTO_BUF __attribute__((cleanup(hxs_buf_release)))

/* Make room for @more bytes beyond len. */
int hxs_buf_reserve(struct hxs_buf *b, size_t more);
int hxs_buf_append(struct hxs_buf *b, const void *data, size_t len);
int hxs_buf_puts(struct hxs_buf *b, const char *s);
int hxs_buf_putc(struct hxs_buf *b, char c);
int hxs_buf_printf(struct hxs_buf *b, const char *fmt, ...) HXS_PRINTF(2, 3);

/* Cut back to @len bytes (no more than there are). */
void hxs_buf_truncate(struct hxs_buf *b, size_t len);

HXS_MUST_CHECK
int hxs_buf_status(const struct hxs_buf *b);

/* The text, never NULL: "" for an empty buffer. Borrowed. */
const char *hxs_buf_str(const struct hxs_buf *b);

/* Give the bytes away (caller frees; never NULL unless out of memory). */
char *hxs_buf_steal(struct hxs_buf *b, size_t *len);

#endif
