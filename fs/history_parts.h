#ifndef HXFS_HISTORY_PARTS_H
#define HXFS_HISTORY_PARTS_H

/* What fs/history*.c share. */
#include "base/buf.h"
#include "fs/nodes.h"

/* Who may do what. */
struct hxfs_access {
	mode_t mode; /* permissions alone */
	uid_t uid;
	gid_t gid;
};

/* Take from @a what @other does not allow, to anybody. */
void hxfs_access_narrow(struct hxfs_access *a, const struct hxfs_access *other);

/*
 * The directories on the way to a path that do not let everybody through. The
 * kernel asks those on a way that is walked, but nothing of those above a
 * directory that somebody is in already: so what is below allows no more than
 * they do.
 */
#define HXFS_GATES_MAX 32u
struct hxfs_gates {
	struct hxfs_access gate[HXFS_GATES_MAX];
	size_t count;
};

/* One more, of which only x counts; if they are too many nobody gets by. */
void hxfs_gates_add(struct hxfs_gates *g, const struct hxfs_access *dir);

/* Take from @a what is not for those who get by them all. */
void hxfs_gates_narrow(const struct hxfs_gates *g, struct hxfs_access *a);

/* What @node allows; what is no directory bars nobody's way. */
struct hxfs_access hxfs_access_of(const struct hxs_node *node);

/* A version of the path itself: an entry that is no directory. */
struct hxfs_version {
	int64_t seconds; /* the id under which it came up */
	uint32_t slot, n;
	struct stat st;
};

/* A name that was in it. */
struct hxfs_branch {
	uint64_t number;
	char *name;
	size_t len;
	/* what all that were directories, and all above them, allow */
	struct hxfs_access access;
	struct timespec mtime; /* of the newest */
	size_t last; /* which snapshot that was in; while walking */
	bool dir; /* while walking: a file and a directory are two */
};

/* All there is to know of one path. Does not change once it is made. */
struct hxfs_trail {
	uint64_t number; /* of the path */
	uint64_t changes; /* of the area, when it was begun */
	double made;
	bool found; /* some snapshot has the path */
	int fault; /* why some could not be looked into, or 0 */
	struct hxfs_version *version; /* ascending by seconds */
	size_t version_count, version_cap;
	struct hxfs_branch *branch; /* ascending by number */
	size_t branch_count, branch_cap;
	size_t bytes;
	/* guarded by those who keep it */
	unsigned refs;
	struct hxfs_trail *newer, *older;
};

void hxfs_trail_free(struct hxfs_trail *t); /* takes NULL */
HXS_AUTO_DEFINE(trail, struct hxfs_trail *, hxfs_trail_free)

/*
 * Put the names in directory @dir of @idx into @t; @turn counts the backups,
 * @g are the gates down to @dir, which is one itself.
 * Names are in no order that hxfs_trail_branch() knows until they are put in
 * it, once, at the end.
 */
HXS_MUST_CHECK
int hxfs_trail_unite(struct hxfs_trail *t, const struct hxs_index *idx,
		     const struct hxs_node *dir, const struct hxfs_gates *g,
		     size_t turn);
void hxfs_trail_order(struct hxfs_trail *t);

/* One backup of an environment. */
struct hxfs_backup {
	int64_t seconds;
	uint32_t slot;
};

/*
 * Those there are, the oldest first; *@out is the caller's. @changes: of the
 * area they were taken from. -ESTALE without the environment, -ENOMEM.
 */
HXS_MUST_CHECK
int hxfs_trail_backups(struct hxfs *fs, uint32_t env, struct hxfs_backup **out,
		       size_t *count, uint64_t *changes);

/*
 * Walk all backups of @env for @path, whose number is @number. It has one
 * reference. -ECANCELED when the mount ends meanwhile; what could not be
 * looked into is only an error if nothing could.
 */
HXS_MUST_CHECK
int hxfs_trail_make(struct hxfs *fs, uint32_t env, uint64_t number,
		    const char *path, struct hxfs_trail **out,
		    struct hxs_err *err);

/* What it has of that name, or of that time; NULL. */
const struct hxfs_branch *hxfs_trail_branch(const struct hxfs_trail *t,
					    uint64_t number);
const struct hxfs_version *hxfs_trail_version(const struct hxfs_trail *t,
					      int64_t seconds);

struct hxfs_twigs;
struct hxfs_kept;

struct hxfs_history {
	struct hxfs_twigs *twigs;
	struct hxfs_kept *kept;
};

HXS_MUST_CHECK
int hxfs_twigs_new(struct hxfs_twigs **out);
void hxfs_twigs_free(struct hxfs_twigs *h); /* takes NULL */
HXS_MUST_CHECK
int hxfs_kept_new(struct hxfs_kept **out);
void hxfs_kept_free(struct hxfs_kept *k); /* takes NULL */

/* What a number means. */
struct hxfs_place {
	uint64_t number;
	uint32_t env;
	struct hxs_buf path; /* "" for .history itself */
};

static inline void hxfs_place_release(struct hxfs_place *p)
{
	hxs_buf_release(&p->path);
}
#define HXFS_AUTO_PLACE __attribute__((cleanup(hxfs_place_release)))

/*
 * Of a node of kind HISTORY or TRAIL; with @listed the kernel is about to have
 * its listing. -ESTALE if the kernel does not know it, -ENOMEM.
 */
HXS_MUST_CHECK
int hxfs_place_find(struct hxfs_twigs *h, uint64_t number, bool listed,
		    struct hxfs_place *out);

/* The number of the directory that @number is in; 0 if it is forgotten. */
uint64_t hxfs_place_parent(struct hxfs_twigs *h, uint64_t number);

/*
 * The kernel gets to know @name in @dir, whose number is @number. -EIO if it
 * knows another of that number, -ESTALE if it does not know @dir, -ENOMEM.
 */
HXS_MUST_CHECK
int hxfs_place_know(struct hxfs_twigs *h, uint64_t dir, uint64_t number,
		    const char *name);

/*
 * The trail of @p, kept or made now; -EINPROGRESS if it must be and @patience
 * is less than HXFS_HASH. It is the caller's to leave.
 */
HXS_MUST_CHECK
int hxfs_trail_enter(struct hxfs *fs, const struct hxfs_place *p,
		     enum hxfs_patience patience, struct hxfs_trail **out,
		     struct hxs_err *err);
void hxfs_trail_leave(struct hxfs *fs, struct hxfs_trail *t);

/* How often backups of @env came or went; -ESTALE without it. */
HXS_MUST_CHECK
int hxfs_trail_changes(struct hxfs *fs, uint32_t env, uint64_t *out);

#endif
