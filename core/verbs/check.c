/*
 * What check found, and in which order it is told. check_gather.c has the
 * facts, check_judge.c and the rules beside it judge them.
 */
#include "verbs/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *hxs_check_condition_name(enum hxs_check_condition c)
{
	static const char *const names[HXS_CHECK_CONDITIONS] = {
		[HXS_CHECK_BACKUP] = "backup",
		[HXS_CHECK_AGE] = "age",
		[HXS_CHECK_SIZE] = "size",
		[HXS_CHECK_USUAL] = "usual_size",
		[HXS_CHECK_VERIFIED] = "verified",
		[HXS_CHECK_DAMAGE] = "damage",
		[HXS_CHECK_DRILL] = "drill",
		[HXS_CHECK_INTERRUPTED] = "interrupted",
		[HXS_CHECK_UNCONFIRMED] = "unconfirmed",
		[HXS_CHECK_CLOCK] = "clock",
		[HXS_CHECK_SPACE] = "space",
		[HXS_CHECK_AUDIT] = "audit",
		[HXS_CHECK_ACCESS] = "access",
	};

	return names[c];
}

const char *hxs_check_state_name(enum hxs_check_state s)
{
	static const char *const names[] = { "ok", "warning", "critical",
					     "unknown" };

	return names[s];
}

static int rank(enum hxs_check_state s)
{
	static const int ranks[] = { 0, 1, 3, 2 };

	return ranks[s];
}

enum hxs_check_state hxs_check_worse(enum hxs_check_state a,
				     enum hxs_check_state b)
{
	return rank(a) >= rank(b) ? a : b;
}

void hxs_check_report_release(struct hxs_check_report *r)
{
	free(r->findings);
	free(r->judged);
	r->findings = NULL;
	r->count = 0;
	r->judged = NULL;
	r->judged_count = 0;
}

int hxs_check_add(struct hxs_check_report *r,
		  const struct hxs_check_finding *one)
{
	struct hxs_check_finding *grown;
	size_t at = r->count;

	grown = reallocarray(r->findings, r->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	r->findings = grown;
	/* Worst first, else in the order they came. */
	while (at > 0 && rank(grown[at - 1].state) < rank(one->state))
		at--;
	memmove(&grown[at + 1], &grown[at], (r->count - at) * sizeof(*grown));
	grown[at] = *one;
	r->count++;
	r->states[one->state]++;
	r->state = hxs_check_worse(r->state, one->state);
	return 0;
}

enum hxs_check_state hxs_check_state_of(const struct hxs_check_report *r,
					const char *env,
					enum hxs_check_condition c)
{
	enum hxs_check_state worst = HXS_CHECK_OK;
	size_t i;

	for (i = 0; i < r->count; i++)
		if (r->findings[i].condition == c &&
		    strcmp(r->findings[i].env, env) == 0)
			worst = hxs_check_worse(worst, r->findings[i].state);
	return worst;
}

bool hxs_check_is_judged(const struct hxs_check_report *r, size_t env,
			 enum hxs_check_condition c)
{
	return env < r->judged_count && (r->judged[env] & 1u << c);
}
