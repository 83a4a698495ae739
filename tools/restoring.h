#ifndef HXS_TOOLS_RESTORING_H
#define HXS_TOOLS_RESTORING_H

/* What restore and rollback have in common. */
#include "tools/cmd.h"
#include "verbs/restore.h"

/* The option that both have. */
#define HXS_OPT_FORCE                                               \
	{                                                           \
		"force", 0, NULL, "although processes use a target" \
	}
#define HXS_OPT_CONFIRM                                  \
	{                                                \
		"confirm-within", 0, "TIME",             \
			"put the old state back unless " \
			"confirmed by then"              \
	}

/* What --confirm-within says, in seconds; 0 without. -HXS_EUSAGE. */
HXS_MUST_CHECK
int hxs_restoring_within(const struct hxs_args *args, unsigned *seconds,
			 struct hxs_err *err);

/*
 * Begin: open configuration (*@config, the caller's) and store, and find what
 * @ref means. With @elsewhere a store is enough, and *@config may stay NULL.
 */
HXS_MUST_CHECK
int hxs_restoring_open(struct hxs_tool *tool, const struct hxs_ref *ref,
		       bool elsewhere, struct hxs_config **config,
		       struct hxs_named *snap, struct hxs_err *err);

/*
 * Ask if the environment wants it, restore @snap, print the rollback point's
 * id; wait for its confirmation. @opts says all that the command line did; the
 * rest is filled in.
 */
HXS_MUST_CHECK
int hxs_restoring_run(struct hxs_tool *tool, const struct hxs_named *snap,
		      struct hxs_restore_opts *opts, struct hxs_err *err);

/* The same, written into @dir and not into the environment. */
HXS_MUST_CHECK
int hxs_restoring_to(struct hxs_tool *tool, const struct hxs_named *snap,
		     struct hxs_restore_opts *opts, const char *dir,
		     struct hxs_err *err);

#endif
