/* What tells a store from another one at the same path of another host. */
#include "store/store.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#define STATE_DIR ".hxsnap"
#define NAME "id"

/* The digits and the end of a line, or -ENOENT. */
static int read_identity(int dir, char out[HXS_STORE_IDENTITY + 1])
{
	HXS_AUTO_CLOSE int fd = hxs_io_open_regular(dir, NAME, NULL);
	char text[HXS_STORE_IDENTITY + 2];
	ssize_t n;

	if (fd < 0)
		return fd;
	n = hxs_io_read_full(fd, text, sizeof(text));
	if (n < 0)
		return (int)n;
	if (n != HXS_STORE_IDENTITY + 1 || text[HXS_STORE_IDENTITY] != '\n' ||
	    memchr(text, '\0', HXS_STORE_IDENTITY))
		return -HXS_ECORRUPT;
	text[HXS_STORE_IDENTITY] = '\0';
	if (strspn(text, "0123456789abcdef") != HXS_STORE_IDENTITY)
		return -HXS_ECORRUPT;
	memcpy(out, text, sizeof(text) - 1);
	return 0;
}

static int make_identity(int dir, char out[HXS_STORE_IDENTITY + 1])
{
	unsigned char rnd[HXS_STORE_IDENTITY / 2];
	char text[HXS_STORE_IDENTITY + 2];
	size_t i;
	int r;

	if (getrandom(rnd, sizeof(rnd), 0) != (ssize_t)sizeof(rnd))
		return -EIO;
	for (i = 0; i < sizeof(rnd); i++)
		(void)snprintf(text + 2 * i, 3, "%02x", rnd[i]);
	text[HXS_STORE_IDENTITY] = '\n';
	r = hxs_io_publish(dir, NAME, text, HXS_STORE_IDENTITY + 1, 0644);
	return r < 0 ? r : read_identity(dir, out);
}

int hxs_store_identity(struct hxs_store *s, char out[HXS_STORE_IDENTITY + 1],
		       struct hxs_err *err)
{
	HXS_AUTO_CLOSE int dir = hxs_io_open_dir(hxs_store_fd(s), STATE_DIR);
	int r;

	if (dir == -ENOENT)
		dir = hxs_store_make_dir(s, STATE_DIR, 0755, NULL);
	r = dir < 0 ? dir : read_identity(dir, out);
	if (r == -ENOENT) {
		do /* two may see that there is none */
			r = flock(dir, LOCK_EX) < 0 ? -errno : 0;
		while (r == -EINTR);
		if (r == 0)
			r = read_identity(dir, out);
		if (r == -ENOENT)
			r = make_identity(dir, out);
	}
	if (r == -HXS_ECORRUPT) {
		r = hxs_err_set(err, HXS_ECORRUPT, "'%s/%s/%s' is damaged",
				hxs_store_path(s), STATE_DIR, NAME);
		hxs_err_hint(err, "remove it: another is made, and what was "
				  "kept of databases so far is to be removed "
				  "by hand");
		return r;
	}
	return r < 0 ? hxs_err_errno(err, -r, "cannot tell store '%s' by name",
				     hxs_store_path(s))
		     : 0;
}
