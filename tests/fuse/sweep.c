/*
 * sweep SNAPSHOT MOUNTED [STEP [SEED]]: flip bytes of every file of a snapshot
 * in the store, one at a time, and look at it through the mount.
 *
 * For each flip the block that holds the byte must fail with EIO and every
 * other block must give the right bytes, by one of several ways of reading in
 * turn. STEP 1 (the default) flips every byte, STEP n one byte in n, chosen by
 * SEED. Prints what it did; exits with 1 at the first wrong answer.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536

struct file {
	const char *path;
	int store, mounted, direct;
	size_t size;
	unsigned char *right; /* its bytes before any flip */
};

static unsigned char got[BLOCK] __attribute__((aligned(4096)));
static unsigned long flips, refused, step = 1;
static uint64_t rng_state = 1;
static sigjmp_buf on_bus;

static void die(const char *what, const char *path)
{
	fprintf(stderr, "sweep: %s '%s': %s\n", what, path, strerror(errno));
	exit(2);
}

static uint32_t rng(void)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng_state >> 32);
}

static void bus(int sig)
{
	siglongjmp(on_bus, sig);
}

/* Each reads @len bytes at @off into got: 0 or an errno. */
static int by_pread(const struct file *f, size_t off, size_t len)
{
	ssize_t n = pread(f->mounted, got, len, (off_t)off);

	if (n < 0)
		return errno;
	return (size_t)n == len ? 0 : ENODATA;
}

static int by_direct(const struct file *f, size_t off, size_t len)
{
	ssize_t n = pread(f->direct, got, BLOCK, (off_t)off);

	if (n < 0)
		return errno;
	return (size_t)n == len ? 0 : ENODATA;
}

static int by_mmap(const struct file *f, size_t off, size_t len)
{
	volatile int r = EIO; /* all that a mapping can say */
	void *map =
		mmap(NULL, len, PROT_READ, MAP_SHARED, f->mounted, (off_t)off);

	if (map == MAP_FAILED)
		return errno;
	if (sigsetjmp(on_bus, 1) == 0) {
		memcpy(got, map, len);
		r = 0;
	}
	(void)munmap(map, len); /* it was only read */
	return r;
}

static int by_splice(const struct file *f, size_t off, size_t len)
{
	loff_t at = (loff_t)off;
	size_t have = 0;
	ssize_t n = 0;
	int p[2], r = 0;

	if (pipe(p) < 0)
		return errno;
	while (have < len) {
		n = splice(f->mounted, &at, p[1], NULL, len - have, 0);
		if (n <= 0)
			break;
		while (n > 0) {
			ssize_t m = read(p[0], got + have, (size_t)n);

			if (m <= 0)
				break;
			have += (size_t)m;
			n -= m;
		}
	}
	if (have < len)
		r = n < 0 ? errno : ENODATA;
	(void)close(p[0]); /* a pipe */
	(void)close(p[1]);
	return r;
}

static int (*const methods[])(const struct file *, size_t,
			      size_t) = { by_pread, by_mmap, by_splice,
					  by_direct };

static void flip(const struct file *f, size_t at, unsigned char mask)
{
	unsigned char c = f->right[at] ^ mask;

	if (pwrite(f->store, &c, 1, (off_t)at) != 1)
		die("cannot flip", f->path);
	/* What the kernel holds was right when it was read: let it go. */
	(void)posix_fadvise(f->mounted, 0, 0, POSIX_FADV_DONTNEED);
}

/* Look at every block while the byte at @bad is wrong. */
static const char *look(const struct file *f, size_t bad, unsigned method)
{
	size_t off, len;
	int r;

	for (off = 0; off < f->size; off += BLOCK) {
		len = f->size - off < BLOCK ? f->size - off : BLOCK;
		memset(got, 0xa5, len);
		r = methods[method](f, off, len);
		if (bad / BLOCK == off / BLOCK) {
			if (r == 0 && memcmp(got, f->right + off, len) != 0)
				return "WRONG BYTES were handed over";
			if (r == 0)
				return "right bytes came from somewhere else";
			if (r != EIO)
				return strerror(r);
			refused++;
			continue;
		}
		if (r)
			return "another block was refused";
		if (memcmp(got, f->right + off, len) != 0)
			return "WRONG BYTES in another block";
	}
	return NULL;
}

static void sweep_file(const struct file *f)
{
	const char *wrong;
	unsigned method, tries;
	size_t at;

	for (at = step > 1 ? rng() % step : 0;
	     at<f->size; at += step> 1 ? 1 + rng() % (2 * step - 1) : 1) {
		method = (unsigned)(flips % 4);
		flip(f, at, (unsigned char)(1u << (at % 8)));
		wrong = look(f, at, method);
		/* A page that was locked a moment ago may have stayed. */
		for (tries = 0; wrong && wrong[0] == 'r' && tries < 50;
		     tries++) {
			flip(f, at, (unsigned char)(1u << (at % 8)));
			wrong = look(f, at, method);
		}
		if (wrong) {
			fprintf(stderr,
				"sweep: '%s', byte %zu flipped, method %u: "
				"%s\n",
				f->path, at, method, wrong);
			exit(1);
		}
		flips++;
		flip(f, at, 0);
	}
	wrong = look(f, SIZE_MAX, 0);
	if (wrong) {
		fprintf(stderr, "sweep: '%s' afterwards: %s\n", f->path, wrong);
		exit(1);
	}
}

static void open_and_sweep(const char *store, const char *mounted)
{
	struct file f = { .path = mounted };
	struct stat st;

	f.store = open(store, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	f.mounted = open(mounted, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	f.direct = open(mounted, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (f.store < 0 || f.mounted < 0 || f.direct < 0 ||
	    fstat(f.store, &st) < 0)
		die("cannot open", mounted);
	f.size = (size_t)st.st_size;
	f.right = malloc(f.size ? f.size : 1);
	if (!f.right || pread(f.store, f.right, f.size, 0) != (ssize_t)f.size)
		die("cannot read", store);
	sweep_file(&f);
	free(f.right);
	(void)close(f.store); /* the last flip was undone and read back */
	(void)close(f.mounted);
	(void)close(f.direct);
}

static void sweep_tree(const char *store, const char *mounted, int top)
{
	char a[4096], b[4096];
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(store);

	if (!d)
		die("cannot list", store);
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		/* These two are proven when the snapshot is opened. */
		if (top && (strcmp(e->d_name, "manifest.sha256") == 0 ||
			    strcmp(e->d_name, "index.hxi") == 0))
			continue;
		if ((size_t)snprintf(a, sizeof(a), "%s/%s", store, e->d_name) >=
			    sizeof(a) ||
		    (size_t)snprintf(b, sizeof(b), "%s/%s", mounted,
				     e->d_name) >= sizeof(b))
			die("path too long below", store);
		if (lstat(a, &st) < 0)
			die("cannot stat", a);
		if (S_ISDIR(st.st_mode))
			sweep_tree(a, b, 0);
		else if (S_ISREG(st.st_mode))
			open_and_sweep(a, b);
	}
	(void)closedir(d); /* it was only read */
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = bus };

	if (argc < 3) {
		fprintf(stderr,
			"usage: sweep SNAPSHOT MOUNTED [STEP [SEED]]\n");
		return 2;
	}
	if (argc > 3)
		step = strtoul(argv[3], NULL, 10);
	if (argc > 4)
		rng_state = strtoull(argv[4], NULL, 10);
	if (step < 1)
		step = 1;
	(void)sigaction(SIGBUS, &sa, NULL); /* the arguments are right */
	sweep_tree(argv[1], argv[2], 1);
	printf("%lu flips, %lu blocks refused\n", flips, refused);
	return flips ? 0 : 1;
}
