/*
 * First all is decided, for both kinds, and told; then the oldest go first, so
 * that whatever ends it leaves the newer ones.
 */
#include "verbs/prune.h"

#include "base/clock.h"
#include "source/system.h"
#include "store/audit.h"
#include "store/lock.h"
#include "store/result.h"
#include "store/staging.h"
#include "verbs/recover.h"
#include "verbs/relay.h"

#include <errno.h>
#include <string.h>

struct prune {
	struct hxs_store *store;
	const struct hxs_prune_opts *opts;
	const struct hxs_config_env *env;
	struct hxs_relay relay;
	struct hxs_prune_list lists[2];
	struct hxs_prune_report *report;
};

/* ---- deciding ------------------------------------------------------------ */

/* A clock that was set back is no clock to delete by. */
static int check_clock(const struct prune *p, int64_t now, struct hxs_err *err)
{
	char at[HXS_RFC3339_LEN + 1] = "?", then[HXS_RFC3339_LEN + 1] = "?";
	int64_t newest = 0;
	int r;

	r = hxs_audit_latest(p->store, &newest, err);
	if (r <= 0 || newest <= now)
		return r < 0 ? r : 0;
	(void)hxs_clock_format_rfc3339(now, at); /* else it stays so */
	(void)hxs_clock_format_rfc3339(newest, then); /* likewise */
	(void)hxs_err_set(err, HXS_EDENIED,
			  "refused: it is '%s' by the clock, and the newest "
			  "line of the audit log is of '%s'",
			  at, then);
	hxs_err_hint(err, "was the clock set back? Set it right, or wait");
	return -HXS_EDENIED;
}

static int decide(struct prune *p, struct hxs_err *err)
{
	struct hxs_prune_report *rep = p->report;
	struct timespec now;
	size_t i;
	int r;

	hxs_clock_now(&now);
	r = check_clock(p, now.tv_sec, err);
	for (i = 0; r == 0 && i < HXS_ARRAY_LEN(p->lists); i++) {
		r = hxs_prune_list_make(p->store, p->env, now.tv_sec,
					&p->lists[i], err);
		rep->going += p->lists[i].plan.going;
		rep->staying += p->lists[i].count - p->lists[i].plan.going;
	}
	rep->many = hxs_retention_is_many(p->lists[0].count,
					  p->lists[0].plan.going);
	return r;
}

static int refuse_many(const struct prune *p, struct hxs_err *err)
{
	int r = hxs_err_set(err, HXS_EDENIED,
			    "refused: %zu of %zu backups of '%s' would go, "
			    "more than half",
			    p->lists[0].plan.going, p->lists[0].count,
			    p->env->name);

	hxs_err_hint(err,
		     "look at what would go with 'hxsnap prune %s'; "
		     "'--allow-many' removes it",
		     p->env->name);
	return r;
}

/* ---- removing ------------------------------------------------------------ */

static int remove_one(struct prune *p, enum hxs_kind kind, const char *id,
		      struct hxs_err *err)
{
	struct hxs_prune_report *rep = p->report;
	const char *left = NULL;
	int r;

	r = hxs_relay_goes_on(&p->relay, NULL);
	if (r < 0)
		return hxs_err_errno(err, -r, "pruning '%s' ended early",
				     p->env->name);
	r = hxs_staging_discard(p->store, kind, p->env->name, id, &left, err);
	if (r == -HXS_ENOSUCH) {
		hxs_err_clear(err);
		left = "it is not there any more";
		r = 0;
	}
	if (r < 0)
		return r;
	rep->removed += r > 0;
	rep->left += r == 0;
	if (p->opts->removed)
		p->opts->removed(kind, id, r > 0 ? NULL : left, p->opts->ctx);
	hxs_relay_enter(&p->relay, "removing", rep->removed + rep->left, 0);
	return 0;
}

/*
 * Whether the verified backup that the plan relies on still is one: readers
 * and verifies wait for no lock, and removing takes its time.
 */
static int check_verified(const struct prune *p, const struct hxs_prune_list *l,
			  struct hxs_err *err)
{
	struct hxs_result res;
	size_t n;

	for (n = 0; l->kind == HXS_BACKUP && n < l->count; n++) {
		const char *id = l->items[n].id;

		if (!(l->plan.reasons[n] & 1u << HXS_RETENTION_VERIFIED) ||
		    (hxs_result_load(p->store, l->kind, p->env->name, id,
				     &res) > 0 &&
		     res.passed))
			continue;
		return hxs_err_set(err, HXS_EBUSY,
				   "backup '%s/%s', which was verified, was "
				   "found damaged meanwhile",
				   p->env->name, id);
	}
	return 0;
}

static int remove_all(struct prune *p, struct hxs_err *err)
{
	const struct hxs_prune_list *l;
	size_t i, n;
	int r = 0;

	p->relay.files_total = p->report->going;
	for (i = 0; i < HXS_ARRAY_LEN(p->lists); i++) {
		l = &p->lists[i];
		for (n = 0; r == 0 && n < l->count; n++) {
			if (l->plan.reasons[n])
				continue;
			r = check_verified(p, l, err);
			if (r == 0)
				r = remove_one(p, l->kind, l->items[n].id, err);
		}
	}
	return r;
}

/*
 * What systems keep for rollback points goes with them. Told each time what is
 * still there, as one that was pruned may have been all that was done before.
 */
static void sweep_systems(struct prune *p)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	size_t i;
	int r;

	r = hxs_store_ids(p->store, HXS_ROLLBACK, p->env->name, &ids, &why);
	for (i = 0; r == 0 && i < p->env->source_count; i++) {
		const struct hxs_config_source *src = &p->env->sources[i];
		const struct hxs_system_ops *ops = hxs_system_ops(src->kind);
		struct hxs_system sys = {
			.src = src,
			.base = p->opts->config->base,
			.store = hxs_store_path(p->store),
			.at = p->store,
			.env = p->env->name,
			.id = "",
			.rollback_id = "",
			.ears = hxs_relay_ears(&p->relay),
		};

		if (ops && ops->sweep && ops->sweep(&sys, &ids, &why) < 0) {
			hxs_relay_warn(&p->relay, why.message);
			hxs_err_clear(&why);
		}
	}
	if (r < 0)
		hxs_relay_warn(&p->relay, why.message);
}

/* ---- all of it ----------------------------------------------------------- */

static int run(struct prune *p, struct hxs_err *err)
{
	const struct hxs_prune_opts *o = p->opts;
	int r;

	r = decide(p, err);
	if (r == 0 && o->plan)
		r = o->plan(p->lists, o->ctx, err);
	if (r < 0 || !o->apply)
		return r;
	if (p->report->many && !o->allow_many)
		return refuse_many(p, err);
	r = remove_all(p, err);
	if (r == 0)
		sweep_systems(p);
	return r;
}

static int say_removed(const struct prune *p, int r, struct hxs_err *err)
{
	size_t n = p->report->removed;

	if (r >= 0)
		return r;
	if (n == 0)
		return hxs_err_suffix(err, r, "no snapshot was removed");
	return hxs_err_suffix(err, r, "%zu snapshot%s removed before", n,
			      n == 1 ? " was" : "s were");
}

int hxs_prune(struct hxs_store *s, const struct hxs_prune_opts *opts,
	      struct hxs_prune_report *out, struct hxs_err *err)
{
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	struct hxs_recover_report recovered = { .busy = 0 };
	double since = hxs_clock_ticks();
	struct prune p = {
		.store = s,
		.opts = opts,
		.env = hxs_config_env(opts->config, opts->env),
		.relay = { .to = opts->listener },
		.lists = { { .kind = HXS_BACKUP }, { .kind = HXS_ROLLBACK } },
		.report = out,
	};
	size_t i;
	int r = 0;

	memset(out, 0, sizeof(*out));
	if (!p.env)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "'%s' has no environment '%s'",
				   opts->config->file, opts->env);
	if (opts->apply) {
		r = hxs_lock_env(s, opts->env, "prune", &lock, err);
		if (r == 0)
			r = hxs_recover_locked(s, opts->config, opts->env,
					       &recovered, err);
	}
	if (r == 0)
		r = run(&p, err);
	if (r < 0 && opts->apply)
		r = say_removed(&p, r, err);
	for (i = 0; i < HXS_ARRAY_LEN(p.lists); i++)
		hxs_prune_list_release(&p.lists[i]);
	out->seconds = hxs_clock_ticks() - since;
	return r;
}
