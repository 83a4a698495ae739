#ifndef HXFS_OPTIONS_H
#define HXFS_OPTIONS_H

/* The command line and the words after -o. Does no I/O. */
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum hxfs_xattr { HXFS_XATTR_AUTO, HXFS_XATTR_ON, HXFS_XATTR_OFF };

struct hxfs_options {
	char *store, *mountpoint; /* as given */
	char *config; /* or NULL */
	/*
	 * Where to look for one otherwise: the directory that the program
	 * was started in. For who fills it in, the parser does not.
	 */
	char *start;
	enum hxfs_xattr xattr;
	gid_t control_gid;
	bool has_control_gid;
	bool allow_other, nocontrol, read_only, noexec;
	bool debug, foreground, help, version;
};

/*
 * Parse @argv. Unknown words and impossible values are -HXS_EUSAGE by name;
 * what mount(8) and fstab add is accepted and means nothing here. With help
 * or version set, nothing else need be there.
 *
 * Release *@out whatever the result.
 */
HXS_MUST_CHECK
int hxfs_options_parse(int argc, char **argv, struct hxfs_options *out,
		       struct hxs_err *err);
void hxfs_options_release(struct hxfs_options *o);

/* "auto", "on", "off". */
const char *hxfs_options_xattr_name(enum hxfs_xattr x);

#endif
