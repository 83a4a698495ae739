#ifndef HXFS_DUE_H
#define HXFS_DUE_H

/*
 * Before anything is shown: put back what was restored, was to be confirmed in
 * time, and was not (verbs/confirm.h). What becomes of it is logged; that it
 * cannot be done keeps nobody from mounting.
 */
#include "fs/hxfs.h"

void hxfs_due(struct hxfs *fs);

#endif
