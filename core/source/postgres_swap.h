#ifndef HXS_SOURCE_POSTGRES_SWAP_H
#define HXS_SOURCE_POSTGRES_SWAP_H

/* What postgres_swap.c and postgres_clean.c share. */
#include "source/postgres.h"

/* Which databases have the names of the record; 0: none has. */
struct hxs_postgres_places {
	uint32_t named, staged, kept;
};
HXS_MUST_CHECK
int hxs_postgres_places(struct hxs_postgres *c, struct hxs_postgres_places *p,
			struct hxs_err *err);

/*
 * Connect beside the databases of the record, alone (hxs_postgres_lock()) and
 * not to be cancelled. -HXS_EDENIED when the record is of another database
 * than the configuration.
 */
HXS_MUST_CHECK
int hxs_postgres_swap_open(struct hxs_postgres *c, struct hxs_system *sys,
			   struct hxs_postgres_dsn *dsn, struct hxs_err *err);

/*
 * End all connections to database @oid, but for @own (may be NULL). -HXS_EBUSY
 * when some are still there after a while, naming a role.
 */
HXS_MUST_CHECK
int hxs_postgres_end_connections(struct hxs_postgres *c, uint32_t oid,
				 const char *name, struct hxs_postgres *own,
				 struct hxs_err *err);

/* Take back what clean() put before the comment of what it kept. */
HXS_MUST_CHECK
int hxs_postgres_forget_comment(struct hxs_postgres *c, const char *name,
				struct hxs_err *err);

#endif
