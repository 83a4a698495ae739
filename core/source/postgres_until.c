/*
 * A point in time of a database: the configuration's statements are carried
 * out in the new one, with the point as their parameter.
 */
#include "source/postgres.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define WORD "until"

static bool is_name(char ch)
{
	return isalnum((unsigned char)ch) || ch == '_' || ch == '$' ||
	       (ch & 0x80);
}

/* Behind a text or name in quotes that begins at @p; @escapes: '\' does. */
static const char *skip_quoted(const char *p, bool escapes)
{
	char quote = *p++;

	for (; *p && *p != quote; p++)
		if (escapes && *p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p; /* a doubled one begins the next */
}

static const char *skip_block(const char *p)
{
	unsigned depth = 0;

	do {
		if (p[0] == '/' && p[1] == '*') {
			depth++;
			p += 2;
		} else if (p[0] == '*' && p[1] == '/') {
			depth--;
			p += 2;
		} else {
			p++;
		}
	} while (*p && depth);
	return p;
}

/* Behind $tag$ ... $tag$, or the '$' alone if it begins no such. */
static const char *skip_dollar(const char *p)
{
	const char *end = p + 1, *found;

	if (isdigit((unsigned char)*end))
		return end;
	while (is_name(*end) && *end != '$')
		end++;
	if (*end != '$')
		return p + 1;
	end++;
	for (found = end; *found; found++)
		if (strncmp(found, p, (size_t)(end - p)) == 0)
			return found + (end - p);
	return found;
}

/* Behind what begins at @p and can hold no parameter. */
static const char *skip(const char *from, const char *p)
{
	const char *end;

	if (*p == '\'') {
		/* E'...', the E being a word of its own */
		bool escapes = p > from && (p[-1] | 0x20) == 'e' &&
			       (p - 1 == from || !is_name(p[-2]));

		return skip_quoted(p, escapes);
	}
	if (*p == '"')
		return skip_quoted(p, false);
	if (p[0] == '-' && p[1] == '-') {
		end = strchr(p, '\n');
		return end ? end : p + strlen(p);
	}
	if (p[0] == '/' && p[1] == '*')
		return skip_block(p);
	if (*p == '$' && (p == from || !is_name(p[-1])))
		return skip_dollar(p);
	if (p[0] == ':' && p[1] == ':')
		return p + 2;
	return p + 1;
}

/* @text with $1 for each ":until"; the number of those, or -errno. */
static int convert(const char *text, struct hxs_buf *out)
{
	const char *p = text, *next;
	int found = 0;

	while (*p) {
		if (*p == ':' && strncmp(p + 1, WORD, strlen(WORD)) == 0 &&
		    !is_name(p[1 + strlen(WORD)])) {
			(void)hxs_buf_puts(out, "$1");
			p += 1 + strlen(WORD);
			found++;
			continue;
		}
		next = skip(text, p);
		(void)hxs_buf_append(out, p, (size_t)(next - p));
		p = next;
	}
	return hxs_buf_status(out) < 0 ? hxs_buf_status(out) : found;
}

static int carry_out(struct hxs_postgres *c, struct hxs_system *sys,
		     const char *statement, size_t number, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf what = HXS_BUF_INIT;
	HXS_AUTO_RESULT PGresult *res = NULL;
	const char *values[] = { sys->until->text };
	int r;

	r = convert(statement, &sql);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot go back to '%s'",
				     sys->until->text);
	(void)hxs_buf_printf(&what, "go back to '%s' by statement %zu of '%s'",
			     sys->until->text, number, sys->src->name);
	r = hxs_postgres_ask(c, hxs_buf_str(&what), hxs_buf_str(&sql), values,
			     r ? 1 : 0, &res, err);
	if (r == 0)
		sys->dropped += strtoull(c->pq->cmd_tuples(res), NULL, 10);
	return r;
}

int hxs_postgres_until(struct hxs_postgres *c, struct hxs_system *sys,
		       struct hxs_err *err)
{
	const struct hxs_config_postgres *conf = &sys->src->postgres;
	char **list =
		sys->until->by_time ? conf->until_time : conf->until_sequence;
	size_t i;
	int r;

	sys->dropped = 0;
	if (!list)
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s' has no statements that go back "
				   "to a %s",
				   sys->src->name,
				   sys->until->by_time ? "time"
						       : "sequence number");
	r = hxs_postgres_do(c, "begin a transaction",
			    "SET search_path TO DEFAULT; BEGIN", err);
	for (i = 0; r == 0 && list[i]; i++)
		r = carry_out(c, sys, list[i], i + 1, err);
	return r < 0 ? r
		     : hxs_postgres_do(c, "commit a transaction", "COMMIT",
				       err);
}
