#ifndef HXS_STORE_DRILLS_H
#define HXS_STORE_DRILLS_H

/*
 * What drills found, kept in STORE/.hxsnap/drills/ENV/DRILL_ID.json. A drill's
 * id is the time it began, spelled as a snapshot's and strictly increasing
 * within its environment.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define HXS_DRILLS_DIR ".hxsnap/drills" /* below it, one an environment */

enum hxs_drill_status {
	HXS_DRILL_PASSED = 1,
	HXS_DRILL_FAILED, /* what was tried did not work, or took too long */
	HXS_DRILL_INCONCLUSIVE, /* it could not be tried */
};

struct hxs_drill_step {
	char *step; /* "restore", "check events" */
	bool passed;
	double seconds;
	char *detail; /* what was found, or why it did not pass; or "" */
};

/* The newest record that the data themselves tell of. */
struct hxs_drill_point {
	char source[HXS_ENV_MAX + 1]; /* "": none is known */
	bool has_sequence, has_time;
	int64_t sequence;
	char time[64]; /* as it stands in the record */
	int64_t age; /* seconds, when the snapshot was made */
};

struct hxs_drill_report {
	char id[HXS_ID_LEN + 1];
	char env[HXS_ENV_MAX + 1];
	char reference[HXS_REF_TEXT]; /* as far as it is known */
	enum hxs_drill_status status;
	int64_t started, finished; /* seconds, UTC */
	double rto_actual; /* seconds; below 0: it did not come that far */
	double rto_target; /* seconds; below 0: none is set */
	struct hxs_drill_point point;
	struct hxs_drill_step *steps;
	size_t step_count;
	char **warnings;
	size_t warning_count;
};
void hxs_drills_release(struct hxs_drill_report *d);

/* "passed", "failed", "inconclusive". */
const char *hxs_drills_status_name(enum hxs_drill_status status);

/* Add a step, or a warning; texts are copied. -ENOMEM. */
HXS_MUST_CHECK
int hxs_drills_add_step(struct hxs_drill_report *d, const char *step,
			bool passed, double seconds, const char *detail);
HXS_MUST_CHECK
int hxs_drills_add_warning(struct hxs_drill_report *d, const char *text);

/* The members of a report, into an object that @o is at. */
void hxs_drills_json(const struct hxs_drill_report *d, struct hxs_json_out *o);

/* -HXS_ECORRUPT for a text that is no report; -ENOMEM. */
HXS_MUST_CHECK
int hxs_drills_parse(const char *text, size_t len, struct hxs_drill_report *out,
		     struct hxs_err *err);

/* A handle on the directory of @env, made if it is missing; or -errno. */
HXS_MUST_CHECK
int hxs_drills_dir(struct hxs_store *s, const char *env);

/* The ids of the drills of @env, oldest first; those of none are none. */
HXS_MUST_CHECK
int hxs_drills_ids(const struct hxs_store *s, const char *env,
		   struct hxs_names *out, struct hxs_err *err);

/* Keep a report, durably. */
HXS_MUST_CHECK
int hxs_drills_save(struct hxs_store *s, const struct hxs_drill_report *d,
		    struct hxs_err *err);

/*
 * The report of drill @id: -HXS_ENOSUCH, -HXS_ECORRUPT for one that is damaged
 * or speaks of another, -errno. *@out is the caller's to release on success.
 */
HXS_MUST_CHECK
int hxs_drills_load(const struct hxs_store *s, const char *env, const char *id,
		    struct hxs_drill_report *out, struct hxs_err *err);

#endif
