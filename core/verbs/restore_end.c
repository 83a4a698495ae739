/*
 * The two ends of a restore. A journal in state staging or intent is undone,
 * one in state committed is finished; both end with the journal's removal,
 * and doing them again does what is left. What has no journal was never
 * begun, or has ended.
 */
#include "base/io.h"
#include "store/staging.h"
#include "store/swap.h"
#include "store/unconfirmed.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int swap_back(struct hxs_journal *j, struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = j->target_count; r == 0 && i-- > 0;)
		r = hxs_swap_back(&j->targets[i], err);
	if (r == 0)
		r = hxs_swap_sync(j->targets, j->target_count, err);
	return r;
}

int hxs_restore_undo(struct hxs_store *s, const struct hxs_config *config,
		     struct hxs_journal *j, struct hxs_err *err)
{
	struct hxs_err why = HXS_ERR_INIT;
	size_t i;
	int r = 0, systems;

	if (j->state == 0) /* nothing was begun */
		return 0;
	if (j->state == HXS_JOURNAL_INTENT) {
		/* A server that does not answer keeps no file waiting. */
		systems = hxs_restore_systems_back(s, config, j, &why);
		r = swap_back(j, err);
		if (r == 0 && systems < 0) {
			r = systems;
			if (err)
				*err = why;
		}
		if (r < 0)
			return r;
		/* From here on what is staged may go. */
		j->state = HXS_JOURNAL_STAGING;
		r = hxs_journal_write(s, j, err);
	}
	if (r == 0)
		r = hxs_restore_systems_clean(s, config, j, false, err);
	for (i = 0; r == 0 && i < j->target_count; i++)
		r = hxs_swap_clean(&j->targets[i], false, err);
	if (r == 0)
		r = hxs_swap_sync_places(j->targets, j->target_count, err);
	if (r == 0)
		r = hxs_unconfirmed_undone(s, j->env, err);
	/* The rollback point's directory is swept like any unfinished one. */
	return r < 0 ? r : hxs_journal_drop(s, j->env, err);
}

static int sync_area(struct hxs_store *s, const char *env, struct hxs_err *err)
{
	char path[HXS_REF_TEXT];
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s",
		       hxs_store_area(HXS_ROLLBACK), env);
	r = hxs_io_sync_dir(hxs_store_fd(s), path);
	return r < 0 ? hxs_err_errno(err, -r, "cannot make '%s' durable", path)
		     : 0;
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
	if (r == 0) /* published already, but perhaps not durably */
		return sync_area(s, j->env, err);
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

int hxs_restore_finish(struct hxs_store *s, const struct hxs_config *config,
		       struct hxs_journal *j, struct hxs_err *err)
{
	size_t i;
	int r;

	r = finish_rollback(s, j, err);
	if (r == 0)
		r = hxs_restore_systems_clean(s, config, j, true, err);
	for (i = 0; r == 0 && i < j->target_count; i++)
		r = hxs_swap_clean(&j->targets[i], true, err);
	if (r == 0)
		r = hxs_swap_sync_places(j->targets, j->target_count, err);
	return r < 0 ? r : hxs_journal_drop(s, j->env, err);
}
