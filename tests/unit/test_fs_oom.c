/* The tree of a mount when memory runs out at every place in turn. */
#include "tests/unit/oom.h"

#include "fs/attributes.h"
#include "fs/faults.h"
#include "fs/files.h"
#include "fs/nodes.h"
#include "fs/status.h"
#include "tests/unit/scratch.h"

#include "base/digest.h"

#define ID "20260101T000000Z"

static const struct hxfs_options options = { .xattr = HXFS_XATTR_ON };

static void make(void)
{
	char line[256], hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest d;

	if (hxs_io_mkdirs(AT_FDCWD, "store/backups/dev/" ID "/src", 0755) < 0)
		scratch_die("cannot make a snapshot");
	scratch_file(AT_FDCWD, "store/backups/dev/" ID "/src/word", "text");
	hxs_digest_of("text", 4, &d);
	hxs_digest_to_hex(&d, hex);
	(void)snprintf(line, sizeof(line), "%s  src/word\n%s  src/gone\n", hex,
		       hex);
	scratch_file(AT_FDCWD, "store/backups/dev/" ID "/manifest.sha256",
		     line);
}

static int see(void *ctx, const struct hxfs_dirent *d)
{
	*(size_t *)ctx += strlen(d->name);
	return 0;
}

/* The directories on the way to a node, each listed, and the node. */
static int walk(struct hxfs *fs, const char *const *names, size_t count,
		uint64_t *file)
{
	struct hxfs_found found;
	uint64_t at = HXFS_ROOT;
	size_t i, seen = 0;
	int r;

	for (i = 0; i < count; i++) {
		r = hxfs_lookup(fs, at, names[i], HXFS_HASH, false, &found,
				NULL);
		if (r == 0)
			r = hxfs_list(fs, at, 0, HXFS_HASH, true, see, &seen,
				      NULL);
		if (r < 0)
			return r;
		at = found.ino;
	}
	*file = at;
	return 0;
}

/* Kept from the first round on: its memory is aligned, and not counted. */
static struct hxs_scratch scratch;

static int read_file(struct hxfs *fs, uint64_t file)
{
	struct hxfs_handle *h;
	const void *bytes;
	ssize_t n;
	int r;

	r = hxfs_files_open(fs, (uint32_t)(file >> 32), (uint32_t)file,
			    HXFS_HASH, NULL, &h, NULL);
	if (r < 0)
		return r;
	n = hxfs_files_read(fs, h, 0, 100, &scratch, &bytes, NULL);
	if (n >= 0 && (n != 4 || memcmp(bytes, "text", 4) != 0))
		n = -EBADMSG;
	hxfs_files_close(fs, h);
	return n < 0 ? (int)n : 0;
}

/* A file that is missing is EIO and a fault, however little memory. */
static int miss_file(struct hxfs *fs, uint64_t file)
{
	struct hxfs_damage d;
	struct hxfs_found found;
	struct hxfs_handle *h;
	struct hxfs_node node;
	int r;

	hxfs_number_decode(file, &node);
	r = hxfs_lookup(fs, hxfs_number_entry(node.slot, 1), "gone", HXFS_HASH,
			false, &found, NULL);
	if (r < 0)
		return r;
	r = hxfs_files_open(fs, node.slot, (uint32_t)found.ino, HXFS_HASH, NULL,
			    &h, NULL);
	if (r == -ENOMEM)
		return r;
	hxfs_faults_damage(fs->faults, &d);
	return r == -HXS_ECORRUPT && d.files == 1 ? 0 : -EBADMSG;
}

static int tell(struct hxfs *fs, uint64_t file)
{
	HXS_AUTO_BUF struct hxs_buf value = HXS_BUF_INIT;
	uint64_t ino[] = { HXFS_ROOT_STATUS, HXFS_ROOT_METRICS,
			   hxfs_number_env(0, HXFS_IS_ENV_STATUS),
			   hxfs_number_entry((uint32_t)(file >> 32),
					     HXFS_N_STATUS) };
	struct hxfs_node node;
	char *text;
	size_t i, len;
	int r = 0;

	for (i = 0; i < HXS_ARRAY_LEN(ino) && r == 0; i++) {
		hxfs_number_decode(ino[i], &node);
		r = hxfs_status_text(fs, &node, HXFS_HASH, false, &text, &len,
				     NULL);
		if (r == 0)
			free(text);
	}
	if (r == 0)
		r = hxfs_attributes_get(fs, file, "user.hxsnap.sha256",
					HXFS_HASH, NULL, &value, NULL);
	return r;
}

/* By its history it is the same file. */
static int look_back(struct hxfs *fs, uint64_t file)
{
	static const char *const names[] = { "dev", ".history", "src", "word",
					     ID };
	uint64_t version;
	int r;

	r = walk(fs, names, HXS_ARRAY_LEN(names), &version);
	if (r < 0)
		return r;
	return version == file ? 0 : -EBADMSG;
}

static int use(struct hxs_store *store)
{
	static const char *const names[] = { "dev", ID, "src", "word" };
	struct hxfs *fs = NULL;
	uint64_t file;
	int r;

	r = hxfs_new(store, &options, "/mnt", &fs, NULL);
	if (r < 0)
		return r;
	r = walk(fs, names, HXS_ARRAY_LEN(names), &file);
	if (r == 0)
		r = read_file(fs, file);
	if (r == 0)
		r = miss_file(fs, file);
	if (r == 0)
		r = look_back(fs, file);
	if (r == 0)
		r = tell(fs, file);
	hxfs_free(fs);
	return r;
}

static int work(void)
{
	struct hxs_store *store = NULL;
	int r;

	r = hxs_store_open("store", &store, NULL);
	if (r < 0)
		return r;
	r = use(store);
	hxs_store_close(store);
	return r;
}

int main(void)
{
	struct scratch dir;

	scratch_open(&dir);
	make();
	oom_each("mounting, walking, reading and telling", work);
	hxs_scratch_release(&scratch);
	scratch_close(&dir);
	return tap_done();
}
