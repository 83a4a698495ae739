#include "verbs/restore_pick.h"

#include "base/path.h"
#include "format/meta.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>

void hxs_restore_pick_release(struct hxs_restore_pick *p)
{
	free(p->entries);
	p->entries = NULL;
}

/* ---- entries ----------------------------------------------------------- */

/* Whether @node, at the top of a snapshot, describes that snapshot. */
static bool is_part(const struct hxs_node *node)
{
	return strcmp(node->name, HXS_META_NAME) == 0 ||
	       strcmp(node->name, HXS_SETTINGS_NAME) == 0;
}

static int pick_all(const struct hxs_index *idx, struct hxs_restore_pick *out)
{
	struct hxs_node top, node;
	uint32_t i;

	hxs_index_get(idx, 0, &top);
	out->all = true;
	out->entries = calloc(top.child_count + 1, sizeof(*out->entries));
	if (!out->entries)
		return -ENOMEM;
	for (i = 0; i < top.child_count; i++) {
		hxs_index_get(idx, top.first_child + i, &node);
		if (!is_part(&node))
			out->entries[out->count++] = node.number;
	}
	return 0;
}

static const char *show(const char *path, struct hxs_buf *out)
{
	(void)hxs_path_show(out, path, strlen(path));
	return hxs_buf_str(out);
}

/* The entry that @path names, or a negative status. */
static int64_t find(const struct hxs_snapshot *snap, const char *path,
		    struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(snap);
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	HXS_AUTO_FREE char *own = strdup(path);
	const char *fault;
	struct hxs_node node;
	size_t len;
	int64_t n;

	if (!own)
		return hxs_err_errno(err, ENOMEM, "cannot look for a path");
	len = strlen(own);
	while (len > 1 && own[len - 1] == '/')
		own[--len] = '\0';
	fault = hxs_path_fault(own, len);
	if (fault)
		return hxs_err_set(err, HXS_EUSAGE, "path '%s': %s",
				   show(path, &shown), fault);
	n = hxs_index_find(idx, own);
	if (n >= 0) {
		hxs_index_get(idx, (uint32_t)n, &node);
		if (node.parent != 0 || !is_part(&node))
			return n;
	}
	return hxs_err_set(err, HXS_ENOSUCH, "snapshot '%s' has no '%s'",
			   hxs_snapshot_name(snap), show(path, &shown));
}

static int by_number(const void *pa, const void *pb)
{
	const uint32_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

/* Whether one of the @count ascending @entries is @entry, or above it. */
static bool is_below(const struct hxs_index *idx, const uint32_t *entries,
		     size_t count, uint32_t entry)
{
	struct hxs_node node;

	for (;;) {
		if (count && bsearch(&entry, entries, count, sizeof(*entries),
				     by_number))
			return true;
		if (entry == 0)
			return false;
		hxs_index_get(idx, entry, &node);
		entry = node.parent;
	}
}

/* What is above something has the lower number: so it was kept before. */
static void drop_nested(const struct hxs_index *idx,
			struct hxs_restore_pick *pick)
{
	size_t i, kept = 0;

	for (i = 0; i < pick->count; i++)
		if (!is_below(idx, pick->entries, kept, pick->entries[i]))
			pick->entries[kept++] = pick->entries[i];
	pick->count = kept;
}

int hxs_restore_pick(const struct hxs_snapshot *snap, const char *const *paths,
		     size_t path_count, struct hxs_restore_pick *out,
		     struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(snap);
	HXS_AUTO_PICK struct hxs_restore_pick pick = HXS_RESTORE_PICK_INIT;
	int64_t n;
	size_t i;
	int r = 0;

	if (path_count)
		pick.entries = calloc(path_count, sizeof(*pick.entries));
	else
		r = pick_all(idx, &pick);
	if (r < 0 || !pick.entries)
		return hxs_err_errno(err, ENOMEM, "cannot look for paths");
	for (i = 0; i < path_count; i++) {
		n = find(snap, paths[i], err);
		if (n < 0)
			return (int)n;
		pick.entries[pick.count++] = (uint32_t)n;
	}
	if (path_count) {
		qsort(pick.entries, pick.count, sizeof(*pick.entries),
		      by_number);
		drop_nested(idx, &pick);
	}
	*out = pick;
	pick.entries = NULL;
	return 0;
}

/* ---- what is not listed ------------------------------------------------ */

struct extras {
	const struct hxs_index *idx;
	const struct hxs_restore_pick *pick;
	struct hxs_buf first;
	uint64_t count;
};

/* Whether @path, which has no entry, lies in what was picked. */
static bool is_picked(const struct extras *x, const char *path)
{
	const char *slash = strrchr(path, '/');
	HXS_AUTO_FREE char *dir = NULL;
	int64_t n;

	if (x->pick->all)
		return true;
	if (!slash)
		return false;
	dir = strndup(path, (size_t)(slash - path));
	n = dir ? hxs_index_find(x->idx, dir) : -1;
	/* Rather too much than too little, where memory is lacking. */
	return n < 0 ||
	       is_below(x->idx, x->pick->entries, x->pick->count, (uint32_t)n);
}

static void note_extra(const char *path, void *ctx)
{
	struct extras *x = ctx;

	if (is_picked(x, path) && !x->count++)
		(void)hxs_path_show(&x->first, path, strlen(path));
}

/* A path restore of files alone has no directory to look through. */
static bool has_directory(const struct hxs_index *idx,
			  const struct hxs_restore_pick *pick)
{
	struct hxs_node node;
	size_t i;

	for (i = 0; i < pick->count; i++) {
		hxs_index_get(idx, pick->entries[i], &node);
		if (S_ISDIR(node.mode))
			return true;
	}
	return false;
}

int hxs_restore_pick_check(const struct hxs_snapshot *snap,
			   const struct hxs_restore_pick *pick,
			   struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(snap);
	struct extras x = { .idx = idx, .pick = pick, .first = HXS_BUF_INIT };
	const char *name = hxs_snapshot_name(snap);
	int64_t n = 0;
	int r = 0;

	if (pick->all || has_directory(idx, pick))
		n = hxs_snapshot_extras(snap, note_extra, &x);
	if (n < 0)
		r = hxs_err_errno(err, (int)-n,
				  "cannot list the directories of '%s'", name);
	else if (x.count == 1)
		r = hxs_err_set(err, HXS_ECORRUPT,
				"'%s/%s': the manifest does not list it", name,
				hxs_buf_str(&x.first));
	else if (x.count)
		r = hxs_err_set(err, HXS_ECORRUPT,
				"'%s/%s' and %" PRIu64 " more: the manifest "
				"does not list them",
				name, hxs_buf_str(&x.first), x.count - 1);
	hxs_buf_release(&x.first);
	return r;
}

void hxs_restore_pick_count(const struct hxs_snapshot *snap,
			    const struct hxs_restore_pick *pick,
			    uint64_t *files, uint64_t *bytes)
{
	const struct hxs_index *idx = hxs_snapshot_index(snap);
	struct hxs_node node;
	uint32_t top;
	int64_t n;
	size_t i;

	*files = *bytes = 0;
	for (i = 0; i < pick->count; i++) {
		top = pick->entries[i];
		for (n = top; n >= 0;
		     n = hxs_index_next(idx, (uint32_t)n, top)) {
			hxs_index_get(idx, (uint32_t)n, &node);
			if (!S_ISREG(node.mode) || node.leader != node.number)
				continue;
			(*files)++;
			*bytes += node.size;
		}
	}
}

int hxs_restore_open(struct hxs_store *s, const struct hxs_restore_opts *opts,
		     struct hxs_snapshot **snap, struct hxs_restore_pick *out,
		     struct hxs_err *err)
{
	int r;

	r = hxs_snapshot_open(s, opts->kind, opts->env, opts->id, snap, err);
	if (r < 0)
		return r;
	/* Whoever removes snapshots leaves a locked one alone. */
	if (flock(hxs_snapshot_fd(*snap), LOCK_SH | LOCK_NB) < 0 &&
	    errno == EWOULDBLOCK)
		return hxs_err_set(err, HXS_EBUSY,
				   "snapshot '%s' is being removed",
				   hxs_snapshot_name(*snap));
	r = hxs_restore_pick(*snap, opts->paths, opts->path_count, out, err);
	return r < 0 ? r : hxs_restore_pick_check(*snap, out, err);
}
