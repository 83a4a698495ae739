#ifndef HXS_SOURCE_SYSTEM_H
#define HXS_SOURCE_SYSTEM_H

/*
 * Sources that live elsewhere than in files of their own: a database on a
 * server, or what a program gives out and takes back. A snapshot holds of one
 * what fetch() wrote: a directory of files like any other's.
 *
 * A restore stages the new state beside the old where the kind can do that,
 * and journals (store/journal.h) what undoes or finishes it, as for files:
 *
 *	probe, plan	nothing is changed yet; the journal is written
 *	stage		beside the live state
 *	intend		what is known only now; the journal is written: intent
 *	swap		the live state is the new one
 *	back		... or is the old one again
 *	clean		what is left over is removed
 *
 * Each of back and clean can be done again after it was cut short, and by a
 * process that knows nothing but the journal and the configuration. What the
 * one before it left running may still be at work: each sees to it that this
 * ends, or is known to have no effect, before it looks at what was done.
 */
#include "base/err.h"
#include "format/config.h"
#include "format/until.h"
#include "source/capture.h"
#include "source/source.h"
#include "store/journal.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* One system in a capture, a restore or a recovery. All is borrowed. */
struct hxs_system {
	const struct hxs_config_source *src;
	const char *base; /* the configuration's directory, for programs */
	const char *store; /* the store's path */
	struct hxs_store *at; /* it; NULL: what programs run is noted nowhere */
	const char *env; /* the environment's name */
	const char *id; /* of the snapshot that is made or restored, or "" */
	const char *rollback_id; /* "" until it is known, or if there is none */
	unsigned threads; /* 0: by the number of processors */
	struct hxs_capture_ears ears; /* cancelled, warning; may be empty */
	const struct hxs_until *until; /* NULL: everything */
	bool trial; /* what is staged is looked at, and never swapped in */
	struct hxs_journal_system *rec; /* NULL while capturing */
	uint64_t dropped; /* by stage(): records that lay after @until */
	double absent; /* by swap(): seconds without a live state */
	/*
	 * By fetch(), unless it is NULL: a text, the caller's, by which swap()
	 * tells a later state from the one that was captured; or nothing.
	 */
	char **mark_out;
	const char *mark; /* such a text; NULL: there was nothing to capture */
	bool guarded; /* by that swap() is to refuse a state that is later */
};

struct hxs_system_ops {
	enum hxs_source_kind kind;

	/*
	 * Write what is to be kept of it into directory @dir, whose absolute
	 * path is @path: new, empty and the caller's to remove. All that is
	 * written is one state of the source, files of mode 0600.
	 *
	 * -HXS_ENOSUCH when there is no such database, -HXS_EDENIED (the server
	 * or program refuses us), -ETIMEDOUT, -ECANCELED, -errno.
	 */
	int (*fetch)(struct hxs_system *sys, int dir, const char *path,
		     struct hxs_err *err);

	/*
	 * Before a restore: whether its programs are there, the server answers
	 * and lets us do it. -HXS_EDENIED, -HXS_EUSAGE, -errno.
	 */
	int (*probe)(struct hxs_system *sys, struct hxs_err *err);

	/* Fill in @sys->rec, for the journal, what names stage() will use. */
	int (*plan)(struct hxs_system *sys, struct hxs_err *err);

	/*
	 * Make the new state, of the verified files in @dir at @path, and
	 * check it; nothing live changes. -HXS_ECORRUPT when it is not what was
	 * captured, -HXS_EDENIED when this server cannot hold it.
	 */
	int (*stage)(struct hxs_system *sys, int dir, const char *path,
		     struct hxs_err *err);

	/* Fill in what can be told only when the live state is to change. */
	int (*intend)(struct hxs_system *sys, struct hxs_err *err);

	/*
	 * Make the staged state (files in @dir as for stage()) the live one.
	 * -HXS_EBUSY when @sys is guarded and its live state was changed; a
	 * kind that cannot tell does not ask.
	 */
	int (*swap)(struct hxs_system *sys, int dir, const char *path,
		    struct hxs_err *err);

	/*
	 * Make the old state the live one again, if swap() came as far as
	 * changing that. @dir and @path are the files that were captured
	 * into the rollback point, checked; -1 and NULL when it has none.
	 */
	int (*back)(struct hxs_system *sys, int dir, const char *path,
		    struct hxs_err *err);

	/*
	 * Remove what stage() and swap() left beside the live state. @ahead:
	 * it is the new one; the old one may be kept for as long as the
	 * rollback point is.
	 */
	int (*clean)(struct hxs_system *sys, bool ahead, struct hxs_err *err);

	/*
	 * Remove what clean() kept for rollback points of this environment and
	 * store that are not among @ids any more. NULL: nothing is kept.
	 */
	int (*sweep)(struct hxs_system *sys, const struct hxs_names *ids,
		     struct hxs_err *err);

	/*
	 * NULL if @path, below the source's directory in a snapshot, can be
	 * restored by itself, as "parts" of the record tells; else why not.
	 * NULL: no part of it can.
	 */
	const char *(*part_fault)(const struct hxs_config_source *src,
				  const char *path);
};

/* NULL for a kind that lives in files. */
const struct hxs_system_ops *hxs_system_ops(enum hxs_source_kind kind);

extern const struct hxs_system_ops hxs_system_postgres;
extern const struct hxs_system_ops hxs_system_command;

/*
 * As sources (source/source.h) they are the files that fetch() wrote into
 * the staging directory, below the source's name.
 */
extern const struct hxs_source_ops hxs_source_postgres;
extern const struct hxs_source_ops hxs_source_command;

#endif
