#ifndef HXFS_CONTROL_WRITER_H
#define HXFS_CONTROL_WRITER_H

/*
 * What an interrupt of a waiting write means. The kernel sends one, and only
 * one, when any signal comes for the writer: a child of its shell that ended,
 * a stop that is to be followed by going on, or its end. Which it was stands
 * in /proc.
 */
#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether the text of a /proc/PID/status tells of a signal that waits for the
 * thread and ends it or asks it to end. True where it cannot be told.
 */
bool hxfs_writer_ends_by(const char *status);

/* The same of thread @tid as it is now; true where /proc does not say. */
bool hxfs_writer_ends(pid_t tid);

#endif
