#include "format/config_internal.h"

#include "base/path.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Append the components of @path, each after a slash. */
static const char *append(struct hxs_buf *out, const char *path)
{
	const char *fault;
	size_t n;

	for (; *path; path += n) {
		n = strcspn(path, "/");
		if (n == 0) {
			n = 1;
			continue;
		}
		if (n == 1 && path[0] == '.')
			continue;
		fault = hxs_path_name_fault(path, n);
		if (fault)
			return fault;
		(void)hxs_buf_putc(out, '/');
		(void)hxs_buf_append(out, path, n);
	}
	return NULL;
}

int hxs_config_resolve(const char *base, const char *path, char **out,
		       const char **fault)
{
	HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
	char *made;

	*fault = NULL;
	if (path[0] == '\0')
		*fault = "the path is empty";
	else if (path[0] == '~')
		*fault = "'~' is not expanded";
	else if (path[0] == '$')
		*fault = "'$' is not expanded";
	else if (path[0] != '/')
		*fault = append(&b, base);
	if (!*fault)
		*fault = append(&b, path);
	if (!*fault && b.len >= PATH_MAX)
		*fault = "the path is longer than 4095 bytes";
	if (*fault)
		return -EINVAL;
	if (b.len == 0)
		(void)hxs_buf_putc(&b, '/');
	made = hxs_buf_steal(&b, NULL);
	if (!made)
		return -ENOMEM;
	*out = made;
	return 0;
}

/* A slash before all else, so that what lies in a directory follows it. */
static unsigned rank(char c)
{
	return c == '\0' ? 0 : c == '/' ? 1 : (unsigned char)c + 1u;
}

static int by_path(const void *va, const void *vb)
{
	const struct hxs_config_place *a = va, *b = vb;
	const char *x = a->path, *y = b->path;

	for (; *x && *x == *y; x++)
		y++;
	if (*x != *y)
		return rank(*x) < rank(*y) ? -1 : 1;
	return strcmp(a->what, b->what);
}

static bool holds(const char *outer, const char *inner)
{
	size_t n = strlen(outer);

	if (strncmp(outer, inner, n) != 0)
		return false;
	return inner[n] == '\0' || inner[n] == '/' || outer[n - 1] == '/';
}

/*
 * In the order above two neighbours clash if any two places do: what stands
 * between a directory and something in it lies in it too.
 */
int hxs_config_apart(struct hxs_config_place *places, size_t count,
		     struct hxs_err *err)
{
	size_t i;

	qsort(places, count, sizeof(*places), by_path);
	for (i = 1; i < count; i++) {
		const struct hxs_config_place *a = &places[i - 1];
		const struct hxs_config_place *b = &places[i];

		if (!holds(a->path, b->path))
			continue;
		if (strcmp(a->path, b->path) == 0)
			return hxs_err_set(err, HXS_EUSAGE,
					   "'%s' and '%s' are one place",
					   a->what, b->what);
		return hxs_err_set(err, HXS_EUSAGE, "'%s' lies inside '%s'",
				   b->what, a->what);
	}
	return 0;
}
