/*
 * Read in one of the ways that programs read, and take the time.
 *
 *   readers all [-p THREADS] DIR
 *	every file below DIR, as tar would: list, look at, open, read, close
 *   readers seq [-p THREADS] DIR
 *	the files in DIR from beginning to end, one after another by name
 *   readers random [-p THREADS] [-n READS] [-t SECONDS] [-r REFERENCE] DIR
 *	4 KiB at random places of the files in DIR, until READS were made or
 *	SECONDS have passed; then, with the clock stopped, the same places of
 *	the files in REFERENCE, which must hold the same
 *
 * Prints SECONDS READS BYTES SUM: reads are files, or blocks. The sum is over
 * all that was read and does not depend on the order of files or threads.
 */
#include "sum.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (256u << 10)
#define PAGE 4096u
#define THREADS_MAX 64

struct totals {
	uint64_t reads, bytes, sum;
};

/* A directory to be read, or a file. */
struct item {
	char *path;
	uint64_t seed;
	int64_t size;
};

struct list {
	struct item *item;
	size_t count, room;
};

struct job {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct list todo; /* guarded by lock */
	unsigned busy; /* guarded by lock */
	/* for random reads */
	const struct item *file;
	const int *fd;
	size_t files;
	uint64_t reads;
	double seconds;
};

struct worker {
	pthread_t thread;
	struct job *job;
	struct totals got;
	unsigned number;
};

static void *must(void *p)
{
	if (!p)
		err(2, "out of memory");
	return p;
}

static void push(struct list *l, const char *dir, const char *name,
		 uint64_t seed, int64_t size)
{
	struct item *it;

	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->item = must(realloc(l->item, l->room * sizeof(*l->item)));
	}
	it = &l->item[l->count++];
	if (asprintf(&it->path, "%s%s%s", dir, *name ? "/" : "", name) < 0)
		err(2, "out of memory");
	it->seed = seed;
	it->size = size;
}

static void *buffer(size_t len)
{
	void *p;

	if (posix_memalign(&p, PAGE, len) != 0)
		errx(2, "out of memory");
	return p;
}

static void read_file(int dir, const char *name, uint64_t seed, void *buf,
		      struct totals *got)
{
	struct bench_sum s;
	size_t full = 0;
	ssize_t n;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		err(2, "cannot open '%s'", name);
	bench_sum_init(&s, seed);
	do {
		n = read(fd, (char *)buf + full, CHUNK - full);
		if (n < 0)
			err(2, "cannot read '%s'", name);
		full += (size_t)n;
		/* only whole buffers, so that short reads sum up the same */
		if (full == CHUNK || n == 0) {
			bench_sum_add(&s, buf, full);
			full = 0;
		}
	} while (n > 0);
	(void)close(fd);
	got->reads++;
	got->bytes += s.bytes;
	got->sum += bench_sum_end(&s);
}

/* ------------------------------------------------------------------------ */
/* The whole tree: each thread takes directories and gives back new ones.   */

static void found_dir(struct job *j, const struct item *at, const char *name,
		      uint64_t seed)
{
	pthread_mutex_lock(&j->lock);
	push(&j->todo, at->path, name, seed, 0);
	pthread_cond_signal(&j->more);
	pthread_mutex_unlock(&j->lock);
}

static void read_dir(struct job *j, const struct item *at, void *buf,
		     struct totals *got)
{
	DIR *d = opendir(at->path);
	struct dirent *e;
	struct stat st;
	uint64_t seed;

	if (!d)
		err(2, "cannot open '%s'", at->path);
	for (;;) {
		errno = 0;
		e = readdir(d);
		if (!e)
			break;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			err(2, "cannot look at '%s'", e->d_name);
		seed = bench_sum_string(at->seed, e->d_name);
		if (S_ISDIR(st.st_mode))
			found_dir(j, at, e->d_name, seed);
		else if (S_ISREG(st.st_mode))
			read_file(dirfd(d), e->d_name, seed, buf, got);
	}
	if (errno)
		err(2, "cannot list '%s'", at->path);
	(void)closedir(d);
}

static void *run_all(void *arg)
{
	struct worker *w = arg;
	struct job *j = w->job;
	void *buf = buffer(CHUNK);
	struct item it;

	pthread_mutex_lock(&j->lock);
	for (;;) {
		while (j->todo.count == 0 && j->busy > 0)
			pthread_cond_wait(&j->more, &j->lock);
		if (j->todo.count == 0)
			break;
		it = j->todo.item[--j->todo.count];
		j->busy++;
		pthread_mutex_unlock(&j->lock);
		read_dir(j, &it, buf, &w->got);
		free(it.path);
		pthread_mutex_lock(&j->lock);
		j->busy--;
	}
	pthread_cond_broadcast(&j->more);
	pthread_mutex_unlock(&j->lock);
	free(buf);
	return NULL;
}

/* ------------------------------------------------------------------------ */
/* The files of one directory.                                              */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->path,
		      ((const struct item *)b)->path);
}

static void find_files(const char *path, struct list *out)
{
	DIR *d = opendir(path);
	struct dirent *e;
	struct stat st;

	if (!d)
		err(2, "cannot open '%s'", path);
	for (;;) {
		errno = 0;
		e = readdir(d);
		if (!e)
			break;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			err(2, "cannot look at '%s'", e->d_name);
		if (S_ISREG(st.st_mode))
			push(out, path, e->d_name,
			     bench_sum_string(0, e->d_name), st.st_size);
	}
	if (errno)
		err(2, "cannot list '%s'", path);
	(void)closedir(d);
	if (out->count == 0)
		errx(2, "no file in '%s'", path);
	qsort(out->item, out->count, sizeof(*out->item), by_path);
}

static void *run_seq(void *arg)
{
	struct worker *w = arg;
	struct job *j = w->job;
	void *buf = buffer(CHUNK);
	struct item it;

	for (;;) {
		pthread_mutex_lock(&j->lock);
		if (j->busy == j->todo.count)
			break;
		it = j->todo.item[j->busy++];
		pthread_mutex_unlock(&j->lock);
		read_file(AT_FDCWD, it.path, it.seed, buf, &w->got);
		free(it.path);
	}
	pthread_mutex_unlock(&j->lock);
	free(buf);
	return NULL;
}

/* ------------------------------------------------------------------------ */

static uint64_t next_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	return bench_mix(*state);
}

/* One read of @j's sequence; the same for the same state, on any tree. */
static void read_page(const struct job *j, const int *fd, uint64_t *state,
		      void *buf, struct totals *got)
{
	size_t f = next_random(state) % j->files;
	uint64_t pages = (uint64_t)j->file[f].size / PAGE;
	uint64_t off = next_random(state) % pages * PAGE;
	struct bench_sum s;
	ssize_t n = pread(fd[f], buf, PAGE, (off_t)off);

	if (n < 0)
		err(2, "cannot read '%s'", j->file[f].path);
	if (n != (ssize_t)PAGE)
		errx(2, "cannot read '%s': cut short", j->file[f].path);
	bench_sum_init(&s, j->file[f].seed ^ off);
	bench_sum_add(&s, buf, PAGE);
	got->reads++;
	got->bytes += PAGE;
	got->sum += bench_sum_end(&s);
}

static void *run_random(void *arg)
{
	struct worker *w = arg;
	const struct job *j = w->job;
	uint64_t state = w->number;
	void *buf = buffer(PAGE);
	double end = bench_now() + j->seconds;

	while (w->got.reads < j->reads && bench_now() < end)
		read_page(j, j->fd, &state, buf, &w->got);
	free(buf);
	return NULL;
}

static int *open_files(const char *dir, struct list *files)
{
	int *fd;
	size_t i;

	find_files(dir, files);
	fd = must(calloc(files->count, sizeof(*fd)));
	for (i = 0; i < files->count; i++) {
		if (files->item[i].size < (int64_t)PAGE)
			errx(2, "too short: '%s'", files->item[i].path);
		fd[i] = open(files->item[i].path, O_RDONLY | O_CLOEXEC);
		if (fd[i] < 0)
			err(2, "cannot open '%s'", files->item[i].path);
	}
	return fd;
}

/* What @w read must be what the same reads of the reference give. */
static void compare(const struct job *j, const int *fd, const struct worker *w)
{
	struct totals want = { .reads = 0 };
	uint64_t state = w->number;
	void *buf = buffer(PAGE);

	while (want.reads < w->got.reads)
		read_page(j, fd, &state, buf, &want);
	free(buf);
	if (want.sum != w->got.sum)
		errx(1, "'%s' and the reference differ", j->file[0].path);
}

static double run(struct worker *workers, unsigned threads, struct job *job,
		  void *(*fn)(void *))
{
	double begin = bench_now();
	unsigned i;

	for (i = 0; i < threads; i++) {
		workers[i] = (struct worker){ .job = job, .number = i };
		if (pthread_create(&workers[i].thread, NULL, fn, &workers[i]))
			errx(2, "cannot start a thread");
	}
	for (i = 0; i < threads; i++)
		(void)pthread_join(workers[i].thread, NULL);
	return bench_now() - begin;
}

static void report(const struct worker *w, unsigned threads, double seconds)
{
	struct totals all = { .reads = 0 };
	unsigned i;

	for (i = 0; i < threads; i++) {
		all.reads += w[i].got.reads;
		all.bytes += w[i].got.bytes;
		all.sum += w[i].got.sum;
	}
	printf("%.6f %llu %llu %016llx\n", seconds,
	       (unsigned long long)all.reads, (unsigned long long)all.bytes,
	       (unsigned long long)all.sum);
}

static void read_random(struct job *job, struct worker *workers,
			unsigned threads, const char *dir, const char *ref)
{
	struct list files = { .count = 0 }, same = { .count = 0 };
	const int *ref_fd;
	double seconds;
	unsigned i;

	job->fd = open_files(dir, &files);
	job->file = files.item;
	job->files = files.count;
	job->reads /= threads;
	seconds = run(workers, threads, job, run_random);
	report(workers, threads, seconds);
	if (!ref)
		return;
	ref_fd = open_files(ref, &same);
	if (same.count != files.count)
		errx(1, "'%s' and '%s' differ", dir, ref);
	for (i = 0; i < threads; i++)
		compare(job, ref_fd, &workers[i]);
}

static const char usage[] =
	"usage: readers all|seq|random [-p THREADS] [-n READS] [-t SECONDS] "
	"[-r REFERENCE] DIR";

int main(int argc, char **argv)
{
	static struct worker workers[THREADS_MAX];
	struct job job = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.more = PTHREAD_COND_INITIALIZER,
		.reads = 10000,
		.seconds = 3600,
	};
	const char *ref = NULL, *how = argc > 1 ? argv[1] : "";
	unsigned threads = 1;
	double begin;
	int c;

	optind = 2;
	while ((c = getopt(argc, argv, "p:n:t:r:")) != -1) {
		if (c == 'p')
			threads = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'n')
			job.reads = strtoull(optarg, NULL, 10);
		else if (c == 't')
			job.seconds = strtod(optarg, NULL);
		else if (c == 'r')
			ref = optarg;
		else
			errx(2, "%s", usage);
	}
	if (argc < 3 || optind != argc - 1 || threads < 1 ||
	    threads > THREADS_MAX)
		errx(2, "%s", usage);
	begin = bench_now();
	if (strcmp(how, "all") == 0) {
		push(&job.todo, argv[optind], "", 0, 0);
		report(workers, threads, run(workers, threads, &job, run_all));
	} else if (strcmp(how, "seq") == 0) {
		find_files(argv[optind], &job.todo);
		(void)run(workers, threads, &job, run_seq);
		report(workers, threads, bench_now() - begin);
	} else if (strcmp(how, "random") == 0) {
		read_random(&job, workers, threads, argv[optind], ref);
	} else {
		errx(2, "%s", usage);
	}
	return 0;
}
