#ifndef HXS_FORMAT_INDEX_H
#define HXS_FORMAT_INDEX_H

/*
 * index.hxi: every entry's metadata and every file's chain of block states.
 *
 * Loaded in one read, range-checked in one pass, then used where it lies. All
 * numbers are little-endian. Sections follow each other in this order, each
 * at the next multiple of 8, gaps zero, nothing after the last:
 *
 * header, 256 bytes
 *	  0 char[8]  "HXSINDEX"	  8 u32 version (1)	 12 u32 256
 *	 16 u32 128 (entry)	 20 u32 16 (block shift)
 *	 24 u64 flags (1: some entry has extended attributes)
 *	 32 u64 size of the file
 *	 40 u64 offset, u64 count	entries, 128 bytes each
 *	 56 u64 offset, u64 count	states, 32 bytes each
 *	 72 u64 offset, u64 count	runs, 24 bytes each
 *	 88 u64 offset, u64 bytes	strings
 *	104 u64 offset, u64 bytes	extended attributes (base/xattr.h)
 *	120 i64 seconds, u32 nanoseconds: when capturing began	132 u32 0
 *	136 char[16] id		152 char[64] environment, NUL-padded
 *	216 u8 kind (1 backup, 2 rollback point)	217 zero
 *
 * entry, 128 bytes; entry 0 is the snapshot's own directory
 *	  0 u64 size (a directory's is 0; a link's is its target's length)
 *	  8 i64 mtime seconds	 16 i64 ctime seconds
 *	 24 u64 inode number in the source
 *	 32 u32 mtime ns	 36 u32 ctime ns
 *	 40 u32 mode with type	 44 u32 uid	 48 u32 gid	 52 u32 nlink
 *	 56 u32 parent		 60 u32 leader
 *	 64 u32 name offset	 68 u16 name length	 70 u16 flags
 *	 72 u32 a		 76 u32 b		 80 u64 c
 *	 88 u32 xattr offset	 92 u32 xattr bytes
 *	 96 u8[32] digest (regular files; zero for others)
 *
 *	directory: a first child (0 if none), b number of children
 *	link:      a target's string offset, b target's length
 *	file:      flags bit 0 clear: c first state (format/chain.h)
 *	           flags bit 0 set (sparse): c first run, a number of runs
 *	           flags bit 1 set: an SQLite database that was in WAL mode;
 *	           the copy is in rollback mode
 *
 * run, 24 bytes: u64 first block, u64 blocks, u64 first state (counted from
 * the section's beginning). Runs of a file ascend and do not touch.
 *
 * Entries are numbered breadth first: the children of one directory lie
 * together, sorted bytewise by name where a directory's name counts as if it
 * ended in '/'. So a walk in depth yields paths in the manifest's order.
 * Names and targets lie in the strings in entry order (name, then target),
 * each followed by a NUL. States, runs and attributes lie in entry order too:
 * every byte has one owner, and one tree has one index.
 *
 * Hard links of one inode are a group: @leader is the group's lowest entry
 * number, and size, times, mode, owners, digest, chain and attributes equal
 * the leader's. nlink counts the group (files), or 2 and the subdirectories
 * (directories); a link's is its group's too.
 *
 * The index's own file and the manifest have no entry.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "format/chain.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define HXS_INDEX_NAME "index.hxi"
#define HXS_INDEX_MAX (2ull << 30) /* bytes */
#define HXS_ENV_MAX 64

enum hxs_kind { HXS_BACKUP = 1, HXS_ROLLBACK = 2 };

struct hxs_index_head {
	char env[HXS_ENV_MAX + 1];
	char id[HXS_ID_LEN + 1];
	enum hxs_kind kind;
	struct timespec captured; /* when capturing began */
	bool has_xattrs; /* set by the index, ignored by the builder */
};

/* One entry, decoded. Pointers are borrowed from the index. */
struct hxs_node {
	uint32_t number, parent, leader;
	uint32_t mode, uid, gid, nlink;
	uint64_t size, ino;
	struct timespec mtime, ctime;
	const char *name; /* NUL-terminated */
	size_t name_len;
	const char *target; /* NUL-terminated; NULL unless a link */
	uint32_t first_child, child_count;
	const struct hxs_digest *digest; /* NULL unless a regular file */
	const void *xattrs;
	size_t xattrs_len;
	bool sparse;
	bool sqlite_wal; /* a database, in WAL mode in the source */
};

struct hxs_index;

/*
 * Take @bytes (malloc'ed, @len long) as an index. Believes nothing: every
 * rule above is checked, in time linear in @len. Owns @bytes from the call
 * on, even if it fails. -HXS_ECORRUPT with what is wrong and where, -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_index_take(void *bytes, size_t len, struct hxs_index **out,
		   struct hxs_err *err);

/*
 * Check the first 256 bytes alone: that this is an index of a version we
 * read and that its sections add up to @file_size. For refusing before
 * reading, and for reading flags cheaply.
 */
HXS_MUST_CHECK
int hxs_index_peek(const void *header, size_t len, uint64_t file_size,
		   struct hxs_index_head *out, struct hxs_err *err);

/* An index never changes: share it by reference, from any thread. */
struct hxs_index *hxs_index_ref(struct hxs_index *idx);
void hxs_index_unref(struct hxs_index *idx); /* takes NULL */
HXS_AUTO_DEFINE(index, struct hxs_index *, hxs_index_unref)

const struct hxs_index_head *hxs_index_head(const struct hxs_index *idx);
const void *hxs_index_bytes(const struct hxs_index *idx, size_t *len);
uint32_t hxs_index_count(const struct hxs_index *idx);

/* Decode entry @n (n < count, asserted). */
void hxs_index_get(const struct hxs_index *idx, uint32_t n,
		   struct hxs_node *out);

/* The child of directory @dir named so, or -ENOENT; -ENOTDIR. */
int64_t hxs_index_lookup(const struct hxs_index *idx, uint32_t dir,
			 const char *name, size_t len);

/* The entry at @path relative to entry 0 ("" is 0); -ENOENT, -ENOTDIR. */
int64_t hxs_index_find(const struct hxs_index *idx, const char *path);

/* The next entry in manifest order within the tree of @top, or -1. */
int64_t hxs_index_next(const struct hxs_index *idx, uint32_t n, uint32_t top);

/* Append the path of @n relative to entry 0. */
int hxs_index_path(const struct hxs_index *idx, uint32_t n,
		   struct hxs_buf *out);

/* As hxs_chain_check(), for block @block of regular file @n. */
int hxs_index_check(const struct hxs_index *idx, uint32_t n, uint64_t block,
		    struct hxs_block_check *out);

/* What checks all blocks of regular file @n, where it lies in the index. */
void hxs_index_chain_view(const struct hxs_index *idx, uint32_t n,
			  struct hxs_chain_view *out);

/* A copy of it, the caller's to release. -ENOMEM, -ENODATA if unknown. */
HXS_MUST_CHECK
int hxs_index_chain(const struct hxs_index *idx, uint32_t n,
		    struct hxs_chain *out);

/* Bytes of @n that are not holes: what st_blocks tells. */
uint64_t hxs_index_data_bytes(const struct hxs_index *idx, uint32_t n);

/*
 * The start of the next data (@hole false) or hole (@hole true) at or after
 * @off in @n, as lseek(2)'s SEEK_DATA and SEEK_HOLE: -ENXIO past the end.
 */
int64_t hxs_index_seek(const struct hxs_index *idx, uint32_t n, uint64_t off,
		       bool hole);

/*
 * Append the one right manifest of a snapshot with this index, whose own
 * digest is @self. Failures stay in the buffer's status.
 */
void hxs_index_manifest(const struct hxs_index *idx,
			const struct hxs_digest *self, struct hxs_buf *out);

/*
 * Building. Entries may be added in any order, parents first; entry 0 exists
 * from the start. Handles are the builder's own, not entry numbers.
 */
struct hxs_index_builder;

HXS_MUST_CHECK
int hxs_index_builder_new(const struct hxs_index_head *head,
			  struct hxs_index_builder **out);
void hxs_index_builder_free(struct hxs_index_builder *b);
HXS_AUTO_DEFINE(index_builder, struct hxs_index_builder *,
		hxs_index_builder_free)

/*
 * Add an entry below @parent (0 is the root). From @node are taken: name,
 * mode, uid, gid, size, ino, times, target, xattrs (all copied), sqlite_wal.
 * -EEXIST for a second entry of that name (found at the latest by finish),
 * -EINVAL for a name or type an index cannot hold.
 */
HXS_MUST_CHECK
int hxs_index_builder_add(struct hxs_index_builder *b, uint32_t parent,
			  const struct hxs_node *node, uint32_t *handle,
			  struct hxs_err *err);

/*
 * Replace what was said of @handle's metadata (name and target stay). Safe
 * from several threads for different handles once adding has ended.
 */
HXS_MUST_CHECK
int hxs_index_builder_update(struct hxs_index_builder *b, uint32_t handle,
			     const struct hxs_node *node);

/*
 * Give regular file @handle its chain; owns what @chain holds from the call
 * on. Threads as above. For a foreign snapshot the chain is NULL and @digest
 * alone is known: such an index answers hxs_index_check() with -ENODATA.
 */
void hxs_index_builder_set_chain(struct hxs_index_builder *b, uint32_t handle,
				 struct hxs_chain *chain);
void hxs_index_builder_set_digest(struct hxs_index_builder *b, uint32_t handle,
				  const struct hxs_digest *digest);

/* @handle is another name of @leader's inode. */
void hxs_index_builder_link(struct hxs_index_builder *b, uint32_t handle,
			    uint32_t leader);

/* Leave @handle, and what lies below it, out. */
void hxs_index_builder_drop(struct hxs_index_builder *b, uint32_t handle);

/*
 * Sort, number and write it all. *@bytes is the caller's; pass it to
 * hxs_index_take(), or to a file. Without chains (set_digest was used) the
 * result is good for hxs_index_take_bare() only.
 */
HXS_MUST_CHECK
int hxs_index_builder_finish(struct hxs_index_builder *b, void **bytes,
			     size_t *len, struct hxs_err *err);

/*
 * As hxs_index_take() for an index in memory that knows digests but no
 * chains: a foreign snapshot's. Never used for bytes from disk.
 */
HXS_MUST_CHECK
int hxs_index_take_bare(void *bytes, size_t len, struct hxs_index **out,
			struct hxs_err *err);

#endif
