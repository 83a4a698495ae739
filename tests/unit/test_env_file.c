#include "format/config.h"
#include "tests/unit/oom.h"

#define FILE_NAME "/srv/app/.env.dev"
#define BASE "/srv/app"
/* stands wherever a message must not show it */
#define SECRET "hunter2"

/* The value of K in a text; NULL: not there. */
static const struct {
	const char *label, *text, *value;
} values[] = {
	{ "plain", "K=v", "v" },
	{ "last newline", "K=v\n", "v" },
	{ "among others", "A=1\nK=v\nB=2\n", "v" },
	{ "the last one wins", "K=1\nK=2\nK=3\n", "3" },
	{ "not there", "A=1\n", NULL },
	{ "nothing", "", NULL },
	{ "blank lines and comments", "\n \t\n# K=1\n  # x\nK=v\n", "v" },
	{ "an empty value", "K=\n", "" },
	{ "blanks alone", "K=  \t\n", "" },
	{ "export", "export K=v\n", "v" },
	{ "export with blanks", "  export \t K=v\n", "v" },
	{ "a key called export", "export=1\nK=v\n", "v" },
	{ "blanks around", " K = v \n", "v" },
	{ "blanks within", "K=a b  c\n", "a b  c" },
	{ "a comment", "K=v # x\n", "v" },
	{ "a comment after a tab", "K=v\t# x\n", "v" },
	{ "no comment", "K=v#x\n", "v#x" },
	{ "no comment either", "K=#x\n", "#x" },
	{ "a comment alone", "K= # x\n", "" },
	{ "an equals sign", "K=a=b==\n", "a=b==" },
	{ "a backslash", "K=a\\nb\\\n", "a\\nb\\" },
	{ "quotes within", "K=a'b\"c\n", "a'b\"c" },
	{ "CRLF", "K=v\r\nA=1\r\n", "v" },
	{ "CRLF and nothing", "K=\r\n\r\n", "" },
	{ "CRLF and blanks", "K=v \r\n", "v" },
	{ "CR within", "K=a\rb\n", "a\rb" },
	{ "single quotes", "K='a # b'\n", "a # b" },
	{ "all literal", "K='\\n\\\\$x\"'\n", "\\n\\\\$x\"" },
	{ "nothing in them", "K=''\n", "" },
	{ "blanks in them", "K='  '\n", "  " },
	{ "double quotes", "K=\"a # b\"\n", "a # b" },
	{ "escapes", "K=\"\\n\\t\\r\\\"\\\\\\$\"\n", "\n\t\r\"\\$" },
	{ "no escapes", "K=\"\\a\\'\\ \"\n", "\\a\\'\\ " },
	{ "a single one in double ones", "K=\"it's\"\n", "it's" },
	{ "a comment after them", "K=\"v\" # x\n", "v" },
	{ "blanks after them", "K='v' \t\n", "v" },
	{ "CRLF after them", "K='v'\r\nA=1\n", "v" },
	{ "CRLF and a comment", "K='v' # x\r\n", "v" },
	{ "several lines", "K=\"a\nb\n\nc\"\nA=1\n", "a\nb\n\nc" },
	{ "several lines, single quotes", "A='1\n2'\nK=v\n", "v" },
	{ "a key in another's value", "A='\nK=x\n'\n", NULL },
	{ "not UTF-8", "K=\xff\xfe\n", "\xff\xfe" },
	{ "control bytes", "K=\x01\x1b[31m\n", "\x01\x1b[31m" },
	{ "longer and shorter keys", "KK=1\nK_=2\n_K=3\n", NULL },
	{ "another case", "k=1\n", NULL },
	{ "a shell's text", "K=$(reboot);`x`\n", "$(reboot);`x`" },
};

static const struct {
	const char *label, *text, *message;
} bad[] = {
	{ "no equals sign", "A=1\n" SECRET "\n",
	  "line 2: it is not KEY=VALUE" },
	{ "export of a name alone", "export " SECRET "\n",
	  "line 1: it is not KEY=VALUE" },
	{ "export alone", "export\n", "line 1: it is not KEY=VALUE" },
	{ "words", "a b=" SECRET "\n", "line 1: it is not KEY=VALUE" },
	{ "no key", "=" SECRET "\n", "line 1: its key is no variable's name" },
	{ "export without key", "export =" SECRET "\n",
	  "line 1: its key is no variable's name" },
	{ "a digit first", "1A=" SECRET "\n",
	  "line 1: its key is no variable's name" },
	{ "a dash", "A-B=" SECRET "\n",
	  "line 1: its key is no variable's name" },
	{ "a BOM",
	  "\xef\xbb\xbf"
	  "A=1\n",
	  "line 1: its key is no variable's name" },
	{ "a key in quotes", "'A'=" SECRET "\n",
	  "line 1: its key is no variable's name" },
	{ "an open quote", "\nA='" SECRET "\nB=2\n",
	  "line 2: its quote is not closed" },
	{ "an open double quote", "A=\"" SECRET "\\\"",
	  "line 1: its quote is not closed" },
	{ "a backslash at the end", "A=\"" SECRET "\\",
	  "line 1: its quote is not closed" },
	{ "a quote alone", "A='", "line 1: its quote is not closed" },
	{ "text behind a quote", "A='x'" SECRET "\n",
	  "line 1: something follows the closing quote" },
	{ "a comment too close", "A='x'#" SECRET "\n",
	  "line 1: something follows the closing quote" },
	{ "two quotes", "A='x' '" SECRET "'\n",
	  "line 1: something follows the closing quote" },
	{ "behind a quote lines later", "A=\"x\ny\nB=\"" SECRET "\n",
	  "line 3: something follows the closing quote" },
	{ "JSON", "{\"A\": 1}\n", "line 1: it is not KEY=VALUE" },
};

static void test_values(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(values); i++) {
		HXS_AUTO_FREE char *value = NULL;
		struct hxs_err err = HXS_ERR_INIT;
		int r = hxs_config_env_value(values[i].text,
					     strlen(values[i].text), FILE_NAME,
					     "K", &value, &err);

		is_int(r, values[i].value != NULL, "%s: read (%s)",
		       values[i].label, err.message);
		is_str(value, values[i].value, "%s: the value",
		       values[i].label);
	}
}

static void test_bad(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(bad); i++) {
		struct hxs_err err = HXS_ERR_INIT;
		char *value = NULL;
		int r = hxs_config_env_value(bad[i].text, strlen(bad[i].text),
					     FILE_NAME, "A", &value, &err);

		is_int(r, -HXS_EUSAGE, "%s: refused", bad[i].label);
		ok(strstr(err.message, FILE_NAME) &&
			   strstr(err.message, bad[i].message),
		   "%s: says '%s' (%s)", bad[i].label, bad[i].message,
		   err.message);
		ok(!strstr(err.message, SECRET), "%s: tells no value",
		   bad[i].label);
		ok(!value, "%s: gives nothing", bad[i].label);
	}
}

static int value_of(const struct hxs_buf *text, const char *key, char **value,
		    struct hxs_err *err)
{
	return hxs_config_env_value(text->data, text->len, FILE_NAME, key,
				    value, err);
}

static void test_limits(void)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	HXS_AUTO_FREE char *value = NULL;
	static const char nul[] = "A=1\nB=" SECRET "\0x\n";
	struct hxs_err err = HXS_ERR_INIT;
	size_t i;

	is_int(hxs_config_env_value(nul, sizeof(nul) - 1, FILE_NAME, "A",
				    &value, &err),
	       -HXS_EUSAGE, "a NUL: refused");
	is_str(err.message, "'" FILE_NAME "': line 2: it holds a NUL byte",
	       "and said");

	(void)hxs_buf_puts(&text, "A=");
	for (i = 2; i < 65536; i++)
		(void)hxs_buf_putc(&text, 'x');
	is_int(value_of(&text, "A", &value, &err), 1, "64 KiB: taken");
	is_int(value ? strlen(value) : 0, 65534, "whole");
	(void)hxs_buf_putc(&text, 'x');
	is_int(value_of(&text, "B", &value, &err), -HXS_EUSAGE,
	       "one byte more: refused");
	is_str(err.message, "'" FILE_NAME "': line 1: it is longer than 64 KiB",
	       "and said");

	hxs_buf_truncate(&text, 0);
	(void)hxs_buf_puts(&text, "A='\n");
	for (i = 0; i < 65537; i++)
		(void)hxs_buf_putc(&text, 'x');
	is_int(value_of(&text, "A", &value, &err), -HXS_EUSAGE,
	       "a long line within quotes: refused");
	is_str(err.message, "'" FILE_NAME "': line 2: it is longer than 64 KiB",
	       "and said");

	hxs_buf_truncate(&text, 0);
	(void)hxs_buf_puts(&text, "A='");
	for (i = 0; i < 20000; i++)
		(void)hxs_buf_puts(&text, "xxx\n");
	(void)hxs_buf_puts(&text, "'\n");
	is_int(value_of(&text, "A", &value, &err), -HXS_EUSAGE,
	       "80 KB on many lines: refused");
	is_str(err.message,
	       "'" FILE_NAME "': line 1: its value is longer than 64 KiB",
	       "and said");
}

static int parse(const char *text, const char *env, struct hxs_config **out,
		 struct hxs_err *err)
{
	return hxs_config_parse_env(text, strlen(text), FILE_NAME, BASE, env,
				    out, err);
}

static void test_whole(void)
{
	static const char text[] = "# development\n"
				   "ENV=dev\n"
				   "API_HOST=127.0.0.1\n"
				   "export API_PORT=\"8080\"\n"
				   "OPENAI_API_KEY=" SECRET "\n"
				   "LOG_LEVEL='debug' # noisy\n"
				   "EVENT_STORE_PATH=./data/dev/events/\n"
				   "PROJECTIONS_DB_PATH=/var/lib/app/p.db\n"
				   "BACKUP_ROOT=data/backups/dev\n"
				   "HOME=/root\n";
	static const struct {
		const char *name, *value;
	} settings[] = {
		{ "API_HOST", "127.0.0.1" },
		{ "API_PORT", "8080" },
		{ "BACKUP_ROOT", "data/backups/dev" },
		{ "ENV", "dev" },
		{ "EVENT_STORE_PATH", "./data/dev/events/" },
		{ "LOG_LEVEL", "debug" },
		{ "PROJECTIONS_DB_PATH", "/var/lib/app/p.db" },
	};
	HXS_AUTO(config) struct hxs_config *c = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	const struct hxs_config_env *env;
	size_t i;

	if (!is_int(parse(text, "dev", &c, &err), 0, "taken (%s)", err.message))
		return;
	is_str(c->file, FILE_NAME, "its file");
	is_str(c->store, BASE "/data", "its store");
	ok(c->from_env_file, "and where it is from");
	is_int(c->env_count, 1, "one environment");
	env = hxs_config_env(c, "dev");
	if (!ok(env, "which is the one asked for"))
		return;
	ok(!env->confirm, "it wants no confirmation");
	is_int(env->source_count, 2, "two sources");
	is_str(env->sources[0].name, "events", "the first");
	is_str(env->sources[0].path, BASE "/data/dev/events", "its path");
	is_int(env->sources[0].kind, HXS_SOURCE_DIRECTORY, "its kind");
	is_str(env->sources[1].name, "projections", "the second");
	is_str(env->sources[1].path, "/var/lib/app/p.db", "its path");
	is_int(env->sources[1].kind, HXS_SOURCE_DIRECTORY, "its kind");
	is_int(env->setting_count, HXS_ARRAY_LEN(settings),
	       "the settings that are known, no other");
	for (i = 0; i < env->setting_count; i++) {
		is_str(env->settings[i].name, settings[i].name, "a setting");
		is_str(env->settings[i].value, settings[i].value, "its value");
	}
}

/* A password hidden in a setting that does not sound like a secret. */
static void test_password(void)
{
	static const char text[] = "API_HOST=http://me:" SECRET "@box/\n"
				   "EVENT_STORE_PATH=e\n";
	HXS_AUTO(config) struct hxs_config *c = NULL;

	if (!ok(parse(text, "dev", &c, NULL) == 0, "taken"))
		return;
	is_str(c->envs[0].settings[0].name, "API_HOST", "the setting");
	ok(!c->envs[0].settings[0].value, "is left out");
	is_str(c->envs[0].settings[1].value, "e", "the other is not");
}

static void test_parts(void)
{
	HXS_AUTO(config) struct hxs_config *live = NULL;
	HXS_AUTO(config) struct hxs_config *db = NULL;

	if (ok(parse("EVENT_STORE_PATH=e\n", "live", &live, NULL) == 0,
	       "one source is enough")) {
		ok(live->envs[0].confirm, "live wants confirmation");
		is_int(live->envs[0].source_count, 1, "one source");
		is_int(live->envs[0].setting_count, 1, "one setting");
	}
	if (ok(parse("PROJECTIONS_DB_PATH=data/p.db\n", "dev", &db, NULL) == 0,
	       "so is the other"))
		is_str(db->envs[0].sources[0].name, "projections",
		       "which has its name");
}

static const struct {
	const char *label, *text, *message;
} refused[] = {
	{ "neither", "ENV=dev\n",
	  "sets neither EVENT_STORE_PATH nor PROJECTIONS_DB_PATH" },
	{ "nothing at all", "",
	  "sets neither EVENT_STORE_PATH nor PROJECTIONS_DB_PATH" },
	{ "an empty path", "A=1\nEVENT_STORE_PATH=\n",
	  "line 2: EVENT_STORE_PATH: the path is empty" },
	{ "one of them empty", "EVENT_STORE_PATH=e\nPROJECTIONS_DB_PATH=''\n",
	  "line 2: PROJECTIONS_DB_PATH: the path is empty" },
	{ "a home", "EVENT_STORE_PATH=~/" SECRET "\n",
	  "line 1: EVENT_STORE_PATH: '~' is not expanded" },
	{ "a variable", "EVENT_STORE_PATH=${" SECRET "}\n",
	  "line 1: EVENT_STORE_PATH: '$' is not expanded" },
	{ "a path that climbs", "EVENT_STORE_PATH=../" SECRET "\n",
	  "line 1: EVENT_STORE_PATH: a component is '..'" },
	{ "a control byte", "EVENT_STORE_PATH=\"a\\n" SECRET "\"\n",
	  "line 1: EVENT_STORE_PATH: the path holds a control byte" },
	{ "DEL", "EVENT_STORE_PATH=a\x7f\n",
	  "line 1: EVENT_STORE_PATH: the path holds a control byte" },
	{ "old Macintosh line ends", "EVENT_STORE_PATH=a\rPROJECTIONS=b\r",
	  "line 1: EVENT_STORE_PATH: the path holds a control byte" },
	{ "one place", "EVENT_STORE_PATH=x\nPROJECTIONS_DB_PATH=./x/\n",
	  "'EVENT_STORE_PATH' and 'PROJECTIONS_DB_PATH' are one place" },
	{ "one inside the other",
	  "EVENT_STORE_PATH=" SECRET "\nPROJECTIONS_DB_PATH=" SECRET "/p.db\n",
	  "'PROJECTIONS_DB_PATH' lies inside 'EVENT_STORE_PATH'" },
	{ "the project", "EVENT_STORE_PATH=.\n",
	  "lies inside 'EVENT_STORE_PATH'" },
	{ "the store", "EVENT_STORE_PATH=data\n",
	  "lies inside 'EVENT_STORE_PATH'" },
	{ "the backups", "EVENT_STORE_PATH=data/backups\n",
	  "'EVENT_STORE_PATH' and 'data/backups' are one place" },
	{ "in the backups", "EVENT_STORE_PATH=data/backups/dev\n",
	  "'EVENT_STORE_PATH' lies inside 'data/backups'" },
	{ "in our own files", "EVENT_STORE_PATH=data/.hxsnap/x\n",
	  "'EVENT_STORE_PATH' lies inside 'data/.hxsnap'" },
	{ "a line that is none", "EVENT_STORE_PATH=e\n" SECRET "\n",
	  "line 2: it is not KEY=VALUE" },
};

static void test_refused(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(refused); i++) {
		struct hxs_config *c = NULL;
		struct hxs_err err = HXS_ERR_INIT;

		is_int(parse(refused[i].text, "dev", &c, &err), -HXS_EUSAGE,
		       "%s: refused", refused[i].label);
		ok(strstr(err.message, FILE_NAME) &&
			   strstr(err.message, refused[i].message),
		   "%s: says '%s' (%s)", refused[i].label, refused[i].message,
		   err.message);
		ok(!strstr(err.message, SECRET), "%s: tells no value",
		   refused[i].label);
		ok(!c, "%s: gives nothing", refused[i].label);
	}
	{
		struct hxs_config *c = NULL;

		is_int(parse("EVENT_STORE_PATH=e\n", "../dev", &c, NULL),
		       -HXS_EUSAGE, "no environment's name: refused");
	}
}

/* A place so deep that no path below it can be used. */
static void test_deep_base(void)
{
	static const char text[] = "EVENT_STORE_PATH=/e\n";
	HXS_AUTO_BUF struct hxs_buf base = HXS_BUF_INIT;
	struct hxs_config *c = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	size_t tail[] = { 4094, 4084 };
	size_t i;

	for (i = 0; i < 2048; i++)
		(void)hxs_buf_puts(&base, "/a");
	for (i = 0; i < HXS_ARRAY_LEN(tail); i++) {
		hxs_buf_truncate(&base, tail[i]);
		is_int(hxs_config_parse_env(text, strlen(text), FILE_NAME,
					    base.data, "dev", &c, &err),
		       -HXS_EUSAGE, "%zu bytes deep: refused", tail[i]);
		is_str(err.message,
		       "the store's place: the path is longer than 4095 bytes",
		       "and said");
	}
}

static const char sample[] = "A='x\ny'\nEVENT_STORE_PATH=e\nENV=1\nENV=2\n"
			     "PROJECTIONS_DB_PATH=p # x\n";

static int parse_sample(void)
{
	HXS_AUTO(config) struct hxs_config *c = NULL;

	return parse(sample, "dev", &c, NULL);
}

static int find_sample(void)
{
	HXS_AUTO_FREE char *value = NULL;
	int r = hxs_config_env_value(sample, strlen(sample), FILE_NAME, "ENV",
				     &value, NULL);

	return r == 1 ? 0 : r == 0 ? 1 : r;
}

int main(void)
{
	test_values();
	test_bad();
	test_limits();
	test_whole();
	test_password();
	test_parts();
	test_refused();
	test_deep_base();
	oom_each("parsing", parse_sample);
	oom_each("looking up", find_sample);
	return tap_done();
}
