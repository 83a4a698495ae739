/*
 * data small COUNT DIR | data large BYTES DIR: make what is measured.
 *
 * small: COUNT files of JSON lines, 0.5 to 6 KB, 500 to a directory, as an
 * event store has them. large: BYTES in four files that no compressor makes
 * smaller and that have no two equal blocks. The same bytes every time.
 */
#include "sum.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PER_DIR 500u
#define PIECE (1u << 20)
#define LARGE_FILES 4u

static uint64_t state = 1;

static uint64_t next(void)
{
	state += 0x9e3779b97f4a7c15u;
	return bench_mix(state);
}

static int create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		err(2, "cannot make '%s'", path);
	return fd;
}

static void put(int fd, const char *path, const void *data, size_t len)
{
	if (write(fd, data, len) != (ssize_t)len)
		err(2, "cannot write '%s'", path);
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0)
		err(2, "cannot make '%s'", path);
}

static void make_small(uint64_t count, const char *dir)
{
	static char text[8192];
	char path[4096];
	uint64_t i;
	size_t len, want;
	int fd;

	for (i = 0; i < count; i++) {
		if (i % PER_DIR == 0) {
			(void)snprintf(path, sizeof(path), "%s/%04" PRIu64, dir,
				       i / PER_DIR);
			make_dir(path);
		}
		(void)snprintf(path, sizeof(path),
			       "%s/%04" PRIu64 "/event-%08" PRIu64 ".jsonl",
			       dir, i / PER_DIR, i);
		want = 512 + next() % 5500;
		for (len = 0; len < want;)
			len += (size_t)snprintf(
				text + len, sizeof(text) - len,
				"{\"event_id\":\"%016" PRIx64 "%016" PRIx64
				"\",\"type\":\"message_received\",\"chat\":"
				"%" PRIu64 ",\"seq\":%" PRIu64 "}\n",
				next(), next(), next() % 100000, i);
		fd = create(path);
		put(fd, path, text, len);
		(void)close(fd);
	}
}

static void make_large(uint64_t bytes, const char *dir)
{
	static uint64_t piece[PIECE / 8];
	uint64_t each = bytes / LARGE_FILES, left;
	char path[4096];
	size_t i, len;
	unsigned f;
	int fd;

	for (f = 0; f < LARGE_FILES; f++) {
		(void)snprintf(path, sizeof(path), "%s/part-%u.bin", dir, f);
		fd = create(path);
		for (left = each; left > 0; left -= len) {
			len = left < PIECE ? (size_t)left : PIECE;
			for (i = 0; i < PIECE / 8; i++)
				piece[i] = next();
			put(fd, path, piece, len);
		}
		(void)close(fd);
	}
}

int main(int argc, char **argv)
{
	uint64_t amount;

	if (argc != 4)
		errx(2, "usage: data small COUNT DIR | data large BYTES DIR");
	amount = strtoull(argv[2], NULL, 10);
	make_dir(argv[3]);
	if (strcmp(argv[1], "small") == 0)
		make_small(amount, argv[3]);
	else if (strcmp(argv[1], "large") == 0)
		make_large(amount, argv[3]);
	else
		errx(2, "usage: data small COUNT DIR | data large BYTES DIR");
	return 0;
}
