#include "base/path.h"
#include "format/manifest.h"
#include "store/content.h"
#include "tests/unit/scratch.h"
#include "verbs/verify.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

/*
 * A small native snapshot made by hand, then every byte of it flipped: what
 * was written to the store's format by another hand than create's is read,
 * and nothing else is.
 */
#define ID "20260205T152900Z"
#define DIR_PATH "store/backups/dev/" ID
#define LARGE (2 * 65536 + 4000)

static struct hxs_store *store;
static uint8_t large[LARGE];

static const struct {
	const char *path;
	const void *bytes;
	size_t len;
} files[] = {
	{ "meta.json", "{\"env\":\"dev\",\"backup_id\":\"" ID "\"}\n", 46 },
	{ "events/a.jsonl", "{\"seq\":1}\n", 10 },
	{ "events/empty", "", 0 },
	{ "events/large", large, LARGE },
};

static void write_file(const char *path, const void *bytes, size_t len)
{
	char full[512];
	int fd;

	(void)snprintf(full, sizeof(full), DIR_PATH "/%s", path);
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || hxs_io_write_full(fd, bytes, len) < 0)
		scratch_die(full);
	(void)close(fd);
}

static uint32_t add(struct hxs_index_builder *b, uint32_t parent,
		    const char *name, mode_t mode, const void *bytes,
		    size_t len)
{
	HXS_AUTO(chain_maker) struct hxs_chain_maker *m = NULL;
	struct hxs_node node = { .name = name,
				 .name_len = strlen(name),
				 .mode = mode,
				 .target = bytes };
	struct hxs_chain chain;
	uint32_t handle;

	if (hxs_index_builder_add(b, parent, &node, &handle, NULL) < 0)
		scratch_die(name);
	if (!S_ISREG(mode))
		return handle;
	if (hxs_chain_maker_new(&m) < 0 ||
	    hxs_chain_maker_data(m, bytes, len) < 0 ||
	    hxs_chain_maker_finish(m, &chain) < 0)
		scratch_die(name);
	hxs_index_builder_set_chain(b, handle, &chain);
	return handle;
}

static void write_snapshot(void)
{
	static const struct hxs_index_head head = { .env = "dev",
						    .id = ID,
						    .kind = HXS_BACKUP };
	HXS_AUTO(index_builder) struct hxs_index_builder *b = NULL;
	HXS_AUTO(index) struct hxs_index *idx = NULL;
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_digest self;
	uint32_t events;
	void *bytes;
	size_t i, len;

	if (hxs_io_mkdirs(AT_FDCWD, DIR_PATH "/events", 0755) < 0 ||
	    symlink("a.jsonl", DIR_PATH "/events/link") < 0 ||
	    hxs_index_builder_new(&head, &b) < 0)
		scratch_die(DIR_PATH);
	for (i = 0; i < LARGE; i++)
		large[i] = (uint8_t)(i * 7 + i / 251);
	for (i = 0; i < HXS_ARRAY_LEN(files); i++)
		write_file(files[i].path, files[i].bytes, files[i].len);
	events = add(b, 0, "events", S_IFDIR | 0755, NULL, 0);
	(void)add(b, events, "link", S_IFLNK | 0777, "a.jsonl", 0);
	for (i = 0; i < HXS_ARRAY_LEN(files); i++)
		(void)add(b, i ? events : 0,
			  i ? files[i].path + strlen("events/") : files[i].path,
			  S_IFREG | 0644, files[i].bytes, files[i].len);
	if (hxs_index_builder_finish(b, &bytes, &len, NULL) < 0)
		scratch_die("index");
	write_file(HXS_INDEX_NAME, bytes, len);
	hxs_digest_of(bytes, len, &self);
	if (hxs_index_take(bytes, len, &idx, NULL) < 0)
		scratch_die("index");
	hxs_index_manifest(idx, &self, &text);
	write_file(HXS_MANIFEST_NAME, text.data, text.len);
}

static struct hxs_snapshot *open_snapshot(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_snapshot *snap = NULL;

	if (hxs_snapshot_open(store, HXS_BACKUP, "dev", ID, &snap, &err) < 0) {
		fprintf(stderr, "# %s\n", err.message);
		scratch_die("cannot open the snapshot");
	}
	return snap;
}

/* The file's bytes through the one door, or the fault that stopped it. */
static int read_file(struct hxs_snapshot *snap, const char *path, uint64_t off,
		     size_t want, const void *right, struct hxs_fault *fault)
{
	HXS_AUTO(content) struct hxs_content *c = NULL;
	struct hxs_scratch scratch = { 0 };
	int64_t n = hxs_index_find(hxs_snapshot_index(snap), path);
	struct hxs_err err = HXS_ERR_INIT;
	const void *bytes;
	ssize_t r;

	if (n < 0)
		return (int)n;
	r = hxs_content_open(snap, (uint32_t)n, &c, fault, &err);
	if (r == 0)
		r = hxs_content_read(c, off, want, &scratch, &bytes, fault,
				     &err);
	if (r >= 0)
		r = (size_t)r == want && memcmp(bytes, right, want) == 0 ? 0
									 : 1;
	else if (!err.message[0])
		r = 2;
	hxs_scratch_release(&scratch);
	return (int)r;
}

static void test_right(void)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = open_snapshot();
	struct hxs_fault fault;
	struct stat st;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(files); i++)
		is_int(read_file(snap, files[i].path, 0, files[i].len,
				 files[i].bytes, &fault),
		       0, "%s reads", files[i].path);
	is_int(read_file(snap, "events/large", 65530, 20, large + 65530,
			 &fault),
	       0, "across a block's end");
	is_int(hxs_snapshot_extras(snap, NULL, NULL), 0, "nothing unlisted");
	is_int(hxs_snapshot_stat(snap, HXS_ENTRY_MANIFEST, &st), 0,
	       "the manifest has attributes");
	ok(!hxs_snapshot_is_foreign(snap), "native");
}

/* Flip @mask at @at of @path in the store. */
static void flip(const char *path, size_t at, uint8_t mask)
{
	char full[512];
	uint8_t c;
	int fd;

	(void)snprintf(full, sizeof(full), DIR_PATH "/%s", path);
	fd = open(full, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread(fd, &c, 1, (off_t)at) != 1)
		scratch_die(full);
	c ^= mask;
	if (pwrite(fd, &c, 1, (off_t)at) != 1)
		scratch_die(full);
	(void)close(fd);
}

static size_t file_size(const char *path)
{
	char full[512];
	struct stat st;

	(void)snprintf(full, sizeof(full), DIR_PATH "/%s", path);
	if (stat(full, &st) < 0)
		scratch_die(full);
	return (size_t)st.st_size;
}

static int open_status(struct hxs_err *err)
{
	struct hxs_snapshot *snap = NULL;
	int r = hxs_snapshot_open(store, HXS_BACKUP, "dev", ID, &snap, err);

	hxs_snapshot_unref(snap);
	return r;
}

/* Manifest and index prove each other: no flipped byte of either passes. */
static void test_flip_proof(const char *name)
{
	static const uint8_t masks[] = { 0x01, 0x20, 0x80 };
	size_t len = file_size(name), at, missed = 0, silent = 0;
	struct hxs_err err;
	unsigned k;

	for (at = 0; at < len; at++) {
		for (k = 0; k < HXS_ARRAY_LEN(masks); k++) {
			memset(&err, 0, sizeof(err));
			flip(name, at, masks[k]);
			missed += open_status(&err) != -HXS_ECORRUPT;
			silent += !strstr(err.message, "dev/" ID);
			flip(name, at, masks[k]);
		}
	}
	is_int(missed, 0, "every flipped bit of %s is damage (%zu tried)", name,
	       len * HXS_ARRAY_LEN(masks));
	is_int(silent, 0, "and the message names the snapshot");
}

static void test_cut_proof(const char *name)
{
	size_t len = file_size(name), at, missed = 0;
	HXS_AUTO_FREE char *bytes = NULL;
	char full[512];
	int fd;

	(void)snprintf(full, sizeof(full), DIR_PATH "/%s", name);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || hxs_io_read_all(fd, 1 << 24, &bytes, &len) < 0)
		scratch_die(full);
	(void)close(fd);
	for (at = 0; at < len; at++) {
		write_file(name, bytes, at);
		missed += open_status(NULL) != -HXS_ECORRUPT;
	}
	write_file(name, bytes, len);
	is_int(missed, 0, "%s cut at every length is damage", name);
	is_int(open_status(NULL), 0, "whole again, it is right");
}

struct seen {
	unsigned faults;
	struct hxs_fault last;
	char path[256];
};

static void see(const struct hxs_fault *fault, const char *path, void *ctx)
{
	struct seen *s = ctx;

	s->faults++;
	s->last = *fault;
	(void)snprintf(s->path, sizeof(s->path), "%s", path);
}

static int verify(struct seen *s)
{
	struct hxs_verify_opts opts = { .threads = 2,
					.fault = see,
					.fault_ctx = s };
	struct hxs_verify_report report;

	memset(s, 0, sizeof(*s));
	return hxs_verify(store, HXS_BACKUP, "dev", ID, &opts, &report, NULL);
}

/* Each flip fails its own block, no other, and verify finds that one. */
static void test_flip_content(void)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = open_snapshot();
	size_t i, at, block, off, len, step, wrong = 0, unnamed = 0;
	struct hxs_fault fault;
	struct seen seen;
	int r, want;

	for (i = 0; i < HXS_ARRAY_LEN(files); i++) {
		step = files[i].len > 65536 ? 331 : 1;
		for (at = 0; at < files[i].len; at += step) {
			flip(files[i].path, at, 0x04);
			for (off = 0; off < files[i].len; off += 65536) {
				len = files[i].len - off;
				if (len > 65536)
					len = 65536;
				block = at / 65536 * 65536;
				want = block == off ? -HXS_ECORRUPT : 0;
				r = read_file(snap, files[i].path, off, len,
					      (const uint8_t *)files[i].bytes +
						      off,
					      &fault);
				wrong += r != want ||
					 (r < 0 &&
					  (fault.kind != HXS_FAULT_BLOCK ||
					   fault.offset != block));
			}
			if (at % 7 == 0) {
				r = verify(&seen);
				unnamed +=
					r != -HXS_ECORRUPT ||
					seen.faults != 1 ||
					strcmp(seen.path, files[i].path) != 0;
			}
			flip(files[i].path, at, 0x04);
		}
	}
	is_int(wrong, 0, "a flip fails its own block and no other");
	is_int(unnamed, 0, "verify reports one fault and names the file");
	is_int(verify(&seen), 0, "put back, all is right");
}

/* What may lie in the place of events/a.jsonl; each is undone by name. */
static void put_nothing(void)
{
}

static void put_link(void)
{
	if (symlink("../../../../../../../../etc/passwd",
		    DIR_PATH "/events/a.jsonl") < 0)
		scratch_die("symlink");
}

static void put_fifo(void)
{
	if (mkfifo(DIR_PATH "/events/a.jsonl", 0644) < 0)
		scratch_die("mkfifo");
}

static void put_dir(void)
{
	scratch_dir(AT_FDCWD, DIR_PATH "/events/a.jsonl");
}

static void put_longer(void)
{
	write_file("events/a.jsonl", "{\"seq\":1}\n\n", 11);
}

static void put_shorter(void)
{
	write_file("events/a.jsonl", "{\"seq\":1}", 9);
}

static const struct {
	const char *label;
	void (*put)(void);
	enum hxs_fault_kind kind;
} places[] = {
	{ "missing", put_nothing, HXS_FAULT_MISSING },
	{ "a link", put_link, HXS_FAULT_TYPE },
	{ "a FIFO", put_fifo, HXS_FAULT_TYPE },
	{ "a directory", put_dir, HXS_FAULT_TYPE },
	{ "longer", put_longer, HXS_FAULT_SIZE },
	{ "shorter", put_shorter, HXS_FAULT_SIZE },
};

static void test_places(bool foreign)
{
	struct hxs_fault fault;
	struct seen seen;
	size_t i;
	int r;

	for (i = 0; i < HXS_ARRAY_LEN(places); i++) {
		HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;

		if (unlink(DIR_PATH "/events/a.jsonl") < 0)
			scratch_die("unlink");
		places[i].put();
		snap = open_snapshot();
		r = read_file(snap, "events/a.jsonl", 0, 10, files[1].bytes,
			      &fault);
		is_int(r, -HXS_ECORRUPT, "%s: refused", places[i].label);
		/* A foreign file's size is what the disk says. */
		is_int(fault.kind,
		       foreign && places[i].kind == HXS_FAULT_SIZE
			       ? HXS_FAULT_DIGEST
			       : places[i].kind,
		       "%s: as what it is", places[i].label);
		is_int(verify(&seen), -HXS_ECORRUPT, "%s: verify sees it",
		       places[i].label);
		is_str(seen.path, "events/a.jsonl", "%s: and names it",
		       places[i].label);
		if (unlink(DIR_PATH "/events/a.jsonl") < 0)
			(void)rmdir(DIR_PATH "/events/a.jsonl");
		write_file("events/a.jsonl", files[1].bytes, files[1].len);
	}
	is_int(verify(&seen), 0, "put back, all is right");
}

static void test_extra(void)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	struct seen seen;

	write_file("events/extra", "x", 1);
	scratch_dir(AT_FDCWD, DIR_PATH "/events/dir");
	write_file("events/dir/deep", "x", 1);
	snap = open_snapshot();
	is_int(hxs_index_find(hxs_snapshot_index(snap), "events/extra"),
	       -ENOENT, "an unlisted file is not there");
	ok(hxs_snapshot_extras(snap, NULL, NULL) >= 2, "but is counted");
	is_int(verify(&seen), -HXS_ECORRUPT, "verify fails");
	is_int(seen.last.kind, HXS_FAULT_EXTRA, "because of it");
	if (unlink(DIR_PATH "/events/extra") < 0 ||
	    unlink(DIR_PATH "/events/dir/deep") < 0 ||
	    rmdir(DIR_PATH "/events/dir") < 0)
		scratch_die("cannot remove the extra files");
	is_int(verify(&seen), 0, "without them all is right");
}

/* A snapshot in another's place says whose it is. */
static void test_moved(void)
{
	static const struct {
		const char *env, *id;
	} to[] = {
		{ "dev", "20260205T152901Z" },
		{ "live", ID },
	};
	struct hxs_snapshot *snap = NULL;
	struct hxs_err err;
	char path[256];
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(to); i++) {
		memset(&err, 0, sizeof(err));
		(void)snprintf(path, sizeof(path), "store/backups/%s/%s",
			       to[i].env, to[i].id);
		(void)hxs_io_mkdirs(AT_FDCWD, "store/backups/live", 0755);
		if (rename(DIR_PATH, path) < 0)
			scratch_die("rename");
		is_int(hxs_snapshot_open(store, HXS_BACKUP, to[i].env, to[i].id,
					 &snap, &err),
		       -HXS_ECORRUPT, "refused as '%s'", path);
		ok(strstr(err.message, "dev/" ID) || strstr(err.message, ID),
		   "and it says whose it is: %s", err.message);
		if (rename(path, DIR_PATH) < 0)
			scratch_die("rename");
	}
}

static void test_index_gone(void)
{
	struct hxs_err err = HXS_ERR_INIT;

	if (rename(DIR_PATH "/index.hxi", "aside") < 0)
		scratch_die("rename");
	is_int(open_status(&err), -HXS_ECORRUPT,
	       "without its index a native snapshot is damaged");
	ok(strstr(err.message, "index.hxi"), "which is named: %s", err.message);
	if (rename("aside", DIR_PATH "/index.hxi") < 0)
		scratch_die("rename");
}

/* The same files with a manifest alone. */
static void make_foreign(void)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_digest d;
	size_t i;

	if (unlink(DIR_PATH "/index.hxi") < 0)
		scratch_die("unlink");
	for (i = 0; i < HXS_ARRAY_LEN(files); i++) {
		hxs_digest_of(files[i].bytes, files[i].len, &d);
		hxs_manifest_append(&text, &d, files[i].path,
				    strlen(files[i].path));
	}
	write_file(HXS_MANIFEST_NAME, text.data, text.len);
}

static void test_foreign_flip(void)
{
	struct hxs_fault fault;
	struct seen seen;
	size_t at, wrong = 0;

	for (at = 0; at < LARGE; at += 9973) {
		HXS_AUTO(snapshot) struct hxs_snapshot *snap = open_snapshot();

		wrong += read_file(snap, "events/large", 0, LARGE, large,
				   &fault) != 0;
		flip("events/large", at, 1);
		/* Its chain is known by now: the block alone is refused. */
		wrong += read_file(snap, "events/large", at, 1, large + at,
				   &fault) != -HXS_ECORRUPT;
		wrong += read_file(snap, "events/large",
				   (at + 65536) % (2 * 65536), 1,
				   large + (at + 65536) % (2 * 65536),
				   &fault) != 0;
		hxs_snapshot_unref(HXS_STEAL(snap));
		/* Never seen right, nothing of it is believed. */
		snap = open_snapshot();
		wrong += read_file(snap, "events/large", 0, 1, large, &fault) !=
			 -HXS_ECORRUPT;
		wrong += fault.kind != HXS_FAULT_DIGEST;
		wrong += verify(&seen) != -HXS_ECORRUPT || seen.faults != 1;
		flip("events/large", at, 1);
	}
	is_int(wrong, 0, "foreign: flips before and after the first open");
}

/* Two callers of one file: the first hashes until the second waits for it. */
struct callers {
	struct hxs_snapshot *snap;
	uint32_t entry;
	atomic_uint hashing, waiting; /* how often each was asked */
	bool first_stops, second_stops;
	int second_status;
};

static bool first_is_asked(void *ctx)
{
	struct callers *c = ctx;

	atomic_fetch_add(&c->hashing, 1);
	while (!atomic_load(&c->waiting))
		(void)sched_yield();
	return c->first_stops;
}

static bool second_is_asked(void *ctx)
{
	struct callers *c = ctx;

	atomic_fetch_add(&c->waiting, 1);
	return c->second_stops;
}

static void *run_second(void *arg)
{
	struct callers *c = arg;
	const struct hxs_stop stop = { second_is_asked, c };
	HXS_AUTO(content) struct hxs_content *content = NULL;
	struct hxs_fault fault;

	while (!atomic_load(&c->hashing))
		(void)sched_yield();
	c->second_status = hxs_content_open_until(c->snap, c->entry, &stop,
						  &content, &fault, NULL);
	return NULL;
}

static void test_foreign_stop(void)
{
	static const struct {
		const char *label;
		bool first_stops, second_stops;
		int first, second;
	} cases[] = {
		{ "the first gives up, the second hashes it", true, false,
		  -ECANCELED, 0 },
		{ "the second gives up, the first goes on", false, true, 0,
		  -ECANCELED },
		{ "both give up", true, true, -ECANCELED, -ECANCELED },
		{ "none does", false, false, 0, 0 },
	};
	struct hxs_fault fault;
	pthread_t second;
	size_t i;
	int r;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		HXS_AUTO(snapshot) struct hxs_snapshot *snap = open_snapshot();
		HXS_AUTO(content) struct hxs_content *content = NULL;
		struct callers c = {
			.snap = snap,
			.entry = (uint32_t)hxs_index_find(hxs_snapshot_index(
								  snap),
							  "events/large"),
			.first_stops = cases[i].first_stops,
			.second_stops = cases[i].second_stops,
		};
		const struct hxs_stop stop = { first_is_asked, &c };

		if (pthread_create(&second, NULL, run_second, &c) != 0)
			scratch_die("thread");
		r = hxs_content_open_until(snap, c.entry, &stop, &content,
					   &fault, NULL);
		(void)pthread_join(second, NULL);
		is_int(r, cases[i].first, "%s", cases[i].label);
		is_int(c.second_status, cases[i].second, "and its companion");
		is_int(read_file(snap, "events/large", 0, LARGE, large, &fault),
		       0, "then it reads");
	}
}

int main(void)
{
	struct scratch s;
	struct hxs_err err = HXS_ERR_INIT;

	scratch_open(&s);
	write_snapshot();
	if (hxs_store_open("store", &store, &err) < 0)
		scratch_die(err.message);
	test_right();
	test_flip_proof(HXS_INDEX_NAME);
	test_flip_proof(HXS_MANIFEST_NAME);
	test_cut_proof(HXS_INDEX_NAME);
	test_cut_proof(HXS_MANIFEST_NAME);
	test_flip_content();
	test_places(false);
	test_extra();
	test_moved();
	test_index_gone();
	make_foreign();
	test_places(true);
	test_extra();
	test_foreign_flip();
	test_foreign_stop();
	hxs_store_close(store);
	scratch_close(&s);
	return tap_done();
}
