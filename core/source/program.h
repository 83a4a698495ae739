#ifndef HXS_SOURCE_PROGRAM_H
#define HXS_SOURCE_PROGRAM_H

/* What all programs that the configuration names are run with: hooks too. */
#include "base/buf.h"

enum hxs_program_variable {
	HXS_PROGRAM_EVENT,
	HXS_PROGRAM_ENV,
	HXS_PROGRAM_STORE,
	HXS_PROGRAM_OPERATION,
	HXS_PROGRAM_REFERENCE,
	HXS_PROGRAM_ID,
	HXS_PROGRAM_ROLLBACK_ID,
	HXS_PROGRAM_SOURCE,
	HXS_PROGRAM_STATUS,
	HXS_PROGRAM_MESSAGE,
	HXS_PROGRAM_CONFIRM, /* never set by us */
	HXS_PROGRAM_VARIABLES
};

/* The environment of one: ours, but for the variables above. */
struct hxs_program_env {
	const char **list; /* for hxs_proc_opts */
	/* Set before: more of ours, "NAME=value", NULL-terminated; or NULL. */
	const char *const *more;
	char *own[HXS_PROGRAM_VARIABLES];
};
#define HXS_PROGRAM_ENV_INIT  \
	{                     \
		.list = NULL, \
	}

/*
 * With these values; one that is NULL or empty is not set. What a drill
 * tells its hooks (HXSNAP_SCRATCH, HXSNAP_SOURCE_...) comes only from
 * e->more, never from around us. 0 or -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_program_env_fill(struct hxs_program_env *e,
			 const char *const value[HXS_PROGRAM_VARIABLES]);
void hxs_program_env_release(struct hxs_program_env *e);

/*
 * Append ": what it said last" to @out, for a message: @said, if anything, as
 * a person should see it, unless there is a password in it, or one of those
 * words of @argv that sound like a secret.
 */
void hxs_program_put_said(const char *const *argv, struct hxs_buf *said,
			  struct hxs_buf *out);

#endif
