#ifndef HXS_STORE_IDENT_H
#define HXS_STORE_IDENT_H

/*
 * Telling files by what they are, not by their names: inode number, time of
 * birth and type. Not by device, whose number may be another after a boot.
 */
#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

/* Which file; ino 0: none. */
struct hxs_ident {
	uint64_t ino;
	int64_t birth_sec; /* 0 where the file system does not tell */
	uint32_t birth_nsec;
	uint32_t type; /* S_IFMT bits */
};

/*
 * Which file @name in @dirfd is ("": @dirfd itself); all zero when there is
 * none. 0 or -errno.
 */
HXS_MUST_CHECK
int hxs_ident_of(int dirfd, const char *name, struct hxs_ident *out);
bool hxs_ident_equal(const struct hxs_ident *a, const struct hxs_ident *b);

#endif
