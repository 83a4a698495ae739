/*
 * fscut DIR...
 *	Cut the power of the file system that each DIR is on: it stops at once
 *	and for good, nothing more reaches its device, not even its log.
 *
 * ext4 and XFS know the request; others refuse it. Unmounting and mounting
 * again finds what a machine would find after a power cut.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The same number for EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN. */
#define SHUTDOWN _IOR('X', 125, uint32_t)
#define NO_LOG_FLUSH 2

int main(int argc, char **argv)
{
	uint32_t how = NO_LOG_FLUSH;
	int i, fd;

	for (i = 1; i < argc; i++) {
		fd = open(argv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || ioctl(fd, SHUTDOWN, &how) < 0) {
			perror(argv[i]);
			return 1;
		}
		(void)close(fd);
	}
	return 0;
}
