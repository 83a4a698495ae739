/*
 * Judging what is known of a store. Each rule is a function that looks at one
 * environment, or at the store, and adds what it finds; check_gather.c has
 * the facts.
 */
#include "verbs/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FREE_PERCENT 10u /* what is to be free where nobody says more */
#define SKEW 60 /* seconds that two machines' clocks may be apart */
/*
 * A size is far from the usual if it is less than half or more than twice the
 * median of some earlier ones, and the difference is worth a word.
 */
#define USUAL_BEFORE 10u
#define USUAL_LEAST 3u
#define USUAL_FACTOR 2u
#define USUAL_SLACK 65536u

struct judge {
	const struct hxs_check_facts *facts;
	struct hxs_check_report *out;
	int status; /* 0, or -ENOMEM */
};

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
	r->findings = NULL;
	r->count = 0;
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

/* ---- saying it ----------------------------------------------------------- */

/* @env NULL: of the store. @snap NULL: of no snapshot. @fmt: what is wrong. */
static void HXS_PRINTF(7, 8) find(struct judge *j, enum hxs_check_state state,
				  enum hxs_check_condition condition,
				  const struct hxs_check_env *env,
				  const struct hxs_check_snapshot *snap,
				  const char *action, const char *fmt, ...)
{
	struct hxs_check_finding f = { .state = state, .condition = condition };
	const char *more;
	va_list ap;
	int r;

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

/* "90 s", "45 min", "26 h", "12 days". */
#define AGE_TEXT 32
static const char *age_text(int64_t seconds, char text[AGE_TEXT])
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
	(void)snprintf(text, AGE_TEXT, "%" PRId64 " %s",
		       seconds / units[i].unit, units[i].name);
	return text;
}

#define SIZE_TEXT 32
static const char *size_text(uint64_t bytes, char text[SIZE_TEXT])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB",
					     "PiB" };
	double n = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		(void)snprintf(text, SIZE_TEXT, "%" PRIu64 " B", bytes);
		return text;
	}
	for (; n >= 1000 && i + 1 < HXS_ARRAY_LEN(units); i++)
		n /= 1024;
	(void)snprintf(text, SIZE_TEXT, "%.1f %s", n, units[i]);
	return text;
}

/* ---- the rules of an environment ----------------------------------------- */

/* The newest backup that is not known to be damaged, or NULL. */
static const struct hxs_check_snapshot *newest_good(
	const struct hxs_check_env *e)
{
	size_t i;

	for (i = e->backups; i > 0; i--)
		if (!e->snapshots[i - 1].damage)
			return &e->snapshots[i - 1];
	return NULL;
}

static void judge_age(struct judge *j, const struct hxs_check_env *e)
{
	const struct hxs_check_snapshot *s = newest_good(e);
	char age[AGE_TEXT], rpo[AGE_TEXT];
	int64_t old;

	if (!s) {
		find(j, HXS_CHECK_CRITICAL, HXS_CHECK_BACKUP, e, NULL,
		     "run 'hxsnap create @'",
		     e->backups ? "every backup of '%s' is damaged"
				: "there is no backup of '%s'",
		     e->name);
		return;
	}
	old = j->facts->now - s->made;
	if (!e->objectives.rpo || old <= (int64_t)e->objectives.rpo)
		return;
	find(j, HXS_CHECK_CRITICAL, HXS_CHECK_AGE, e, s,
	     "see why no newer one was made, then run 'hxsnap create'",
	     "the newest backup that can be used is %s old, the objective is "
	     "%s",
	     age_text(old, age), age_text((int64_t)e->objectives.rpo, rpo));
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median of those before @e's newest; false if there are too few. */
static bool usual_size(const struct hxs_check_env *e, uint64_t *out)
{
	uint64_t sizes[USUAL_BEFORE];
	size_t i, n = 0;

	for (i = e->backups - 1; i > 0 && n < USUAL_BEFORE; i--)
		if (e->snapshots[i - 1].has_bytes)
			sizes[n++] = e->snapshots[i - 1].bytes;
	if (n < USUAL_LEAST)
		return false;
	qsort(sizes, n, sizeof(*sizes), by_size);
	*out = sizes[n / 2];
	return true;
}

static void judge_size(struct judge *j, const struct hxs_check_env *e)
{
	const struct hxs_check_snapshot *s;
	char is[SIZE_TEXT], other[SIZE_TEXT];
	uint64_t usual;

	if (!e->backups)
		return;
	s = &e->snapshots[e->backups - 1];
	if (!s->has_bytes)
		return;
	if (s->bytes < e->objectives.min_size)
		find(j, HXS_CHECK_CRITICAL, HXS_CHECK_SIZE, e, s,
		     "see what its sources lost: 'hxsnap show @'",
		     "it holds %s, at least %s is asked for",
		     size_text(s->bytes, is),
		     size_text(e->objectives.min_size, other));
	if (!usual_size(e, &usual))
		return;
	if ((s->bytes < usual / USUAL_FACTOR &&
	     usual - s->bytes > USUAL_SLACK) ||
	    (s->bytes / USUAL_FACTOR > usual && s->bytes - usual > USUAL_SLACK))
		find(j, HXS_CHECK_WARNING, HXS_CHECK_USUAL, e, s,
		     "see what changed: 'hxsnap show @'",
		     "it holds %s, those before it %s", size_text(s->bytes, is),
		     size_text(usual, other));
}

static void judge_verified(struct judge *j, const struct hxs_check_env *e)
{
	int64_t every = (int64_t)e->objectives.verify_every;
	const struct hxs_check_snapshot *newest = newest_good(e), *last = NULL;
	char age[AGE_TEXT];
	size_t i;

	if (!newest)
		return; /* there are worse news */
	for (i = 0; i < e->backups; i++)
		if (e->snapshots[i].verified &&
		    (!last || e->snapshots[i].when > last->when))
			last = &e->snapshots[i];
	if (!last)
		find(j, HXS_CHECK_WARNING, HXS_CHECK_VERIFIED, e, NULL,
		     "run 'hxsnap verify @'",
		     "no backup of '%s' was ever found right by a verify",
		     e->name);
	else if (j->facts->now - last->when > every)
		find(j, HXS_CHECK_WARNING, HXS_CHECK_VERIFIED, e, last,
		     "run 'hxsnap verify --all --older-than 7d', and see to "
		     "it that something does",
		     "the last verify that passed is %s ago",
		     age_text(j->facts->now - last->when, age));
	else if (!newest->verified && j->facts->now - newest->made > every)
		find(j, HXS_CHECK_WARNING, HXS_CHECK_VERIFIED, e, newest,
		     "run 'hxsnap verify @'",
		     "the newest backup is %s old, and was never verified "
		     "since",
		     age_text(j->facts->now - newest->made, age));
}

static void judge_damage(struct judge *j, const struct hxs_check_env *e)
{
	const struct hxs_check_snapshot *s;
	size_t i;

	for (i = e->count; i > 0; i--) {
		s = &e->snapshots[i - 1];
		if (s->damage)
			find(j, HXS_CHECK_CRITICAL, HXS_CHECK_DAMAGE, e, s,
			     "run 'hxsnap verify @', and look after the disk",
			     "it is damaged: %s", s->damage);
	}
}

static void judge_drill(struct judge *j, const struct hxs_check_env *e)
{
	static const char again[] = "run 'hxsnap drill @'";
	const struct hxs_check_drill *d = &e->drill;
	int64_t every = (int64_t)e->objectives.drill_every;
	char age[AGE_TEXT];

	if (d->fault)
		find(j, HXS_CHECK_WARNING, HXS_CHECK_DRILL, e, NULL, again,
		     "the report of the last drill cannot be read: %s",
		     d->fault);
	else if (!d->there && every)
		find(j, HXS_CHECK_WARNING, HXS_CHECK_DRILL, e, NULL, again,
		     "there was no drill of '%s' yet", e->name);
	else if (d->there && !d->passed)
		find(j,
		     strcmp(d->status, "inconclusive") == 0
			     ? HXS_CHECK_WARNING
			     : HXS_CHECK_CRITICAL,
		     HXS_CHECK_DRILL, e, NULL, again,
		     "the last drill, '%s', ended as '%s'", d->id, d->status);
	else if (d->there && every && j->facts->now - d->finished > every)
		find(j, HXS_CHECK_WARNING, HXS_CHECK_DRILL, e, NULL, again,
		     "the last drill is %s ago",
		     age_text(j->facts->now - d->finished, age));
}

static void judge_waiting(struct judge *j, const struct hxs_check_env *e)
{
	int64_t left = e->confirm_until - j->facts->now;
	char age[AGE_TEXT];

	if (left >= 0)
		find(j, HXS_CHECK_WARNING, HXS_CHECK_UNCONFIRMED, e, NULL,
		     "run 'hxsnap confirm @', unless the old state is to "
		     "come back",
		     "a restore of '%s' waits for confirmation, for %s yet",
		     e->name, age_text(left, age));
	else
		find(j, HXS_CHECK_WARNING, HXS_CHECK_UNCONFIRMED, e, NULL,
		     "run 'hxsnap recover', which puts the old state back",
		     "a restore of '%s' was to be confirmed until %s ago",
		     e->name, age_text(-left, age));
}

static void judge_restore(struct judge *j, const struct hxs_check_env *e)
{
	if (e->interrupted)
		find(j, HXS_CHECK_CRITICAL, HXS_CHECK_INTERRUPTED, e, NULL,
		     "run 'hxsnap recover'",
		     "a restore of '%s' was interrupted, and waits for "
		     "recovery",
		     e->name);
	if (e->unconfirmed_fault)
		find(j, HXS_CHECK_CRITICAL, HXS_CHECK_UNCONFIRMED, e, NULL,
		     "look whether a restore is to stay: 'hxsnap confirm @'",
		     "%s", e->unconfirmed_fault);
	else if (e->unconfirmed && e->confirm_failed)
		find(j, HXS_CHECK_CRITICAL, HXS_CHECK_UNCONFIRMED, e, NULL,
		     "run 'hxsnap recover', or 'hxsnap confirm @' to keep "
		     "what there is",
		     "a restore of '%s' was not confirmed, and the old state "
		     "could not be put back",
		     e->name);
	else if (e->unconfirmed)
		judge_waiting(j, e);
}

static void judge_clock(struct judge *j, const struct hxs_check_env *e)
{
	const struct hxs_check_snapshot *s, *latest = NULL;
	char age[AGE_TEXT];
	size_t i;

	for (i = 0; i < e->count; i++) {
		s = &e->snapshots[i];
		if (!latest || s->made > latest->made)
			latest = s;
	}
	if (latest && latest->made > j->facts->now + SKEW)
		find(j, HXS_CHECK_CRITICAL, HXS_CHECK_CLOCK, e, latest,
		     "set the clock right, here or where it was made",
		     "it was made %s from now: a clock is wrong",
		     age_text(latest->made - j->facts->now, age));
}

/* ---- the rules of the store ---------------------------------------------- */

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

static void judge_free(struct judge *j, uint64_t is, uint64_t want,
		       const char *of, const char *is_text,
		       const char *want_text)
{
	if (is < want)
		find(j, is < want / 4 ? HXS_CHECK_CRITICAL : HXS_CHECK_WARNING,
		     HXS_CHECK_SPACE, NULL, NULL,
		     "make room, or keep fewer snapshots: 'hxsnap prune'",
		     "the store has %s %s left, at least %s is to be free",
		     is_text, of, want_text);
}

static void judge_space(struct judge *j)
{
	const struct hxs_check_facts *f = j->facts;
	char is[SIZE_TEXT], want[SIZE_TEXT];
	const struct hxs_check_snapshot *s;
	uint64_t bytes, need;
	unsigned percent;
	size_t i;

	most_free(f, &bytes, &percent);
	need = (uint64_t)((double)f->bytes / 100 * percent);
	if (need < bytes)
		need = bytes;
	if (f->bytes)
		judge_free(j, f->bytes_free, need, "of space",
			   size_text(f->bytes_free, is), size_text(need, want));
	need = (uint64_t)((double)f->inodes / 100 * percent);
	(void)snprintf(is, sizeof(is), "%" PRIu64, f->inodes_free);
	(void)snprintf(want, sizeof(want), "%" PRIu64, need);
	if (f->inodes)
		judge_free(j, f->inodes_free, need, "inodes", is, want);
	for (i = 0; f->bytes && i < f->env_count; i++) {
		if (!f->envs[i].backups)
			continue;
		s = &f->envs[i].snapshots[f->envs[i].backups - 1];
		if (s->has_bytes && s->bytes > f->bytes_free)
			find(j, HXS_CHECK_WARNING, HXS_CHECK_SPACE, &f->envs[i],
			     s, "make room before the next backup",
			     "it holds %s, and the store has %s left",
			     size_text(s->bytes, is),
			     size_text(f->bytes_free, want));
	}
}

static void judge_env(struct judge *j, const struct hxs_check_env *e)
{
	if (e->trouble) {
		find(j, HXS_CHECK_UNKNOWN, HXS_CHECK_ACCESS, e, NULL,
		     "see to it that this user may read the store", "%s",
		     e->trouble);
		return;
	}
	judge_age(j, e);
	judge_size(j, e);
	judge_verified(j, e);
	judge_damage(j, e);
	judge_drill(j, e);
	judge_restore(j, e);
	judge_clock(j, e);
}

int hxs_check_judge(const struct hxs_check_facts *f,
		    struct hxs_check_report *out)
{
	struct judge j = { .facts = f, .out = out };
	size_t i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < f->env_count; i++)
		judge_env(&j, &f->envs[i]);
	judge_space(&j);
	if (f->audit_fault)
		find(&j, HXS_CHECK_CRITICAL, HXS_CHECK_AUDIT, NULL, NULL,
		     "find out who changed it; keep a copy of it", "%s",
		     f->audit_fault);
	return j.status;
}
