/* Confirming what was restored: see fs/due.h. */
#include "fs/config.h"
#include "fs/control_run.h"
#include "verbs/confirm.h"

#include <string.h>

static int run_confirm(struct hxfs_run *run)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_confirm_report rep;
	struct hxfs_outcome *out = run->out;
	int r;

	r = hxfs_run_find_env(run);
	if (r < 0)
		return r;
	/* Without one, what needs none is confirmed. */
	if (hxfs_config_load(run->fs, out->env, &config, NULL) < 0)
		config = NULL;
	r = hxs_confirm(run->fs->store, config, out->env, &rep, run->err);
	memcpy(out->reference, rep.reference, sizeof(out->reference));
	memcpy(out->rollback_id, rep.rollback_id, sizeof(out->rollback_id));
	if (r == 0)
		(void)hxs_err_set(run->err, 0,
				  "the restore of '%s' is confirmed",
				  rep.reference[0] ? rep.reference : out->env);
	return r;
}

void hxfs_control_confirm(struct hxfs_control *c, struct hxfs_ticket *t,
			  const struct hxfs_command *command,
			  struct hxfs_outcome *out)
{
	struct hxfs_run run = {
		.c = c,
		.fs = c->fs,
		.ticket = t,
		.cmd = command,
		.out = out,
		.err = &out->err,
		.aside = true,
	};
	int r;

	r = hxfs_run_find_place(&run);
	if (r == 0)
		r = run_confirm(&run);
	out->status = r;
}
