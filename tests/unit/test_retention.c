/* The decision itself: against a table, and against a model of it. */
#include "format/retention.h"
#include "tests/unit/oom.h"
#include "tests/unit/retention_model.h"

/* ---- a table ----------------------------------------------------------- */

/*
 * Snapshots, oldest first, separated by blanks: the id without its seconds,
 * then ':' and letters: d damaged, v verified, p verified and proven, k kept,
 * u in use, r restore not ended, c not confirmed, t tags not readable, A, B a
 * tag, '-' goes.
 */
static const struct {
	const char *label;
	bool rollbacks;
	struct hxs_retention_counts counts, a, b; /* of tags A and B */
	bool forever; /* tag B */
	const char *snapshots;
} cases[] = {
#define N(...)                                        \
	{                                             \
		.set = true, .count = { __VA_ARGS__ } \
	}
	{ "no retention",
	  false,
	  { .set = false },
	  .snapshots = "20260101T0000: 20260101T0100: 20260102T0000:" },
	{ "none set for rollback points",
	  true,
	  { .set = false },
	  .snapshots = "20260101T0000: 20260101T0100:" },
	{ "the last two", false, N(2),
	  .snapshots = "20260101T0000:- 20260101T0100: 20260101T0200:" },
	{ "the last two rollback points", true, N(2),
	  .snapshots = "20260101T0000:- 20260101T0100: 20260101T0200:" },
	{ "more asked for than there are", false, N(9, 9),
	  .snapshots = "20260101T0000: 20260101T0100: 20260101T0200:" },
	{ "the newest of each day, midnight is the next one", false, N(0, 2),
	  .snapshots = "20260101T0000:- 20260101T2359:- 20260102T0000:- "
		       "20260102T2359: 20260103T0000:- 20260103T0001:" },
	{ "days that have none are no days", false, N(0, 3),
	  .snapshots = "20250101T0000:- 20250301T0000: 20260101T0100: "
		       "20260601T0200:" },
	{ "weeks end on Sunday", false, N(0, 0, 3),
	  .snapshots = "20260104T2359:- 20260105T0000:- 20260111T2359: "
		       "20260112T0000:- 20260118T2359: 20260119T0000:" },
	{ "week 53 goes on into January", false, N(0, 0, 2),
	  .snapshots = "20261227T2359:- 20261228T0000:- 20261231T0000:- "
		       "20270103T2359: 20270104T0000:" },
	{ "the first week begins in December", false, N(0, 0, 2),
	  .snapshots = "20251228T0000:- 20251229T0000:- 20260104T0000: "
		       "20260105T0000:" },
	{ "29 February is a day", false, N(0, 3),
	  .snapshots = "20280227T0000:- 20280228T0000: 20280229T0000: "
		       "20280301T0000:" },
	{ "months", false, N(0, 0, 0, 2),
	  .snapshots = "20280131T0000:- 20280201T0000:- 20280229T2359: "
		       "20280301T0000:- 20280301T0001:" },
	{ "years, and the last one", false, N(1, 0, 0, 0, 2),
	  .snapshots = "20240101T0000:- 20241231T2359:- 20250101T0000:- "
		       "20251231T2359: 20260101T0000:- 20260101T0001:" },
	{ "before 1970", false, N(0, 2, 1),
	  .snapshots = "19691228T2359:- 19691229T0000:- 19691231T2359: "
		       "19700101T0000:- 19700101T2359:" },
	{ "after 2106", false, N(0, 2),
	  .snapshots = "21060207T0628:- 21060207T0629: 21990101T0000:" },
	{ "rules add up", false, N(1, 2, 0, 1),
	  .snapshots = "20260101T0000:- 20260102T0000: 20260103T0000:- "
		       "20260103T0100:" },
	{ "a damaged one does not stand for its day", false, N(0, 2),
	  .snapshots = "20260101T0000: 20260101T0100:d- 20260102T0000:" },
	{ "a day with none but damaged ones does not count", false, N(0, 2),
	  .snapshots = "20260101T0000: 20260102T0000:d- 20260102T0100:d "
		       "20260103T0000:" },
	{ "older than what counts it goes", false, N(0, 1),
	  .snapshots = "20260102T0000:d- 20260103T0000:" },
	{ "all damaged: nothing is taken for something better", false, N(1),
	  .snapshots = "20260101T0000:d 20260102T0000:d 20260103T0000:d" },
	{ "a damaged newest stays, and what is healthy before it", false, N(1),
	  .snapshots = "20260101T0000:- 20260102T0000: 20260103T0000:d" },
	{ "the same where tags take its place", false, N(1), N(1),
	  .snapshots = "20260101T0000: 20260102T0000:A 20260103T0000:dA" },
	{ "the newest verified one, wherever it is", false, N(1),
	  .snapshots = "20260101T0000:v- 20260102T0000:v 20260103T0000: -" },
	{ "and the newest whose manifest is still that one", false, N(1),
	  .snapshots = "20260101T0000:p- 20260102T0000:p 20260103T0000:v- "
		       "20260104T0000:v 20260105T0000:" },
	{ "rollback points have no such right", true, N(1),
	  .snapshots = "20260101T0000:v- 20260102T0000:p- 20260103T0000:" },
	{ "what is held stays, and takes nobody's place", false, N(0, 2),
	  .snapshots = "20260101T0000:- 20260101T0100:k 20260102T0000:u "
		       "20260102T0100: 20260103T0000:r 20260103T0100:c "
		       "20260103T0200:" },
	{ "a rollback point of a restore", true, N(1),
	  .snapshots = "20260101T0000:r 20260102T0000:c 20260103T0000:-k "
		       "20260104T0000:" },
	{ "a tag's own rule, and nobody else's", false, N(1), N(2),
	  .snapshots = "20260101T0000:A- 20260102T0000:A 20260103T0000:A "
		       "20260104T0000:- 20260105T0000:" },
	{ "two tags: any of them", false, N(1), N(1), N(0, 0, 0, 1),
	  .snapshots = "20260101T0000:AB- 20260102T0000:B- 20260103T0000:AB "
		       "20260103T0100:A 20260103T0200:" },
	{ "for ever", false, N(1), N(1), .forever = true,
	  .snapshots = "20260101T0000:AB 20260102T0000:A- 20260103T0000:A "
		       "20260104T0000:" },
	{ "a tag alone rules nothing else",
	  false,
	  { .set = false },
	  N(1),
	  .snapshots = "20260101T0000:A- 20260102T0000:A 20260103T0000: "
		       "20260104T0000:" },
	{ "tags that cannot be read might be for ever", false, N(1), N(1),
	  .snapshots = "20260101T0000:td 20260102T0000:- 20260103T0000:" },
	{ "without a rule of any they do not matter", false, N(1),
	  .snapshots = "20260101T0000:td- 20260102T0000:- 20260103T0000:" },
	{ "rollback points have no tags", true, N(1), N(9),
	  .snapshots = "20260101T0000:A- 20260102T0000:A" },
	{ "one", false, N(1), .snapshots = "20260101T0000:" },
	{ "none", false, N(1), .snapshots = "" },
};

#define MANY 100
static char tag_a[] = "A", tag_b[] = "B";
static char *const tags_a[] = { tag_a, tag_b };
static char *const tags_b[] = { tag_b };

/* @want[i] is whether it stays. */
static size_t read_snapshots(const char *text, struct hxs_retention_item *items,
			     bool *want)
{
	size_t n = 0;

	for (; *text; text += strcspn(text, " "), text += strspn(text, " ")) {
		struct hxs_retention_item *item = &items[n];
		const char *p = text + 14, *end = text + strcspn(text, " ");
		bool a, b;

		if (*text == '-') /* of the one before */
			continue;
		memset(item, 0, sizeof(*item));
		(void)snprintf(item->id, sizeof(item->id), "%.13s00Z", text);
		a = memchr(p, 'A', (size_t)(end - p)) != NULL;
		b = memchr(p, 'B', (size_t)(end - p)) != NULL;
		item->tags = a ? tags_a : tags_b;
		item->tag_count = (size_t)a + (size_t)b;
#define HAS(c) (memchr(p, (c), (size_t)(end - p)) != NULL)
		item->damaged = HAS('d');
		item->tags_unknown = HAS('t');
		item->proven = HAS('p');
		item->verified = HAS('v') || HAS('p');
		item->held = (unsigned)HAS('k') << HXS_RETENTION_PINNED |
			     (unsigned)HAS('u') << HXS_RETENTION_IN_USE |
			     (unsigned)HAS('r') << HXS_RETENTION_UNFINISHED |
			     (unsigned)HAS('c') << HXS_RETENTION_UNCONFIRMED;
		want[n++] = item->held || !HAS('-');
	}
	return n;
}

static void test_case(size_t c)
{
	HXS_AUTO_RETENTION_PLAN struct hxs_retention_plan plan =
		HXS_RETENTION_PLAN_INIT;
	struct hxs_retention_tag tags[2] = {
		{ .tag = tag_a, .counts = cases[c].a },
		{ .tag = tag_b,
		  .counts = cases[c].b,
		  .forever = cases[c].forever },
	};
	struct hxs_retention policy = { .tags = tags };
	struct hxs_retention_item items[MANY];
	struct hxs_err err = HXS_ERR_INIT;
	bool want[MANY];
	size_t n, i, going = 0;

	if (cases[c].rollbacks)
		policy.rollbacks = cases[c].counts;
	else
		policy.backups = cases[c].counts;
	if (cases[c].a.set)
		policy.tag_count = cases[c].b.set || cases[c].forever ? 2 : 1;
	n = read_snapshots(cases[c].snapshots, items, want);
	is_int(hxs_retention_decide(&policy, cases[c].rollbacks, items, n,
				    INT64_MAX, &plan, &err),
	       0, "%s", cases[c].label);
	for (i = 0; i < n; i++) {
		ok((plan.reasons[i] != 0) == want[i], "%s: %s %s",
		   cases[c].label, items[i].id, want[i] ? "stays" : "goes");
		going += !want[i];
	}
	is_int((long long)plan.going, (long long)going, "%s: counted",
	       cases[c].label);
}

/* ---- reasons ----------------------------------------------------------- */

static int join(const char *reason, void *ctx)
{
	char *text = ctx;
	size_t used = strlen(text);

	(void)snprintf(text + used, 512 - used, "%s%s", used ? "; " : "",
		       reason);
	return 0;
}

static int stop(const char *reason, void *ctx)
{
	(void)join(reason, ctx);
	return 7;
}

static void test_reasons(void)
{
	HXS_AUTO_RETENTION_PLAN struct hxs_retention_plan plan =
		HXS_RETENTION_PLAN_INIT;
	struct hxs_retention_tag tags[2] = {
		{ .tag = tag_a, .counts = N(1, 0, 0, 1) },
		{ .tag = tag_b, .forever = true },
	};
	struct hxs_retention policy = {
		.backups = N(1, 1, 1, 1, 1),
		.tags = tags,
		.tag_count = 2,
	};
	static const char *const want[] = {
		"",
		("kept; in use; a restore has not ended; a restore waits for "
		 "confirmation"),
		"its tags cannot be read",
		"tag 'A': last; tag 'A': monthly; tag 'B': forever",
		"newest verified",
		"last; daily; weekly; monthly; yearly; newest",
	};
	struct hxs_retention_item items[8];
	bool stays[8];
	char text[512];
	size_t n, i;

	n = read_snapshots("20260101T0000: 20260102T0000:kurc "
			   "20260103T0000:td 20260104T0000:AB "
			   "20260105T0000:v 20260105T0100:",
			   items, stays);
	is_int(hxs_retention_decide(&policy, false, items, n, INT64_MAX, &plan,
				    NULL),
	       0, "six snapshots");
	for (i = 0; i < n; i++) {
		text[0] = '\0';
		is_int(hxs_retention_each_reason(&plan, i, join, text), 0,
		       "reasons of %s", items[i].id);
		is_str(text, want[i], "they are the right ones");
	}
	text[0] = '\0';
	is_int(hxs_retention_each_reason(&plan, 3, stop, text), 7,
	       "whoever is told can stop it");
	is_str(text, "tag 'A': last", "at once");
	hxs_retention_plan_release(&plan);
	policy.backups.set = false;
	policy.tag_count = 0;
	is_int(hxs_retention_decide(&policy, false, items, 1, INT64_MAX, &plan,
				    NULL),
	       0, "no retention");
	text[0] = '\0';
	(void)hxs_retention_each_reason(&plan, 0, join, text);
	is_str(text, "no retention is set; newest", "is a reason");
}

static void test_many(void)
{
	static const struct {
		size_t count, going;
		bool many;
	} some[] = {
		{ 0, 0, false },
		{ 1, 0, false },
		{ 1, 1, true },
		{ 2, 1, false },
		{ 2, 2, true },
		{ 3, 1, false },
		{ 3, 2, true },
		{ 10, 5, false },
		{ 10, 6, true },
		{ SIZE_MAX, SIZE_MAX / 2, false },
		{ SIZE_MAX, SIZE_MAX, true },
	};
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(some); i++)
		ok(hxs_retention_is_many(some[i].count, some[i].going) ==
			   some[i].many,
		   "%zu of %zu", some[i].going, some[i].count);
}

/* ---- clocks ------------------------------------------------------------ */

static void test_clock(void)
{
	struct hxs_retention policy = { .backups = N(1) };
	struct hxs_retention_item items[2] = {
		{ .id = "20260205T152859Z" },
		{ .id = "20260205T152900Z" },
	};
	static const struct {
		const char *label;
		int64_t now;
		bool refused;
	} clocks[] = {
		{ "the very second", 1770305340, false },
		{ "one before", 1770305339, true },
		{ "between them", 1770305339, true },
		{ "1970", 0, true },
		{ "before that", -1000000000000, true },
		{ "no date at all", INT64_MIN, true },
		{ "after 2038", 4000000000, false },
		{ "after everything", INT64_MAX, false },
	};
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(clocks); i++) {
		HXS_AUTO_RETENTION_PLAN struct hxs_retention_plan plan =
			HXS_RETENTION_PLAN_INIT;
		struct hxs_err err = HXS_ERR_INIT;
		int r = hxs_retention_decide(&policy, i % 2, items, 2,
					     clocks[i].now, &plan, &err);

		is_int(r, clocks[i].refused ? -HXS_EDENIED : 0, "%s",
		       clocks[i].label);
		ok(!clocks[i].refused ||
			   (strstr(err.message, "20260205T152900Z") &&
			    strstr(err.message, "future") && err.hint[0] &&
			    !plan.reasons),
		   "%s: %s", clocks[i].label, err.message);
	}
}

/* ---- years ------------------------------------------------------------- */

static int64_t fake_now;

static void now(struct timespec *out, void *ctx HXS_UNUSED)
{
	*out = (struct timespec){ .tv_sec = fake_now };
}

static void wait_until(int64_t sec, void *ctx HXS_UNUSED)
{
	fake_now = sec;
}

static char t0[] = "t0", t1[] = "t1", t2[] = "t2";
static char *const names[] = { t0, t1, t2 };

#define ALL MODEL_MAX
static struct model_snapshot model[ALL];
static struct hxs_retention_item items_[ALL];
static char *tags_[ALL][MODEL_TAGS];
static size_t count_;
static uint64_t decisions, differences, gone;

static void take_item(const struct model_snapshot *s, size_t i)
{
	struct hxs_retention_item *item = &items_[i];
	size_t t;

	memset(item, 0, sizeof(*item));
	memcpy(item->id, s->id, sizeof(item->id));
	item->tags = tags_[i];
	for (t = 0; t < MODEL_TAGS; t++)
		if (s->tag[t])
			tags_[i][item->tag_count++] = names[t];
	item->damaged = s->damaged;
	item->verified = s->verified;
	item->proven = s->verified;
	item->held = s->pinned ? 1u << HXS_RETENTION_PINNED : 0;
}

/* Decide both ways, compare, and remove what goes. */
static void prune(const struct hxs_retention *policy)
{
	HXS_AUTO_RETENTION_PLAN struct hxs_retention_plan plan =
		HXS_RETENTION_PLAN_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	struct timespec ts;
	size_t i, kept = 0;

	for (i = 0; i < count_; i++)
		take_item(&model[i], i);
	model_decide(policy, model, count_);
	hxs_clock_now(&ts);
	decisions++;
	if (hxs_retention_decide(policy, false, items_, count_, ts.tv_sec,
				 &plan, &err) < 0) {
		differences++;
		return;
	}
	for (i = 0; i < count_; i++) {
		if ((plan.reasons[i] != 0) != model[i].stays &&
		    differences++ < 5)
			fprintf(stderr, "# %s: %s, by the model it %s\n",
				model[i].id, plan.reasons[i] ? "stays" : "goes",
				model[i].stays ? "stays" : "goes");
		if (model[i].stays)
			model[kept++] = model[i];
		else
			gone++;
	}
	count_ = kept;
}

/* The clock and the calendar must say the same. */
static void set_clock(const struct model_snapshot *s, int64_t sec)
{
	char id[HXS_ID_LEN + 1];

	fake_now = sec;
	if (hxs_clock_format_id(sec, id) < 0 || strcmp(id, s->id) != 0) {
		fprintf(stderr, "# %s is %s by the clock\n", s->id, id);
		differences++;
	}
}

static uint64_t seed = 88172645463325252;

static unsigned chance(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

/* Four backups a day from @first, a 1 January and @weekday, on. */
static void years(const struct hxs_retention *policy, int first, int weekday,
		  int64_t since, int how_many)
{
	struct model_day day = { first, 1, 1, weekday, 1 };
	int64_t sec = since;
	int turn;

	count_ = 0;
	while (day.year < first + how_many) {
		for (turn = 0; turn < 4; turn++, sec += 21600) {
			model_at(&model[count_], &day, turn * 6, 0, 0);
			set_clock(&model[count_++], sec);
			prune(policy);
		}
		model_tomorrow(&day);
	}
}

static void test_years(void)
{
	static const struct hxs_retention policies[] = {
		{ .backups = N(3, 30, 12, 12, 7) },
		{ .backups = N(0, 0, 53, 0, 0) },
		{ .backups = N(0, 1, 0, 25, 0) },
		{ .backups = N(5, 0, 2, 0, 3) },
	};
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(policies); i++) {
		decisions = differences = gone = 0;
		years(&policies[i], 2024, 1, 1704067200, 10);
		is_int((long long)decisions, 4 * 3653,
		       "policy %zu, ten years: pruned after each backup", i);
		is_int((long long)differences, 0, "never unlike the model");
		ok(gone > 14000 && count_ > 3, "%zu stay, %llu went", count_,
		   (unsigned long long)gone);
	}
	/* A century that has no leap day; 32 bits end in it. */
	decisions = differences = gone = 0;
	years(&policies[0], 2096, 7, 3976214400, 11);
	is_int((long long)decisions, 4 * 4017, "2096 to 2106");
	is_int((long long)differences, 0, "never unlike the model");
}

static unsigned some_count(void)
{
	return chance(3) ? 0 : chance(chance(2) ? 4 : 20);
}

static void random_counts(struct hxs_retention_counts *c)
{
	unsigned i;

	c->set = true;
	for (i = 0; i < HXS_RETENTION_PERIODS; i++)
		c->count[i] = some_count();
	c->count[chance(HXS_RETENTION_PERIODS)] += 1;
}

static void random_policy(struct hxs_retention *policy,
			  struct hxs_retention_tag tags[MODEL_TAGS])
{
	size_t i;

	memset(policy, 0, sizeof(*policy));
	memset(tags, 0, MODEL_TAGS * sizeof(*tags));
	if (chance(8))
		random_counts(&policy->backups);
	policy->tags = tags;
	for (i = 0; i < MODEL_TAGS; i++) {
		if (chance(2))
			continue;
		tags[policy->tag_count].tag = names[i];
		if (chance(4) == 0)
			tags[policy->tag_count].forever = true;
		else
			random_counts(&tags[policy->tag_count].counts);
		policy->tag_count++;
	}
}

/* What happens to snapshots in the course of time. */
static void happen(void)
{
	struct model_snapshot *s = &model[chance((unsigned)count_)];

	switch (chance(12)) {
	case 0:
		s->damaged = true;
		s->verified = false;
		break;
	case 1:
	case 2:
		s->damaged = false;
		s->verified = true;
		break;
	case 3:
		s->pinned = chance(2);
		break;
	default:
		break;
	}
}

/* Backups at odd times with odd gaps, an odd policy that changes, too. */
static void odd_years(void)
{
	struct model_day day = { 2024, 1, 1, 1, 1 };
	struct hxs_retention_tag tags[MODEL_TAGS];
	struct hxs_retention policy;
	int64_t midnight = 1704067200, left;
	int second = 0, i;
	unsigned t, days;

	count_ = 0;
	random_policy(&policy, tags);
	for (i = 0; i < 250; i++) {
		second += 1 + (int)chance(chance(2) ? 40000 : 400000);
		days = chance(20) ? 0 : chance(500);
		for (left = second / 86400 + days; left; left--) {
			model_tomorrow(&day);
			midnight += 86400;
		}
		second %= 86400;
		model_at(&model[count_], &day, second / 3600, second / 60 % 60,
			 second % 60);
		for (t = 0; t < MODEL_TAGS; t++)
			model[count_].tag[t] = chance(5) == 0;
		model[count_].damaged = chance(10) == 0;
		set_clock(&model[count_++], midnight + second);
		happen();
		if (chance(60) == 0)
			random_policy(&policy, tags);
		if (chance(4)) /* not after each */
			prune(&policy);
	}
}

static void test_odd_years(void)
{
	const char *wish = getenv("HXS_SEED");
	int i;

	if (wish)
		seed = strtoull(wish, NULL, 10) | 1;
	printf("# HXS_SEED=%llu\n", (unsigned long long)seed);
	decisions = differences = gone = 0;
	for (i = 0; i < 200; i++)
		odd_years();
	is_int((long long)differences, 0,
	       "%llu decisions by odd policies: never unlike the model",
	       (unsigned long long)decisions);
	ok(decisions > 30000 && gone > 10000, "%llu snapshots went",
	   (unsigned long long)gone);
}

/* ---- memory ------------------------------------------------------------ */

static int decide(void)
{
	HXS_AUTO_RETENTION_PLAN struct hxs_retention_plan plan =
		HXS_RETENTION_PLAN_INIT;
	struct hxs_retention_tag tag = { .tag = tag_a, .counts = N(1) };
	struct hxs_retention policy = { .backups = N(1),
					.tags = &tag,
					.tag_count = 1 };
	struct hxs_retention_item items[4];
	bool want[4];
	char text[512] = "";
	size_t n =
		read_snapshots("20260101T0000: 20260102T0000:A", items, want);
	int r;

	r = hxs_retention_decide(&policy, false, items, n, INT64_MAX, &plan,
				 NULL);
	return r < 0 ? r : hxs_retention_each_reason(&plan, 1, join, text);
}

int main(void)
{
	static const struct hxs_clock clock_ = { .now = now,
						 .wait_until = wait_until };
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++)
		test_case(i);
	test_reasons();
	test_many();
	test_clock();
	hxs_clock_set(&clock_);
	test_years();
	test_odd_years();
	hxs_clock_set(NULL);
	oom_each("a decision", decide);
	return tap_done();
}
