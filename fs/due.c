#include "fs/due.h"

#include "base/clock.h"
#include "base/log.h"
#include "fs/config.h"
#include "store/audit.h"
#include "store/unconfirmed.h"
#include "verbs/confirm.h"

#include <unistd.h>

static void on_warning(const char *text, void *ctx HXS_UNUSED)
{
	hxs_log_warn("%s", text);
}

static void record(struct hxfs *fs, const char *env, double since,
		   const struct hxs_due_report *rep, int r,
		   const struct hxs_err *why)
{
	char reference[HXS_REF_TEXT];
	const struct hxs_audit a = {
		.act = "undo",
		.env = env,
		.reference = reference,
		.rollback_id = rep->undo_id[0] ? rep->undo_id : NULL,
		.from = "mount",
		.uid = fs->uid,
		.pid = getpid(),
		.status = r,
		.message = r < 0 ? why->message : NULL,
		.seconds = hxs_clock_ticks() - since,
	};
	struct hxs_err err = HXS_ERR_INIT;

	hxs_ref_format(HXS_ROLLBACK, env, rep->rollback_id, reference);
	if (hxs_audit_append(fs->store, &a, &err) < 0)
		hxs_log_warn("%s", err.message);
}

static void see_to(struct hxfs *fs, const char *env)
{
	const struct hxs_listener listener = { .warning = on_warning };
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	double since = hxs_clock_ticks();
	struct hxs_due_report rep;
	int r;

	/* Without one it may be that there is nothing to be done. */
	if (hxfs_config_load(fs, env, &config, NULL) < 0)
		config = NULL;
	r = hxs_confirm_due(fs->store, config, env, false, &listener,
			    HXS_VERSION, &rep, &why);
	if (r < 0)
		hxs_log_warn("%s", why.message);
	if (rep.due == HXS_DUE_PUT_BACK)
		hxs_log_warn("%s", rep.told);
	if (rep.due == HXS_DUE_FAILED)
		hxs_log_warn("the restore of '%s' was to be taken back, and "
			     "could not be",
			     rep.reference);
	if (rep.due == HXS_DUE_PUT_BACK || r == -HXS_EAFTER)
		record(fs, env, since, &rep, r, &why);
}

void hxfs_due(struct hxfs *fs)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	size_t i;

	if (hxs_unconfirmed_envs(fs->store, &envs, &why) < 0)
		hxs_log_warn("%s", why.message);
	for (i = 0; i < envs.count; i++)
		see_to(fs, envs.name[i]);
}
