#include "verbs/verify_due.h"

#include "base/clock.h"
#include "store/result.h"
#include "store/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct search {
	const struct hxs_store *store;
	int64_t before, now;
	struct hxs_verify_due *out;
	struct hxs_err *err;
};

void hxs_verify_due_release(struct hxs_verify_due *d)
{
	free(d->snapshots);
	memset(d, 0, sizeof(*d));
}

static void look_at(struct search *s, enum hxs_kind kind, const char *env,
		    const char *id)
{
	struct hxs_due_snapshot *one = &s->out->snapshots[s->out->count];
	struct hxs_result res = { .by_reader = false };
	bool ever = hxs_result_load(s->store, kind, env, id, &res) > 0;

	/*
	 * What a reader met says nothing of all the rest, and a date that is
	 * yet to come nothing of when it was.
	 */
	if (res.by_reader || res.when > s->now + HXS_CLOCK_SKEW) {
		ever = false;
		res.when = 0;
	}
	s->out->seen++;
	if (ever && res.when >= s->before)
		return;
	*one = (struct hxs_due_snapshot){
		.kind = kind,
		.ever = ever,
		.when = res.when,
	};
	(void)snprintf(one->env, sizeof(one->env), "%s", env);
	(void)snprintf(one->id, sizeof(one->id), "%s", id);
	s->out->count++;
}

static int search_area(struct search *s, enum hxs_kind kind, const char *env)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_due_snapshot *grown;
	size_t i;
	int r;

	r = hxs_store_ids(s->store, kind, env, &ids, s->err);
	if (r < 0)
		return r;
	grown = reallocarray(s->out->snapshots, s->out->count + ids.count + 1,
			     sizeof(*grown));
	if (!grown)
		return hxs_err_errno(s->err, ENOMEM,
				     "cannot list what is to be verified");
	s->out->snapshots = grown;
	for (i = 0; i < ids.count; i++)
		look_at(s, kind, env, ids.name[i]);
	return 0;
}

static int search_env(struct search *s, const char *env)
{
	int r = search_area(s, HXS_BACKUP, env);

	return r < 0 ? r : search_area(s, HXS_ROLLBACK, env);
}

static int by_need(const void *a, const void *b)
{
	const struct hxs_due_snapshot *x = a, *y = b;
	int r;

	if (x->ever != y->ever)
		return x->ever ? 1 : -1;
	if (x->when != y->when)
		return x->when < y->when ? -1 : 1;
	r = strcmp(x->id, y->id);
	if (r == 0)
		r = strcmp(x->env, y->env);
	return r ? r : (int)x->kind - (int)y->kind;
}

int hxs_verify_due_list(const struct hxs_store *s, const char *env,
			int64_t before, struct hxs_verify_due *out,
			struct hxs_err *err)
{
	struct search search = {
		.store = s, .before = before, .out = out, .err = err
	};
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	struct timespec now;
	size_t i;
	int r;

	hxs_clock_now(&now);
	search.now = now.tv_sec;
	if (env) {
		r = search_env(&search, env);
	} else {
		r = hxs_store_envs(s, &envs, err);
		for (i = 0; r == 0 && i < envs.count; i++)
			r = search_env(&search, envs.name[i]);
	}
	if (r == 0 && out->count)
		qsort(out->snapshots, out->count, sizeof(*out->snapshots),
		      by_need);
	return r;
}

int hxs_verify_due_bytes(const struct hxs_store *s,
			 const struct hxs_due_snapshot *one, uint64_t *out,
			 struct hxs_err *err)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	*out = 0;
	r = hxs_snapshot_open(s, one->kind, one->env, one->id, &snap, &why);
	if (r == -ENOMEM || r == -HXS_ENOSUCH) {
		if (err)
			*err = why;
		return r;
	}
	if (r == 0)
		*out = hxs_snapshot_bytes(snap);
	return 0;
}
