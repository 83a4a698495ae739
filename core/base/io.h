#ifndef HXS_BASE_IO_H
#define HXS_BASE_IO_H

/*
 * System calls made whole: full reads and writes, opens that stay beneath a
 * directory handle, files that appear complete or not at all. All return
 * >= 0 or -errno and see to EINTR; none writes a message.
 */
#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Bytes read, fewer than @len only at the end of the file. */
ssize_t hxs_io_pread_full(int fd, void *buf, size_t len, uint64_t off);
ssize_t hxs_io_read_full(int fd, void *buf, size_t len);

/* 0, or -errno with an unknown part written. */
int hxs_io_write_full(int fd, const void *buf, size_t len);
int hxs_io_pwrite_full(int fd, const void *buf, size_t len, uint64_t off);

/*
 * Read from the current offset to the end. *@out is NUL-terminated one past
 * *@len and the caller's. -EFBIG when there is more than @max.
 */
int hxs_io_read_all(int fd, size_t max, char **out, size_t *len);

/*
 * Open @path relative to @dirfd without ever leaving it: no "..", no
 * absolute path, no symbolic link followed in any place, no other mount
 * entered (openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
 * RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS). A path longer than PATH_MAX is
 * walked in pieces. "" and "." mean @dirfd itself (a fresh descriptor).
 * Always O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY besides @flags, so
 * a FIFO does not block; with O_CREAT the mode is @mode.
 */
int hxs_io_open_beneath(int dirfd, const char *path, int flags, mode_t mode);

/* The same, then fstat: -ENOTDIR, or -EINVAL for what is no regular file. */
int hxs_io_open_dir(int dirfd, const char *path);
int hxs_io_open_regular(int dirfd, const char *path, struct stat *st);

/* mkdirat for each component that is missing; existing ones may be links. */
int hxs_io_mkdirs(int dirfd, const char *path, mode_t mode);

/*
 * Make @name in @dirfd hold @len bytes of @data: written beside it, made
 * durable, renamed over it, the directory made durable. Readers see the old
 * bytes or the new ones. The temporary is removed on failure.
 */
int hxs_io_publish(int dirfd, const char *name, const void *data, size_t len,
		   mode_t mode);

/*
 * Remove what one who was killed while publishing @name left behind, for when
 * nobody may ever publish it again. One who still writes is waited for.
 */
int hxs_io_publish_clean(int dirfd, const char *name);

/*
 * The same in a directory that somebody watches for names that end as @name
 * does: the temporary's does not.
 */
int hxs_io_publish_watched(int dirfd, const char *name, const void *data,
			   size_t len, mode_t mode);

/* fsync of the directory @path (relative to @dirfd, "." for itself). */
int hxs_io_sync_dir(int dirfd, const char *path);

/*
 * Remove @name and everything below it, by directory handle, never through a
 * symbolic link, never into another mounted file system. Absent is success.
 * Directories without permission for their owner are made passable first.
 */
int hxs_io_remove_tree(int dirfd, const char *name);

/*
 * The entries of the directory @dirfd, without "." and "..", in the order
 * the file system gives. @fn gets the name and its d_type (DT_UNKNOWN is
 * possible); a non-zero result stops and is returned. @dirfd's offset is
 * not disturbed.
 */
typedef int (*hxs_io_list_fn)(const char *name, unsigned char d_type,
			      void *ctx);
int hxs_io_list(int dirfd, hxs_io_list_fn fn, void *ctx);

#endif
