/* Saying what is wrong, and judging one after the other. */
#include "verbs/check_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hxs_check_see(struct hxs_check_judge *j, enum hxs_check_condition c)
{
	*j->judged |= 1u << c;
}

void hxs_check_find(struct hxs_check_judge *j, enum hxs_check_state state,
		    enum hxs_check_condition condition,
		    const struct hxs_check_env *env,
		    const struct hxs_check_snapshot *snap, const char *action,
		    const char *fmt, ...)
{
	struct hxs_check_finding f = { .state = state, .condition = condition };
	const char *more;
	va_list ap;
	int r;

	hxs_check_see(j, condition);
	if (env)
		(void)snprintf(f.env, sizeof(f.env), "%s", env->name);
	if (env && snap)
		hxs_ref_format(snap->kind, env->name, snap->id, f.object);
	va_start(ap, fmt);
	(void)vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	/* What it is about: the snapshot, else the environment. */
	more = strchr(action, '@');
	if (more)
		(void)snprintf(f.action, sizeof(f.action), "%.*s%s%s",
			       (int)(more - action), action,
			       *f.object ? f.object : f.env, more + 1);
	else
		(void)snprintf(f.action, sizeof(f.action), "%s", action);
	r = hxs_check_add(j->out, &f);
	if (r < 0)
		j->status = r;
}

const char *hxs_check_age_text(int64_t seconds, char text[HXS_CHECK_AGE_TEXT])
{
	static const struct {
		int64_t below, unit;
		const char *name;
	} units[] = {
		{ 120, 1, "s" },
		{ 120 * 60, 60, "min" },
		{ 48 * 3600, 3600, "h" },
		{ INT64_MAX, 86400, "days" },
	};
	size_t i = 0;

	while (seconds >= units[i].below && i + 1 < HXS_ARRAY_LEN(units))
		i++;
	(void)snprintf(text, HXS_CHECK_AGE_TEXT, "%" PRId64 " %s",
		       seconds / units[i].unit, units[i].name);
	return text;
}

const char *hxs_check_size_text(uint64_t bytes, char text[HXS_CHECK_SIZE_TEXT])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB",
					     "PiB" };
	double n = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		(void)snprintf(text, HXS_CHECK_SIZE_TEXT, "%" PRIu64 " B",
			       bytes);
		return text;
	}
	for (; n >= 1000 && i + 1 < HXS_ARRAY_LEN(units); i++)
		n /= 1024;
	(void)snprintf(text, HXS_CHECK_SIZE_TEXT, "%.1f %s", n, units[i]);
	return text;
}

int hxs_check_judge(const struct hxs_check_facts *f,
		    struct hxs_check_report *out)
{
	struct hxs_check_judge j = { .facts = f, .out = out };
	size_t i;

	memset(out, 0, sizeof(*out));
	out->judged = calloc(f->env_count + 1, sizeof(*out->judged));
	if (!out->judged)
		return -ENOMEM;
	out->judged_count = f->env_count + 1;
	for (i = 0; i < f->env_count; i++) {
		j.judged = &out->judged[i];
		hxs_check_env(&j, &f->envs[i]);
	}
	j.judged = &out->judged[i];
	hxs_check_store(&j);
	return j.status;
}
