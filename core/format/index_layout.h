#ifndef HXS_FORMAT_INDEX_LAYOUT_H
#define HXS_FORMAT_INDEX_LAYOUT_H

/*
 * index.hxi as it lies on disk (format/index.h has the words). For the files
 * of the index only. Every number is little-endian.
 */
#include "format/index.h"

#include <stdatomic.h>

#define HXS_INDEX_MAGIC "HXSINDEX"
#define HXS_INDEX_VERSION 1u
#define HXS_INDEX_HAS_XATTRS 1u
#define HXS_INDEX_SPARSE 1u
#define HXS_INDEX_SQLITE_WAL 2u
#define HXS_INDEX_ENTRIES_MAX 0xffffff00u

struct hxs_index_section {
	uint64_t off, count; /* count of records, or bytes */
};

enum {
	HXS_INDEX_ENTRIES,
	HXS_INDEX_STATES,
	HXS_INDEX_RUNS,
	HXS_INDEX_STRINGS,
	HXS_INDEX_XATTRS,
	HXS_INDEX_SECTIONS,
};

struct hxs_index_header {
	char magic[8];
	uint32_t version, header_size, entry_size, block_shift;
	uint64_t flags, file_size;
	struct hxs_index_section section[HXS_INDEX_SECTIONS];
	int64_t captured_sec;
	uint32_t captured_nsec, zero;
	char id[HXS_ID_LEN];
	char env[HXS_ENV_MAX];
	uint8_t kind;
	uint8_t reserved[39];
};
_Static_assert(sizeof(struct hxs_index_header) == 256, "header is 256 bytes");

struct hxs_index_record {
	uint64_t size;
	int64_t mtime_sec, ctime_sec;
	uint64_t ino;
	uint32_t mtime_nsec, ctime_nsec;
	uint32_t mode, uid, gid, nlink;
	uint32_t parent, leader;
	uint32_t name_off;
	uint16_t name_len, flags;
	uint32_t a, b;
	uint64_t c;
	uint32_t xattr_off, xattr_len;
	struct hxs_digest digest;
};
_Static_assert(sizeof(struct hxs_index_record) == 128, "entry is 128 bytes");
_Static_assert(sizeof(struct hxs_run) == 24, "run is 24 bytes");

struct hxs_index {
	atomic_uint refs;
	bool bare; /* digests without chains: a foreign snapshot's */
	uint8_t *bytes;
	size_t len;
	struct hxs_index_head head;
	uint32_t count;
	const struct hxs_index_record *entries;
	const struct hxs_digest *states;
	const struct hxs_run *runs;
	const char *strings;
	const uint8_t *xattrs;
};

/* Bytes of one record of section @i. */
size_t hxs_index_record_size(unsigned i);

/*
 * Compare two names in the index's order: bytewise, a directory's name as if
 * it ended in '/'.
 */
int hxs_index_name_cmp(const char *a, size_t a_len, bool a_dir, const char *b,
		       size_t b_len, bool b_dir);

/* Every rule of format/index.h but the header's, which peek checked. */
HXS_MUST_CHECK
int hxs_index_prove(const struct hxs_index *idx, struct hxs_err *err);

#endif
