#ifndef HXFS_RECORD_H
#define HXFS_RECORD_H

/*
 * The damage that readers met, put down in the store beside what verify found
 * (store/result.h), so that it outlives the mount: a thread of its own does
 * it, as no reader waits for a disk that is written to. A mount that may not
 * write the store, or is not to (ro), puts down nothing.
 */
#include "fs/hxfs.h"

/* The thread; 0 or -errno. It ends, and what waits is done, with _stop(). */
HXS_MUST_CHECK
int hxfs_record_start(struct hxfs *fs);
void hxfs_record_stop(struct hxfs *fs);

/*
 * Reading entry @entry of the pinned, loaded slot @s ended with -errno @r and
 * @fault. Never blocks; lost without memory or when very many wait, since who
 * meets it next tells of it again.
 */
void hxfs_record_fault(struct hxfs *fs, const struct hxfs_slot *s,
		       uint32_t entry, const struct hxs_fault *fault, int r);

#endif
