#ifndef HXFS_METRICS_H
#define HXFS_METRICS_H

/* The numbers of .status as Prometheus text. */
#include "base/buf.h"
#include "fs/hxfs.h"

/* Failures stay in the buffer's status. */
void hxfs_metrics_put(struct hxfs *fs, struct hxs_buf *b);

#endif
