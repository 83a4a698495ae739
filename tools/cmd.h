#ifndef HXS_TOOLS_CMD_H
#define HXS_TOOLS_CMD_H

/*
 * A command is one file, which defines one row, and its place in the table
 * of hxsnap.c.
 */
#include "base/err.h"
#include "format/config.h"
#include "store/store.h"
#include "tools/args.h"

#include <stdbool.h>
#include <stddef.h>

#define HXS_TOOL_NAME "hxsnap"

/* What a command is about to do, for the audit log. */
struct hxs_act {
	const char *name; /* NULL: nothing that is recorded */
	char env[HXS_ENV_MAX + 1];
	char reference[HXS_REF_TEXT]; /* of the snapshot, or "" */
	char rollback_id[HXS_ID_LEN + 1]; /* or "" */
	char done[HXS_REF_TEXT + 32]; /* "snapshot 'dev/...' was made" */
	double since;
};

/* One run of the program. */
struct hxs_tool {
	const struct hxs_args *args;
	bool json, quiet;
	bool reads; /* this run changes nothing, though its command may */
	bool settles; /* it sees itself to a restore that is to be confirmed */
	struct hxs_store *store; /* NULL until a command opened it */
	struct hxs_act act;
};

/* What a command does first about a restore that a crash interrupted. */
enum hxs_cmd_recovery {
	HXS_CMD_TRIES, /* recovers it if it can; if not, that is a warning */
	HXS_CMD_MUST, /* recovers its own environment's, or fails */
	HXS_CMD_LEAVES, /* sees to it itself */
};

struct hxs_cmd {
	const char *name;
	const char *synopsis; /* its words and options, as in the manual */
	const char *summary; /* one line */
	const char *text; /* more of it for -h, whole lines, or NULL */
	const struct hxs_opt *opts; /* its own, or NULL */
	enum hxs_cmd_recovery recovery;
	bool hidden; /* it is for programs: no help lists it */

	/*
	 * Results go to standard output, talk to standard error. Returns a
	 * status with its message in @err; a message that was printed
	 * already is cleared.
	 */
	int (*run)(struct hxs_tool *tool, struct hxs_err *err);

	/*
	 * What the program ends with for status @r, where that is another
	 * convention than that of all the others; else NULL.
	 */
	int (*ends_with)(int r);
};

extern const struct hxs_cmd hxs_cmd_check;
extern const struct hxs_cmd hxs_cmd_complete;
extern const struct hxs_cmd hxs_cmd_confirm;
extern const struct hxs_cmd hxs_cmd_create;
extern const struct hxs_cmd hxs_cmd_diff;
extern const struct hxs_cmd hxs_cmd_drill;
extern const struct hxs_cmd hxs_cmd_help;
extern const struct hxs_cmd hxs_cmd_init;
extern const struct hxs_cmd hxs_cmd_keep;
extern const struct hxs_cmd hxs_cmd_list;
extern const struct hxs_cmd hxs_cmd_log;
extern const struct hxs_cmd hxs_cmd_prune;
extern const struct hxs_cmd hxs_cmd_recover;
extern const struct hxs_cmd hxs_cmd_repair;
extern const struct hxs_cmd hxs_cmd_restore;
extern const struct hxs_cmd hxs_cmd_rollback;
extern const struct hxs_cmd hxs_cmd_show;
extern const struct hxs_cmd hxs_cmd_unkeep;
extern const struct hxs_cmd hxs_cmd_verify;

/* All of them in the order of the help, NULL at the end. */
extern const struct hxs_cmd *const hxs_cmds[];

/* The command of this name, or NULL. */
const struct hxs_cmd *hxs_cmd_find(const char *name);

/* -HXS_EUSAGE: there is no command @name; the hint is the nearest one. */
int hxs_cmd_unknown(const char *name, struct hxs_err *err);

/* Print the help of @cmd, or of the whole tool when it is NULL. */
void hxs_help_print(const struct hxs_cmd *cmd);

/*
 * The configuration this run works with; @env is the environment asked for,
 * or NULL.
 */
HXS_MUST_CHECK
int hxs_tool_config(const struct hxs_tool *tool, const char *env,
		    struct hxs_config **out, struct hxs_err *err);

/*
 * Open the store: --store, else the configuration's, into tool->store, unless
 * it is open already; then recover as the command wants it. *@config (may be
 * NULL) gets the configuration if one was read.
 */
HXS_MUST_CHECK
int hxs_tool_store(struct hxs_tool *tool, const char *env,
		   struct hxs_config **config, struct hxs_err *err);

/* The same for the store at @path. */
HXS_MUST_CHECK
int hxs_tool_store_at(struct hxs_tool *tool, const char *path, const char *env,
		      struct hxs_err *err);

/*
 * The end of a run whose status is @r: records what was done or refused, and
 * closes the store. Returns @r, or why a success could not be recorded.
 */
HXS_MUST_CHECK
int hxs_tool_end(struct hxs_tool *tool, int r, struct hxs_err *err);

/* A snapshot as a command names it, resolved. */
struct hxs_named {
	enum hxs_kind kind;
	char env[HXS_ENV_MAX + 1];
	char id[HXS_ID_LEN + 1];
	char text[HXS_REF_TEXT]; /* "dev/20260205T152900Z" */
};

/* What the reference @word means; opens the store if it is not open yet. */
HXS_MUST_CHECK
int hxs_tool_named(struct hxs_tool *tool, const char *word,
		   struct hxs_named *out, struct hxs_err *err);

/* What reference @ref means in @store. */
HXS_MUST_CHECK
int hxs_tool_resolve(struct hxs_store *store, const struct hxs_ref *ref,
		     struct hxs_named *out, struct hxs_err *err);

#endif
