#ifndef HXFS_CONTROL_RUN_H
#define HXFS_CONTROL_RUN_H

/* One command that is being carried out. For fs/control_*.c only. */
#include "fs/control_parts.h"
#include "verbs/progress.h"

struct hxfs_run {
	struct hxfs_control *c;
	struct hxfs *fs;
	struct hxfs_ticket *ticket;
	const struct hxfs_command *cmd;
	struct hxfs_outcome *out;
	struct hxs_err *err; /* of @out */
	struct hxs_listener listener;
	atomic_uint_fast64_t asked; /* when: milliseconds */
	/* where the control file lies; "" where that says nothing */
	char env[HXS_ENV_MAX + 1], id[HXS_ID_LEN + 1];
	enum hxs_kind kind;
	bool aside; /* it is not the command under way */
};

/* What the directory of the control file says. -HXS_ENOSUCH. */
HXS_MUST_CHECK
int hxfs_run_find_place(struct hxfs_run *run);

/* The environment that is meant, in run->out->env. -HXS_EUSAGE. */
HXS_MUST_CHECK
int hxfs_run_find_env(struct hxfs_run *run);

/*
 * The snapshot that is meant: its kind and id, and run->out->env. As
 * hxs_ref_parse() and hxs_store_resolve().
 */
HXS_MUST_CHECK
int hxfs_run_find_snapshot(struct hxfs_run *run, enum hxs_kind *kind,
			   char id[HXS_ID_LEN + 1]);

void hxfs_run_set_reference(struct hxfs_run *run, enum hxs_kind kind,
			    const char *env, const char *id);

#endif
