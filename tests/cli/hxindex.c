/*
 * hxindex SNAPSHOT SOURCE: print what index.hxi of the snapshot directory
 * says of the tree of SOURCE, in the form of hxtree list.
 */
#include "base/buf.h"
#include "base/io.h"
#include "base/xattr.h"
#include "format/index.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void die(const char *what)
{
	fprintf(stderr, "hxindex: %s\n", what);
	exit(2);
}

static void put_escaped(FILE *f, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= 0x20 || c >= 0x7f || c == '\\')
			fprintf(f, "\\%03o", c);
		else
			fputc(c, f);
	}
}

static void put_xattrs(const struct hxs_node *n)
{
	struct hxs_xattr x;
	size_t pos = 0, i;
	int count = 0;

	while (hxs_xattr_next(n->xattrs, n->xattrs_len, &pos, &x) > 0) {
		if (count++)
			putchar(',');
		put_escaped(stdout, x.name, x.name_len);
		putchar('=');
		for (i = 0; i < x.value_len; i++)
			printf("%02x", ((const uint8_t *)x.value)[i]);
	}
	if (!count)
		putchar('-');
}

/* The path of @n below @top, "." for @top itself; the caller's. */
static char *path_of(const struct hxs_index *idx, uint32_t n, uint32_t top)
{
	struct hxs_buf path = HXS_BUF_INIT, base = HXS_BUF_INIT;
	char *out;

	if (n == top)
		return strdup(".");
	if (hxs_index_path(idx, n, &path) < 0 ||
	    hxs_index_path(idx, top, &base) < 0)
		die("out of memory");
	out = strdup(hxs_buf_str(&path) + base.len + 1);
	hxs_buf_release(&path);
	hxs_buf_release(&base);
	return out;
}

static void put(const struct hxs_index *idx, uint32_t number, uint32_t top)
{
	char hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_node n;
	char *path;

	hxs_index_get(idx, number, &n);
	path = path_of(idx, number, top);
	if (!path)
		die("out of memory");
	put_escaped(stdout, path, strlen(path));
	free(path);
	printf(" %c %04o %u:%u ",
	       S_ISDIR(n.mode)	 ? 'd'
	       : S_ISLNK(n.mode) ? 'l'
				 : 'f',
	       n.mode & 07777, n.uid, n.gid);
	if (S_ISDIR(n.mode))
		printf("- ");
	else
		printf("%" PRIu64 " ", n.size);
	printf("%" PRId64 ".%09ld ", (int64_t)n.mtime.tv_sec, n.mtime.tv_nsec);
	if (S_ISDIR(n.mode)) {
		printf("- - ");
	} else {
		printf("%u ", n.nlink);
		if (n.nlink > 1) {
			path = path_of(idx, n.leader, top);
			put_escaped(stdout, path, strlen(path));
			free(path);
			putchar(' ');
		} else {
			printf("- ");
		}
	}
	if (n.target)
		put_escaped(stdout, n.target, strlen(n.target));
	else
		putchar('-');
	putchar(' ');
	put_xattrs(&n);
	if (n.digest) {
		hxs_digest_to_hex(n.digest, hex);
		printf(" %s\n", hex);
	} else {
		printf(" -\n");
	}
}

int main(int argc, char **argv)
{
	HXS_AUTO(index) struct hxs_index *idx = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	HXS_AUTO_CLOSE int dir = -1, fd = -1;
	int64_t top, n;
	char *bytes = NULL;
	size_t len = 0;

	if (argc != 3)
		die("SNAPSHOT SOURCE");
	dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = hxs_io_open_regular(dir, HXS_INDEX_NAME, NULL);
	if (dir < 0 || fd < 0 ||
	    hxs_io_read_all(fd, HXS_INDEX_MAX, &bytes, &len) < 0)
		die("cannot read the index");
	if (hxs_index_take(bytes, len, &idx, &err) < 0)
		die(err.message);
	top = hxs_index_find(idx, argv[2]);
	if (top < 0)
		die("no such source");
	for (n = top; n >= 0;
	     n = hxs_index_next(idx, (uint32_t)n, (uint32_t)top))
		put(idx, (uint32_t)n, (uint32_t)top);
	return fflush(stdout) == 0 ? 0 : 2;
}
