#include "fs/signals.h"

#include "base/io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t bit(int sig)
{
	return 1ull << (sig - 1);
}

/* The set of signals in the line of @text that begins with @key. */
static bool find_set(const char *text, const char *key, uint64_t *out)
{
	const char *at = strstr(text, key);

	return at && sscanf(at + strlen(key), "%" SCNx64, out) == 1;
}

bool hxfs_signals_in_status(const char *text, size_t len)
{
	const uint64_t asks =
		bit(SIGINT) | bit(SIGTERM) | bit(SIGHUP) | bit(SIGQUIT);
	const uint64_t stops =
		bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
	uint64_t own, shared, blocked, caught, pending;
	char copy[4096];

	if (len >= sizeof(copy))
		len = sizeof(copy) - 1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!find_set(copy, "\nSigPnd:", &own) ||
	    !find_set(copy, "\nShdPnd:", &shared) ||
	    !find_set(copy, "\nSigBlk:", &blocked) ||
	    !find_set(copy, "\nSigCgt:", &caught))
		return true;
	/* What is ignored is never pending, unless it is blocked. */
	pending = (own | shared) & ~blocked;
	return (pending & asks) || (pending & ~caught & ~stops);
}

bool hxfs_signals_want_end(pid_t tid)
{
	HXS_AUTO_CLOSE int fd = -1;
	char path[64], text[4096];
	ssize_t n;

	if (tid <= 0)
		return true; /* of another process namespace */
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = hxs_io_read_full(fd, text, sizeof(text));
	return n <= 0 || hxfs_signals_in_status(text, (size_t)n);
}
