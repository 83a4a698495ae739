#include "store/ident.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int hxs_ident_of(int dirfd, const char *name, struct hxs_ident *out)
{
	struct statx x;

	memset(out, 0, sizeof(*out));
	if (statx(dirfd, name,
		  AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT,
		  STATX_TYPE | STATX_INO | STATX_BTIME, &x) < 0)
		return errno == ENOENT ? 0 : -errno;
	out->ino = x.stx_ino;
	out->type = x.stx_mode & S_IFMT;
	if (x.stx_mask & STATX_BTIME) {
		out->birth_sec = x.stx_btime.tv_sec;
		out->birth_nsec = x.stx_btime.tv_nsec;
	}
	return 0;
}

bool hxs_ident_equal(const struct hxs_ident *a, const struct hxs_ident *b)
{
	return a->ino == b->ino && a->type == b->type &&
	       a->birth_sec == b->birth_sec && a->birth_nsec == b->birth_nsec;
}
