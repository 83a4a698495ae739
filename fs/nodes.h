#ifndef HXFS_NODES_H
#define HXFS_NODES_H

/* The tree that a mount shows: attributes, names, listings. */
#include "fs/hxfs.h"

/*
 * In all of these -EAGAIN means that it would take longer than @patience
 * allows; the caller then asks again from a worker.
 */

/* Attributes of a node, st_ino included. -ESTALE for one that is no more. */
HXS_MUST_CHECK
int hxfs_stat(struct hxfs *fs, uint64_t ino, enum hxfs_patience patience,
	      struct stat *st, struct hxs_err *err);

struct hxfs_found {
	uint64_t ino;
	struct stat st;
	bool lasting; /* inside a snapshot: true as long as the mount lives */
	bool fleeting; /* true only now: a text, a control file */
};

/*
 * The node named @name in directory @dir. -ENOENT when there is none, with
 * out->lasting telling whether there can never be one. @stranger: what only
 * the owner of the mount may know is left out of texts. Each success counts
 * as one that the kernel remembers: hxfs_history_forget().
 */
HXS_MUST_CHECK
int hxfs_lookup(struct hxfs *fs, uint64_t dir, const char *name,
		enum hxfs_patience patience, bool stranger,
		struct hxfs_found *out, struct hxs_err *err);

/* The target of a symbolic link; *@out is the caller's. */
HXS_MUST_CHECK
int hxfs_readlink(struct hxfs *fs, uint64_t ino, enum hxfs_patience patience,
		  char **out, struct hxs_err *err);

struct hxfs_dirent {
	const char *name;
	uint64_t ino;
	mode_t mode; /* the type at least */
	uint64_t next; /* where a listing goes on after this one */
	const struct hxfs_found *found; /* for a listing with attributes */
};

/* Non-zero when there is no room for this one. */
typedef int (*hxfs_emit_fn)(void *ctx, const struct hxfs_dirent *d);

/*
 * List directory @dir from place @from (0 at first); places stay good while
 * names come and go. @plus wants the attributes too: @found is NULL where
 * they cannot be had.
 */
HXS_MUST_CHECK
int hxfs_list(struct hxfs *fs, uint64_t dir, uint64_t from,
	      enum hxfs_patience patience, bool plus, hxfs_emit_fn emit,
	      void *ctx, struct hxs_err *err);

/*
 * Attributes of entry @n of a loaded, pinned snapshot; @n becomes the number
 * that its hard links share.
 */
HXS_MUST_CHECK
int hxfs_stat_entry(struct hxfs *fs, const struct hxfs_slot *s, uint32_t *n,
		    struct stat *st);

/* Attributes of snapshot @seconds's directory in the store. */
HXS_MUST_CHECK
int hxfs_stat_snapshot(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
		       int64_t seconds, struct stat *st);

/* Attributes that all texts share; those of a control file. */
void hxfs_stat_text(struct hxfs *fs, uint64_t ino, uint64_t size,
		    struct stat *st);
void hxfs_stat_control(struct hxfs *fs, const struct hxfs_node *node,
		       struct stat *st);
void hxfs_stat_link(struct hxfs *fs, uint64_t ino, int64_t seconds,
		    struct stat *st);
HXS_MUST_CHECK
int hxfs_stat_env(struct hxfs *fs, uint32_t env, bool rollbacks,
		  struct stat *st);

#endif
