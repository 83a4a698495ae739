#include "base/json.h"
#include "base/path.h"
#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Every result that is ignored here stays in the buffer's status. */

void hxs_json_out_init(struct hxs_json_out *o, struct hxs_buf *buf, bool pretty)
{
	*o = (struct hxs_json_out){ .buf = buf, .pretty = pretty };
}

static void put_newline(struct hxs_json_out *o)
{
	unsigned i;

	if (!o->pretty)
		return;
	(void)hxs_buf_putc(o->buf, '\n');
	for (i = 0; i < o->depth; i++)
		(void)hxs_buf_puts(o->buf, "  ");
}

static void put_escaped(struct hxs_buf *b, uint32_t c)
{
	switch (c) {
	case '"':
		(void)hxs_buf_puts(b, "\\\"");
		break;
	case '\\':
		(void)hxs_buf_puts(b, "\\\\");
		break;
	case '\n':
		(void)hxs_buf_puts(b, "\\n");
		break;
	case '\r':
		(void)hxs_buf_puts(b, "\\r");
		break;
	case '\t':
		(void)hxs_buf_puts(b, "\\t");
		break;
	default:
		(void)hxs_buf_printf(b, "\\u%04" PRIx32, c);
	}
}

static void put_string(struct hxs_buf *b, const char *s, size_t len)
{
	size_t n, run = 0;
	uint32_t c;

	(void)hxs_buf_putc(b, '"');
	while (run < len) {
		n = hxs_utf8_char(s + run, len - run, &c);
		if (n && c != '"' && c != '\\' && !hxs_utf8_is_control(c)) {
			run += n;
			continue;
		}
		(void)hxs_buf_append(b, s, run);
		if (n == 0) {
			n = 1;
			c = 0xdc00u + (unsigned char)s[run];
		}
		put_escaped(b, c);
		s += run + n;
		len -= run + n;
		run = 0;
	}
	(void)hxs_buf_append(b, s, run);
	(void)hxs_buf_putc(b, '"');
}

/* What stands before a value. */
static void begin(struct hxs_json_out *o, const char *key)
{
	if (o->comma)
		(void)hxs_buf_putc(o->buf, ',');
	if (o->depth)
		put_newline(o);
	if (key) {
		put_string(o->buf, key, strlen(key));
		(void)hxs_buf_puts(o->buf, o->pretty ? ": " : ":");
	}
}

static void end(struct hxs_json_out *o)
{
	o->comma = o->depth > 0;
	if (!o->depth)
		put_newline(o);
}

static void open_container(struct hxs_json_out *o, const char *key, char c)
{
	begin(o, key);
	(void)hxs_buf_putc(o->buf, c);
	o->depth++;
	o->comma = false;
}

static void close_container(struct hxs_json_out *o, char c)
{
	o->depth--;
	if (o->comma)
		put_newline(o);
	(void)hxs_buf_putc(o->buf, c);
	end(o);
}

void hxs_json_out_object(struct hxs_json_out *o, const char *key)
{
	open_container(o, key, '{');
}

void hxs_json_out_end_object(struct hxs_json_out *o)
{
	close_container(o, '}');
}

void hxs_json_out_array(struct hxs_json_out *o, const char *key)
{
	open_container(o, key, '[');
}

void hxs_json_out_end_array(struct hxs_json_out *o)
{
	close_container(o, ']');
}

void hxs_json_out_stringn(struct hxs_json_out *o, const char *key,
			  const char *s, size_t len)
{
	begin(o, key);
	put_string(o->buf, s, len);
	end(o);
}

void hxs_json_out_string(struct hxs_json_out *o, const char *key, const char *s)
{
	if (s)
		hxs_json_out_stringn(o, key, s, strlen(s));
	else
		hxs_json_out_null(o, key);
}

static void put_plain(struct hxs_json_out *o, const char *key, const char *text)
{
	begin(o, key);
	(void)hxs_buf_puts(o->buf, text);
	end(o);
}

void hxs_json_out_int(struct hxs_json_out *o, const char *key, int64_t n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRId64, n);
	put_plain(o, key, text);
}

void hxs_json_out_uint(struct hxs_json_out *o, const char *key, uint64_t n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	put_plain(o, key, text);
}

/* The shortest of two spellings that reads back as the same number. */
void hxs_json_out_double(struct hxs_json_out *o, const char *key, double n)
{
	char text[32], *comma;

	if (!isfinite(n)) {
		hxs_json_out_null(o, key);
		return;
	}
	(void)snprintf(text, sizeof(text), "%.15g", n);
	if (strtod(text, NULL) != n)
		(void)snprintf(text, sizeof(text), "%.17g", n);
	comma = strchr(text, ','); /* of the program's locale */
	if (comma)
		*comma = '.';
	put_plain(o, key, text);
}

void hxs_json_out_bool(struct hxs_json_out *o, const char *key, bool b)
{
	put_plain(o, key, b ? "true" : "false");
}

void hxs_json_out_null(struct hxs_json_out *o, const char *key)
{
	put_plain(o, key, "null");
}

void hxs_json_out_text(struct hxs_json_out *o, const char *key, const char *s)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	size_t i, n, len = s ? strlen(s) : 0;

	for (i = 0; i < len; i += n) {
		n = hxs_utf8_char(s + i, len - i, NULL);
		if (n == 0)
			break;
	}
	if (i == len) {
		hxs_json_out_string(o, key, s);
		return;
	}
	if (hxs_path_show(&shown, s, len) < 0)
		o->buf->status = -ENOMEM;
	else
		hxs_json_out_string(o, key, hxs_buf_str(&shown));
}
