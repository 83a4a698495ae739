#include "fs/refresh.h"

#include "fs/notes.h"

/*
 * What is known of a directory. The kernel is told when both hold, and not
 * before: a cached listing of which a part is dropped while the rest is still
 * being read is of no use to it, and never becomes whole.
 */
enum {
	WAS_READ = 1, /* a file in it, since its listing began */
	WAS_LISTED = 2, /* to the end */
};

/* Asking for the attributes of fewer files costs less than telling. */
#define FEW 8u

/* Nothing is stale where the kernel mounts read-only. */
static bool is_needless(const struct hxfs *fs)
{
	return fs->opt->nocontrol || fs->opt->read_only;
}

/*
 * With fs->lock held: set and clear bits of directory @dir, and forget it once
 * the kernel is to be told. Without memory it is not: then it asks.
 */
static bool mark(struct hxfs_slot *s, uint32_t dir, unsigned set,
		 unsigned clear)
{
	uint32_t count = hxs_index_count(hxs_snapshot_index(s->snap));
	unsigned shift = dir % 4 * 2, bits;

	if (!s->touched)
		s->touched = calloc(count / 4 + 1, 1);
	if (!s->touched)
		return false;
	bits = s->touched[dir / 4] >> shift & 3u;
	bits = (bits & ~clear) | set;
	s->touched[dir / 4] &= (uint8_t) ~(3u << shift);
	if (bits == (WAS_READ | WAS_LISTED))
		return true;
	s->touched[dir / 4] |= (uint8_t)(bits << shift);
	return false;
}

static void update(struct hxfs *fs, struct hxfs_slot *s, uint32_t dir,
		   unsigned set, unsigned clear)
{
	const struct hxs_index *idx = hxs_snapshot_index(s->snap);
	struct hxs_node node;
	bool tell;

	hxs_index_get(idx, dir, &node);
	if (node.child_count < FEW)
		return;
	hxfs_lock(fs);
	tell = mark(s, dir, set, clear);
	hxfs_unlock(fs);
	if (tell)
		hxfs_notes_add(fs->notes, HXFS_NOTE_DIR,
			       hxfs_number_entry(s->number, dir), 0, NULL);
}

void hxfs_refresh_read(struct hxfs *fs, struct hxfs_slot *s, uint32_t n)
{
	const struct hxs_index *idx = hxs_snapshot_index(s->snap);
	struct hxs_node node;

	if (is_needless(fs) || n >= hxs_index_count(idx))
		return;
	hxs_index_get(idx, n, &node);
	update(fs, s, node.parent, WAS_READ, 0);
}

void hxfs_refresh_begun(struct hxfs *fs, struct hxfs_slot *s, uint32_t dir)
{
	if (!is_needless(fs))
		update(fs, s, dir, 0, WAS_READ | WAS_LISTED);
}

void hxfs_refresh_listed(struct hxfs *fs, struct hxfs_slot *s, uint32_t dir)
{
	if (!is_needless(fs))
		update(fs, s, dir, WAS_LISTED, 0);
}
