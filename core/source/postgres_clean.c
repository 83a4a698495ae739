/*
 * What is left over of databases: removed, or kept with a word of whose they
 * are. That is the first line of the database's comment; what it had stays
 * behind it.
 */
#include "source/postgres_swap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- removing ---------------------------------------------------------- */

/* Remove database @name, if its OID still is @oid. */
static int drop(struct hxs_postgres *c, uint32_t oid, const char *name,
		struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf what = HXS_BUF_INIT;
	HXS_AUTO_RESULT PGresult *res = NULL;
	char text[16];
	const char *values[] = { text, name };
	int r;

	(void)snprintf(text, sizeof(text), "%" PRIu32, oid);
	r = hxs_postgres_ask(c, "look at a database",
			     "SELECT datistemplate FROM pg_database WHERE "
			     "oid = $1::oid AND datname = $2",
			     values, 2, &res, err);
	if (r < 0 || c->pq->ntuples(res) == 0)
		return r;
	(void)hxs_buf_puts(&sql, "ALTER DATABASE ");
	(void)hxs_postgres_put_name(c, &sql, name);
	(void)hxs_buf_puts(&sql, " ALLOW_CONNECTIONS false IS_TEMPLATE false");
	(void)hxs_buf_printf(&what, "remove database '%s'", name);
	r = hxs_postgres_do_buf(c, hxs_buf_str(&what), &sql, err);
	if (r == 0)
		r = hxs_postgres_end_connections(c, oid, name, NULL, err);
	if (r < 0)
		return r;
	hxs_buf_truncate(&sql, 0);
	(void)hxs_buf_puts(&sql, "DROP DATABASE IF EXISTS ");
	(void)hxs_postgres_put_name(c, &sql, name);
	return hxs_postgres_do_buf(c, hxs_buf_str(&what), &sql, err);
}

/* ---- comments ---------------------------------------------------------- */

static int put_word(const struct hxs_system *sys, const char *id,
		    struct hxs_buf *out, struct hxs_err *err)
{
	char identity[HXS_STORE_IDENTITY + 1];
	int r = hxs_store_identity(sys->at, identity, err);

	if (r < 0)
		return r;
	r = hxs_buf_printf(out,
			   "kept by hxsnap for rollback point %s of source "
			   "'%s', environment '%s', store '%s' (%s)",
			   id, sys->src->name, sys->env, sys->store, identity);
	return r < 0 ? hxs_err_errno(err, -r, "cannot look at a comment") : 0;
}

/* The comment of database @name; *@out stays empty if there is none. */
static int read_comment(struct hxs_postgres *c, const char *name,
			struct hxs_buf *out, struct hxs_err *err)
{
	const char *values[] = { name };
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r;

	r = hxs_postgres_ask(c, "read a comment",
			     "SELECT shobj_description(oid, 'pg_database') "
			     "FROM pg_database WHERE datname = $1",
			     values, 1, &res, err);
	if (r == 0 && c->pq->ntuples(res) > 0 &&
	    hxs_buf_puts(out, hxs_postgres_get(c, res, 0, 0)) < 0)
		r = hxs_err_errno(err, ENOMEM, "cannot read a comment");
	return r;
}

static int write_comment(struct hxs_postgres *c, const char *name,
			 const char *text, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf sql = HXS_BUF_INIT;

	(void)hxs_buf_puts(&sql, "COMMENT ON DATABASE ");
	(void)hxs_postgres_put_name(c, &sql, name);
	(void)hxs_buf_puts(&sql, " IS ");
	if (*text)
		(void)hxs_postgres_put_text(c, &sql, text);
	else
		(void)hxs_buf_puts(&sql, "NULL");
	return hxs_postgres_do_buf(c, "write a comment", &sql, err);
}

/* Behind @word, if that is the first line of @comment; else NULL. */
static const char *behind(const char *comment, const struct hxs_buf *word)
{
	const char *rest = comment + word->len;

	if (strncmp(comment, hxs_buf_str(word), word->len) != 0)
		return NULL;
	if (*rest == '\n')
		return rest + 1;
	return *rest ? NULL : rest;
}

int hxs_postgres_forget_comment(struct hxs_postgres *c, const char *name,
				struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf word = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf comment = HXS_BUF_INIT;
	const char *rest = NULL;
	int r;

	r = put_word(c->sys, c->sys->rollback_id, &word, err);
	if (r == 0)
		r = read_comment(c, name, &comment, err);
	if (r == 0 && comment.len)
		rest = behind(comment.data, &word);
	return rest ? write_comment(c, name, rest, err) : r;
}

static int keep(struct hxs_postgres *c, const char *name, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf word = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf comment = HXS_BUF_INIT;
	int r;

	r = read_comment(c, name, &comment, err);
	if (r == 0)
		r = put_word(c->sys, c->sys->rollback_id, &word, err);
	if (r < 0)
		return r;
	if (comment.len && behind(comment.data, &word))
		return 0; /* it was done */
	if (comment.len)
		r = hxs_buf_printf(&word, "\n%s", comment.data);
	return r < 0 ? hxs_err_errno(err, -r, "cannot write a comment")
		     : write_comment(c, name, hxs_buf_str(&word), err);
}

/* ---- the steps --------------------------------------------------------- */

int hxs_postgres_whole_clean(struct hxs_system *sys, bool ahead,
			     struct hxs_err *err)
{
	HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn dsn = { .options = NULL };
	HXS_AUTO_POSTGRES struct hxs_postgres c = HXS_POSTGRES_INIT;
	const struct hxs_journal_system *rec = sys->rec;
	struct hxs_postgres_places p = { .named = 0 };
	int r;

	r = hxs_postgres_swap_open(&c, sys, &dsn, err);
	if (r == 0)
		r = hxs_postgres_places(&c, &p, err);
	if (r < 0)
		return r;
	if (!ahead) {
		/* Its name is like no other: ours, whatever its number. */
		if (p.staged && (!rec->new_oid || p.staged == rec->new_oid))
			return drop(&c, p.staged, rec->staged, err);
		return 0;
	}
	if (rec->new_oid && p.named != rec->new_oid)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "database '%s' is not the one that was "
				   "restored: has the server lost what it "
				   "said was done?",
				   rec->name);
	if (!rec->old_oid || p.kept != rec->old_oid)
		return 0;
	return sys->rollback_id[0] ? keep(&c, rec->kept, err)
				   : drop(&c, p.kept, rec->kept, err);
}

static bool is_among(const char *id, const struct hxs_names *ids)
{
	size_t i;

	for (i = 0; i < ids->count; i++)
		if (strcmp(ids->name[i], id) == 0)
			return true;
	return false;
}

/* Remove it if it is what we kept for a rollback point that has gone. */
static int sweep_one(struct hxs_postgres *c, uint32_t oid, const char *name,
		     const char *comment, const struct hxs_names *ids,
		     struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf word = HXS_BUF_INIT;
	const char *id = hxs_postgres_kept_id(name);
	char expected[HXS_POSTGRES_NAME_MAX + 1];
	int r;

	if (!id || is_among(id, ids))
		return 0;
	r = put_word(c->sys, id, &word, err);
	if (r < 0)
		return r;
	if (hxs_postgres_kept_name(c->dsn->database, id, expected) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot look at '%s'", name);
	if (!behind(comment, &word) || strcmp(expected, name) != 0)
		return 0;
	return drop(c, oid, name, err);
}

int hxs_postgres_sweep(struct hxs_system *sys, const struct hxs_names *ids,
		       struct hxs_err *err)
{
	HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn dsn = { .options = NULL };
	HXS_AUTO_POSTGRES struct hxs_postgres c = HXS_POSTGRES_INIT;
	HXS_AUTO_RESULT PGresult *res = NULL;
	int r, i, n, one;

	if (!ids) /* nothing is known of what may go */
		return 0;
	r = hxs_postgres_dsn_init(&dsn, sys->src, err);
	c.deaf = true;
	if (r == 0)
		r = hxs_postgres_open_other(&c, sys, &dsn, err);
	if (r == 0)
		r = hxs_postgres_ask(&c, "look for databases that were kept",
				     "SELECT oid, datname, "
				     "shobj_description(oid, 'pg_database') "
				     "FROM "
				     "pg_database WHERE NOT datallowconn AND "
				     "datname LIKE '%\\_hxsnap\\_%' ORDER BY 2",
				     NULL, 0, &res, err);
	n = r < 0 || !c.pq ? 0 : c.pq->ntuples(res);
	for (i = 0; i < n; i++) {
		one = sweep_one(&c, hxs_postgres_get_oid(&c, res, i, 0),
				hxs_postgres_get(&c, res, i, 1),
				hxs_postgres_get(&c, res, i, 2), ids,
				r < 0 ? NULL : err);
		if (r == 0)
			r = one;
	}
	return r;
}
