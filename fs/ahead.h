#ifndef HXFS_AHEAD_H
#define HXFS_AHEAD_H

/*
 * Reading ahead across files.
 *
 * A program that copies a tree opens one small file after the other, and on a
 * cold disk waits for each. The kernel reads ahead within a file; here a few
 * threads do so across the files of a directory: when files are opened in
 * order and opening or reading one was slow, the next ones are fetched into
 * the store's page cache. Nothing is looked at, nothing is believed.
 */
#include "fs/hxfs.h"

struct hxfs_ahead;

/* Threads start when they are first needed. */
HXS_MUST_CHECK
int hxfs_ahead_new(struct hxfs *fs, struct hxfs_ahead **out);
void hxfs_ahead_free(struct hxfs_ahead *a); /* takes NULL */

/* Entry @n of the pinned slot @s is being opened. Never blocks. */
void hxfs_ahead_opened(struct hxfs_ahead *a, struct hxfs_slot *s, uint32_t n);

/* Opening or reading a file has taken @seconds. */
void hxfs_ahead_took(struct hxfs_ahead *a, double seconds);

#endif
