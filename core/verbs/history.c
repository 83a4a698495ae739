#include "verbs/history.h"

#include "base/io.h"
#include "format/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

void hxs_history_item_release(struct hxs_history_item *item)
{
	if (item->has_meta)
		hxs_meta_release(&item->meta);
	item->has_meta = false;
}

bool hxs_history_totals(const struct hxs_history_item *item, uint64_t *files,
			uint64_t *bytes)
{
	size_t i;

	*files = *bytes = 0;
	if (!item->has_meta || item->meta.source_count == 0)
		return false;
	for (i = 0; i < item->meta.source_count; i++) {
		const struct hxs_meta_source *src = &item->meta.sources[i];

		/* Figures of a file that nobody has checked yet. */
		if (__builtin_add_overflow(*files, src->files, files) ||
		    __builtin_add_overflow(*bytes, src->bytes, bytes))
			return false;
	}
	return true;
}

static void set_reason(struct hxs_history_item *item, const char *reason)
{
	size_t len = strnlen(reason, sizeof(item->reason) - 1);

	item->readable = item->denied = false;
	memcpy(item->reason, reason, len);
	item->reason[len] = '\0';
}

/* What -errno @r of looking means. */
static void set_failure(struct hxs_history_item *item, int r,
			const char *reason)
{
	set_reason(item, reason);
	item->unknown = r != -HXS_ECORRUPT;
	item->denied = r == -EACCES || r == -EPERM;
}

/* What the directory holds at first sight. */
static int look(int dirfd, struct hxs_history_item *item, bool *has_meta)
{
	struct stat st;

	if (fstatat(dirfd, HXS_MANIFEST_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -errno;
		set_reason(item, "it has no " HXS_MANIFEST_NAME);
	} else if (!S_ISREG(st.st_mode)) {
		set_reason(item, HXS_MANIFEST_NAME " is no regular file");
	}
	if (fstatat(dirfd, HXS_INDEX_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -errno;
		item->foreign = true;
	}
	if (fstatat(dirfd, HXS_META_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -errno;
		*has_meta = false;
		if (!item->foreign)
			set_reason(item, HXS_META_NAME " is missing");
	}
	return 0;
}

int hxs_history_read_meta(int dirfd, struct hxs_meta *out, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	HXS_AUTO_FREE char *text = NULL;
	struct stat st;
	size_t len;
	int r;

	fd = hxs_io_open_regular(dirfd, HXS_META_NAME, &st);
	if (fd == -EINVAL || fd == -ELOOP)
		return hxs_err_set(err, HXS_ECORRUPT,
				   HXS_META_NAME " is no regular file");
	if (fd < 0)
		return hxs_err_errno(err, -fd, "cannot open " HXS_META_NAME);
	r = hxs_io_read_all(fd, HXS_META_MAX, &text, &len);
	if (r == -EFBIG)
		return hxs_err_set(err, HXS_ECORRUPT,
				   HXS_META_NAME " is larger than 1 MiB");
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot read " HXS_META_NAME);
	r = hxs_meta_parse(text, len, out, err);
	if (r < 0)
		return hxs_err_prefix(err, r, HXS_META_NAME);
	return 0;
}

static int take_meta(int dirfd, struct hxs_history_item *item,
		     struct hxs_err *err)
{
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	r = hxs_history_read_meta(dirfd, &item->meta, &why);
	if (r == -ENOMEM) {
		if (err)
			*err = why;
		return r;
	}
	if (r < 0) {
		set_failure(item, r, why.message);
		return 0;
	}
	item->has_meta = true;
	if (strcmp(item->meta.env, item->env) != 0 ||
	    strcmp(item->meta.id, item->id) != 0) {
		(void)hxs_err_set(&why, HXS_ECORRUPT,
				  HXS_META_NAME " is of '%s/%s'",
				  item->meta.env, item->meta.id);
		set_reason(item, why.message);
	}
	return 0;
}

static int describe(const struct hxs_store *s, struct hxs_history_item *item,
		    struct hxs_err *err)
{
	HXS_AUTO_CLOSE int dirfd = -1;
	struct hxs_err why = HXS_ERR_INIT;
	bool has_meta = true;
	int r;

	r = hxs_store_open_dir(s, item->kind, item->env, item->id, &dirfd,
			       &why);
	if (r == -HXS_ENOSUCH || r == -ENOMEM) {
		if (err)
			*err = why;
		return r;
	}
	if (r < 0) {
		set_failure(item, r, why.message);
		return 0;
	}
	r = look(dirfd, item, &has_meta);
	if (r < 0) {
		(void)hxs_err_errno(&why, -r, "cannot look into it");
		set_failure(item, r, why.message);
		return 0;
	}
	return has_meta ? take_meta(dirfd, item, err) : 0;
}

int hxs_history_describe(const struct hxs_store *s, enum hxs_kind kind,
			 const char *env, const char *id,
			 struct hxs_history_item *out, struct hxs_err *err)
{
	struct hxs_history_item item = { .kind = kind, .readable = true };
	int r;

	(void)snprintf(item.env, sizeof(item.env), "%s", env);
	(void)snprintf(item.id, sizeof(item.id), "%s", id);
	r = describe(s, &item, err);
	if (r < 0)
		return r;
	item.pinned = hxs_result_is_pinned(s, kind, env, id);
	item.has_result = hxs_result_load(s, kind, env, id, &item.result) > 0;
	*out = item;
	return 0;
}

int hxs_history_diff(struct hxs_snapshot *a, struct hxs_snapshot *b,
		     hxs_treecmp_fn fn, void *ctx, struct hxs_err *err)
{
	int r = hxs_treecmp(hxs_snapshot_index(a), 0, hxs_snapshot_index(b), 0,
			    fn, ctx);

	/* Any other failure is @fn's own, who has told it. */
	if (r == -ENOMEM)
		return hxs_err_errno(err, ENOMEM,
				     "cannot compare '%s' and "
				     "'%s'",
				     hxs_snapshot_name(a),
				     hxs_snapshot_name(b));
	return r;
}
