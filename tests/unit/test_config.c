#include "format/config.h"
#include "tests/unit/oom.h"

#define FILE_NAME "/etc/app/hxsnap.json"
#define BASE "/etc/app"

/* Around one source, one environment, one option of it. */
#define SOURCE(members)                                                  \
	"{\"store\": \"/s\", \"environments\": {\"dev\": {\"sources\": " \
	"{\"a\": {" members "}}}}}"
#define DIR_A "\"a\": {\"kind\": \"directory\", \"path\": \"/a\"}"
#define SOURCES(members)                                   \
	"{\"store\": \"/s\", \"environments\": {\"dev\": " \
	"{\"sources\": " members "}}}"
#define OPTION(members)                                                  \
	"{\"store\": \"/s\", \"environments\": {\"dev\": {\"sources\": " \
	"{" DIR_A "}, " members "}}}"
#define STORE(value)         \
	"{\"store\": " value \
	", \"environments\": {\"dev\": {\"sources\": {" DIR_A "}}}}"
#define PATH(value) SOURCE("\"kind\": \"directory\", \"path\": " value)
#define REC(value)                                           \
	SOURCE("\"kind\": \"directory\", \"path\": \"/a\", " \
	       "\"records\": " value)
#define PG(members) SOURCE("\"kind\": \"postgres\", " members)
#define CMD(members) SOURCE("\"kind\": \"command\", " members)
#define E "environments.dev"
#define S E ".sources.a"

/* The document of the manual. */
static const char whole[] =
	"{\n"
	"  \"store\": \"/var/lib/hxsnap\",\n"
	"  \"environments\": {\n"
	"    \"live\": {\n"
	"      \"confirm\": true,\n"
	"      \"sources\": {\n"
	"        \"events\":   {\"kind\": \"directory\", \"path\": "
	"\"/srv/app/events\", \"exclude\": [\"*.tmp\", \"cache/*\"]},\n"
	"        \"memory\":   {\"kind\": \"sqlite\", \"path\": "
	"\"/srv/app/memory.db\"},\n"
	"        \"database\": {\"kind\": \"postgres\", \"dsn\": "
	"\"postgresql://app@localhost/nexus\", \"tables\": "
	"[\"event_core.*\"]},\n"
	"        \"gateway\":  {\"kind\": \"command\", \"capture\": "
	"[\"curl\", \"-fsS\"], \"restore\": [\"curl\"], \"file\": "
	"\"state.json\"}\n"
	"      },\n"
	"      \"settings\": [\"LOG_LEVEL\", \"API_PORT\", \"API_HOST\"],\n"
	"      \"hooks\": {\"before_create\": [], \"after_create\": [], "
	"\"before_restore\": [[\"systemctl\", \"stop\", \"app\"]], "
	"\"after_restore\": [[\"systemctl\", \"start\", \"app\"]], "
	"\"health\": [[\"curl\", \"-fsS\", \"http://127.0.0.1:4000/\"]]},\n"
	"      \"retention\": {\"last\": 3, \"daily\": 30, \"weekly\": 12, "
	"\"monthly\": 12, \"yearly\": 7, \"rollbacks\": {\"last\": 5}},\n"
	"      \"objectives\": {\"rpo\": \"24h\", \"rto\": \"60s\", "
	"\"min_size\": \"1MiB\"}\n"
	"    },\n"
	"    \"dev\": {\"sources\": {\"data\": {\"kind\": \"directory\", "
	"\"path\": \"../dev\"}}}\n"
	"  }\n"
	"}\n";

/* Taken, whatever they lead to. */
static const struct {
	const char *label, *text;
} good[] = {
	{ "the least", SOURCES("{" DIR_A "}") },
	{ "no confirmation", OPTION("\"confirm\": false") },
	{ "empty lists",
	  OPTION("\"settings\": [], \"hooks\": {\"health\": []}") },
	{ "no hook at all", OPTION("\"hooks\": {}") },
	{ "a hook with a limit and a policy",
	  OPTION("\"hooks\": {\"on_failure\": [{\"run\": [\"x\"], "
		 "\"timeout\": \"1d\", \"policy\": \"fail\"}]}") },
	{ "no objective", OPTION("\"objectives\": {}") },
	{ "every unit",
	  OPTION("\"objectives\": {\"rpo\": \"90m\", \"rto\": \"7d\", "
		 "\"min_size\": \"2TiB\"}") },
	{ "every objective",
	  OPTION("\"objectives\": {\"verify_every\": \"30d\", "
		 "\"drill_every\": \"90d\", \"store_free\": \"99%\"}") },
	{ "bytes", OPTION("\"objectives\": {\"min_size\": \"1B\"}") },
	{ "noughts beside a count",
	  OPTION("\"retention\": {\"last\": 0, \"daily\": 100000}") },
	{ "only rollbacks kept by count",
	  OPTION("\"retention\": {\"rollbacks\": {\"yearly\": 1}}") },
	{ "databases as they are",
	  SOURCE("\"kind\": \"directory\", \"path\": \"/a\", \"sqlite\": "
		 "\"raw\"") },
	{ "databases as such",
	  SOURCE("\"kind\": \"directory\", \"path\": \"/a\", \"sqlite\": "
		 "\"backup\"") },
	{ "records by number", REC("{\"sequence\": \"seq\"}") },
	{ "records by time, in some files",
	  REC("{\"time\": \"ts\", \"files\": \"log/*\"}") },
	{ "no records", REC("null") },
	{ "no records of a database",
	  SOURCE("\"kind\": \"sqlite\", \"path\": \"/a\", \"records\": "
		 "null") },
	{ "a connection in words", PG("\"dsn\": \"host=x dbname=y\"") },
	{ "names that only look nested",
	  SOURCES("{\"a\": {\"kind\": \"directory\", \"path\": \"/x/a\"}, "
		  "\"b\": {\"kind\": \"directory\", \"path\": \"/x/a.b\"}, "
		  "\"c\": {\"kind\": \"directory\", \"path\": \"/x/ab\"}}") },
	{ "a path that only looks like the store's", PATH("\"/s2\"") },
	{ "$ and ~ inside a path", PATH("\"/a/$b~/~\"") },
	{ "dots that are none", PATH("\"/a/..b/...\"") },
};

static const struct {
	const char *label, *text, *message;
} bad[] = {
	/* JSON that is none */
	{ "nothing", "", "" },
	{ "null", "null", "expected an object, found null" },
	{ "a list", "[]", "expected an object, found a list" },
	{ "a number", "1", "expected an object, found a number" },
	{ "a comma too many", "{\"store\": \"/s\",}", "line 1, column " },
	{ "a comment", "{// x\n}", "line 1, column 2: " },
	{ "a key twice", "{\"store\": \"/s\",\n \"store\": \"/s\"}",
	  "line 2, column 2: key 'store' occurs twice" },
	{ "an environment twice",
	  "{\"store\": \"/s\", \"environments\": {\"a\": {}, \"a\": {}}}",
	  "key 'a' occurs twice" },
	{ "a lone surrogate", STORE("\"/\\ud800\""), "line 1, column " },
	{ "a NUL", STORE("\"/\\u0000\""), "line 1, column " },
	{ "not UTF-8", STORE("\"/\xff\""), "line 1, column " },
	{ "not a number", "{\"store\": NaN}", "line 1, column " },
	{ "two documents", "{} {}", "line 1, column 4" },
	/* keys */
	{ "nothing in it", "{}", "'store': it is missing" },
	{ "no environments", "{\"store\": \"/s\"}",
	  "'environments': it is missing" },
	{ "none of them", "{\"store\": \"/s\", \"environments\": {}}",
	  "'environments': it names no environment" },
	{ "an unknown key", "{\"stores\": \"/s\"}",
	  "'stores' is not a known key" },
	{ "an unknown key of an environment", OPTION("\"source\": 1"),
	  "'" E ".source' is not a known key" },
	{ "an unknown key of a source",
	  SOURCE("\"kind\": \"directory\", "
		 "\"path\": \"/a\", \"tables\": "
		 "[]"),
	  "'" S ".tables' is not a known key" },
	{ "an unknown hook", OPTION("\"hooks\": {\"before\": []}"),
	  "'" E ".hooks.before' is not a known key" },
	{ "an unknown rule", OPTION("\"retention\": {\"hourly\": 1}"),
	  "'" E ".retention.hourly' is not a known key" },
	{ "an unknown rule for rollbacks",
	  OPTION("\"retention\": {\"rollbacks\": {\"rollbacks\": {}}}"),
	  "'" E ".retention.rollbacks.rollbacks' is not a known key" },
	{ "an unknown objective", OPTION("\"objectives\": {\"x\": \"1d\"}"),
	  "'" E ".objectives.x' is not a known key" },
	{ "an environment that is none",
	  "{\"store\": \"/s\", \"environments\": {\"dev\": []}}",
	  "'" E "': expected an object, found a list" },
	{ "an environment's name",
	  "{\"store\": \"/s\", \"environments\": {\"../dev\": {}}}",
	  "'environments.../dev': an environment's name is 1 to 64 of" },
	{ "an environment without sources",
	  "{\"store\": \"/s\", \"environments\": {\"dev\": {}}}",
	  "'" E ".sources': it is missing" },
	{ "no source", SOURCES("{}"), "'" E ".sources': it names no source" },
	{ "sources as a list", SOURCES("[]"),
	  "'" E ".sources': expected an object, found a list" },
	{ "a source's name", SOURCES("{\".a\": {}}"),
	  "'" E ".sources..a': a source's name is 1 to 64 of" },
	{ "a source that is none", SOURCES("{\"a\": \"/a\"}"),
	  "'" S "': expected an object, found a string" },
	{ "a source without kind", SOURCE("\"path\": \"/a\""),
	  "'" S ".kind': it is missing" },
	{ "an unknown kind", SOURCE("\"kind\": \"dir\", \"path\": \"/a\""),
	  "'" S ".kind': it is none of \"directory\", \"sqlite\", "
	  "\"postgres\" and \"command\"" },
	/* paths */
	{ "no path", SOURCE("\"kind\": \"directory\""),
	  "'" S ".path': it is missing" },
	{ "no path to a database", SOURCE("\"kind\": \"sqlite\""),
	  "'" S ".path': it is missing" },
	{ "a path that is none", PATH("1"),
	  "'" S ".path': expected a string, found a number" },
	{ "an empty path", PATH("\"\""), "'" S ".path': the path is empty" },
	{ "a home", PATH("\"~/a\""), "'" S ".path': '~' is not expanded" },
	{ "another's home", PATH("\"~x\""),
	  "'" S ".path': '~' is not expanded" },
	{ "a variable", PATH("\"$HOME/a\""),
	  "'" S ".path': '$' is not expanded" },
	{ "a path that climbs", PATH("\"/a/../b\""),
	  "'" S ".path': a component is '..'" },
	{ "a store that climbs", STORE("\"..\""),
	  "'store': a component is '..'" },
	{ "an empty store", STORE("\"\""), "'store': the path is empty" },
	{ "the store inside", PATH("\"/\""),
	  "'store' lies inside '" S ".path'" },
	{ "a source inside the store", PATH("\"/s/backups/x\""),
	  "'" S ".path' lies inside 'store'" },
	{ "the store itself", PATH("\"/s/.//\""),
	  "'" S ".path' and 'store' are one place" },
	{ "one place twice",
	  SOURCES("{" DIR_A ", \"b\": {\"kind\": \"sqlite\", \"path\": "
		  "\"//a/\"}}"),
	  "'" S ".path' and '" E ".sources.b.path' are one place" },
	{ "one inside the other, others between",
	  SOURCES("{" DIR_A ", \"b\": {\"kind\": \"directory\", \"path\": "
		  "\"/a.b\"}, \"c\": {\"kind\": \"directory\", \"path\": "
		  "\"/a/b/c\"}, \"d\": {\"kind\": \"directory\", \"path\": "
		  "\"/a!\"}}"),
	  "'" E ".sources.c.path' lies inside '" S ".path'" },
	{ "one place in two environments",
	  "{\"store\": \"/s\", \"environments\": {\"dev\": {\"sources\": "
	  "{" DIR_A "}}, \"live\": {\"sources\": {" DIR_A "}}}}",
	  "'" S ".path' and 'environments.live.sources.a.path' are one place" },
	/* options of sources */
	{ "exclude as a text",
	  SOURCE("\"kind\": \"directory\", \"path\": \"/a\", \"exclude\": "
		 "\"*\""),
	  "'" S ".exclude': expected a list, found a string" },
	{ "an empty pattern",
	  SOURCE("\"kind\": \"directory\", \"path\": \"/a\", \"exclude\": "
		 "[\"*\", \"\"]"),
	  "'" S ".exclude[1]': it is empty" },
	{ "another way with databases",
	  SOURCE("\"kind\": \"directory\", \"path\": \"/a\", \"sqlite\": "
		 "\"dump\""),
	  "'" S ".sqlite': it is neither \"raw\" nor \"backup\"" },
	{ "that of a database",
	  SOURCE("\"kind\": \"sqlite\", \"path\": "
		 "\"/a\", \"sqlite\": \"raw\""),
	  "'" S ".sqlite' is not a known key" },
	{ "records as a text", REC("\"seq\""),
	  "'" S ".records': expected an object, found a string" },
	{ "records by nothing", REC("{\"files\": \"*\"}"),
	  "'" S ".records': it names neither a \"sequence\" nor a \"time\"" },
	{ "a key that is no text", REC("{\"sequence\": 1}"),
	  "'" S ".records.sequence': expected a string, found a number" },
	{ "a key that is empty", REC("{\"time\": \"\"}"),
	  "'" S ".records.time': it is empty" },
	{ "files as a list", REC("{\"time\": \"t\", \"files\": [\"*\"]}"),
	  "'" S ".records.files': expected a string, found a list" },
	{ "another key of records", REC("{\"seq\": \"seq\"}"),
	  "'" S ".records.seq' is not a known key" },
	{ "records of a database",
	  SOURCE("\"kind\": \"sqlite\", \"path\": \"/a\", \"records\": "
		 "{\"sequence\": \"seq\"}"),
	  "'" S ".records': expected null, found an object" },
	{ "no dsn", PG("\"tables\": [\"x\"]"), "'" S ".dsn': it is missing" },
	{ "an empty dsn", PG("\"dsn\": \"\""), "'" S ".dsn': it is empty" },
	{ "a dsn that is none", PG("\"dsn\": \"hunter2\""),
	  "'" S ".dsn': it is neither a postgresql:// address nor made of" },
	{ "no table", PG("\"dsn\": \"a=b\", \"tables\": []"),
	  "'" S ".tables': it is empty" },
	{ "no capture", CMD("\"restore\": [\"x\"], \"file\": \"x\""),
	  "'" S ".capture': it is missing" },
	{ "a shell's line", CMD("\"capture\": \"curl x\""),
	  "'" S ".capture': expected a list, found a string" },
	{ "an empty command", CMD("\"capture\": []"),
	  "'" S ".capture': it is empty" },
	{ "an empty word", CMD("\"capture\": [\"x\", \"\"]"),
	  "'" S ".capture[1]': it is empty" },
	{ "no restore", CMD("\"capture\": [\"x\"], \"file\": \"x\""),
	  "'" S ".restore': it is missing" },
	{ "no file", CMD("\"capture\": [\"x\"], \"restore\": [\"x\"]"),
	  "'" S ".file': it is missing" },
	{ "a file elsewhere",
	  CMD("\"capture\": [\"x\"], \"restore\": [\"x\"], \"file\": "
	      "\"../x\""),
	  "'" S ".file': a name holds a slash" },
	{ "a file of two dots",
	  CMD("\"capture\": [\"x\"], \"restore\": [\"x\"], \"file\": \"..\""),
	  "'" S ".file': a component is '..'" },
	{ "a dsn that is a number", PG("\"dsn\": 1"),
	  "'" S ".dsn': expected a string, found a number" },
	{ "a path to postgres", PG("\"dsn\": \"a=b\", \"path\": \"/a\""),
	  "'" S ".path' is not a known key" },
	{ "a table that is none", PG("\"dsn\": \"a=b\", \"tables\": [1]"),
	  "'" S ".tables[0]': expected a string, found a number" },
	{ "a file that is none",
	  CMD("\"capture\": [\"x\"], \"restore\": [\"x\"], \"file\": "
	      "[]"),
	  "'" S ".file': expected a string, found a list" },
	{ "a kind that is none", SOURCE("\"kind\": 1"),
	  "'" S ".kind': expected a string, found a number" },
	{ "a way that is none",
	  SOURCE("\"kind\": \"directory\", \"path\": \"/a\", \"sqlite\": "
		 "true"),
	  "'" S ".sqlite': expected a string, found true or false" },
	{ "a pattern that is none",
	  SOURCE("\"kind\": \"directory\", \"path\": \"/a\", \"exclude\": "
		 "[{}]"),
	  "'" S ".exclude[0]': expected a string, found an object" },
	/* options of environments */
	{ "confirm as a text", OPTION("\"confirm\": \"yes\""),
	  "'" E ".confirm': expected true or false, found a string" },
	{ "settings as an object", OPTION("\"settings\": {}"),
	  "'" E ".settings': expected a list, found an object" },
	{ "a setting that is a number", OPTION("\"settings\": [1]"),
	  "'" E ".settings[0]': expected a string, found a number" },
	{ "a setting with its value", OPTION("\"settings\": [\"A=1\"]"),
	  "'" E ".settings[0]': it is no variable's name" },
	{ "a digit first", OPTION("\"settings\": [\"1A\"]"),
	  "'" E ".settings[0]': it is no variable's name" },
	{ "a setting twice", OPTION("\"settings\": [\"B2\", \"A\", \"B2\"]"),
	  "'" E ".settings': 'B2' occurs twice" },
	{ "a secret", OPTION("\"settings\": [\"A\", \"OPENAI_API_KEY\"]"),
	  "'" E ".settings[1]': 'OPENAI_API_KEY' sounds like a secret" },
	{ "hooks as a list", OPTION("\"hooks\": []"),
	  "'" E ".hooks': expected an object, found a list" },
	{ "a hook as a line", OPTION("\"hooks\": {\"health\": \"x\"}"),
	  "'" E ".hooks.health': expected a list, found a string" },
	{ "a hook as one command", OPTION("\"hooks\": {\"health\": [\"x\"]}"),
	  "'" E ".hooks.health[0]': expected a list, found a string" },
	{ "an empty hook", OPTION("\"hooks\": {\"health\": [[]]}"),
	  "'" E ".hooks.health[0]': it is empty" },
	{ "an empty word of a hook",
	  OPTION("\"hooks\": {\"health\": [[\"x\"], [\"\"]]}"),
	  "'" E ".hooks.health[1][0]': it is empty" },
	{ "an object without a command",
	  OPTION("\"hooks\": {\"health\": [{\"timeout\": \"1s\"}]}"),
	  "'" E ".hooks.health[0].run': it is missing" },
	{ "a hook's unknown key",
	  OPTION("\"hooks\": {\"health\": [{\"run\": [\"x\"], "
		 "\"limit\": 1}]}"),
	  "'" E ".hooks.health[0].limit' is not a known key" },
	{ "an empty command",
	  OPTION("\"hooks\": {\"health\": [{\"run\": []}]}"),
	  "'" E ".hooks.health[0].run': it is empty" },
	{ "a hook's limit without a unit",
	  OPTION("\"hooks\": {\"health\": [{\"run\": [\"x\"], "
		 "\"timeout\": \"30\"}]}"),
	  "'" E ".hooks.health[0].timeout': it is no duration" },
	{ "a hook's limit of nothing",
	  OPTION("\"hooks\": {\"health\": [{\"run\": [\"x\"], "
		 "\"timeout\": \"0s\"}]}"),
	  "'" E ".hooks.health[0].timeout': it is no duration" },
	{ "a hook's limit of more than a day",
	  OPTION("\"hooks\": {\"health\": [{\"run\": [\"x\"], "
		 "\"timeout\": \"25h\"}]}"),
	  "'" E ".hooks.health[0].timeout': it is no duration" },
	{ "a hook's limit as a number",
	  OPTION("\"hooks\": {\"health\": [{\"run\": [\"x\"], "
		 "\"timeout\": 30}]}"),
	  "'" E ".hooks.health[0].timeout': expected a string, found" },
	{ "a hook's policy that is none",
	  OPTION("\"hooks\": {\"health\": [{\"run\": [\"x\"], "
		 "\"policy\": \"stop\"}]}"),
	  "'" E ".hooks.health[0].policy': it is neither" },
	{ "a hook's word that is none",
	  OPTION("\"hooks\": {\"health\": [[\"x\", null]]}"),
	  "'" E ".hooks.health[0][1]': expected a string, found null" },
	{ "retention as a number", OPTION("\"retention\": 3"),
	  "'" E ".retention': expected an object, found a number" },
	{ "no rule", OPTION("\"retention\": {}"),
	  "'" E ".retention': it sets no count" },
	{ "noughts alone", OPTION("\"retention\": {\"last\": 0}"),
	  "'" E ".retention': it would keep nothing" },
	{ "noughts beside rollbacks",
	  OPTION("\"retention\": {\"last\": 0, \"rollbacks\": {\"last\": 1}}"),
	  "'" E ".retention': it would keep nothing" },
	{ "less than nothing", OPTION("\"retention\": {\"last\": -1}"),
	  "'" E ".retention.last': it is not from 0 to 100000" },
	{ "too many", OPTION("\"retention\": {\"last\": 100001}"),
	  "'" E ".retention.last': it is not from 0 to 100000" },
	{ "a half", OPTION("\"retention\": {\"last\": 1.5}"),
	  "'" E ".retention.last': expected a whole number" },
	{ "a huge one", OPTION("\"retention\": {\"last\": 1e300}"),
	  "'" E ".retention.last': expected a whole number" },
	{ "all", OPTION("\"retention\": {\"daily\": \"all\"}"),
	  "'" E ".retention.daily': expected a whole number, found a string" },
	{ "no rule for rollbacks",
	  OPTION("\"retention\": {\"last\": 1, "
		 "\"rollbacks\": {}}"),
	  "'" E ".retention.rollbacks': it sets no count" },
	{ "a number of rollbacks", OPTION("\"retention\": {\"rollbacks\": 5}"),
	  "'" E ".retention.rollbacks': expected an object, found a number" },
	{ "no unit", OPTION("\"objectives\": {\"rpo\": \"24\"}"),
	  "'" E ".objectives.rpo': it is no duration such as 24h" },
	{ "no number", OPTION("\"objectives\": {\"rpo\": \"h\"}"),
	  "'" E ".objectives.rpo': it is no duration such as 24h" },
	{ "no time at all", OPTION("\"objectives\": {\"rto\": \"0s\"}"),
	  "'" E ".objectives.rto': it is no duration such as 60s" },
	{ "two units", OPTION("\"objectives\": {\"rto\": \"1h30m\"}"),
	  "'" E ".objectives.rto': it is no duration such as 60s" },
	{ "a sign", OPTION("\"objectives\": {\"rto\": \"-1h\"}"),
	  "'" E ".objectives.rto': it is no duration such as 60s" },
	{ "a century and more", OPTION("\"objectives\": {\"rto\": \"36601d\"}"),
	  "'" E ".objectives.rto': it is no duration such as 60s" },
	{ "more than a number holds",
	  OPTION("\"objectives\": {\"rto\": \"99999999999999999999d\"}"),
	  "'" E ".objectives.rto': it is no duration such as 60s" },
	{ "a duration that is a number",
	  OPTION("\"objectives\": {\"rto\": 60}"),
	  "'" E ".objectives.rto': expected a string, found a number" },
	{ "a size of ten", OPTION("\"objectives\": {\"min_size\": \"1MB\"}"),
	  "'" E ".objectives.min_size': it is no size such as 1MiB" },
	{ "a size beyond all",
	  OPTION("\"objectives\": {\"min_size\": \"1048577TiB\"}"),
	  "'" E ".objectives.min_size': it is no size such as 1MiB" },
	{ "all of it free",
	  OPTION("\"objectives\": {\"store_free\": \"100%\"}"),
	  "'" E ".objectives.store_free': it is neither a size such as 5GiB "
	  "nor a part such as 10%" },
	{ "nothing free", OPTION("\"objectives\": {\"store_free\": \"0%\"}"),
	  "'" E ".objectives.store_free': it is neither" },
	{ "a part of a part",
	  OPTION("\"objectives\": {\"store_free\": \"1.5%\"}"),
	  "'" E ".objectives.store_free': it is neither" },
	{ "a long part",
	  OPTION("\"objectives\": {\"store_free\": \"4294967306%\"}"),
	  "'" E ".objectives.store_free': it is neither" },
	{ "no part at all", OPTION("\"objectives\": {\"store_free\": \"%\"}"),
	  "'" E ".objectives.store_free': it is neither" },
};

static int parse(const char *text, struct hxs_config **out, struct hxs_err *err)
{
	return hxs_config_parse(text, strlen(text), FILE_NAME, BASE, out, err);
}

static void test_whole(void)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	const struct hxs_config_env *env;
	int r = parse(whole, &c, &err);

	/* "../dev" climbs: it is there to be refused */
	is_int(r, -HXS_EUSAGE, "a path that climbs is refused");
	ok(strstr(err.message, "'" FILE_NAME "': "), "the file is named");
	{
		HXS_AUTO_FREE char *text = strdup(whole);
		char *dots = text ? strstr(text, "../dev") : NULL;

		if (!dots)
			return;
		memcpy(dots, "./x/dv", 6);
		r = parse(text, &c, &err);
	}
	if (!is_int(r, 0, "the rest is taken (%s)", err.message))
		return;
	is_str(c->file, FILE_NAME, "its file");
	is_str(c->store, "/var/lib/hxsnap", "its store");
	ok(!c->from_env_file, "and where it is from");
	is_int(c->env_count, 2, "two environments");
	is_str(c->envs[0].name, "dev", "sorted");
	is_str(c->envs[0].sources[0].path, BASE "/x/dv",
	       "a relative path counts from the file's directory");
	ok(!c->envs[0].confirm, "dev wants no confirmation");
	ok(!hxs_config_env(c, "staging"), "no third environment");
	env = hxs_config_env(c, "live");
	if (!ok(env, "finds live"))
		return;
	ok(env->confirm, "live wants confirmation");
	is_int(env->source_count, 4, "four sources");
	is_str(env->sources[0].name, "database", "sorted");
	is_int(env->sources[0].kind, HXS_SOURCE_POSTGRES, "its kind");
	ok(!env->sources[0].path, "it has no path");
	is_str(env->sources[1].name, "events", "the second");
	is_int(env->sources[1].kind, HXS_SOURCE_DIRECTORY, "its kind");
	is_str(env->sources[1].path, "/srv/app/events", "its path");
	is_int(env->sources[1].exclude_count, 2, "two patterns");
	is_str(env->sources[1].exclude[1], "cache/*", "the second pattern");
	ok(!env->sources[1].sqlite_raw, "databases are copied as such");
	is_int(env->sources[2].kind, HXS_SOURCE_COMMAND, "the third's kind");
	is_str(hxs_config_kind_name(env->sources[3].kind), "sqlite",
	       "the fourth's kind");
	is_int((int)env->objectives.rpo, 86400, "its RPO");
	is_int((int)env->objectives.rto, 60, "its RTO");
	is_int((int)env->objectives.min_size, 1 << 20, "its least size");
	is_int((int)env->objectives.verify_every, 8 * 86400,
	       "how often it is verified, unless it says so");
	is_int((int)c->envs[0].objectives.rpo, 0, "dev has no RPO");
	is_int(env->setting_count, 3, "three settings");
	is_str(env->settings[0].name, "API_HOST", "sorted");
	ok(!env->settings[0].value, "whose value is not known yet");
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
		int r = parse(bad[i].text, &c, &err);

		is_int(r, -HXS_EUSAGE, "%s: refused", bad[i].label);
		ok(strncmp(err.message,
			   "'" FILE_NAME "': ", strlen(FILE_NAME) + 4) == 0,
		   "%s: names the file", bad[i].label);
		ok(strstr(err.message, bad[i].message), "%s: says '%s' (%s)",
		   bad[i].label, bad[i].message, err.message);
		ok(!c, "%s: gives nothing", bad[i].label);
		ok(!strstr(err.message, "hunter2"), "%s: tells no secret",
		   bad[i].label);
	}
}

static void test_confirm(void)
{
	static const char text[] =
		"{\"store\": \"s\", \"environments\": {\"live\": {\"confirm\": "
		"false, \"sources\": {\"a\": {\"kind\": \"sqlite\", \"path\": "
		"\"a/./b\"}}}, \"x\": {\"confirm\": true, \"sources\": "
		"{\"c\": {\"kind\": \"directory\", \"sqlite\": \"raw\", "
		"\"path\": \"c\", \"records\": {\"sequence\": \"n\"}}, "
		"\"d\": {\"kind\": \"directory\", \"path\": \"d\", "
		"\"records\": {\"time\": \"t\", \"files\": \"x\"}}, "
		"\"e\": {\"kind\": \"sqlite\", \"path\": \"e\", \"records\": "
		"null}}}}}";
	const struct hxs_config_source *src;
	HXS_AUTO(config) struct hxs_config *c = NULL;

	if (!ok(parse(text, &c, NULL) == 0, "taken"))
		return;
	ok(!c->envs[0].confirm, "live without confirmation, as told");
	ok(c->envs[1].confirm, "another with it, as told");
	ok(c->envs[1].sources[0].sqlite_raw, "databases as they are, as told");
	src = c->envs[1].sources;
	is_str(src[0].records.sequence, "n", "the key of a number");
	ok(!src[0].records.time, "none of a time");
	is_str(src[0].records.files, "*.jsonl", "in these files");
	is_str(src[1].records.time, "t", "the key of a time");
	is_str(src[1].records.files, "x", "in others");
	ok(!src[1].records.none && src[2].records.none, "or it has none");
	ok(!c->envs[0].sources[0].records.none &&
		   !c->envs[0].sources[0].records.files,
	   "or nothing was said");
	is_str(c->store, BASE "/s", "a relative store");
	is_str(c->envs[0].sources[0].path, BASE "/a/b", "a plain path");
}

static void test_objectives(void)
{
	static const char text[] =
		OPTION("\"objectives\": {\"verify_every\": \"30d\", "
		       "\"drill_every\": \"90m\", \"store_free\": \"5GiB\"}");
	const struct hxs_config_objectives *o;
	HXS_AUTO(config) struct hxs_config *c = NULL;

	if (!ok(parse(text, &c, NULL) == 0, "objectives"))
		return;
	o = &c->envs[0].objectives;
	is_int((int)o->verify_every, 30 * 86400, "how often it is verified");
	is_int((int)o->drill_every, 5400, "how often there is a drill");
	ok(o->store_free == UINT64_C(5) << 30, "what stays free");
	is_int((int)o->store_free_percent, 0, "and that alone");
}

static void test_hooks(void)
{
	static const char text[] = OPTION(
		"\"hooks\": {\"before_restore\": [[\"systemctl\", \"stop\", "
		"\"app\"], {\"run\": [\"x\"], \"timeout\": \"2m\", "
		"\"policy\": \"warn\"}], \"health\": []}");
	HXS_AUTO(config) struct hxs_config *c = NULL;
	const struct hxs_config_hooks *list;

	if (!ok(parse(text, &c, NULL) == 0, "hooks"))
		return;
	is_str(c->base, BASE, "where they run");
	list = &c->envs[0].hooks[HXS_BEFORE_RESTORE];
	is_int((int)list->count, 2, "two before a restore");
	is_str(list->hook[0].argv[0], "systemctl", "a program");
	is_str(list->hook[0].argv[2], "app", "its last word");
	ok(!list->hook[0].argv[3], "and no more");
	is_int((int)list->hook[0].timeout_ms, 60000, "the limit of all");
	ok(!list->hook[0].warn, "it may not fail");
	is_str(list->hook[1].argv[0], "x", "another");
	is_int((int)list->hook[1].timeout_ms, 120000, "its own limit");
	ok(list->hook[1].warn, "this one may fail");
	is_int((int)c->envs[0].hooks[HXS_HEALTH].count, 0, "none for health");
	is_str(hxs_config_hook_name(HXS_ON_FAILURE), "on_failure", "a name");
}

static void test_secrets(void)
{
	static const char *const secret[] = {
		"OPENAI_API_KEY",
		"openai_api_key",
		"TOKEN",
		"GITHUB_TOKEN_2",
		"CLIENT_SECRET",
		"SecretSauce",
		"DB_PASSWORD",
		"PASSWD",
		"PGPASSWORD",
		"DB_PASS",
		"PASSPHRASE",
		"MYPWD",
		"AWS_CREDENTIALS",
		"CREDS",
		"PRIVATE_PEM",
		"SENTRY_DSN",
		"AUTH_HEADER",
		"BASIC_AUTH",
		"BEARER",
		"SESSION_COOKIE",
		"HASH_SALT",
		"DB_PW",
		"PW",
		"GH_PAT",
		"CARD_PIN",
		"WALLET_SEED",
		"SLACK_WEBHOOK",
		"DATABASE_URL",
		"CONNECTION_STRING",
		"JWT",
		"JDBC_CONN_STR",
		"REDIS_URL",
		"TLS_PSK",
	};
	static const char *const plain[] = {
		"API_HOST",
		"API_PORT",
		"LOG_LEVEL",
		"ENV",
		"BACKUP_ROOT",
		"EVENT_STORE_PATH",
		"PROJECTIONS_DB_PATH",
		"PATH",
		"PATTERN",
		"SPIN",
		"SEEDING",
		"REGION",
		"BASE_URL",
		"HTTP_PORT",
		"NODE_ENV",
		"TZ",
		"WORKERS",
		"",
	};
	static const char *const with[] = {
		"http://me:x@host/",	  "postgresql://a:b@c/d",
		"postgresql://a:b/c@d/e", "redis://:x@host:1/0",
		"x http://a b://c:d@e",	  "host=a Password=b",
		"Server=a;Pwd=b",
	};
	static const char *const without[] = {
		"",
		"127.0.0.1",
		"http://host:8080/",
		"http://me@host:80",
		"me:x@host",
		"://",
		"a://b",
		"a://b:c d@e",
	};
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(secret); i++)
		ok(hxs_config_is_secret(secret[i]), "'%s' is one", secret[i]);
	for (i = 0; i < HXS_ARRAY_LEN(plain); i++)
		ok(!hxs_config_is_secret(plain[i]), "'%s' is none", plain[i]);
	for (i = 0; i < HXS_ARRAY_LEN(with); i++)
		ok(hxs_config_has_password(with[i]), "'%s' has one", with[i]);
	for (i = 0; i < HXS_ARRAY_LEN(without); i++)
		ok(!hxs_config_has_password(without[i]), "'%s' has none",
		   without[i]);
}

/* 100,000 levels, and a component and a path that no system takes. */
static void test_extremes(void)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_config *c = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	int i;

	for (i = 0; i < 100000; i++)
		(void)hxs_buf_puts(&text, "{\"a\":");
	is_int(parse(hxs_buf_str(&text), &c, &err), -HXS_EUSAGE,
	       "100,000 levels: refused (%s)", err.message);

	hxs_buf_truncate(&text, 0);
	(void)hxs_buf_puts(&text, "{\"store\": \"/");
	for (i = 0; i < 256; i++)
		(void)hxs_buf_putc(&text, 'a');
	(void)hxs_buf_puts(&text, "\", \"environments\": {}}");
	is_int(parse(hxs_buf_str(&text), &c, &err), -HXS_EUSAGE,
	       "a name of 256 bytes: refused");
	ok(strstr(err.message, "'store': a component is longer than 255"),
	   "and said");

	hxs_buf_truncate(&text, 0);
	(void)hxs_buf_puts(&text, "{\"store\": \"");
	for (i = 0; i < 2048; i++)
		(void)hxs_buf_puts(&text, "/a");
	(void)hxs_buf_puts(&text, "\", \"environments\": {}}");
	is_int(parse(hxs_buf_str(&text), &c, &err), -HXS_EUSAGE,
	       "a path of 4,096 bytes: refused");
	ok(strstr(err.message, "'store': the path is longer than 4095"),
	   "and said");
}

/* Twenty thousand sources are not compared each with each. */
static void test_many(void)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	HXS_AUTO(config) struct hxs_config *c = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	int i;

	(void)hxs_buf_puts(&text, "{\"store\": \"/s\", \"environments\": "
				  "{\"dev\": {\"sources\": {");
	for (i = 0; i < 20000; i++)
		(void)hxs_buf_printf(&text,
				     "%s\"s%d\": {\"kind\": \"directory\", "
				     "\"path\": \"/d/%d\"}",
				     i ? ", " : "", i, i);
	(void)hxs_buf_puts(&text, "}}}}");
	is_int(parse(hxs_buf_str(&text), &c, &err), 0,
	       "twenty thousand sources (%s)", err.message);
	is_int(c ? c->envs[0].source_count : 0, 20000, "all of them");
}

static int parse_all(void)
{
	static const char text[] =
		"{\"store\": \"/s\", \"environments\": {\"dev\": "
		"{\"settings\": "
		"[\"A\", \"B\"], \"retention\": {\"last\": 1}, \"sources\": "
		"{\"a\": {\"kind\": \"directory\", \"path\": \"/a\", "
		"\"exclude\": [\"x\", \"y\"], \"records\": {\"sequence\": "
		"\"s\", \"time\": \"t\"}}, \"b\": {\"kind\": \"sqlite\", "
		"\"path\": \"/b\"}}}}}";
	HXS_AUTO(config) struct hxs_config *c = NULL;

	return parse(text, &c, NULL);
}

int main(void)
{
	test_whole();
	test_good();
	test_bad();
	test_confirm();
	test_objectives();
	test_hooks();
	test_secrets();
	test_extremes();
	test_many();
	oom_each("parsing", parse_all);
	return tap_done();
}
