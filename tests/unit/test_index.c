#include "base/path.h"
#include "format/index.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#define ID "20260205T152900Z"

static uint64_t rng_state;

static uint32_t rng(void)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng_state >> 32);
}

static const struct hxs_index_head head = {
	.env = "dev",
	.id = ID,
	.kind = HXS_BACKUP,
	.captured = { 1770305340, 5 },
};

static uint32_t add(struct hxs_index_builder *b, uint32_t parent,
		    const char *name, mode_t mode, const char *target)
{
	struct hxs_node node = {
		.name = name,
		.name_len = strlen(name),
		.mode = mode,
		.uid = 1000,
		.gid = 100,
		.mtime = { -1, 999999999 },
		.ctime = { 5, 6 },
		.ino = 77,
		.target = target,
	};
	uint32_t handle = 0;

	if (hxs_index_builder_add(b, parent, &node, &handle, NULL) < 0)
		return 0;
	return handle;
}

static void give_chain(struct hxs_index_builder *b, uint32_t handle,
		       uint64_t hole, size_t len)
{
	HXS_AUTO(chain_maker) struct hxs_chain_maker *m = NULL;
	HXS_AUTO_FREE uint8_t *data = calloc(1, len + 1);
	struct hxs_chain chain;

	if (!data || hxs_chain_maker_new(&m) < 0 ||
	    hxs_chain_maker_hole(m, hole) < 0 ||
	    hxs_chain_maker_data(m, data, len) < 0 ||
	    hxs_chain_maker_finish(m, &chain) < 0)
		abort();
	hxs_index_builder_set_chain(b, handle, &chain);
}

/* events/{a,b.txt,b/c,link}, "b" a directory beside "b.txt" and "b!". */
static struct hxs_index_builder *sample(void)
{
	struct hxs_index_builder *b;
	uint32_t events, dir, a, twin, n;

	if (hxs_index_builder_new(&head, &b) < 0)
		abort();
	events = add(b, 0, "events", S_IFDIR | 0750, NULL);
	dir = add(b, events, "b", S_IFDIR | 0755, NULL);
	n = add(b, dir, "c", S_IFREG | 0644, NULL);
	give_chain(b, n, 0, 200000);
	n = add(b, events, "b.txt", S_IFREG | 04755, NULL);
	give_chain(b, n, 0, 3);
	n = add(b, events, "b!", S_IFREG | 0, NULL);
	give_chain(b, n, 3 * 65536, 10);
	(void)add(b, events, "link", S_IFLNK | 0777, "../../etc");
	a = add(b, events, "a", S_IFREG | 0600, NULL);
	give_chain(b, a, 0, 70000);
	twin = add(b, 0, "z", S_IFREG | 0600, NULL);
	hxs_index_builder_link(b, twin, a);
	n = add(b, 0, "meta.json", S_IFREG | 0644, NULL);
	give_chain(b, n, 0, 10);
	n = add(b, 0, "dropped", S_IFREG | 0644, NULL);
	hxs_index_builder_drop(b, n);
	return b;
}

static struct hxs_index *sample_index(void **copy, size_t *len)
{
	HXS_AUTO(index_builder) struct hxs_index_builder *b = sample();
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_index *idx = NULL;
	void *bytes;

	if (!is_int(hxs_index_builder_finish(b, &bytes, len, &err), 0,
		    "finish: %s", err.message))
		exit(1);
	if (copy) {
		*copy = malloc(*len);
		if (!*copy)
			abort();
		memcpy(*copy, bytes, *len);
	}
	if (!is_int(hxs_index_take(bytes, *len, &idx, &err), 0, "take: %s",
		    err.message))
		exit(1);
	return idx;
}

/* Databases that were in WAL mode, one of them sparse and of two names. */
static void test_sqlite_wal(void)
{
	static const char *const wal[] = { "events/a", "events/b!", "z" };
	HXS_AUTO(index_builder) struct hxs_index_builder *b = NULL;
	HXS_AUTO(index) struct hxs_index *idx = NULL;
	struct hxs_node node = { .mode = S_IFREG | 0644, .sqlite_wal = true };
	uint32_t events, handle;
	size_t i, len;
	void *bytes;

	if (hxs_index_builder_new(&head, &b) < 0)
		abort();
	events = add(b, 0, "events", S_IFDIR | 0755, NULL);
	for (i = 0; i < 3; i++) {
		handle = add(b, i < 2 ? events : 0, wal[i] + (i < 2 ? 7 : 0),
			     S_IFREG | 0644, NULL);
		if (i == 2) {
			hxs_index_builder_link(b, handle, handle - 1);
			break;
		}
		give_chain(b, handle, i * 200000, 70000);
		node.size = i * 200000 + 70000;
		is_int(hxs_index_builder_update(b, handle, &node), 0,
		       "note that it was");
	}
	give_chain(b, add(b, 0, "plain", S_IFREG | 0644, NULL), 0, 5);
	node.mode = S_IFDIR | 0755;
	is_int(hxs_index_builder_update(b, events, &node), 0, "a directory");
	if (hxs_index_builder_finish(b, &bytes, &len, NULL) < 0)
		abort();
	is_int(hxs_index_take(bytes, len, &idx, NULL), 0, "it is an index");
	for (i = 0; i < 3; i++) {
		hxs_index_get(idx, (uint32_t)hxs_index_find(idx, wal[i]),
			      &node);
		ok(node.sqlite_wal && node.sparse == (i > 0),
		   "'%s' was in WAL mode", wal[i]);
	}
	hxs_index_get(idx, (uint32_t)hxs_index_find(idx, "plain"), &node);
	ok(!node.sqlite_wal, "another was not");
	hxs_index_get(idx, (uint32_t)hxs_index_find(idx, "events"), &node);
	ok(!node.sqlite_wal, "nor is a directory");
}

static void test_sample(void)
{
	static const char *const order[] = {
		"events",	"events/a",  "events/b!",
		"events/b.txt", "events/b",  "events/b/c",
		"events/link",	"meta.json", "z",
	};
	size_t len, i = 0;
	HXS_AUTO(index) struct hxs_index *idx = sample_index(NULL, &len);
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	struct hxs_digest self = { { 0 } };
	struct hxs_node node, other;
	int64_t n = 0;

	while ((n = hxs_index_next(idx, (uint32_t)n, 0)) > 0) {
		HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;

		(void)hxs_index_path(idx, (uint32_t)n, &path);
		if (i < HXS_ARRAY_LEN(order))
			is_str(path.data, order[i], "walk %zu", i);
		is_int(hxs_index_find(idx, path.data), n, "find it again");
		i++;
	}
	is_int(i, HXS_ARRAY_LEN(order), "all were met");
	is_int(hxs_index_find(idx, "events/b.tx"), -ENOENT, "no such name");
	is_int(hxs_index_find(idx, "events/a/x"), -ENOTDIR, "below a file");

	hxs_index_get(idx, (uint32_t)hxs_index_find(idx, "z"), &node);
	hxs_index_get(idx, (uint32_t)hxs_index_find(idx, "events/a"), &other);
	ok(node.leader == other.leader && node.nlink == 2 && other.nlink == 2,
	   "two names, one inode");
	is_int(node.size, 70000, "of its size");
	is_int(node.mtime.tv_sec, -1, "before 1970");
	hxs_index_get(idx, 0, &node);
	is_int(node.nlink, 3, "the top has one subdirectory");
	hxs_index_get(idx, (uint32_t)hxs_index_find(idx, "events/link"), &node);
	is_str(node.target, "../../etc", "a link's target");
	is_int(hxs_index_data_bytes(idx,
				    (uint32_t)hxs_index_find(idx, "events/b!")),
	       10, "a hole holds no data");

	hxs_index_manifest(idx, &self, &text);
	ok(strstr(text.data, "  events/b/c\n") &&
		   strstr(text.data, "  index.hxi\n"),
	   "the manifest lists files and the index");
	ok(strstr(text.data, "index.hxi") < strstr(text.data, "meta.json") &&
		   strstr(text.data, "events/b.txt") <
			   strstr(text.data, "events/b/c"),
	   "in the order of their bytes");
}

static void test_duplicates(void)
{
	static const mode_t modes[][2] = {
		{ S_IFREG, S_IFREG },
		{ S_IFDIR, S_IFDIR },
		{ S_IFREG, S_IFDIR },
		{ S_IFDIR, S_IFLNK },
	};
	struct hxs_err err = HXS_ERR_INIT;
	size_t i, len;
	uint32_t n;
	void *bytes;

	for (i = 0; i < HXS_ARRAY_LEN(modes); i++) {
		HXS_AUTO(index_builder) struct hxs_index_builder *b = sample();
		unsigned k;

		for (k = 0; k < 2; k++) {
			n = add(b, 0, "twin", modes[i][k], "x");
			if (S_ISREG(modes[i][k]))
				give_chain(b, n, 0, 1);
		}
		/* between the two, when one is a directory */
		n = add(b, 0, "twin.x", S_IFREG, NULL);
		give_chain(b, n, 0, 1);
		is_int(hxs_index_builder_finish(b, &bytes, &len, &err), -EEXIST,
		       "twins %zu are refused", i);
	}
}

/* Build again from what was read: one tree has one index. */
static void rebuild(const struct hxs_index *idx, void **bytes, size_t *len)
{
	HXS_AUTO(index_builder) struct hxs_index_builder *b = NULL;
	HXS_AUTO_FREE uint32_t *handles =
		calloc(hxs_index_count(idx), sizeof(*handles));
	struct hxs_chain chain;
	struct hxs_node node;
	uint32_t n;

	if (!handles || hxs_index_builder_new(hxs_index_head(idx), &b) < 0)
		abort();
	hxs_index_get(idx, 0, &node);
	if (hxs_index_builder_update(b, 0, &node) < 0)
		abort();
	for (n = 1; n < hxs_index_count(idx); n++) {
		hxs_index_get(idx, n, &node);
		if (hxs_index_builder_add(b, handles[node.parent], &node,
					  &handles[n], NULL) < 0)
			abort();
		if (node.leader != n)
			hxs_index_builder_link(b, handles[n],
					       handles[node.leader]);
		else if (S_ISREG(node.mode)) {
			if (hxs_index_chain(idx, n, &chain) < 0)
				abort();
			hxs_index_builder_set_chain(b, handles[n], &chain);
		}
	}
	if (hxs_index_builder_finish(b, bytes, len, NULL) < 0)
		abort();
}

static void test_canonical(void)
{
	HXS_AUTO_FREE void *first = NULL;
	HXS_AUTO_FREE void *second = NULL;
	size_t len, again = 0;
	HXS_AUTO(index) struct hxs_index *idx = sample_index(&first, &len);

	rebuild(idx, &second, &again);
	ok(again == len && memcmp(first, second, len) == 0,
	   "read and built again, it is the same");
}

static int try_bytes(const void *bytes, size_t len)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_index *idx = NULL;
	void *copy = malloc(len ? len : 1);
	int r;

	if (!copy)
		abort();
	memcpy(copy, bytes, len);
	r = hxs_index_take(copy, len, &idx, &err);
	if (r == 0) {
		HXS_AUTO_FREE void *again = NULL;
		size_t again_len;

		/* What is accepted must be the one spelling of its tree. */
		rebuild(idx, &again, &again_len);
		if (again_len != len || memcmp(again, bytes, len) != 0)
			r = 1;
		hxs_index_unref(idx);
	} else if (!err.message[0]) {
		r = 2;
	}
	return r;
}

static void test_hostile(void)
{
	HXS_AUTO_FREE uint8_t *bytes = NULL;
	size_t len, i, wrong = 0, accepted = 0;
	void *copy;
	HXS_AUTO(index)
	HXS_UNUSED struct hxs_index *idx = sample_index(&copy, &len);
	unsigned k;
	int r;

	bytes = copy;
	for (i = 0; i < len; i++)
		wrong += try_bytes(bytes, i) != -HXS_ECORRUPT;
	is_int(wrong, 0, "cut at every length it is refused");
	for (wrong = i = 0; i < len; i++) {
		static const uint8_t masks[] = { 1, 0x80, 0xff, 0x20 };

		for (k = 0; k < HXS_ARRAY_LEN(masks); k++) {
			bytes[i] ^= masks[k];
			r = try_bytes(bytes, len);
			bytes[i] ^= masks[k];
			wrong += r > 0 || (r < 0 && r != -HXS_ECORRUPT);
			accepted += r == 0;
		}
	}
	is_int(wrong, 0, "every byte flipped: refused, or another right tree");
	printf("# %zu of %zu flips make another right tree\n", accepted,
	       4 * len);

	rng_state = (uint64_t)time(NULL);
	printf("# seed %llu\n", (unsigned long long)rng_state);
	for (wrong = k = 0; k < 20000; k++) {
		size_t at = (rng() % (len / 4)) * 4;
		uint32_t old, now = rng() % 3 ? rng() % 64 : rng();

		memcpy(&old, bytes + at, 4);
		memcpy(bytes + at, &now, 4);
		r = try_bytes(bytes, len);
		memcpy(bytes + at, &old, 4);
		wrong += r > 0;
	}
	is_int(wrong, 0, "random words in random places");
}

static void test_bare(void)
{
	HXS_AUTO(index_builder) struct hxs_index_builder *b = NULL;
	HXS_AUTO(index) struct hxs_index *idx = NULL;
	struct hxs_digest d = { { 9 } };
	struct hxs_block_check check;
	struct hxs_err err = HXS_ERR_INIT;
	void *bytes;
	size_t len;
	uint32_t n;

	ok(hxs_index_builder_new(&head, &b) == 0, "a builder");
	n = add(b, 0, "f", S_IFREG | 0644, NULL);
	hxs_index_builder_set_digest(b, n, &d);
	is_int(hxs_index_builder_finish(b, &bytes, &len, &err), 0, "finish");
	is_int(hxs_index_take_bare(bytes, len, &idx, &err), 0, "take: %s",
	       err.message);
	is_int(hxs_index_check(idx, 1, 0, &check), -ENODATA, "no chain");
}

int main(void)
{
	test_sample();
	test_sqlite_wal();
	test_duplicates();
	test_canonical();
	test_hostile();
	test_bare();
	return tap_done();
}
