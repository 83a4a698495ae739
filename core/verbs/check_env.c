/*
 * The rules of an environment. Each is a function that says what it judges,
 * and adds what it finds.
 */
#include "verbs/check_parts.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/*
 * A size is far from the usual if it is less than half or more than twice the
 * median of some earlier ones, and the difference is worth a word.
 */
#define USUAL_BEFORE 10u
#define USUAL_LEAST 3u
#define USUAL_FACTOR 2u
#define USUAL_SLACK 65536u

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

static void judge_age(struct hxs_check_judge *j, const struct hxs_check_env *e)
{
	const struct hxs_check_snapshot *s = newest_good(e);
	char age[HXS_CHECK_AGE_TEXT], rpo[HXS_CHECK_AGE_TEXT];
	int64_t old;

	hxs_check_see(j, HXS_CHECK_BACKUP);
	if (!s) {
		hxs_check_find(j, HXS_CHECK_CRITICAL, HXS_CHECK_BACKUP, e, NULL,
			       "run 'hxsnap create @'",
			       e->backups ? "every backup of '%s' is damaged"
					  : "there is no backup of '%s'",
			       e->name);
		return;
	}
	old = j->facts->now - s->made;
	if (!e->objectives.rpo)
		return;
	hxs_check_see(j, HXS_CHECK_AGE);
	if (old <= (int64_t)e->objectives.rpo)
		return;
	hxs_check_find(j, HXS_CHECK_CRITICAL, HXS_CHECK_AGE, e, s,
		       "see why no newer one was made, then run 'hxsnap "
		       "create'",
		       "the newest backup that can be used is %s old, the "
		       "objective is "
		       "%s",
		       hxs_check_age_text(old, age),
		       hxs_check_age_text((int64_t)e->objectives.rpo, rpo));
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

static void judge_size(struct hxs_check_judge *j, const struct hxs_check_env *e)
{
	const struct hxs_check_snapshot *s;
	char is[HXS_CHECK_SIZE_TEXT], other[HXS_CHECK_SIZE_TEXT];
	uint64_t usual;

	if (!e->backups)
		return;
	s = &e->snapshots[e->backups - 1];
	if (!s->has_bytes)
		return;
	if (e->objectives.min_size)
		hxs_check_see(j, HXS_CHECK_SIZE);
	if (s->bytes < e->objectives.min_size)
		hxs_check_find(j, HXS_CHECK_CRITICAL, HXS_CHECK_SIZE, e, s,
			       "see what its sources lost: 'hxsnap show @'",
			       "it holds %s, at least %s is asked for",
			       hxs_check_size_text(s->bytes, is),
			       hxs_check_size_text(e->objectives.min_size,
						   other));
	if (!usual_size(e, &usual))
		return;
	hxs_check_see(j, HXS_CHECK_USUAL);
	if ((s->bytes < usual / USUAL_FACTOR &&
	     usual - s->bytes > USUAL_SLACK) ||
	    (s->bytes / USUAL_FACTOR > usual && s->bytes - usual > USUAL_SLACK))
		hxs_check_find(j, HXS_CHECK_WARNING, HXS_CHECK_USUAL, e, s,
			       "see what changed: 'hxsnap show @'",
			       "it holds %s, those before it %s",
			       hxs_check_size_text(s->bytes, is),
			       hxs_check_size_text(usual, other));
}

/* Whether @when was written by a clock that was ahead. */
static bool is_ahead(const struct hxs_check_judge *j, int64_t when)
{
	return when > j->facts->now + HXS_CLOCK_SKEW;
}

/*
 * The backup that was verified last, and the newest of those whose verify has
 * a date that is yet to come: when that was, nobody knows.
 */
static const struct hxs_check_snapshot *last_verified(
	const struct hxs_check_judge *j, const struct hxs_check_env *e,
	const struct hxs_check_snapshot **ahead)
{
	const struct hxs_check_snapshot *s, *last = NULL;
	size_t i;

	*ahead = NULL;
	for (i = 0; i < e->backups; i++) {
		s = &e->snapshots[i];
		if (s->verified && is_ahead(j, s->when))
			*ahead = s;
		else if (s->verified && (!last || s->when > last->when))
			last = s;
	}
	return last;
}

static void judge_verified(struct hxs_check_judge *j,
			   const struct hxs_check_env *e)
{
	int64_t every = (int64_t)e->objectives.verify_every;
	const struct hxs_check_snapshot *newest = newest_good(e), *last, *ahead;
	char age[HXS_CHECK_AGE_TEXT];

	if (!newest)
		return; /* there are worse news */
	hxs_check_see(j, HXS_CHECK_VERIFIED);
	last = last_verified(j, e, &ahead);
	if (ahead)
		hxs_check_find(j, HXS_CHECK_WARNING, HXS_CHECK_VERIFIED, e,
			       ahead, "run 'hxsnap verify @'",
			       "its verify is dated %s from now: a clock was "
			       "wrong, and when it was is not known",
			       hxs_check_age_text(ahead->when - j->facts->now,
						  age));
	if (!last && !ahead)
		hxs_check_find(j, HXS_CHECK_WARNING, HXS_CHECK_VERIFIED, e,
			       NULL, "run 'hxsnap verify @'",
			       "no backup of '%s' was ever found right by a "
			       "verify",
			       e->name);
	else if (last && j->facts->now - last->when > every)
		hxs_check_find(j, HXS_CHECK_WARNING, HXS_CHECK_VERIFIED, e,
			       last,
			       "run 'hxsnap verify --all --older-than 7d', "
			       "and see to it that something does",
			       "the last verify that passed is %s ago",
			       hxs_check_age_text(j->facts->now - last->when,
						  age));
	else if (!newest->verified && j->facts->now - newest->made > every)
		hxs_check_find(j, HXS_CHECK_WARNING, HXS_CHECK_VERIFIED, e,
			       newest, "run 'hxsnap verify @'",
			       "the newest backup is %s old, and was never "
			       "verified since",
			       hxs_check_age_text(j->facts->now - newest->made,
						  age));
}

static void judge_damage(struct hxs_check_judge *j,
			 const struct hxs_check_env *e)
{
	const struct hxs_check_snapshot *s;
	size_t i;

	hxs_check_see(j, HXS_CHECK_DAMAGE);
	for (i = e->count; i > 0; i--) {
		s = &e->snapshots[i - 1];
		if (s->damage)
			hxs_check_find(j, HXS_CHECK_CRITICAL, HXS_CHECK_DAMAGE,
				       e, s,
				       "look after the disk, then run 'hxsnap "
				       "repair @'",
				       "it is damaged: %s", s->damage);
	}
}

static void judge_drill(struct hxs_check_judge *j,
			const struct hxs_check_env *e)
{
	static const char again[] = "run 'hxsnap drill @'";
	const struct hxs_check_drill *d = &e->drill;
	int64_t every = (int64_t)e->objectives.drill_every;
	char age[HXS_CHECK_AGE_TEXT];

	if (d->hidden)
		return;
	if (d->there || every)
		hxs_check_see(j, HXS_CHECK_DRILL);
	if (d->fault)
		hxs_check_find(j, HXS_CHECK_WARNING, HXS_CHECK_DRILL, e, NULL,
			       again,
			       "the report of the last drill cannot be read: "
			       "%s",
			       d->fault);
	else if (!d->there && every)
		hxs_check_find(j, HXS_CHECK_WARNING, HXS_CHECK_DRILL, e, NULL,
			       again, "there was no drill of '%s' yet",
			       e->name);
	else if (d->there && !d->passed)
		hxs_check_find(j,
			       strcmp(d->status, "inconclusive") == 0
				       ? HXS_CHECK_WARNING
				       : HXS_CHECK_CRITICAL,
			       HXS_CHECK_DRILL, e, NULL, again,
			       "the last drill, '%s', ended as '%s'", d->id,
			       d->status);
	else if (d->there && every && is_ahead(j, d->finished))
		hxs_check_find(j, HXS_CHECK_WARNING, HXS_CHECK_DRILL, e, NULL,
			       again,
			       "the last drill, '%s', is dated %s from now: a "
			       "clock was wrong, and when it was is not known",
			       d->id,
			       hxs_check_age_text(d->finished - j->facts->now,
						  age));
	else if (d->there && every && j->facts->now - d->finished > every)
		hxs_check_find(j, HXS_CHECK_WARNING, HXS_CHECK_DRILL, e, NULL,
			       again, "the last drill is %s ago",
			       hxs_check_age_text(j->facts->now - d->finished,
						  age));
}

static void judge_waiting(struct hxs_check_judge *j,
			  const struct hxs_check_env *e)
{
	int64_t left = e->confirm_until - j->facts->now;
	char age[HXS_CHECK_AGE_TEXT];

	if (left >= 0)
		hxs_check_find(
			j, HXS_CHECK_WARNING, HXS_CHECK_UNCONFIRMED, e, NULL,
			"run 'hxsnap confirm @', unless the old state is to "
			"come back",
			"a restore of '%s' waits for confirmation, for %s yet",
			e->name, hxs_check_age_text(left, age));
	else
		hxs_check_find(
			j, HXS_CHECK_WARNING, HXS_CHECK_UNCONFIRMED, e, NULL,
			"run 'hxsnap recover', which puts the old state back",
			"a restore of '%s' was to be confirmed until %s ago",
			e->name, hxs_check_age_text(-left, age));
}

static void judge_restore(struct hxs_check_judge *j,
			  const struct hxs_check_env *e)
{
	if (!e->restores_hidden) {
		hxs_check_see(j, HXS_CHECK_INTERRUPTED);
		hxs_check_see(j, HXS_CHECK_UNCONFIRMED);
	}
	if (e->interrupted)
		hxs_check_find(j, HXS_CHECK_CRITICAL, HXS_CHECK_INTERRUPTED, e,
			       NULL, "run 'hxsnap recover'",
			       "a restore of '%s' was interrupted, and waits "
			       "for "
			       "recovery",
			       e->name);
	if (e->unconfirmed_fault)
		hxs_check_find(j, HXS_CHECK_CRITICAL, HXS_CHECK_UNCONFIRMED, e,
			       NULL,
			       "look whether a restore is to stay: 'hxsnap "
			       "confirm @'",
			       "%s", e->unconfirmed_fault);
	else if (e->unconfirmed && e->confirm_failed)
		hxs_check_find(j, HXS_CHECK_CRITICAL, HXS_CHECK_UNCONFIRMED, e,
			       NULL,
			       "run 'hxsnap recover', or 'hxsnap confirm @' to "
			       "keep "
			       "what there is",
			       "a restore of '%s' was not confirmed, and the "
			       "old state "
			       "could not be put back",
			       e->name);
	else if (e->unconfirmed)
		judge_waiting(j, e);
}

static void judge_clock(struct hxs_check_judge *j,
			const struct hxs_check_env *e)
{
	const struct hxs_check_snapshot *s, *latest = NULL;
	char age[HXS_CHECK_AGE_TEXT];
	size_t i;

	for (i = 0; i < e->count; i++) {
		s = &e->snapshots[i];
		if (!latest || s->made > latest->made)
			latest = s;
	}
	if (latest)
		hxs_check_see(j, HXS_CHECK_CLOCK);
	if (latest && is_ahead(j, latest->made))
		hxs_check_find(j, HXS_CHECK_CRITICAL, HXS_CHECK_CLOCK, e,
			       latest,
			       "set the clock right, here or where it was made",
			       "it was made %s from now: a clock is wrong",
			       hxs_check_age_text(latest->made - j->facts->now,
						  age));
}

/* Whether one more like the newest would fit. */
static void judge_room(struct hxs_check_judge *j, const struct hxs_check_env *e)
{
	char is[HXS_CHECK_SIZE_TEXT], left[HXS_CHECK_SIZE_TEXT];
	const struct hxs_check_facts *f = j->facts;
	const struct hxs_check_snapshot *s;

	if (!f->bytes || !e->backups)
		return;
	s = &e->snapshots[e->backups - 1];
	if (!s->has_bytes)
		return;
	hxs_check_see(j, HXS_CHECK_SPACE);
	if (s->bytes > f->bytes_free)
		hxs_check_find(j, HXS_CHECK_WARNING, HXS_CHECK_SPACE, e, s,
			       "make room before the next backup",
			       "it holds %s, and the store has %s left",
			       hxs_check_size_text(s->bytes, is),
			       hxs_check_size_text(f->bytes_free, left));
}

void hxs_check_env(struct hxs_check_judge *j, const struct hxs_check_env *e)
{
	if (e->trouble) {
		hxs_check_find(j, HXS_CHECK_UNKNOWN, HXS_CHECK_ACCESS, e, NULL,
			       "see to it that this user may read the store",
			       "%s", e->trouble);
		return;
	}
	hxs_check_see(j, HXS_CHECK_ACCESS);
	judge_age(j, e);
	judge_size(j, e);
	judge_verified(j, e);
	judge_damage(j, e);
	judge_drill(j, e);
	judge_restore(j, e);
	judge_clock(j, e);
	judge_room(j, e);
}
