#include "verbs/hooks.h"

#include "base/proc.h"
#include "source/program.h"
#include "verbs/relay.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- what they are told ------------------------------------------------ */

static int surroundings_fill(struct hxs_program_env *s,
			     const struct hxs_hooks *h,
			     enum hxs_hook_event event)
{
	const char *value[HXS_PROGRAM_VARIABLES] = {
		[HXS_PROGRAM_EVENT] = hxs_config_hook_name(event),
		[HXS_PROGRAM_ENV] = h->env->name,
		[HXS_PROGRAM_STORE] = h->store,
		[HXS_PROGRAM_OPERATION] = h->operation,
		[HXS_PROGRAM_REFERENCE] = h->reference,
		[HXS_PROGRAM_ID] = h->id,
		[HXS_PROGRAM_ROLLBACK_ID] = h->rollback_id,
	};
	char status[16];

	if (h->ended) {
		(void)snprintf(status, sizeof(status), "%d",
			       hxs_err_to_exit(h->status));
		value[HXS_PROGRAM_STATUS] = status;
		value[HXS_PROGRAM_MESSAGE] = h->status < 0 ? h->message : NULL;
	}
	s->more = h->more;
	return hxs_program_env_fill(s, value);
}

/* ---- one of them ------------------------------------------------------- */

static bool is_cancelled(void *ctx)
{
	return hxs_relay_goes_on(ctx, NULL) < 0;
}

/*
 * Run hook @n of @event. 0, -ECANCELED, -ENOMEM, or -HXS_EHOOK with all that is
 * to be told of it in @err.
 */
static int run_one(const struct hxs_hooks *h, enum hxs_hook_event event,
		   size_t n, const char *const *env, bool cancellable,
		   struct hxs_err *err)
{
	const struct hxs_config_hook *hook = &h->env->hooks[event].hook[n];
	HXS_AUTO_BUF struct hxs_buf said = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf told = HXS_BUF_INIT;
	const struct hxs_proc_opts opts = {
		.argv = (const char *const *)hook->argv,
		.cwd = h->config->base,
		.env = env,
		.timeout_ms = hook->timeout_ms,
		.said = &said,
		.stop = cancellable ? is_cancelled : NULL,
		.stop_ctx = (void *)h->relay,
	};
	struct hxs_err why = HXS_ERR_INIT;
	int status = 0, r;

	r = hxs_proc_run(&opts, NULL, &status, &why);
	if (r == 0 && status == 0)
		return 0;
	hxs_program_put_said(opts.argv, &said, &told);
	if (r == 0)
		(void)hxs_err_set(&why, HXS_EHOOK, "'%s' failed with status %d",
				  hook->argv[0], status);
	/* These two tell of us, not of the hook. */
	if (r != -ECANCELED && r != -ENOMEM)
		r = -HXS_EHOOK;
	return hxs_err_set(err, -r, "hook %s[%zu]: %s%s",
			   hxs_config_hook_name(event), n, why.message,
			   hxs_buf_str(&told));
}

/* ---- all of them ------------------------------------------------------- */

static void tell_phase(const struct hxs_hooks *h)
{
	struct hxs_relay relay = { .to = h->relay->to };

	hxs_relay_enter(&relay, HXS_HOOKS_PHASE, 0, 0);
}

bool hxs_hooks_any(const struct hxs_config_env *env, enum hxs_hook_event event)
{
	return env->hooks[event].count > 0;
}

int hxs_hooks_before(const struct hxs_hooks *h, enum hxs_hook_event event,
		     struct hxs_err *err)
{
	const struct hxs_config_hooks *list = &h->env->hooks[event];
	struct hxs_program_env s = HXS_PROGRAM_ENV_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	size_t i;
	int r = 0;

	if (!list->count)
		return 0;
	tell_phase(h);
	if (surroundings_fill(&s, h, event) < 0)
		r = hxs_err_errno(&why, ENOMEM, "cannot run the %s hooks",
				  hxs_config_hook_name(event));
	for (i = 0; r == 0 && i < list->count; i++) {
		r = hxs_relay_goes_on(h->relay, &why);
		if (r == 0)
			r = run_one(h, event, i, s.list, true, &why);
		if (r == -HXS_EHOOK && list->hook[i].warn) {
			hxs_relay_warn(h->relay, why.message);
			r = 0;
		}
	}
	hxs_program_env_release(&s);
	if (r < 0 && err)
		*err = why;
	return r;
}

static void count_failure(const struct hxs_hooks *h, const char *what,
			  struct hxs_after *after)
{
	hxs_relay_warn(h->relay, what);
	if (after && after->failed++ == 0)
		(void)snprintf(after->first, sizeof(after->first), "%s", what);
}

void hxs_hooks_after(const struct hxs_hooks *h, enum hxs_hook_event event,
		     struct hxs_after *after)
{
	const struct hxs_config_hooks *list = &h->env->hooks[event];
	bool asks = event == HXS_HEALTH;
	struct hxs_program_env s = HXS_PROGRAM_ENV_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	unsigned before = after ? after->failed : 0;
	size_t i;
	int r;

	if (!list->count)
		return;
	tell_phase(h);
	if (surroundings_fill(&s, h, event) < 0) {
		(void)hxs_err_errno(&why, ENOMEM, "cannot run the %s hooks",
				    hxs_config_hook_name(event));
		count_failure(h, why.message, after);
		hxs_program_env_release(&s);
		return;
	}
	for (i = 0; i < list->count; i++) {
		r = run_one(h, event, i, s.list,
			    asks && hxs_relay_goes_on(h->relay, NULL) == 0,
			    &why);
		if (r < 0)
			count_failure(h, why.message,
				      list->hook[i].warn ? NULL : after);
	}
	hxs_program_env_release(&s);
	if (after && asks) {
		after->checked = true;
		after->healthy = after->failed == before;
	}
}

int hxs_hooks_status(const struct hxs_after *after, const char *done,
		     struct hxs_err *err)
{
	char more[32] = "";

	if (after->failed == 0)
		return 0;
	if (after->failed > 1)
		(void)snprintf(more, sizeof(more), "; so did %u more",
			       after->failed - 1);
	return hxs_err_set(err, HXS_EAFTER, "%s, but %s%s%s", done,
			   after->checked && !after->healthy
				   ? "it is not healthy: "
				   : "",
			   after->first, more);
}

void hxs_hooks_end(const struct hxs_hooks *h, const struct hxs_after *after,
		   const char *done)
{
	struct hxs_hooks end = *h;
	struct hxs_err why = HXS_ERR_INIT;

	if (end.status >= 0) {
		end.status = hxs_hooks_status(after, done, &why);
		end.message = why.message;
	}
	if (end.status < 0)
		hxs_hooks_after(&end, HXS_ON_FAILURE, NULL);
}
