/*
 * The tree: one directory for each sort of oddity, then a random part that
 * mixes them. Everything gets its time in a last pass, children before their
 * directory, so that nothing made later disturbs a time.
 */
#include "tests/lib/hxtree.h"
#include "tests/lib/hxtree_put.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *const odd_names[] = {
	"new\nline",
	"carriage\rreturn",
	"tab\there",
	"\033[31mred",
	"del\177ete",
	"back\\slash",
	"\\n",
	"double\"quote",
	"single'quote",
	"`id`",
	"$(id)",
	"${HOME}",
	"semi;colon",
	"a*b?c[d]",
	"per%cent %s",
	"colon:here",
	"com,ma",
	"latin\351",
	"\377\376",
	"cut\303",
	"over\300\257long",
	"\303\251 nfc",
	"e\314\201 nfd",
	"Case",
	"case",
	" ",
	"   ",
	" leading",
	"trailing ",
	"-",
	"--",
	"-rf",
	"--help",
	"~",
	"#hash",
	".hidden",
	"...",
	"..x",
	".control",
	".status",
	".metrics",
	".journal",
	".hxsnap",
	".tmp-x",
	".rollbacks",
	"latest",
	"manifest.sha256",
	"index.hxi",
	"meta.json",
	"config.json",
	"lost+found",
	"20260205T152900Z",
};

static void make_names(struct rng *r, int top)
{
	char longest[256];
	int d = put_dir(top, "names");
	int dirs = put_dir(top, "named-directories");
	size_t i;

	for (i = 0; i < LEN(odd_names); i++) {
		int fd;

		put_file(r, d, odd_names[i], 1 + rng_below(r, 100));
		fd = put_dir(dirs, odd_names[i]);
		put_file(r, fd, odd_names[i], 1 + rng_below(r, 100));
		(void)close(fd);
	}
	memset(longest, 'n', 255);
	longest[255] = '\0';
	put_file(r, d, longest, 10);
	(void)close(put_dir(dirs, longest));
	/* 255 bytes, 85 characters */
	for (i = 0; i < 255; i += 3)
		memcpy(longest + i, "\342\202\254", 3);
	put_file(r, d, longest, 10);
	(void)close(d);
	(void)close(dirs);
}

static void make_sizes(struct rng *r, int top, bool small)
{
	static const uint64_t sizes[] = {
		0,	1,	55,	 56,	  63,	   64,	    65,
		127,	128,	511,	 4095,	  4096,	   4097,    65535,
		65536,	65537,	65599,	 65600,	  131071,  131072,  131073,
		196608, 200000, 1048575, 1048576, 1048577, 3145729, 5000000,
	};
	int d = put_dir(top, "sizes");
	char name[32];
	size_t i;

	for (i = 0; i < LEN(sizes) && !(small && sizes[i] > 200000); i++) {
		(void)snprintf(name, sizeof(name), "%ju", (uintmax_t)sizes[i]);
		put_file(r, d, name, sizes[i]);
	}
	(void)close(put_dir(d, "empty"));
	(void)close(d);
}

static void make_sparse(struct rng *r, int top, bool small)
{
	const uint64_t k = 1024, unit = small ? 128 * k : 1024 * k;
	const struct range start = { 2 * unit, unit };
	const struct range middle[] = { { 0, unit }, { 2 * unit, unit } };
	const struct range end = { 0, unit };
	const struct range odd[] = { { 100001, 3 }, { 2 * unit + 77, 70000 } };
	int d = put_dir(top, "sparse");

	put_sparse(r, d, "hole at the start", 3 * unit, &start, 1);
	put_sparse(r, d, "hole in the middle", 3 * unit, middle, 2);
	put_sparse(r, d, "hole at the end", 3 * unit, &end, 1);
	put_sparse(r, d, "hole at the end, odd size", 3 * unit + 1, &end, 1);
	put_sparse(r, d, "islands", 4 * unit + 12345, odd, 2);
	put_sparse(r, d, "hole", 2 * unit, NULL, 0);
	put_sparse(r, d, "hole of one byte", 1, NULL, 0);
	(void)close(d);
}

static void make_links(struct rng *r, int top)
{
	int d = put_dir(top, "links");
	int other = put_dir(d, "other");
	int far = put_dir(top, "a-links");
	char target[1025];

	put_file(r, d, "two", 70000);
	put_hard(d, "two", d, "two again");
	put_file(r, d, "three", 100);
	put_hard(d, "three", other, "three in other");
	put_hard(d, "three", far, "three far away");
	put_file(r, d, "empty", 0);
	put_hard(d, "empty", d, "empty again");
	put_link(d, "to a file", "two");
	put_link(d, "to a directory", "other");
	put_link(d, "to here", ".");
	put_link(d, "to above", "..");
	put_link(d, "absolute", "/etc/passwd");
	put_link(d, "absolute root", "/");
	put_link(d, "climbs out", "../../../../../../etc/passwd");
	put_link(d, "dangling", "no such thing");
	put_link(d, "itself", "itself");
	put_link(d, "ring 1", "ring 2");
	put_link(d, "ring 2", "ring 1");
	put_link(d, "odd \n target", "a\nb\\c\377 ");
	memset(target, 't', 1000); /* XFS takes 1023 */
	target[1000] = '\0';
	put_link(d, "long target", target);
	put_hard(d, "dangling", d, "dangling again");
	(void)close(d);
	(void)close(other);
	(void)close(far);
}

/* Their modes are set in the last pass, when nothing needs to enter them. */
static void make_modes(struct rng *r, int top, bool root)
{
	static const mode_t modes[] = { 0,     0111,  0200,  0222,  0333,
					0400,  0444,  0555,  0600,  0640,
					0664,  0700,  0755,  0777,  01644,
					01777, 02755, 04755, 06711, 07777 };
	int d = put_dir(top, "modes");
	char name[32];
	size_t i;

	for (i = 0; i < LEN(modes); i++) {
		/* Nobody else could list such a tree. */
		if (!root && (modes[i] & 0400) == 0)
			continue;
		(void)snprintf(name, sizeof(name), "mode-%04o", modes[i]);
		put_file(r, d, name, 5);
		if (!root && (modes[i] & 0500) != 0500)
			continue;
		(void)snprintf(name, sizeof(name), "mode-%04o-dir", modes[i]);
		(void)close(put_dir(d, name));
	}
	(void)close(d);
}

static void make_owners(struct rng *r, int top)
{
	static const struct {
		uid_t uid;
		gid_t gid;
	} owners[] = {
		{ 0, 1 },
		{ 1, 0 },
		{ 65534, 65534 },
		{ 54321, 12345 },
		{ 4294967294u, 4294967294u },
		{ 2147483648u, 7 },
	};
	int d = put_dir(top, "owners");
	char name[32];
	size_t i;

	for (i = 0; i < LEN(owners); i++) {
		(void)snprintf(name, sizeof(name), "file %zu", i);
		put_file(r, d, name, 7);
		put_owner(d, name, owners[i].uid, owners[i].gid);
		(void)snprintf(name, sizeof(name), "link %zu", i);
		put_link(d, name, "x");
		put_owner(d, name, owners[i].uid, owners[i].gid);
		(void)snprintf(name, sizeof(name), "directory %zu", i);
		(void)close(put_dir(d, name));
		put_owner(d, name, owners[i].uid, owners[i].gid);
	}
	put_file(r, d, "mode-4755", 9);
	put_owner(d, "mode-4755", 54321, 12345);
	(void)close(d);
}

/* An ACL as the kernel has it: little-endian version, then tag, perm, id. */
static size_t an_acl(unsigned char *out, uint16_t owner, uint32_t uid)
{
	const struct {
		uint16_t tag, perm;
		uint32_t id;
	} e[] = {
		{ 0x01, owner, 0xffffffff }, { 0x02, 4, uid },
		{ 0x04, 4, 0xffffffff },     { 0x08, 5, 12345 },
		{ 0x10, 5, 0xffffffff },     { 0x20, 0, 0xffffffff },
	};
	unsigned char *p = out;
	size_t i;
	int shift;

	for (shift = 0; shift < 32; shift += 8)
		*p++ = (unsigned char)(2u >> shift);
	for (i = 0; i < LEN(e); i++) {
		*p++ = (unsigned char)e[i].tag;
		*p++ = 0;
		*p++ = (unsigned char)e[i].perm;
		*p++ = 0;
		for (shift = 0; shift < 32; shift += 8)
			*p++ = (unsigned char)(e[i].id >> shift);
	}
	return (size_t)(p - out);
}

static void make_xattrs(struct rng *r, int top, bool root)
{
	static const char binary[] = "\0\1\377=,\n\\\0";
	unsigned char acl[64];
	char big[1000], name[32];
	int d = put_dir(top, "xattrs");
	bool all;
	int i;

	put_file(r, d, "file", 10);
	all = put_xattr(d, "file", "user.text", "value", 5);
	all &= put_xattr(d, "file", "user.binary", binary, sizeof(binary));
	all &= put_xattr(d, "file", "user.empty", "", 0);
	all &= put_xattr(d, "file", "user.odd \n\377=name", "1", 1);
	put_file(r, d, "empty file", 0);
	all &= put_xattr(d, "empty file", "user.x", "y", 1);
	put_file(r, d, "big", 10);
	memset(big, 'b', sizeof(big));
	all &= put_xattr(d, "big", "user.big", big, sizeof(big));
	put_file(r, d, "many", 10);
	for (i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "user.number-%d", i);
		all &= put_xattr(d, "many", name, name, strlen(name));
	}
	put_hard(d, "many", d, "many again");
	(void)close(put_dir(d, "directory"));
	all &= put_xattr(d, "directory", "user.dir", "d", 1);
	put_link(d, "link", "file");
	if (root) {
		all &= put_xattr(d, "file", "trusted.hx", binary, 3);
		all &= put_xattr(d, "link", "trusted.link", "l", 1);
	}
	put_file(r, d, "acl", 10);
	all &= put_xattr(d, "acl", "system.posix_acl_access", acl,
			 an_acl(acl, 6, 54321));
	(void)close(put_dir(d, "acl directory"));
	all &= put_xattr(d, "acl directory", "system.posix_acl_access", acl,
			 an_acl(acl, 7, 1));
	all &= put_xattr(d, "acl directory", "system.posix_acl_default", acl,
			 an_acl(acl, 7, 2));
	if (!all)
		fputs("hxtree: not every attribute could be set\n", stderr);
	(void)close(d);
}

static void make_deep(struct rng *r, int top, unsigned levels)
{
	int d = put_dir(top, "deep");
	unsigned i;

	for (i = 1; i <= levels; i++) {
		char name[32];
		int next;

		(void)snprintf(name, sizeof(name), "level-%u", i);
		next = put_dir(d, name);
		(void)close(d);
		d = next;
		if (i % 10 == 0 || i == levels)
			put_file(r, d, "file", i);
	}
	(void)close(d);
}

static void make_special(int top, bool root)
{
	int d = put_dir(top, "special");

	(void)put_special(d, "fifo", S_IFIFO, 0);
	(void)put_special(d, "socket", S_IFSOCK, 0);
	/* without leave for devices there are none */
	if (root && put_special(d, "character", S_IFCHR, makedev(1, 3)))
		(void)put_special(d, "block", S_IFBLK, makedev(7, 200));
	(void)close(d);
}

static void random_name(struct rng *r, char *name)
{
	size_t i, len;

	do {
		len = rng_below(r, 8) ? 1 + rng_below(r, 12)
				      : 1 + rng_below(r, 255);
		for (i = 0; i < len; i++) {
			uint64_t c = rng_below(r, 4) ? 'a' + rng_below(r, 26)
						     : 1 + rng_below(r, 255);

			name[i] = c == '/' ? '_' : (char)c;
		}
		name[len] = '\0';
	} while (!strcmp(name, ".") || !strcmp(name, ".."));
}

static void make_random(struct rng *r, int dirfd, unsigned depth, bool small)
{
	unsigned n = (unsigned)rng_below(r, depth == 4 ? 24 : 12);
	char name[256], last[256] = "";
	struct stat st;

	while (n--) {
		int d;

		do {
			random_name(r, name);
		} while (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
		switch (rng_below(r, 8)) {
		case 0:
		case 1:
			d = put_dir(dirfd, name);
			if (depth)
				make_random(r, d, depth - 1, small);
			(void)close(d);
			break;
		case 2:
			put_link(dirfd, name, *last ? last : "nothing");
			break;
		case 3:
			if (*last) {
				put_hard(dirfd, last, dirfd, name);
				break;
			}
			/* fall through */
		default:
			put_file(r, dirfd, name,
				 rng_below(r, rng_below(r, 5) ? 300
					      : small	      ? 70000
							      : 400000));
			put_mode(dirfd, name, 0400 | (rng_next(r) & 0377));
			memcpy(last, name, sizeof(last));
		}
	}
}

static void a_time(struct rng *r, int64_t *sec, long *nsec)
{
	static const int64_t odd[] = {
		-1,	    0,		1,	    -86400,	 2147483647,
		2147483648, 4294967295, 4294967296, -2000000000, 7000000000,
	};

	*sec = rng_below(r, 3) ? (int64_t)(631152000 + rng_below(r, 1 << 30))
			       : odd[rng_below(r, LEN(odd))];
	*nsec = rng_below(r, 8)	  ? (long)rng_below(r, 1000000000)
		: rng_below(r, 2) ? 0
				  : 999999999;
}

static void dress(struct rng *r, int dirfd)
{
	struct stat st;
	size_t i, count;
	char **names;

	count = read_names(dirfd, &names);
	for (i = 0; i < count; i++) {
		const char *name = names[i];
		int64_t sec;
		long nsec;
		int fd;

		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			die("cannot examine '%s'", name);
		if (S_ISDIR(st.st_mode)) {
			fd = openat(dirfd, name,
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (fd < 0)
				die("cannot open directory '%s'", name);
			dress(r, fd);
			(void)close(fd);
		}
		if (strncmp(name, "mode-", 5) == 0)
			put_mode(dirfd, name,
				 (mode_t)strtoul(name + 5, NULL, 8));
		a_time(r, &sec, &nsec);
		put_time(dirfd, name, sec, nsec);
	}
	free_names(names, count);
}

void hxtree_make(const char *dir, const struct make_opts *opts)
{
	struct rng r = { .state = opts->seed };
	bool root = geteuid() == 0;
	char **names;
	size_t count;
	int top, d;

	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		die("cannot open '%s'", dir);
	count = read_names(top, &names);
	free_names(names, count);
	if (count)
		die("'%s' is not empty", dir);
	make_names(&r, top);
	make_sizes(&r, top, opts->small);
	make_sparse(&r, top, opts->small);
	make_links(&r, top);
	make_modes(&r, top, root);
	if (root)
		make_owners(&r, top);
	make_xattrs(&r, top, root);
	make_deep(&r, top, opts->deep);
	if (opts->special)
		make_special(top, root);
	d = put_dir(top, "random");
	make_random(&r, d, 4, opts->small);
	(void)close(d);
	dress(&r, top);
	put_time(top, ".", 1234567890, 123456789);
	(void)close(top);
}
