/*
 * The parsed manifest is two pieces of memory: one array of lines, and one
 * arena into which the paths are unescaped one after the other. A line is at
 * least 68 bytes of text and 56 of model, and its digits are not kept, so
 * the model is smaller than the text whatever a stranger wrote.
 */
#include "format/manifest.h"

#include "base/path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MARK_LEN 2 /* two blanks, or a blank and an asterisk */
#define LINE_MIN (HXS_DIGEST_HEX_LEN + MARK_LEN + 2) /* a one-byte path, \n */
#define SHOWN_MAX 1024 /* bytes of a path that a message repeats */

struct hxs_manifest {
	struct hxs_manifest_line *lines;
	size_t count;
	char *arena;
};

void hxs_manifest_free(struct hxs_manifest *m)
{
	if (!m)
		return;
	free(m->lines);
	free(m->arena);
	free(m);
}

static int line_fault(struct hxs_err *err, size_t number, const char *what)
{
	return hxs_err_set(err, HXS_ECORRUPT, "line %zu: %s", number, what);
}

/* The same with the path; what is wrong comes first, for a path may be long. */
static int path_fault(struct hxs_err *err, size_t number, const char *what,
		      const char *path, size_t len)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	bool whole = len <= SHOWN_MAX;

	(void)hxs_path_show(&shown, path, whole ? len : SHOWN_MAX);
	return hxs_err_set(err, HXS_ECORRUPT, "line %zu: %s: '%s'%s", number,
			   what, hxs_buf_str(&shown), whole ? "" : "...");
}

/* What is wrong with the 64 digits and the mark that a line begins with. */
static const char *digits_fault(const char *s, size_t len)
{
	size_t i;
	char c;

	if (s[0] == '#')
		return "it is a comment";
	for (i = 0; i < HXS_DIGEST_HEX_LEN; i++) {
		c = i < len ? s[i] : '\0';
		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
			continue;
		if (c >= 'A' && c <= 'F')
			return "it has an upper-case digit";
		return "it does not begin with 64 hexadecimal digits";
	}
	if (len < HXS_DIGEST_HEX_LEN + MARK_LEN || s[i] != ' ' ||
	    (s[i + 1] != ' ' && s[i + 1] != '*'))
		return "it lacks the two blanks after 64 digits";
	return NULL;
}

/*
 * Copy the name of a line to @out, escapes resolved. NULL and *@out_len, or
 * what is wrong. @out has room for @len bytes.
 */
static const char *unescape(const char *s, size_t len, bool escaped, char *out,
			    size_t *out_len)
{
	size_t i, n = 0;

	if (memchr(s, '\r', len))
		return "a carriage return is not escaped";
	if (!memchr(s, '\\', len)) {
		if (escaped)
			return "it is marked as escaped and has no escape";
		memcpy(out, s, len);
		*out_len = len;
		return NULL;
	}
	if (!escaped)
		return "a backslash is not escaped";
	for (i = 0; i < len; i++) {
		char c = s[i];

		if (c == '\\') {
			c = ++i < len ? s[i] : '\0';
			if (c == 'n')
				c = '\n';
			else if (c == 'r')
				c = '\r';
			else if (c != '\\')
				return "it has an unknown escape";
		}
		out[n++] = c;
	}
	*out_len = n;
	return NULL;
}

/*
 * Parse the @len bytes at @s, a line without its newline, into @line; the
 * path goes to @arena.
 */
static int parse_line(const char *s, size_t len, size_t number, char *arena,
		      struct hxs_manifest_line *line, struct hxs_err *err)
{
	char hex[HXS_DIGEST_HEX_LEN + 1] = { 0 };
	bool escaped;
	const char *fault;
	size_t n;

	if (len == 0)
		return line_fault(err, number, "it is empty");
	if (number == 1 && len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
		return line_fault(err, number, "a byte order mark precedes it");
	if (memchr(s, '\0', len))
		return line_fault(err, number, "it holds a NUL byte");
	if (s[len - 1] == '\r')
		return line_fault(err, number, "it ends in a carriage return");
	escaped = s[0] == '\\';
	s += escaped;
	len -= escaped;
	fault = len ? digits_fault(s, len) : "it is a backslash alone";
	if (fault)
		return line_fault(err, number, fault);
	memcpy(hex, s, HXS_DIGEST_HEX_LEN);
	if (hxs_digest_from_hex(hex, &line->digest) < 0)
		return line_fault(err, number, "its digits are no digest");
	s += HXS_DIGEST_HEX_LEN + MARK_LEN;
	len -= HXS_DIGEST_HEX_LEN + MARK_LEN;

	fault = unescape(s, len, escaped, arena, &n);
	if (fault)
		return path_fault(err, number, fault, s, len);
	if (n >= 2 && arena[0] == '.' && arena[1] == '/') {
		arena += 2;
		n -= 2;
	}
	fault = hxs_path_fault(arena, n);
	if (fault)
		return path_fault(err, number, fault, arena, n);
	arena[n] = '\0';
	if (strcmp(arena, HXS_MANIFEST_NAME) == 0)
		return line_fault(err, number, "it lists the manifest itself");
	line->path = arena;
	line->path_len = n;
	line->number = number;
	return 0;
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int r = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (r != 0)
		return r;
	return (a_len > b_len) - (a_len < b_len);
}

static int by_path(const void *va, const void *vb)
{
	const struct hxs_manifest_line *a = va, *b = vb;
	int r = compare(a->path, a->path_len, b->path, b->path_len);

	/* of two lines with one path the later one is at fault */
	return r ? r : (a->number > b->number) - (a->number < b->number);
}

/* Programs that sort are the rule, and then there is nothing to do. */
static void sort(struct hxs_manifest *m)
{
	size_t i;

	for (i = 1; i < m->count; i++)
		if (by_path(&m->lines[i - 1], &m->lines[i]) > 0)
			break;
	if (i < m->count)
		qsort(m->lines, m->count, sizeof(*m->lines), by_path);
}

static bool is_prefix(const struct hxs_manifest_line *a,
		      const struct hxs_manifest_line *b)
{
	return a->path_len <= b->path_len &&
	       memcmp(a->path, b->path, a->path_len) == 0;
}

static int clash(const struct hxs_manifest_line *first,
		 const struct hxs_manifest_line *then, struct hxs_err *err)
{
	const struct hxs_manifest_line *late =
		then->number > first->number ? then : first;
	char what[96];

	if (first->path_len == then->path_len)
		(void)snprintf(what, sizeof(what), "line %zu lists it too",
			       first->number);
	else if (late == then)
		(void)snprintf(what, sizeof(what),
			       "it is below what line %zu lists as a file",
			       first->number);
	else
		(void)snprintf(what, sizeof(what),
			       "line %zu lists a file below it", then->number);
	return path_fault(err, late->number, what, late->path, late->path_len);
}

/*
 * No path twice, none both a file and a directory of another. "a" and "a/b"
 * are not neighbours when there is an "a.txt". So go through the sorted lines
 * with a stack of those whose whole path begins the present one. Of these
 * only the longest has to be looked at: it goes on as the present path does
 * after every shorter one, which was looked at when the longest came in.
 */
static int check_clashes(const struct hxs_manifest *m, struct hxs_err *err)
{
	HXS_AUTO_FREE uint32_t *stack = NULL;
	const struct hxs_manifest_line *top, *line;
	size_t i, depth = 0;

	stack = calloc(m->count, sizeof(*stack));
	if (!stack)
		return hxs_err_errno(err, ENOMEM, "cannot check for clashes");
	for (i = 0; i < m->count; i++) {
		line = &m->lines[i];
		while (depth && !is_prefix(&m->lines[stack[depth - 1]], line))
			depth--;
		if (depth) {
			char after;

			top = &m->lines[stack[depth - 1]];
			after = line->path[top->path_len];
			if (after == '\0' || after == '/')
				return clash(top, line, err);
		}
		stack[depth++] = (uint32_t)i;
	}
	return 0;
}

static int parse_lines(const char *text, size_t len, struct hxs_manifest *m,
		       struct hxs_err *err)
{
	const char *at = text, *end = text + len, *newline;
	char *arena = m->arena;
	int r;

	while (at < end) {
		struct hxs_manifest_line *line = &m->lines[m->count];

		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			return line_fault(err, m->count + 1,
					  "it does not end in a newline");
		r = parse_line(at, (size_t)(newline - at), m->count + 1, arena,
			       line, err);
		if (r < 0)
			return r;
		arena = (char *)line->path + line->path_len + 1;
		m->count++;
		at = newline + 1;
	}
	return 0;
}

int hxs_manifest_parse(const void *text, size_t len, struct hxs_manifest **out,
		       struct hxs_err *err)
{
	HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
	int r;

	if (len == 0)
		return hxs_err_set(err, HXS_ECORRUPT, "it is empty");
	if (len > HXS_MANIFEST_MAX)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "it is larger than %u MiB",
				   HXS_MANIFEST_MAX >> 20);
	m = calloc(1, sizeof(*m));
	if (!m)
		return hxs_err_errno(err, ENOMEM, "cannot take it in");
	/* one more than there can be: the one on which parsing fails */
	m->lines = calloc(len / LINE_MIN + 1, sizeof(*m->lines));
	m->arena = malloc(len);
	if (!m->lines || !m->arena)
		return hxs_err_errno(err, ENOMEM, "cannot take it in");

	r = parse_lines(text, len, m, err);
	if (r < 0)
		return r;
	sort(m);
	r = check_clashes(m, err);
	if (r < 0)
		return r;
	*out = HXS_STEAL(m);
	return 0;
}

size_t hxs_manifest_count(const struct hxs_manifest *m)
{
	return m->count;
}

const struct hxs_manifest_line *hxs_manifest_line(const struct hxs_manifest *m,
						  size_t i)
{
	return &m->lines[i];
}

const struct hxs_manifest_line *hxs_manifest_find(const struct hxs_manifest *m,
						  const char *path)
{
	size_t low = 0, high = m->count, len = strlen(path);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct hxs_manifest_line *line = &m->lines[mid];
		int r = compare(path, len, line->path, line->path_len);

		if (r == 0)
			return line;
		if (r < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static bool needs_escape(char c)
{
	return c == '\n' || c == '\r' || c == '\\';
}

void hxs_manifest_append(struct hxs_buf *out, const struct hxs_digest *digest,
			 const char *path, size_t path_len)
{
	char hex[HXS_DIGEST_HEX_LEN + 1];
	size_t i, from = 0;

	for (i = 0; i < path_len && !needs_escape(path[i]); i++)
		;
	if (i < path_len)
		(void)hxs_buf_putc(out, '\\'); /* the status keeps it */
	hxs_digest_to_hex(digest, hex);
	(void)hxs_buf_puts(out, hex);
	(void)hxs_buf_puts(out, "  ");
	for (; i < path_len; i++) {
		if (!needs_escape(path[i]))
			continue;
		(void)hxs_buf_append(out, path + from, i - from);
		(void)hxs_buf_puts(out, path[i] == '\n'	  ? "\\n"
					: path[i] == '\r' ? "\\r"
							  : "\\\\");
		from = i + 1;
	}
	(void)hxs_buf_append(out, path + from, path_len - from);
	(void)hxs_buf_putc(out, '\n');
}
