#include "tests/lib/tap.h"
#include "tests/unit/scratch.h"

#include "store/result.h"

static struct scratch here;
static struct hxs_store *s;

#define ID "20260205T152900Z"
#define FILE_PATH "s/.hxsnap/verify/backups/dev/" ID ".json"

static void test_round_trip(void)
{
	struct hxs_result in = {
		.passed = false,
		.when = 1770305340,
		.files = 12,
		.bytes = 9007199254740991,
		.faults = 3,
	};
	struct hxs_result out;
	struct hxs_err err = HXS_ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(in.manifest.b); i++)
		in.manifest.b[i] = (uint8_t)(i * 7);
	(void)snprintf(in.first_fault, sizeof(in.first_fault),
		       "events/\"a\\x\": block");
	is_int(hxs_result_load(s, HXS_BACKUP, "dev", ID, &out), 0,
	       "none at first");
	is_int(hxs_result_save(s, HXS_BACKUP, "dev", ID, &in, &err), 0, "kept");
	is_int(hxs_result_load(s, HXS_BACKUP, "dev", ID, &out), 1, "found");
	ok(out.passed == in.passed && out.when == in.when &&
		   out.files == in.files && out.bytes == in.bytes &&
		   out.faults == in.faults,
	   "with its numbers");
	ok(hxs_digest_equal(&in.manifest, &out.manifest), "and the digest");
	is_str(out.first_fault, in.first_fault, "and the fault");
	is_int(hxs_result_load(s, HXS_ROLLBACK, "dev", ID, &out), 0,
	       "a rollback point of that id has none");
	in.passed = true;
	in.faults = 0;
	in.first_fault[0] = '\0';
	is_int(hxs_result_save(s, HXS_BACKUP, "dev", ID, &in, &err), 0,
	       "another takes its place");
	is_int(hxs_result_load(s, HXS_BACKUP, "dev", ID, &out), 1, "found");
	ok(out.passed, "the new one");
	is_int(hxs_result_save(s, HXS_BACKUP, "../x", ID, &in, &err), -EINVAL,
	       "a path is no environment");
	is_int(hxs_result_save(s, HXS_BACKUP, "dev", "..", &in, &err), -EINVAL,
	       "nor an id");
}

/* What was cut in the middle of a character must not spoil the file. */
static void test_cut(void)
{
	struct hxs_result in = { .when = 1, .faults = 1 }, out;
	struct hxs_err err = HXS_ERR_INIT;
	size_t cut, len;

	for (cut = 1; cut < 4; cut++) {
		memset(in.first_fault, 'a', sizeof(in.first_fault));
		len = sizeof(in.first_fault) - 1;
		memcpy(in.first_fault + len - cut, "\xf0\x9f\x98", cut);
		in.first_fault[len] = '\0';
		is_int(hxs_result_save(s, HXS_BACKUP, "dev", ID, &in, &err), 0,
		       "kept with %zu bytes of a character", cut);
		is_int(hxs_result_load(s, HXS_BACKUP, "dev", ID, &out), 1,
		       "and found");
		is_int((long long)strlen(out.first_fault),
		       (long long)(len - cut), "without them");
	}
}

/* What a reader met: put down beside nothing or a success, never over more. */
static void test_note(void)
{
	struct hxs_result in = { .when = 1, .faults = 5 }, out;
	struct hxs_digest here_now = { .b = { 1, 2, 3 } },
			  other = { .b = { 4 } };
	const char *id = "20260206T152900Z";
	struct hxs_err err = HXS_ERR_INIT;

	is_int(hxs_result_note(s, HXS_BACKUP, "dev", id, &here_now, "a: b",
			       &err),
	       0, "nothing of a snapshot that is not there");
	is_int(hxs_result_load(s, HXS_BACKUP, "dev", id, &out), 0, "indeed");
	if (mkdir("s/backups/dev", 0755) < 0 && errno != EEXIST)
		scratch_die("s/backups/dev");
	if (mkdir("s/backups/dev/20260206T152900Z", 0755) < 0)
		scratch_die(id);
	is_int(hxs_result_note(s, HXS_BACKUP, "dev", id, &here_now, "a: b",
			       &err),
	       1, "put down (%s)", err.message);
	is_int(hxs_result_load(s, HXS_BACKUP, "dev", id, &out), 1, "found");
	ok(!out.passed && out.faults == 1 && out.by_reader && out.when > 1 &&
		   hxs_digest_equal(&out.manifest, &here_now),
	   "as what a reader met, now, in this");
	is_str(out.first_fault, "a: b", "and what");
	is_int(hxs_result_note(s, HXS_BACKUP, "dev", id, &here_now, "c: d",
			       &err),
	       0, "once");
	in.manifest = here_now;
	is_int(hxs_result_save(s, HXS_BACKUP, "dev", id, &in, &err), 0,
	       "a verify takes its place");
	is_int(hxs_result_note(s, HXS_BACKUP, "dev", id, &here_now, "e: f",
			       &err),
	       0, "what that found stays");
	is_int(hxs_result_load(s, HXS_BACKUP, "dev", id, &out), 1, "found");
	ok(out.faults == 5 && !out.by_reader, "all of it");
	is_int(hxs_result_note(s, HXS_BACKUP, "dev", id, &other, "g: h", &err),
	       1, "but not if it is of another manifest");
	in.passed = true;
	in.faults = 0;
	is_int(hxs_result_save(s, HXS_BACKUP, "dev", id, &in, &err), 0,
	       "one that passed");
	is_int(hxs_result_note(s, HXS_BACKUP, "dev", id, &here_now, "i: j",
			       &err),
	       1, "does not outlive it");
	is_int(hxs_result_load(s, HXS_BACKUP, "dev", id, &out), 1, "found");
	ok(!out.passed, "as damage");
}

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define REST                                                       \
	"\"manifest_sha256\":\"" HEX "\",\"files\":1,\"bytes\":1," \
	"\"faults\":0,\"first_fault\":\"\"}"

static void test_damaged(void)
{
	static const struct {
		const char *label, *text;
		int want;
	} cases[] = {
		{ "right",
		  "{\"passed\":true,\"when\":\"2026-02-05T15:29:00Z\"," REST,
		  1 },
		{ "empty", "", 0 },
		{ "null", "null", 0 },
		{ "cut", "{\"passed\":true,", 0 },
		{ "no time", "{\"passed\":true," REST, 0 },
		{ "odd time", "{\"passed\":true,\"when\":\"noon\"," REST, 0 },
		{ "odd verdict",
		  "{\"passed\":1,\"when\":\"2026-02-05T15:29:00Z\"," REST, 0 },
		{ "no digest",
		  "{\"passed\":true,\"when\":\"2026-02-05T15:29:00Z\","
		  "\"files\":1,\"bytes\":1,\"faults\":0,\"first_fault\":\"\"}",
		  0 },
		{ "passed with faults",
		  "{\"passed\":true,\"when\":\"2026-02-05T15:29:00Z\","
		  "\"manifest_sha256\":\"" HEX "\",\"files\":1,\"bytes\":1,"
		  "\"faults\":1,\"first_fault\":\"\"}",
		  0 },
		{ "negative",
		  "{\"passed\":true,\"when\":\"2026-02-05T15:29:00Z\","
		  "\"manifest_sha256\":\"" HEX "\",\"files\":-1,\"bytes\":1,"
		  "\"faults\":0,\"first_fault\":\"\"}",
		  0 },
	};
	struct hxs_result out = { .files = 99 };
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		scratch_file(here.fd, FILE_PATH, cases[i].text);
		is_int(hxs_result_load(s, HXS_BACKUP, "dev", ID, &out),
		       cases[i].want, "%s", cases[i].label);
	}
	(void)unlink(FILE_PATH);
	ok(mkfifo(FILE_PATH, 0600) == 0, "set up");
	is_int(hxs_result_load(s, HXS_BACKUP, "dev", ID, &out), 0, "a FIFO");
	(void)unlink(FILE_PATH);
	ok(symlink("/etc/passwd", FILE_PATH) == 0, "set up");
	is_int(hxs_result_load(s, HXS_BACKUP, "dev", ID, &out), 0, "a link");
	(void)unlink(FILE_PATH);
}

static void test_latest(void)
{
	static const char *const ids[] = { "20260101T000000Z",
					   "20260102T000000Z",
					   "20260103T000000Z",
					   "20260104T000000Z" };
	struct hxs_result good = { .passed = true, .when = 1 };
	struct hxs_result bad = { .when = 1, .faults = 1 };
	struct hxs_err err = HXS_ERR_INIT;
	char id[HXS_ID_LEN + 1], path[64];
	size_t i;

	is_int(hxs_result_latest(s, "dev", id), 0, "none is verified");
	is_int(hxs_result_latest(s, "nope", id), 0, "nor in no environment");
	scratch_dir(here.fd, "s/backups/dev");
	for (i = 0; i < HXS_ARRAY_LEN(ids); i++) {
		(void)snprintf(path, sizeof(path), "s/backups/dev/%s", ids[i]);
		if (i != 3)
			scratch_dir(here.fd, path);
		ok(hxs_result_save(s, HXS_BACKUP, "dev", ids[i],
				   i == 2 ? &bad : &good, &err) == 0,
		   "set up");
	}
	scratch_file(here.fd, "s/.hxsnap/verify/backups/dev/zzz.json", "{}");
	is_int(hxs_result_latest(s, "dev", id), 1, "one is");
	is_str(id, ids[1], "the newest that passed and is there");
	is_int(hxs_result_latest(s, "../dev", id), 0, "a path is nothing");
}

static void test_pins(void)
{
	struct hxs_err err = HXS_ERR_INIT;

	ok(!hxs_result_is_pinned(s, HXS_BACKUP, "dev", ID), "not pinned");
	is_int(hxs_result_pin(s, HXS_BACKUP, "dev", ID, &err), 0, "pin");
	is_int(hxs_result_pin(s, HXS_BACKUP, "dev", ID, &err), 0, "again");
	ok(hxs_result_is_pinned(s, HXS_BACKUP, "dev", ID), "pinned");
	ok(!hxs_result_is_pinned(s, HXS_ROLLBACK, "dev", ID),
	   "the rollback point is not");
	ok(!hxs_result_is_pinned(s, HXS_BACKUP, "dev", "20260205T152901Z"),
	   "nor its neighbour");
	is_int(hxs_result_pin(s, HXS_BACKUP, "dev", "x/../y", &err), -EINVAL,
	       "a path is no id");
	(void)unlink("s/.hxsnap/pins/backups/dev/" ID);
	ok(symlink("nowhere", "s/.hxsnap/pins/backups/dev/" ID) == 0, "set up");
	ok(hxs_result_is_pinned(s, HXS_BACKUP, "dev", ID),
	   "what cannot be told counts as kept");
}

int main(void)
{
	struct hxs_err err = HXS_ERR_INIT;

	scratch_open(&here);
	if (hxs_store_init("s", false, &err) < 0 ||
	    hxs_store_open("s", &s, &err) < 0)
		scratch_die(err.message);
	test_round_trip();
	test_cut();
	test_damaged();
	test_latest();
	test_note();
	test_pins();
	hxs_store_close(s);
	scratch_close(&here);
	return tap_done();
}
