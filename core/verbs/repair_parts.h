#ifndef HXS_VERBS_REPAIR_PARTS_H
#define HXS_VERBS_REPAIR_PARTS_H

/* How one repair is done. For repair*.c only. */
#include "store/snapshot.h"
#include "verbs/repair.h"

#define HXS_REPAIR_AREA ".hxsnap/repair" /* what is taken over, meanwhile */

/* An entry that is damaged or missing. */
struct hxs_repair_file {
	uint32_t entry;
	bool settled; /* it was put back, or cannot be, whatever the copy */
	bool repaired;
	/* What lies there now, if links is not 0. */
	dev_t dev;
	ino_t ino;
	nlink_t links;
	/* The copy that was looked at last: others may be names of it. */
	dev_t tried_dev;
	ino_t tried_ino;
	uint64_t tried; /* copies that turned out to be something else */
	char *why; /* what the last failure said, or NULL */
};

struct hxs_repair_run {
	struct hxs_store *store;
	const struct hxs_repair_opts *opts;
	struct hxs_repair_report *out;
	struct hxs_snapshot *snap;
	int area;
	char tmp[HXS_ENV_MAX + 8]; /* its name in the area: one a lock */
	uint8_t *seen; /* a bit an entry: it is among them */
	struct hxs_repair_file *files; /* in the order they were found */
	size_t count, cap, settled;
	uint32_t *dirs; /* directories that were made, parents first */
	size_t dir_count, dir_cap;
	int status; /* -ENOMEM while faults were collected */
};

/* Where a copy of a file is said to be. */
struct hxs_repair_copy {
	int dir; /* of the snapshot that has it, or the one that was named */
	const char *path; /* there */
	/*
	 * What the index of that snapshot says of it, where it would have
	 * been hard-linked had it been backed up now; else NULL.
	 */
	const struct hxs_node *twin;
};

bool hxs_repair_is_cancelled(const struct hxs_repair_run *run);

/* ---- repair_put.c -------------------------------------------------------- */

/* Note what lies in the place of @f now. */
void hxs_repair_look(const struct hxs_repair_run *run,
		     struct hxs_repair_file *f);

/*
 * Put @copy in the place of file @f: 0; 1 when it is not what is listed, or
 * cannot be read (the message says why); -errno when no copy could be put
 * there, -ECANCELED.
 */
HXS_MUST_CHECK
int hxs_repair_put(struct hxs_repair_run *run, struct hxs_repair_file *f,
		   const struct hxs_repair_copy *copy, struct hxs_err *err);

/*
 * Put back what the index alone can tell: a link, a directory with the
 * directories and links in it.
 */
HXS_MUST_CHECK
int hxs_repair_make(struct hxs_repair_run *run, uint32_t entry,
		    struct hxs_err *err);

/* ---- repair_dirs.c ------------------------------------------------------- */

/* Remove what lies in the area under our name, if anything does. */
void hxs_repair_clear(const struct hxs_repair_run *run);

/* A handle on directory @entry, made with those it is in where missing. */
HXS_MUST_CHECK
int hxs_repair_open_dir(struct hxs_repair_run *run, uint32_t entry,
			struct hxs_err *err);

/* Give @fd, which is no link, what the index says of it. */
HXS_MUST_CHECK
int hxs_repair_set(int fd, const struct hxs_node *node, struct hxs_err *err);

/*
 * Directories that were made get the modes and times they are to have, now
 * that nothing more is put into them.
 */
HXS_MUST_CHECK
int hxs_repair_end_dirs(struct hxs_repair_run *run, struct hxs_err *err);

/* ---- repair_places.c ----------------------------------------------------- */

/* A snapshot to look into. */
struct hxs_repair_place {
	enum hxs_kind kind;
	char id[HXS_ID_LEN + 1];
	uint64_t apart; /* seconds, from where to begin */
};

struct hxs_repair_places {
	struct hxs_repair_place *place;
	size_t count;
};
void hxs_repair_places_release(struct hxs_repair_places *l);
#define HXS_AUTO_REPAIR_PLACES \
	__attribute__((cleanup(hxs_repair_places_release)))

/*
 * The snapshots of @env, the nearest to the one that is repaired first; of
 * another environment than its own, the newest first. *@out is the caller's
 * to release in every case.
 */
HXS_MUST_CHECK
int hxs_repair_places_list(const struct hxs_repair_run *run, const char *env,
			   struct hxs_repair_places *out, struct hxs_err *err);

/* Whether it is the snapshot that is repaired. */
bool hxs_repair_places_is_own(const struct hxs_repair_run *run, const char *env,
			      const struct hxs_repair_place *p);

/* Tell which snapshots share what was damaged. -ENOMEM, -errno. */
HXS_MUST_CHECK
int hxs_repair_tell_shared(struct hxs_repair_run *run, struct hxs_err *err);

/* ---- repair_store.c ------------------------------------------------------ */

/*
 * Try for what is not settled yet whatever the store's snapshots hold, through
 * hxs_repair_try(). -ECANCELED, -ENOMEM, -errno.
 */
HXS_MUST_CHECK
int hxs_repair_search(struct hxs_repair_run *run, struct hxs_err *err);

/* ---- repair.c ------------------------------------------------------------ */

/*
 * Try @copy for @f, and tell it if it is put back: from snapshot @from, or
 * with NULL from the directory that was named. -ECANCELED, -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_repair_try(struct hxs_repair_run *run, struct hxs_repair_file *f,
		   const struct hxs_repair_copy *copy, const char *from,
		   struct hxs_err *err);

#endif
