/*
 * Where a database is, taken apart by the client library itself: so what it
 * understands, we do. A password in it goes nowhere but to that library and
 * into a file without a name (postgres_run.c).
 */
#include "base/path.h"
#include "source/postgres.h"

#include <errno.h>
#include <string.h>

static const PQconninfoOption *option(const struct hxs_postgres_dsn *d,
				      const char *keyword)
{
	const PQconninfoOption *o;

	for (o = d->options; o && o->keyword; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o;
	return NULL;
}

static const char *value(const struct hxs_postgres_dsn *d, const char *keyword)
{
	const PQconninfoOption *o = option(d, keyword);

	return o && o->val && o->val[0] ? o->val : NULL;
}

bool hxs_postgres_dsn_has(const struct hxs_postgres_dsn *d, const char *keyword)
{
	return value(d, keyword) != NULL;
}

/* A secret besides the password, of whatever version the library is. */
static const char *find_secret(const struct hxs_postgres_dsn *d)
{
	const PQconninfoOption *o;

	for (o = d->options; o->keyword; o++)
		if (o->val && o->val[0] &&
		    strcmp(o->keyword, "password") != 0 &&
		    ((o->dispchar && o->dispchar[0] == '*') ||
		     strncmp(o->keyword, "scram_", 6) == 0))
			return o->keyword;
	return NULL;
}

void hxs_postgres_dsn_release(struct hxs_postgres_dsn *d)
{
	PQconninfoOption *o;

	for (o = d->options; o && o->keyword; o++)
		if (o->val && strcmp(o->keyword, "password") == 0)
			explicit_bzero(o->val, strlen(o->val));
	if (d->options)
		d->pq->conninfo_free(d->options);
	*d = (struct hxs_postgres_dsn){ .options = NULL };
}

int hxs_postgres_dsn_init(struct hxs_postgres_dsn *d,
			  const struct hxs_config_source *src,
			  struct hxs_err *err)
{
	const char *secret;
	char *why = NULL;
	int r;

	*d = (struct hxs_postgres_dsn){ .options = NULL };
	r = hxs_postgres_lib(&d->pq, err);
	if (r < 0)
		return r;
	d->options = d->pq->conninfo_parse(src->postgres.dsn, &why);
	if (why)
		d->pq->freemem(why); /* it may hold a part of it */
	if (!d->options)
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': its dsn is not understood",
				   src->name);
	d->database = value(d, "dbname");
	d->password = value(d, "password");
	if (!d->database)
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': its dsn names no database",
				   src->name);
	secret = find_secret(d);
	if (secret)
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': its dsn has '%s', which "
				   "cannot be handed to programs safely",
				   src->name, secret);
	if (d->password && strpbrk(d->password, "\r\n"))
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': the password in its dsn has "
				   "a line's end in it",
				   src->name);
	return 0;
}

static void put_pair(struct hxs_buf *out, const char *keyword, const char *text)
{
	(void)hxs_buf_printf(out, "%s%s='", out->len ? " " : "", keyword);
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			(void)hxs_buf_putc(out, '\\');
		(void)hxs_buf_putc(out, *text);
	}
	(void)hxs_buf_putc(out, '\'');
}

const char *const hxs_postgres_patience[HXS_POSTGRES_PATIENCE][2] = {
	{ "connect_timeout", "10" },	 { "keepalives_idle", "30" },
	{ "keepalives_interval", "10" }, { "keepalives_count", "3" },
	{ "tcp_user_timeout", "60000" },
};

int hxs_postgres_dsn_text(const struct hxs_postgres_dsn *d,
			  const char *database, const char *application,
			  struct hxs_buf *out)
{
	const PQconninfoOption *o;
	size_t i;

	for (o = d->options; o->keyword; o++) {
		if (!o->val || strcmp(o->keyword, "dbname") == 0 ||
		    strcmp(o->keyword, "password") == 0 ||
		    (d->password && strcmp(o->keyword, "passfile") == 0) ||
		    (application &&
		     strcmp(o->keyword, "application_name") == 0))
			continue;
		put_pair(out, o->keyword, o->val);
	}
	put_pair(out, "dbname", database);
	if (application)
		put_pair(out, "application_name", application);
	else
		put_pair(out, "fallback_application_name", "hxsnap");
	for (i = 0; i < HXS_POSTGRES_PATIENCE; i++)
		if (!hxs_postgres_dsn_has(d, hxs_postgres_patience[i][0]))
			put_pair(out, hxs_postgres_patience[i][0],
				 hxs_postgres_patience[i][1]);
	return hxs_buf_status(out);
}

void hxs_postgres_dsn_say(const struct hxs_postgres_dsn *d, const char *said,
			  struct hxs_buf *out)
{
	HXS_AUTO_BUF struct hxs_buf line = HXS_BUF_INIT;
	size_t secret = d->password ? strlen(d->password) : 0;
	const char *p = said, *end = said + strlen(said);

	while (end > p && (end[-1] == '\n' || end[-1] == ' '))
		end--;
	while (p < end) {
		if (secret && (size_t)(end - p) >= secret &&
		    memcmp(p, d->password, secret) == 0) {
			(void)hxs_buf_puts(&line, "***");
			p += secret;
		} else if (*p == '\n') {
			(void)hxs_buf_puts(&line, "; ");
			while (p < end && (*p == '\n' || *p == '\t'))
				p++;
		} else {
			(void)hxs_buf_putc(&line, *p++);
		}
	}
	(void)hxs_path_show(out, hxs_buf_str(&line), line.len);
}
