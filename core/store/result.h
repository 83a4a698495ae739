#ifndef HXS_STORE_RESULT_H
#define HXS_STORE_RESULT_H

/*
 * What the last full verify of a snapshot found, kept in
 * STORE/.hxsnap/verify/{backups,rollbacks}/ENV/ID.json, and pins in
 * STORE/.hxsnap/pins/{backups,rollbacks}/ENV/ID.
 *
 * A result speaks of the bytes that had manifest digest @manifest. A damaged
 * or unreadable result file counts as none.
 */
#include "base/digest.h"
#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct hxs_result {
	bool passed;
	int64_t when; /* seconds, UTC, when it ended */
	struct hxs_digest manifest; /* digest of manifest.sha256 */
	uint64_t files, bytes, faults;
	char first_fault[512]; /* shown text, or "" */
	bool by_reader; /* who met one fault, and looked at nothing else */
};

/* Durable. */
HXS_MUST_CHECK
int hxs_result_save(struct hxs_store *s, enum hxs_kind kind, const char *env,
		    const char *id, const struct hxs_result *r,
		    struct hxs_err *err);

/*
 * Put down that a reader met @fault (shown text), now, in what has the manifest
 * of digest @manifest. A result that tells of damage in it already stays as it
 * is: it may tell more. Nothing is put down of a snapshot that is gone.
 * Durable. 1 when it was put down, else 0.
 */
HXS_MUST_CHECK
int hxs_result_note(struct hxs_store *s, enum hxs_kind kind, const char *env,
		    const char *id, const struct hxs_digest *manifest,
		    const char *fault, struct hxs_err *err);

/* 1 with *@out filled, 0 when there is none. */
int hxs_result_load(const struct hxs_store *s, enum hxs_kind kind,
		    const char *env, const char *id, struct hxs_result *out);

/* Whether there is one, be it damaged or not to be read. */
bool hxs_result_is_there(const struct hxs_store *s, enum hxs_kind kind,
			 const char *env, const char *id);

/*
 * The newest backup of @env whose result says passed: 1 with @id filled, 0
 * when there is none, or -errno.
 */
int hxs_result_latest(const struct hxs_store *s, const char *env,
		      char id[HXS_ID_LEN + 1]);

/* Keep a snapshot for ever; no longer; and whether it is kept. Durable. */
HXS_MUST_CHECK
int hxs_result_pin(struct hxs_store *s, enum hxs_kind kind, const char *env,
		   const char *id, struct hxs_err *err);
HXS_MUST_CHECK
int hxs_result_unpin(struct hxs_store *s, enum hxs_kind kind, const char *env,
		     const char *id, struct hxs_err *err);
bool hxs_result_is_pinned(const struct hxs_store *s, enum hxs_kind kind,
			  const char *env, const char *id);

/*
 * Forget what is known of a snapshot that is gone: its result and its pin.
 * What was not there is success. 0 or -errno.
 */
HXS_MUST_CHECK
int hxs_result_forget(struct hxs_store *s, enum hxs_kind kind, const char *env,
		      const char *id);

#endif
