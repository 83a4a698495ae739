#include "fs/load.h"

#include <errno.h>
#include <string.h>

/* The checks that a load makes besides those of the snapshot itself. */
static int same_as_before(struct hxfs_load *j, const struct hxs_snapshot *snap,
			  struct hxs_err *err)
{
	struct stat st;

	if (fstat(hxs_snapshot_fd(snap), &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at '%s'",
				     hxs_snapshot_name(snap));
	if (j->met && (j->dev != st.st_dev || j->ino != st.st_ino))
		return hxs_err_errno(err, ESTALE, "'%s' was replaced",
				     hxs_snapshot_name(snap));
	if (!j->past.proven ||
	    hxs_digest_equal(&j->past.manifest,
			     hxs_snapshot_manifest_digest(snap)))
		return 0;
	/* A script may have written it anew: see same_numbers(). */
	j->changed = j->past.foreign;
	if (!j->changed)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "'%s': the manifest has changed since it "
				   "was first read",
				   hxs_snapshot_name(snap));
	return hxs_err_errno(err, ESTALE, "'%s' was changed",
			     hxs_snapshot_name(snap));
}

/*
 * What the kernel keeps by an entry's number without asking again: which name
 * it has, where, and how far it reaches. Times and owners are left out: a
 * script that links the files of one backup into the next changes some.
 */
static void digest_numbers(const struct hxs_index *idx, struct hxs_digest *out)
{
	uint32_t n, count = hxs_index_count(idx);
	struct hxs_hasher h;
	struct hxs_node node;

	hxs_hasher_init(&h);
	for (n = 0; n < count; n++) {
		uint64_t fixed[2];

		hxs_index_get(idx, n, &node);
		fixed[0] = (uint64_t)node.parent << 32 | (node.mode & S_IFMT);
		fixed[1] = node.size;
		hxs_hasher_update(&h, fixed, sizeof(fixed));
		hxs_hasher_update(&h, node.name, node.name_len + 1);
		if (node.target)
			hxs_hasher_update(&h, node.target,
					  strlen(node.target) + 1);
	}
	hxs_hasher_final(&h, out);
}

/*
 * A foreign snapshot's entries are numbered by what lies in its directory, of
 * which the manifest is only a part. When that changed, a number that the
 * kernel has kept may mean another file or another size now. So the slot ends
 * as one whose directory was replaced does: the id gets a new one.
 */
static int same_numbers(struct hxfs_load *j, const struct hxs_snapshot *snap,
			struct hxs_err *err)
{
	struct hxs_digest now;

	if (!hxs_snapshot_is_foreign(snap))
		return 0; /* the manifest covers its index */
	digest_numbers(hxs_snapshot_index(snap), &now);
	j->changed =
		j->past.proven && !hxs_digest_equal(&j->past.numbers, &now);
	if (j->changed)
		return hxs_err_errno(err, ESTALE, "'%s' was changed",
				     hxs_snapshot_name(snap));
	j->past.numbers = now;
	return 0;
}

static void count_files(const struct hxs_snapshot *snap, struct hxfs_past *past)
{
	const struct hxs_index *idx = hxs_snapshot_index(snap);
	uint32_t i, n = hxs_index_count(idx);
	struct hxs_node node;

	past->files = past->bytes = 0;
	for (i = 0; i < n; i++) {
		hxs_index_get(idx, i, &node);
		if (!S_ISREG(node.mode))
			continue;
		past->files++;
		past->bytes += node.size;
	}
}

int hxfs_load(struct hxfs *fs, struct hxfs_load *j, struct hxs_err *err)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	int r;

	r = hxs_snapshot_open(fs->store, j->kind, j->env, j->id, &snap, err);
	if (r == 0)
		r = same_as_before(j, snap, err);
	if (r == 0)
		r = same_numbers(j, snap, err);
	if (r < 0)
		return r;
	j->past.foreign = hxs_snapshot_is_foreign(snap);
	j->past.has_xattrs =
		hxs_index_head(hxs_snapshot_index(snap))->has_xattrs;
	if (!j->past.proven)
		count_files(snap, &j->past);
	j->past.manifest = *hxs_snapshot_manifest_digest(snap);
	j->past.proven = true;
	j->bytes = hxs_snapshot_memory(snap);
	j->snap = HXS_STEAL(snap);
	return 0;
}
