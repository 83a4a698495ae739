/*
 * Making a backup. Everything is built in a directory that no reader takes
 * for a snapshot; until its rename, the last step but one, there is nothing
 * to undo but that directory.
 */
#include "verbs/create_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/lock.h"
#include "store/result.h"
#include "verbs/recover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void report(struct hxs_create *c, double since,
		   struct hxs_create_report *out)
{
	size_t i;

	*out = (struct hxs_create_report){
		.linked_files = c->cap.linked_files,
		.linked_bytes = c->cap.linked_bytes,
		.seconds = hxs_clock_ticks() - since,
		.warnings = (unsigned)c->cap.warning_count,
	};
	memcpy(out->id, c->staging.id, sizeof(out->id));
	for (i = 0; i < c->env->source_count; i++) {
		out->files += c->sources[i].totals.files;
		out->bytes += c->sources[i].totals.bytes;
	}
}

/* Everything up to and with the rename. */
static int make(struct hxs_create *c, struct hxs_err *err)
{
	int r = hxs_create_build(c, err);

	if (r < 0)
		return r;
	hxs_pool_submit(c->cap.pool, hxs_create_let_go,
			c); /* the disk takes its time */
	return hxs_staging_publish(&c->staging, 0755, err);
}

/* What leaves nothing unless it succeeds. */
static int try_make(struct hxs_create *c, const struct hxs_hooks *hooks,
		    struct hxs_err *err)
{
	struct hxs_recover_report recovered = { .removed = 0 };
	int r;

	r = hxs_recover_locked(c->store, c->opts->config, c->opts->env,
			       &recovered, err);
	if (r == 0 && recovered.removed)
		hxs_log_info("removed what %u unfinished creates of '%s' left",
			     recovered.removed, c->opts->env);
	if (r == 0)
		r = hxs_hooks_before(hooks, HXS_BEFORE_CREATE, err);
	if (r == 0)
		r = make(c, err);
	/* Removed while the lock is still held. */
	if (r < 0)
		hxs_staging_release(&c->staging);
	return r < 0 && !c->staging.published
		       ? hxs_err_suffix(err, r, "no snapshot was made")
		       : r;
}

/* With the lock held. */
static int make_and_tell(struct hxs_create *c, struct hxs_create_report *out,
			 struct hxs_err *err)
{
	char ref[HXS_REF_TEXT], done[HXS_REF_TEXT + 32] = "";
	struct hxs_hooks hooks = {
		.config = c->opts->config,
		.env = c->env,
		.relay = &c->relay,
		.store = hxs_store_path(c->store),
		.operation = "create",
		.message = err ? err->message : NULL,
	};
	double since = hxs_clock_ticks();
	int r = try_make(c, &hooks, err);
	bool made = r == 0;

	if (made) {
		report(c, since, out);
		hxs_ref_format(HXS_BACKUP, c->opts->env, out->id, ref);
		(void)snprintf(done, sizeof(done), "snapshot '%s' was made",
			       ref);
		hooks.reference = ref;
		hooks.id = out->id;
	}
	if (made && c->opts->keep)
		r = hxs_result_pin(c->store, HXS_BACKUP, c->opts->env, out->id,
				   err);
	if (made && r < 0)
		(void)hxs_err_suffix(err, r, "%s", done);
	if (made)
		hxs_create_sweep(c);
	hooks.ended = true;
	hooks.status = r;
	if (made)
		hxs_hooks_after(&hooks, HXS_AFTER_CREATE, &out->after);
	hxs_hooks_end(&hooks, &out->after, done);
	return r;
}

static int run(struct hxs_create *c, struct hxs_create_report *out,
	       struct hxs_err *err)
{
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	int r;

	r = hxs_create_check_request(c, err);
	if (r == 0)
		r = hxs_lock_env(c->store, c->opts->env, "create", &lock, err);
	if (r < 0)
		return hxs_err_suffix(err, r, "no snapshot was made");
	return make_and_tell(c, out, err);
}

int hxs_create(struct hxs_store *s, const struct hxs_create_opts *opts,
	       struct hxs_create_report *out, struct hxs_err *err)
{
	struct hxs_create c = {
		.store = s,
		.opts = opts,
		.kind = HXS_BACKUP,
		.staging = HXS_STAGING_INIT,
		.relay = { .to = opts->listener, .phase = "beginning" },
	};
	int r;

	hxs_capture_init(&c.cap);
	c.cap.ears = hxs_relay_ears(&c.relay);
	r = run(&c, out, err);
	hxs_create_release(&c);
	return r;
}
