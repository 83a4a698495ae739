#ifndef HXFS_CONTROL_PARTS_H
#define HXFS_CONTROL_PARTS_H

/* What the files fs/control*.c share. */
#include "fs/control.h"
#include "fs/control_limit.h"
#include "verbs/hooks.h"

#define HXFS_WARNINGS 16u /* told one by one; the rest is counted */

/* How a command ended. */
struct hxfs_outcome {
	const char *command; /* a verb's name, or NULL */
	char env[HXS_ENV_MAX + 1]; /* or "" */
	char reference[HXS_REF_TEXT]; /* or "" */
	char id[HXS_ID_LEN + 1]; /* CREATE: of the new one, or "" */
	char rollback_id[HXS_ID_LEN + 1]; /* or "" */
	bool counted; /* files and bytes are known */
	uint64_t files, bytes;
	uint64_t faults; /* VERIFY */
	struct hxs_after after; /* CREATE, RESTORE, ROLLBACK: its hooks */
	bool cancelled; /* CANCEL: it was in time */
	bool began; /* there was work; or it was refused before any */
	int64_t confirm_until; /* it is to be confirmed; else 0 */
	double seconds;
	char *warning[HXFS_WARNINGS];
	unsigned warnings; /* in all */
	int status;
	int result; /* done, and recorded as: 0, or -HXS_EAFTER */
	struct hxs_err err; /* why not; or a sentence about success */
};

void hxfs_outcome_release(struct hxfs_outcome *o);

/* A text that several handles may hold. */
struct hxfs_reply {
	unsigned refs; /* guarded by c->lock */
	size_t len;
	char text[];
};

/* One line of JSON; NULL without memory. @o NULL: that there was none yet. */
struct hxfs_reply *hxfs_reply_new(const struct hxfs_outcome *o);

struct hxfs_control_handle {
	struct hxfs_control_handle *next, **link; /* among c->handles */
	struct hxfs_node node;
	/* guarded by c->lock */
	struct hxfs_line line;
	bool busy; /* a write is not answered yet */
	bool wrote; /* @reply is its own */
	struct hxfs_reply *reply;
	size_t cursor;
};

enum hxfs_place hxfs_control_place(const struct hxfs_node *node);

struct hxfs_control {
	struct hxfs *fs;
	void (*tell)(void *ctx);
	void *tell_ctx;
	pthread_t desk, worker;
	bool started;
	atomic_uint_fast32_t serial;
	atomic_bool cancelled; /* the command under way is to end */
	struct hxfs_reply *out_of_memory;

	pthread_mutex_t lock;
	pthread_cond_t to_desk, to_worker;
	/* guarded by lock */
	struct hxfs_control_handle *handles;
	struct hxfs_reply *last;
	struct hxfs_ticket *first, **tail; /* for the desk */
	struct hxfs_ticket *cancels; /* wait for the end of the command */
	struct hxfs_ticket *job; /* for the worker, with @command */
	struct hxfs_command command;
	bool busy; /* a command is under way */
	bool working; /* and until everybody was answered */
	bool stopping, ending;
	bool given_up; /* the command under way did not end */
	struct hxfs_operation now; /* @busy */
	double began;
	uint64_t commands, failures;
	struct hxfs_limit limit;
};

/*
 * Carry out @command that @t brought; @out is filled. Called on the worker's
 * thread, without a lock.
 */
void hxfs_control_run(struct hxfs_control *c, struct hxfs_ticket *t,
		      const struct hxfs_command *command,
		      struct hxfs_outcome *out);

/*
 * Likewise for `confirm`, which waits for no other command: called on the
 * desk's thread.
 */
void hxfs_control_confirm(struct hxfs_control *c, struct hxfs_ticket *t,
			  const struct hxfs_command *command,
			  struct hxfs_outcome *out);

/*
 * Put it in the audit log and the daemon's own, but for what did no work, or
 * found all verified, and comes faster than HXFS_LIMIT_RATE: that is counted,
 * and told with the next. What cannot be recorded is added to the warnings of @o.
 */
void hxfs_control_record(struct hxfs_control *c, const struct hxfs_ticket *t,
			 struct hxfs_outcome *o);

/* Before the end: what was counted and not told yet. */
void hxfs_control_record_end(struct hxfs_control *c);

/* Make @o the reply that is read by @t's handle, and by those without one. */
void hxfs_control_show(struct hxfs_control *c, struct hxfs_ticket *t,
		       const struct hxfs_outcome *o);

#endif
