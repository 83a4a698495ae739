#include "base/xattr.h"
#include "tests/unit/oom.h"
#include "tests/unit/scratch.h"

#include <sys/xattr.h>

/* Lengths of a name and a value below 256. */
#define HEAD(name, value) name "\0" value "\0\0\0"
#define TXT(s) s, sizeof(s) - 1

static const struct {
	const char *label, *blob;
	size_t len;
	int want; /* attributes, or -EINVAL */
} blobs[] = {
	{ "none", TXT(""), 0 },
	{ "one", TXT(HEAD("\6", "\1") "user.av"), 1 },
	{ "an empty value", TXT(HEAD("\6", "\0") "user.a"), 1 },
	{ "two", TXT(HEAD("\6", "\0") "user.a" HEAD("\6", "\2") "user.bxy"),
	  2 },
	{ "shorter first",
	  TXT(HEAD("\6", "\0") "user.a" HEAD("\7", "\0") "user.aa"), 2 },
	{ "every family",
	  TXT(
		  HEAD("\x13", "\1") "security.capabilityx" HEAD("\x17", "\0") "system.posix_acl_access" HEAD(
			  "\x18",
			  "\0") "system.posix_acl_default" HEAD("\x9",
								"\0") "trusted."
								      "x" HEAD(
									      "\6",
									      "\0") "user.x"),
	  5 },
	{ "bytes above 127", TXT(HEAD("\6", "\0") "user.\xff"), 1 },
	{ "one byte", TXT("\6"), -EINVAL },
	{ "half a head", TXT("\6\0\0\0\0"), -EINVAL },
	{ "no name", TXT(HEAD("\6", "\0")), -EINVAL },
	{ "half a name", TXT(HEAD("\6", "\0") "user."), -EINVAL },
	{ "half a value", TXT(HEAD("\6", "\2") "user.ax"), -EINVAL },
	{ "more behind", TXT(HEAD("\6", "\0") "user.a."), -EINVAL },
	{ "a name of no bytes", TXT(HEAD("\0", "\0")), -EINVAL },
	{ "a family alone", TXT(HEAD("\5", "\0") "user."), -EINVAL },
	{ "a NUL in a name", TXT(HEAD("\7", "\0") "user.\0a"), -EINVAL },
	{ "the same twice",
	  TXT(HEAD("\6", "\0") "user.a" HEAD("\6", "\1") "user.ax"), -EINVAL },
	{ "unsorted", TXT(HEAD("\6", "\0") "user.b" HEAD("\6", "\0") "user.a"),
	  -EINVAL },
	{ "unsorted by length",
	  TXT(HEAD("\7", "\0") "user.aa" HEAD("\6", "\0") "user.a"), -EINVAL },
	{ "one that is not kept", TXT(HEAD("\x10", "\0") "security.selinux"),
	  -EINVAL },
	{ "one of no family", TXT(HEAD("\1", "\0") "a"), -EINVAL },
	{ "one that begins as one kept",
	  TXT(HEAD("\x14", "\0") "security.capabilityx"), -EINVAL },
	{ "a huge value", TXT("\6\0\1\0\1\0user.a"), -EINVAL },
	{ "the hugest", TXT("\6\0\xff\xff\xff\xffuser.a"), -EINVAL },
	{ "a huge name", TXT("\0\1\0\0\0\0user.a"), -EINVAL },
};

static void test_blobs(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(blobs); i++) {
		/* its own memory, so that reading past the end is seen */
		HXS_AUTO_FREE char *blob = malloc(blobs[i].len + !blobs[i].len);
		struct hxs_xattr x;
		size_t pos = 0;
		int r, n = 0;

		if (!blob)
			break;
		memcpy(blob, blobs[i].blob, blobs[i].len);
		is_int(hxs_xattr_check(blob, blobs[i].len),
		       blobs[i].want < 0 ? blobs[i].want : 0, "%s: checked",
		       blobs[i].label);
		while ((r = hxs_xattr_next(blob, blobs[i].len, &pos, &x)) > 0)
			n++;
		is_int(r < 0 ? r : n, blobs[i].want, "%s: stepped through",
		       blobs[i].label);
	}
	{
		struct hxs_xattr x;
		size_t pos = 1;

		is_int(hxs_xattr_next("", 0, &pos, &x), -EINVAL,
		       "a place behind the end");
	}
}

static void test_find(void)
{
	static const char blob[] =
		HEAD("\6", "\2") "user.axy" HEAD("\6", "\0") "user.b";
	struct hxs_xattr x = { 0 };

	ok(hxs_xattr_find(blob, sizeof(blob) - 1, "user.a", &x) &&
		   x.value_len == 2 && memcmp(x.value, "xy", 2) == 0,
	   "finds the first");
	ok(hxs_xattr_find(blob, sizeof(blob) - 1, "user.b", &x) &&
		   x.value_len == 0,
	   "finds the last");
	ok(!hxs_xattr_find(blob, sizeof(blob) - 1, "user.", &x) &&
		   !hxs_xattr_find(blob, sizeof(blob) - 1, "user.c", &x),
	   "finds no other");
}

static void test_kept(void)
{
	static const char *const kept[] = { "user.a",
					    "user.hxsnap.x",
					    "trusted.overlay.opaque",
					    "security.capability",
					    "system.posix_acl_access",
					    "system.posix_acl_default" };
	static const char *const not_kept[] = { "",
						"user",
						"user.",
						"users.a",
						"trusted.",
						"security.selinux",
						"security.ima",
						"system.nfs4_acl",
						"system.posix_acl_accessx",
						"btrfs.compression" };
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(kept); i++)
		ok(hxs_xattr_kept(kept[i]), "'%s' is kept", kept[i]);
	for (i = 0; i < HXS_ARRAY_LEN(not_kept); i++)
		ok(!hxs_xattr_kept(not_kept[i]), "'%s' is not", not_kept[i]);
}

/* POSIX ACL: version 2, then tag, permissions, id, all little-endian. */
static const char acl[] = "\2\0\0\0"
			  "\1\0\6\0\xff\xff\xff\xff"
			  "\2\0\4\0\xd2\4\0\0"
			  "\4\0\4\0\xff\xff\xff\xff"
			  "\x10\0\4\0\xff\xff\xff\xff"
			  "\x20\0\0\0\xff\xff\xff\xff";

static int make_file(const char *name)
{
	return open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

static bool same(const struct hxs_buf *a, const struct hxs_buf *b)
{
	return a->len == b->len &&
	       (!a->len || !memcmp(a->data, b->data, a->len));
}

static void test_files(void)
{
	HXS_AUTO_BUF struct hxs_buf blob = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf again = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int a = make_file("a");
	HXS_AUTO_CLOSE int b = make_file("b");
	HXS_AUTO_CLOSE int o_path = open("a", O_PATH | O_CLOEXEC);
	HXS_AUTO_CLOSE int o_path_b = open("b", O_PATH | O_CLOEXEC);
	struct hxs_xattr x = { 0 };
	unsigned skipped = 7;
	char value[16] = "";

	ok(hxs_xattr_read(a, &blob) == 0 && blob.len == 0,
	   "a file without any gives nothing");
	if (fsetxattr(a, "user.z", "zz", 2, 0) < 0) {
		tap_skip("XATTR", "no attributes on this file system");
		return;
	}
	ok(fsetxattr(a, "user.empty", "", 0, 0) == 0 &&
		   fsetxattr(a, "user.a\xff", "\0\1", 2, 0) == 0 &&
		   fsetxattr(a, "system.posix_acl_access", acl, sizeof(acl) - 1,
			     0) == 0,
	   "set some");
	is_int(hxs_xattr_read(a, &blob), 0, "reads them");
	is_int(hxs_xattr_check(blob.data, blob.len), 0, "well-formed");
	ok(hxs_xattr_find(blob.data, blob.len, "user.z", &x) &&
		   x.value_len == 2,
	   "the first set");
	ok(hxs_xattr_find(blob.data, blob.len, "user.empty", &x) &&
		   x.value_len == 0,
	   "an empty one");
	ok(hxs_xattr_find(blob.data, blob.len, "user.a\xff", &x) &&
		   x.value_len == 2 && memcmp(x.value, "\0\1", 2) == 0,
	   "one of odd bytes");
	ok(hxs_xattr_find(blob.data, blob.len, "system.posix_acl_access", &x) &&
		   x.value_len == sizeof(acl) - 1,
	   "an ACL");
	is_int(hxs_xattr_read(o_path, &path), 0, "reads them by O_PATH");
	ok(same(&blob, &path), "the same");

	is_int(hxs_xattr_write(b, blob.data, blob.len, &skipped), 0,
	       "sets them on another");
	is_int(skipped, 0, "all of them");
	is_int(hxs_xattr_read(b, &again), 0, "reads those");
	ok(same(&blob, &again), "the same");
	is_int(fsetxattr(b, "user.z", "yy", 2, 0), 0, "change one");
	is_int(hxs_xattr_write(o_path_b, blob.data, blob.len, NULL), 0,
	       "sets them again by O_PATH");
	ok(fgetxattr(b, "user.z", value, sizeof(value)) == 2 &&
		   memcmp(value, "zz", 2) == 0,
	   "back to what it was");

	is_int(hxs_xattr_write(b, blob.data, blob.len - 1, &skipped), -EINVAL,
	       "half of them: refused");
	is_int(hxs_xattr_read(-1, &again), -EBADF, "no file: said");
	hxs_buf_truncate(&again, 0);
	(void)hxs_buf_puts(&again, "kept");
	ok(hxs_xattr_read(a, &again) == 0 &&
		   memcmp(again.data, "kept", 4) == 0 &&
		   again.len == blob.len + 4,
	   "appends to what is there");
}

/* A value as large as the file system takes. */
static void test_large(void)
{
	HXS_AUTO_BUF struct hxs_buf blob = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = make_file("large");
	static char value[HXS_XATTR_VALUE_MAX];
	struct hxs_xattr x = { 0 };
	size_t len = sizeof(value);

	memset(value, 'v', sizeof(value));
	while (len && fsetxattr(fd, "user.large", value, len, 0) < 0)
		len /= 2;
	if (!len) {
		tap_skip("XATTR", "no attributes on this file system");
		return;
	}
	is_int(hxs_xattr_read(fd, &blob), 0, "reads a large one");
	ok(hxs_xattr_find(blob.data, blob.len, "user.large", &x), "has it");
	is_int(x.value_len, len, "all %zu bytes", len);
	ok(memcmp(x.value, value, len) == 0, "the right ones");
}

/* A link's own attributes, never its target's. */
static void test_link(void)
{
	HXS_AUTO_BUF struct hxs_buf blob = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int file = make_file("target");
	HXS_AUTO_CLOSE int fd = -1;
	static const char user[] = HEAD("\6", "\1") "user.lv";
	unsigned skipped = 0;

	is_int(symlink("target", "link"), 0, "made a link");
	fd = open("link", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fsetxattr(file, "user.t", "t", 1, 0) < 0) {
		tap_skip("XATTR", "no attributes on this file system");
		return;
	}
	is_int(hxs_xattr_read(fd, &blob), 0, "reads a link's");
	is_int(blob.len, 0, "it has none");
	is_int(hxs_xattr_write(fd, user, sizeof(user) - 1, &skipped), 0,
	       "setting one a link cannot have is no failure");
	is_int(skipped, 1, "it is counted");
	is_int(fgetxattr(file, "user.l", NULL, 0), -1,
	       "its target did not get it");
}

static void test_trusted(void)
{
	static const char blob[] = HEAD("\x9", "\1") "trusted.xv";
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = make_file("trusted");
	unsigned skipped = 7;

	is_int(hxs_xattr_write(fd, blob, sizeof(blob) - 1, &skipped), 0,
	       "a trusted one is set, or passed over");
	is_int(hxs_xattr_read(fd, &out), 0, "reads what there is");
	is_int(out.len, skipped ? 0 : sizeof(blob) - 1,
	       "what was not counted as passed over is there");
}

static int read_one(void)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = open("a", O_RDONLY | O_CLOEXEC);

	return hxs_xattr_read(fd, &out);
}

int main(void)
{
	struct scratch s;

	scratch_open(&s);
	test_blobs();
	test_find();
	test_kept();
	test_files();
	test_large();
	test_link();
	test_trusted();
	oom_each("reading", read_one);
	scratch_close(&s);
	return tap_done();
}
