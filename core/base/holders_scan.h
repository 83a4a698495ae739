#ifndef HXS_BASE_HOLDERS_SCAN_H
#define HXS_BASE_HOLDERS_SCAN_H

/* What base/holders.c and base/holders_process.c share. */
#include "base/holders.h"
#include "base/places.h"

/* What one mount namespace, seen from one root, shows. */
struct hxs_view {
	char ns[64]; /* "mnt:[4026531841]" */
	char *root;
	struct hxs_places places;
};

struct hxs_scan {
	struct hxs_object object;
	struct hxs_view *view; /* the first is ours */
	size_t view_count;
	struct hxs_holders *out;
	/* the process, and its thread, under work */
	pid_t pid;
	const struct hxs_view *here;
	int fd; /* /proc/PID/task/TID */
	bool found; /* it is a holder: enough of it */
	bool denied;
};

/*
 * Whether path @text, of link @name in @dirfd (or -1), seen in @v, is in the
 * tree: 1 with *@place and the *@rest of the path, or 0.
 */
int hxs_holders_match(const struct hxs_view *v, const char *text, int dirfd,
		      const char *name, const struct hxs_place **place,
		      const char **rest);

/* Note a holder of @path and @rest. -ENOMEM. */
int hxs_holders_add(struct hxs_holders *h, pid_t pid, const char *command,
		    const char *path, const char *rest);

/* Read all of the file @name of /proc or /sys; 0 or -errno. */
int hxs_holders_read(int dirfd, const char *name, char **out, size_t *len);

/*
 * The view from process @procfd, a directory of /proc: one that is there
 * already or a new one. *@out is its number. A process that has ended is
 * told as -ENOENT or -ESRCH.
 */
int hxs_holders_view(struct hxs_scan *s, int procfd, size_t *out);

/* Look at the process whose number @name is, if it is one; hxs_io_list_fn. */
int hxs_holders_see(const char *name, unsigned char type, void *scan);

#endif
