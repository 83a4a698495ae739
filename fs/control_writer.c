#include "fs/control_writer.h"

#include "base/io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STATUS_MAX 65536u

#define BIT(sig) (UINT64_C(1) << ((sig)-1))

/* By these a person or a program asks for the end, caught or not. */
#define ASKING \
	(BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGTERM) | BIT(SIGALRM))

/* These end nothing when nobody catches them. */
#define HARMLESS                                                     \
	(BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH) | \
	 BIT(SIGSTOP) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))

static bool find_mask(const char *text, const char *key, uint64_t *out)
{
	const char *at = strstr(text, key);

	return at && sscanf(at + strlen(key), "%" SCNx64, out) == 1;
}

bool hxfs_writer_ends_by(const char *status)
{
	uint64_t own, shared, blocked, ignored, caught, waits;

	if (!find_mask(status, "\nSigPnd:", &own) ||
	    !find_mask(status, "\nShdPnd:", &shared) ||
	    !find_mask(status, "\nSigBlk:", &blocked) ||
	    !find_mask(status, "\nSigIgn:", &ignored) ||
	    !find_mask(status, "\nSigCgt:", &caught))
		return true;
	waits = (own | shared) & ~blocked & ~ignored;
	return (waits & (ASKING | (~caught & ~HARMLESS))) != 0;
}

bool hxfs_writer_ends(pid_t tid)
{
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	char path[64];
	size_t len;

	if (tid <= 0)
		return true; /* of another world: it cannot be asked */
	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || hxs_io_read_all(fd, STATUS_MAX, &text, &len) < 0)
		return true;
	return hxfs_writer_ends_by(text);
}
