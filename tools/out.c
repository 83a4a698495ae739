#include "tools/out.h"

#include "base/path.h"
#include "tools/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>

int hxs_out_guard(struct hxs_err *err)
{
	int fd, got, flags;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		flags = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
		got = open("/dev/null", flags); /* the lowest free one: fd */
		if (got < 0)
			return hxs_err_errno(err, errno,
					     "cannot open '/dev/null'");
	}
	return 0;
}

/* One call, so that lines of several processes do not mix. */
static void say(const char *before, const char *text)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	if (!hxs_path_is_plain(text, strlen(text)) &&
	    hxs_path_show(&shown, text, strlen(text)) == 0)
		text = hxs_buf_str(&shown);
	/* Where standard error is gone there is nobody to tell. */
	(void)fprintf(stderr, "%s: %s\n", before, text);
}

void hxs_out_error(const struct hxs_err *err)
{
	if (err->message[0])
		say(HXS_TOOL_NAME, err->message);
	if (err->hint[0])
		say("hint", err->hint);
}

void hxs_out_warning(const char *text)
{
	say(HXS_TOOL_NAME ": warning", text);
}

void hxs_out_talk(const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		(void)snprintf(text, sizeof(text), "%s", fmt);
	va_end(ap);
	say(HXS_TOOL_NAME, text);
}

/* What could not be written is dropped, so that it is told once. */
static int lost(int errnum, struct hxs_err *err)
{
	__fpurge(stdout);
	clearerr(stdout);
	return hxs_err_errno(err, errnum ? errnum : EIO,
			     "cannot write to standard output");
}

int hxs_out_print(struct hxs_buf *buf, struct hxs_err *err)
{
	size_t len = buf->len;

	if (hxs_buf_status(buf) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot print the result");
	if (len == 0)
		return 0;
	errno = 0;
	if (fwrite(buf->data, 1, len, stdout) != len)
		return lost(errno, err);
	hxs_buf_truncate(buf, 0);
	return 0;
}

int hxs_out_finish(struct hxs_err *err)
{
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		return lost(errno, err);
	return 0;
}

#define FIELD_WIDTH 13

void hxs_out_field(struct hxs_buf *out, const char *label, const char *value)
{
	(void)hxs_buf_printf(out, "%s:%*s", label,
			     (int)(FIELD_WIDTH - strlen(label)), "");
	hxs_out_shown(out, value);
	(void)hxs_buf_putc(out, '\n'); /* the status keeps failures */
}

void hxs_out_shown(struct hxs_buf *out, const char *text)
{
	(void)hxs_path_show(out, text, strlen(text)); /* as its contract says */
}

const char *hxs_out_size(uint64_t bytes, char text[HXS_SIZE_TEXT])
{
	static const char *const unit[] = { "KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB" };
	double n = (double)bytes;
	size_t i = 0;

	if (bytes < 1024) {
		(void)snprintf(text, HXS_SIZE_TEXT, "%u B", (unsigned)bytes);
		return text;
	}
	/* 1023.95 would be printed as 1024.0 */
	for (n /= 1024; n >= 1023.95 && i + 1 < HXS_ARRAY_LEN(unit); i++)
		n /= 1024;
	(void)snprintf(text, HXS_SIZE_TEXT, "%.1f %s", n, unit[i]);
	return text;
}

const char *hxs_out_time(int64_t sec, char text[HXS_RFC3339_LEN + 1])
{
	if (hxs_clock_format_rfc3339(sec, text) < 0)
		memcpy(text, "-", 2);
	return text;
}

const char *hxs_out_count(uint64_t n, const char *one,
			  char text[HXS_COUNT_TEXT])
{
	(void)snprintf(text, HXS_COUNT_TEXT, "%" PRIu64 " %s%s", n, one,
		       n == 1 ? "" : "s");
	return text;
}

void hxs_out_json_digest(struct hxs_json_out *o, const char *key,
			 const struct hxs_digest *digest)
{
	char hex[HXS_DIGEST_HEX_LEN + 1];

	hxs_digest_to_hex(digest, hex);
	hxs_json_out_string(o, key, hex);
}

void hxs_out_json_time(struct hxs_json_out *o, const char *key, int64_t sec)
{
	char text[HXS_RFC3339_LEN + 1];

	if (hxs_clock_format_rfc3339(sec, text) < 0)
		hxs_json_out_null(o, key);
	else
		hxs_json_out_string(o, key, text);
}

void hxs_out_json_nanos(struct hxs_json_out *o, const char *key,
			const struct timespec *ts)
{
	char text[HXS_RFC3339_LEN + 1], fine[HXS_RFC3339_LEN + 16];

	if (hxs_clock_format_rfc3339(ts->tv_sec, text) < 0) {
		hxs_json_out_null(o, key);
		return;
	}
	(void)snprintf(fine, sizeof(fine), "%.*s.%09uZ", HXS_RFC3339_LEN - 1,
		       text, (unsigned)ts->tv_nsec);
	hxs_json_out_string(o, key, fine);
}

void hxs_out_json_seconds(struct hxs_json_out *o, const char *key, double n)
{
	hxs_json_out_double(o, key, (double)(uint64_t)(n * 1e6 + 0.5) / 1e6);
}
