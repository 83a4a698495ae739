/* What a reference means in this store, now. */
#include "base/clock.h"
#include "base/path.h"
#include "store/result.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool has_env(const struct hxs_store *s, const char *env)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	size_t i;

	if (hxs_store_envs(s, &envs, NULL) < 0)
		return false;
	for (i = 0; i < envs.count; i++)
		if (strcmp(envs.name[i], env) == 0)
			return true;
	return false;
}

static int none(const struct hxs_store *s, const struct hxs_ref *ref,
		struct hxs_err *err)
{
	if (!has_env(s, ref->env)) {
		(void)hxs_err_set(err, HXS_ENOSUCH,
				  "there is no environment '%s' in the store",
				  ref->env);
		hxs_err_hint(err, "run 'hxsnap list' to see what there is");
		return -HXS_ENOSUCH;
	}
	return hxs_err_set(err, HXS_ENOSUCH, "'%s' has no %s", ref->env,
			   ref->kind == HXS_ROLLBACK ? "rollback point"
						     : "backup");
}

static int see_list(const struct hxs_ref *ref, struct hxs_err *err, int r)
{
	hxs_err_hint(err, "run 'hxsnap list %s%s' to see its snapshots",
		     ref->env, ref->kind == HXS_ROLLBACK ? " --rollbacks" : "");
	return r;
}

static void take(char id[HXS_ID_LEN + 1], const char *found)
{
	memcpy(id, found, HXS_ID_LEN + 1);
}

static int by_prefix(const struct hxs_names *ids, const struct hxs_ref *ref,
		     char id[HXS_ID_LEN + 1], struct hxs_err *err)
{
	size_t len = strlen(ref->id), i, hits = 0;

	for (i = 0; i < ids->count; i++) {
		if (strncmp(ids->name[i], ref->id, len) != 0)
			continue;
		if (hits++ == 0)
			take(id, ids->name[i]);
	}
	if (hits == 1)
		return 0;
	if (hits > 1)
		return see_list(ref, err,
				hxs_err_set(err, HXS_EUSAGE,
					    "'%s' begins the ids of %zu "
					    "snapshots of '%s'",
					    ref->id, hits, ref->env));
	return see_list(ref, err,
			hxs_err_set(err, HXS_ENOSUCH,
				    "no snapshot of '%s' has an id that begins "
				    "with '%s'",
				    ref->env, ref->id));
}

static int by_time(const struct hxs_names *ids, const struct hxs_ref *ref,
		   char id[HXS_ID_LEN + 1], struct hxs_err *err)
{
	char text[HXS_RFC3339_LEN + 1] = "then";
	int64_t sec;
	size_t i;

	for (i = ids->count; i-- > 0;) {
		if (hxs_clock_parse_id(ids->name[i], &sec) == 0 &&
		    sec <= ref->time) {
			take(id, ids->name[i]);
			return 0;
		}
	}
	(void)hxs_clock_format_rfc3339(ref->time, text); /* else "then" */
	return see_list(ref, err,
			hxs_err_set(err, HXS_ENOSUCH,
				    "'%s' has no backup from '%s' or before",
				    ref->env, text));
}

static int by_id(const struct hxs_names *ids, const struct hxs_ref *ref,
		 char id[HXS_ID_LEN + 1], struct hxs_err *err)
{
	char text[HXS_REF_TEXT];
	size_t i;

	for (i = 0; i < ids->count; i++) {
		if (strcmp(ids->name[i], ref->id) == 0) {
			take(id, ids->name[i]);
			return 0;
		}
	}
	hxs_ref_format(ref->kind, ref->env, ref->id, text);
	return see_list(ref, err,
			hxs_err_set(err, HXS_ENOSUCH,
				    "there is no snapshot '%s'", text));
}

static int by_result(const struct hxs_store *s, const struct hxs_ref *ref,
		     char id[HXS_ID_LEN + 1], struct hxs_err *err)
{
	int r = hxs_result_latest(s, ref->env, id);

	if (r > 0)
		return 0;
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot read the verify results of '%s'",
				     ref->env);
	(void)hxs_err_set(err, HXS_ENOSUCH, "'%s' has no verified backup",
			  ref->env);
	hxs_err_hint(err, "run 'hxsnap verify %s/latest' to verify the newest",
		     ref->env);
	return -HXS_ENOSUCH;
}

int hxs_store_resolve(const struct hxs_store *s, const struct hxs_ref *ref,
		      char id[HXS_ID_LEN + 1], struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	int r;

	if (ref->which == HXS_REF_ENV) {
		(void)hxs_err_set(err, HXS_EUSAGE,
				  "'%s' names an environment, not a snapshot",
				  ref->env);
		hxs_err_hint(err, "'%s/latest' is its newest", ref->env);
		return -HXS_EUSAGE;
	}
	r = hxs_store_ids(s, ref->kind, ref->env, &ids, err);
	if (r < 0)
		return r;
	if (ids.count == 0)
		return none(s, ref, err);
	switch (ref->which) {
	case HXS_REF_VERIFIED:
		return by_result(s, ref, id, err);
	case HXS_REF_ID:
		return by_id(&ids, ref, id, err);
	case HXS_REF_PREFIX:
		return by_prefix(&ids, ref, id, err);
	case HXS_REF_TIME:
		return by_time(&ids, ref, id, err);
	default:
		take(id, ids.name[ids.count - 1]);
		return 0;
	}
}
