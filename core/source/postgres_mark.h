#ifndef HXS_SOURCE_POSTGRES_MARK_H
#define HXS_SOURCE_POSTGRES_MARK_H

/* Whether a database was changed since it was dumped. */
#include "source/postgres_part.h"

/* A table, as rows of a result tell it; print: "" if it was not dumped. */
struct hxs_postgres_table {
	const char *oid, *schema, *name, *method, *print;
};

void hxs_postgres_table_at(const struct hxs_postgres *c, const PGresult *res,
			   int row, struct hxs_postgres_table *t);

/* Append the table's name; the expression that is its print. */
int hxs_postgres_put_table(struct hxs_postgres *c,
			   const struct hxs_postgres_table *t,
			   struct hxs_buf *out);
int hxs_postgres_put_print(const struct hxs_postgres_table *t,
			   struct hxs_buf *out);

/* What is counted of each table: before the state to be dumped is settled. */
HXS_MUST_CHECK
int hxs_postgres_stamps(struct hxs_postgres *c, PGresult **out,
			struct hxs_err *err);

/*
 * The mark (source/system.h) of the state that @c looks at, of the tables in
 * @toc: a JSON text, the caller's.
 */
HXS_MUST_CHECK
int hxs_postgres_mark(struct hxs_postgres *c,
		      const struct hxs_postgres_toc *toc, bool whole,
		      const PGresult *stamps, char **out, struct hxs_err *err);

/*
 * Whether all of @c's database is as the mark of @c's system says: else
 * -HXS_EBUSY. That is certain of what those wrote whose connections have
 * ended.
 */
HXS_MUST_CHECK
int hxs_postgres_check_mark(struct hxs_postgres *c, struct hxs_err *err);

/* -HXS_EBUSY with what is told of a table that was changed. */
int hxs_postgres_changed(const struct hxs_system *sys, const char *schema,
			 const char *name, struct hxs_err *err);

/*
 * If @l is guarded, append to a script that has locked the parts' tables what
 * ends it when one was changed; what the script printed tells which.
 */
#define HXS_POSTGRES_CHANGED "hxsnap changed "
HXS_MUST_CHECK
int hxs_postgres_put_guard(struct hxs_postgres_load *l, struct hxs_buf *out,
			   struct hxs_err *err);

/* @r and @err, or, if @printed tells of a table, what that is: -HXS_EBUSY. */
int hxs_postgres_guard_fault(const struct hxs_postgres_load *l,
			     const char *printed, int r, struct hxs_err *err);

#endif
