/* Carrying out one command with the verbs that the tool runs too. */
#include "base/clock.h"
#include "base/path.h"
#include "format/ref.h"
#include "fs/config.h"
#include "fs/control_parts.h"
#include "fs/control_writer.h"
#include "fs/due.h"
#include "fs/registry.h"
#include "store/unconfirmed.h"
#include "verbs/confirm.h"
#include "verbs/create.h"
#include "verbs/restore.h"
#include "verbs/verify.h"

#include <errno.h>
#include <string.h>

#define ASK_SECONDS 0.05 /* how often to look whether the writer ends */

struct run {
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

/* ---- the listener -------------------------------------------------------- */

static void on_progress(const struct hxs_progress *p, void *ctx)
{
	struct run *run = ctx;

	(void)pthread_mutex_lock(&run->c->lock);
	run->c->now.progress = *p;
	(void)pthread_mutex_unlock(&run->c->lock);
}

static void on_warning(const char *text, void *ctx)
{
	struct hxfs_outcome *o = ((struct run *)ctx)->out;

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
	struct run *run = ctx;
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

/* ---- what is meant ------------------------------------------------------- */

/* What the directory of the control file says. */
static int find_place(struct run *run)
{
	const struct hxfs_node *node = &run->ticket->h->node;
	const struct hxfs_slot *s = NULL;
	const struct hxfs_env *e = NULL;
	int r = 0;

	if (node->of == HXFS_IS_ROOT)
		return 0;
	hxfs_lock(run->fs);
	if (node->of == HXFS_IS_ENV) {
		e = hxfs_registry_env(run->fs, node->env);
	} else {
		s = hxfs_registry_slot(run->fs, node->slot);
		if (s && !s->gone)
			e = run->fs->env[s->env];
	}
	if (e)
		memcpy(run->env, e->name, sizeof(run->env));
	if (e && s) {
		run->kind = s->kind;
		r = hxs_clock_format_id(s->seconds, run->id);
	}
	hxfs_unlock(run->fs);
	if (!e || r < 0)
		return hxs_err_set(run->err, HXS_ENOSUCH,
				   "the %s of this control file is no longer "
				   "in the store",
				   node->of == HXFS_IS_ENV ? "environment"
							   : "snapshot");
	return 0;
}

/* One slip must not touch another environment. */
static int check_env(const struct run *run, const char *env)
{
	if (run->env[0] == '\0' || strcmp(run->env, env) == 0)
		return 0;
	return hxs_err_set(run->err, HXS_EUSAGE,
			   "this control file is of environment '%s', not of "
			   "'%s'",
			   run->env, env);
}

static void set_env(struct run *run, const char *env)
{
	struct hxfs_control *c = run->c;

	memcpy(run->out->env, env, strlen(env) + 1);
	if (run->aside)
		return;
	(void)pthread_mutex_lock(&c->lock);
	memcpy(c->now.env, env, strlen(env) + 1);
	(void)pthread_mutex_unlock(&c->lock);
}

static void set_reference(struct run *run, enum hxs_kind kind, const char *env,
			  const char *id)
{
	struct hxfs_control *c = run->c;

	hxs_ref_format(kind, env, id, run->out->reference);
	(void)pthread_mutex_lock(&c->lock);
	memcpy(c->now.reference, run->out->reference, sizeof(c->now.reference));
	(void)pthread_mutex_unlock(&c->lock);
}

/* The environment that is meant, in run->out->env. */
static int find_env(struct run *run)
{
	const char *env = run->cmd->name ? run->cmd->name : run->env;
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	int r;

	if (!hxs_path_is_name(env)) {
		(void)hxs_path_show(&shown, env, strnlen(env, 100));
		return hxs_err_set(run->err, HXS_EUSAGE,
				   "'%s' is no name of an environment",
				   hxs_buf_str(&shown));
	}
	r = check_env(run, env);
	if (r == 0)
		set_env(run, env);
	return r;
}

/* The snapshot that is meant: its kind and id, and run->out->env. */
static int find_snapshot(struct run *run, enum hxs_kind *kind,
			 char id[HXS_ID_LEN + 1])
{
	struct hxs_ref ref = { .which = HXS_REF_LATEST, .kind = HXS_BACKUP };
	int r = 0;

	*kind = run->kind;
	memcpy(id, run->id, sizeof(run->id));
	memcpy(ref.env, run->env, sizeof(ref.env));
	if (run->cmd->name)
		r = hxs_ref_parse(run->cmd->name, &ref, run->err);
	if (r == 0)
		r = check_env(run, ref.env);
	if (r < 0)
		return r;
	set_env(run, ref.env);
	if (run->id[0] == '\0') {
		*kind = ref.kind;
		r = hxs_store_resolve(run->fs->store, &ref, id, run->err);
	}
	if (r == 0)
		set_reference(run, *kind, run->out->env, id);
	return r;
}

/* ---- the verbs ----------------------------------------------------------- */

/*
 * It is done, as the sentence in run->err says. Hooks that failed after it
 * are told there, and recorded; but a write that failed would be repeated.
 */
static void note_hooks(struct run *run, const struct hxs_after *after)
{
	struct hxs_err done = *run->err;

	run->out->after = *after;
	run->out->result = hxs_hooks_status(after, done.message, run->err);
}

static int run_verify(struct run *run)
{
	const struct hxs_verify_opts opts = {
		.save = true,
		.listener = &run->listener,
	};
	struct hxs_verify_report rep = { .files = 0 };
	char id[HXS_ID_LEN + 1];
	enum hxs_kind kind;
	int r;

	r = find_snapshot(run, &kind, id);
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

static int run_create(struct run *run)
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

	r = find_env(run);
	if (r == 0)
		r = hxfs_config_load(run->fs, run->out->env, &config, run->err);
	if (r < 0)
		return r;
	opts.config = config;
	r = hxs_create(run->fs->store, &opts, &rep, run->err);
	if (rep.id[0]) {
		memcpy(run->out->id, rep.id, sizeof(rep.id));
		set_reference(run, HXS_BACKUP, run->out->env, rep.id);
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
static int find_restored(struct run *run, enum hxs_kind *kind,
			 char id[HXS_ID_LEN + 1])
{
	struct hxs_ref ref = { .which = HXS_REF_LATEST, .kind = HXS_ROLLBACK };
	int r;

	if (run->cmd->verb == HXFS_RESTORE)
		return find_snapshot(run, kind, id);
	r = find_env(run);
	if (r < 0)
		return r;
	memcpy(ref.env, run->out->env, sizeof(ref.env));
	*kind = HXS_ROLLBACK;
	r = hxs_unconfirmed_old(run->fs->store, ref.env, id)
		    ? 0
		    : hxs_store_resolve(run->fs->store, &ref, id, run->err);
	if (r == 0)
		set_reference(run, *kind, ref.env, id);
	return r;
}

/*
 * It is done. If it is to be confirmed, who watches for that (fs/due.h) takes
 * over from here: neither the writer nor the next command waits.
 */
static void tell_restored(struct run *run, struct hxs_restore_report *rep)
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

static int run_restore(struct run *run)
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

static int run_confirm(struct run *run)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_confirm_report rep;
	struct hxfs_outcome *out = run->out;
	int r;

	r = find_env(run);
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

static int run_verb(struct run *run)
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
static void look_anew(struct run *run)
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

void hxfs_control_confirm(struct hxfs_control *c, struct hxfs_ticket *t,
			  const struct hxfs_command *command,
			  struct hxfs_outcome *out)
{
	struct run run = {
		.c = c,
		.fs = c->fs,
		.ticket = t,
		.cmd = command,
		.out = out,
		.err = &out->err,
		.aside = true,
	};
	int r;

	r = find_place(&run);
	if (r == 0)
		r = run_confirm(&run);
	out->status = r;
}

void hxfs_control_run(struct hxfs_control *c, struct hxfs_ticket *t,
		      const struct hxfs_command *command,
		      struct hxfs_outcome *out)
{
	struct run run = {
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
	r = find_place(&run);
	if (r == 0 && on_cancelled(&run))
		r = hxs_err_errno(&out->err, ECANCELED, "not begun");
	if (r == 0)
		r = run_verb(&run);
	out->status = r;
	look_anew(&run);
}
