/* What an environment's backups are to be like. */
#include "format/config_internal.h"

#include <stddef.h>
#include <string.h>

const struct hxs_config_objectives hxs_config_objectives_default = {
	/* A weekly timer, which may come some hours later than the last. */
	.verify_every = UINT64_C(8) * 24 * 3600,
};

/* "1%" to "99%". */
static bool is_part(const char *s, unsigned *percent)
{
	unsigned n = 0, digits = 0;

	for (; *s >= '0' && *s <= '9' && digits < 3; s++, digits++)
		n = n * 10 + (unsigned)(*s - '0');
	*percent = n;
	return digits && n > 0 && n < 100 && strcmp(s, "%") == 0;
}

static int parse_free(const struct hxs_json *v,
		      struct hxs_config_objectives *out, struct hxs_err *err)
{
	const char *text = NULL;
	int r = hxs_json_string(v, &text, err);

	if (r < 0)
		return r;
	out->store_free = 0;
	if (is_part(text, &out->store_free_percent))
		return 0;
	out->store_free_percent = 0;
	if (hxs_config_size(text, &out->store_free))
		return 0;
	return hxs_config_refuse(v, NULL,
				 "it is neither a size such as 5GiB nor a "
				 "part such as 10%",
				 err);
}

int hxs_config_parse_objectives(const struct hxs_json *v,
				struct hxs_config_env *env, struct hxs_err *err)
{
	static const char no_duration[] = "it is no duration such as 24h";
	struct hxs_config_objectives *o = &env->objectives;
	const struct {
		const char *key;
		bool (*right)(const char *s, uint64_t *value);
		uint64_t *out;
		const char *what;
	} members[] = {
		{ "rpo", hxs_config_duration, &o->rpo, no_duration },
		{ "rto", hxs_config_duration, &o->rto,
		  "it is no duration such as 60s" },
		{ "verify_every", hxs_config_duration, &o->verify_every,
		  no_duration },
		{ "drill_every", hxs_config_duration, &o->drill_every,
		  no_duration },
		{ "min_size", hxs_config_size, &o->min_size,
		  "it is no size such as 1MiB" },
	};
	static const char *const keys[] = { "rpo",	   "rto",
					    "min_size",	   "verify_every",
					    "drill_every", "store_free",
					    NULL };
	const struct hxs_json *member;
	const char *text = NULL;
	size_t i;
	int r;

	r = hxs_json_only_keys(v, keys, err);
	for (i = 0; r >= 0 && i < HXS_ARRAY_LEN(members); i++) {
		member = hxs_json_get(v, members[i].key);
		if (!member)
			continue;
		r = hxs_json_string(member, &text, err);
		if (r >= 0 && !members[i].right(text, members[i].out))
			r = hxs_config_refuse(member, NULL, members[i].what,
					      err);
	}
	member = hxs_json_get(v, "store_free");
	return r < 0 || !member ? r : parse_free(member, o, err);
}
