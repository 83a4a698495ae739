#ifndef HXS_BASE_XATTR_H
#define HXS_BASE_XATTR_H

/*
 * Extended attributes as one block of bytes, the form the index stores.
 *
 * For each attribute, sorted bytewise by name, no name twice:
 *	u16 little-endian	length of the name (1 to 255)
 *	u32 little-endian	length of the value (at most 65536)
 *	name, value		without terminators
 *
 * Kept are user.*, trusted.*, security.capability and the POSIX ACLs
 * (system.posix_acl_access, system.posix_acl_default). The rest of
 * security.* and system.* belongs to the machine, not to the data.
 */
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HXS_XATTR_NAME_MAX 255
#define HXS_XATTR_VALUE_MAX 65536

struct hxs_xattr {
	const char *name;
	size_t name_len;
	const void *value;
	size_t value_len;
};

/*
 * Step through @blob: *@pos starts at 0. 1 with *@out filled (borrowed from
 * @blob), 0 at the end, -EINVAL when malformed or out of order.
 */
int hxs_xattr_next(const void *blob, size_t len, size_t *pos,
		   struct hxs_xattr *out);

/* -EINVAL unless the whole of @blob is well-formed. */
HXS_MUST_CHECK
int hxs_xattr_check(const void *blob, size_t len);

/* True and *@out filled when @name is there. */
bool hxs_xattr_find(const void *blob, size_t len, const char *name,
		    struct hxs_xattr *out);

/* Whether an attribute of this name is kept. */
bool hxs_xattr_kept(const char *name);

/*
 * Append the kept attributes of open file @fd (O_PATH will do: reading goes
 * through /proc/self/fd). No attributes, or a file system without them:
 * nothing appended. 0 or -errno.
 */
HXS_MUST_CHECK
int hxs_xattr_read(int fd, struct hxs_buf *out);

/*
 * Set every attribute of @blob on @fd. Attributes this user or file system
 * does not allow (EPERM, EOPNOTSUPP) are passed over; *@skipped (may be NULL)
 * counts them. 0 or -errno.
 */
HXS_MUST_CHECK
int hxs_xattr_write(int fd, const void *blob, size_t len, unsigned *skipped);

#endif
