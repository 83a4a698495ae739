#include "base/path.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

const char *hxs_path_name_fault(const char *name, size_t len)
{
	if (len == 0)
		return "a component is empty";
	if (len > HXS_NAME_MAX)
		return "a component is longer than 255 bytes";
	if (len == 1 && name[0] == '.')
		return "a component is '.'";
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return "a component is '..'";
	if (memchr(name, '\0', len))
		return "it holds a NUL byte";
	if (memchr(name, '/', len))
		return "a name holds a slash";
	return NULL;
}

const char *hxs_path_fault(const char *path, size_t len)
{
	const char *slash, *fault;
	size_t depth = 0, n;

	if (len == 0)
		return "it is empty";
	if (len > HXS_PATH_LEN_MAX)
		return "it is longer than 1 MiB";
	if (path[0] == '/')
		return "it is absolute";
	if (path[len - 1] == '/')
		return "it ends with a slash";
	for (;;) {
		slash = memchr(path, '/', len);
		n = slash ? (size_t)(slash - path) : len;
		fault = hxs_path_name_fault(path, n);
		if (fault)
			return fault;
		if (++depth > HXS_PATH_DEPTH_MAX)
			return "it is more than 4096 levels deep";
		if (!slash)
			return NULL;
		path = slash + 1;
		len -= n + 1;
	}
}

bool hxs_path_is_name(const char *s)
{
	size_t i;
	char c;

	for (i = 0; (c = s[i]) != '\0'; i++) {
		if (i == 64)
			return false;
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			continue;
		if (i > 0 && (c == '_' || c == '-'))
			continue;
		return false;
	}
	return i > 0;
}

static int show_byte(struct hxs_buf *out, unsigned char c)
{
	switch (c) {
	case '\n':
		return hxs_buf_puts(out, "\\n");
	case '\t':
		return hxs_buf_puts(out, "\\t");
	case '\r':
		return hxs_buf_puts(out, "\\r");
	case '\\':
		return hxs_buf_puts(out, "\\\\");
	default:
		return hxs_buf_printf(out, "\\%03o", c);
	}
}

/* Bytes of @s up to the first that must be escaped; its length in *@n. */
static size_t plain_prefix(const char *s, size_t len, size_t *n)
{
	size_t i = 0;
	uint32_t cp;

	while (i < len) {
		*n = hxs_utf8_char(s + i, len - i, &cp);
		if (*n == 0) {
			*n = 1;
			return i;
		}
		if (cp == '\\' || hxs_utf8_is_control(cp))
			return i;
		i += *n;
	}
	*n = 0;
	return i;
}

int hxs_path_show(struct hxs_buf *out, const char *s, size_t len)
{
	size_t i, n, j;

	while (len) {
		i = plain_prefix(s, len, &n);
		(void)hxs_buf_append(out, s, i); /* the status keeps it */
		for (j = i; j < i + n; j++)
			(void)show_byte(out, (unsigned char)s[j]);
		s += i + n;
		len -= i + n;
	}
	return hxs_buf_status(out);
}

char *hxs_path_unshow(const char *shown)
{
	char *out = malloc(strlen(shown) + 1), *p = out;
	const char *s = shown;

	if (!out)
		return NULL;
	while (*s) {
		if (*s != '\\') {
			*p++ = *s++;
			continue;
		}
		s++;
		if (*s >= '0' && *s <= '3' && s[1] >= '0' && s[1] <= '7' &&
		    s[2] >= '0' && s[2] <= '7') {
			*p++ = (char)((s[0] - '0') << 6 | (s[1] - '0') << 3 |
				      (s[2] - '0'));
			s += 3;
			continue;
		}
		*p++ = *s == 'n'   ? '\n'
		       : *s == 't' ? '\t'
		       : *s == 'r' ? '\r'
				   : *s;
		if (*s)
			s++;
	}
	*p = '\0';
	return out;
}

bool hxs_path_is_plain(const char *s, size_t len)
{
	size_t i, n;

	for (;;) {
		i = plain_prefix(s, len, &n);
		if (n == 0)
			return true;
		if (s[i] != '\\')
			return false;
		s += i + 1;
		len -= i + 1;
	}
}
