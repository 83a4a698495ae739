#ifndef HXS_SOURCE_POSTGRES_H
#define HXS_SOURCE_POSTGRES_H

/*
 * What the files postgres*.c share: sources that are a PostgreSQL database
 * (source/system.h).
 *
 * A snapshot holds of one
 *
 *	dump/		  pg_dump's directory format
 *	database.json	  what the database itself is (postgres_about.c)
 *	schemas/S/T	  of each table with rows of its own, how many
 *
 * in which names that no file can have are percent-encoded.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/proc.h"
#include "source/postgres_lib.h"
#include "source/system.h"

#include <stdbool.h>
#include <stdint.h>

#define HXS_POSTGRES_DUMP "dump"
#define HXS_POSTGRES_ABOUT "database.json"
#define HXS_POSTGRES_TABLES "schemas"
#define HXS_POSTGRES_NAME_MAX 63 /* bytes, as servers are built */

/* ---- postgres_dsn.c: where a database is ------------------------------- */

struct hxs_postgres_dsn {
	const struct hxs_postgres_lib *pq;
	PQconninfoOption *options;
	const char *database; /* borrowed from the options; never NULL */
	const char *password; /* likewise; NULL: there is none in it */
};

void hxs_postgres_dsn_release(struct hxs_postgres_dsn *d);
#define HXS_AUTO_POSTGRES_DSN __attribute__((cleanup(hxs_postgres_dsn_release)))

/* Take @src's dsn apart. -HXS_EUSAGE, never with any of it in the message. */
HXS_MUST_CHECK
int hxs_postgres_dsn_init(struct hxs_postgres_dsn *d,
			  const struct hxs_config_source *src,
			  struct hxs_err *err);

/*
 * Append a KEY='VALUE' text for programs that leads to @database of the same
 * server and holds no password. @application may be NULL.
 */
int hxs_postgres_dsn_text(const struct hxs_postgres_dsn *d,
			  const char *database, const char *application,
			  struct hxs_buf *out);

/*
 * For how long one waits for a server that has vanished, unless the dsn says
 * otherwise: keys and values.
 */
#define HXS_POSTGRES_PATIENCE 5
extern const char *const hxs_postgres_patience[HXS_POSTGRES_PATIENCE][2];

/* Whether the dsn, or the environment, says something of @keyword. */
bool hxs_postgres_dsn_has(const struct hxs_postgres_dsn *d,
			  const char *keyword);

/* What servers and programs say, on one line and without the password. */
void hxs_postgres_dsn_say(const struct hxs_postgres_dsn *d, const char *said,
			  struct hxs_buf *out);

/* ---- postgres_conn.c: one connection ----------------------------------- */

struct hxs_postgres {
	const struct hxs_postgres_lib *pq;
	const struct hxs_postgres_dsn *dsn; /* borrowed, like @sys */
	const struct hxs_system *sys;
	PGconn *conn;
	char *database; /* the one it is connected to */
	bool deaf; /* cancelling does not stop what is done on it */
};
#define HXS_POSTGRES_INIT    \
	{                    \
		.conn = NULL \
	}

void hxs_postgres_close(struct hxs_postgres *c);
#define HXS_AUTO_POSTGRES __attribute__((cleanup(hxs_postgres_close)))

/*
 * Connect to @database. -HXS_EDENIED when the server answers and lets us not
 * in, -ECONNREFUSED when none answers, -ETIMEDOUT, -ECANCELED.
 */
HXS_MUST_CHECK
int hxs_postgres_open(struct hxs_postgres *c, const struct hxs_system *sys,
		      const struct hxs_postgres_dsn *dsn, const char *database,
		      struct hxs_err *err);

/* Connect to a database that is there whatever becomes of the source's. */
HXS_MUST_CHECK
int hxs_postgres_open_other(struct hxs_postgres *c,
			    const struct hxs_system *sys,
			    const struct hxs_postgres_dsn *dsn,
			    struct hxs_err *err);

/*
 * Connect to the source's own database, or tell that there is none:
 * -HXS_ENOSUCH.
 */
HXS_MUST_CHECK
int hxs_postgres_open_own(struct hxs_postgres *c, const struct hxs_system *sys,
			  const struct hxs_postgres_dsn *dsn,
			  struct hxs_err *err);

static inline void hxs_auto_postgres_result(PGresult **p)
{
	const struct hxs_postgres_lib *pq;

	/* There is a result, so there is the library. */
	if (*p && hxs_postgres_lib(&pq, NULL) == 0)
		pq->clear(*p);
}
#define HXS_AUTO_RESULT __attribute__((cleanup(hxs_auto_postgres_result)))

/*
 * Carry out one statement with @count texts for $1 and so on; *@out (may be
 * NULL) gets its rows. @what begins the message: "cannot @what: ...".
 * -HXS_EDENIED, -HXS_EBUSY for a lock, -ENOSPC, -ECANCELED, -ECONNRESET when
 * the server has gone, else -EIO.
 */
HXS_MUST_CHECK
int hxs_postgres_ask(struct hxs_postgres *c, const char *what, const char *sql,
		     const char *const *values, int count, PGresult **out,
		     struct hxs_err *err);

/* Carry out several statements that give nothing; the same errors. */
HXS_MUST_CHECK
int hxs_postgres_do(struct hxs_postgres *c, const char *what, const char *sql,
		    struct hxs_err *err);

/* The same of a text that was put together. */
HXS_MUST_CHECK
int hxs_postgres_do_buf(struct hxs_postgres *c, const char *what,
			const struct hxs_buf *sql, struct hxs_err *err);

/* A field of a result, "" where it is null; a number there. */
const char *hxs_postgres_get(const struct hxs_postgres *c, const PGresult *res,
			     int row, int column);
uint32_t hxs_postgres_get_oid(const struct hxs_postgres *c, const PGresult *res,
			      int row, int column);

/*
 * Wait until no other connection is at work for this source: one that a
 * process of ours left behind when it was killed is ended. It holds until
 * @c is closed, for this database.
 */
HXS_MUST_CHECK
int hxs_postgres_lock(struct hxs_postgres *c, struct hxs_err *err);

/* A number that stands for store, environment, source and database. */
HXS_MUST_CHECK
int hxs_postgres_key(const struct hxs_postgres *c, int64_t *out,
		     struct hxs_err *err);

/* ---- postgres_name.c: names -------------------------------------------- */

/* Append @name quoted as an identifier, or as a text, for this server. */
int hxs_postgres_put_name(struct hxs_postgres *c, struct hxs_buf *out,
			  const char *name);
int hxs_postgres_put_text(struct hxs_postgres *c, struct hxs_buf *out,
			  const char *text);

/* Append what stands for @name as a file's name, and the other way round. */
int hxs_postgres_put_file(struct hxs_buf *out, const char *name);
/* 0 with the name appended, -EINVAL for what put_file() never gives. */
int hxs_postgres_put_unfile(struct hxs_buf *out, const char *file, size_t len);

/* 16 random digits; 0 or -errno. */
int hxs_postgres_random(char out[17]);

/* The name under which @name is kept for @rollback_id (may be ""). */
int hxs_postgres_kept_name(const char *name, const char *rollback_id,
			   char out[HXS_POSTGRES_NAME_MAX + 1]);
/* The rollback id in such a name, or NULL if it is none. */
const char *hxs_postgres_kept_id(const char *name);

/* ---- postgres_run.c: its programs -------------------------------------- */

/* What programs are given, besides their arguments. */
struct hxs_postgres_run {
	const struct hxs_system *sys;
	const struct hxs_postgres_dsn *dsn;
	int secret; /* a file with the password, or -1 */
	char *own[2]; /* variables of ours */
	const char **env;
};

void hxs_postgres_run_release(struct hxs_postgres_run *run);
#define HXS_AUTO_POSTGRES_RUN __attribute__((cleanup(hxs_postgres_run_release)))
HXS_MUST_CHECK
int hxs_postgres_run_init(struct hxs_postgres_run *run,
			  const struct hxs_system *sys,
			  const struct hxs_postgres_dsn *dsn,
			  struct hxs_err *err);

/*
 * Run @argv. *@out (may be NULL) gets what it prints. -ENOSPC, -ECANCELED,
 * -HXS_EDENIED, or -EIO when it fails, with what it said; -ENOENT with what
 * to install when there is no such program.
 */
HXS_MUST_CHECK
int hxs_postgres_run(struct hxs_postgres_run *run, const char *const *argv,
		     struct hxs_buf *out, struct hxs_err *err);

/* How many connections a program is to have at once. */
unsigned hxs_postgres_jobs(const struct hxs_system *sys);

/* ---- postgres_about.c, postgres_look.c: what a database is -------------- */

struct hxs_postgres_setting {
	char *role; /* NULL: for all */
	char *name, *value;
};

struct hxs_postgres_grant {
	char *role; /* NULL: everybody */
	char *privilege;
	bool grantable;
};

/* A schema, or something like a table in it. */
struct hxs_postgres_thing {
	char *schema;
	char *name; /* NULL: the schema itself */
	uint32_t oid; /* by which the dump's list tells it */
	char kind; /* as in pg_class.relkind; 'n': a schema */
};

struct hxs_postgres_about {
	char *name;
	int64_t server; /* such as 150004 */
	char *server_text, *dump_text; /* versions, for people */
	bool whole, data_only;
	bool by_table; /* of a part: chosen by tables, not by schemas */
	char *encoding, *collate, *ctype;
	char *provider, *locale; /* of the collation; NULL: libc, none */
	char *owner, *tablespace, *comment; /* comment: or NULL */
	int64_t limit;
	bool is_template;
	bool grants_set; /* else they are the server's own */
	struct hxs_postgres_grant *grants;
	size_t grant_count;
	struct hxs_postgres_setting *settings;
	size_t setting_count;
	char **roles; /* that something in it speaks of */
	size_t role_count;
	char **extensions;
	size_t extension_count;
	struct hxs_postgres_thing *things;
	size_t thing_count;
};

void hxs_postgres_about_release(struct hxs_postgres_about *a);
#define HXS_AUTO_POSTGRES_ABOUT \
	__attribute__((cleanup(hxs_postgres_about_release)))

/* Read it from the server, but for things, in the state that @c looks at. */
HXS_MUST_CHECK
int hxs_postgres_look(struct hxs_postgres *c, struct hxs_postgres_about *a,
		      struct hxs_err *err);

/* Write it into @dir, and read it from there; -HXS_ECORRUPT. */
HXS_MUST_CHECK
int hxs_postgres_about_write(const struct hxs_postgres_about *a, int dir,
			     struct hxs_err *err);
HXS_MUST_CHECK
int hxs_postgres_about_read(struct hxs_postgres_about *a, int dir,
			    struct hxs_err *err);

/* ---- postgres_toc.c: the list of what a dump holds --------------------- */

/* An entry; kinds and names are what stands in the list. */
struct hxs_postgres_entry {
	uint32_t id, catalog, oid;
	const char *text; /* from its kind on; borrowed from the list */
	uint32_t *needs; /* ids */
	size_t need_count;
	bool chosen;
};

struct hxs_postgres_toc {
	struct hxs_buf list; /* what pg_restore printed */
	struct hxs_postgres_entry *entries; /* in the dump's order */
	struct hxs_postgres_entry **by_id;
	size_t count;
};

void hxs_postgres_toc_release(struct hxs_postgres_toc *t);
#define HXS_AUTO_POSTGRES_TOC __attribute__((cleanup(hxs_postgres_toc_release)))

/* Have pg_restore list the dump below @path. */
HXS_MUST_CHECK
int hxs_postgres_toc_read(struct hxs_postgres_toc *t,
			  struct hxs_postgres_run *run, const char *path,
			  struct hxs_err *err);

/* The one with number @id, or NULL. */
const struct hxs_postgres_entry *hxs_postgres_entry_by_id(
	const struct hxs_postgres_toc *t, uint32_t id);

/* Whether its kind is @kind ("TABLE DATA"). */
bool hxs_postgres_entry_is(const struct hxs_postgres_entry *e,
			   const char *kind);

/* Whether it stands for object @oid of catalog @catalog. */
bool hxs_postgres_entry_of(const struct hxs_postgres_entry *e, uint32_t catalog,
			   uint32_t oid);

/* ---- postgres_count.c: rows -------------------------------------------- */

/* Make file @name in @dir, which is made durable with everything else. */
HXS_MUST_CHECK
int hxs_postgres_write(int dir, const char *name, const struct hxs_buf *text);

/* Append "{1,2}": the objects of @catalog in it, or those with rows: 0. */
int hxs_postgres_toc_oids(const struct hxs_postgres_toc *t, uint32_t catalog,
			  struct hxs_buf *out);

/* Count the rows of each table of which @toc has any, into @dir. */
HXS_MUST_CHECK
int hxs_postgres_count(struct hxs_postgres *c,
		       const struct hxs_postgres_toc *toc, int dir,
		       struct hxs_err *err);

/*
 * Compare with all tables of @c's database, or, with @part, with those that
 * were captured. -HXS_ECORRUPT.
 */
HXS_MUST_CHECK
int hxs_postgres_compare(struct hxs_postgres *c, int dir, bool part,
			 struct hxs_err *err);

/* ---- the steps --------------------------------------------------------- */

/* Whether it is loaded into the database that is there. */
bool hxs_postgres_is_part(const struct hxs_system *sys);

int hxs_postgres_fetch(struct hxs_system *sys, int dir, const char *path,
		       struct hxs_err *err);

/* Whether this server can hold @a, and what makes it there. */
HXS_MUST_CHECK
int hxs_postgres_fits(struct hxs_postgres *c,
		      const struct hxs_postgres_about *a, struct hxs_err *err);
/* Create database @name for @a; nothing of what comes last. */
HXS_MUST_CHECK
int hxs_postgres_create(struct hxs_postgres *c,
			const struct hxs_postgres_about *a, const char *name,
			struct hxs_err *err);
/* Give it owner, privileges, settings, comment, limit. */
HXS_MUST_CHECK
int hxs_postgres_furnish(struct hxs_postgres *c,
			 const struct hxs_postgres_about *a, const char *name,
			 struct hxs_err *err);

/* Carry out the source's statements for sys->until, in @c's database. */
HXS_MUST_CHECK
int hxs_postgres_until(struct hxs_postgres *c, struct hxs_system *sys,
		       struct hxs_err *err);

/* One that is exchanged. */
int hxs_postgres_whole_stage(struct hxs_system *sys, int dir, const char *path,
			     struct hxs_err *err);
int hxs_postgres_whole_intend(struct hxs_system *sys, struct hxs_err *err);
int hxs_postgres_whole_swap(struct hxs_system *sys, struct hxs_err *err);
int hxs_postgres_whole_back(struct hxs_system *sys, struct hxs_err *err);
int hxs_postgres_whole_clean(struct hxs_system *sys, bool ahead,
			     struct hxs_err *err);
int hxs_postgres_sweep(struct hxs_system *sys, const struct hxs_names *ids,
		       struct hxs_err *err);

/* One that is loaded into. */
int hxs_postgres_part_stage(struct hxs_system *sys, int dir, const char *path,
			    struct hxs_err *err);
/* The same for a trial: in a database that is made for it, rec->staged. */
int hxs_postgres_part_try(struct hxs_system *sys, int dir, const char *path,
			  struct hxs_err *err);
int hxs_postgres_part_swap(struct hxs_system *sys, int dir, const char *path,
			   struct hxs_err *err);
int hxs_postgres_part_back(struct hxs_system *sys, int dir, const char *path,
			   struct hxs_err *err);
int hxs_postgres_part_clean(struct hxs_system *sys, struct hxs_err *err);

#endif
