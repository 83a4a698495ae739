/* A snapshot of what a restore is about to replace. */
#include "verbs/create_parts.h"

#include <errno.h>
#include <string.h>

static bool adopts_any(const struct hxs_create *c)
{
	size_t i;

	for (i = 0; i < c->env->source_count; i++)
		if (c->adopt[i])
			return true;
	return false;
}

/* What is built is published, or left for the restore to complete. */
static int hand_over(struct hxs_create *c, struct hxs_rollback *out,
		     struct hxs_err *err)
{
	int r;

	memcpy(out->id, c->staging.id, sizeof(out->id));
	if (!adopts_any(c)) {
		r = hxs_create_read_index(&c->staging, &out->index, err);
		return r < 0 ? r : hxs_staging_publish(&c->staging, 0755, err);
	}
	if (syncfs(c->staging.fd) < 0)
		return hxs_err_errno(err, errno, "cannot make '%s' durable",
				     c->staging.name);
	r = hxs_create_read_index(&c->staging, &out->index, err);
	if (r < 0)
		return r;
	out->staging = c->staging;
	c->staging = (struct hxs_staging)HXS_STAGING_INIT;
	return 0;
}

/* One attempt; *@broken is the source that might be taken as mere bytes. */
static int try_rollback(struct hxs_store *s, const struct hxs_create_opts *opts,
			const struct hxs_rollback_wants *wants, char **raw,
			size_t *broken, struct hxs_rollback *out,
			struct hxs_err *err)
{
	struct hxs_create c = {
		.store = s,
		.opts = opts,
		.kind = HXS_ROLLBACK,
		.adopt = wants->adopt,
		.own = wants->own,
		.must = wants->must,
		.marks = wants->marks,
		.raw = raw,
		.broken = HXS_CREATE_NO_SOURCE,
		.staging = HXS_STAGING_INIT,
		.relay = { .to = opts->listener, .phase = "beginning" },
	};
	int r;

	hxs_capture_init(&c.cap);
	c.cap.ears = hxs_relay_ears(&c.relay);
	r = hxs_create_check_request(&c, err);
	if (r == 0)
		r = hxs_create_build(&c, err);
	if (r == 0)
		r = hand_over(&c, out, err);
	hxs_create_release(&c);
	*broken = c.broken;
	return r;
}

static void free_texts(char **texts, size_t count)
{
	while (count)
		free(texts[--count]);
	free(texts);
}

int hxs_create_rollback(struct hxs_store *s, const struct hxs_create_opts *opts,
			const struct hxs_rollback_wants *wants,
			struct hxs_rollback *out, struct hxs_err *err)
{
	const struct hxs_config_env *env =
		hxs_config_env(opts->config, opts->env);
	size_t n = env ? env->source_count : 0, broken = HXS_CREATE_NO_SOURCE;
	char **raw = calloc(n + 1, sizeof(*raw));
	HXS_AUTO_FREE bool *may = calloc(n + 1, sizeof(*may));
	struct hxs_err why = HXS_ERR_INIT;
	int r = 0;

	if (!raw || !may) {
		free(raw);
		return hxs_err_errno(err, ENOMEM,
				     "cannot make the rollback point");
	}
	memcpy(may, wants->adopt, n * sizeof(*may));
	while (r == 0) {
		memcpy(wants->adopt, may, n * sizeof(*may));
		r = try_rollback(s, opts, wants, raw, &broken, out, &why);
		if (r >= 0 || broken == HXS_CREATE_NO_SOURCE)
			break;
		raw[broken] = strdup(why.message);
		if (raw[broken])
			r = 0;
		hxs_err_clear(&why);
	}
	free_texts(raw, n);
	if (r < 0 && err)
		*err = why;
	if (r < 0)
		return hxs_err_prefix(err, r, "cannot make the rollback point");
	return r == HXS_CREATE_NOTHING ? 0 : 1;
}
