#ifndef HXFS_MOUNT_H
#define HXFS_MOUNT_H

/*
 * The FUSE side of a mount: the session, its threads, and how a request
 * becomes one reply.
 */
#include "fs/hxfs.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>

struct hxfs_ending;
struct hxfs_watch;

struct hxfs_mount {
	struct hxfs *fs;
	struct fuse_session *se;
	bool no_opendir; /* directories are opened by the kernel alone */
	pthread_key_t scratch; /* each thread's struct hxs_scratch */
	pthread_t main_thread;
	atomic_bool tuned; /* the first request has set the read-ahead */
	atomic_bool stopping; /* a signal asked for the end */
	atomic_bool ended; /* the loop has ended */
	atomic_bool greeted; /* the kernel has said hello */
	atomic_bool root_listed; /* somebody has asked what is in the root */
	struct hxfs_watch *watch;
	struct hxfs_ending *ending;
	pthread_mutex_t tell_lock; /* held while the kernel is told */
	pthread_mutex_t calls_lock;
	struct hxfs_call *calls; /* on workers; guarded by calls_lock */
	atomic_int_fast64_t looked; /* after those that had a signal, in ms */
	pthread_rwlock_t answering; /* held for reading while a worker does */
	void (*ready)(void *ctx); /* called when it has */
	void *ready_ctx;
};

/* Names and attributes inside a snapshot never change. */
#define HXFS_FOREVER 86400.0
/* Above, the kernel is told of changes; this bounds what it may miss. */
#define HXFS_SOON 1.0

/*
 * One request. @run does the work and replies once, or returns a negative
 * status and the reply is that error. It is tried first at once with patience
 * HXFS_NOW; if it says -EAGAIN or -EINPROGRESS it is run again on a worker, so
 * that what takes long (loading an index, walking a snapshot; hashing a
 * foreign file) holds up no other request; there the client may be
 * interrupted.
 */
struct hxfs_call {
	struct hxfs_mount *m;
	struct hxfs *fs;
	fuse_req_t req;
	int (*run)(struct hxfs_call *c);
	uint64_t ino;
	const char *name; /* borrowed from the request, or from own_name */
	char *own_name;
	size_t size;
	uint64_t off;
	struct fuse_file_info fi;
	bool plus;
	bool privileged; /* asked by root */
	pid_t tid; /* the thread that asks; 0 unknown */
	bool stranger; /* after hxfs_call_know_caller() */
	enum hxfs_patience patience;
	struct hxs_stop stop; /* of work that nobody waits for any more */
	bool deferred, claimed;
	atomic_int_fast64_t interrupted; /* when, in milliseconds */
	atomic_bool signalled; /* but its client wants the answer still */
	atomic_bool answered;
	atomic_bool registering, too_early; /* see interrupted() */
	/* on a worker, guarded by m->calls_lock */
	struct hxfs_call *next, **link; /* among m->calls */
	struct hxfs_call *follower; /* waits for the same thing */
	uint64_t key; /* what it waits for */
	bool leads; /* others may get behind it */
};

/* Begin a call: zero it, fill in request and caller. */
void hxfs_call_init(struct hxfs_call *c, fuse_req_t req, fuse_ino_t ino,
		    int (*run)(struct hxfs_call *c));
void hxfs_call_start(struct hxfs_call *c);

/*
 * Find out whether the caller neither owns the mount nor is in the control
 * group. Asks the kernel, so only where it matters, and before the start.
 */
void hxfs_call_know_caller(struct hxfs_call *c);

/*
 * Whether the reply is ours to give: false when the client was interrupted
 * and has got its answer. To be asked right before any fuse_reply_*().
 */
bool hxfs_call_claim(struct hxfs_call *c);

/*
 * Answer whatever is still on workers, whose answers are not wanted any more.
 * The loop has ended; after this the session's descriptor may be closed.
 */
void hxfs_call_abandon_all(struct hxfs_mount *m);

/* This thread's scratch, or NULL without memory. */
struct hxs_scratch *hxfs_call_scratch(struct hxfs_mount *m);

/* The table of requests; each file below fills in its part. */
void hxfs_ops_meta(struct fuse_lowlevel_ops *ops);
void hxfs_ops_data(struct fuse_lowlevel_ops *ops);
void hxfs_ops_refuse(struct fuse_lowlevel_ops *ops);
void hxfs_ops_init(struct fuse_lowlevel_ops *ops);

/*
 * Mount @fs and serve it until it is unmounted or a signal asks for the end.
 * @ready is called once when the kernel has taken the mount. -errno.
 */
HXS_MUST_CHECK
int hxfs_serve(struct hxfs *fs, void (*ready)(void *ctx), void *ctx,
	       struct hxs_err *err);

/* The thread that follows the store and tells the kernel. */
HXS_MUST_CHECK
int hxfs_watch_start(struct hxfs_mount *m, struct hxfs_watch **out);
/* End it; requests must still be served meanwhile. Takes NULL. */
void hxfs_watch_stop(struct hxfs_watch *w);

#endif
