#ifndef HXFS_SIGNALS_H
#define HXFS_SIGNALS_H

/*
 * What signals want of a thread that waits for a reply.
 *
 * Any signal makes the kernel ask us to interrupt the request, once, and does
 * not say which. A program that handles SIGALRM or SIGURG does not expect
 * open(2) to fail because of it; one that is to end must get its reply.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Whether thread @tid has a signal pending that ends it, or that a person or
 * a manager sends to be done with it (SIGINT, SIGTERM, SIGHUP, SIGQUIT). True
 * also if that cannot be told.
 */
bool hxfs_signals_want_end(pid_t tid);

/* The same from the text of /proc/TID/status (@len bytes). Does no I/O. */
bool hxfs_signals_in_status(const char *text, size_t len);

#endif
