#include "base/mountinfo.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The next blank-separated field of *@p: its length, 0 at the line's end. */
static size_t next_field(const char **p, const char *end, const char **field)
{
	const char *s = *p;

	while (s < end && *s == ' ')
		s++;
	*field = s;
	while (s < end && *s != ' ')
		s++;
	*p = s;
	return (size_t)(s - *field);
}

/* Undo \ooo; cut off at the end of @out. */
static void unescape(const char *s, size_t len, char *out, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < len && n + 1 < size; i++) {
		if (s[i] == '\\' && i + 3 < len && s[i + 1] >= '0' &&
		    s[i + 1] <= '3' && s[i + 2] >= '0' && s[i + 2] <= '7' &&
		    s[i + 3] >= '0' && s[i + 3] <= '7') {
			out[n++] = (char)((s[i + 1] - '0') << 6 |
					  (s[i + 2] - '0') << 3 |
					  (s[i + 3] - '0'));
			i += 3;
		} else {
			out[n++] = s[i];
		}
	}
	out[n] = '\0';
}

static bool get_text(const char **p, const char *end, char *out, size_t size)
{
	const char *f;
	size_t n = next_field(p, end, &f);

	unescape(f, n, out, size);
	return n > 0;
}

/* 36 35 98:0 /root /mnt opts optional... - type source superopts */
static bool parse_line(const char *line, const char *end, struct hxs_mount *m)
{
	char word[64];
	const char *p = line, *f;
	size_t n;

	if (!get_text(&p, end, word, sizeof(word)) ||
	    sscanf(word, "%" SCNu64, &m->id) != 1 ||
	    !get_text(&p, end, word, sizeof(word)) ||
	    sscanf(word, "%" SCNu64, &m->parent) != 1 ||
	    !get_text(&p, end, word, sizeof(word)) ||
	    sscanf(word, "%u:%u", &m->major, &m->minor) != 2 ||
	    !get_text(&p, end, m->root, sizeof(m->root)) ||
	    !get_text(&p, end, m->where, sizeof(m->where)))
		return false;
	do
		n = next_field(&p, end, &f);
	while (n && !(n == 1 && *f == '-'));
	if (!get_text(&p, end, m->type, sizeof(m->type)))
		return false;
	(void)get_text(&p, end, m->source, sizeof(m->source)); /* may be "" */
	(void)get_text(&p, end, m->options, sizeof(m->options));
	return true;
}

int hxs_mountinfo_each(const char *text, size_t len, hxs_mountinfo_fn fn,
		       void *ctx)
{
	const char *p = text, *end = text + len, *nl;
	struct hxs_mount m;
	int r = 0;

	while (r == 0 && p < end) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break; /* every line the kernel writes ends in one */
		if (parse_line(p, nl, &m))
			r = fn(&m, ctx);
		p = nl + 1;
	}
	return r;
}
