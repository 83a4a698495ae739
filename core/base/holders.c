/*
 * The kernel tells of a process's files by the path at which it sees them,
 * in the mounts of its own namespace. So first the paths under which the tree
 * is seen are gathered for each namespace that occurs (base/places); then
 * every link of every process is compared with those. No file is opened and
 * none is asked anything that its file system would have to answer: one of
 * them may hang.
 */
#include "base/holders.h"

#include "base/holders_scan.h"
#include "base/io.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define DELETED " (deleted)"
#define FILE_MAX (256u << 20) /* bytes of one file in /proc */

/* ---- what is held -------------------------------------------------------- */

/* Cut @text to fit @size bytes, not in the middle of a character. */
static void put_shown(const char *text, char *out, size_t size)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	size_t n;

	(void)hxs_path_show(&shown, text, strlen(text)); /* or less of it */
	n = shown.len < size ? shown.len : size - 1;
	while (n && n < shown.len && ((unsigned char)shown.data[n] >> 6) == 2)
		n--;
	memcpy(out, hxs_buf_str(&shown), n);
	out[n] = '\0';
}

int hxs_holders_add(struct hxs_holders *h, pid_t pid, const char *command,
		    const char *path, const char *rest)
{
	HXS_AUTO_BUF struct hxs_buf whole = HXS_BUF_INIT;
	struct hxs_holder *grown, *one;

	/* The status keeps failures. */
	(void)hxs_buf_puts(&whole, path);
	(void)hxs_buf_puts(&whole, rest);
	grown = reallocarray(h->holder, h->count + 1, sizeof(*grown));
	if (grown)
		h->holder = grown;
	if (!grown || hxs_buf_status(&whole) < 0)
		return -ENOMEM;
	one = &h->holder[h->count++];
	one->pid = pid;
	put_shown(command, one->command, sizeof(one->command));
	put_shown(hxs_buf_str(&whole), one->path, sizeof(one->path));
	return 0;
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* A file may well be called "x (deleted)": then it is there. */
static bool is_deleted(const struct hxs_place *p, const char *rest)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct stat st;

	if (!ends_in(rest, DELETED))
		return false;
	if (hxs_buf_puts(&path, p->ours) < 0 || hxs_buf_puts(&path, rest) < 0)
		return false;
	return lstat(hxs_buf_str(&path), &st) < 0;
}

/*
 * Whether what link @name of directory @dirfd leads to lies in mount @id: a
 * path alone does not tell what another mount covers. What cannot be told is
 * taken for held.
 */
static bool in_mount(int dirfd, const char *name, uint64_t id)
{
	struct statx stx;

	if (dirfd < 0)
		return true;
	if (statx(dirfd, name, AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx) < 0)
		return errno != ENOENT && errno != ESRCH;
	return !(stx.stx_mask & STATX_MNT_ID) || stx.stx_mnt_id == id;
}

int hxs_holders_match(const struct hxs_view *v, const char *text, int dirfd,
		      const char *name, const struct hxs_place **place,
		      const char **rest)
{
	size_t from = 0;

	while (*text == '/' &&
	       (*place = hxs_places_next(&v->places, text, &from, rest)))
		if (!is_deleted(*place, *rest) &&
		    in_mount(dirfd, name, (*place)->mount))
			return 1;
	return 0;
}

int hxs_holders_read(int dirfd, const char *name, char **out, size_t *len)
{
	HXS_AUTO_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return hxs_io_read_all(fd, FILE_MAX, out, len);
}

/* ---- what the kernel itself holds ---------------------------------------- */

static int see_kernel(struct hxs_scan *s, const char *command, const char *text)
{
	const struct hxs_place *place;
	const char *rest;

	if (!hxs_holders_match(s->view, text, -1, NULL, &place, &rest))
		return 0;
	return hxs_holders_add(s->out, 0, command, place->ours, rest);
}

struct blocks {
	struct hxs_scan *s;
	int dirfd;
};

static int see_loop(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	const struct blocks *b = ctx;
	HXS_AUTO_FREE char *text = NULL;
	char path[HXS_NAME_MAX + 32];
	size_t len = 0;

	if (strncmp(name, "loop", 4) != 0)
		return 0;
	(void)snprintf(path, sizeof(path), "%.255s/loop/backing_file", name);
	if (hxs_holders_read(b->dirfd, path, &text, &len) < 0 || !text)
		return 0; /* it backs nothing */
	if (len && text[len - 1] == '\n')
		text[len - 1] = '\0';
	return see_kernel(b->s, name, text);
}

static int see_loops(struct hxs_scan *s)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct blocks b = { .s = s };
	int r;

	fd = open("/sys/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* a container without /sys */
	b.dirfd = fd;
	r = hxs_io_list(fd, see_loop, &b);
	return r == -ENOMEM ? r : 0;
}

/* "/swap\040file   file  1048572 0 -2" */
static int see_swap(struct hxs_scan *s, char *line)
{
	unsigned a, b, c;
	char *from, *to;

	line[strcspn(line, " \t")] = '\0';
	for (from = to = line; *from; to++) {
		if (sscanf(from, "\\%1o%1o%1o", &a, &b, &c) == 3) {
			*to = (char)(a << 6 | b << 3 | c);
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return see_kernel(s, "swap", line);
}

static int see_swaps(struct hxs_scan *s)
{
	HXS_AUTO_FREE char *text = NULL;
	char *line, *end;
	size_t len;
	int r = 0;

	if (hxs_holders_read(AT_FDCWD, "/proc/swaps", &text, &len) < 0 || !text)
		return 0; /* a kernel without */
	for (line = text; r == 0 && line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		r = see_swap(s, line);
	}
	return r;
}

/* ---- all of it ----------------------------------------------------------- */

static int by_pid(const void *a, const void *b)
{
	const struct hxs_holder *x = a, *y = b;

	return x->pid != y->pid ? (x->pid > y->pid) - (x->pid < y->pid)
				: strcmp(x->command, y->command);
}

static int find(struct hxs_scan *s, const char *path)
{
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int proc = -1;
	HXS_AUTO_CLOSE int self = -1;
	size_t len, ours;
	int r;

	proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return errno == ENOENT ? -ENOSYS : -errno;
	self = openat(proc, "self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (self < 0)
		return errno == ENOENT ? -ENOSYS : -errno;
	r = hxs_holders_read(self, "mountinfo", &text, &len);
	if (r < 0)
		return r;
	r = hxs_places_identify(&s->object, path, text, len);
	if (r == -ENOENT)
		return 0; /* nobody holds what is not there */
	if (r == 0)
		r = hxs_holders_view(s, self, &ours);
	if (r == 0)
		r = see_loops(s);
	if (r == 0)
		r = see_swaps(s);
	if (r == 0)
		r = hxs_io_list(proc, hxs_holders_see, s);
	return r;
}

int hxs_holders_find(const char *path, struct hxs_holders *out,
		     struct hxs_err *err)
{
	struct hxs_holders found = HXS_HOLDERS_INIT;
	struct hxs_scan s = { .object = HXS_OBJECT_INIT, .out = &found };
	size_t i;
	int r;

	r = find(&s, path);
	for (i = 0; i < s.view_count; i++) {
		free(s.view[i].root);
		hxs_places_release(&s.view[i].places);
	}
	free(s.view);
	hxs_places_forget(&s.object);
	if (r < 0) {
		hxs_holders_release(&found);
		return hxs_err_errno(err, -r, "cannot tell who uses '%s'",
				     path);
	}
	if (found.count)
		qsort(found.holder, found.count, sizeof(*found.holder), by_pid);
	*out = found;
	return 0;
}

void hxs_holders_release(struct hxs_holders *h)
{
	free(h->holder);
	*h = (struct hxs_holders)HXS_HOLDERS_INIT;
}
