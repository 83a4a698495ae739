#ifndef HXS_FORMAT_INDEX_PARTS_H
#define HXS_FORMAT_INDEX_PARTS_H

/* What an index is built from. For index_build.c and index_write.c only. */
#include "format/index.h"

/* One entry while building; its place in the array is its handle. */
struct hxs_index_item {
	char *name; /* with the target, if it is a link, behind its NUL */
	uint16_t name_len;
	bool dropped;
	bool has_digest; /* chain holds a digest and nothing else */
	bool has_chain;
	bool sqlite_wal;
	uint32_t target_len;
	uint32_t parent, leader; /* handles */
	uint32_t mode, uid, gid;
	uint64_t size, ino;
	struct timespec mtime, ctime;
	void *xattrs;
	uint32_t xattrs_len;
	struct hxs_chain chain;
	/* Filled by finish: */
	uint32_t number, first_child, child_count;
	uint32_t group; /* lowest entry number of the inode, or UINT32_MAX */
	uint32_t nlink;
};

struct hxs_index_builder {
	struct hxs_index_head head;
	struct hxs_index_item *items;
	uint32_t count, cap;
};

#endif
