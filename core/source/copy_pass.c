/*
 * One pass over a file: the bytes that were hashed are the bytes that were
 * written, from one buffer.
 */
#include "source/copy_pass.h"

#include "base/io.h"
#include "source/behind.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define BEHIND_FROM (4u << 20) /* hashed by a thread of its own */
#define READAHEAD_FROM (1u << 20) /* smaller files are read in one go */
/* So much is written before the disk is told to begin with it. */
#define WRITE_OUT (8u << 20)
#define HOLE_PIECE (64u << 20) /* hashed between looks whether to go on */

/* ---- buffers ----------------------------------------------------------- */

static void free_scribe(struct hxs_scribe *s)
{
	if (!s)
		return;
	hxs_chain_maker_free(s->maker);
	hxs_buf_release(&s->xattrs);
	free(s->buf);
	free(s);
}

struct hxs_scribe *hxs_copy_take_scribe(struct hxs_capture *cap)
{
	struct hxs_scribe *s;

	(void)pthread_mutex_lock(&cap->lock);
	s = cap->idle;
	if (s)
		cap->idle = s->next;
	(void)pthread_mutex_unlock(&cap->lock);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->buf = malloc(HXS_COPY_BUFFER);
	if (!s->buf || hxs_chain_maker_new(&s->maker) < 0) {
		free_scribe(s);
		return NULL;
	}
	return s;
}

void hxs_copy_give_scribe(struct hxs_capture *cap, struct hxs_scribe *s)
{
	(void)pthread_mutex_lock(&cap->lock);
	s->next = cap->idle;
	cap->idle = s;
	(void)pthread_mutex_unlock(&cap->lock);
}

void hxs_copy_free_scribes(struct hxs_capture *cap)
{
	struct hxs_scribe *s;

	while (cap->idle) {
		s = cap->idle;
		cap->idle = s->next;
		free_scribe(s);
	}
}

/* ---- one pass ---------------------------------------------------------- */

static int short_file(void)
{
	return -EAGAIN; /* it shrank under our hands */
}

/*
 * Have the disk begin with what was written since @*from, once that is
 * worth it: it would else be idle until all has to be durable at once. Only
 * begun, so nothing can be told of how it goes; publishing does that.
 */
static void write_out(int fd, uint64_t *from, uint64_t to, uint64_t least)
{
	if (to - *from < least)
		return;
	(void)sync_file_range(fd, (off_t)*from, (off_t)(to - *from),
			      SYNC_FILE_RANGE_WRITE);
	*from = to;
}

/*
 * Read [@off, @end) of @from, hash it, and write it to @to at the same place
 * unless @to is -1.
 */
static int pass_data(struct hxs_copy *c, int from, int to, uint64_t off,
		     uint64_t end, struct hxs_err *err)
{
	HXS_AUTO(behind) struct hxs_behind *behind = NULL;
	size_t want, room = HXS_COPY_BUFFER;
	char *buf = c->scribe->buf;
	uint64_t out = off;
	ssize_t n;
	int r;

	if (end - off >= BEHIND_FROM &&
	    hxs_behind_new(c->scribe->maker, &behind) == 0)
		room = HXS_BEHIND_BUFFER; /* else it goes without */
	for (; off < end; off += want) {
		want = room < end - off ? room : (size_t)(end - off);
		if (behind)
			buf = hxs_behind_buffer(behind);
		n = hxs_io_pread_full(from, buf, want, off);
		if (n < 0)
			return hxs_err_errno(err, (int)-n, "cannot read");
		if ((size_t)n < want)
			return short_file();
		if (behind) {
			hxs_behind_push(behind, want);
			r = 0;
		} else {
			r = hxs_chain_maker_data(c->scribe->maker, buf, want);
		}
		if (r < 0)
			return hxs_err_errno(err, -r, "cannot hash");
		r = to < 0 ? 0 : hxs_io_pwrite_full(to, buf, want, off);
		if (r < 0)
			return hxs_err_errno(err, -r, "cannot write");
		if (to >= 0)
			write_out(to, &out, off + want, WRITE_OUT);
		if (!hxs_capture_goes_on(c->cap))
			return hxs_err_set(err, ECANCELED, "cancelled");
	}
	if (to >= 0)
		write_out(to, &out, end, READAHEAD_FROM);
	r = behind ? hxs_behind_wait(behind) : 0;
	return r < 0 ? hxs_err_errno(err, -r, "cannot hash") : 0;
}

/* Hashing the zeros of a hole takes as long as those of a file. */
static int pass_hole(struct hxs_copy *c, uint64_t len, struct hxs_err *err)
{
	uint64_t n;
	int r;

	for (; len; len -= n) {
		n = len < HOLE_PIECE ? len : HOLE_PIECE;
		r = hxs_chain_maker_hole(c->scribe->maker, n);
		if (r < 0)
			return hxs_err_errno(err, -r, "cannot hash");
		if (!hxs_capture_goes_on(c->cap))
			return hxs_err_set(err, ECANCELED, "cancelled");
	}
	return 0;
}

/* The same for all of a file of @size bytes that may have holes. */
static int pass_sparse(struct hxs_copy *c, int from, int to, uint64_t size,
		       struct hxs_err *err)
{
	uint64_t off = 0, data, end;
	off_t at;
	int r;

	while (off < size) {
		at = lseek(from, (off_t)off, SEEK_DATA);
		if (at < 0 && errno != ENXIO)
			return hxs_err_errno(err, errno, "cannot find holes");
		data = at < 0 || (uint64_t)at > size ? size : (uint64_t)at;
		r = pass_hole(c, data - off, err);
		if (r < 0)
			return r;
		if (data == size)
			break;
		at = lseek(from, (off_t)data, SEEK_HOLE);
		if (at < 0)
			return errno == ENXIO ? short_file()
					      : hxs_err_errno(err, errno,
							      "cannot find "
							      "holes");
		end = (uint64_t)at > size ? size : (uint64_t)at;
		r = pass_data(c, from, to, data, end, err);
		if (r < 0)
			return r;
		off = end;
	}
	return 0;
}

/* Whether the file system has given it fewer blocks than it has bytes. */
static bool may_have_holes(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size;
}

int hxs_copy_pass(struct hxs_copy *c, int from, int to, const struct stat *st,
		  struct hxs_err *err)
{
	uint64_t size = (uint64_t)st->st_size;
	int r;

	hxs_chain_maker_reset(c->scribe->maker);
	if (size >= READAHEAD_FROM) /* only a hint */
		(void)posix_fadvise(from, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (!may_have_holes(st))
		return pass_data(c, from, to, 0, size, err);
	r = pass_sparse(c, from, to, size, err);
	if (r < 0 || to < 0)
		return r;
	if (ftruncate(to, st->st_size) < 0) /* a hole at the end */
		return hxs_err_errno(err, errno, "cannot write");
	return 0;
}
