#ifndef HXFS_CONTROL_H
#define HXFS_CONTROL_H

/*
 * The control files: what is written to them is carried out, one command at
 * a time. Knows nothing of FUSE.
 *
 * Commands run on a thread of their own. Before it stands another, the desk:
 * it refuses what is not understood, was not allowed, or comes while a
 * command is under way, and takes what is to cancel that. So nothing that a
 * reader waits for waits for a command, or for the disk under the audit log.
 */
#include "fs/control_parse.h"
#include "fs/hxfs.h"
#include "verbs/progress.h"

#include <sys/types.h>

struct hxfs_control; /* fs->control; NULL where there are no control files */
struct hxfs_control_handle; /* an open control file */

HXS_MUST_CHECK
int hxfs_control_new(struct hxfs *fs, struct hxfs_control **out);

/*
 * Start the threads. @tell is called when the tables have changed, holding no
 * lock, and returns when the kernel knows.
 */
HXS_MUST_CHECK
int hxfs_control_start(struct hxfs_control *c, void (*tell)(void *ctx),
		       void *ctx);

/*
 * Refuse what comes from now on, cancel what is under way and wait, but not
 * for ever, until all is as it was. Requests must still be served. May be
 * called twice. Takes NULL.
 */
void hxfs_control_stop(struct hxfs_control *c);

/* After that, when no request comes any more: end the threads. Takes NULL. */
void hxfs_control_end(struct hxfs_control *c);

/* Threads have ended. Takes NULL; closes what nobody closed. */
void hxfs_control_free(struct hxfs_control *c);

/* A number for the control file @of @which (see fs/number.h). */
uint64_t hxfs_control_number(struct hxfs_control *c, enum hxfs_kind of,
			     uint32_t which);

/* ---- open files ---------------------------------------------------------- */

/* The opener was allowed to. */
HXS_MUST_CHECK
int hxfs_control_open(struct hxfs_control *c, const struct hxfs_node *node,
		      struct hxfs_control_handle **out);
void hxfs_control_close(struct hxfs_control *c, struct hxfs_control_handle *h);

/*
 * At most @len bytes of the reply, into @buf. To who has written it is the
 * reply to that, read on from where the last read ended or, at @off 0, from
 * its beginning; to others that to the last command of all, at @off.
 */
HXS_MUST_CHECK
ssize_t hxfs_control_read(struct hxfs_control *c, struct hxfs_control_handle *h,
			  uint64_t off, char *buf, size_t len);

/* ---- writes -------------------------------------------------------------- */

/*
 * One write, or one attempt to open, until it is answered. Who made it fills
 * in what stands before @line.
 */
struct hxfs_ticket {
	struct hxfs_control_handle *h; /* NULL: was not let in */
	uid_t uid;
	pid_t pid; /* the thread's; 0 unknown */
	/* The answer: once, from any thread; it then owns the ticket. */
	void (*answer)(struct hxfs_ticket *t, int r);
	atomic_bool interrupted; /* a signal came for the writer */
	int status; /* refused already: why is in @err */
	struct hxs_err err;
	char *line;
	size_t len;
	size_t taken; /* bytes of the write */
	struct hxfs_ticket *next;
};

/*
 * Take the bytes of a write to @t->h: 0 when there is nothing to do but to
 * answer that t->taken bytes were taken, 1 when @t must be submitted.
 */
HXS_MUST_CHECK
int hxfs_control_take(struct hxfs_control *c, struct hxfs_ticket *t,
		      const char *buf, size_t size);

/* Carry it out, or refuse it, and have it answered. */
void hxfs_control_submit(struct hxfs_control *c, struct hxfs_ticket *t);

/* Free what a ticket owns. */
void hxfs_ticket_release(struct hxfs_ticket *t);

/* ---- what is going on ---------------------------------------------------- */

struct hxfs_operation {
	enum hxfs_verb verb;
	char env[HXS_ENV_MAX + 1]; /* "" until it is known */
	char reference[HXS_REF_TEXT]; /* of the snapshot; or "" */
	int64_t started; /* seconds since 1970 */
	double seconds; /* since then */
	struct hxs_progress progress;
	bool cancelling;
};

/* Whether a command is under way, and which. @c may be NULL. */
bool hxfs_control_now(struct hxfs_control *c, struct hxfs_operation *out);

/* Commands carried out or refused since the start, and how many failed. */
void hxfs_control_counts(struct hxfs_control *c, uint64_t *commands,
			 uint64_t *failures);

#endif
