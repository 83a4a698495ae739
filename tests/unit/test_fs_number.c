/* Node numbers: every kind there and back, and what is no number. */
#include "fs/number.h"
#include "store/snapshot.h"
#include "tests/lib/tap.h"

#include <inttypes.h>

static struct hxfs_node decode(uint64_t ino)
{
	struct hxfs_node n;

	hxfs_number_decode(ino, &n);
	return n;
}

static void test_fixed(void)
{
	is_int(decode(HXFS_ROOT).kind, HXFS_IS_ROOT, "the root");
	is_int(decode(HXFS_ROOT_STATUS).kind, HXFS_IS_STATUS, ".status");
	is_int(decode(HXFS_ROOT_METRICS).kind, HXFS_IS_METRICS, ".metrics");
	is_int(decode(0).kind, HXFS_IS_NOTHING, "0 is nothing");
	is_int(decode(HXFS_ROOT_CONTROL).kind, HXFS_IS_NOTHING,
	       "4 is .control in attributes alone");
	is_int(decode(15).kind, HXFS_IS_NOTHING, "15 is nothing");
	is_int(decode(0xffffffff).kind, HXFS_IS_NOTHING, "too many envs");
}

static void test_envs(void)
{
	static const uint32_t env[] = { 0, 1, 7, HXFS_ENV_COUNT_MAX - 1 };
	static const enum hxfs_kind kind[] = { HXFS_IS_ENV, HXFS_IS_ENV_STATUS,
					       HXFS_IS_ROLLBACKS,
					       HXFS_IS_HISTORY };
	struct hxfs_node n;
	size_t i, k;

	for (i = 0; i < HXS_ARRAY_LEN(env); i++) {
		for (k = 0; k < HXS_ARRAY_LEN(kind); k++) {
			n = decode(hxfs_number_env(env[i], kind[k]));
			ok(n.kind == kind[k] && n.env == env[i],
			   "environment %u, kind %d", env[i], (int)kind[k]);
		}
	}
	is_int(decode(hxfs_number_env(3, HXFS_IS_HISTORY) + 1).kind,
	       HXFS_IS_NOTHING, "a number in an environment's block not used");
}

static void test_entries(void)
{
	static const struct {
		const char *label;
		uint32_t slot, n;
		enum hxfs_kind want;
	} cases[] = {
		{ "a directory", 1, 0, HXFS_IS_SNAPSHOT },
		{ "an entry", 1, 1, HXFS_IS_ENTRY },
		{ "the last slot", HXFS_SLOT_MAX, 5, HXFS_IS_ENTRY },
		{ "its index", 2, HXS_ENTRY_INDEX, HXFS_IS_ENTRY },
		{ "its manifest", 2, HXS_ENTRY_MANIFEST, HXFS_IS_ENTRY },
		{ "its .status", 2, HXFS_N_STATUS, HXFS_IS_SNAPSHOT_STATUS },
		{ ".control in attributes", 2, HXFS_N_CONTROL,
		  HXFS_IS_NOTHING },
	};
	struct hxfs_node n;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		n = decode(hxfs_number_entry(cases[i].slot, cases[i].n));
		ok(n.kind == cases[i].want && n.slot == cases[i].slot &&
			   n.n == cases[i].n,
		   "%s", cases[i].label);
	}
}

static void test_links(void)
{
	static const int64_t when[] = {
		-INT64_C(62135596800), /* 0001-01-01 */
		-1,
		0,
		1767225600,
		INT64_C(253402300799), /* 9999-12-31 */
	};
	struct hxfs_node n;
	uint64_t ino;
	size_t i;
	int link;

	for (i = 0; i < HXS_ARRAY_LEN(when); i++) {
		for (link = HXFS_LATEST; link <= HXFS_LATEST_ROLLBACK; link++) {
			ino = hxfs_number_link(HXFS_ENV_COUNT_MAX - 1,
					       (enum hxfs_link)link, when[i]);
			n = decode(ino);
			ok(n.kind == HXFS_IS_LINK && (int)n.link == link &&
				   n.env == HXFS_ENV_COUNT_MAX - 1 &&
				   n.seconds == when[i],
			   "link %d to %" PRId64, link, when[i]);
			ok((int64_t)ino > 0, "it is positive as a signed one");
		}
	}
	is_int(decode(UINT64_C(1) << 60 | UINT64_C(3) << 58).kind,
	       HXFS_IS_NOTHING, "a fourth link");
}

static void test_texts(void)
{
	struct hxfs_node n = decode(hxfs_number_text(12345));

	ok(n.kind == HXFS_IS_TEXT && n.serial == 12345, "a text");
	is_int(decode(UINT64_C(5) << 60).kind, HXFS_IS_NOTHING, "class 5");
	is_int(decode(UINT64_MAX).kind, HXFS_IS_NOTHING, "all ones");
}

static void test_controls(void)
{
	static const struct {
		const char *label;
		enum hxfs_kind of;
		uint32_t which;
		uint64_t file;
	} cases[] = {
		{ "root", HXFS_IS_ROOT, 0, HXFS_ROOT_CONTROL },
		{ "the first environment", HXFS_IS_ENV, 0, 16 + 3 },
		{ "the last environment", HXFS_IS_ENV, HXFS_ENV_COUNT_MAX - 1,
		  16 + 16 * (uint64_t)(HXFS_ENV_COUNT_MAX - 1) + 3 },
		{ "a snapshot", HXFS_IS_SNAPSHOT, 1,
		  UINT64_C(1) << 32 | HXFS_N_CONTROL },
		{ "the last snapshot", HXFS_IS_SNAPSHOT, HXFS_SLOT_MAX,
		  (uint64_t)HXFS_SLOT_MAX << 32 | HXFS_N_CONTROL },
	};
	static const uint32_t serials[] = { 0, 1, (1u << 30) - 1 };
	struct hxfs_node n;
	uint64_t ino;
	size_t i, k;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		for (k = 0; k < HXS_ARRAY_LEN(serials); k++) {
			ino = hxfs_number_control(cases[i].of, cases[i].which,
						  serials[k]);
			n = decode(ino);
			ok(n.kind == HXFS_IS_CONTROL && n.of == cases[i].of &&
				   n.serial == serials[k] &&
				   (n.of != HXFS_IS_ENV ||
				    n.env == cases[i].which) &&
				   (n.of != HXFS_IS_SNAPSHOT ||
				    n.slot == cases[i].which),
			   ".control of %s, serial %u", cases[i].label,
			   serials[k]);
			ok((int64_t)ino > 0, "it is positive as a signed one");
			ok(hxfs_number_control_file(&n) == cases[i].file,
			   "and one file");
		}
	}
	is_int(decode(UINT64_C(3) << 60 | UINT64_C(3) << 58).kind,
	       HXFS_IS_NOTHING, "a fourth kind of .control");
}

static void test_trails(void)
{
	uint64_t top = hxfs_number_env(0, HXFS_IS_HISTORY);
	uint64_t other = hxfs_number_env(1, HXFS_IS_HISTORY);
	uint64_t a = hxfs_number_trail(top, "a");

	is_int(decode(a).kind, HXFS_IS_TRAIL, "a path's history");
	ok(a == hxfs_number_trail(top, "a"), "has one number");
	ok(a != hxfs_number_trail(other, "a"), "in each environment");
	ok(a != hxfs_number_trail(top, "b"), "as has each name");
	ok(hxfs_number_trail(a, "a") != a, "in each directory");
	ok((int64_t)(a + 1) > 0, "and is a place in a listing");
}

int main(void)
{
	test_fixed();
	test_envs();
	test_entries();
	test_links();
	test_texts();
	test_controls();
	test_trails();
	return tap_done();
}
