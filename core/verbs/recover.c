/*
 * Recovery. A journal in state staging or intent is undone, one in state
 * committed is finished; both end with the journal's removal, and doing them
 * again does what is left. What has no journal was never begun, or ended.
 */
#include "verbs/recover.h"

#include "base/io.h"
#include "store/lock.h"
#include "store/staging.h"
#include "store/swap.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <string.h>

int hxs_restore_undo(struct hxs_store *s, struct hxs_journal *j,
		     struct hxs_err *err)
{
	size_t i;
	int r = 0;

	if (j->state == HXS_JOURNAL_INTENT) {
		for (i = j->target_count; r == 0 && i-- > 0;)
			r = hxs_swap_back(&j->targets[i], err);
		for (i = 0; r == 0 && i < j->target_count; i++)
			r = hxs_swap_sync(&j->targets[i], err);
		/* From here on what is staged may go. */
		j->state = HXS_JOURNAL_STAGING;
		if (r == 0)
			r = hxs_journal_write(s, j, err);
	}
	for (i = 0; r == 0 && i < j->target_count; i++)
		r = hxs_swap_clean(&j->targets[i], err);
	/* The rollback point's directory is swept like any unfinished one. */
	return r < 0 ? r : hxs_journal_drop(s, j->env, err);
}

/* Complete and publish the rollback point that adopts what was displaced. */
static int finish_rollback(struct hxs_store *s, const struct hxs_journal *j,
			   struct hxs_err *err)
{
	HXS_AUTO_STAGING struct hxs_staging st = HXS_STAGING_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	size_t i;
	int r;

	if (!j->rollback_staging[0])
		return 0;
	r = hxs_store_open_dir(s, HXS_ROLLBACK, j->env, j->rollback_id, &fd,
			       NULL);
	if (r == 0)
		return 0; /* published already */
	r = hxs_staging_reopen(s, HXS_ROLLBACK, j->env, j->rollback_id,
			       j->rollback_staging, &st, err);
	if (r < 0)
		return r;
	for (i = 0; r == 0 && i < j->target_count; i++)
		if (j->targets[i].adopted)
			r = hxs_swap_adopt(&j->targets[i], st.fd, err);
	if (r == 0)
		r = hxs_staging_publish(&st, 0755, err);
	if (r < 0)
		hxs_staging_leave(&st);
	return r;
}

int hxs_restore_finish(struct hxs_store *s, struct hxs_journal *j,
		       struct hxs_err *err)
{
	size_t i;
	int r;

	r = finish_rollback(s, j, err);
	for (i = 0; r == 0 && i < j->target_count; i++)
		r = hxs_swap_clean(&j->targets[i], err);
	return r < 0 ? r : hxs_journal_drop(s, j->env, err);
}

bool hxs_recover_needed(const struct hxs_store *s)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;

	return hxs_journal_envs(s, &envs, NULL) < 0 || envs.count > 0;
}

int hxs_recover_locked(struct hxs_store *s, const char *env,
		       struct hxs_recover_report *out, struct hxs_err *err)
{
	HXS_AUTO(journal) struct hxs_journal *j = NULL;
	unsigned removed;
	int r;

	r = hxs_journal_read(s, env, &j, err);
	if (r < 0)
		return r;
	if (r > 0 && j->state == HXS_JOURNAL_COMMITTED) {
		r = hxs_restore_finish(s, j, err);
		if (r == 0)
			out->finished++;
	} else if (r > 0) {
		r = hxs_restore_undo(s, j, err);
		if (r == 0)
			out->undone++;
	}
	if (r < 0)
		return hxs_err_prefix(err, r,
				      "a restore of '%s' did not end and "
				      "cannot be recovered",
				      env);
	r = hxs_staging_sweep(s, env, &removed, err);
	if (r == 0)
		out->removed += removed;
	return r;
}

static int recover_env(struct hxs_store *s, const char *env,
		       struct hxs_recover_report *out, struct hxs_err *err)
{
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	int r;

	r = hxs_lock_env(s, env, "recover", &lock, err);
	if (r == -HXS_EBUSY) {
		hxs_err_clear(err);
		out->busy++;
		return 0;
	}
	return r < 0 ? r : hxs_recover_locked(s, env, out, err);
}

int hxs_recover(struct hxs_store *s, const char *env,
		struct hxs_recover_report *out, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	struct hxs_err one = HXS_ERR_INIT;
	size_t i;
	int r, failed = 0;

	memset(out, 0, sizeof(*out));
	if (env)
		return recover_env(s, env, out, err);
	r = hxs_journal_envs(s, &envs, err);
	if (r < 0)
		return r;
	/* One that cannot be recovered does not keep the others waiting. */
	for (i = 0; i < envs.count; i++) {
		r = recover_env(s, envs.name[i], out, &one);
		if (r < 0 && failed == 0) {
			failed = r;
			if (err)
				*err = one;
		}
		hxs_err_clear(&one);
	}
	return failed;
}
