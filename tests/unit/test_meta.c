#include "base/clock.h"
#include "base/json.h"
#include "format/meta.h"
#include "tests/unit/oom.h"

#define ID "20260205T152900Z"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static int fill(struct hxs_meta *m)
{
	char commit[] = "0123abc", host[] = "box", version[] = "0.1.0";
	int r;

	memset(m, 0, sizeof(*m));
	memcpy(m->env, "dev", 4);
	memcpy(m->id, ID, sizeof(ID));
	m->kind = HXS_ROLLBACK;
	m->created = 1770305340;
	memcpy(m->previous_id, "20260204T000000Z", sizeof(ID));
	if (hxs_digest_from_hex(ABC, &m->previous_manifest) < 0)
		return -EINVAL;
	m->git_commit = strdup(commit);
	m->hostname = strdup(host);
	m->tool_version = strdup(version);
	m->sources = calloc(2, sizeof(*m->sources));
	if (!m->git_commit || !m->hostname || !m->tool_version || !m->sources)
		return -ENOMEM;
	m->source_count = 2;
	m->sources[0] = (struct hxs_meta_source){
		.name = strdup("events"),
		.kind = strdup("directory"),
		.path = strdup("/srv/\xff\n\"e\""),
		.files = 3,
		.bytes = 1ull << 52,
	};
	m->sources[1] = (struct hxs_meta_source){
		.name = strdup("projections"),
		.kind = strdup("sqlite"),
		.path = strdup("/srv/\xc3\xa4.db"),
	};
	if (!m->sources[0].name || !m->sources[0].kind || !m->sources[0].path ||
	    !m->sources[1].name || !m->sources[1].kind || !m->sources[1].path)
		return -ENOMEM;
	r = hxs_meta_add(&m->tags, &m->tag_count, "before upgrade");
	if (r >= 0)
		r = hxs_meta_add(&m->tags, &m->tag_count, "\x80tag");
	if (r >= 0)
		r = hxs_meta_add(&m->warnings, &m->warning_count,
				 "left out socket 'x'");
	return r;
}

static const char rendered[] =
	"{\n"
	"  \"env\": \"dev\",\n"
	"  \"backup_id\": \"" ID "\",\n"
	"  \"created_at_utc\": \"2026-02-05T15:29:00Z\",\n"
	"  \"git_commit\": \"0123abc\",\n"
	"  \"kind\": \"rollback\",\n"
	"  \"hostname\": \"box\",\n"
	"  \"tool_version\": \"0.1.0\",\n"
	"  \"tags\": [\n"
	"    \"before upgrade\",\n"
	"    \"\\\\200tag\"\n"
	"  ],\n"
	"  \"sources\": {\n"
	"    \"events\": {\n"
	"      \"kind\": \"directory\",\n"
	"      \"path\": \"/srv/\\\\377\\\\n\\\"e\\\"\",\n"
	"      \"files\": 3,\n"
	"      \"bytes\": 4503599627370496\n"
	"    },\n"
	"    \"projections\": {\n"
	"      \"kind\": \"sqlite\",\n"
	"      \"path\": \"/srv/\xc3\xa4.db\",\n"
	"      \"files\": 0,\n"
	"      \"bytes\": 0\n"
	"    }\n"
	"  },\n"
	"  \"previous\": {\n"
	"    \"id\": \"20260204T000000Z\",\n"
	"    \"manifest_sha256\": \"" ABC "\"\n"
	"  },\n"
	"  \"warnings\": [\n"
	"    \"left out socket 'x'\"\n"
	"  ]\n"
	"}\n";

static void test_round(void)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf again = HXS_BUF_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_meta m, back;

	if (!ok(fill(&m) == 0, "made one"))
		return;
	hxs_meta_render(&m, &out);
	hxs_meta_release(&m);
	ok(m.source_count == 0 && !m.tags, "released");
	is_str(hxs_buf_str(&out), rendered, "its text");
	if (!is_int(hxs_meta_parse(out.data, out.len, &back, &err), 0,
		    "reads it back (%s)", err.message))
		return;
	is_str(back.env, "dev", "its environment");
	is_str(back.id, ID, "its id");
	is_int(back.kind, HXS_ROLLBACK, "its kind");
	is_int(back.created, 1770305340, "its time");
	is_str(back.previous_id, "20260204T000000Z", "the one before");
	is_int(back.tag_count, 2, "its tags");
	is_int(back.warning_count, 1, "its warnings");
	if (is_int(back.source_count, 2, "its sources")) {
		is_str(back.sources[1].path, "/srv/\xc3\xa4.db", "a path");
		is_int(back.sources[0].bytes, 1ll << 52, "a size");
	}
	hxs_meta_render(&back, &again);
	is_str(hxs_buf_str(&again), rendered, "and writes the same again");
	hxs_meta_release(&back);
	hxs_meta_release(&back);
	ok(true, "released twice");
}

/* The least there can be, and what another program may have written. */
static void test_foreign(void)
{
	static const char least[] =
		"{\"env\":\"dev\",\"backup_id\":\"" ID "\"}";
	static const char odd[] =
		"{\"env\": \"dev\", \"backup_id\": \"" ID "\", \"kind\": 7, "
		"\"created_at_utc\": \"yesterday\", \"git_commit\": null, "
		"\"hostname\": [\"x\"], \"tags\": [1, \"a\", null, \"b\"], "
		"\"sources\": {\"events\": {\"files\": -1, \"bytes\": 1.5, "
		"\"kind\": {}, \"path\": 0}, \"../x\": {}, \"y\": 1}, "
		"\"previous\": {\"id\": \"" ID "\", \"manifest_sha256\": "
		"\"none\"}, \"warnings\": \"w\", \"extra\": {\"a\": []}}";
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_meta m;

	if (ok(hxs_meta_parse(least, strlen(least), &m, &err) == 0,
	       "two keys are enough (%s)", err.message)) {
		is_int(m.kind, HXS_BACKUP, "a backup");
		is_int(m.created, 1770305340, "made when its id says");
		ok(!m.git_commit && !m.hostname && !m.tool_version &&
			   !m.previous_id[0] && !m.source_count,
		   "nothing else is known");
		hxs_meta_render(&m, &out);
		ok(strstr(hxs_buf_str(&out), "\"git_commit\": null") &&
			   strstr(hxs_buf_str(&out), "\"previous\": null"),
		   "and it says so");
		hxs_meta_release(&m);
	}
	if (ok(hxs_meta_parse(odd, strlen(odd), &m, &err) == 0,
	       "wrong types elsewhere are passed over (%s)", err.message)) {
		is_int(m.tag_count, 2, "the tags that are texts");
		is_int(m.source_count, 1, "the sources that are some");
		is_int(m.sources[0].files, 0, "no negative count");
		ok(!m.sources[0].kind && !m.sources[0].path,
		   "no kind and no path");
		is_str(m.previous_id, "", "no half of a predecessor");
		is_int(m.warning_count, 0, "no warnings");
		is_int(m.created, 1770305340, "made when its id says");
		hxs_meta_release(&m);
	}
}

static void test_bad(void)
{
	static const struct {
		const char *label, *text, *message;
	} bad[] = {
		{ "nothing", "", "" },
		{ "a list", "[]", "it is not an object" },
		{ "half of it", "{\"env\": \"dev\"", "line 1, column " },
		{ "no env", "{\"backup_id\": \"" ID "\"}", "'env' is not" },
		{ "no id", "{\"env\": \"dev\"}", "'backup_id' is not" },
		{ "an env that climbs",
		  "{\"env\": \"../dev\", \"backup_id\": \"" ID "\"}",
		  "'env' is not" },
		{ "an env that is a number",
		  "{\"env\": 1, \"backup_id\": \"" ID "\"}", "'env' is not" },
		{ "a day that is none",
		  "{\"env\": \"dev\", \"backup_id\": \"20260230T000000Z\"}",
		  "'backup_id' is not" },
		{ "a key twice",
		  "{\"env\": \"dev\", \"env\": \"live\", \"backup_id\": "
		  "\"" ID "\"}",
		  "key 'env' occurs twice" },
	};
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_meta m;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(bad); i++) {
		is_int(hxs_meta_parse(bad[i].text, strlen(bad[i].text), &m,
				      &err),
		       -HXS_ECORRUPT, "%s: damaged", bad[i].label);
		is_int(err.code, -HXS_ECORRUPT, "%s: and the code says so",
		       bad[i].label);
		ok(*err.message && strstr(err.message, bad[i].message),
		   "%s: says '%s' (%s)", bad[i].label, bad[i].message,
		   err.message);
	}
	for (i = 0; i <= HXS_META_MAX; i++)
		(void)hxs_buf_putc(&text, ' ');
	is_int(hxs_meta_parse(hxs_buf_str(&text), text.len, &m, &err),
	       -HXS_ECORRUPT, "over a megabyte: damaged");
	is_str(err.message, "it is larger than 1 MiB", "and said");
}

static int parse_all(void)
{
	struct hxs_meta m;
	int r = hxs_meta_parse(rendered, strlen(rendered), &m, NULL);

	if (r == 0)
		hxs_meta_release(&m);
	return r;
}

static int render_all(void)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_meta m;
	int r = fill(&m);

	if (r == 0) {
		hxs_meta_render(&m, &out);
		r = hxs_buf_status(&out);
	}
	hxs_meta_release(&m);
	if (r == 0 && strcmp(hxs_buf_str(&out), rendered) != 0)
		return 1;
	return r;
}

int main(void)
{
	test_round();
	test_foreign();
	test_bad();
	oom_each("parsing", parse_all);
	oom_each("rendering", render_all);
	return tap_done();
}
