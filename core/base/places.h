#ifndef HXS_BASE_PLACES_H
#define HXS_BASE_PLACES_H

/*
 * The paths under which a tree is seen: a mount of its file system, or of a
 * part of it, may show it elsewhere, and more than once, in a container for
 * instance. For base/holders.
 */
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A tree or a single file, by file system and path inside that. */
struct hxs_object {
	const char *path; /* as the caller spells it; borrowed */
	char *inside; /* from the file system's root */
	unsigned major, minor;
	bool is_dir;
};
#define HXS_OBJECT_INIT      \
	{                    \
		.path = NULL \
	}

/*
 * What @path (absolute, without symbolic links, existing) is, according to
 * @text, the mountinfo of this process. -EINVAL for a path that is not so.
 */
HXS_MUST_CHECK
int hxs_places_identify(struct hxs_object *o, const char *path,
			const char *text, size_t len);
void hxs_places_forget(struct hxs_object *o);

struct hxs_place {
	char *text; /* where it is seen */
	char *ours; /* the same thing as the caller spells it */
	uint64_t mount; /* the mount it is seen in */
	bool exact; /* a file: nothing is below it */
};

struct hxs_places {
	struct hxs_place *place;
	size_t count;
};
#define HXS_PLACES_INIT       \
	{                     \
		.place = NULL \
	}
void hxs_places_release(struct hxs_places *p);

/*
 * All places of @o among the mounts of @text, whose mount points have @root
 * ("" or a path) before them. What is mounted inside the tree counts as part
 * of it; for a file so do the -wal, -shm and -journal beside it. -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_places_find(const struct hxs_object *o, const char *text, size_t len,
		    const char *root, struct hxs_places *out);

/*
 * The first place from *@from on that @path is at or below, *@rest what is
 * below it ("" or "/x"); NULL when there is none. *@from is moved past it.
 */
const struct hxs_place *hxs_places_next(const struct hxs_places *p,
					const char *path, size_t *from,
					const char **rest);

#endif
