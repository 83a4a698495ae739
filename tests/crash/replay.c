/*
 * replay list [-p STEP] [-t STEP] [-s COUNT] [-h COUNT] [-r SEED] LOG
 *	Print states in which the recorded disks may be found after a power
 *	cut between the marks 'begin' and 'end', one a line:
 *
 *	prefix AT 0	what was sent until record AT, all of it
 *	torn AT SEED	the same, but the last write only in part
 *	subset AT SEED	all that a flush before AT vouches for, and some of
 *			the writes since
 *	shards AT SEED	the same, and some of those only in part
 *
 *	each followed by 'acknowledged' if a machine that was told by then that
 *	the mark 'acknowledged' was reached could be found so, else 'open'. -p
 *	and -t: every STEP-th (0: none) write; -s and -h: how many between two
 *	flushes, different ones as far as there are.
 *
 * replay make [-b SECTOR] LOG KIND AT SEED BASE STATE [BASE STATE]...
 *	Make each disk's image STATE of BASE, what it was like when recording
 *	began. A write in part is some of its sectors of that size (512).
 */
#include "tests/crash/record.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISKS_MAX 8
#define RECORDS_MAX (1u << 20)
#define STATES_MAX 10000 /* between two flushes */

static struct {
	struct record r;
	const unsigned char *data;
} * records;
static size_t record_count;
static uint64_t sector = 512;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void load(const char *file)
{
	int fd = open(file, O_RDONLY);
	const unsigned char *p, *end;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(file);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	records = calloc(RECORDS_MAX, sizeof(*records));
	if (p == MAP_FAILED || !records)
		die(file);
	for (end = p + st.st_size; p < end; record_count++) {
		if (record_count == RECORDS_MAX) {
			fprintf(stderr, "replay: '%s' is too long\n", file);
			exit(2);
		}
		memcpy(&records[record_count].r, p, sizeof(struct record));
		records[record_count].data = p + sizeof(struct record);
		p += sizeof(struct record) + records[record_count].r.len;
	}
}

static bool is(size_t n, uint32_t what)
{
	return records[n].r.what == what;
}

/* The same for the same arguments, and else anything. */
static uint64_t any(uint64_t seed, uint64_t n)
{
	uint64_t z = seed * 0xd1342543de82ef95u + (n + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* The first record that no flush before @at vouches for, on @disk. */
static size_t not_flushed(size_t at, uint32_t disk)
{
	while (at > 0 &&
	       !(is(at - 1, RECORD_FLUSH) && records[at - 1].r.disk == disk))
		at--;
	return at;
}

/* Whether write @n is kept, which no flush vouches for. */
static bool keeps(uint64_t seed, size_t n)
{
	uint64_t x = any(seed, n);

	switch (any(seed, 0) % 3) {
	case 0:
		return x % 8 == 0;
	case 1:
		return x % 8 != 0;
	default:
		return x % 2 == 0;
	}
}

/* ---- list -------------------------------------------------------------- */

static size_t find_mark(const char *text)
{
	size_t n, len = strlen(text);

	for (n = 0; n < record_count; n++)
		if (is(n, RECORD_MARK) && records[n].r.len >= len &&
		    memcmp(records[n].data, text, len) == 0)
			return n;
	fprintf(stderr, "replay: there is no mark '%s'\n", text);
	exit(2);
}

static void print(const char *kind, size_t at, uint64_t seed)
{
	static size_t acknowledged;
	size_t n = at;

	/* Until the next flush, time passes and no disk need change. */
	while (n < record_count && !is(n, RECORD_FLUSH))
		n++;
	if (!acknowledged)
		acknowledged = find_mark("acknowledged");
	printf("%s %zu %llu %s\n", kind, at, (unsigned long long)seed,
	       acknowledged < n ? "acknowledged" : "open");
}

/* Which of the writes until @at a subset keeps, as a number. */
static uint64_t identify(size_t at, uint64_t seed)
{
	uint64_t id = 0;
	size_t n;

	for (n = 0; n < at; n++)
		if (is(n, RECORD_WRITE) &&
		    n >= not_flushed(at, records[n].r.disk) && keeps(seed, n))
			id = any(id, n);
	return id;
}

/* Up to @want different ones that may be found just before the flush @at. */
static void print_subsets(const char *kind, size_t at, long want, uint64_t seed)
{
	static uint64_t seen[STATES_MAX];
	long tries, found = 0, i;

	for (tries = 0; found < want && tries < 4 * want; tries++) {
		uint64_t one = any(seed, at * STATES_MAX + (size_t)tries) >> 32;
		uint64_t id = identify(at, one);

		for (i = 0; i < found && seen[i] != id; i++)
			;
		/* Which sectors are kept, differs as well. */
		if (i < found && strcmp(kind, "subset") == 0)
			continue;
		seen[found++] = id;
		print(kind, at, one);
	}
}

static int list(int argc, char **argv)
{
	long prefixes = 0, torn = 0, subsets = 0, shards = 0, seen = 0;
	uint64_t seed = 1;
	size_t n, end;
	int opt;

	while ((opt = getopt(argc, argv, "p:t:s:h:r:")) != -1) {
		if (opt == 'p')
			prefixes = atol(optarg);
		else if (opt == 't')
			torn = atol(optarg);
		else if (opt == 's')
			subsets = atol(optarg);
		else if (opt == 'h')
			shards = atol(optarg);
		else if (opt == 'r')
			seed = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind != argc - 1 || subsets > STATES_MAX || shards > STATES_MAX)
		return 2;
	load(argv[optind]);
	end = find_mark("end");
	for (n = find_mark("begin"); n < end; n++) {
		if (is(n, RECORD_WRITE)) {
			seen++;
			if (prefixes && seen % prefixes == 0)
				print("prefix", n + 1, 0);
			if (torn && seen % torn == 0)
				print("torn", n + 1, any(seed, n) >> 32);
		} else if (is(n, RECORD_FLUSH)) {
			print_subsets("subset", n, subsets, seed);
			print_subsets("shards", n, shards, seed + 1);
		}
	}
	return 0;
}

/* ---- make -------------------------------------------------------------- */

/* A sparse copy. */
static int copy_base(const char *from, const char *to)
{
	static char room[1 << 20];
	int in = open(from, O_RDONLY), out;
	off_t at = 0, end;
	struct stat st;
	ssize_t n;

	out = open(to, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (in < 0 || fstat(in, &st) < 0)
		die(from);
	if (out < 0 || ftruncate(out, st.st_size) < 0)
		die(to);
	while ((at = lseek(in, at, SEEK_DATA)) >= 0) {
		end = lseek(in, at, SEEK_HOLE);
		for (; at < end; at += n) {
			size_t len = sizeof(room);

			if ((off_t)len > end - at)
				len = (size_t)(end - at);
			n = pread(in, room, len, at);
			if (n <= 0 || pwrite(out, room, (size_t)n, at) != n)
				die(to);
		}
	}
	(void)close(in);
	return out;
}

static void put(int fd, const struct record *r, const unsigned char *data,
		uint64_t from, uint64_t to)
{
	if (pwrite(fd, data + from, to - from, (off_t)(r->offset + from)) !=
	    (ssize_t)(to - from))
		die("replay: write");
}

/* Its first sectors, its last, or any of them. */
static void put_part(int fd, const struct record *r, const unsigned char *data,
		     uint64_t seed)
{
	uint64_t count = (r->len + sector - 1) / sector, i, to;
	uint64_t cut = count > 1 ? 1 + any(seed, 1) % (count - 1) : 1;

	for (i = 0; i < count; i++) {
		bool kept = any(seed, 2) % 3 == 0   ? i < cut
			    : any(seed, 2) % 3 == 1 ? i >= cut
						    : any(seed, 3 + i) % 2;

		to = (i + 1) * sector;
		if (kept)
			put(fd, r, data, i * sector, to < r->len ? to : r->len);
	}
}

static void make_one(uint32_t disk, int fd, const char *kind, size_t at,
		     uint64_t seed)
{
	bool some = strcmp(kind, "subset") == 0 || strcmp(kind, "shards") == 0;
	size_t sure = some ? not_flushed(at, disk) : at, n;

	for (n = 0; n < at; n++) {
		const struct record *r = &records[n].r;

		if (r->what != RECORD_WRITE || r->disk != disk)
			continue;
		if (n >= sure && !keeps(seed, n))
			continue;
		if ((strcmp(kind, "torn") == 0 && n == at - 1) ||
		    (strcmp(kind, "shards") == 0 && n >= sure &&
		     any(seed + 1, n) % 2))
			put_part(fd, r, records[n].data, any(seed, n));
		else
			put(fd, r, records[n].data, 0, r->len);
	}
}

static int make(int argc, char **argv)
{
	uint32_t disk;
	size_t at;
	int opt;

	while ((opt = getopt(argc, argv, "b:")) != -1) {
		if (opt != 'b')
			return 2;
		sector = strtoull(optarg, NULL, 10);
	}
	argc -= optind;
	argv += optind;
	if (argc < 6 || argc % 2 || argc > 4 + 2 * DISKS_MAX || sector == 0)
		return 2;
	load(argv[0]);
	at = strtoull(argv[2], NULL, 10);
	if (at > record_count)
		return 2;
	for (disk = 0; 4 + 2 * (int)disk < argc; disk++) {
		char **pair = argv + 4 + (size_t)2 * disk;
		int fd = copy_base(pair[0], pair[1]);

		make_one(disk, fd, argv[1], at, strtoull(argv[3], NULL, 10));
		if (close(fd) < 0)
			die(pair[1]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "list") == 0)
		return list(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "make") == 0)
		return make(argc - 1, argv + 1);
	return 2;
}
