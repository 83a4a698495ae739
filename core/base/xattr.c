#include "base/xattr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define HEAD_LEN 6 /* two lengths before name and value */
#define LIST_MAX (64 * 1024) /* the kernel's own limit on a list of names */

static uint32_t get_le(const uint8_t *p, unsigned bytes)
{
	uint32_t n = 0;

	while (bytes--)
		n = n << 8 | p[bytes];
	return n;
}

static bool name_is_kept(const char *name, size_t len)
{
	static const char *const whole[] = {
		"security.capability",
		"system.posix_acl_access",
		"system.posix_acl_default",
	};
	static const char *const family[] = { "user.", "trusted." };
	size_t i, n;

	for (i = 0; i < HXS_ARRAY_LEN(whole); i++)
		if (len == strlen(whole[i]) && memcmp(name, whole[i], len) == 0)
			return true;
	for (i = 0; i < HXS_ARRAY_LEN(family); i++) {
		n = strlen(family[i]);
		if (len > n && memcmp(name, family[i], n) == 0)
			return true;
	}
	return false;
}

bool hxs_xattr_kept(const char *name)
{
	return name_is_kept(name, strlen(name));
}

/*
 * Decode the attribute at @pos: its end, or 0 when malformed. A name that is
 * not kept was not written by us, and nobody shall set it because we read it.
 */
static size_t decode(const uint8_t *blob, size_t len, size_t pos,
		     struct hxs_xattr *out)
{
	size_t left;

	if (pos > len || len - pos < HEAD_LEN)
		return 0;
	out->name_len = get_le(blob + pos, 2);
	out->value_len = get_le(blob + pos + 2, 4);
	pos += HEAD_LEN;
	left = len - pos;
	if (out->name_len == 0 || out->name_len > HXS_XATTR_NAME_MAX ||
	    out->value_len > HXS_XATTR_VALUE_MAX || out->name_len > left ||
	    out->value_len > left - out->name_len)
		return 0;
	out->name = (const char *)blob + pos;
	out->value = blob + pos + out->name_len;
	if (memchr(out->name, '\0', out->name_len) ||
	    !name_is_kept(out->name, out->name_len))
		return 0;
	return pos + out->name_len + out->value_len;
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int r = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (r != 0)
		return r;
	return (a_len > b_len) - (a_len < b_len);
}

int hxs_xattr_next(const void *blob, size_t len, size_t *pos,
		   struct hxs_xattr *out)
{
	struct hxs_xattr here = { 0 }, after = { 0 };
	size_t end;

	if (*pos == len)
		return 0;
	end = decode(blob, len, *pos, &here);
	if (end == 0)
		return -EINVAL;
	/* what came before is not known here, so look at what comes after */
	if (end < len && (decode(blob, len, end, &after) == 0 ||
			  compare(here.name, here.name_len, after.name,
				  after.name_len) >= 0))
		return -EINVAL;
	*pos = end;
	*out = here;
	return 1;
}

int hxs_xattr_check(const void *blob, size_t len)
{
	struct hxs_xattr x;
	size_t pos = 0;
	int r;

	do
		r = hxs_xattr_next(blob, len, &pos, &x);
	while (r > 0);
	return r;
}

bool hxs_xattr_find(const void *blob, size_t len, const char *name,
		    struct hxs_xattr *out)
{
	struct hxs_xattr x;
	size_t pos = 0, name_len = strlen(name);

	while (hxs_xattr_next(blob, len, &pos, &x) > 0) {
		if (x.name_len == name_len &&
		    memcmp(x.name, name, name_len) == 0) {
			*out = x;
			return true;
		}
	}
	return false;
}

/*
 * The calls on a descriptor, and for O_PATH, on which they fail with EBADF,
 * on what /proc says it is: the very file, a symbolic link too.
 */
struct file {
	int fd;
	char proc[32];
};

static void file_init(struct file *f, int fd)
{
	f->fd = fd;
	(void)snprintf(f->proc, sizeof(f->proc), "/proc/self/fd/%d", fd);
}

/* What a call by /proc says of a descriptor that is none, or without /proc. */
static int reason(void)
{
	return errno == ENOENT ? -EBADF : -errno;
}

static ssize_t file_list(const struct file *f, char *list, size_t size)
{
	ssize_t n = flistxattr(f->fd, list, size);

	if (n < 0 && errno == EBADF)
		n = listxattr(f->proc, list, size);
	return n < 0 ? reason() : n;
}

static ssize_t file_get(const struct file *f, const char *name, void *value,
			size_t size)
{
	ssize_t n = fgetxattr(f->fd, name, value, size);

	if (n < 0 && errno == EBADF)
		n = getxattr(f->proc, name, value, size);
	return n < 0 ? reason() : n;
}

static int file_set(const struct file *f, const char *name, const void *value,
		    size_t size)
{
	int r = fsetxattr(f->fd, name, value, size, 0);

	if (r < 0 && errno == EBADF)
		r = setxattr(f->proc, name, value, size, 0);
	return r < 0 ? reason() : 0;
}

static int append(struct hxs_buf *out, const char *name, const void *value,
		  size_t value_len)
{
	size_t name_len = strlen(name);
	uint8_t head[HEAD_LEN] = {
		(uint8_t)name_len,	    (uint8_t)(name_len >> 8),
		(uint8_t)value_len,	    (uint8_t)(value_len >> 8),
		(uint8_t)(value_len >> 16), (uint8_t)(value_len >> 24),
	};

	(void)hxs_buf_append(out, head, sizeof(head));
	(void)hxs_buf_append(out, name, name_len);
	(void)hxs_buf_append(out, value, value_len);
	return hxs_buf_status(out);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The kept names in @list, sorted; an array the caller frees. */
static int sort_names(const char *list, size_t len, const char ***out,
		      size_t *count)
{
	const char **names, *at;
	size_t n = 0, i = 0;

	for (at = list; at < list + len; at += strlen(at) + 1)
		n++;
	names = calloc(n + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (at = list; at < list + len; at += strlen(at) + 1)
		if (hxs_xattr_kept(at))
			names[i++] = at;
	qsort(names, i, sizeof(*names), by_name);
	*out = names;
	*count = i;
	return 0;
}

static int read_values(const struct file *f, const char *list, size_t len,
		       struct hxs_buf *out)
{
	HXS_AUTO_FREE const char **names = NULL;
	HXS_AUTO_FREE void *value = NULL;
	size_t count, i;
	ssize_t n;
	int r;

	r = sort_names(list, len, &names, &count);
	if (r < 0)
		return r;
	if (count == 0)
		return 0;
	value = malloc(HXS_XATTR_VALUE_MAX);
	if (!value)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		n = file_get(f, names[i], value, HXS_XATTR_VALUE_MAX);
		if (n == -ENODATA)
			continue; /* removed since it was listed */
		if (n < 0)
			return (int)n;
		r = append(out, names[i], value, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

int hxs_xattr_read(int fd, struct hxs_buf *out)
{
	HXS_AUTO_FREE char *list = NULL;
	size_t before = out->len;
	struct file f;
	ssize_t n;
	int r;

	file_init(&f, fd);
	/* most files have none, and then one call says so */
	n = file_list(&f, NULL, 0);
	if (n == -EOPNOTSUPP || n == -ENOSYS)
		return 0;
	if (n <= 0)
		return (int)n;
	list = malloc(LIST_MAX + 1);
	if (!list)
		return -ENOMEM;
	n = file_list(&f, list, LIST_MAX);
	if (n < 0)
		return (int)n;
	list[n] = '\0';
	r = read_values(&f, list, (size_t)n, out);
	if (r < 0)
		hxs_buf_truncate(out, before);
	return r;
}

int hxs_xattr_write(int fd, const void *blob, size_t len, unsigned *skipped)
{
	char name[HXS_XATTR_NAME_MAX + 1];
	struct hxs_xattr x;
	unsigned passed = 0;
	size_t pos = 0;
	struct file f;
	int r;

	r = hxs_xattr_check(blob, len);
	if (r < 0)
		return r;
	file_init(&f, fd);
	while (hxs_xattr_next(blob, len, &pos, &x) > 0) {
		memcpy(name, x.name, x.name_len);
		name[x.name_len] = '\0';
		r = file_set(&f, name, x.value, x.value_len);
		if (r == -EPERM || r == -EOPNOTSUPP)
			passed++;
		else if (r < 0)
			return r;
	}
	if (skipped)
		*skipped = passed;
	return 0;
}
