/* Carrying out one command with the verbs that the tool runs too. */
#include "fs/control_run.h"

#include "base/clock.h"
#include "format/ref.h"
#include "fs/config.h"
#include "fs/control_writer.h"
#include "fs/due.h"
#include "fs/registry.h"
#include "store/unconfirmed.h"
#include "verbs/create.h"
#include "verbs/restore.h"
#include "verbs/verify.h"

#include <errno.h>
#include <string.h>

#define ASK_SECONDS 0.05 /* how often to look whether the writer ends */

/* ---- the listener -------------------------------------------------------- */

static void on_progress(const struct hxs_progress *p, void *ctx)
{
	struct hxfs_run *run = ctx;

	(void)pthread_mutex_lock(&run->c->lock);
	run->c->now.progress = *p;
	(void)pthread_mutex_unlock(&run->c->lock);
}

static void on_warning(const char *text, void *ctx)
{
	struct hxfs_outcome *o = ((struct hxfs_run *)ctx)->out;

	if (o->warnings < HXFS_WARNINGS)
		o->warning[o->warnings] = strdup(text);
	o->warnings++;
}

/*
 * A signal for the writer need not be his end, and the next one is not told
 * of: from the first on, look.
 */
static bool on_cancelled(void *ctx)
{
	struct hxfs_run *run = ctx;
	uint_fast64_t now, last;

	if (atomic_load(&run->c->cancelled))
		return true;
	if (!atomic_load(&run->ticket->interrupted))
		return false;
	now = (uint_fast64_t)(hxs_clock_ticks() * 1000);
	last = atomic_load(&run->asked);
	if (now - last < (uint_fast64_t)(ASK_SECONDS * 1000) ||
	    !atomic_compare_exchange_strong(&run->asked, &last, now))
		return false;
	if (!hxfs_writer_ends(run->ticket->pid))
		return false;
	atomic_store(&run->c->cancelled, true);
	return true;
}

/* ---- the verbs ----------------------------------------------------------- */

/*
 * It is done, as the sentence in run->err says. Hooks that failed after it
 * are told there, and recorded; but a write that failed would be repeated.
 */
static void note_hooks(struct hxfs_run *run, const struct hxs_after *after)
{
	struct hxs_err done = *run->err;

	run->out->after = *after;
	run->out->result = hxs_hooks_status(after, done.message, run->err);
}

static int run_verify(struct hxfs_run *run)
{
	const struct hxs_verify_opts opts = {
		.save = true,
		.listener = &run->listener,
	};
	struct hxs_verify_report rep = { .files = 0 };
	char id[HXS_ID_LEN + 1];
	enum hxs_kind kind;
	int r;

	r = hxfs_run_find_snapshot(run, &kind, id);
	if (r < 0)
		return r;
	r = hxs_verify(run->fs->store, kind, run->out->env, id, &opts, &rep,
		       run->err);
	run->out->counted = true;
	run->out->files = rep.files;
	run->out->bytes = rep.bytes;
	run->out->faults = rep.faults;
	if (r == 0)
		(void)hxs_err_set(run->err, 0, "snapshot '%s' is right",
				  run->out->reference);
	return r;
}

static int run_create(struct hxfs_run *run)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_create_report rep = { .files = 0 };
	struct hxs_create_opts opts = {
		.env = run->out->env,
		.tags = run->cmd->word,
		.tag_count = run->cmd->count,
		.tool_version = HXS_VERSION,
		.listener = &run->listener,
	};
	int r;

	r = hxfs_run_find_env(run);
	if (r == 0)
		r = hxfs_config_load(run->fs, run->out->env, &config, run->err);
	if (r < 0)
		return r;
	opts.config = config;
	r = hxs_create(run->fs->store, &opts, &rep, run->err);
	if (rep.id[0]) {
		memcpy(run->out->id, rep.id, sizeof(rep.id));
		hxfs_run_set_reference(run, HXS_BACKUP, run->out->env, rep.id);
	}
	run->out->counted = r == 0;
	run->out->files = rep.files;
	run->out->bytes = rep.bytes;
	if (r == 0)
		(void)hxs_err_set(run->err, 0, "backup '%s' was made",
				  run->out->reference);
	if (r == 0)
		note_hooks(run, &rep.after);
	return r;
}

/* REFERENCE or what the place says; rollback: the newest rollback point. */
static int find_restored(struct hxfs_run *run, enum hxs_kind *kind,
			 char id[HXS_ID_LEN + 1])
{
	struct hxs_ref ref = { .which = HXS_REF_LATEST, .kind = HXS_ROLLBACK };
	int r;

	if (run->cmd->verb == HXFS_RESTORE)
		return hxfs_run_find_snapshot(run, kind, id);
	r = hxfs_run_find_env(run);
	if (r < 0)
		return r;
	memcpy(ref.env, run->out->env, sizeof(ref.env));
	*kind = HXS_ROLLBACK;
	r = hxs_unconfirmed_old(run->fs->store, ref.env, id)
		    ? 0
		    : hxs_store_resolve(run->fs->store, &ref, id, run->err);
	if (r == 0)
		hxfs_run_set_reference(run, *kind, ref.env, id);
	return r;
}

/*
 * It is done. If it is to be confirmed, who watches for that (fs/due.h) takes
 * over from here: neither the writer nor the next command waits.
 */
static void tell_restored(struct hxfs_run *run, struct hxs_restore_report *rep)
{
	char until[HXS_RFC3339_LEN + 1] = "";
	struct hxfs_outcome *out = run->out;

	memcpy(out->rollback_id, rep->rollback_id, sizeof(rep->rollback_id));
	out->counted = true;
	out->files = rep->files;
	out->bytes = rep->bytes;
	(void)hxs_err_set(run->err, 0, "'%s' was restored%s%s%s%s%s",
			  out->reference,
			  rep->rollback_id[0] ? "; what it replaced is '" : "",
			  rep->rollback_id[0] ? out->env : "",
			  rep->rollback_id[0] ? "/.rollbacks/" : "",
			  rep->rollback_id, rep->rollback_id[0] ? "'" : "");
	if (rep->outcome == HXS_RESTORE_UNCONFIRMED) {
		out->confirm_until = rep->confirm_until;
		(void)hxs_clock_format_rfc3339(rep->confirm_until, until);
		(void)hxs_err_suffix(run->err, 0,
				     "it is put back unless it is confirmed "
				     "until %s",
				     until);
	}
	hxs_restore_report_release(rep);
	if (out->confirm_until)
		hxfs_due_look(run->fs->due);
}

static int run_restore(struct hxfs_run *run)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_restore_report rep = { .files = 0 };
	char id[HXS_ID_LEN + 1];
	struct hxs_restore_opts opts = {
		.env = run->out->env,
		.id = id,
		.paths = run->cmd->word,
		.path_count = run->cmd->count,
		.confirmed = run->cmd->confirmed,
		.confirm_within = run->cmd->within,
		.tool_version = HXS_VERSION,
		.listener = &run->listener,
	};
	int r;

	r = find_restored(run, &opts.kind, id);
	if (r == 0)
		r = hxfs_config_load(run->fs, run->out->env, &config, run->err);
	if (r < 0)
		return r;
	opts.config = config;
	r = hxs_restore(run->fs->store, &opts, &rep, run->err);
	if (r == -HXS_ECONFIRM)
		hxs_err_hint(run->err, "add the word CONFIRM_LIVE=YES");
	if (r < 0)
		return r;
	tell_restored(run, &rep);
	note_hooks(run, &rep.after);
	return 0;
}

static int run_verb(struct hxfs_run *run)
{
	switch (run->cmd->verb) {
	case HXFS_CREATE:
		return run_create(run);
	case HXFS_VERIFY:
		return run_verify(run);
	default:
		return run_restore(run);
	}
}

/*
 * What the command made must be there for who reads the answer. A failure
 * leaves it to the thread that follows the store.
 */
static void look_anew(struct hxfs_run *run)
{
	const struct hxfs_env *e;
	uint32_t env = 0;
	int r;

	if (run->out->env[0] == '\0')
		return;
	hxfs_lock(run->fs);
	e = hxfs_registry_find(run->fs, run->out->env);
	if (e)
		env = e->number;
	hxfs_unlock(run->fs);
	r = e ? hxfs_registry_scan_env(run->fs, env, NULL)
	      : hxfs_registry_scan(run->fs, NULL);
	if (r == 0 && run->c->tell)
		run->c->tell(run->c->tell_ctx);
}

void hxfs_control_run(struct hxfs_control *c, struct hxfs_ticket *t,
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
		.listener = { .progress = on_progress,
			      .warning = on_warning,
			      .cancelled = on_cancelled },
	};
	int r;

	run.listener.ctx = &run;
	r = hxfs_run_find_place(&run);
	if (r == 0 && on_cancelled(&run))
		r = hxs_err_errno(&out->err, ECANCELED, "not begun");
	if (r == 0)
		r = run_verb(&run);
	out->status = r;
	look_anew(&run);
}
