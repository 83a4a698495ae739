/*
 * Asking the kernel, not the lock: who only looks makes nobody busy. Locks of
 * processes in another pid namespace are not listed there.
 */
#include "store/lock.h"

#include "base/io.h"
#include "base/path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOCKS_MAX (16u << 20) /* bytes of /proc/locks */

/* "1: FLOCK  ADVISORY  WRITE 123 08:01:4711 0 EOF" */
static bool is_of(const char *line, uint64_t ino)
{
	uint64_t found;

	return sscanf(line, "%*u: FLOCK %*s WRITE %*d %*x:%*x:%" SCNu64,
		      &found) == 1 &&
	       found == ino;
}

bool hxs_lock_held(const struct hxs_store *s, const char *env)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	const char *line;
	struct stat st;
	size_t len;

	if (!hxs_path_is_name(env) ||
	    hxs_buf_printf(&path, ".hxsnap/locks/%s", env) < 0)
		return false;
	fd = hxs_io_open_beneath(hxs_store_fd(s), path.data, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	(void)close(fd); /* only a place */
	fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || hxs_io_read_all(fd, LOCKS_MAX, &text, &len) < 0)
		return false;
	for (line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (is_of(line, st.st_ino))
			return true;
	}
	return false;
}
