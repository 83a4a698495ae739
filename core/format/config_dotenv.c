/*
 * .env files: KEY=VALUE a line. Values are secrets: none of them, not even a
 * part of one, ever gets into a message.
 */
#include "format/config_internal.h"

#include <errno.h>
#include <string.h>

#define LINE_MAX_LEN (64u * 1024) /* of a line, and of a value on several */

static int refuse(struct hxs_config_dotenv *r, size_t line, const char *what)
{
	return hxs_err_set(r->err, HXS_EUSAGE, "'%s': line %zu: %s", r->file,
			   line, what);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *s, const char *end)
{
	while (s < end && is_blank(*s))
		s++;
	return s;
}

/* The end of the line at @r->at, which is checked for length and NUL. */
static int line_end(struct hxs_config_dotenv *r, const char **out)
{
	size_t left = (size_t)(r->end - r->at);
	const char *newline = memchr(r->at, '\n', left);
	size_t len = newline ? (size_t)(newline - r->at) : left;

	if (len > LINE_MAX_LEN)
		return refuse(r, r->line, "it is longer than 64 KiB");
	if (memchr(r->at, '\0', len))
		return refuse(r, r->line, "it holds a NUL byte");
	*out = r->at + len;
	return 0;
}

/* Go on to the line after the one that ends at @end. */
static void next_line(struct hxs_config_dotenv *r, const char *end)
{
	r->at = end < r->end ? end + 1 : end;
	r->line++;
}

/* The byte that stands for @c after a backslash in double quotes, or 0. */
static char escape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case '"':
	case '\\':
	case '$':
		return c;
	default:
		return '\0';
	}
}

/*
 * Append what stands from @s to the closing @quote or to @end; *@out is where
 * it stopped. A backslash before any other byte stands for itself.
 */
static void append_quoted(struct hxs_buf *value, const char *s, const char *end,
			  char quote, const char **out)
{
	char c;

	for (; s < end && *s != quote; s++) {
		c = *s;
		if (quote == '"' && c == '\\' && s + 1 < end &&
		    escape(s[1]) != '\0')
			c = escape(*++s);
		(void)hxs_buf_putc(value, c); /* the status keeps it */
	}
	*out = s;
}

/*
 * A quoted value, whose opening quote is at @s and whose line ends at *@end.
 * It may go on over several lines; *@end is then the end of the last.
 */
static int read_quoted(struct hxs_config_dotenv *r, const char *s,
		       const char **end)
{
	char quote = *s++;
	const char *stop;
	int res;

	for (;;) {
		append_quoted(&r->value, s, *end, quote, &stop);
		if (stop < *end)
			break;
		if (*end == r->end)
			return refuse(r, r->key_line,
				      "its quote is not closed");
		if (r->value.len > LINE_MAX_LEN)
			return refuse(r, r->key_line,
				      "its value is longer than 64 KiB");
		(void)hxs_buf_putc(&r->value, '\n');
		next_line(r, *end);
		res = line_end(r, end);
		if (res < 0)
			return res;
		s = r->at;
	}
	s = skip_blanks(++stop, *end);
	if (s < *end && *s == '\r' && s + 1 == *end)
		s++;
	if (s < *end && (*s != '#' || s == stop))
		return refuse(r, r->line,
			      "something follows the closing quote");
	return 0;
}

/* Up to the end, or to a comment, which begins with a blank and a '#'. */
static void read_plain(struct hxs_config_dotenv *r, const char *s,
		       const char *end, bool after_blank)
{
	const char *stop;

	if (end > s && end[-1] == '\r')
		end--;
	for (stop = s; stop < end; stop++) {
		if (*stop == '#' && after_blank)
			break;
		after_blank = is_blank(*stop);
	}
	while (stop > s && is_blank(stop[-1]))
		stop--;
	(void)hxs_buf_append(&r->value, s, (size_t)(stop - s));
}

static int read_assignment(struct hxs_config_dotenv *r, const char *s,
			   const char **end)
{
	static const char word[] = "export";
	const size_t n = sizeof(word) - 1;
	const char *value;

	if ((size_t)(*end - s) > n && memcmp(s, word, n) == 0 && is_blank(s[n]))
		s = skip_blanks(s + n, *end);
	r->key = s;
	r->key_line = r->line;
	while (s < *end && *s != '=' && !is_blank(*s))
		s++;
	r->key_len = (size_t)(s - r->key);
	s = skip_blanks(s, *end);
	if (s == *end || *s != '=')
		return refuse(r, r->line, "it is not KEY=VALUE");
	if (!hxs_config_is_variable(r->key, r->key_len))
		return refuse(r, r->line, "its key is no variable's name");
	value = skip_blanks(++s, *end);
	hxs_buf_truncate(&r->value, 0);
	if (value < *end && (*value == '\'' || *value == '"'))
		return read_quoted(r, value, end);
	read_plain(r, value, *end, value > s);
	return 0;
}

int hxs_config_dotenv_next(struct hxs_config_dotenv *r)
{
	const char *end = NULL, *s;
	int res;

	while (r->at < r->end) {
		res = line_end(r, &end);
		if (res < 0)
			return res;
		s = skip_blanks(r->at, end);
		if (s == end || *s == '#' || (*s == '\r' && s + 1 == end)) {
			next_line(r, end);
			continue;
		}
		res = read_assignment(r, s, &end);
		if (res < 0)
			return res;
		next_line(r, end);
		if (hxs_buf_status(&r->value) < 0)
			return hxs_err_errno(r->err, ENOMEM, "cannot read '%s'",
					     r->file);
		return 1;
	}
	return 0;
}

void hxs_config_dotenv_init(struct hxs_config_dotenv *r, const char *text,
			    size_t len, const char *file, struct hxs_err *err)
{
	*r = (struct hxs_config_dotenv){ .at = text,
					 .end = text + len,
					 .line = 1,
					 .file = file,
					 .err = err,
					 .value = HXS_BUF_INIT };
}

void hxs_config_dotenv_release(struct hxs_config_dotenv *r)
{
	hxs_buf_release(&r->value);
}
