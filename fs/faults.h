#ifndef HXFS_FAULTS_H
#define HXFS_FAULTS_H

/*
 * The damage that readers met: counted, logged once each, kept for .status
 * and for user.hxsnap.fault. Bounded: the first HXFS_FAULTS_KEPT are kept in
 * full, of the rest only counts.
 */
#include "fs/hxfs.h"

#define HXFS_FAULTS_KEPT 1000u

struct hxfs_damage {
	uint64_t blocks; /* distinct bad blocks */
	uint64_t files; /* distinct files with any fault */
};

/* One that is kept; strings are borrowed during a callback only. */
struct hxfs_fault {
	uint32_t slot, env;
	char ref[HXS_REF_TEXT]; /* "dev/2026..." */
	const char *path; /* shown text */
	struct hxs_fault fault;
	int64_t first_seen;
};

HXS_MUST_CHECK
int hxfs_faults_new(struct hxfs_faults **out);
void hxfs_faults_free(struct hxfs_faults *f);

/* Put @fault of @s (pinned, loaded) down; logs it unless it was known. */
void hxfs_faults_add(struct hxfs *fs, const struct hxfs_slot *s, uint32_t entry,
		     const struct hxs_fault *fault);

void hxfs_faults_damage(struct hxfs_faults *f, struct hxfs_damage *out);

/*
 * Each fault kept, of slot @slot or environment @env alone if these are not
 * HXFS_ANY. A result other than 0 ends it. The table is locked meanwhile.
 */
#define HXFS_ANY UINT32_MAX
typedef int (*hxfs_faults_fn)(const struct hxfs_fault *f, void *ctx);
int hxfs_faults_each(struct hxfs_faults *f, uint32_t env, uint32_t slot,
		     hxfs_faults_fn fn, void *ctx);

/* The first fault kept of an entry: true with *@out filled (path NULL). */
bool hxfs_faults_find(struct hxfs_faults *f, uint32_t slot, uint32_t entry,
		      struct hxfs_fault *out);

/* What entry @entry of @snap is called, as a person should see it. */
void hxfs_faults_name(const struct hxs_snapshot *snap, uint32_t entry,
		      struct hxs_buf *out);

/* "block at byte 65536: expected ..., found ...". */
int hxfs_faults_text(const struct hxs_fault *fault, struct hxs_buf *out);

#endif
