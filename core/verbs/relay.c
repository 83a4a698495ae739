#include "verbs/relay.h"

#include <errno.h>
#include <stddef.h>

static void on_progress(uint64_t files, uint64_t bytes, void *ctx)
{
	const struct hxs_relay *r = ctx;
	const struct hxs_progress p = {
		.phase = r->phase,
		.files = files,
		.files_total = r->files_total,
		.bytes = bytes,
		.bytes_total = r->bytes_total,
	};

	r->to->progress(&p, r->to->ctx);
}

static void on_warning(const char *text, void *ctx)
{
	const struct hxs_relay *r = ctx;

	r->to->warning(text, r->to->ctx);
}

static bool on_cancelled(void *ctx)
{
	const struct hxs_relay *r = ctx;

	return r->to->cancelled(r->to->ctx);
}

struct hxs_capture_ears hxs_relay_ears(struct hxs_relay *r)
{
	const struct hxs_listener *l = r->to;

	return (struct hxs_capture_ears){
		.progress = l && l->progress ? on_progress : NULL,
		.warning = l && l->warning ? on_warning : NULL,
		.cancelled = l && l->cancelled ? on_cancelled : NULL,
		.ctx = r,
	};
}

void hxs_relay_enter(struct hxs_relay *r, const char *phase, uint64_t files,
		     uint64_t bytes)
{
	r->phase = phase;
	if (r->to && r->to->progress)
		on_progress(files, bytes, r);
}

void hxs_relay_warn(const struct hxs_relay *r, const char *text)
{
	if (r->to && r->to->warning)
		r->to->warning(text, r->to->ctx);
}

static bool is_over(void *ctx)
{
	return hxs_relay_goes_on(ctx, NULL) < 0;
}

struct hxs_stop hxs_relay_stop(struct hxs_relay *r)
{
	return (struct hxs_stop){ .wanted = is_over, .ctx = r };
}

int hxs_relay_goes_on(const struct hxs_relay *r, struct hxs_err *err)
{
	if (r->to && r->to->cancelled && r->to->cancelled(r->to->ctx))
		return hxs_err_set(err, ECANCELED, "cancelled");
	return 0;
}
