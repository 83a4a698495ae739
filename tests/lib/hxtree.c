/*
 * hxtree make SEED DIR [--small] [--special] [--deep N]
 *	Make DIR, a tree of every odd thing that a file system can hold. The
 *	same SEED makes the same tree. Prints the seed.
 *
 * hxtree list DIR [--no-owner] [--no-nlink] [--no-xattr] [--no-root]
 *	       [--no-special] [--no-time]
 *	Print one line an entry, sorted; two trees are the same if cmp(1) finds
 *	no difference. The options leave out what need not agree.
 *
 * It shares no code with what it tests.
 */
#include "tests/lib/hxtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void die(const char *fmt, ...)
{
	int e = errno;
	va_list ap;

	va_start(ap, fmt);
	fputs("hxtree: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (e)
		fprintf(stderr, ": %s", strerror(e));
	fputc('\n', stderr);
	exit(2);
}

void *xmalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		die("no memory");
	return p;
}

char *xstrdup(const char *s)
{
	char *p = strdup(s);

	if (!p)
		die("no memory");
	return p;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t read_names(int dirfd, char ***names)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t count = 0, room = 0;
	struct dirent *e;
	DIR *d;

	*names = NULL;
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		die("cannot list a directory");
	while (errno = 0, (e = readdir(d)) != NULL) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (count == room) {
			room = room ? 2 * room : 32;
			*names = realloc(*names, room * sizeof(**names));
			if (!*names)
				die("no memory");
		}
		(*names)[count++] = xstrdup(e->d_name);
	}
	if (errno)
		die("cannot list a directory");
	(void)closedir(d); /* it was only read */
	if (count)
		qsort(*names, count, sizeof(**names), by_bytes);
	return count;
}

void free_names(char **names, size_t count)
{
	while (count)
		free(names[--count]);
	free(names);
}

static int usage(void)
{
	fputs("usage: hxtree make SEED DIR [--small] [--special] [--deep N]\n"
	      "       hxtree list DIR [--no-owner] [--no-nlink] [--no-xattr]\n"
	      "              [--no-root] [--no-special] [--no-time]\n",
	      stderr);
	return 2;
}

static int run_make(int argc, char **argv)
{
	struct make_opts opts = { .deep = 0 };
	const char *dir = NULL;
	bool seeded = false;
	char *end;
	int i;

	for (i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--small")) {
			opts.small = true;
		} else if (!strcmp(argv[i], "--special")) {
			opts.special = true;
		} else if (!strcmp(argv[i], "--deep") && i + 1 < argc) {
			opts.deep = (unsigned)strtoul(argv[++i], &end, 10);
			if (*end)
				return usage();
		} else if (!seeded) {
			opts.seed = strtoull(argv[i], &end, 0);
			if (*end)
				return usage();
			seeded = true;
		} else if (!dir) {
			dir = argv[i];
		} else {
			return usage();
		}
	}
	if (!dir)
		return usage();
	if (!opts.deep)
		opts.deep = opts.small ? 8 : 40;
	printf("seed %" PRIu64 "\n", opts.seed);
	if (fflush(stdout))
		die("cannot write");
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		die("cannot make '%s'", dir);
	hxtree_make(dir, &opts);
	return 0;
}

static int run_list(int argc, char **argv)
{
	struct list_opts opts = { .no_owner = false };
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "--no-owner", &opts.no_owner },
		{ "--no-nlink", &opts.no_nlink },
		{ "--no-xattr", &opts.no_xattr },
		{ "--no-root", &opts.no_root },
		{ "--no-special", &opts.no_special },
		{ "--no-time", &opts.no_time },
	};
	const size_t n = sizeof(flags) / sizeof(flags[0]);
	const char *dir = NULL;
	size_t f;
	int i;

	for (i = 0; i < argc; i++) {
		for (f = 0; f < n && strcmp(argv[i], flags[f].name) != 0; f++)
			;
		if (f < n)
			*flags[f].flag = true;
		else if (!dir && strncmp(argv[i], "--", 2) != 0)
			dir = argv[i];
		else
			return usage();
	}
	return dir ? hxtree_list(dir, &opts) : usage();
}

int main(int argc, char **argv)
{
	struct rlimit limit;

	/* Deep trees are walked by handle, one a level. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* shallow ones go */
	}
	umask(0);
	if (argc > 1 && !strcmp(argv[1], "make"))
		return run_make(argc - 2, argv + 2);
	if (argc > 1 && !strcmp(argv[1], "list"))
		return run_list(argc - 2, argv + 2);
	return usage();
}
