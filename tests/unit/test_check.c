#include "verbs/check.h"

#include "tests/lib/tap.h"

#include <string.h>

#define NOW 1795286794 /* 2026-11-21T18:46:34Z */
#define HOUR 3600
#define DAY (24 * HOUR)
#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/*
 * A store in which all is well: five backups of 1 MiB, one a day, the newest
 * an hour old and verified, a rollback point, half of the disk free.
 */
struct fixture {
	struct hxs_check_snapshot snap[8];
	struct hxs_check_env env;
	struct hxs_check_facts facts;
};

static void put(struct fixture *f, enum hxs_kind kind, int64_t made,
		const char *id)
{
	struct hxs_check_snapshot *s = &f->snap[f->env.count++];

	s->kind = kind;
	s->made = made;
	s->has_bytes = true;
	s->bytes = MIB;
	(void)snprintf(s->id, sizeof(s->id), "%s", id);
	f->env.backups += kind == HXS_BACKUP;
}

static void well(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	put(f, HXS_BACKUP, NOW - HOUR - 4 * DAY, "20261117T174634Z");
	put(f, HXS_BACKUP, NOW - HOUR - 3 * DAY, "20261118T174634Z");
	put(f, HXS_BACKUP, NOW - HOUR - 2 * DAY, "20261119T174634Z");
	put(f, HXS_BACKUP, NOW - HOUR - DAY, "20261120T174634Z");
	put(f, HXS_BACKUP, NOW - HOUR, "20261121T174634Z");
	put(f, HXS_ROLLBACK, NOW - 2 * HOUR, "20261121T164634Z");
	f->snap[4].verified = true;
	f->snap[4].when = NOW - 60;
	(void)snprintf(f->env.name, sizeof(f->env.name), "dev");
	f->env.snapshots = f->snap;
	f->env.objectives = (struct hxs_config_objectives){
		.rpo = DAY,
		.min_size = 512 * KIB,
		.verify_every = 7 * DAY,
	};
	f->facts.now = NOW;
	f->facts.envs = &f->env;
	f->facts.env_count = 1;
	f->facts.bytes = 100 * GIB;
	f->facts.bytes_free = 50 * GIB;
	f->facts.inodes = 1000;
	f->facts.inodes_free = 500;
}

/* Everything that is found, as "state condition" words in order. */
static void is_found(struct fixture *f, const char *want, const char *label)
{
	HXS_AUTO_CHECK_REPORT struct hxs_check_report r = { .count = 0 };
	enum hxs_check_state worst = HXS_CHECK_OK;
	char got[512] = "";
	size_t i;

	if (!is_int(hxs_check_judge(&f->facts, &r), 0, "%s: judged", label))
		return;
	for (i = 0; i < r.count; i++) {
		const struct hxs_check_finding *one = &r.findings[i];

		(void)snprintf(got + strlen(got), sizeof(got) - strlen(got),
			       "%s%s %s", i ? ", " : "",
			       hxs_check_state_name(one->state),
			       hxs_check_condition_name(one->condition));
		worst = hxs_check_worse(worst, one->state);
		ok(*one->text, "%s: says what is wrong (%s)", label, one->text);
		ok(*one->action && !strchr(one->action, '@'),
		   "%s: says what to do (%s)", label, one->action);
	}
	is_str(got, want, "%s", label);
	is_int(r.state, worst, "%s: the worst of it", label);
}

static void test_backups(void)
{
	struct fixture f;

	well(&f);
	is_found(&f, "", "all is well");
	well(&f);
	f.env.count = f.env.backups = 0;
	is_found(&f, "critical backup", "there is none");
	well(&f);
	f.env.objectives.rpo = HOUR;
	is_found(&f, "", "exactly as old as it may be");
	f.env.objectives.rpo = HOUR - 1;
	is_found(&f, "critical age", "a second older");
	f.env.objectives.rpo = 0;
	is_found(&f, "", "no objective");
	well(&f);
	f.env.objectives.rpo = 2 * HOUR;
	f.snap[4].damage = (char *)"a block";
	f.snap[4].verified = false;
	f.snap[3].verified = true;
	f.snap[3].when = NOW - 60;
	is_found(&f, "critical age, critical damage",
		 "the newest is damaged, the one before it too old");
	well(&f);
	f.env.count = f.env.backups = 1;
	f.snap[0].damage = (char *)"a block";
	f.snap[0].verified = false;
	is_found(&f, "critical backup, critical damage", "the only one is");
	well(&f);
	f.snap[5].damage = (char *)"a block";
	is_found(&f, "critical damage", "a rollback point is");
}

static void test_sizes(void)
{
	struct fixture f;

	well(&f);
	f.env.objectives.min_size = MIB;
	is_found(&f, "", "exactly the least");
	f.env.objectives.min_size = MIB + 1;
	is_found(&f, "critical size", "a byte less");
	well(&f);
	f.snap[4].bytes = 512 * KIB;
	is_found(&f, "", "half of the usual");
	f.snap[4].bytes--;
	f.env.objectives.min_size = 0;
	is_found(&f, "warning usual_size", "less than half");
	f.snap[4].bytes = 0;
	is_found(&f, "warning usual_size", "nothing at all");
	f.snap[4].bytes = 2 * MIB;
	is_found(&f, "", "twice the usual");
	f.snap[4].bytes = 2 * MIB + 2;
	is_found(&f, "warning usual_size", "more");
	f.snap[0].bytes = f.snap[1].bytes = 3 * MIB;
	is_found(&f, "", "the median is what counts");
	f.snap[0].has_bytes = f.snap[1].has_bytes = false;
	f.snap[4].bytes = UINT64_MAX;
	f.facts.bytes = 0; /* nor what room there is for it */
	is_found(&f, "", "two are not enough to know the usual");
	f.snap[4].has_bytes = false;
	f.env.objectives.min_size = GIB;
	is_found(&f, "", "one whose size is not known");
	well(&f);
	f.env.objectives.min_size = 0;
	f.snap[0].bytes = f.snap[1].bytes = f.snap[2].bytes = f.snap[3].bytes =
		1000;
	f.snap[4].bytes = 60000;
	is_found(&f, "", "small ones are far from each other soon");
	f.snap[4].bytes = 70000;
	is_found(&f, "warning usual_size", "but not without end");
}

static void test_verified(void)
{
	struct fixture f;

	well(&f);
	f.snap[4].verified = false;
	is_found(&f, "warning verified", "never verified");
	f.snap[5].verified = true;
	f.snap[5].when = NOW;
	is_found(&f, "warning verified", "a rollback point is no backup");
	f.snap[0].verified = true;
	f.snap[0].when = NOW - 7 * DAY;
	is_found(&f, "", "an older one was, not too long ago");
	f.snap[0].when--;
	is_found(&f, "warning verified", "too long ago");
	f.snap[0].when = NOW;
	f.snap[4].made = NOW - 8 * DAY;
	f.env.objectives.rpo = 0;
	is_found(&f, "warning verified", "the newest itself never was");
	well(&f);
	f.snap[4].when = NOW + 60;
	is_found(&f, "", "clocks may be a minute apart");
	f.snap[4].when++;
	is_found(&f, "warning verified", "a date to come tells nothing");
	f.snap[3].verified = true;
	f.snap[3].when = NOW - 60;
	is_found(&f, "warning verified", "it is told, whatever else is known");
	f.snap[3].when = NOW - 30 * DAY;
	is_found(&f, "warning verified, warning verified",
		 "and hides nothing that is");
}

static void test_drills(void)
{
	struct fixture f;

	well(&f);
	f.env.objectives.drill_every = DAY;
	is_found(&f, "warning drill", "none, though one is asked for");
	f.env.drill.there = f.env.drill.passed = true;
	f.env.drill.finished = NOW - DAY;
	is_found(&f, "", "it passed");
	f.env.drill.finished--;
	is_found(&f, "warning drill", "long ago");
	f.env.drill.finished = NOW + 60;
	is_found(&f, "", "clocks may be a minute apart");
	f.env.drill.finished++;
	is_found(&f, "warning drill", "a date to come tells nothing");
	f.env.objectives.drill_every = 0;
	is_found(&f, "", "which nobody minds");
	f.env.drill.passed = false;
	(void)snprintf(f.env.drill.status, sizeof(f.env.drill.status),
		       "failed");
	is_found(&f, "critical drill", "it failed");
	(void)snprintf(f.env.drill.status, sizeof(f.env.drill.status),
		       "inconclusive");
	is_found(&f, "warning drill", "it proved nothing");
	f.env.drill.fault = (char *)"it is no report";
	is_found(&f, "warning drill", "it cannot be read");
}

static void test_others(void)
{
	struct fixture f;

	well(&f);
	f.env.interrupted = true;
	is_found(&f, "critical interrupted", "a restore was interrupted");
	well(&f);
	f.env.unconfirmed = true;
	is_found(&f, "warning unconfirmed", "one waits no longer");
	f.env.confirm_until = NOW + 60;
	is_found(&f, "warning unconfirmed", "one waits for confirmation");
	f.env.confirm_failed = true;
	is_found(&f, "critical unconfirmed", "it could not be taken back");
	f.env.unconfirmed_fault = (char *)"it is damaged";
	is_found(&f, "critical unconfirmed", "nobody knows");
	well(&f);
	f.snap[4].made = NOW + 60;
	is_found(&f, "", "clocks may be a minute apart");
	f.snap[4].made++;
	is_found(&f, "critical clock", "but not more");
	well(&f);
	f.snap[5].made = NOW + DAY;
	is_found(&f, "critical clock", "a rollback point of tomorrow");
	well(&f);
	f.facts.audit_fault = (char *)"line 2 does not follow";
	is_found(&f, "critical audit", "the audit log's chain is broken");
	well(&f);
	f.env.trouble = (char *)"cannot open it";
	f.env.interrupted = true;
	is_found(&f, "unknown access", "what cannot be seen is not judged");
}

static void test_space(void)
{
	struct fixture f;

	well(&f);
	f.facts.bytes_free = 10 * GIB;
	is_found(&f, "", "a tenth of it free");
	f.facts.bytes_free--;
	is_found(&f, "warning space", "less");
	f.facts.bytes_free = 10 * GIB / 4 - 1;
	is_found(&f, "critical space", "less than a quarter of that");
	f.env.objectives.store_free_percent = 1;
	is_found(&f, "", "which was asked for");
	f.env.objectives.store_free = 3 * GIB;
	is_found(&f, "warning space", "more was asked for in bytes");
	well(&f);
	f.env.objectives.store_free = 1;
	f.facts.inodes_free = 0;
	f.facts.bytes_free = MIB;
	is_found(&f, "", "a size says nothing of inodes");
	f.facts.bytes_free--;
	is_found(&f, "warning space", "one more would not fit");
	well(&f);
	f.facts.inodes_free = 99;
	is_found(&f, "warning space", "few inodes");
	f.facts.inodes = f.facts.inodes_free = 0;
	is_found(&f, "", "a file system without any");
}

/* Worst first, and each of its environment. */
static void test_order(void)
{
	HXS_AUTO_CHECK_REPORT struct hxs_check_report r = { .count = 0 };
	struct fixture f, g;
	struct hxs_check_env both[2];

	well(&f);
	f.env.unconfirmed = true;
	f.env.interrupted = true;
	well(&g);
	(void)snprintf(g.env.name, sizeof(g.env.name), "live");
	g.env.trouble = (char *)"cannot open it";
	both[0] = f.env;
	both[1] = g.env;
	f.facts.envs = both;
	f.facts.env_count = 2;
	if (!is_int(hxs_check_judge(&f.facts, &r), 0, "judged"))
		return;
	is_int((int)r.count, 3, "three findings");
	is_int(r.state, HXS_CHECK_CRITICAL, "critical is worse than unknown");
	is_int(r.findings[0].state, HXS_CHECK_CRITICAL, "it is first");
	is_int(r.findings[1].state, HXS_CHECK_UNKNOWN, "then what is unknown");
	is_str(r.findings[1].env, "live", "of its environment");
	is_int(r.findings[2].state, HXS_CHECK_WARNING, "then warnings");
	is_int((int)r.states[HXS_CHECK_WARNING], 1, "counted");
	is_int(hxs_check_state_of(&r, "dev", HXS_CHECK_INTERRUPTED),
	       HXS_CHECK_CRITICAL, "of a condition");
	is_int(hxs_check_state_of(&r, "live", HXS_CHECK_INTERRUPTED),
	       HXS_CHECK_OK, "of another environment's");
}

/* Which conditions were judged, as words. */
static void is_judged(struct fixture *f, size_t env, const char *want,
		      const char *label)
{
	HXS_AUTO_CHECK_REPORT struct hxs_check_report r = { .count = 0 };
	enum hxs_check_condition c;
	char got[512] = "";

	if (!is_int(hxs_check_judge(&f->facts, &r), 0, "%s: judged", label))
		return;
	for (c = HXS_CHECK_BACKUP; c < HXS_CHECK_CONDITIONS; c++)
		if (hxs_check_is_judged(&r, env, c))
			(void)snprintf(got + strlen(got),
				       sizeof(got) - strlen(got), "%s%s",
				       *got ? " " : "",
				       hxs_check_condition_name(c));
	is_str(got, want, "%s", label);
}

static void test_judged(void)
{
	struct fixture f;

	well(&f);
	is_judged(&f, 0,
		  "backup age size usual_size verified damage interrupted "
		  "unconfirmed clock space access",
		  "what is known and asked for");
	is_judged(&f, 1, "space audit access", "of the store");
	is_judged(&f, 2, "", "of nothing that there is");
	f.env.objectives.drill_every = DAY;
	f.env.objectives.rpo = f.env.objectives.min_size = 0;
	f.env.backups = f.env.count = 3;
	f.snap[2].verified = true;
	f.snap[2].when = NOW;
	is_judged(&f, 0,
		  "backup verified damage drill interrupted unconfirmed clock "
		  "space access",
		  "another choice");
	f.env.drill.hidden = f.env.restores_hidden = true;
	f.facts.audit_hidden = true;
	f.facts.bytes = f.facts.inodes = 0;
	is_judged(&f, 0, "backup verified damage clock access",
		  "what could not be looked at is not");
	is_judged(&f, 1, "access", "of the store neither");
	is_found(&f, "", "and is not wrong");
	f.env.trouble = (char *)"cannot open it";
	is_judged(&f, 0, "access", "nothing could be");
	well(&f);
	f.env.count = f.env.backups = 0;
	is_judged(&f, 0, "backup damage interrupted unconfirmed access",
		  "there is none to judge");
}

int main(void)
{
	test_backups();
	test_sizes();
	test_verified();
	test_drills();
	test_others();
	test_space();
	test_order();
	test_judged();
	return tap_done();
}
