#ifndef HXS_VERBS_CHECK_PARTS_H
#define HXS_VERBS_CHECK_PARTS_H

/* How the facts are judged. For check*.c only. */
#include "verbs/check.h"

struct hxs_check_judge {
	const struct hxs_check_facts *facts;
	struct hxs_check_report *out;
	unsigned *judged; /* the conditions of what is at hand */
	int status; /* 0, or -ENOMEM */
};

/* ---- check_judge.c ------------------------------------------------------- */

/* @c is judged of what is at hand, whatever is found. */
void hxs_check_see(struct hxs_check_judge *j, enum hxs_check_condition c);

/*
 * Add a finding. @env NULL: of the store. @snap NULL: of no snapshot. In
 * @action the first '@' stands for what it is about. @fmt: what is wrong.
 */
void HXS_PRINTF(7, 8)
	hxs_check_find(struct hxs_check_judge *j, enum hxs_check_state state,
		       enum hxs_check_condition condition,
		       const struct hxs_check_env *env,
		       const struct hxs_check_snapshot *snap,
		       const char *action, const char *fmt, ...);

/* "90 s", "45 min", "26 h", "12 days". */
#define HXS_CHECK_AGE_TEXT 32
const char *hxs_check_age_text(int64_t seconds, char text[HXS_CHECK_AGE_TEXT]);

/* "12 B", "3.4 MiB". */
#define HXS_CHECK_SIZE_TEXT 32
const char *hxs_check_size_text(uint64_t bytes, char text[HXS_CHECK_SIZE_TEXT]);

/* ---- the rules: of an environment, of the store ---------------------------- */

void hxs_check_env(struct hxs_check_judge *j, const struct hxs_check_env *e);
void hxs_check_store(struct hxs_check_judge *j);

#endif
