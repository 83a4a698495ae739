/* Recovery: each environment's journal says what is to be done. */
#include "verbs/recover.h"

#include "store/lock.h"
#include "store/staging.h"
#include "store/unconfirmed.h"
#include "verbs/restore_parts.h"

#include <string.h>

bool hxs_recover_needed(const struct hxs_store *s)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;

	return hxs_journal_envs(s, &envs, NULL) < 0 || envs.count > 0;
}

static int recover_one(struct hxs_store *s, const struct hxs_config *config,
		       struct hxs_journal *j, struct hxs_recover_report *out,
		       struct hxs_err *err)
{
	int r;

	/*
	 * Whoever wrote the record may have been killed before it was durable.
	 * What is done now must not meet the one before it after a power cut:
	 * that may want back what is removed here.
	 */
	r = hxs_journal_sync(s, err);
	if (r < 0)
		return r;
	if (j->state == HXS_JOURNAL_COMMITTED) {
		r = hxs_restore_finish(s, config, j, err);
		if (r == 0)
			out->finished++;
	} else {
		r = hxs_restore_undo(s, config, j, err);
		if (r == 0)
			out->undone++;
	}
	return r;
}

int hxs_recover_locked(struct hxs_store *s, const struct hxs_config *config,
		       const char *env, struct hxs_recover_report *out,
		       struct hxs_err *err)
{
	HXS_AUTO(journal) struct hxs_journal *j = NULL;
	unsigned removed;
	int r;

	r = hxs_journal_read(s, env, &j, err);
	if (r < 0)
		return r;
	if (r > 0)
		r = recover_one(s, config, j, out, err);
	if (r < 0)
		return hxs_err_prefix(err, r,
				      "a restore of '%s' did not end and "
				      "cannot be recovered",
				      env);
	r = hxs_journal_clean(s, env, err);
	if (r == 0)
		r = hxs_unconfirmed_clean(s, env, err);
	if (r == 0)
		r = hxs_staging_sweep(s, env, &removed, err);
	if (r == 0)
		out->removed += removed;
	return r;
}

static int recover_env(struct hxs_store *s, const struct hxs_config *config,
		       const char *env, struct hxs_recover_report *out,
		       struct hxs_err *err)
{
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	int r;

	r = hxs_lock_env(s, env, "recover", &lock, err);
	if (r == -HXS_EBUSY) {
		hxs_err_clear(err);
		out->busy++;
		return 0;
	}
	return r < 0 ? r : hxs_recover_locked(s, config, env, out, err);
}

int hxs_recover(struct hxs_store *s, const struct hxs_config *config,
		const char *env, struct hxs_recover_report *out,
		struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	struct hxs_err one = HXS_ERR_INIT;
	size_t i;
	int r, failed = 0;

	memset(out, 0, sizeof(*out));
	if (env)
		return recover_env(s, config, env, out, err);
	r = hxs_journal_envs(s, &envs, err);
	if (r < 0)
		return r;
	/* One that cannot be recovered does not keep the others waiting. */
	for (i = 0; i < envs.count; i++) {
		r = recover_env(s, config, envs.name[i], out, &one);
		if (r < 0 && failed == 0) {
			failed = r;
			if (err)
				*err = one;
		}
		hxs_err_clear(&one);
	}
	return failed;
}
