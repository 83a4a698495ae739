/* What the configuration says of how long snapshots stay. */
#include "format/config_internal.h"

#include <errno.h>
#include <string.h>

#define KEPT_MAX 100000

void hxs_config_release_retention(struct hxs_config_env *env)
{
	struct hxs_retention *policy = &env->retention;
	size_t i;

	for (i = 0; i < policy->tag_count; i++)
		free(policy->tags[i].tag);
	free(policy->tags);
	policy->tags = NULL;
	policy->tag_count = 0;
}

static int no_memory(struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "cannot take it in");
}

/*
 * The counts of one policy. One that names no count, or only noughts, would
 * keep nothing at all: nobody means that, whoever writes it.
 */
static int parse_counts(const struct hxs_json *v, bool may_have_none,
			struct hxs_retention_counts *out, struct hxs_err *err)
{
	const struct hxs_json *member;
	bool any = false;
	int64_t n = 0;
	unsigned i;
	int r;

	for (i = 0; i < HXS_RETENTION_PERIODS; i++) {
		member = hxs_json_get(v, hxs_retention_period_name(i));
		if (!member)
			continue;
		r = hxs_json_int(member, &n, err);
		if (r < 0)
			return r;
		if (n < 0 || n > KEPT_MAX)
			return hxs_config_refuse(member, NULL,
						 "it is not from 0 to 100000",
						 err);
		out->count[i] = (unsigned)n;
		out->set = true;
		any |= n > 0;
	}
	if (!out->set && !may_have_none)
		return hxs_config_refuse(v, NULL, "it sets no count", err);
	if (out->set && !any)
		return hxs_config_refuse(v, NULL, "it would keep nothing", err);
	return 0;
}

static int parse_rollbacks(const struct hxs_json *v,
			   struct hxs_retention *policy, struct hxs_err *err)
{
	static const char *const keys[] = { "last",    "daily",	 "weekly",
					    "monthly", "yearly", NULL };
	int r = hxs_json_only_keys(v, keys, err);

	return r < 0 ? r : parse_counts(v, false, &policy->rollbacks, err);
}

/* {"keep": "forever"}, or counts. */
static int parse_tag(const struct hxs_json *v, struct hxs_retention_tag *out,
		     struct hxs_err *err)
{
	static const char *const keys[] = { "keep",   "last",	 "daily",
					    "weekly", "monthly", "yearly",
					    NULL };
	const struct hxs_json *keep;
	const char *text = NULL;
	int r;

	r = hxs_json_only_keys(v, keys, err);
	if (r < 0)
		return r;
	keep = hxs_json_get(v, "keep");
	r = parse_counts(v, keep != NULL, &out->counts, err);
	if (r < 0 || !keep)
		return r;
	r = hxs_json_string(keep, &text, err);
	if (r < 0)
		return r;
	if (strcmp(text, "forever") != 0)
		return hxs_config_refuse(keep, NULL, "it is not \"forever\"",
					 err);
	if (out->counts.set)
		return hxs_config_refuse(v, NULL,
					 "it says both \"forever\" and a "
					 "count",
					 err);
	out->forever = true;
	return 0;
}

static int tag_by_name(const void *a, const void *b)
{
	const struct hxs_retention_tag *x = a, *y = b;

	return strcmp(x->tag, y->tag);
}

static int parse_tags(const struct hxs_json *v, struct hxs_retention *policy,
		      struct hxs_err *err)
{
	const struct hxs_json *c;
	int r;

	r = hxs_json_expect(v, HXS_JSON_OBJECT, err);
	if (r < 0)
		return r;
	if (!hxs_json_first(v))
		return hxs_config_refuse(v, NULL, "it is empty", err);
	policy->tags = calloc(hxs_config_count(v) + 1, sizeof(*policy->tags));
	if (!policy->tags)
		return no_memory(err);
	for (c = hxs_json_first(v); c; c = hxs_json_next(c)) {
		struct hxs_retention_tag *tag =
			&policy->tags[policy->tag_count];

		if (*hxs_json_key(c) == '\0')
			return hxs_config_refuse(v, NULL, "a tag is empty",
						 err);
		tag->tag = strdup(hxs_json_key(c));
		if (!tag->tag)
			return no_memory(err);
		policy->tag_count++;
		r = parse_tag(c, tag, err);
		if (r < 0)
			return r;
	}
	qsort(policy->tags, policy->tag_count, sizeof(*policy->tags),
	      tag_by_name);
	return 0;
}

int hxs_config_parse_retention(const struct hxs_json *v,
			       struct hxs_config_env *env, struct hxs_err *err)
{
	static const char *const keys[] = { "last",    "daily",	 "weekly",
					    "monthly", "yearly", "rollbacks",
					    "tags",    NULL };
	struct hxs_retention *policy = &env->retention;
	const struct hxs_json *rollbacks, *tags;
	int r;

	r = hxs_json_only_keys(v, keys, err);
	if (r < 0)
		return r;
	rollbacks = hxs_json_get(v, "rollbacks");
	tags = hxs_json_get(v, "tags");
	r = parse_counts(v, rollbacks || tags, &policy->backups, err);
	if (r == 0 && rollbacks)
		r = parse_rollbacks(rollbacks, policy, err);
	if (r == 0 && tags)
		r = parse_tags(tags, policy, err);
	return r;
}
