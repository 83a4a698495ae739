/*
 * many STORE ENV COUNT: see to it that ENV has COUNT backups.
 *
 * Its newest backup is repeated under older ids, a minute apart: the files
 * are hard links to that one's, the index, the manifest and meta.json are
 * its own. What comes out is what COUNT runs of `hxsnap create` on data that
 * never change would have left, without the hours.
 */
#include "base/buf.h"
#include "base/io.h"
#include "format/manifest.h"
#include "format/meta.h"
#include "store/snapshot.h"

#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Of format/index.h. */
enum {
	HEADER_ENTRIES = 40,
	HEADER_ID = 136,
	ENTRY_LEN = 128,
	ENTRY_SIZE = 0,
	ENTRY_DIGEST = 96,
};

struct original {
	int fd;
	struct hxs_index *idx;
	char **path; /* of each entry */
	struct hxs_meta meta;
	uint32_t meta_entry;
};

static void check(int r, const struct hxs_err *e)
{
	if (r < 0)
		errx(2, "%s", e->message);
}

static void check_errno(int r, const char *what)
{
	if (r < 0) {
		errno = -r;
		err(2, "%s", what);
	}
}

static void load(struct original *o, const struct hxs_snapshot *snap)
{
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_err e = HXS_ERR_INIT;
	size_t len;
	uint32_t i;
	int64_t n;

	o->fd = hxs_snapshot_fd(snap);
	o->idx = hxs_snapshot_index(snap);
	o->path = calloc(hxs_index_count(o->idx), sizeof(*o->path));
	if (!o->path)
		err(2, "out of memory");
	for (i = 1; i < hxs_index_count(o->idx); i++) {
		struct hxs_buf b = HXS_BUF_INIT;

		(void)hxs_index_path(o->idx, i, &b);
		(void)hxs_buf_putc(&b, '\0');
		check_errno(hxs_buf_status(&b), "out of memory");
		o->path[i] = b.data; /* kept until the end */
	}
	n = hxs_index_find(o->idx, HXS_META_NAME);
	if (n < 0)
		errx(2, "no %s", HXS_META_NAME);
	o->meta_entry = (uint32_t)n;
	fd = hxs_io_open_regular(o->fd, HXS_META_NAME, NULL);
	check_errno(fd, HXS_META_NAME);
	check_errno(hxs_io_read_all(fd, HXS_META_MAX, &text, &len),
		    HXS_META_NAME);
	check(hxs_meta_parse(text, len, &o->meta, &e), &e);
}

static void write_file(int dir, const char *name, const void *data, size_t len)
{
	HXS_AUTO_CLOSE int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		       0644);

	if (fd < 0)
		err(2, "cannot make '%s'", name);
	check_errno(hxs_io_write_full(fd, data, len), name);
}

static void link_files(const struct original *o, int to)
{
	struct hxs_node node;
	uint32_t i;

	for (i = 1; i < hxs_index_count(o->idx); i++) {
		hxs_index_get(o->idx, i, &node);
		if (i == o->meta_entry)
			continue;
		if (S_ISDIR(node.mode)) {
			if (mkdirat(to, o->path[i], node.mode & 0777) < 0)
				err(2, "cannot make '%s'", o->path[i]);
		} else if (linkat(o->fd, o->path[i], to, o->path[i], 0) < 0) {
			err(2, "cannot link '%s'", o->path[i]);
		}
	}
}

/* The original's index, but for the id and what is said of meta.json. */
static void write_index(const struct original *o, int to, const char *id,
			const struct hxs_buf *meta)
{
	HXS_AUTO_BUF struct hxs_buf manifest = HXS_BUF_INIT;
	HXS_AUTO(index) struct hxs_index *idx = NULL;
	struct hxs_err e = HXS_ERR_INIT;
	struct hxs_digest self;
	uint64_t entries, size = htole64(meta->len);
	const void *from;
	uint8_t *bytes, *entry;
	size_t len;

	from = hxs_index_bytes(o->idx, &len);
	bytes = malloc(len);
	if (!bytes)
		err(2, "out of memory");
	memcpy(bytes, from, len);
	memcpy(bytes + HEADER_ID, id, HXS_ID_LEN);
	memcpy(&entries, bytes + HEADER_ENTRIES, sizeof(entries));
	entry = bytes + le64toh(entries) + (size_t)o->meta_entry * ENTRY_LEN;
	memcpy(entry + ENTRY_SIZE, &size, sizeof(size));
	hxs_digest_of(meta->data, meta->len, &self);
	memcpy(entry + ENTRY_DIGEST, &self, sizeof(self));
	hxs_digest_of(bytes, len, &self);
	check(hxs_index_take(bytes, len, &idx, &e), &e);
	write_file(to, HXS_INDEX_NAME, hxs_index_bytes(idx, &len), len);
	hxs_index_manifest(idx, &self, &manifest);
	check_errno(hxs_buf_status(&manifest), "out of memory");
	write_file(to, HXS_MANIFEST_NAME, manifest.data, manifest.len);
}

static void repeat(struct original *o, int env, int64_t second)
{
	HXS_AUTO_BUF struct hxs_buf meta = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int to = -1;

	check_errno(hxs_clock_format_id(second, o->meta.id), "cannot go back");
	o->meta.created = second;
	if (mkdirat(env, o->meta.id, 0755) < 0)
		err(2, "cannot make '%s'", o->meta.id);
	to = hxs_io_open_dir(env, o->meta.id);
	check_errno(to, o->meta.id);
	link_files(o, to);
	hxs_meta_render(&o->meta, &meta);
	check_errno(hxs_buf_status(&meta), "out of memory");
	write_file(to, HXS_META_NAME, meta.data, meta.len);
	write_index(o, to, o->meta.id, &meta);
}

int main(int argc, char **argv)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	HXS_AUTO(store) struct hxs_store *store = NULL;
	HXS_AUTO_CLOSE int env = -1;
	struct hxs_err e = HXS_ERR_INIT;
	struct original o = { .fd = -1 };
	char path[16 + HXS_ENV_MAX];
	int64_t newest, i;

	if (argc != 4)
		errx(2, "usage: many STORE ENV COUNT");
	check(hxs_store_open(argv[1], &store, &e), &e);
	check(hxs_store_ids(store, HXS_BACKUP, argv[2], &ids, &e), &e);
	if (ids.count != 1)
		errx(2, "'%s' has %zu backups, not one", argv[2], ids.count);
	check(hxs_snapshot_open(store, HXS_BACKUP, argv[2], ids.name[0], &snap,
				&e),
	      &e);
	load(&o, snap);
	(void)snprintf(path, sizeof(path), "%s/%s", hxs_store_area(HXS_BACKUP),
		       argv[2]);
	env = hxs_io_open_dir(hxs_store_fd(store), path);
	check_errno(env, path);
	check_errno(hxs_clock_parse_id(ids.name[0], &newest), ids.name[0]);
	for (i = atoll(argv[3]) - 1; i > 0; i--)
		repeat(&o, env, newest - 60 * i);
	hxs_meta_release(&o.meta);
	return 0;
}
