/*
 * recorder LOG MOUNTPOINT IMAGE...
 *	Offer each image, as a file of the same name in MOUNTPOINT, to a loop
 *	device, and log all that is written to any of them, and each request to
 *	make that durable, in the order that they arrive in. What is written to
 *	the file 'mark' there goes to the log as well.
 *
 * Runs in the foreground, until it is unmounted. One request at a time: so a
 * write that was answered before a flush arrived is before it in the log.
 */
#include "tests/crash/record.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define DISKS_MAX 8
#define MARK DISKS_MAX /* the number of the file 'mark' */

static struct {
	const char *name;
	int fd;
} disks[DISKS_MAX];
static int disk_count, log_fd;

/* The number of the file at @path, or -1. */
static int find(const char *path)
{
	int i;

	for (i = 0; i < disk_count; i++)
		if (strcmp(path + 1, disks[i].name) == 0)
			return i;
	return strcmp(path, "/mark") == 0 ? MARK : -1;
}

static void add(uint32_t what, int disk, uint64_t offset, const void *data,
		size_t len)
{
	struct record r = { what, (uint32_t)disk, offset, len };
	struct iovec iov[] = { { &r, sizeof(r) }, { (void *)data, len } };

	if (writev(log_fd, iov, 2) != (ssize_t)(sizeof(r) + len)) {
		perror("recorder: log");
		exit(1); /* what follows would mean nothing */
	}
}

static int op_getattr(const char *path, struct stat *st,
		      struct fuse_file_info *fi)
{
	int n = find(path);

	(void)fi;
	memset(st, 0, sizeof(*st));
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0700;
		return 0;
	}
	if (n < 0)
		return -ENOENT;
	if (n != MARK && fstat(disks[n].fd, st) < 0)
		return -errno;
	st->st_mode = S_IFREG | 0600;
	st->st_nlink = 1;
	return 0;
}

static int op_open(const char *path, struct fuse_file_info *fi)
{
	int n = find(path);

	if (n < 0)
		return -ENOENT;
	fi->fh = (uint64_t)n;
	fi->direct_io = true; /* each write arrives, and once */
	return 0;
}

static int op_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	(void)size;
	(void)fi;
	return find(path) == MARK ? 0 : -EPERM;
}

static int op_read(const char *path, char *buf, size_t len, off_t offset,
		   struct fuse_file_info *fi)
{
	ssize_t n = 0;

	(void)path;
	if (fi->fh != MARK)
		n = pread(disks[fi->fh].fd, buf, len, offset);
	return n < 0 ? -errno : (int)n;
}

static int op_write(const char *path, const char *buf, size_t len, off_t offset,
		    struct fuse_file_info *fi)
{
	ssize_t n;

	(void)path;
	if (fi->fh == MARK) {
		add(RECORD_MARK, 0, 0, buf, len);
		return (int)len;
	}
	n = pwrite(disks[fi->fh].fd, buf, len, offset);
	if (n < 0)
		return -errno;
	add(RECORD_WRITE, (int)fi->fh, (uint64_t)offset, buf, (size_t)n);
	return (int)n;
}

static int op_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	(void)path;
	(void)datasync;
	if (fi->fh != MARK)
		add(RECORD_FLUSH, (int)fi->fh, 0, NULL, 0);
	return 0;
}

static const struct fuse_operations ops = {
	.getattr = op_getattr,
	.open = op_open,
	.truncate = op_truncate,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
};

int main(int argc, char **argv)
{
	/* -s: one request at a time */
	char *fuse_argv[] = { argv[0], "-f", "-s", NULL, NULL };
	int i;

	if (argc < 4 || argc - 3 > DISKS_MAX)
		return 2;
	log_fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	if (log_fd < 0) {
		perror(argv[1]);
		return 2;
	}
	for (i = 3; i < argc; i++) {
		disks[disk_count].name = basename(argv[i]);
		disks[disk_count].fd = open(argv[i], O_RDWR);
		if (disks[disk_count++].fd < 0) {
			perror(argv[i]);
			return 2;
		}
	}
	fuse_argv[3] = argv[2];
	return fuse_main(4, fuse_argv, &ops, NULL);
}
