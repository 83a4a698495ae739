#ifndef HXS_SOURCE_POSTGRES_PART_H
#define HXS_SOURCE_POSTGRES_PART_H

/* What the files share that load a part into the database that is there. */
#include "source/postgres.h"

/* One of the record's parts, "schemas/SCHEMA" or "schemas/SCHEMA/TABLE". */
struct hxs_postgres_part {
	char *schema;
	char *table; /* NULL: all of the schema */
};

struct hxs_postgres_parts {
	struct hxs_postgres_part *part;
	size_t count;
};

void hxs_postgres_parts_release(struct hxs_postgres_parts *p);
#define HXS_AUTO_POSTGRES_PARTS \
	__attribute__((cleanup(hxs_postgres_parts_release)))
HXS_MUST_CHECK
int hxs_postgres_parts_init(struct hxs_postgres_parts *p, char **list,
			    struct hxs_err *err);

/* NULL, or why @path is no part. */
const char *hxs_postgres_part_fault(const struct hxs_config_source *src,
				    const char *path);

/* The record's parts of a snapshot that is a part itself; NULL: no memory. */
char **hxs_postgres_parts_of(const struct hxs_postgres_about *a);

/* What a dump has of a schema or of something in it, or NULL. */
const struct hxs_postgres_thing *hxs_postgres_thing(
	const struct hxs_postgres_about *a, const char *schema,
	const char *name);

/* One dump and the database it is loaded into. */
struct hxs_postgres_load {
	struct hxs_system *sys;
	struct hxs_postgres_dsn dsn;
	struct hxs_postgres conn;
	struct hxs_postgres_run run;
	struct hxs_postgres_about about;
	struct hxs_postgres_toc toc;
	struct hxs_postgres_parts parts;
	int dir; /* the snapshot's files */
	const char *path;
	bool guarded; /* what was changed meanwhile is not replaced */
	PGresult *watched; /* the tables that are looked at for that */
};

/* Choose the entries of @l's dump that belong to its parts. */
HXS_MUST_CHECK
int hxs_postgres_choose(struct hxs_postgres_load *l, struct hxs_err *err);

/*
 * Have pg_restore bring the chosen entries of @toc, from the dump below @path,
 * to where @option says: "--file" or "--dbname" @to.
 */
HXS_MUST_CHECK
int hxs_postgres_restore_chosen(struct hxs_postgres_run *run,
				const struct hxs_postgres_toc *toc,
				const char *path, const char *option,
				const char *to, struct hxs_err *err);

/*
 * Ask what ends in @rest, of all that the parts are now: "inside" in it, with
 * "classid" and "objid".
 */
HXS_MUST_CHECK
int hxs_postgres_ask_inside(struct hxs_postgres_load *l, const char *what,
			    const char *rest, const char *const *values,
			    int count, PGresult **res, struct hxs_err *err);

/*
 * Append the statements that remove what the parts are now. -HXS_EDENIED when
 * something else depends on that, which would be removed with it.
 */
HXS_MUST_CHECK
int hxs_postgres_replace(struct hxs_postgres_load *l, struct hxs_buf *out,
			 struct hxs_err *err);

/* The same for a dump that holds rows alone. */
HXS_MUST_CHECK
int hxs_postgres_replace_rows(struct hxs_postgres_load *l, struct hxs_buf *out,
			      struct hxs_err *err);

/*
 * Replace the parts by what is in the dump, in one transaction, which also
 * makes the record's marker, or with @undo removes it.
 */
HXS_MUST_CHECK
int hxs_postgres_load(struct hxs_postgres_load *l, bool undo,
		      struct hxs_err *err);

#endif
