/* Putting back what there was before a restore that turned out wrong. */
#include "verbs/restore_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * Of what was restored, that which there was before: those very paths, or,
 * where there was nothing of that name, their source.
 */
static int pick_paths(struct hxs_store *s, const struct hxs_unconfirmed *u,
		      const char **out, size_t *count, struct hxs_err *err)
{
	struct hxs_snapshot *snap = NULL;
	const struct hxs_index *idx;
	char *path, *slash;
	size_t i, len;
	int r;

	r = hxs_snapshot_open(s, HXS_ROLLBACK, u->env, u->rollback_id, &snap,
			      err);
	if (r < 0)
		return r;
	idx = hxs_snapshot_index(snap);
	for (i = 0, *count = 0; i < u->path_count; i++) {
		path = u->paths[i];
		len = strlen(path);
		while (len > 1 && path[len - 1] == '/')
			path[--len] = '\0';
		slash = strchr(path, '/');
		if (hxs_index_find(idx, path) < 0 && slash)
			*slash = '\0';
		if (hxs_index_find(idx, path) >= 0)
			out[(*count)++] = path;
	}
	hxs_snapshot_unref(snap);
	if (u->path_count && *count == 0)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "nothing of it was there before");
	return 0;
}

struct undo {
	struct hxs_store *store;
	const struct hxs_unconfirmed *u;
};

int hxs_restore_note_undo(struct hxs_store *s, const struct hxs_unconfirmed *u,
			  const char *rollback_id, struct hxs_err *err)
{
	return hxs_unconfirmed_note_undo(s, u->env,
					 rollback_id[0] ? rollback_id
							: u->rollback_id,
					 err);
}

static int intended(void *ctx, const char *rollback_id, struct hxs_err *err)
{
	const struct undo *undo = ctx;

	return hxs_restore_note_undo(undo->store, undo->u, rollback_id, err);
}

static int restore_old(struct hxs_store *s, const struct hxs_restore_opts *of,
		       const struct hxs_unconfirmed *u,
		       struct hxs_restore_report *out, struct hxs_err *err)
{
	struct undo undo = { .store = s, .u = u };
	const struct hxs_restore_watch watch = { .intended = intended,
						 .ctx = &undo };
	struct hxs_listener listener = { .ctx = NULL };
	struct hxs_restore_opts opts = {
		.config = of->config,
		.env = u->env,
		.kind = HXS_ROLLBACK,
		.id = u->rollback_id,
		.force = u->force,
		/* Whoever uses what was restored does not get to keep it. */
		.discards = true,
		.confirmed = true, /* when it was agreed to put it back */
		.threads = of->threads,
		.tool_version = of->tool_version,
		.listener = &listener,
	};
	HXS_AUTO_FREE const char **paths = NULL;
	int r;

	if (of->listener)
		listener = *of->listener;
	listener.cancelled = NULL; /* that may be why it is put back */
	paths = calloc(u->path_count + 1, sizeof(*paths));
	if (!paths)
		return hxs_err_errno(err, ENOMEM, "cannot restore '%s'",
				     u->env);
	r = hxs_restore_check_request(&opts, err);
	if (r == 0 && u->path_count)
		r = pick_paths(s, u, paths, &opts.path_count, err);
	opts.paths = paths;
	return r < 0 ? r : hxs_restore_locked(s, &opts, &watch, out, err);
}

/* In @err: after why, that it is done. */
static void tell_back(const struct hxs_unconfirmed *u,
		      const struct hxs_restore_report *rep, struct hxs_err *err)
{
	const struct hxs_after *after = &rep->after_undo;
	char kept[HXS_REF_TEXT + 48] = "";

	if (rep->undo_id[0])
		(void)snprintf(kept, sizeof(kept),
			       ", and what was restored is now "
			       "'%s/.rollbacks/%s'",
			       u->env, rep->undo_id);
	(void)hxs_err_suffix(err, err->code,
			     "the old state is back, from '%s/.rollbacks/%s'%s",
			     u->env, u->rollback_id, kept);
	if (after->failed)
		(void)hxs_err_suffix(err, err->code, "but %s%s",
				     after->checked && !after->healthy
					     ? "that is not healthy, either: "
					     : "",
				     after->first);
	else if (after->checked)
		(void)hxs_err_suffix(err, err->code, "it is healthy");
}

int hxs_restore_not_back(const struct hxs_unconfirmed *u,
			 struct hxs_restore_report *rep,
			 const struct hxs_err *why, struct hxs_err *err)
{
	char reason[sizeof(err->message)];

	rep->outcome = HXS_RESTORE_NOT_PUT_BACK;
	memcpy(reason, err->message, sizeof(reason));
	(void)hxs_err_set(err, HXS_EAFTER,
			  "%s; the old state, '%s/.rollbacks/%s', could not be "
			  "put back: %s",
			  reason, u->env, u->rollback_id, why->message);
	hxs_err_hint(err,
		     "'hxsnap rollback %s' tries again, 'hxsnap confirm %s' "
		     "keeps what is there",
		     u->env, u->env);
	return -HXS_EAFTER;
}

int hxs_restore_take_back(struct hxs_store *s,
			  const struct hxs_restore_opts *opts,
			  const struct hxs_unconfirmed *u,
			  struct hxs_restore_report *rep, struct hxs_err *err)
{
	enum hxs_unconfirmed_state found, then = HXS_UNCONFIRMED_FAILED;
	struct hxs_restore_report undo = { .files = 0 };
	struct hxs_err why = HXS_ERR_INIT, lost = HXS_ERR_INIT;
	struct hxs_relay relay = { .to = opts->listener };
	int r;

	r = restore_old(s, opts, u, &undo, &why);
	memcpy(rep->undo_id, undo.rollback_id, sizeof(rep->undo_id));
	rep->after_undo = undo.after;
	hxs_restore_report_release(&undo);
	if (r == 0) {
		rep->outcome = HXS_RESTORE_PUT_BACK;
		tell_back(u, rep, err);
		/* What is left says that it is done: nothing is lost by it. */
		if (hxs_unconfirmed_drop(s, u->env, &lost) < 0)
			hxs_relay_warn(&relay, lost.message);
		return err->code;
	}
	/* Who may not write there leaves it to the next who may. */
	if (r == -EROFS || r == -EACCES || r == -EPERM)
		then = HXS_UNCONFIRMED_WAITING;
	if (hxs_unconfirmed_turn(s, u->env, u->rollback_id,
				 1u << HXS_UNCONFIRMED_UNDOING, then, &found,
				 &lost) < 0)
		hxs_relay_warn(&relay, lost.message);
	return hxs_restore_not_back(u, rep, &why, err);
}
