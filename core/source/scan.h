#ifndef HXS_SOURCE_SCAN_H
#define HXS_SOURCE_SCAN_H

/*
 * One directory of the live data, listed and looked at: the part of a walk
 * that takes its time, and that workers do for several directories at once.
 * A scan shares nothing with another one.
 */
#include "source/tree.h"

/* What all scans of one walk go by. */
struct hxs_scan_rules {
	struct hxs_capture *cap;
	const struct hxs_config_source *src;
	int top; /* the top, in the live data */
	uint64_t mnt_id; /* of the top, if has_mnt_id */
	bool has_mnt_id;
	dev_t dev; /* of the top */
};

enum hxs_found_as {
	HXS_FOUND_ENTRY, /* to be noted */
	HXS_FOUND_GONE, /* since it was listed */
	HXS_FOUND_EXCLUDED, /* by the configuration */
	HXS_FOUND_MOUNT, /* another file system's */
	HXS_FOUND_SPECIAL, /* no file, directory or link */
	HXS_FOUND_ENV, /* an .env file */
	HXS_FOUND_BESIDE, /* a part of the database beside which it lies */
};

struct hxs_found {
	struct hxs_tree_stat st;
	dev_t dev;
	nlink_t nlink;
	size_t name; /* where in the scan's text, each with a NUL */
	size_t target; /* of a symbolic link, likewise */
	size_t xattrs; /* of a symbolic link */
	uint32_t xattrs_len;
	uint8_t as; /* enum hxs_found_as */
};

struct hxs_scan {
	const struct hxs_scan_rules *rules;
	struct hxs_buf path; /* of the directory, below the top */
	/* what came of it */
	int r; /* 0, or -errno and where: */
	enum hxs_scan_step {
		HXS_SCAN_OPEN,
		HXS_SCAN_READ,
		HXS_SCAN_LOOK, /* at name @at */
		HXS_SCAN_LINK, /* the link @at */
	} step;
	size_t at;
	struct hxs_tree_stat st; /* the directory's */
	struct hxs_buf xattrs;
	struct hxs_buf text;
	struct hxs_found *found;
	uint32_t *order; /* of found, by inode: that of a disk, more or less */
	size_t count, cap;
};

void hxs_scan_init(struct hxs_scan *s, const struct hxs_scan_rules *rules);
void hxs_scan_release(struct hxs_scan *s);

/*
 * Look at everything in the directory s->path, into the fields above; what
 * they held before is forgotten. s->r is -ECANCELED when the capture ended.
 */
void hxs_scan_dir(struct hxs_scan *s);

/* The same for the one file @name of the top alone. */
void hxs_scan_file(struct hxs_scan *s, const char *name);

static inline const char *hxs_scan_text(const struct hxs_scan *s, size_t at)
{
	return s->text.data + at;
}

#endif
