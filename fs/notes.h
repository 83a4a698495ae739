#ifndef HXFS_NOTES_H
#define HXFS_NOTES_H

/*
 * What the kernel must be told of: names that came, went or moved in the root
 * and in environments. Handlers and scans put notes down, one thread takes
 * them up and calls the kernel while holding no lock.
 */
#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct hxfs_notes;

enum hxfs_note_kind {
	HXFS_NOTE_NAME, /* drop what is cached for this name */
	HXFS_NOTE_GONE, /* the same, and it is no more */
	HXFS_NOTE_DIR, /* drop the cached listing */
};

struct hxfs_note {
	enum hxfs_note_kind kind;
	uint64_t dir;
	uint64_t child; /* GONE */
	char name[72]; /* NAME, GONE */
};

/* What the watching thread is asked to do besides. */
enum hxfs_wish {
	HXFS_WISH_NOTES = 1, /* there are notes */
	HXFS_WISH_RESCAN = 2, /* look at everything anew */
	HXFS_WISH_STOP = 4,
};

HXS_MUST_CHECK
int hxfs_notes_new(struct hxfs_notes **out);
void hxfs_notes_free(struct hxfs_notes *n);

/* Readable while there is a wish. */
int hxfs_notes_fd(const struct hxfs_notes *n);

/*
 * Put one down; never blocks, never calls the kernel. When there is no memory
 * the note is lost: names expire by themselves within a second, and of lost
 * listings every one is told (hxfs_notes_take()'s @lost).
 */
void hxfs_notes_add(struct hxfs_notes *n, enum hxfs_note_kind kind,
		    uint64_t dir, uint64_t child, const char *name);

/* Ask for @wish; safe in a signal's thread, not in a signal handler. */
void hxfs_notes_wish(struct hxfs_notes *n, enum hxfs_wish wish);

/* Take the wishes made since the last call. */
unsigned hxfs_notes_wishes(struct hxfs_notes *n);

/* Take the oldest note: false when there is none. */
bool hxfs_notes_take(struct hxfs_notes *n, struct hxfs_note *out);

/* Whether notes were lost since the last call. */
bool hxfs_notes_lost(struct hxfs_notes *n);

#endif
