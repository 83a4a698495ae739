/* Modes that grant nobody more than an ACL. */
#include "fs/acl.h"

#include "base/cleanup.h"
#include "tests/lib/tap.h"

#include <stdint.h>
#include <sys/stat.h>

struct entry {
	unsigned tag, perm;
};

static size_t pack(uint8_t *out, const struct entry *e, size_t count)
{
	size_t i, n = 4;

	memcpy(out, "\2\0\0\0", 4);
	for (i = 0; i < count; i++, n += 8) {
		out[n] = (uint8_t)e[i].tag;
		out[n + 1] = 0;
		out[n + 2] = (uint8_t)e[i].perm;
		out[n + 3] = 0;
		memcpy(out + n + 4, "\0\0\0\0", 4);
	}
	return n;
}

#define UO 0x01
#define U 0x02
#define GO 0x04
#define G 0x08
#define M 0x10
#define O 0x20

static const struct {
	const char *label;
	unsigned mode;
	struct entry e[8];
	size_t count;
	unsigned want;
} cases[] = {
	{ "only the three", 0644, { { UO, 6 }, { GO, 4 }, { O, 4 } }, 3, 0644 },
	{ "the group bits are the mask, the group has less",
	  0664,
	  { { UO, 6 }, { U, 6 }, { GO, 4 }, { M, 6 }, { O, 4 } },
	  5,
	  0644 },
	{ "a user shut out takes it from group and others",
	  0644,
	  { { UO, 6 }, { U, 0 }, { GO, 4 }, { M, 4 }, { O, 4 } },
	  5,
	  0600 },
	{ "a user who may only read",
	  0666,
	  { { UO, 6 }, { U, 4 }, { GO, 6 }, { M, 6 }, { O, 6 } },
	  5,
	  0644 },
	{ "a group shut out takes it from others",
	  0644,
	  { { UO, 6 }, { GO, 4 }, { G, 0 }, { M, 4 }, { O, 4 } },
	  5,
	  0640 },
	{ "the mask limits users, groups and the group",
	  0604,
	  { { UO, 6 }, { U, 7 }, { GO, 4 }, { G, 7 }, { M, 0 }, { O, 4 } },
	  6,
	  0600 },
	{ "set-user-ID and sticky stay",
	  06755,
	  { { UO, 7 }, { U, 5 }, { GO, 5 }, { M, 5 }, { O, 5 } },
	  5,
	  06755 },
	{ "a tag of the future",
	  0644,
	  { { UO, 6 }, { GO, 4 }, { 0x40, 7 }, { O, 4 } },
	  4,
	  0600 },
};

int main(void)
{
	uint8_t bytes[128];
	size_t i, n;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		n = pack(bytes, cases[i].e, cases[i].count);
		is_int(hxfs_acl_narrow(S_IFREG | cases[i].mode, bytes, n),
		       S_IFREG | cases[i].want, "%s", cases[i].label);
	}
	n = pack(bytes, cases[0].e, 3);
	is_int(hxfs_acl_narrow(0644, bytes, n - 1), 0600, "cut off");
	is_int(hxfs_acl_narrow(0644, bytes, 3), 0600, "no header");
	bytes[0] = 3;
	is_int(hxfs_acl_narrow(0644, bytes, n), 0600, "another version");
	return tap_done();
}
