#ifndef HXS_SOURCE_CAPTURE_H
#define HXS_SOURCE_CAPTURE_H

/*
 * One capture under way: what all of its sources share. The verb sets it up;
 * sources put entries into the builder and bytes into the staging directory,
 * and tell here what they come across.
 */
#include "base/err.h"
#include "base/pool.h"
#include "format/index.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Who to tell: the callbacks of a verb's listener. All may be NULL. */
struct hxs_capture_ears {
	void (*progress)(uint64_t files, uint64_t bytes, void *ctx);
	void (*warning)(const char *text, void *ctx);
	bool (*cancelled)(void *ctx);
	void *ctx;
};

struct hxs_scribe; /* a worker's buffer and chain maker, see copy.h */

struct hxs_capture {
	/* set by the verb before any source is listed; borrowed */
	struct hxs_index_builder *builder;
	struct hxs_pool *pool;
	int dest; /* the staging directory */
	/*
	 * An earlier backup to link unchanged files from; NULL: read all. Set
	 * only when all sources have been listed.
	 */
	const struct hxs_index *prev;
	int prev_fd;
	/* Directories no source may hold or reach: the store's own. */
	struct hxs_capture_id {
		dev_t dev;
		ino_t ino;
	} own[4];
	unsigned own_count;
	int store_fd; /* the store's root */
	struct hxs_capture_ears ears;

	pthread_mutex_t lock; /* guards all below */
	int failed; /* the first failure, or 0; atomic for those who ask */
	struct hxs_err err;
	char **warnings;
	size_t warning_count, warning_bytes;
	uint64_t warnings_dropped;
	uint64_t files, bytes; /* done */
	uint64_t linked_files, linked_bytes;
	double last_progress;
	struct hxs_scribe *idle; /* a stack */
};

void hxs_capture_init(struct hxs_capture *cap);
void hxs_capture_release(struct hxs_capture *cap);
#define HXS_AUTO_CAPTURE __attribute__((cleanup(hxs_capture_release)))

/* Whether @st is one of the store's own directories. */
bool hxs_capture_is_own(const struct hxs_capture *cap, dev_t dev, ino_t ino);

/*
 * Note a sentence for people and for meta.json. Too many are only counted;
 * hxs_capture_end_warnings() says how many those were. Names in it were
 * passed through hxs_path_show().
 */
void hxs_capture_warn(struct hxs_capture *cap, const char *fmt, ...)
	HXS_PRINTF(2, 3);
void hxs_capture_end_warnings(struct hxs_capture *cap);

/* Count what was done, and tell the listener now and then. */
void hxs_capture_done(struct hxs_capture *cap, uint64_t files, uint64_t bytes,
		      bool linked);

/* Keep the first failure of any thread. */
void hxs_capture_fail(struct hxs_capture *cap, int r,
		      const struct hxs_err *err);

/* Whether to go on: false after a failure or when the caller cancelled. */
bool hxs_capture_goes_on(struct hxs_capture *cap);

/* 0, or the first failure with its message in @err. */
int hxs_capture_status(struct hxs_capture *cap, struct hxs_err *err);

#endif
