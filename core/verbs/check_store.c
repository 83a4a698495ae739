/* The rules of the store. */
#include "verbs/check_parts.h"

#include <inttypes.h>
#include <stdio.h>

#define FREE_PERCENT 10u /* what is to be free where nobody says more */

/* What all environments ask for at the most. */
static void most_free(const struct hxs_check_facts *f, uint64_t *bytes,
		      unsigned *percent)
{
	const struct hxs_config_objectives *o;
	size_t i;

	*bytes = 0;
	*percent = 0;
	for (i = 0; i < f->env_count; i++) {
		o = &f->envs[i].objectives;
		if (o->store_free > *bytes)
			*bytes = o->store_free;
		if (o->store_free_percent > *percent)
			*percent = o->store_free_percent;
	}
	if (!*bytes && !*percent)
		*percent = FREE_PERCENT;
}

static void judge_free(struct hxs_check_judge *j, uint64_t is, uint64_t want,
		       const char *of, const char *is_text,
		       const char *want_text)
{
	if (is < want)
		hxs_check_find(
			j,
			is < want / 4 ? HXS_CHECK_CRITICAL : HXS_CHECK_WARNING,
			HXS_CHECK_SPACE, NULL, NULL,
			"make room, or keep fewer snapshots: 'hxsnap prune'",
			"the store has %s %s left, at least %s is to be free",
			is_text, of, want_text);
}

static void judge_space(struct hxs_check_judge *j)
{
	const struct hxs_check_facts *f = j->facts;
	char is[HXS_CHECK_SIZE_TEXT], want[HXS_CHECK_SIZE_TEXT];
	uint64_t bytes, need;
	unsigned percent;

	if (f->bytes || f->inodes)
		hxs_check_see(j, HXS_CHECK_SPACE);
	most_free(f, &bytes, &percent);
	need = (uint64_t)((double)f->bytes / 100 * percent);
	if (need < bytes)
		need = bytes;
	if (f->bytes)
		judge_free(j, f->bytes_free, need, "of space",
			   hxs_check_size_text(f->bytes_free, is),
			   hxs_check_size_text(need, want));
	need = (uint64_t)((double)f->inodes / 100 * percent);
	(void)snprintf(is, sizeof(is), "%" PRIu64, f->inodes_free);
	(void)snprintf(want, sizeof(want), "%" PRIu64, need);
	if (f->inodes)
		judge_free(j, f->inodes_free, need, "inodes", is, want);
}

void hxs_check_store(struct hxs_check_judge *j)
{
	hxs_check_see(j, HXS_CHECK_ACCESS);
	judge_space(j);
	if (!j->facts->audit_hidden)
		hxs_check_see(j, HXS_CHECK_AUDIT);
	if (j->facts->audit_fault)
		hxs_check_find(j, HXS_CHECK_CRITICAL, HXS_CHECK_AUDIT, NULL,
			       NULL,
			       "find out who changed it; keep a copy of it",
			       "%s", j->facts->audit_fault);
}
