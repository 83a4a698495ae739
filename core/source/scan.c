/*
 * What a directory holds is listed first and looked at then, so that nothing
 * depends on its width but memory.
 */
#include "source/scan.h"

#include "base/io.h"
#include "base/xattr.h"
#include "source/sqlite.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

/* More room than this is not kept for the next directory. */
#define KEEP_MAX 16384

void hxs_scan_init(struct hxs_scan *s, const struct hxs_scan_rules *rules)
{
	*s = (struct hxs_scan){ .rules = rules };
}

void hxs_scan_release(struct hxs_scan *s)
{
	hxs_buf_release(&s->path);
	hxs_buf_release(&s->xattrs);
	hxs_buf_release(&s->text);
	free(s->found);
	free(s->order);
	s->found = NULL;
	s->order = NULL;
	s->count = s->cap = 0;
}

static void empty(struct hxs_buf *b)
{
	hxs_buf_truncate(b, 0);
	if (hxs_buf_status(b) < 0)
		hxs_buf_release(b); /* what failed once begins anew */
}

static void begin(struct hxs_scan *s)
{
	s->r = 0;
	s->count = 0;
	empty(&s->xattrs);
	empty(&s->text);
	if (s->cap <= KEEP_MAX)
		return;
	hxs_buf_release(&s->text);
	free(s->found);
	free(s->order);
	s->found = NULL;
	s->order = NULL;
	s->cap = 0;
}

static void fail(struct hxs_scan *s, enum hxs_scan_step step, int r)
{
	s->step = step;
	s->r = r;
}

/* Append @len bytes and a NUL to the text; where they are in *@at. */
static int keep(struct hxs_scan *s, const char *bytes, size_t len, size_t *at)
{
	*at = s->text.len;
	(void)hxs_buf_append(&s->text, bytes, len);
	return hxs_buf_putc(&s->text, '\0'); /* its status is that of both */
}

/* ---- one name ---------------------------------------------------------- */

static dev_t stx_dev(const struct statx *x)
{
	return makedev(x->stx_dev_major, x->stx_dev_minor);
}

/*
 * The mount's number tells, for files too; st_dev would not do: on overlayfs
 * files of one mount have several, and so have subvolumes on btrfs.
 */
static bool is_other_mount(const struct hxs_scan_rules *rules,
			   const struct statx *x)
{
	if (rules->has_mnt_id && (x->stx_mask & STATX_MNT_ID))
		return x->stx_mnt_id != rules->mnt_id;
	return S_ISDIR(x->stx_mode) && stx_dev(x) != rules->dev;
}

static struct timespec stx_time(const struct statx_timestamp *ts)
{
	return (struct timespec){ ts->tv_sec, (long)ts->tv_nsec };
}

static void from_statx(struct hxs_found *f, const struct statx *x)
{
	f->st = (struct hxs_tree_stat){
		.size = x->stx_size,
		.ino = x->stx_ino,
		.atime = stx_time(&x->stx_atime),
		.mtime = stx_time(&x->stx_mtime),
		.ctime = stx_time(&x->stx_ctime),
		.mode = x->stx_mode,
		.uid = x->stx_uid,
		.gid = x->stx_gid,
	};
	f->dev = stx_dev(x);
	f->nlink = x->stx_nlink;
}

/* 1 if a pattern of the configuration says so, or -ENOMEM. */
static int is_excluded(struct hxs_scan *s, const char *name)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	int r;

	if (s->rules->src->exclude_count == 0)
		return 0;
	(void)hxs_buf_append(&path, s->path.data, s->path.len);
	if (s->path.len)
		(void)hxs_buf_putc(&path, '/');
	r = hxs_buf_puts(&path, name);
	if (r < 0)
		return r;
	return hxs_walk_excludes(s->rules->src, hxs_buf_str(&path), name);
}

static enum hxs_found_as judge(struct hxs_scan *s, int dirfd, const char *name,
			       const struct statx *x)
{
	if (is_other_mount(s->rules, x))
		return HXS_FOUND_MOUNT;
	if (!S_ISREG(x->stx_mode) && !S_ISDIR(x->stx_mode) &&
	    !S_ISLNK(x->stx_mode))
		return HXS_FOUND_SPECIAL;
	if (!S_ISDIR(x->stx_mode) && strncmp(name, ".env", 4) == 0)
		return HXS_FOUND_ENV;
	if (S_ISREG(x->stx_mode) && !s->rules->src->sqlite_raw &&
	    hxs_sqlite_is_beside(dirfd, name))
		return HXS_FOUND_BESIDE;
	return HXS_FOUND_ENTRY;
}

/* A link's target, and its attributes, which need an O_PATH descriptor. */
static int read_link(struct hxs_scan *s, int dirfd, struct hxs_found *f)
{
	HXS_AUTO_CLOSE int fd = -1;
	char buf[4097];
	ssize_t n;
	int r;

	fd = openat(dirfd, hxs_scan_text(s, f->name),
		    O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = readlinkat(fd, "", buf, sizeof(buf));
	if (n < 0)
		return -errno;
	if ((size_t)n >= sizeof(buf))
		return -ENAMETOOLONG;
	r = keep(s, buf, (size_t)n, &f->target);
	f->xattrs = s->text.len;
	if (r == 0)
		r = hxs_xattr_read(fd, &s->text);
	f->xattrs_len = (uint32_t)(s->text.len - f->xattrs);
	return r;
}

/* Look at name @i: 0, or -1 when s->r says what failed. */
static int look(struct hxs_scan *s, int dirfd, size_t i)
{
	struct hxs_found *f = &s->found[i];
	const char *name;
	struct statx x;
	int r;

	assert(s->found); /* it was filled up to @i */
	name = hxs_scan_text(s, f->name);
	r = is_excluded(s, name);
	s->at = i;
	if (r != 0) {
		f->as = HXS_FOUND_EXCLUDED;
		if (r < 0)
			fail(s, HXS_SCAN_LOOK, r);
		return r < 0 ? -1 : 0;
	}
	f->as = HXS_FOUND_GONE;
	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_BASIC_STATS | STATX_MNT_ID, &x) < 0) {
		if (errno == ENOENT)
			return 0;
		fail(s, HXS_SCAN_LOOK, -errno);
		return -1;
	}
	from_statx(f, &x);
	f->as = (uint8_t)judge(s, dirfd, name, &x);
	if (f->as != HXS_FOUND_ENTRY || !S_ISLNK(x.stx_mode))
		return 0;
	r = read_link(s, dirfd, f);
	if (r == -ENOENT || r == -EINVAL) { /* or another thing meanwhile */
		f->as = HXS_FOUND_GONE;
		return 0;
	}
	if (r < 0)
		fail(s, HXS_SCAN_LINK, r);
	return r < 0 ? -1 : 0;
}

/* ---- a directory ------------------------------------------------------- */

static int make_room(struct hxs_scan *s)
{
	size_t cap = s->cap ? s->cap * 2 : 256;
	struct hxs_found *found;
	uint32_t *order;

	if (s->count < s->cap)
		return 0;
	if (cap > UINT32_MAX)
		return -EOVERFLOW; /* more than an index can hold */
	found = reallocarray(s->found, cap, sizeof(*found));
	if (!found)
		return -ENOMEM;
	s->found = found;
	order = reallocarray(s->order, cap, sizeof(*order));
	if (!order)
		return -ENOMEM;
	s->order = order;
	s->cap = cap;
	return 0;
}

static int collect(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	struct hxs_scan *s = ctx;
	struct hxs_found *f;
	int r = make_room(s);

	if (r < 0)
		return r;
	f = &s->found[s->count];
	f->target = f->xattrs = 0;
	f->xattrs_len = 0;
	f->st.ino = 0; /* what is left out comes first */
	r = keep(s, name, strlen(name), &f->name);
	if (r == 0)
		s->order[s->count] = (uint32_t)s->count, s->count++;
	return r;
}

static int by_inode(const void *pa, const void *pb, void *ctx)
{
	const struct hxs_found *found = ctx;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	uint64_t x = found[a].st.ino, y = found[b].st.ino;

	if (x != y)
		return x > y ? 1 : -1;
	return (a > b) - (a < b);
}

static int take_attributes(struct hxs_scan *s, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	hxs_tree_from_stat(&s->st, &st);
	return hxs_xattr_read(fd, &s->xattrs);
}

void hxs_scan_dir(struct hxs_scan *s)
{
	HXS_AUTO_CLOSE int fd = -1;
	size_t i;
	int r;

	begin(s);
	fd = hxs_tree_open_path(s->rules->top, hxs_buf_str(&s->path));
	if (fd < 0) {
		fail(s, HXS_SCAN_OPEN, fd);
		return;
	}
	r = take_attributes(s, fd);
	if (r == 0)
		r = hxs_io_list(fd, collect, s);
	if (r < 0) {
		fail(s, HXS_SCAN_READ, r);
		return;
	}
	for (i = 0; i < s->count; i++) {
		if ((i & 255) == 0 && !hxs_capture_goes_on(s->rules->cap)) {
			fail(s, HXS_SCAN_READ, -ECANCELED);
			return;
		}
		if (look(s, fd, i) < 0)
			return;
	}
	if (s->count)
		qsort_r(s->order, s->count, sizeof(*s->order), by_inode,
			s->found);
}

void hxs_scan_file(struct hxs_scan *s, const char *name)
{
	int r;

	begin(s);
	r = collect(name, 0, s);
	if (r < 0)
		fail(s, HXS_SCAN_READ, r);
	else
		(void)look(s, s->rules->top, 0); /* s->r tells */
}
