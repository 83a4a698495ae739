/*
 * Capturing what lives elsewhere than in files. Each system is asked on a
 * thread of its own, a few at once: they wait for servers and programs, and
 * what they write is read by nobody before all have come to an end.
 */
#include "verbs/create_parts.h"

#include "base/io.h"
#include "source/system.h"

#include <errno.h>
#include <string.h>

struct fetch {
	struct hxs_create *c;
	size_t number; /* of the source */
};

bool hxs_create_has_systems(const struct hxs_create *c)
{
	size_t i;

	for (i = 0; i < c->env->source_count; i++)
		if (hxs_config_is_system(&c->env->sources[i]))
			return true;
	return false;
}

static bool is_over(void *ctx)
{
	return !hxs_capture_goes_on(ctx);
}

static void warn(const char *text, void *ctx)
{
	hxs_capture_warn(ctx, "%s", text);
}

static void describe(struct hxs_create *c, size_t number,
		     struct hxs_system *sys)
{
	*sys = (struct hxs_system){
		.src = &c->env->sources[number],
		.base = c->opts->config->base,
		.store = hxs_store_path(c->store),
		.at = c->store,
		.env = c->env->name,
		.id = c->staging.id,
		.rollback_id = "",
		.threads = c->opts->threads,
		.mark_out = c->marks ? c->marks[number] : NULL,
		.ears = { .warning = warn,
			  .cancelled = is_over,
			  .ctx = &c->cap },
	};
}

/* Make a directory for it, and have it filled. */
static int fetch(struct hxs_create *c, size_t number, struct hxs_err *err)
{
	const char *name = c->env->sources[number].name;
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int dir = -1;
	struct hxs_system sys;
	int r;

	describe(c, number, &sys);
	if (sys.mark_out) { /* of an earlier attempt */
		free(*sys.mark_out);
		*sys.mark_out = NULL;
	}
	r = hxs_buf_printf(&path, "%s/%s/%s/%s/%s", sys.store,
			   hxs_store_area(c->kind), sys.env, c->staging.name,
			   name);
	if (r >= 0 && mkdirat(c->staging.fd, name, 0700) < 0)
		r = -errno;
	/* The umask may have taken away what we need. */
	if (r >= 0 && fchmodat(c->staging.fd, name, 0700, 0) < 0)
		r = -errno;
	if (r >= 0)
		r = dir = hxs_io_open_dir(c->staging.fd, name);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot create the copy of source '%s'",
				     name);
	return hxs_system_ops(sys.src->kind)
		->fetch(&sys, dir, hxs_buf_str(&path), err);
}

/* Whether it may be missing in this snapshot, having failed with @r. */
static bool is_dispensable(const struct hxs_create *c, size_t number, int r)
{
	if (r == -ECANCELED || r == -ENOMEM)
		return false;
	if (c->kind == HXS_ROLLBACK)
		return r == -HXS_ENOSUCH || (c->must && !c->must[number]);
	return r == -HXS_ENOSUCH && c->opts->allow_shrink;
}

/* Leave it out, told for what reason. */
static int leave_out(struct hxs_create *c, size_t number, int why,
		     const char *message, struct hxs_err *err)
{
	const char *name = c->env->sources[number].name;
	int r = hxs_io_remove_tree(c->staging.fd, name);

	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot remove the copy of source '%s'",
				     name);
	c->sources[number].left_out = true;
	/* Of what is not there, there is nothing to go back to. */
	if (c->kind != HXS_ROLLBACK || why != -HXS_ENOSUCH)
		hxs_capture_warn(&c->cap, "%s; source '%s' was left out",
				 message, name);
	return 0;
}

static void fetch_job(void *arg)
{
	const struct fetch *f = arg;
	struct hxs_create *c = f->c;
	struct hxs_err err = HXS_ERR_INIT, why = HXS_ERR_INIT;
	int r;

	if (!hxs_capture_goes_on(&c->cap))
		return;
	r = fetch(c, f->number, &why);
	/* Who speaks of a database alone may have several of that name. */
	if (r < 0 && !strstr(why.message, "source '"))
		(void)hxs_err_prefix(&why, r, "source '%s'",
				     c->env->sources[f->number].name);
	if (r < 0 && is_dispensable(c, f->number, r)) {
		r = leave_out(c, f->number, r, why.message, &err);
	} else if (r == -HXS_ENOSUCH) {
		r = hxs_err_set(&err, HXS_EDENIED, "refused: %s", why.message);
		hxs_err_hint(&err, "is it the right server? If it is meant to "
				   "be so, say --allow-shrink");
	} else {
		err = why;
	}
	if (r < 0)
		hxs_capture_fail(&c->cap, r, &err);
}

int hxs_create_fetch(struct hxs_create *c, struct hxs_err *err)
{
	HXS_AUTO(pool) struct hxs_pool *pool = NULL;
	HXS_AUTO_FREE struct fetch *jobs = NULL;
	size_t i, count = 0;
	int r;

	jobs = calloc(c->env->source_count + 1, sizeof(*jobs));
	if (!jobs)
		return hxs_err_errno(err, ENOMEM, "cannot make a snapshot");
	for (i = 0; i < c->env->source_count; i++)
		if (hxs_config_is_system(&c->env->sources[i]))
			jobs[count++] = (struct fetch){ .c = c, .number = i };
	r = hxs_pool_new(c->env->parallel < count ? c->env->parallel
						  : (unsigned)count,
			 (unsigned)count, &pool);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot make a snapshot");
	for (i = 0; i < count; i++)
		hxs_pool_submit(pool, fetch_job, &jobs[i]);
	hxs_pool_wait(pool);
	return hxs_capture_status(&c->cap, err);
}

void hxs_create_sweep(struct hxs_create *c)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_system sys;
	size_t i;

	if (!hxs_create_has_systems(c))
		return;
	if (hxs_store_ids(c->store, HXS_ROLLBACK, c->env->name, &ids, &err) <
	    0) {
		hxs_relay_warn(&c->relay, err.message);
		return;
	}
	for (i = 0; i < c->env->source_count; i++) {
		const struct hxs_system_ops *ops =
			hxs_system_ops(c->env->sources[i].kind);

		if (!ops)
			continue;
		describe(c, i, &sys);
		sys.ears = hxs_relay_ears(&c->relay);
		if (ops->sweep(&sys, &ids, &err) < 0)
			hxs_relay_warn(&c->relay, err.message);
		hxs_err_clear(&err);
	}
}
