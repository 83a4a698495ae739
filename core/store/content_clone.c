/*
 * What a copy of a stored file may spare itself: writing its bytes, where the
 * file system can share them, and its holes. Neither is a second door. A
 * clone is read through the one door in the stored file's stead, so what was
 * found right is what was made; and holes are only a hint.
 */
#include "base/io.h"
#include "store/snapshot_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static bool never_clones(int e)
{
	return e == EOPNOTSUPP || e == EXDEV || e == ENOTTY || e == ENOSYS;
}

/* A file that changed its size since it was opened. */
static int fail_size(struct hxs_content *c, const struct stat *st,
		     struct hxs_fault *fault, struct hxs_err *err)
{
	fault->kind = HXS_FAULT_SIZE;
	fault->entry = c->entry;
	fault->len = c->size;
	(void)snprintf(fault->reason, sizeof(fault->reason),
		       "it has %" PRIu64 " bytes instead of %" PRIu64,
		       (uint64_t)st->st_size, c->size);
	return hxs_content_fail(c->snap, fault, err);
}

int hxs_content_clone(struct hxs_content *c, int to, bool *never,
		      struct hxs_fault *fault, struct hxs_err *err)
{
	struct stat st;
	int fd;

	memset(fault, 0, sizeof(*fault));
	*never = false;
	if (c->mem || c->size == 0)
		return 0;
	if (ioctl(to, FICLONE, c->fd) < 0) {
		*never = never_clones(errno);
		/* One that failed halfway may have left something. */
		if (!*never && ftruncate(to, 0) < 0)
			return hxs_err_errno(err, errno, "cannot empty a copy");
		return 0;
	}
	fd = fcntl(to, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int e = errno;

		if (fd >= 0)
			(void)close(fd); /* a second name of @to */
		return hxs_err_errno(err, e, "cannot look at a copy");
	}
	(void)close(c->fd); /* it was only read */
	c->fd = fd;
	if ((uint64_t)st.st_size != c->size)
		return fail_size(c, &st, fault, err);
	return 1;
}

static void note_first(const struct hxs_fault *fault, void *ctx)
{
	struct hxs_fault *first = ctx;

	if (first->kind == HXS_FAULT_NONE)
		*first = *fault;
}

int hxs_content_prove(struct hxs_content *c, uint64_t first, uint64_t count,
		      struct hxs_scratch *scratch, struct hxs_fault *fault,
		      struct hxs_err *err)
{
	int64_t faults;

	memset(fault, 0, sizeof(*fault));
	faults = hxs_content_check(c, first, count, scratch, note_first, fault);
	if (faults < 0)
		return hxs_err_errno(err, (int)-faults, "cannot check a file");
	return faults ? hxs_content_fail(c->snap, fault, err) : 0;
}

bool hxs_content_may_have_holes(const struct hxs_content *c)
{
	return c->holes;
}

int64_t hxs_content_seek(const struct hxs_content *c, uint64_t off, bool hole)
{
	off_t at;

	if (c->mem)
		return hole ? (int64_t)c->size : (int64_t)off;
	at = lseek(c->fd, (off_t)off, hole ? SEEK_HOLE : SEEK_DATA);
	return at < 0 ? -errno : at;
}

void hxs_content_fetch(const struct hxs_content *c, uint64_t off, uint64_t len)
{
	if (!c->mem)
		(void)posix_fadvise(c->fd, (off_t)off, (off_t)len,
				    POSIX_FADV_WILLNEED); /* only advice */
}
