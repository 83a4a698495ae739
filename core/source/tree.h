#ifndef HXS_SOURCE_TREE_H
#define HXS_SOURCE_TREE_H

/*
 * A directory source as it was found: its directories, breadth first, and
 * everything else, one directory's items together. Names, not handles: a
 * directory is opened again when it is needed, by its path beneath the top,
 * so that no depth and no number of directories costs descriptors.
 */
#include "base/buf.h"
#include "base/err.h"
#include "format/config.h"
#include "source/capture.h"
#include "source/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define HXS_TREE_NONE UINT32_MAX
#define HXS_TREE_NO_ITEM SIZE_MAX

/* What is kept of a struct stat. */
struct hxs_tree_stat {
	uint64_t size, ino;
	struct timespec atime, mtime, ctime;
	uint32_t mode, uid, gid;
};

struct hxs_tree_dir {
	uint32_t parent; /* the top is its own */
	uint32_t handle; /* in the index builder */
	uint32_t prev; /* entry of the earlier backup, or NONE; match.c */
	uint32_t depth; /* as deep as may be, no path is too long */
	size_t first, count; /* its items */
	const char *name; /* in the arena; the source's for the top */
	struct hxs_tree_stat st;
	void *xattrs;
	uint32_t xattrs_len;
	bool gone; /* and with it all below */
	bool beside; /* what lies beside some database here was left out */
};

enum hxs_tree_state {
	HXS_TREE_COPY, /* to be copied (a link: to be made) */
	HXS_TREE_SAME, /* as in the earlier backup: to be linked from there */
	HXS_TREE_OTHER_NAME, /* of item same_as's inode */
	HXS_TREE_DONE, /* copied */
	HXS_TREE_LINKED, /* linked from the earlier backup */
	HXS_TREE_GONE, /* vanished; its warning is written */
};

struct hxs_tree_item {
	const char *name; /* in the arena */
	const char *target; /* of a symbolic link, in the arena, else NULL */
	const char *xattrs; /* of a symbolic link, likewise */
	uint32_t xattrs_len;
	struct hxs_tree_stat st;
	/*
	 * OTHER_NAME: the item met first. That one: the next item that is a
	 * copy of the inode (spread.c), or NO_ITEM.
	 */
	size_t same_as;
	uint32_t dir, handle;
	uint32_t prev; /* entry of the earlier backup, or NONE; match.c */
	uint8_t state;
};

struct hxs_tree_block;

struct hxs_tree {
	const struct hxs_config_source *src; /* borrowed */
	int fd; /* the top, in the live data */
	bool single; /* the source is one file; the top is made up */
	const char *live_name; /* that file's in the live data, if another */
	struct hxs_tree_dir *dirs;
	size_t dir_count, dir_cap;
	struct hxs_tree_item *items;
	size_t item_count, item_cap;
	struct hxs_tree_block *arena;
	struct hxs_source_totals totals;
	/*
	 * There is more than was noted: something was left out, or a file has
	 * a name elsewhere.
	 */
	bool has_more;
	bool matched; /* with the earlier backup */
	uint64_t links_found, links_wanted; /* names of files with several */
};

void hxs_tree_free(struct hxs_tree *t); /* takes NULL */
HXS_AUTO_DEFINE(tree, struct hxs_tree *, hxs_tree_free)

/* Begin an empty one: its top, named like the source, with what @st says. */
HXS_MUST_CHECK
int hxs_tree_begin(struct hxs_capture *cap, struct hxs_tree *t,
		   const struct stat *st, struct hxs_err *err);

/* A copy of @len bytes and a NUL that lives as long as the tree, or NULL. */
char *hxs_tree_keep(struct hxs_tree *t, const char *s, size_t len);

/* Room for one more; the index of the new, zeroed one, or -ENOMEM. */
int64_t hxs_tree_add_dir(struct hxs_tree *t);
int64_t hxs_tree_add_item(struct hxs_tree *t);

/*
 * Set @out to the path of directory @dir (and of @name in it, unless NULL)
 * below the top ("" for the top), or with @in_snapshot set below the
 * snapshot, where the top is named like the source. -ENOMEM.
 */
int hxs_tree_path(const struct hxs_tree *t, size_t dir, const char *name,
		  bool in_snapshot, struct hxs_buf *out);

/* The latter as a person should see it, never NULL. */
const char *hxs_tree_show(const struct hxs_tree *t, size_t dir,
			  const char *name, struct hxs_buf *out);

void hxs_tree_from_stat(struct hxs_tree_stat *out, const struct stat *st);
void hxs_tree_to_node(const struct hxs_tree_stat *st, struct hxs_node *out);

/*
 * Open a directory of the tree, for @fd the live one, the copy's or an
 * earlier backup's top: an fd or -errno.
 */
int hxs_tree_open(const struct hxs_tree *t, size_t dir, int fd,
		  bool in_snapshot);

/* The same for the directory with this path below @fd. */
int hxs_tree_open_path(int fd, const char *path);

/*
 * Find everything below @t->fd (walk.c), on the capture's pool. Entries go into the builder, the
 * handle of the source's own directory being dirs[0].handle.
 */
HXS_MUST_CHECK
int hxs_walk(struct hxs_capture *cap, struct hxs_tree *t, struct hxs_err *err);

/*
 * Whether @src's patterns leave out what has @path below it and the name
 * @name in its directory.
 */
bool hxs_walk_excludes(const struct hxs_config_source *src, const char *path,
		       const char *name);

/*
 * See which files are as they were in the earlier backup, if there is one:
 * these become SAME (match.c). The second call does nothing.
 */
void hxs_match(struct hxs_capture *cap, struct hxs_tree *t);

/*
 * Bring over all that was found (spread.c): directories, then bytes on the
 * capture's pool, then further names, then the directories' attributes.
 * *@totals is what is there now.
 */
HXS_MUST_CHECK
int hxs_spread(struct hxs_capture *cap, struct hxs_tree *t,
	       struct hxs_source_totals *totals, struct hxs_err *err);

/*
 * Hash all that was found where it lies (survey.c): 1 when the tree itself
 * can become a snapshot's copy of the source, with *@totals; 0 when it has to
 * be copied, as hxs_spread() does: something in it was left out, has a name
 * elsewhere, is a set-id file, or is a database that is more than its bytes.
 */
HXS_MUST_CHECK
int hxs_survey(struct hxs_capture *cap, struct hxs_tree *t,
	       struct hxs_source_totals *totals, struct hxs_err *err);

#endif
