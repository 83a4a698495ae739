/*
 * flip FILE OFFSET [MASK]	change bits of one byte (all of MASK, 0xff)
 * flip --truncate FILE SIZE	cut it off
 * flip --extend FILE SIZE	lengthen it with zeros
 *
 * In place, as a failing disk would: the times stay (but for the inode change
 * time, which nobody can set), so does the file. A negative OFFSET or SIZE
 * counts from the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(const char *what, const char *file)
{
	fprintf(stderr, "flip: %s '%s': %s\n", what, file, strerror(errno));
	return 1;
}

static int usage(void)
{
	fputs("usage: flip FILE OFFSET [MASK]\n"
	      "       flip --truncate|--extend FILE SIZE\n",
	      stderr);
	return 2;
}

static int change_byte(int fd, off_t at, unsigned mask)
{
	unsigned char c;

	if (pread(fd, &c, 1, at) != 1) {
		errno = ERANGE;
		return -1;
	}
	c ^= (unsigned char)mask;
	return pwrite(fd, &c, 1, at) == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
	const char *file, *number;
	unsigned long mask = 0xff;
	struct timespec times[2];
	char verb = 'f', *end;
	struct stat st;
	long long at;
	int fd, r;

	if (argc > 1 && !strcmp(argv[1], "--truncate"))
		verb = 't';
	else if (argc > 1 && !strcmp(argv[1], "--extend"))
		verb = 'e';
	if (verb != 'f') {
		argc--;
		argv++;
	}
	if (argc != 3 && (argc != 4 || verb != 'f'))
		return usage();
	file = argv[1];
	number = argv[2];
	at = strtoll(number, &end, 0);
	if (!*number || *end)
		return usage();
	if (argc == 4) {
		mask = strtoul(argv[3], &end, 0);
		if (!*argv[3] || *end || mask == 0 || mask > 0xff)
			return usage();
	}
	fd = open(file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return failed("cannot open", file);
	if (at < 0)
		at += st.st_size;
	if (at < 0 || (verb == 't' && at >= st.st_size) ||
	    (verb == 'e' && at <= st.st_size)) {
		errno = ERANGE;
		return failed("no such place in", file);
	}
	r = verb == 'f' ? change_byte(fd, at, (unsigned)mask)
			: ftruncate(fd, at);
	if (r < 0)
		return failed("cannot change", file);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (futimens(fd, times) < 0 || close(fd) < 0)
		return failed("cannot keep the times of", file);
	return 0;
}
