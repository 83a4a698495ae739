#ifndef HXS_TESTS_RETENTION_MODEL_H
#define HXS_TESTS_RETENTION_MODEL_H

/*
 * What retention means, said another way than core/format/retention.c does:
 * a calendar that is walked day by day and never computed from seconds, and
 * for each snapshot the sentence of the manual, put as a question: is it the
 * one that stands for its period, and how many periods that count are newer?
 */
#include "format/retention.h"

#include <stdio.h>
#include <string.h>

/* A day, and the week it lies in by ISO 8601. */
struct model_day {
	int year, month, day;
	int weekday; /* 1: Monday */
	int of_year; /* 1: 1 January */
};

static inline int model_leap(int year)
{
	if (year % 400 == 0)
		return 1;
	return year % 4 == 0 && year % 100 != 0;
}

static inline int model_month(int year, int month)
{
	if (month == 2)
		return 28 + model_leap(year);
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static inline void model_tomorrow(struct model_day *d)
{
	d->weekday = d->weekday == 7 ? 1 : d->weekday + 1;
	d->of_year++;
	if (d->day++ < model_month(d->year, d->month))
		return;
	d->day = 1;
	if (d->month++ < 12)
		return;
	d->month = 1;
	d->year++;
	d->of_year = 1;
}

/* The year and number of its week: those of the week's Thursday. */
static inline int model_week(const struct model_day *d)
{
	int year = d->year, thursday = d->of_year + 4 - d->weekday;

	if (thursday < 1)
		thursday += 365 + model_leap(--year);
	else if (thursday > 365 + model_leap(year))
		thursday -= 365 + model_leap(year++);
	return year * 100 + (thursday + 6) / 7;
}

#define MODEL_TAGS 3

struct model_snapshot {
	char id[HXS_ID_LEN + 1];
	int64_t period[HXS_RETENTION_PERIODS];
	bool tag[MODEL_TAGS];
	bool damaged, verified, pinned;
	bool stays;
};

static inline void model_at(struct model_snapshot *s, const struct model_day *d,
			    int hour, int minute, int second)
{
	char id[64];

	memset(s, 0, sizeof(*s));
	(void)snprintf(id, sizeof(id), "%04d%02d%02dT%02d%02d%02dZ", d->year,
		       d->month, d->day, hour, minute, second);
	memcpy(s->id, id, HXS_ID_LEN);
	s->period[HXS_RETENTION_DAILY] =
		(d->year * 100 + d->month) * 100 + d->day;
	s->period[HXS_RETENTION_WEEKLY] = model_week(d);
	s->period[HXS_RETENTION_MONTHLY] = d->year * 100 + d->month;
	s->period[HXS_RETENTION_YEARLY] = d->year;
	s->period[HXS_RETENTION_LAST] =
		s->period[HXS_RETENTION_DAILY] * 1000000 +
		(hour * 100 + minute) * 100 + second;
}

/* Whether the rule of @tag (or without one the general rule) is about @s. */
static inline bool model_in(const struct model_snapshot *s, int tag,
			    const bool ruled[MODEL_TAGS])
{
	int i;

	if (tag >= 0)
		return s->tag[tag];
	for (i = 0; i < MODEL_TAGS; i++)
		if (ruled[i] && s->tag[i])
			return false;
	return true;
}

#define MODEL_MAX 4096

/* Mark what @count periods of kind @p keep of the @n snapshots of a group. */
static inline void model_rule(struct model_snapshot *all, size_t n, int tag,
			      const bool ruled[MODEL_TAGS],
			      enum hxs_retention_period p, unsigned count)
{
	static bool stands[MODEL_MAX];
	size_t s, t;

	for (s = 0; s < n; s++) {
		stands[s] = model_in(&all[s], tag, ruled);
		/* Another one stands for its period: healthier, or newer. */
		for (t = 0; stands[s] && t < n; t++)
			if (all[t].period[p] == all[s].period[p] && t != s &&
			    (all[t].damaged == all[s].damaged
				     ? t > s
				     : all[s].damaged) &&
			    model_in(&all[t], tag, ruled))
				stands[s] = false;
	}
	for (s = 0; s < n; s++) {
		unsigned newer = 0;

		for (t = s + 1; stands[s] && t < n; t++)
			newer += stands[t] && !all[t].damaged;
		if (stands[s] && newer < count)
			all[s].stays = true;
	}
}

/* What stays of the @n snapshots, oldest first; tags are "t0", "t1", "t2". */
static inline void model_decide(const struct hxs_retention *policy,
				struct model_snapshot *all, size_t n)
{
	const struct hxs_retention_counts *counts;
	bool ruled[MODEL_TAGS] = { false };
	size_t s, i;
	unsigned p;
	int tag;

	for (s = 0; s < n; s++)
		all[s].stays = all[s].pinned || s + 1 == n;
	for (i = 0; i < policy->tag_count; i++)
		ruled[policy->tags[i].tag[1] - '0'] = true;
	for (i = 0; i <= policy->tag_count; i++) {
		tag = i ? policy->tags[i - 1].tag[1] - '0' : -1;
		counts = i ? &policy->tags[i - 1].counts : &policy->backups;
		for (p = 0; p < HXS_RETENTION_PERIODS; p++)
			model_rule(all, n, tag, ruled, p, counts->count[p]);
		for (s = 0; s < n; s++)
			if (model_in(&all[s], tag, ruled) &&
			    (i ? policy->tags[i - 1].forever : !counts->set))
				all[s].stays = true;
	}
	for (s = n; s-- > 0 && all[s].damaged;)
		;
	if (s < n)
		all[s].stays = true;
	for (s = n; s-- > 0 && !all[s].verified;)
		;
	if (s < n)
		all[s].stays = true;
}

#endif
