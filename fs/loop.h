#ifndef HXFS_LOOP_H
#define HXFS_LOOP_H

/*
 * The loop that takes requests from the kernel and has them answered.
 *
 * Several threads, of which one leads: it waits for the next request, and
 * answers by itself what takes no time. So a client that asks for one small
 * thing after the other always talks to the same thread, which is twice as
 * quick as waking another one for each. What may take long (reading much; or
 * anything from a disk, when what came before had to wait for it) is answered
 * after the lead was passed on; and if a request takes long all the same,
 * another thread notices and takes the lead.
 */
#include "base/err.h"

struct fuse_session;
struct hxfs_loop;

HXS_MUST_CHECK
int hxfs_loop_new(struct fuse_session *se, unsigned threads,
		  struct hxfs_loop **out);
void hxfs_loop_free(struct hxfs_loop *l); /* takes NULL */

/*
 * Serve until the mount ends or somebody ends the loop; returns when every
 * request that was taken has been answered, or was given to somebody else.
 * -errno when the kernel cannot be listened to.
 */
HXS_MUST_CHECK
int hxfs_loop_run(struct hxfs_loop *l);

/* Have it end. From any thread, also before it runs, and more than once. */
void hxfs_loop_end(struct hxfs_loop *l);

#endif
