#ifndef HXFS_DUE_H
#define HXFS_DUE_H

/*
 * Restores that were to be confirmed in time (verbs/confirm.h), and that
 * nobody waits for: one that was asked for in a control file, or one whose
 * command is dead. As long as there is time the health hooks are asked; when
 * it is over the old state is put back. What becomes of it is logged and
 * recorded; that it cannot be done keeps nobody from mounting.
 */
#include "fs/hxfs.h"

HXS_MUST_CHECK
int hxfs_due_new(struct hxfs *fs, struct hxfs_due **out);
void hxfs_due_free(struct hxfs_due *d); /* takes NULL */

/* Before anything is shown: put back what is due. */
void hxfs_due(struct hxfs *fs);

/* Start a thread that goes on with it. -errno. */
HXS_MUST_CHECK
int hxfs_due_start(struct hxfs_due *d);

/* There is one more: have it looked at at once. */
void hxfs_due_look(struct hxfs_due *d);

/*
 * End the thread. What is just being put back is put back first; what is not
 * due yet is left to who comes next. May be called twice.
 */
void hxfs_due_stop(struct hxfs_due *d);

#endif
