#include "source/postgres_part.h"
#include "tests/unit/oom.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- names as files ---------------------------------------------------- */

static const struct {
	const char *name, *file;
} names[] = {
	{ "plain", "plain" },
	{ "Two words", "Two words" },
	{ ".", "%2E" },
	{ "..", "%2E." },
	{ ".env", "%2Eenv" },
	{ "a.b", "a.b" },
	{ "a/b", "a%2Fb" },
	{ "100%", "100%25" },
	{ "%2F", "%252F" },
	{ "back\\slash", "back%5Cslash" },
	{ "line\nend\t\x7f", "line%0Aend%09%7F" },
	{ "\xc3\xbc", "\xc3\xbc" },
};

/* What is no name's file. */
static const char *const no_files[] = {
	"%",	  "%2",	     "%2f", "%00", "%41",
	"%2E%2E", ".hidden", "a%2", "%zz", "a\nb",
};

static void test_files(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(names); i++) {
		HXS_AUTO_BUF struct hxs_buf file = HXS_BUF_INIT;
		HXS_AUTO_BUF struct hxs_buf name = HXS_BUF_INIT;

		(void)hxs_postgres_put_file(&file, names[i].name);
		is_str(hxs_buf_str(&file), names[i].file, "'%s' as a file",
		       names[i].file);
		is_int(hxs_postgres_put_unfile(&name, hxs_buf_str(&file),
					       file.len),
		       0, "... and back");
		is_str(hxs_buf_str(&name), names[i].name, "... the same");
	}
	for (i = 0; i < HXS_ARRAY_LEN(no_files); i++) {
		HXS_AUTO_BUF struct hxs_buf name = HXS_BUF_INIT;

		is_int(hxs_postgres_put_unfile(&name, no_files[i],
					       strlen(no_files[i])),
		       -EINVAL, "'%s' is no name's file", no_files[i]);
	}
}

static void test_parts(void)
{
	static const char *const good[] = { "schemas/a", "schemas/a/b",
					    "schemas/%2E./%2E" };
	static const char *const bad[] = {
		"dump",	      "database.json", "schemas",     "schemas/",
		"schemas//b", "schemas/a/",    "schemas/a/.", "schemas/%41",
	};
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(good); i++)
		ok(!hxs_postgres_part_fault(NULL, good[i]), "'%s' is a part",
		   good[i]);
	for (i = 0; i < HXS_ARRAY_LEN(bad); i++)
		ok(hxs_postgres_part_fault(NULL, bad[i]), "'%s' is none",
		   bad[i]);
}

/* ---- names that are kept ----------------------------------------------- */

static void test_kept(void)
{
	static const char id[] = "20260205T152900Z";
	char out[HXS_POSTGRES_NAME_MAX + 1], other[sizeof(out)];
	const char *found;

	is_int(hxs_postgres_kept_name("nexus", id, out), 0, "a name");
	is_str(out, "nexus_hxsnap_20260205T152900Z", "... with the id");
	found = hxs_postgres_kept_id(out);
	is_str(found, id, "... which is found again");
	is_int(hxs_postgres_kept_name("a_rather_long_name_for_a_database_that_"
				      "is_the_first_one",
				      id, out),
	       0, "a long name");
	is_int(hxs_postgres_kept_name("a_rather_long_name_for_a_database_that_"
				      "is_the_second_one",
				      id, other),
	       0, "another one like it");
	ok(strcmp(out, other) != 0, "... are two");
	ok(strlen(out) <= HXS_POSTGRES_NAME_MAX, "... and not too long");
	is_int(hxs_postgres_kept_name("\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"
				      "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"
				      "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"
				      "x\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"
				      "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5",
				      id, out),
	       0, "one of long characters");
	ok(strncmp(out + 28, "_", 1) == 0, "... is cut between two");
	found = hxs_postgres_kept_id("nexus");
	ok(!found, "a name that nobody made");
	ok(!hxs_postgres_kept_id("nexus_hxsnap_20260230T152900Z"),
	   "a day that is none");
	ok(!hxs_postgres_kept_id("_hxsnap_20260205T152900Z"), "of nothing");
}

/* ---- where it is ------------------------------------------------------- */

#define KEEPALIVE                                         \
	" keepalives_idle='30' keepalives_interval='10' " \
	"keepalives_count='3' tcp_user_timeout='60000'"

static const struct {
	const char *dsn, *database, *text; /* text NULL: refused */
} dsns[] = {
	{ "postgresql://app:hush@localhost:5433/nexus", "nexus",
	  "user='app' host='localhost' port='5433' dbname='other' "
	  "fallback_application_name='hxsnap' connect_timeout='10'" KEEPALIVE },
	{ "host=/run/pg dbname='it''s' connect_timeout=3", NULL, NULL },
	{ "host='/run/a b' dbname=it\\'s password=x connect_timeout=3", "it's",
	  "connect_timeout='3' host='/run/a b' dbname='other' "
	  "fallback_application_name='hxsnap'" KEEPALIVE },
	{ "dbname=d passfile=/a", "d",
	  "passfile='/a' dbname='other' fallback_application_name='hxsnap' "
	  "connect_timeout='10'" KEEPALIVE },
	{ "dbname=d tcp_user_timeout=5 keepalives_idle=6", "d",
	  "keepalives_idle='6' tcp_user_timeout='5' dbname='other' "
	  "fallback_application_name='hxsnap' connect_timeout='10' "
	  "keepalives_interval='10' keepalives_count='3'" },
	{ "postgresql://localhost", NULL, NULL },
	{ "host=localhost", NULL, NULL },
	{ "postgresql://a:hush%zz@b/c", NULL, NULL },
	{ "dbname=d sslpassword=hush", NULL, NULL },
	{ "dbname=d password='hush\nhush'", NULL, NULL },
	{ "", NULL, NULL },
};

static void test_dsns(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(dsns); i++) {
		const struct hxs_config_source src = {
			.name = (char *)"s",
			.postgres = { .dsn = (char *)dsns[i].dsn },
		};
		HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn d = {
			.pq = NULL
		};
		HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
		struct hxs_err err = HXS_ERR_INIT;
		int r = hxs_postgres_dsn_init(&d, &src, &err);

		is_int(r, dsns[i].text ? 0 : -HXS_EUSAGE, "dsn %zu", i);
		ok(!strstr(err.message, "hush"), "... and no secret is told");
		if (r < 0)
			continue;
		is_str(d.database, dsns[i].database, "... its database");
		(void)hxs_postgres_dsn_text(&d, "other", NULL, &text);
		is_str(hxs_buf_str(&text), dsns[i].text, "... for programs");
	}
}

static void test_say(void)
{
	const struct hxs_config_source src = {
		.name = (char *)"s",
		.postgres = { .dsn = (char *)"dbname=d password=hush" },
	};
	HXS_AUTO_POSTGRES_DSN struct hxs_postgres_dsn d = { .pq = NULL };
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;

	is_int(hxs_postgres_dsn_init(&d, &src, NULL), 0, "a dsn");
	hxs_postgres_dsn_say(&d, "it is hush,\n\tnot hushed\x1b\n", &out);
	is_str(hxs_buf_str(&out), "it is ***,; not ***ed\\033",
	       "what is said of it is one line without the secret");
}

int main(void)
{
	test_files();
	test_parts();
	test_kept();
	test_dsns();
	test_say();
	return tap_done();
}
