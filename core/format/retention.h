#ifndef HXS_FORMAT_RETENTION_H
#define HXS_FORMAT_RETENTION_H

/*
 * Which snapshots stay, by which rule, and which go. A pure decision: no I/O
 * and no clock of its own.
 *
 * A count keeps, of the newest so many periods (UTC; weeks are those of ISO
 * 8601) that have a snapshot, the newest snapshot each; "last" has a period
 * for each snapshot. Age matters nowhere: where no new backups are made, no
 * old one goes.
 *
 * A damaged snapshot never takes the place of a healthy one: of a period the
 * newest healthy one stays, and a period with none but damaged ones does not
 * count. As long as it is not older than those that do, its newest damaged
 * one stays as well: some of it may be all that there is of that time.
 *
 * A backup with a tag that has a rule of its own is governed by the rules of
 * its tags alone, and is not there for the others.
 */
#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hxs_retention_period {
	HXS_RETENTION_LAST,
	HXS_RETENTION_DAILY,
	HXS_RETENTION_WEEKLY,
	HXS_RETENTION_MONTHLY,
	HXS_RETENTION_YEARLY,
	HXS_RETENTION_PERIODS
};

struct hxs_retention_counts {
	bool set; /* else no rule, and everything stays */
	unsigned count[HXS_RETENTION_PERIODS];
};

/* The rule of a tag. */
struct hxs_retention_tag {
	char *tag;
	bool forever; /* or by counts */
	struct hxs_retention_counts counts;
};

/* The policy of an environment. */
struct hxs_retention {
	struct hxs_retention_counts backups, rollbacks;
	struct hxs_retention_tag *tags; /* backups only; sorted by tag */
	size_t tag_count;
};

/* "last" and so on, as the configuration spells it. */
const char *hxs_retention_period_name(enum hxs_retention_period period);

/* Why a snapshot stays; those of a count have its number. */
enum hxs_retention_reason {
	HXS_RETENTION_TAGGED = HXS_RETENTION_PERIODS, /* the rule of a tag */
	HXS_RETENTION_UNSET, /* no retention is set for it */
	HXS_RETENTION_NEWEST, /* the newest one, or newest healthy one */
	HXS_RETENTION_VERIFIED, /* the newest verified one */
	HXS_RETENTION_PINNED,
	HXS_RETENTION_IN_USE, /* by an operation */
	HXS_RETENTION_UNFINISHED, /* a restore has not ended */
	HXS_RETENTION_UNCONFIRMED, /* a restore waits for confirmation */
	HXS_RETENTION_UNKNOWN, /* its tags cannot be read, and have rules */
	HXS_RETENTION_REASONS
};

struct hxs_retention_item {
	char id[HXS_ID_LEN + 1];
	char *const *tags; /* borrowed */
	size_t tag_count;
	bool damaged; /* as far as is known */
	bool tags_unknown;
	bool verified; /* its last full verify passed */
	bool proven; /* ... and its manifest still is the one verified then */
	unsigned held; /* bits 1 << PINNED, IN_USE, UNFINISHED, UNCONFIRMED */
};

struct hxs_retention_plan {
	const struct hxs_retention *policy; /* borrowed */
	size_t count, going;
	unsigned *reasons; /* bits 1 << reason of each item; 0: it goes */
	/* Of each item, tag_count times: bits of counts, 1 << PERIODS: ever */
	uint8_t *tagged;
};
#define HXS_RETENTION_PLAN_INIT \
	{                       \
		.policy = NULL  \
	}
void hxs_retention_plan_release(struct hxs_retention_plan *p);
#define HXS_AUTO_RETENTION_PLAN \
	__attribute__((cleanup(hxs_retention_plan_release)))

/*
 * Decide on the @count snapshots of one environment and kind, @items, whose
 * ids ascend. *@out is the caller's to release, and borrows @policy. The
 * newest backup (and the newest that is not damaged), the newest verified one
 * and the newest proven one always stay; so does whatever is held.
 *
 * -HXS_EDENIED when one is dated after @now (seconds): either its date is
 * wrong or the clock is, and a decision would be worth nothing. -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_retention_decide(const struct hxs_retention *policy, bool rollbacks,
			 const struct hxs_retention_item *items, size_t count,
			 int64_t now, struct hxs_retention_plan *out,
			 struct hxs_err *err);

/* Whether that is more than may go at once without being asked: the half. */
bool hxs_retention_is_many(size_t count, size_t going);

/*
 * Why item @n stays, one text for each reason: "daily", "tag 'manual':
 * forever", "kept"; none if it goes. Non-zero from @fn stops and is returned.
 */
typedef int (*hxs_retention_fn)(const char *reason, void *ctx);
int hxs_retention_each_reason(const struct hxs_retention_plan *p, size_t n,
			      hxs_retention_fn fn, void *ctx);

#endif
