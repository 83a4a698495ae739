#include "fs/acl.h"

#include <stdint.h>

/* linux/posix_acl_xattr.h: little-endian, a version, then the entries */
#define ACL_VERSION 2u
#define ACL_HEADER 4u
#define ACL_ENTRY 8u

enum {
	TAG_USER_OBJ = 0x01,
	TAG_USER = 0x02,
	TAG_GROUP_OBJ = 0x04,
	TAG_GROUP = 0x08,
	TAG_MASK = 0x10,
	TAG_OTHER = 0x20,
};

static unsigned u16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

/*
 * A named user gets what the ACL says of him (under the mask) and nothing
 * else, be he in the group or not: so neither the group nor the others may
 * have what one of the named users lacks. A named group's members who are in
 * no other matching group do not fall through to the others.
 */
mode_t hxfs_acl_narrow(mode_t mode, const void *acl, size_t len)
{
	const uint8_t *p = acl, *end = p + len, *at;
	unsigned mask = 7, group = 7, users = 7, groups = 7, other = 7;

	if (len < ACL_HEADER || (len - ACL_HEADER) % ACL_ENTRY != 0 ||
	    u16(p) != ACL_VERSION || u16(p + 2) != 0)
		return mode & ~(mode_t)077;
	p += ACL_HEADER;
	for (at = p; at < end; at += ACL_ENTRY)
		if (u16(at) == TAG_MASK)
			mask = u16(at + 2) & 7;
	for (at = p; at < end; at += ACL_ENTRY) {
		unsigned perm = u16(at + 2) & 7;

		switch (u16(at)) {
		case TAG_USER:
			users &= perm & mask;
			break;
		case TAG_GROUP_OBJ:
			group = perm & mask;
			break;
		case TAG_GROUP:
			groups &= perm & mask;
			break;
		case TAG_OTHER:
			other = perm;
			break;
		case TAG_USER_OBJ:
		case TAG_MASK:
			break;
		default:
			return mode & ~(mode_t)077;
		}
	}
	group &= users;
	other &= users & groups;
	return mode & (~(mode_t)077 | group << 3 | other);
}
