/* When the kernel is told to list a directory anew, since files were read. */
#include "fs/files.h"
#include "fs/nodes.h"
#include "fs/notes.h"
#include "tests/unit/scratch.h"

#include "base/digest.h"

#define SNAPSHOT "store/backups/dev/20260101T000000Z"
#define MANY 12u
#define FEW 3u

static struct hxfs_options options = { .xattr = HXFS_XATTR_OFF };

static void add(char *manifest, const char *name)
{
	char path[128], hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest d;

	(void)snprintf(path, sizeof(path), SNAPSHOT "/%s", name);
	scratch_file(AT_FDCWD, path, "text");
	hxs_digest_of("text", 4, &d);
	hxs_digest_to_hex(&d, hex);
	(void)sprintf(manifest + strlen(manifest), "%s  %s\n", hex, name);
}

static void make(void)
{
	char manifest[4096] = "", name[32];
	unsigned i;

	if (hxs_io_mkdirs(AT_FDCWD, SNAPSHOT "/few", 0755) < 0 ||
	    hxs_io_mkdirs(AT_FDCWD, SNAPSHOT "/many", 0755) < 0)
		scratch_die("cannot make a snapshot");
	for (i = 0; i < FEW; i++) {
		(void)snprintf(name, sizeof(name), "few/%02u", i);
		add(manifest, name);
	}
	for (i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "many/%02u", i);
		add(manifest, name);
	}
	scratch_file(AT_FDCWD, SNAPSHOT "/manifest.sha256", manifest);
}

static uint64_t find(struct hxfs *fs, uint64_t dir, const char *name)
{
	struct hxfs_found found;

	if (hxfs_lookup(fs, dir, name, HXFS_HASH, false, &found, NULL) < 0)
		scratch_die("cannot find a name");
	return found.ino;
}

static void read_file(struct hxfs *fs, uint64_t dir, const char *name)
{
	struct hxs_scratch scratch = { .mem = NULL };
	uint64_t file = find(fs, dir, name);
	struct hxfs_handle *h;
	const void *bytes;

	if (hxfs_files_open(fs, (uint32_t)(file >> 32), (uint32_t)file,
			    HXFS_HASH, NULL, &h, NULL) < 0 ||
	    hxfs_files_read(fs, h, 0, 100, &scratch, &bytes, NULL) != 4)
		scratch_die("cannot read a file");
	hxfs_files_close(fs, h);
	hxs_scratch_release(&scratch);
}

static int take_three(void *ctx, const struct hxfs_dirent *d)
{
	uint64_t *next = ctx;

	if (next[1] == 3)
		return 1;
	next[0] = d->next;
	next[1]++;
	return 0;
}

/* List @dir, three names a request; the last answer is empty. */
static void list(struct hxfs *fs, uint64_t dir, uint64_t from, unsigned times)
{
	uint64_t next[2] = { from, 1 };

	for (; next[1] > 0 && times > 0; times--) {
		next[1] = 0;
		if (hxfs_list(fs, dir, next[0], HXFS_HASH, true, take_three,
			      next, NULL) < 0)
			scratch_die("cannot list a directory");
	}
}

/* How often the kernel is to be told of @dir; of nothing else is it told. */
static int told(struct hxfs *fs, uint64_t dir)
{
	struct hxfs_note n;
	int times = 0;

	while (hxfs_notes_take(fs->notes, &n)) {
		if (n.kind != HXFS_NOTE_DIR || n.dir != dir)
			return -1;
		times++;
	}
	return times;
}

static void test_order(struct hxfs *fs, uint64_t many)
{
	list(fs, many, 0, 99);
	is_int(told(fs, many), 0, "a listing alone: nothing is stale");
	read_file(fs, many, "00");
	is_int(told(fs, many), 1, "a file was read after it");
	read_file(fs, many, "01");
	read_file(fs, many, "00");
	is_int(told(fs, many), 0, "and others: it is told already");
	list(fs, many, 0, 99);
	is_int(told(fs, many), 0, "listed anew, all of it is fresh");
	read_file(fs, many, "01");
	is_int(told(fs, many), 1, "until one more is read");

	list(fs, many, 0, 2);
	read_file(fs, many, "02");
	is_int(told(fs, many), 0, "not while it is being listed");
	list(fs, many, 8, 99);
	is_int(told(fs, many), 1, "but at the end");
	list(fs, many, 0, 99);
	is_int(told(fs, many), 0, "once");

	list(fs, many, 0, 2);
	read_file(fs, many, "03");
	is_int(told(fs, many), 0, "a listing that is not ended is no listing");
}

static void test_needless(struct hxfs *fs, uint64_t many, uint64_t few)
{
	list(fs, few, 0, 99);
	read_file(fs, few, "00");
	is_int(told(fs, few), 0, "a few files are quicker asked for");

	options.read_only = true;
	list(fs, many, 0, 99);
	read_file(fs, many, "00");
	is_int(told(fs, many), 0, "read-only to the kernel: no times");
	options.read_only = false;
}

int main(void)
{
	struct hxs_store *store = NULL;
	struct hxfs *fs = NULL;
	struct hxfs_note start;
	struct scratch dir;
	uint64_t at, many;

	scratch_open(&dir);
	make();
	if (hxs_store_open("store", &store, NULL) < 0 ||
	    hxfs_new(store, &options, "/mnt", &fs, NULL) < 0)
		scratch_die("cannot take the store");
	at = find(fs, find(fs, HXFS_ROOT, "dev"), "20260101T000000Z");
	many = find(fs, at, "many");
	while (hxfs_notes_take(fs->notes, &start))
		; /* snapshots that were found */
	test_order(fs, many);
	test_needless(fs, many, find(fs, at, "few"));
	hxfs_free(fs);
	hxs_store_close(store);
	scratch_close(&dir);
	return tap_done();
}
