#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * The one table for FUSE replies, .control and exit statuses. A plain errno
 * passes through and exits 1, so that an ENOENT from deep inside never looks
 * like "no such snapshot".
 */
static const struct {
	int code, as_errno, as_exit;
	const char *reason;
} translate[] = {
	{ HXS_EUSAGE, EINVAL, 2, "not understood" },
	{ HXS_ECORRUPT, EIO, 3, "stored bytes are damaged" },
	{ HXS_ENOSUCH, ENOENT, 4, "no such snapshot or path" },
	{ HXS_EDENIED, EACCES, 5, "this user may not" },
	{ HXS_ECONFIRM, EPERM, 5, "wants confirmation" },
	{ HXS_EBUSY, EBUSY, 6, "another operation holds it" },
	{ HXS_EHOOK, ECANCELED, 1, "a hook stopped it" },
	{ HXS_EAFTER, EIO, 7, "done, but a hook failed" },
};

#define EXIT_FAILED 1
#define ERRNO_MAX 4095 /* the kernel's own limit */

static int find_code(int code)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(translate); i++)
		if (translate[i].code == code)
			return (int)i;
	return -1;
}

/* Write @text and the rest of @fmt; @text may point into @err->message. */
static void HXS_PRINTF(3, 0)
	record(struct hxs_err *err, int code, const char *fmt, va_list ap)
{
	char text[sizeof(err->message)];

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		(void)snprintf(text, sizeof(text), "%s", fmt);
	err->code = -code;
	err->hint[0] = '\0';
	memcpy(err->message, text, strlen(text) + 1);
}

/* As much of @text as there is room for. */
static void add(struct hxs_err *err, const char *text)
{
	size_t used = strlen(err->message), len = strlen(text);

	if (len > sizeof(err->message) - 1 - used)
		len = sizeof(err->message) - 1 - used;
	memcpy(err->message + used, text, len);
	err->message[used + len] = '\0';
}

static void append(struct hxs_err *err, const char *between, const char *text)
{
	add(err, between);
	add(err, text);
}

int hxs_err_set(struct hxs_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -code;
	va_start(ap, fmt);
	record(err, code, fmt, ap);
	va_end(ap);
	return -code;
}

int hxs_err_errno(struct hxs_err *err, int errnum, const char *fmt, ...)
{
	char buf[256];
	const char *reason;
	va_list ap;
	int i;

	if (!err)
		return -errnum;
	va_start(ap, fmt);
	record(err, errnum, fmt, ap);
	va_end(ap);
	i = find_code(errnum);
	reason = i >= 0 ? translate[i].reason
			: strerror_r(errnum, buf, sizeof(buf));
	append(err, ": ", reason);
	return -errnum;
}

int hxs_err_prefix(struct hxs_err *err, int r, const char *fmt, ...)
{
	char text[sizeof(err->message)], old[sizeof(err->message)];
	va_list ap;

	if (!err)
		return r;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		(void)snprintf(text, sizeof(text), "%s", fmt);
	va_end(ap);
	memcpy(old, err->message, strlen(err->message) + 1);
	memcpy(err->message, text, strlen(text) + 1);
	append(err, ": ", old);
	return r;
}

int hxs_err_suffix(struct hxs_err *err, int r, const char *fmt, ...)
{
	char text[sizeof(err->message)];
	va_list ap;

	if (!err)
		return r;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		(void)snprintf(text, sizeof(text), "%s", fmt);
	va_end(ap);
	append(err, "; ", text);
	return r;
}

void hxs_err_hint(struct hxs_err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	if (vsnprintf(err->hint, sizeof(err->hint), fmt, ap) < 0)
		err->hint[0] = '\0';
	va_end(ap);
}

void hxs_err_clear(struct hxs_err *err)
{
	if (!err)
		return;
	err->code = 0;
	err->message[0] = '\0';
	err->hint[0] = '\0';
}

int hxs_err_to_errno(int r)
{
	int i;

	if (r >= 0)
		return 0;
	if (r >= -ERRNO_MAX)
		return -r;
	i = r < -HXS_EAFTER ? -1 : find_code(-r);
	return i >= 0 ? translate[i].as_errno : EIO;
}

int hxs_err_to_exit(int r)
{
	int i;

	if (r >= 0)
		return 0;
	i = r < -HXS_EAFTER ? -1 : find_code(-r);
	return i >= 0 ? translate[i].as_exit : EXIT_FAILED;
}
