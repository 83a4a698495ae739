#ifndef HXFS_ACL_H
#define HXFS_ACL_H

/*
 * Modes where ACLs cannot be shown.
 *
 * With an access ACL the group bits of a mode are the ACL's mask, and the
 * other bits hold even for users whom the ACL names with less. A kernel that
 * is not told of the ACL would let more people in.
 */
#include <stddef.h>
#include <sys/types.h>

/*
 * The mode that grants nobody more than the access ACL @acl (the value of
 * system.posix_acl_access, @len bytes) does together with @mode. An ACL that
 * cannot be understood takes away everything but the owner's bits.
 */
mode_t hxfs_acl_narrow(mode_t mode, const void *acl, size_t len);

#endif
