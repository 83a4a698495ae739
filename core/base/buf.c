#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_CAP 64

void hxs_buf_release(struct hxs_buf *b)
{
	free(b->data);
	*b = (struct hxs_buf)HXS_BUF_INIT;
}

static int fail(struct hxs_buf *b, int r)
{
	b->status = r;
	return r;
}

int hxs_buf_reserve(struct hxs_buf *b, size_t more)
{
	size_t need, cap;
	char *data;

	if (b->status < 0)
		return b->status;
	if (__builtin_add_overflow(b->len, more, &need) ||
	    __builtin_add_overflow(need, 1, &need))
		return fail(b, -ENOMEM);
	if (need <= b->cap)
		return 0;
	cap = b->cap ? b->cap : FIRST_CAP;
	while (cap < need)
		if (__builtin_mul_overflow(cap, 2, &cap))
			cap = need;
	data = realloc(b->data, cap);
	if (!data)
		return fail(b, -ENOMEM);
	if (!b->data)
		data[0] = '\0';
	b->data = data;
	b->cap = cap;
	return 0;
}

int hxs_buf_append(struct hxs_buf *b, const void *data, size_t len)
{
	int r = hxs_buf_reserve(b, len);

	if (r < 0)
		return r;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int hxs_buf_puts(struct hxs_buf *b, const char *s)
{
	return hxs_buf_append(b, s, strlen(s));
}

int hxs_buf_putc(struct hxs_buf *b, char c)
{
	return hxs_buf_append(b, &c, 1);
}

int hxs_buf_printf(struct hxs_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, r;

	r = hxs_buf_reserve(b, FIRST_CAP);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= b->cap - b->len) {
		b->data[b->len] = '\0';
		r = hxs_buf_reserve(b, (size_t)n);
		if (r < 0)
			return r;
		va_start(ap, fmt);
		n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
		va_end(ap);
	}
	if (n < 0) {
		b->data[b->len] = '\0';
		return fail(b, -EOVERFLOW);
	}
	b->len += (size_t)n;
	return 0;
}

void hxs_buf_truncate(struct hxs_buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->data[len] = '\0';
}

int hxs_buf_status(const struct hxs_buf *b)
{
	return b->status;
}

const char *hxs_buf_str(const struct hxs_buf *b)
{
	return b->data ? b->data : "";
}

char *hxs_buf_steal(struct hxs_buf *b, size_t *len)
{
	char *data = NULL;

	/* A run of appends that failed must not pass for its first part. */
	if (hxs_buf_reserve(b, 0) == 0) {
		data = HXS_STEAL(b->data);
		if (len)
			*len = b->len;
	}
	hxs_buf_release(b);
	return data;
}
