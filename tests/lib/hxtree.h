#ifndef HXS_TESTS_HXTREE_H
#define HXS_TESTS_HXTREE_H

/* The two halves of hxtree(tests/lib/hxtree.c), and what both need. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct make_opts {
	uint64_t seed;
	bool small; /* kilobytes instead of megabytes */
	bool special; /* FIFOs, sockets, devices */
	unsigned deep; /* levels of the deepest directory */
};

struct list_opts {
	bool no_owner, no_nlink, no_xattr, no_root, no_special, no_time;
};

/* Fill the existing directory @dir; ends the program on failure. */
void hxtree_make(const char *dir, const struct make_opts *opts);

/* Print the listing of @dir; 0, or 1 when something could not be read. */
int hxtree_list(const char *dir, const struct list_opts *opts);

/* Say what failed, with errno, and exit with status 2. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);

/* malloc and strdup that do not fail. */
void *xmalloc(size_t size);
char *xstrdup(const char *s);

/* The names in the directory @dirfd, without . and .., sorted bytewise. */
size_t read_names(int dirfd, char ***names);
void free_names(char **names, size_t count);

#endif
