/*
 * Each rule looks at a group of snapshots, from the newest to the oldest, and
 * never at another rule's outcome: what stays is what any of them wants.
 */
#include "format/retention.h"

#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define SEC_PER_DAY 86400
#define DAYS_TO_MONDAY 3 /* 1 January 1970 was a Thursday */
#define FOREVER (1u << HXS_RETENTION_PERIODS)

static const char *const period_names[] = {
	[HXS_RETENTION_LAST] = "last",	   [HXS_RETENTION_DAILY] = "daily",
	[HXS_RETENTION_WEEKLY] = "weekly", [HXS_RETENTION_MONTHLY] = "monthly",
	[HXS_RETENTION_YEARLY] = "yearly",
};

const char *hxs_retention_period_name(enum hxs_retention_period period)
{
	return period_names[period];
}

void hxs_retention_plan_release(struct hxs_retention_plan *p)
{
	free(p->reasons);
	free(p->tagged);
	p->reasons = NULL;
	p->tagged = NULL;
}

bool hxs_retention_is_many(size_t count, size_t going)
{
	return going > count / 2;
}

/* ---- periods ----------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* The number that the first @n digits of an id are. */
static int64_t digits(const char *id, size_t n)
{
	int64_t value = 0;

	while (n--)
		value = value * 10 + (*id++ - '0');
	return value;
}

/* What snapshots of one period have in common, and of others have not. */
static int64_t period_of(enum hxs_retention_period period, const char *id)
{
	int64_t sec = 0, day;
	int r;

	r = hxs_clock_parse_id(id, &sec);
	assert(r == 0); /* the caller's promise */
	day = floor_div(sec, SEC_PER_DAY);
	switch (period) {
	case HXS_RETENTION_DAILY:
		return day;
	case HXS_RETENTION_WEEKLY:
		return floor_div(day + DAYS_TO_MONDAY, 7);
	case HXS_RETENTION_MONTHLY:
		return digits(id, 6);
	case HXS_RETENTION_YEARLY:
		return digits(id, 4);
	default:
		return sec;
	}
}

/* ---- one rule ---------------------------------------------------------- */

struct group {
	const struct hxs_retention_item *items;
	size_t *member; /* their numbers, newest first */
	size_t count;
};

/*
 * Of the members from @from on that are of one period: the one that stays.
 * *@next is the first one of the period before.
 */
static size_t choose(const struct group *g, enum hxs_retention_period period,
		     size_t from, size_t *next)
{
	const struct hxs_retention_item *item = &g->items[g->member[from]];
	int64_t which = period_of(period, item->id);
	size_t chosen = from, i;

	for (i = from + 1; i < g->count; i++) {
		item = &g->items[g->member[i]];
		if (period_of(period, item->id) != which)
			break;
		if (g->items[g->member[chosen]].damaged && !item->damaged)
			chosen = i;
	}
	*next = i;
	return g->member[chosen];
}

/* Call for each that a count keeps. */
typedef void (*keep_fn)(size_t item, unsigned rule, void *ctx);

static void apply(const struct group *g,
		  const struct hxs_retention_counts *counts, keep_fn keep,
		  void *ctx)
{
	unsigned period, left;
	size_t at, chosen;

	for (period = 0; period < HXS_RETENTION_PERIODS; period++) {
		left = counts->count[period];
		for (at = 0; left && at < g->count;) {
			chosen = choose(g, period, at, &at);
			keep(chosen, period, ctx);
			left -= !g->items[chosen].damaged;
		}
	}
}

/* ---- all of them ------------------------------------------------------- */

struct decision {
	const struct hxs_retention *policy;
	const struct hxs_retention_tag *tags; /* of this kind */
	size_t tag_count;
	const struct hxs_retention_counts *counts;
	struct hxs_retention_plan *plan;
	size_t tag; /* the one at work */
};

static void keep_by_count(size_t item, unsigned rule, void *ctx)
{
	struct decision *d = ctx;

	d->plan->reasons[item] |= 1u << rule;
}

static void keep_by_tag(size_t item, unsigned rule, void *ctx)
{
	struct decision *d = ctx;

	d->plan->tagged[item * d->tag_count + d->tag] |= (uint8_t)(1u << rule);
	d->plan->reasons[item] |= 1u << HXS_RETENTION_TAGGED;
}

static bool has_tag(const struct hxs_retention_item *item, const char *tag)
{
	size_t i;

	for (i = 0; i < item->tag_count; i++)
		if (strcmp(item->tags[i], tag) == 0)
			return true;
	return false;
}

static bool has_ruled_tag(const struct decision *d,
			  const struct hxs_retention_item *item)
{
	size_t i;

	for (i = 0; i < d->tag_count; i++)
		if (has_tag(item, d->tags[i].tag))
			return true;
	return false;
}

/* Those with the tag at work; without one, those that none governs. */
static void gather(const struct decision *d, bool tagged, struct group *g)
{
	size_t i, count = d->plan->count;
	bool in;

	g->count = 0;
	for (i = count; i-- > 0;) {
		if (tagged)
			in = has_tag(&g->items[i], d->tags[d->tag].tag);
		else
			in = !has_ruled_tag(d, &g->items[i]);
		if (in)
			g->member[g->count++] = i;
	}
}

static void apply_rules(struct decision *d, struct group *g)
{
	const struct hxs_retention_tag *tag;
	size_t i;

	gather(d, false, g);
	if (d->counts->set)
		apply(g, d->counts, keep_by_count, d);
	for (i = 0; !d->counts->set && i < g->count; i++)
		d->plan->reasons[g->member[i]] |= 1u << HXS_RETENTION_UNSET;
	for (d->tag = 0; d->tag < d->tag_count; d->tag++) {
		tag = &d->tags[d->tag];
		gather(d, true, g);
		for (i = 0; tag->forever && i < g->count; i++)
			keep_by_tag(g->member[i], HXS_RETENTION_PERIODS, d);
		if (!tag->forever)
			apply(g, &tag->counts, keep_by_tag, d);
	}
}

static void keep(struct decision *d, size_t item, unsigned reason)
{
	d->plan->reasons[item] |= 1u << reason;
}

/* What no rule may take: the last backups that one would go back to. */
static void keep_newest(struct decision *d,
			const struct hxs_retention_item *items)
{
	bool healthy = false, verified = false, proven = false;
	size_t i;

	for (i = d->plan->count; i-- > 0;) {
		const struct hxs_retention_item *item = &items[i];

		if (i == d->plan->count - 1 || (!healthy && !item->damaged))
			keep(d, i, HXS_RETENTION_NEWEST);
		if ((!verified && item->verified) ||
		    (!proven && item->verified && item->proven))
			keep(d, i, HXS_RETENTION_VERIFIED);
		healthy |= !item->damaged;
		verified |= item->verified;
		proven |= item->verified && item->proven;
	}
}

static void keep_held(struct decision *d,
		      const struct hxs_retention_item *items)
{
	size_t i;

	for (i = 0; i < d->plan->count; i++) {
		d->plan->reasons[i] |= items[i].held;
		if (d->tag_count && items[i].tags_unknown)
			keep(d, i, HXS_RETENTION_UNKNOWN);
	}
}

static int check_dates(const struct hxs_retention_item *items, size_t count,
		       int64_t now, struct hxs_err *err)
{
	char at[HXS_RFC3339_LEN + 1] = "?"; /* no date */
	int64_t sec = 0;
	size_t i;
	int r;

	for (i = 0; i < count; i++) {
		r = hxs_clock_parse_id(items[i].id, &sec);
		assert(r == 0); /* the caller's promise */
		assert(i == 0 || strcmp(items[i - 1].id, items[i].id) < 0);
	}
	if (count == 0 || sec <= now)
		return 0;
	(void)hxs_clock_format_rfc3339(now, at); /* else it stays so */
	(void)hxs_err_set(err, HXS_EDENIED,
			  "refused: snapshot '%s' is dated in the future: it "
			  "is '%s' by the clock",
			  items[count - 1].id, at);
	hxs_err_hint(err, "was the clock set back? Set it right, wait, or "
			  "remove that snapshot");
	return -HXS_EDENIED;
}

int hxs_retention_decide(const struct hxs_retention *policy, bool rollbacks,
			 const struct hxs_retention_item *items, size_t count,
			 int64_t now, struct hxs_retention_plan *out,
			 struct hxs_err *err)
{
	HXS_AUTO_RETENTION_PLAN struct hxs_retention_plan plan = {
		.policy = policy,
		.count = count,
	};
	struct decision d = {
		.policy = policy,
		.tags = policy->tags,
		.tag_count = rollbacks ? 0 : policy->tag_count,
		.counts = rollbacks ? &policy->rollbacks : &policy->backups,
		.plan = &plan,
	};
	HXS_AUTO_FREE size_t *member = NULL;
	struct group g = { .items = items };
	size_t i;
	int r;

	r = check_dates(items, count, now, err);
	if (r < 0)
		return r;
	plan.reasons = calloc(count + 1, sizeof(*plan.reasons));
	plan.tagged = calloc(count + 1, d.tag_count + 1);
	member = calloc(count + 1, sizeof(*member));
	if (!plan.reasons || !plan.tagged || !member)
		return hxs_err_errno(err, ENOMEM, "cannot tell what stays");
	g.member = member;
	apply_rules(&d, &g);
	if (!rollbacks)
		keep_newest(&d, items);
	keep_held(&d, items);
	for (i = 0; i < count; i++)
		plan.going += plan.reasons[i] == 0;
	*out = plan;
	plan.reasons = NULL;
	plan.tagged = NULL;
	return 0;
}

/* ---- telling why ------------------------------------------------------- */

static int tell_tag(const struct hxs_retention_plan *p, size_t n, size_t tag,
		    hxs_retention_fn fn, void *ctx)
{
	unsigned bits = p->tagged[n * p->policy->tag_count + tag], i;
	int r = 0;

	for (i = 0; r == 0 && i <= HXS_RETENTION_PERIODS; i++) {
		HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;

		if (!(bits & (1u << i)))
			continue;
		r = hxs_buf_printf(&text, "tag '%s': %s",
				   p->policy->tags[tag].tag,
				   1u << i == FOREVER ? "forever"
						      : period_names[i]);
		if (r == 0)
			r = fn(hxs_buf_str(&text), ctx);
	}
	return r;
}

int hxs_retention_each_reason(const struct hxs_retention_plan *p, size_t n,
			      hxs_retention_fn fn, void *ctx)
{
	static const char *const texts[] = {
		[HXS_RETENTION_UNSET] = "no retention is set",
		[HXS_RETENTION_NEWEST] = "newest",
		[HXS_RETENTION_VERIFIED] = "newest verified",
		[HXS_RETENTION_PINNED] = "kept",
		[HXS_RETENTION_IN_USE] = "in use",
		[HXS_RETENTION_UNFINISHED] = "a restore has not ended",
		[HXS_RETENTION_UNCONFIRMED] =
			"a restore waits for confirmation",
		[HXS_RETENTION_UNKNOWN] = "its tags cannot be read",
	};
	unsigned i;
	size_t tag;
	int r = 0;

	for (i = 0; r == 0 && i < HXS_RETENTION_REASONS; i++) {
		if (!(p->reasons[n] & (1u << i)))
			continue;
		if (i < HXS_RETENTION_PERIODS) {
			r = fn(period_names[i], ctx);
			continue;
		}
		if (i != HXS_RETENTION_TAGGED) {
			r = fn(texts[i], ctx);
			continue;
		}
		for (tag = 0; r == 0 && tag < p->policy->tag_count; tag++)
			r = tell_tag(p, n, tag, fn, ctx);
	}
	return r;
}
