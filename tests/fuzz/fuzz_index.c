/*
 * index.hxi: what is taken can be used in every way without a fault, its
 * manifest is a right one, and made anew from what it says it is the same to
 * the byte: nothing in it goes unchecked.
 *
 * The format is full of offsets and counts that must fit each other, which
 * bytes changed by chance hardly ever do. So the mutator sets the header
 * right after most of its changes, and some of them are of single fields.
 */
#include "base/path.h"
#include "base/xattr.h"
#include "format/index_layout.h"
#include "format/manifest.h"
#include "tests/fuzz/fuzz.h"

#include <endian.h>

#define STEPS_MAX 512 /* of what a few bytes can make endless */

static void check_chain(const struct hxs_index *idx,
			const struct hxs_node *node)
{
	uint64_t blocks = hxs_chain_blocks(node->size), block;
	uint64_t data = hxs_index_data_bytes(idx, node->number);
	struct hxs_block_check check;
	int64_t at = 0, next;
	int r, steps;

	must(data <= node->size && (node->sparse || data == node->size));
	for (block = 0; block < blocks && block < STEPS_MAX; block++) {
		r = hxs_index_check(idx, node->number, block, &check);
		must(r == 1 || (r == 0 && node->sparse));
		if (r == 0)
			continue;
		must(check.offset == block << HXS_BLOCK_SHIFT);
		must(check.last == (block + 1 == blocks));
		must(check.len == HXS_BLOCK_SIZE || check.last);
		must(check.before || block == 0);
		must(check.after->b[0] <= 255); /* both can be read */
		must(!check.before || check.before->b[31] <= 255);
	}
	must(hxs_index_check(idx, node->number, blocks, &check) == -ERANGE);
	for (steps = 0; steps < STEPS_MAX; steps++) {
		next = hxs_index_seek(idx, node->number, (uint64_t)at,
				      steps & 1);
		if (next < 0)
			break;
		must(next >= at && (uint64_t)next <= node->size);
		at = next;
	}
	must(steps == STEPS_MAX || next == -ENXIO);
}

static void check_xattrs(const struct hxs_node *node)
{
	struct hxs_xattr x, found;
	size_t pos = 0;
	char name[HXS_XATTR_NAME_MAX + 1];
	int r;

	while ((r = hxs_xattr_next(node->xattrs, node->xattrs_len, &pos, &x)) >
	       0) {
		memcpy(name, x.name, x.name_len);
		name[x.name_len] = '\0';
		must(hxs_xattr_kept(name));
		must(hxs_xattr_find(node->xattrs, node->xattrs_len, name,
				    &found));
		must(found.value == x.value);
	}
	must(r == 0);
}

static void check_entry(const struct hxs_index *idx, uint32_t n)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_node node;

	hxs_index_get(idx, n, &node);
	must(node.number == n && node.leader <= n);
	must(strlen(node.name) == node.name_len);
	must(hxs_index_path(idx, n, &path) == 0);
	must(hxs_index_find(idx, hxs_buf_str(&path)) == n);
	if (n > 0) {
		must(node.parent < n);
		must(!hxs_path_fault(path.data, path.len));
		must(hxs_index_lookup(idx, node.parent, node.name,
				      node.name_len) == n);
	}
	if (S_ISLNK(node.mode))
		must(strlen(node.target) == node.size);
	if (S_ISREG(node.mode))
		check_chain(idx, &node);
	else
		must(!node.digest);
	if (!S_ISDIR(node.mode))
		must(hxs_index_lookup(idx, n, "a", 1) == -ENOTDIR);
	must((uint64_t)node.first_child + node.child_count <=
	     hxs_index_count(idx));
	check_xattrs(&node);
}

static void check_walk(const struct hxs_index *idx)
{
	uint32_t seen = 1;
	int64_t n = 0;

	while ((n = hxs_index_next(idx, (uint32_t)n, 0)) > 0)
		seen++;
	must(n == -1 && seen == hxs_index_count(idx));
}

/* Sorted as it stands, and taken by the parser of manifests. */
static void check_manifest(const struct hxs_index *idx)
{
	HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	const struct hxs_digest self = { { 1, 2, 3 } };
	size_t i;

	hxs_index_manifest(idx, &self, &text);
	must(hxs_buf_status(&text) == 0);
	must(hxs_manifest_parse(text.data, text.len, &m, NULL) == 0);
	for (i = 0; i < hxs_manifest_count(m); i++)
		must(hxs_manifest_line(m, i)->number == i + 1);
	must(hxs_manifest_find(m, HXS_INDEX_NAME));
}

static void rebuild_entry(const struct hxs_index *idx, uint32_t n,
			  struct hxs_index_builder *b)
{
	struct hxs_chain chain = { 0 };
	struct hxs_node node;
	uint32_t handle = 0;

	hxs_index_get(idx, n, &node);
	if (n == 0)
		must(hxs_index_builder_update(b, 0, &node) == 0);
	else
		must(hxs_index_builder_add(b, node.parent, &node, &handle,
					   NULL) == 0);
	must(handle == n);
	if (node.leader != n) {
		hxs_index_builder_link(b, handle, node.leader);
	} else if (S_ISREG(node.mode)) {
		must(hxs_index_chain(idx, n, &chain) == 0);
		hxs_index_builder_set_chain(b, handle, &chain);
	}
}

static void check_rebuilt(const struct hxs_index *idx)
{
	HXS_AUTO(index_builder) struct hxs_index_builder *b = NULL;
	size_t len, want_len;
	const void *want = hxs_index_bytes(idx, &want_len);
	void *bytes = NULL;
	uint32_t n;

	must(hxs_index_builder_new(hxs_index_head(idx), &b) == 0);
	for (n = 0; n < hxs_index_count(idx); n++)
		rebuild_entry(idx, n, b);
	must(hxs_index_builder_finish(b, &bytes, &len, NULL) == 0);
	must(len == want_len && memcmp(bytes, want, len) == 0);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HXS_AUTO(index) struct hxs_index *idx = NULL;
	struct hxs_index_head head;
	struct hxs_err err = HXS_ERR_INIT;
	void *copy = malloc(size ? size : 1);
	uint32_t n;
	int r;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	r = hxs_index_take(copy, size, &idx, &err);
	if (r < 0) {
		must(!idx);
		must_explain(r, -HXS_ECORRUPT, &err);
		return 0;
	}
	must(hxs_index_peek(data, 256, size, &head, NULL) == 0);
	must(memcmp(&head, hxs_index_head(idx), sizeof(head)) == 0);
	must(hxs_path_is_name(head.env));
	for (n = 0; n < hxs_index_count(idx); n++)
		check_entry(idx, n);
	check_walk(idx);
	check_manifest(idx);
	check_rebuilt(idx);
	return 0;
}

/* ------------------------------------------------------------------------ */

/* Only libFuzzer has it; without libFuzzer nobody mutates. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
	__attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
			       unsigned int seed);

/* Values that stand at the edge of something. */
static uint32_t edge(uint32_t old, unsigned seed)
{
	static const uint32_t values[] = { 0,		1,
					   2,		S_IFDIR | 0755,
					   S_IFREG | 0, S_IFLNK | 0777,
					   65536,	999999999,
					   1000000000,	UINT32_MAX };
	unsigned i = seed % (HXS_ARRAY_LEN(values) + 2);

	if (i < HXS_ARRAY_LEN(values))
		return values[i];
	return i & 1 ? old + 1 : old - 1;
}

/* Change one field of one entry, where chance alone seldom comes. */
static void change_field(uint8_t *data, size_t size, unsigned seed)
{
	const size_t head = sizeof(struct hxs_index_header);
	const size_t fields = offsetof(struct hxs_index_record, digest) / 4;
	const size_t record = sizeof(struct hxs_index_record);
	uint32_t value;
	size_t at;

	if (size < head + record)
		return;
	at = head + seed % ((size - head) / record) * record;
	at += (seed >> 8) % fields * 4;
	memcpy(&value, data + at, sizeof(value));
	value = htole32(edge(le32toh(value), seed >> 16));
	memcpy(data + at, &value, sizeof(value));
}

/* Make places and sizes follow from the counts, as far as there is room. */
static size_t repair(uint8_t *data, size_t size, size_t max_size)
{
	struct hxs_index_header h;
	uint64_t at = sizeof(h), count;
	size_t end;
	unsigned i;

	if (size < sizeof(h))
		return size;
	memcpy(&h, data, sizeof(h));
	memcpy(h.magic, HXS_INDEX_MAGIC, sizeof(h.magic));
	h.version = htole32(HXS_INDEX_VERSION);
	h.header_size = htole32(sizeof(h));
	h.entry_size = htole32(sizeof(struct hxs_index_record));
	h.block_shift = htole32(HXS_BLOCK_SHIFT);
	h.flags &= htole64(HXS_INDEX_HAS_XATTRS);
	h.captured_nsec = htole32(le32toh(h.captured_nsec) % 1000000000);
	h.zero = 0;
	memcpy(h.id, "20260205T152900Z", sizeof(h.id));
	memset(h.env, 0, sizeof(h.env));
	h.env[0] = 'e';
	h.kind = h.kind & 1 ? HXS_BACKUP : HXS_ROLLBACK;
	memset(h.reserved, 0, sizeof(h.reserved));
	for (i = 0; i < HXS_INDEX_SECTIONS; i++) {
		at = (at + 7) & ~7ull;
		h.section[i].off = htole64(at);
		count = le64toh(h.section[i].count) % 4096;
		h.section[i].count = htole64(count);
		at += count * hxs_index_record_size(i);
	}
	end = at > max_size ? size : (size_t)at;
	h.file_size = htole64(end);
	memcpy(data, &h, sizeof(h));
	if (end > size)
		memset(data + size, 0, end - size);
	return end;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
			       unsigned int seed)
{
	if (!LLVMFuzzerMutate)
		return size;
	if (seed % 4 == 0)
		change_field(data, size, seed >> 2);
	else
		size = LLVMFuzzerMutate(data, size, max_size);
	return seed % 4 < 3 ? repair(data, size, max_size) : size;
}
