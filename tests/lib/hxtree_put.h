#ifndef HXS_TESTS_HXTREE_PUT_H
#define HXS_TESTS_HXTREE_PUT_H

/* Making single entries; each ends the program on failure. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* splitmix64: small, and the same everywhere. */
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* 0 to n - 1 */

/* Make directory @name and give a handle on it. */
int put_dir(int dirfd, const char *name);

/* A file of @size made-up bytes; @holes leaves some blocks out. */
void put_file(struct rng *r, int dirfd, const char *name, uint64_t size);

/* A file of @size with @n ranges of data, the rest a hole. */
struct range {
	uint64_t at, len;
};
void put_sparse(struct rng *r, int dirfd, const char *name, uint64_t size,
		const struct range *data, unsigned n);

void put_link(int dirfd, const char *name, const char *target);
void put_hard(int dirfd, const char *name, int newdirfd, const char *newname);
void put_mode(int dirfd, const char *name, mode_t mode);
void put_owner(int dirfd, const char *name, uid_t uid, gid_t gid);
void put_time(int dirfd, const char *name, int64_t sec, long nsec);

/*
 * Set an extended attribute; false where the file system has none of its
 * kind, so that the tree is made all the same.
 */
bool put_xattr(int dirfd, const char *name, const char *attr, const void *value,
	       size_t len);

/* A FIFO, socket or device (root); false without leave for it. */
bool put_special(int dirfd, const char *name, mode_t type, dev_t rdev);

#endif
