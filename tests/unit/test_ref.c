#include "base/clock.h"
#include "format/ref.h"
#include "tests/lib/tap.h"

#define ID "20260205T152900Z"
#define N16 "aaaaaaaaaaaaaaaa"
#define N64 N16 N16 N16 N16

static const struct {
	const char *text;
	enum hxs_ref_which which;
	enum hxs_kind kind;
	const char *env, *id;
	int64_t time;
} good[] = {
	{ "dev", HXS_REF_ENV, HXS_BACKUP, "dev", "", 0 },
	{ "dev/", HXS_REF_ENV, HXS_BACKUP, "dev", "", 0 },
	{ "7-a_b", HXS_REF_ENV, HXS_BACKUP, "7-a_b", "", 0 },
	{ N64, HXS_REF_ENV, HXS_BACKUP, N64, "", 0 },
	{ "dev/latest", HXS_REF_LATEST, HXS_BACKUP, "dev", "", 0 },
	{ "dev/latest/", HXS_REF_LATEST, HXS_BACKUP, "dev", "", 0 },
	{ "dev/latest-verified", HXS_REF_VERIFIED, HXS_BACKUP, "dev", "", 0 },
	{ "dev/.rollbacks/latest", HXS_REF_LATEST, HXS_ROLLBACK, "dev", "", 0 },
	{ "dev/" ID, HXS_REF_ID, HXS_BACKUP, "dev", ID, 0 },
	{ "dev/" ID "/", HXS_REF_ID, HXS_BACKUP, "dev", ID, 0 },
	{ "dev/.rollbacks/" ID, HXS_REF_ID, HXS_ROLLBACK, "dev", ID, 0 },
	{ "latest/" ID, HXS_REF_ID, HXS_BACKUP, "latest", ID, 0 },
	{ "dev/2", HXS_REF_PREFIX, HXS_BACKUP, "dev", "2", 0 },
	{ "dev/20260205T15", HXS_REF_PREFIX, HXS_BACKUP, "dev", "20260205T15",
	  0 },
	{ "dev/20260205T152900", HXS_REF_PREFIX, HXS_BACKUP, "dev",
	  "20260205T152900", 0 },
	{ "dev/.rollbacks/2026/", HXS_REF_PREFIX, HXS_ROLLBACK, "dev", "2026",
	  0 },
	{ "dev@1970-01-01T00:01:00Z", HXS_REF_TIME, HXS_BACKUP, "dev", "", 60 },
	{ "dev@1970-01-01T01:00:00+01:00", HXS_REF_TIME, HXS_BACKUP, "dev", "",
	  0 },
	{ "dev@1970-01-01T00:00:07.999Z", HXS_REF_TIME, HXS_BACKUP, "dev", "",
	  7 },
};

static const char *const bad[] = {
	"",
	"/",
	"//",
	"/dev",
	".",
	"..",
	"../dev",
	"Dev",
	"-dev",
	"_dev",
	"d v",
	"dev\n",
	"dev\n/latest",
	"d\xc3\xa9v",
	N64 "a",
	N64 N64 N64 N64,
	"dev//",
	"dev//latest",
	"dev/./latest",
	"dev/..",
	"dev/../live",
	"dev/latest//",
	"dev/latest/events",
	"dev/Latest",
	"dev/latest-",
	"dev/latest-verifie",
	"dev/latest-verified2",
	"dev/" ID "/events",
	"dev/" ID "0",
	"dev/" ID " ",
	"dev/20260230T000000Z", /* no such day */
	"dev/20260205T152960Z",
	"dev/20260205t152900Z",
	"dev/20260205T152900z",
	"dev/2026-02-05",
	"dev/*",
	"dev/2*",
	"dev/T",
	"dev/-1",
	"dev/+2",
	"dev/ 2",
	"dev/.rollbacks",
	"dev/.rollbacks/",
	"dev/.rollbacks//latest",
	"dev/.rollbacks/latest-verified",
	"dev/.rollbacks/../" ID,
	"dev/.rollbacks/" ID "/meta.json",
	"dev/.rollbacksx",
	"dev/rollbacks/" ID,
	"dev/.hxsnap/" ID,
	"dev@",
	"dev@now",
	"dev@latest",
	"dev@2026-02-05",
	"dev@2026-02-30T00:00:00Z",
	"dev@2026-02-05T15:29:00",
	"dev@2026-02-05T15:29:00Z/events",
	"dev@2026-02-05T15:29:00Z@",
	"dev@1970-01-01T00:00:00.00000000000000000000000000000000000000000000Z",
	"dev/.rollbacks@2026-02-05T15:29:00Z",
	"dev/latest@2026-02-05T15:29:00Z",
	"@2026-02-05T15:29:00Z",
	"dev/\x1b[31m",
	"$(reboot)",
	"--force",
};

static void test_good(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(good); i++) {
		struct hxs_err err = HXS_ERR_INIT;
		struct hxs_ref ref;
		int r = hxs_ref_parse(good[i].text, &ref, &err);

		if (!is_int(r, 0, "'%s': understood (%s)", good[i].text,
			    err.message))
			continue;
		is_int(ref.which, good[i].which, "what it names");
		is_int(ref.kind, good[i].kind, "its kind");
		is_str(ref.env, good[i].env, "its environment");
		is_str(ref.id, good[i].id, "its id");
		is_int(ref.time, good[i].time, "its time");
	}
}

static void test_bad(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(bad); i++) {
		struct hxs_err err = HXS_ERR_INIT;
		struct hxs_ref ref = { .time = 42 };
		const char *s;
		int r = hxs_ref_parse(bad[i], &ref, &err);

		is_int(r, -HXS_EUSAGE, "'%s': refused", bad[i]);
		ok(strstr(err.message, "is no reference: "), "says so: %s",
		   err.message);
		ok(*err.hint, "says what one is");
		for (s = err.message; (unsigned char)*s >= 0x20; s++)
			;
		ok(!*s, "without a control byte");
		is_int(ref.time, 42, "and gives nothing");
	}
}

static void test_long(void)
{
	static char text[10001];
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_ref ref;

	memset(text, '2', sizeof(text) - 1);
	memcpy(text, "dev/", 4);
	is_int(hxs_ref_parse(text, &ref, &err), -HXS_EUSAGE,
	       "ten thousand characters: refused");
	ok(strlen(err.message) < 400, "in a short sentence");
	text[3] = '2';
	is_int(hxs_ref_parse(text, &ref, NULL), -HXS_EUSAGE,
	       "a name of ten thousand: refused");
}

static void test_format(void)
{
	char out[HXS_REF_TEXT];
	struct hxs_ref ref;

	hxs_ref_format(HXS_BACKUP, "dev", ID, out);
	is_str(out, "dev/" ID, "formats a backup");
	hxs_ref_format(HXS_ROLLBACK, "dev", ID, out);
	is_str(out, "dev/.rollbacks/" ID, "formats a rollback point");
	hxs_ref_format(HXS_ROLLBACK, N64, ID, out);
	is_str(out, N64 "/.rollbacks/" ID, "there is room for the longest");
	ok(hxs_ref_parse(out, &ref, NULL) == 0 && ref.which == HXS_REF_ID &&
		   ref.kind == HXS_ROLLBACK,
	   "and it reads back");
}

int main(void)
{
	test_good();
	test_bad();
	test_long();
	test_format();
	return tap_done();
}
