/*
 * The canonical listing. One line an entry, fields separated by blanks:
 *
 *	path type mode uid:gid size mtime nlink group target xattrs content
 *
 * Every byte that is not printable ASCII, and the blank and the backslash,
 * is \ooo. What a kind of file does not have, or an option leaves out, is
 * "-"; what cannot be read is "!" and the error's name. A directory's size
 * and link count are the file system's own business and left out. group is
 * the first path of a hard-link group that has two members in the tree.
 */
#include "tests/lib/hxtree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

struct entry {
	char *path; /* as it is */
	char *head, *tail; /* fields before and after the group */
	dev_t dev;
	ino_t ino;
	const char *group;
};

struct lister {
	const struct list_opts *opts;
	struct entry *entries;
	size_t count, room;
	bool failed;
};

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

static void put_fault(struct lister *l, FILE *f)
{
	fprintf(f, "!%s", strerrorname_np(errno));
	l->failed = true;
}

static void put_hex(FILE *f, const unsigned char *b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		fprintf(f, "%02x", b[i]);
}

static void put_content(struct lister *l, FILE *f, int dirfd, const char *name)
{
	static unsigned char buf[1 << 18];
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int md_len;
	EVP_MD_CTX *ctx;
	ssize_t n = 0;
	int fd;

	fd = openat(dirfd, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		put_fault(l, f);
		return;
	}
	ctx = EVP_MD_CTX_new();
	if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
		die("no memory");
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (!EVP_DigestUpdate(ctx, buf, (size_t)n))
			die("cannot hash");
	if (n < 0)
		put_fault(l, f);
	else if (EVP_DigestFinal_ex(ctx, md, &md_len))
		put_hex(f, md, md_len);
	EVP_MD_CTX_free(ctx);
	(void)close(fd); /* it was only read */
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* name=hex,name=hex sorted; by way of /proc, which takes any kind of file. */
static void put_xattrs(struct lister *l, FILE *f, int fd)
{
	static char list[65536], value[65536];
	const char *names[4096];
	char path[64];
	size_t i, n = 0;
	ssize_t len, at;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = listxattr(path, list, sizeof(list));
	if (len < 0) {
		if (errno == ENOTSUP || errno == ENOSYS)
			fputc('-', f);
		else
			put_fault(l, f);
		return;
	}
	for (at = 0; at < len && n < 4096; at += (ssize_t)strlen(list + at) + 1)
		names[n++] = list + at;
	if (!n)
		fputc('-', f);
	else
		qsort(names, n, sizeof(names[0]), by_name);
	for (i = 0; i < n; i++) {
		ssize_t v = getxattr(path, names[i], value, sizeof(value));

		if (i)
			fputc(',', f);
		put_escaped(f, names[i], strlen(names[i]));
		fputc('=', f);
		if (v < 0)
			put_fault(l, f);
		else
			put_hex(f, (unsigned char *)value, (size_t)v);
	}
}

static char type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	case S_IFCHR:
		return 'c';
	default:
		return 'b';
	}
}

static char *head_of(const struct list_opts *o, const struct stat *st)
{
	size_t len;
	char *text;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		die("no memory");
	fprintf(f, "%c %04o ", type_of(st->st_mode), st->st_mode & 07777);
	if (o->no_owner)
		fputs("- ", f);
	else
		fprintf(f, "%u:%u ", st->st_uid, st->st_gid);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		fprintf(f, "%u,%u ", major(st->st_rdev), minor(st->st_rdev));
	else if (S_ISDIR(st->st_mode))
		fputs("- ", f);
	else
		fprintf(f, "%" PRId64 " ", (int64_t)st->st_size);
	if (o->no_time)
		fputs("- ", f);
	else
		fprintf(f, "%" PRId64 ".%09ld ", (int64_t)st->st_mtim.tv_sec,
			st->st_mtim.tv_nsec);
	if (S_ISDIR(st->st_mode) || o->no_nlink)
		fputc('-', f);
	else
		fprintf(f, "%ju", (uintmax_t)st->st_nlink);
	if (fclose(f))
		die("no memory");
	return text;
}

static char *tail_of(struct lister *l, int dirfd, const char *name, int fd,
		     const struct stat *st)
{
	char target[4097];
	ssize_t len;
	size_t size;
	char *text;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		die("no memory");
	if (S_ISLNK(st->st_mode)) {
		len = readlinkat(fd, "", target, sizeof(target));
		if (len < 0)
			put_fault(l, f);
		else
			put_escaped(f, target, (size_t)len);
	} else {
		fputc('-', f);
	}
	fputc(' ', f);
	if (l->opts->no_xattr)
		fputc('-', f);
	else
		put_xattrs(l, f, fd);
	fputc(' ', f);
	if (S_ISREG(st->st_mode))
		put_content(l, f, dirfd, name);
	else
		fputc('-', f);
	if (fclose(f))
		die("no memory");
	return text;
}

static char *join(const char *dir, const char *name)
{
	char *path;

	if (!strcmp(dir, "."))
		return xstrdup(name);
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		die("no memory");
	return path;
}

static struct entry *add(struct lister *l, const char *path)
{
	struct entry *e;

	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 256;
		l->entries = realloc(l->entries, l->room * sizeof(*e));
		if (!l->entries)
			die("no memory");
	}
	e = &l->entries[l->count++];
	memset(e, 0, sizeof(*e));
	e->path = xstrdup(path);
	return e;
}

static void add_fault(struct lister *l, const char *path)
{
	int errnum = errno;
	struct entry *e = add(l, path);

	if (asprintf(&e->head, "!%s", strerrorname_np(errnum)) < 0)
		die("no memory");
	e->tail = xstrdup("");
	l->failed = true;
}

static void walk(struct lister *l, int dirfd, const char *name,
		 const char *path)
{
	struct stat st;
	struct entry *e;
	size_t i, count;
	char **names;
	int fd;

	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		add_fault(l, path);
		return;
	}
	if ((l->opts->no_root && !strcmp(path, ".")) ||
	    (l->opts->no_special && !strchr("fdl", type_of(st.st_mode)))) {
		e = NULL;
	} else {
		char *tail = tail_of(l, dirfd, name, fd, &st);

		e = add(l, path);
		e->head = head_of(l->opts, &st);
		e->tail = tail;
		if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
			e->dev = st.st_dev;
			e->ino = st.st_ino;
		}
	}
	(void)close(fd); /* a handle only */
	if (!S_ISDIR(st.st_mode))
		return;
	fd = openat(dirfd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		add_fault(l, path);
		return;
	}
	count = read_names(fd, &names);
	for (i = 0; i < count; i++) {
		char *child = join(path, names[i]);

		walk(l, fd, names[i], child);
		free(child);
	}
	free_names(names, count);
	(void)close(fd); /* it was only read */
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path,
		      ((const struct entry *)b)->path);
}

static int by_inode(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a;
	const struct entry *y = *(struct entry *const *)b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* Entries are in their final order. */
static void find_groups(struct lister *l)
{
	struct entry **linked = xmalloc(l->count * sizeof(struct entry *));
	size_t i, first, n = 0;

	for (i = 0; i < l->count; i++)
		if (l->entries[i].ino)
			linked[n++] = &l->entries[i];
	qsort(linked, n, sizeof(struct entry *), by_inode);
	for (first = 0, i = 1; i < n; i++) {
		if (linked[i]->dev != linked[first]->dev ||
		    linked[i]->ino != linked[first]->ino) {
			first = i;
			continue;
		}
		linked[first]->group = linked[first]->path;
		linked[i]->group = linked[first]->path;
	}
	free(linked);
}

int hxtree_list(const char *dir, const struct list_opts *opts)
{
	struct lister l = { .opts = opts };
	size_t i;
	int fd;

	/* The operator's own path may lead through links. */
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die("cannot open '%s'", dir);
	walk(&l, fd, ".", ".");
	(void)close(fd); /* it was only read */
	if (l.count)
		qsort(l.entries, l.count, sizeof(*l.entries), by_path);
	find_groups(&l);
	for (i = 0; i < l.count; i++) {
		struct entry *e = &l.entries[i];

		put_escaped(stdout, e->path, strlen(e->path));
		printf(" %s ", e->head);
		if (e->group)
			put_escaped(stdout, e->group, strlen(e->group));
		else
			putchar('-');
		printf(" %s\n", e->tail);
	}
	for (i = 0; i < l.count; i++) {
		free(l.entries[i].path);
		free(l.entries[i].head);
		free(l.entries[i].tail);
	}
	free(l.entries);
	if (fflush(stdout) || ferror(stdout))
		die("cannot write");
	return l.failed;
}
