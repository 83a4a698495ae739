/* Names: quoted for the server, as files, and those that we make up. */
#include "source/postgres.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define KEPT "_hxsnap_" /* between a database's name and a rollback id */
#define CUT 30 /* bytes left of a name that is too long */
#define HASHED 8 /* digits that stand for the rest of it */

static int put_quoted(struct hxs_postgres *c, struct hxs_buf *out, char *quoted)
{
	if (!quoted) {
		/* No memory, or no name in the server's encoding. */
		out->status = out->status ? out->status : -ENOMEM;
		return out->status;
	}
	(void)hxs_buf_puts(out, quoted);
	c->pq->freemem(quoted);
	return hxs_buf_status(out);
}

int hxs_postgres_put_name(struct hxs_postgres *c, struct hxs_buf *out,
			  const char *name)
{
	return put_quoted(c, out,
			  c->pq->escape_identifier(c->conn, name,
						   strlen(name)));
}

int hxs_postgres_put_text(struct hxs_postgres *c, struct hxs_buf *out,
			  const char *text)
{
	return put_quoted(c, out,
			  c->pq->escape_literal(c->conn, text, strlen(text)));
}

int hxs_postgres_do_buf(struct hxs_postgres *c, const char *what,
			const struct hxs_buf *sql, struct hxs_err *err)
{
	int r = hxs_buf_status(sql);

	if (r < 0)
		return hxs_err_errno(err, -r, "cannot %s", what);
	return hxs_postgres_do(c, what, hxs_buf_str(sql), err);
}

const char *hxs_postgres_get(const struct hxs_postgres *c, const PGresult *res,
			     int row, int column)
{
	return c->pq->getvalue(res, row, column);
}

uint32_t hxs_postgres_get_oid(const struct hxs_postgres *c, const PGresult *res,
			      int row, int column)
{
	return (uint32_t)strtoul(c->pq->getvalue(res, row, column), NULL, 10);
}

/* ---- as files ---------------------------------------------------------- */

int hxs_postgres_put_file(struct hxs_buf *out, const char *name)
{
	const char *p;

	for (p = name; *p; p++) {
		unsigned char ch = (unsigned char)*p;

		if (ch < 0x20 || ch == 0x7f || ch == '/' || ch == '%' ||
		    ch == '\\' || (ch == '.' && p == name))
			(void)hxs_buf_printf(out, "%%%02X", ch);
		else
			(void)hxs_buf_putc(out, *p);
	}
	return hxs_buf_status(out);
}

static int digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

int hxs_postgres_put_unfile(struct hxs_buf *out, const char *file, size_t len)
{
	HXS_AUTO_BUF struct hxs_buf again = HXS_BUF_INIT;
	size_t from = out->len, i;
	int high, low;

	for (i = 0; i < len; i++) {
		if (file[i] != '%') {
			(void)hxs_buf_putc(out, file[i]);
			continue;
		}
		high = i + 2 < len ? digit(file[i + 1]) : -1;
		low = i + 2 < len ? digit(file[i + 2]) : -1;
		if (high < 0 || low < 0 || high + low == 0)
			return -EINVAL;
		(void)hxs_buf_putc(out, (char)(high * 16 + low));
		i += 2;
	}
	/* One name has one spelling. */
	if (hxs_buf_status(out) == 0 &&
	    hxs_postgres_put_file(&again, out->data + from) == 0 &&
	    (again.len != len || memcmp(again.data, file, len) != 0))
		return -EINVAL;
	return hxs_buf_status(out) ? hxs_buf_status(out)
				   : hxs_buf_status(&again);
}

/* ---- names of ours ----------------------------------------------------- */

int hxs_postgres_random(char out[17])
{
	uint64_t n;

	if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
		return -EIO;
	(void)snprintf(out, 17, "%016llx", (unsigned long long)n);
	return 0;
}

int hxs_postgres_kept_name(const char *name, const char *rollback_id,
			   char out[HXS_POSTGRES_NAME_MAX + 1])
{
	size_t room = HXS_POSTGRES_NAME_MAX - strlen(KEPT) - HXS_ID_LEN;
	char hex[HXS_DIGEST_HEX_LEN + 1], rnd[17];
	size_t len = strlen(name), at = 0, n;
	struct hxs_digest digest;

	if (hxs_postgres_random(rnd) < 0)
		return -EIO;
	if (!rollback_id[0])
		rollback_id = rnd;
	if (len <= room) {
		(void)snprintf(out, HXS_POSTGRES_NAME_MAX + 1, "%s" KEPT "%s",
			       name, rollback_id);
		return 0;
	}
	/* Whole characters of it, and what tells it from others like it. */
	while (at < len) {
		n = hxs_utf8_char(name + at, len - at, NULL);
		if (at + (n ? n : 1) > CUT)
			break;
		at += n ? n : 1;
	}
	hxs_digest_of(name, len, &digest);
	hxs_digest_to_hex(&digest, hex);
	(void)snprintf(out, HXS_POSTGRES_NAME_MAX + 1, "%.*s_%.*s" KEPT "%s",
		       (int)at, name, HASHED, hex, rollback_id);
	return 0;
}

const char *hxs_postgres_kept_id(const char *name)
{
	size_t len = strlen(name), tail = strlen(KEPT) + HXS_ID_LEN;
	const char *id = name + len - HXS_ID_LEN;

	if (len <= tail || memcmp(id - strlen(KEPT), KEPT, strlen(KEPT)) != 0)
		return NULL;
	return hxs_clock_is_id(id) ? id : NULL;
}

/* ---- one at a time ----------------------------------------------------- */

int hxs_postgres_key(const struct hxs_postgres *c, int64_t *out,
		     struct hxs_err *err)
{
	const struct hxs_system *sys = c->sys;
	char identity[HXS_STORE_IDENTITY + 1];
	const char *const texts[] = { identity, sys->store, sys->env,
				      sys->src->name, c->dsn->database };
	struct hxs_hasher h;
	struct hxs_digest d;
	size_t i;
	int r;

	r = hxs_store_identity(sys->at, identity, err);
	if (r < 0)
		return r;
	hxs_hasher_init(&h);
	for (i = 0; i < HXS_ARRAY_LEN(texts); i++)
		hxs_hasher_update(&h, texts[i], strlen(texts[i]) + 1);
	hxs_hasher_final(&h, &d);
	memcpy(out, d.b, sizeof(*out));
	return 0;
}
