/* Sources on a server or in a program, and what goes with them. */
#include "format/config.h"
#include "tests/unit/oom.h"

#define SOURCE(members)                                                  \
	"{\"store\": \"/s\", \"environments\": {\"dev\": {\"sources\": " \
	"{\"a\": {" members "}}}}}"
#define OPTION(members)                                                  \
	"{\"store\": \"/s\", \"environments\": {\"dev\": {\"sources\": " \
	"{\"a\": {\"kind\": \"directory\", \"path\": \"/a\"}}, " members "}}}"
#define PG(members) SOURCE("\"kind\": \"postgres\", " members)
#define DSN "\"dsn\": \"host=x password=hunter2\""
#define PG_AND(members) PG(DSN ", " members)
#define CMD(members) SOURCE("\"kind\": \"command\", " members)
#define WORDS "\"capture\": [\"x\", \"hunter2\"], \"restore\": [\"y\"]"
#define CMD_AND(members) CMD(WORDS ", \"file\": \"f\", " members)
#define NAMED(name) CMD(WORDS ", \"file\": \"" name "\"")
#define E "'environments.dev"
#define S E ".sources.a"

static const struct {
	const char *label, *text;
} good[] = {
	{ "an address", PG("\"dsn\": \"postgresql://a:hunter2@h/d\"") },
	{ "a short one", PG("\"dsn\": \"postgres://\"") },
	{ "words", PG("\"dsn\": \"host=x dbname=y\"") },
	{ "a key without a password", PG("\"dsn\": \"sslkey=/sslpassword\"") },
	{ "both ends of a number", PG_AND("\"jobs\": 64, \"compress\": 0") },
	{ "the others", PG_AND("\"jobs\": 1, \"compress\": 9") },
	{ "a statement that ends so",
	  PG_AND("\"until\": [\"DELETE FROM x WHERE y > :until\"]") },
	{ "a cast besides",
	  PG_AND("\"until\": [\"SELECT '1'::until, :until::bigint\"]") },
	{ "statements of one kind",
	  PG_AND("\"until\": {\"time\": [\":until\"]}") },
	{ "no records", PG_AND("\"records\": null") },
	{ "a file of dots", NAMED("...") },
	{ "a name as others", NAMED("env") },
	{ "a day", CMD_AND("\"timeout\": \"1d\"") },
	{ "one at a time", OPTION("\"parallel\": 1") },
	{ "many at a time", OPTION("\"parallel\": 16") },
	{ "no undoing", OPTION("\"undo_on_failed_health\": false") },
};

static const struct {
	const char *label, *text, *message;
} bad[] = {
	{ "no dsn", PG("\"tables\": [\"x\"]"), S ".dsn': it is missing" },
	{ "a dsn that is none", PG("\"dsn\": \"hunter2\""),
	  S ".dsn': it is neither a postgresql:// address nor made of" },
	{ "a dsn of another kind", PG("\"dsn\": \"mysql://a:hunter2@b\""),
	  S ".dsn': it is neither a postgresql:// address nor made of" },
	{ "a key's password in words",
	  PG("\"dsn\": \"host=x sslpassword = 'hunter2'\""),
	  S ".dsn': 'sslpassword' would show among the running programs" },
	{ "a key's password in an address",
	  PG("\"dsn\": \"postgresql://h/d?sslpassword=hunter2\""),
	  S ".dsn': 'sslpassword' would show among the running programs" },
	{ "an unknown key", PG_AND("\"path\": \"/a\""),
	  S ".path' is not a known key" },
	{ "records", PG_AND("\"records\": {\"time\": \"ts\"}"),
	  S ".records': expected null, found an object" },
	{ "records of a program", CMD_AND("\"records\": false"),
	  S ".records': expected null, found true or false" },
	{ "no schema", PG_AND("\"schemas\": []"), S ".schemas': it is empty" },
	{ "an empty schema", PG_AND("\"schemas\": [\"a\", \"\"]"),
	  S ".schemas[1]': it is empty" },
	{ "a schema as a text", PG_AND("\"schemas\": \"a\""),
	  S ".schemas': expected a list, found a string" },
	{ "a table that is none", PG_AND("\"tables\": [null]"),
	  S ".tables[0]': expected a string, found null" },
	{ "only data, as a text", PG_AND("\"data_only\": \"yes\""),
	  S ".data_only': expected true or false, found a string" },
	{ "no job", PG_AND("\"jobs\": 0"), S ".jobs': it is not from 1 to 64" },
	{ "too many jobs", PG_AND("\"jobs\": 65"),
	  S ".jobs': it is not from 1 to 64" },
	{ "jobs as a text", PG_AND("\"jobs\": \"2\""),
	  S ".jobs': expected a whole number, found a string" },
	{ "compressed more than all", PG_AND("\"compress\": 10"),
	  S ".compress': it is not from 0 to 9" },
	{ "compressed less than nothing", PG_AND("\"compress\": -1"),
	  S ".compress': it is not from 0 to 9" },
	{ "until as a text", PG_AND("\"until\": \":until\""),
	  S ".until': expected a list, found a string" },
	{ "until nothing", PG_AND("\"until\": {}"),
	  S ".until': it has neither a \"sequence\" nor a \"time\"" },
	{ "until in no statement", PG_AND("\"until\": []"),
	  S ".until': it is empty" },
	{ "until another word", PG_AND("\"until\": {\"seq\": [\":until\"]}"),
	  S ".until.seq' is not a known key" },
	{ "a statement for always",
	  PG_AND("\"until\": [\"a < :until\", \"DELETE FROM x\"]"),
	  S ".until[1]': it says nothing of ':until'" },
	{ "a longer word", PG_AND("\"until\": {\"time\": [\"a < :until_2\"]}"),
	  S ".until.time[0]': it says nothing of ':until'" },
	{ "a cast", PG_AND("\"until\": {\"sequence\": [\"a::until\"]}"),
	  S ".until.sequence[0]': it says nothing of ':until'" },
	{ "a statement that is a number", PG_AND("\"until\": [1]"),
	  S ".until[0]': expected a string, found a number" },
	{ "no capture", CMD("\"restore\": [\"x\"], \"file\": \"f\""),
	  S ".capture': it is missing" },
	{ "no restore", CMD("\"capture\": [\"x\"], \"file\": \"f\""),
	  S ".restore': it is missing" },
	{ "no file", CMD(WORDS), S ".file': it is missing" },
	{ "a shell's line",
	  CMD("\"capture\": [\"x\"], \"restore\": \"curl hunter2\""),
	  S ".restore': expected a list, found a string" },
	{ "no word", CMD("\"capture\": []"), S ".capture': it is empty" },
	{ "a file elsewhere", NAMED("a/b"), S ".file': a name holds a slash" },
	{ "a file that is this directory", NAMED("."),
	  S ".file': a component is '.'" },
	{ "a file of secrets", NAMED(".env"),
	  S ".file': files of that name are never copied" },
	{ "another of them", NAMED(".env.live"),
	  S ".file': files of that name are never copied" },
	{ "a number of seconds", CMD_AND("\"timeout\": 30"),
	  S ".timeout': expected a string, found a number" },
	{ "no time", CMD_AND("\"timeout\": \"0s\""),
	  S ".timeout': it is no duration such as 30s" },
	{ "more than a day", CMD_AND("\"timeout\": \"25h\""),
	  S ".timeout': it is no duration such as 30s" },
	{ "perhaps empty", CMD_AND("\"may_be_empty\": \"perhaps\""),
	  S ".may_be_empty': expected true or false, found a string" },
	{ "an unknown key of a program", CMD_AND("\"shell\": true"),
	  S ".shell' is not a known key" },
	{ "none at a time", OPTION("\"parallel\": 0"),
	  E ".parallel': it is not from 1 to 16" },
	{ "too many at a time", OPTION("\"parallel\": 17"),
	  E ".parallel': it is not from 1 to 16" },
	{ "all at a time", OPTION("\"parallel\": true"),
	  E ".parallel': expected a whole number, found true or false" },
	{ "undoing as a text", OPTION("\"undo_on_failed_health\": \"yes\""),
	  E ".undo_on_failed_health': expected true or false, found a string" },
};

static int parse(const char *text, struct hxs_config **out, struct hxs_err *err)
{
	return hxs_config_parse(text, strlen(text), "/c.json", "/", out, err);
}

static void test_good(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(good); i++) {
		HXS_AUTO(config) struct hxs_config *c = NULL;
		struct hxs_err err = HXS_ERR_INIT;

		is_int(parse(good[i].text, &c, &err), 0, "%s: taken (%s)",
		       good[i].label, err.message);
	}
}

static void test_bad(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(bad); i++) {
		struct hxs_config *c = NULL;
		struct hxs_err err = HXS_ERR_INIT;

		is_int(parse(bad[i].text, &c, &err), -HXS_EUSAGE, "%s: refused",
		       bad[i].label);
		ok(strstr(err.message, bad[i].message), "%s: says '%s' (%s)",
		   bad[i].label, bad[i].message, err.message);
		ok(!c, "%s: gives nothing", bad[i].label);
		ok(!strstr(err.message, "hunter2"), "%s: tells no secret",
		   bad[i].label);
	}
}

static const char database[] =
	PG("\"dsn\": \"host=x\", \"schemas\": [\"a\", \"b*\"], \"tables\": "
	   "[\"c.d\"], \"data_only\": true, \"jobs\": 3, \"compress\": 6, "
	   "\"until\": {\"sequence\": [\"p :until\", \"q :until\"], \"time\": "
	   "[\"r :until\"]}");

static void test_postgres(void)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;
	const struct hxs_config_source *src;
	const struct hxs_config_postgres *p;

	if (!ok(parse(database, &c, NULL) == 0, "a database"))
		return;
	src = &c->envs[0].sources[0];
	p = &src->postgres;
	ok(hxs_config_is_system(src) && !src->path, "it has no path");
	is_str(p->dsn, "host=x", "its connection");
	is_int((int)p->schema_count, 2, "two schemas");
	is_str(p->schemas[1], "b*", "the second");
	ok(!p->schemas[2], "and no more");
	is_int((int)p->table_count, 1, "one table");
	is_str(p->tables[0], "c.d", "it");
	ok(!p->tables[1], "and no more");
	ok(p->data_only, "only data");
	is_int((int)p->jobs, 3, "three jobs");
	is_int(p->compress, 6, "and compressed so");
	is_str(p->until_sequence[1], "q :until", "a statement");
	ok(!p->until_sequence[2], "and no more");
	is_str(p->until_time[0], "r :until", "one by time");
	ok(!p->until_time[1], "and no more");
}

static void test_postgres_least(void)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;
	const struct hxs_config_postgres *p;

	if (!ok(parse(PG_AND("\"until\": [\":until\"]"), &c, NULL) == 0,
		"statements for both"))
		return;
	p = &c->envs[0].sources[0].postgres;
	is_int((int)(p->schema_count + p->table_count), 0, "all of it");
	ok(!p->data_only, "with its schema");
	is_int((int)p->jobs, 0, "jobs by the processors");
	is_int(p->compress, -1, "compressed as pg_dump likes");
	is_str(p->until_sequence[0], ":until", "for a number");
	is_str(p->until_time[0], ":until", "for a time");
	is_int((int)c->envs[0].parallel, 1, "one at a time");
	ok(!c->envs[0].undo_on_failed_health, "nothing is undone");
}

static const char program[] =
	CMD("\"capture\": [\"a\", \"b\"], \"restore\": [\"c\"], \"file\": "
	    "\"f.json\", \"timeout\": \"3m\", \"may_be_empty\": true, "
	    "\"records\": null");

static void test_command(void)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;
	HXS_AUTO(config) struct hxs_config *least = NULL;
	const struct hxs_config_source *src;
	const struct hxs_config_command *p;

	if (!ok(parse(program, &c, NULL) == 0, "a program") ||
	    !ok(parse(NAMED("f"), &least, NULL) == 0, "the least of one"))
		return;
	src = &c->envs[0].sources[0];
	p = &src->command;
	ok(hxs_config_is_system(src) && !src->path, "it has no path");
	is_str(p->capture[1], "b", "a word");
	ok(!p->capture[2], "the last");
	is_str(p->restore[0], "c", "another program");
	ok(!p->restore[1], "of one word");
	is_str(p->file, "f.json", "the file");
	is_int((int)p->timeout_ms, 180000, "its limit");
	ok(p->may_be_empty, "it may be empty");
	ok(src->records.none, "and has no records");
	p = &least->envs[0].sources[0].command;
	is_int((int)p->timeout_ms, 600000, "ten minutes otherwise");
	ok(!p->may_be_empty, "and it may not be empty");
}

static void test_options(void)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;

	if (!ok(parse(OPTION("\"parallel\": 7, \"undo_on_failed_health\": "
			     "true"),
		      &c, NULL) == 0,
		"options"))
		return;
	is_int((int)c->envs[0].parallel, 7, "seven at a time");
	ok(c->envs[0].undo_on_failed_health, "and undoing");
	ok(!hxs_config_is_system(&c->envs[0].sources[0]),
	   "a directory is no system");
}

static int parse_database(void)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;

	return parse(database, &c, NULL);
}

static int parse_program(void)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;

	return parse(program, &c, NULL);
}

int main(void)
{
	test_good();
	test_bad();
	test_postgres();
	test_postgres_least();
	test_command();
	test_options();
	oom_each("a database", parse_database);
	oom_each("a program", parse_program);
	return tap_done();
}
