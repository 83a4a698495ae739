/*
 * Sources that live on a server or in a program. What is told of the server
 * may hold a password: no message repeats any of it.
 */
#include "format/config_internal.h"

#include "base/path.h"

#include <errno.h>
#include <string.h>

#define JOBS_MAX 64
#define COMPRESS_MAX 9
#define LIMIT_MS (10u * 60 * 1000) /* for a program with none of its own */

static int take_word(const struct hxs_json *v, char **out, struct hxs_err *err)
{
	const char *text = NULL;
	int r = hxs_config_text(v, &text, err);

	if (r < 0)
		return r;
	*out = strdup(text);
	return *out ? 0 : hxs_err_errno(err, ENOMEM, "cannot take it in");
}

/* A list of texts that is not empty, as hxs_config_take_texts() does. */
static int take_list(const struct hxs_json *v, char ***out, size_t *count,
		     struct hxs_err *err)
{
	int r = hxs_config_check_texts(v, err);

	return r < 0 ? r : hxs_config_take_texts(v, out, count, err);
}

/* A whole number from @least to @most, as @range says. */
static int take_number(const struct hxs_json *v, int least, int most,
		       const char *range, int *out, struct hxs_err *err)
{
	int64_t n = 0;
	int r = hxs_json_int(v, &n, err);

	if (r < 0)
		return r;
	if (n < least || n > most)
		return hxs_config_refuse(v, NULL, range, err);
	*out = (int)n;
	return 0;
}

/* ---- a database --------------------------------------------------------- */

/* Whether key @word gets a value in the words of a connection. */
static bool sets(const char *dsn, const char *word)
{
	const char *s = dsn;

	while ((s = strcasestr(s, word)) != NULL) {
		s += strlen(word);
		s += strspn(s, " \t\r\n");
		if (*s == '=')
			return true;
	}
	return false;
}

static int parse_dsn(const struct hxs_json *v, struct hxs_config_postgres *out,
		     struct hxs_err *err)
{
	const char *dsn = NULL;
	int r = hxs_config_text(v, &dsn, err);

	if (r < 0)
		return r;
	if (strncmp(dsn, "postgresql://", 13) != 0 &&
	    strncmp(dsn, "postgres://", 11) != 0 && !strchr(dsn, '='))
		return hxs_config_refuse(v, NULL,
					 "it is neither a postgresql:// "
					 "address nor made of KEY=VALUE",
					 err);
	/* There is no way to hand it on but an argument or a variable. */
	if (sets(dsn, "sslpassword"))
		return hxs_config_refuse(v, NULL,
					 "'sslpassword' would show among the "
					 "running programs; use a key without "
					 "a password, readable by its owner "
					 "alone",
					 err);
	return take_word(v, &out->dsn, err);
}

static int parse_schemas(const struct hxs_json *v,
			 struct hxs_config_postgres *out, struct hxs_err *err)
{
	return take_list(v, &out->schemas, &out->schema_count, err);
}

static int parse_tables(const struct hxs_json *v,
			struct hxs_config_postgres *out, struct hxs_err *err)
{
	return take_list(v, &out->tables, &out->table_count, err);
}

static int parse_data_only(const struct hxs_json *v,
			   struct hxs_config_postgres *out, struct hxs_err *err)
{
	return hxs_json_bool(v, &out->data_only, err);
}

static int parse_jobs(const struct hxs_json *v, struct hxs_config_postgres *out,
		      struct hxs_err *err)
{
	int n = 0, r;

	r = take_number(v, 1, JOBS_MAX, "it is not from 1 to 64", &n, err);
	out->jobs = (unsigned)n;
	return r;
}

static int parse_compress(const struct hxs_json *v,
			  struct hxs_config_postgres *out, struct hxs_err *err)
{
	return take_number(v, 0, COMPRESS_MAX, "it is not from 0 to 9",
			   &out->compress, err);
}

static bool is_part_of_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

/* Whether @s says where the point in time goes: ":until", not "::until". */
static bool has_until(const char *s)
{
	static const char word[] = ":until";
	const char *at = s;

	while ((at = strstr(at, word)) != NULL) {
		if (!is_part_of_name(at[sizeof(word) - 1]) &&
		    (at == s || at[-1] != ':'))
			return true;
		at++;
	}
	return false;
}

/* Statements without one would do the same whatever time is asked for. */
static int take_statements(const struct hxs_json *v, char ***out,
			   struct hxs_err *err)
{
	const struct hxs_json *c = NULL;
	size_t i, count = 0;
	int r = take_list(v, out, &count, err);

	if (r < 0)
		return r;
	for (i = 0, c = hxs_json_first(v); i < count; i++) {
		if (!has_until((*out)[i]))
			return hxs_config_refuse(c, NULL,
						 "it says nothing of ':until'",
						 err);
		c = hxs_json_next(c);
	}
	return 0;
}

static int parse_until(const struct hxs_json *v,
		       struct hxs_config_postgres *out, struct hxs_err *err)
{
	static const char *const keys[] = { "sequence", "time", NULL };
	const struct hxs_json *sequence = v, *at = v;
	int r;

	if (hxs_json_type(v) == HXS_JSON_OBJECT) {
		r = hxs_json_only_keys(v, keys, err);
		if (r < 0)
			return r;
		sequence = hxs_json_get(v, "sequence");
		at = hxs_json_get(v, "time");
		if (!sequence && !at)
			return hxs_config_refuse(v, NULL,
						 "it has neither a "
						 "\"sequence\" nor a \"time\"",
						 err);
	}
	r = sequence ? take_statements(sequence, &out->until_sequence, err) : 0;
	if (r == 0 && at)
		r = take_statements(at, &out->until_time, err);
	return r;
}

int hxs_config_parse_postgres(const struct hxs_json *v,
			      struct hxs_config_postgres *out,
			      struct hxs_err *err)
{
	static const char *const keys[] = { "kind",	"dsn",	     "schemas",
					    "tables",	"data_only", "jobs",
					    "compress", "until",     "records",
					    NULL };
	static const struct {
		const char *key;
		int (*parse)(const struct hxs_json *v,
			     struct hxs_config_postgres *out,
			     struct hxs_err *err);
	} members[] = {
		{ "schemas", parse_schemas },	  { "tables", parse_tables },
		{ "data_only", parse_data_only }, { "jobs", parse_jobs },
		{ "compress", parse_compress },	  { "until", parse_until },
	};
	const struct hxs_json *member = NULL;
	size_t i;
	int r;

	out->compress = -1;
	r = hxs_json_only_keys(v, keys, err);
	if (r == 0)
		r = hxs_config_want(v, "dsn", HXS_JSON_STRING, &member, err);
	if (r == 0)
		r = parse_dsn(member, out, err);
	for (i = 0; r == 0 && i < HXS_ARRAY_LEN(members); i++) {
		member = hxs_json_get(v, members[i].key);
		if (member)
			r = members[i].parse(member, out, err);
	}
	return r;
}

/* ---- a program ---------------------------------------------------------- */

static int parse_file(const struct hxs_json *v, char **out, struct hxs_err *err)
{
	const char *name = NULL, *fault;
	int r = hxs_config_text(v, &name, err);

	if (r < 0)
		return r;
	fault = hxs_path_name_fault(name, strlen(name));
	if (!fault && strncmp(name, ".env", 4) == 0)
		fault = "files of that name are never copied, as they may hold "
			"secrets";
	return fault ? hxs_config_refuse(v, NULL, fault, err)
		     : take_word(v, out, err);
}

int hxs_config_parse_command(const struct hxs_json *v,
			     struct hxs_config_command *out,
			     struct hxs_err *err)
{
	static const char *const keys[] = { "kind",    "capture",
					    "restore", "file",
					    "timeout", "may_be_empty",
					    "records", NULL };
	char ***const lists[] = { &out->capture, &out->restore };
	const struct hxs_json *member = NULL;
	size_t i;
	int r;

	out->timeout_ms = LIMIT_MS;
	r = hxs_json_only_keys(v, keys, err);
	for (i = 0; r == 0 && i < HXS_ARRAY_LEN(lists); i++) {
		r = hxs_config_want(v, keys[1 + i], HXS_JSON_ARRAY, &member,
				    err);
		if (r == 0)
			r = take_list(member, lists[i], NULL, err);
	}
	if (r == 0)
		r = hxs_config_want(v, "file", HXS_JSON_STRING, &member, err);
	if (r == 0)
		r = parse_file(member, &out->file, err);
	member = hxs_json_get(v, "timeout");
	if (r == 0 && member)
		r = hxs_config_limit(member, &out->timeout_ms, err);
	member = hxs_json_get(v, "may_be_empty");
	if (r == 0 && member)
		r = hxs_json_bool(member, &out->may_be_empty, err);
	return r;
}
