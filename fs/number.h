#ifndef HXFS_NUMBER_H
#define HXFS_NUMBER_H

/*
 * Numbers: what the kernel calls a node, which is also its inode number.
 *
 * A number says all there is to know about a node, so nothing is kept for
 * those that the kernel remembers and forgetting needs no work. Numbers are
 * never given to another node in the life of a mount.
 *
 *	bits 60-62	bits below
 *	0	slot << 32 | n	slot 0: the fixed space (n: see below);
 *				else one snapshot, n an entry's number,
 *				HXS_ENTRY_INDEX, _MANIFEST or HXFS_N_STATUS;
 *				HXFS_N_CONTROL stands in attributes alone
 *	1	which << 58 | env << 39 | seconds since year 1
 *				a symbolic link "latest", whose target lies in
 *				its number: when it moves it is another node,
 *				and no cache can hold the old target for it
 *	2	serial		one text of .status or .metrics as it was
 *				when asked for (mounts without open)
 *	3	of << 58 | which << 30 | serial
 *				a .control: of the root, of environment
 *				which, of the snapshot in slot which
 *	4	digest		a path below an environment's .history, made of
 *				its parent's number and its name
 *
 * The fixed space: 1 root, 2 .status, 3 .metrics, 4 .control in attributes;
 * from 16 on, HXFS_ENV_STRIDE numbers for each environment.
 *
 * Each lookup of a .control gives another number: the kernel lets one writer
 * at a time at a node, and who wants to cancel a command must not wait until
 * it has ended. Its attributes have one number, as it is one file.
 *
 * Knows nothing of FUSE.
 */
#include <stdbool.h>
#include <stdint.h>

#define HXFS_ROOT 1u
#define HXFS_N_STATUS 0xfffffff2u /* of a snapshot */
#define HXFS_N_CONTROL 0xfffffff3u

#define HXFS_SLOT_MAX ((1u << 28) - 1)
#define HXFS_ENV_STRIDE 16u
#define HXFS_ENV_COUNT_MAX (1u << 19)

enum hxfs_kind {
	HXFS_IS_NOTHING,
	HXFS_IS_ROOT,
	HXFS_IS_STATUS, /* of everything */
	HXFS_IS_METRICS,
	HXFS_IS_ENV,
	HXFS_IS_ENV_STATUS,
	HXFS_IS_ROLLBACKS,
	HXFS_IS_LINK,
	HXFS_IS_SNAPSHOT, /* its directory */
	HXFS_IS_SNAPSHOT_STATUS,
	HXFS_IS_ENTRY, /* anything else inside a snapshot */
	HXFS_IS_TEXT,
	HXFS_IS_CONTROL,
	HXFS_IS_HISTORY, /* of an environment */
	HXFS_IS_TRAIL, /* a path below it: see fs/history.h */
};

enum hxfs_link {
	HXFS_LATEST,
	HXFS_LATEST_VERIFIED,
	HXFS_LATEST_ROLLBACK,
};

struct hxfs_node {
	enum hxfs_kind kind;
	enum hxfs_kind of; /* CONTROL: ROOT, ENV, SNAPSHOT */
	uint32_t env; /* ENV*, ROLLBACKS, HISTORY, LINK; CONTROL of ENV */
	uint32_t slot, n; /* SNAPSHOT (CONTROL of), SNAPSHOT_STATUS, ENTRY */
	enum hxfs_link link;
	int64_t seconds; /* LINK: the target's id */
	uint64_t serial; /* TEXT */
};

/* NOTHING for a number that was never given out by these functions. */
void hxfs_number_decode(uint64_t ino, struct hxfs_node *out);

/*
 * The fixed nodes of environment @env: ENV, ENV_STATUS, ROLLBACKS, CONTROL,
 * HISTORY.
 */
uint64_t hxfs_number_env(uint32_t env, enum hxfs_kind kind);
uint64_t hxfs_number_link(uint32_t env, enum hxfs_link link, int64_t seconds);
uint64_t hxfs_number_text(uint64_t serial);

/*
 * The .control of @of: the root, environment @which, the snapshot in slot
 * @which. Serials may come again when 2^30 others were given.
 */
uint64_t hxfs_number_control(enum hxfs_kind of, uint32_t which,
			     uint32_t serial);

/* What stands in its attributes, whatever its serial. */
uint64_t hxfs_number_control_file(const struct hxfs_node *control);

/* Of @name in the directory @parent, which is of kind HISTORY or TRAIL. */
uint64_t hxfs_number_trail(uint64_t parent, const char *name);

static inline uint64_t hxfs_number_entry(uint32_t slot, uint32_t n)
{
	return (uint64_t)slot << 32 | n;
}

#define HXFS_ROOT_STATUS 2u
#define HXFS_ROOT_METRICS 3u
#define HXFS_ROOT_CONTROL 4u

#endif
