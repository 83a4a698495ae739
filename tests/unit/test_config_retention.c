/* How long snapshots stay, as the configuration says it. */
#include "format/config.h"
#include "tests/unit/oom.h"

#define RET(members)                                                     \
	"{\"store\": \"/s\", \"environments\": {\"dev\": {\"sources\": " \
	"{\"a\": {\"kind\": \"directory\", \"path\": \"/a\"}}, "         \
	"\"retention\": {" members "}}}}"
#define TAGS(members) RET("\"last\": 1, \"tags\": {" members "}")
#define R "'environments.dev.retention"

static const struct {
	const char *label, *text, *message;
} bad[] = {
	{ "tags as a list", RET("\"tags\": [\"x\"]"),
	  R ".tags': expected an object, found a list" },
	{ "no tag", RET("\"last\": 1, \"tags\": {}"), R ".tags': it is empty" },
	{ "a tag without a name", TAGS("\"\": {\"last\": 1}"),
	  R ".tags': a tag is empty" },
	{ "a tag's count alone", TAGS("\"x\": 3"),
	  R ".tags.x': expected an object, found a number" },
	{ "a tag without a rule", TAGS("\"x\": {}"),
	  R ".tags.x': it sets no count" },
	{ "a tag that keeps nothing", TAGS("\"x\": {\"daily\": 0}"),
	  R ".tags.x': it would keep nothing" },
	{ "less than nothing", TAGS("\"x\": {\"daily\": -1}"),
	  R ".tags.x.daily': it is not from 0 to 100000" },
	{ "a half", TAGS("\"x\": {\"yearly\": 0.5}"),
	  R ".tags.x.yearly': expected a whole number" },
	{ "another word than for ever", TAGS("\"x\": {\"keep\": \"always\"}"),
	  R ".tags.x.keep': it is not \"forever\"" },
	{ "for ever as a number", TAGS("\"x\": {\"keep\": 1}"),
	  R ".tags.x.keep': expected a string, found a number" },
	{ "for ever and a count",
	  TAGS("\"x\": {\"keep\": \"forever\", \"last\": 1}"),
	  R ".tags.x': it says both \"forever\" and a count" },
	{ "an unknown rule", TAGS("\"x\": {\"hourly\": 1}"),
	  R ".tags.x.hourly' is not a known key" },
	{ "rollbacks of a tag", TAGS("\"x\": {\"rollbacks\": {\"last\": 1}}"),
	  R ".tags.x.rollbacks' is not a known key" },
	{ "tags of rollbacks",
	  RET("\"rollbacks\": {\"tags\": {\"x\": {\"last\": 1}}}"),
	  R ".rollbacks.tags' is not a known key" },
	{ "a tag twice", TAGS("\"x\": {\"last\": 1}, \"x\": {\"last\": 2}"),
	  NULL },
	{ "noughts beside a tag",
	  RET("\"last\": 0, \"tags\": {\"x\": {\"last\": 1}}"),
	  R "': it would keep nothing" },
};

static int parse(const char *text, struct hxs_config **out, struct hxs_err *err)
{
	return hxs_config_parse(text, strlen(text), "hxsnap.json", "/", out,
				err);
}

static void test_bad(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(bad); i++) {
		HXS_AUTO(config) struct hxs_config *c = NULL;
		struct hxs_err err = HXS_ERR_INIT;

		is_int(parse(bad[i].text, &c, &err), -HXS_EUSAGE, "%s: refused",
		       bad[i].label);
		ok(err.message[0] && (!bad[i].message ||
				      strstr(err.message, bad[i].message)),
		   "%s: %s", bad[i].label, err.message);
	}
}

static const char *const full =
	RET("\"last\": 3, \"daily\": 30, \"weekly\": 12, \"monthly\": 13, "
	    "\"yearly\": 7, \"rollbacks\": {\"last\": 5, \"weekly\": 0}, "
	    "\"tags\": {\"pre-deploy\": {\"last\": 1, \"monthly\": 2}, "
	    "\"manual\": {\"keep\": \"forever\"}, \"\xc3\xa4 b\": "
	    "{\"yearly\": 100000}}");

static bool counts_are(const struct hxs_retention_counts *c, unsigned last,
		       unsigned daily, unsigned weekly, unsigned monthly,
		       unsigned yearly)
{
	return c->count[HXS_RETENTION_LAST] == last &&
	       c->count[HXS_RETENTION_DAILY] == daily &&
	       c->count[HXS_RETENTION_WEEKLY] == weekly &&
	       c->count[HXS_RETENTION_MONTHLY] == monthly &&
	       c->count[HXS_RETENTION_YEARLY] == yearly;
}

static void test_full(void)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;
	const struct hxs_retention *p;

	is_int(parse(full, &c, NULL), 0, "a policy of every kind is taken");
	if (!c)
		return;
	p = &c->envs[0].retention;
	ok(p->backups.set && counts_are(&p->backups, 3, 30, 12, 13, 7),
	   "counts of backups");
	ok(p->rollbacks.set && counts_are(&p->rollbacks, 5, 0, 0, 0, 0),
	   "counts of rollback points");
	is_int((long long)p->tag_count, 3, "all tags");
	if (p->tag_count != 3)
		return;
	is_str(p->tags[0].tag, "manual", "sorted: first");
	ok(p->tags[0].forever && !p->tags[0].counts.set, "it stays for ever");
	is_str(p->tags[1].tag, "pre-deploy", "second");
	ok(!p->tags[1].forever && p->tags[1].counts.set &&
		   counts_are(&p->tags[1].counts, 1, 0, 0, 2, 0),
	   "it has counts");
	is_str(p->tags[2].tag, "\xc3\xa4 b", "third, in any script");
	ok(counts_are(&p->tags[2].counts, 0, 0, 0, 0, 100000),
	   "the greatest count");
}

/* What is not said is not set: then nothing goes. */
static void test_parts(void)
{
	static const struct {
		const char *label, *text;
		bool backups, rollbacks;
		size_t tags;
	} parts[] = {
		{ "backups alone", RET("\"daily\": 2"), true, false, 0 },
		{ "rollback points alone",
		  RET("\"rollbacks\": {\"yearly\": 1}"), false, true, 0 },
		{ "a tag alone", RET("\"tags\": {\"x\": {\"last\": 1}}"), false,
		  false, 1 },
		{ "nothing",
		  "{\"store\": \"/s\", \"environments\": {\"dev\": "
		  "{\"sources\": {\"a\": {\"kind\": \"directory\", "
		  "\"path\": \"/a\"}}}}}",
		  false, false, 0 },
	};
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(parts); i++) {
		HXS_AUTO(config) struct hxs_config *c = NULL;
		const struct hxs_retention *p;

		is_int(parse(parts[i].text, &c, NULL), 0, "%s: taken",
		       parts[i].label);
		if (!c)
			continue;
		p = &c->envs[0].retention;
		ok(p->backups.set == parts[i].backups &&
			   p->rollbacks.set == parts[i].rollbacks &&
			   p->tag_count == parts[i].tags,
		   "%s: and nothing else", parts[i].label);
	}
}

static int take(void)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;

	return parse(full, &c, NULL);
}

int main(void)
{
	test_bad();
	test_full();
	test_parts();
	oom_each("a policy", take);
	return tap_done();
}
