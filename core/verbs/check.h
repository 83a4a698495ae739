#ifndef HXS_VERBS_CHECK_H
#define HXS_VERBS_CHECK_H

/*
 * What is wrong with a store, for an operator or a monitor. In two steps:
 * the facts are gathered, then judged; judging does no I/O, so that every
 * rule of it can be tested. Nothing is changed, no lock is taken, and a user
 * who may only read the store can do it.
 */
#include "base/err.h"
#include "format/config.h"
#include "format/ref.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As monitors count; the worst is not the last. */
enum hxs_check_state {
	HXS_CHECK_OK = 0,
	HXS_CHECK_WARNING = 1,
	HXS_CHECK_CRITICAL = 2,
	HXS_CHECK_UNKNOWN = 3,
};

/* What may be wrong: first of an environment, then of the store. */
enum hxs_check_condition {
	HXS_CHECK_BACKUP, /* there is one */
	HXS_CHECK_AGE, /* the newest that is not damaged is within the RPO */
	HXS_CHECK_SIZE, /* the newest holds the least that it should */
	HXS_CHECK_USUAL, /* ... and about as much as those before it */
	HXS_CHECK_VERIFIED, /* one was verified not long ago */
	HXS_CHECK_DAMAGE, /* none is known to be damaged */
	HXS_CHECK_DRILL, /* the last drill passed, and is not long ago */
	HXS_CHECK_INTERRUPTED, /* no restore waits for recovery */
	HXS_CHECK_UNCONFIRMED, /* none waits for confirmation */
	HXS_CHECK_CLOCK, /* no snapshot is of the future */
	HXS_CHECK_ENV_CONDITIONS,
	HXS_CHECK_SPACE = HXS_CHECK_ENV_CONDITIONS,
	HXS_CHECK_AUDIT, /* the audit log's chain is whole */
	HXS_CHECK_ACCESS, /* configuration, store, metrics: all could be done */
	HXS_CHECK_CONDITIONS
};

/* "backup" and so on; "ok" and so on. */
const char *hxs_check_condition_name(enum hxs_check_condition c);
const char *hxs_check_state_name(enum hxs_check_state s);

/* The worse of two: critical, then unknown, then warning. */
enum hxs_check_state hxs_check_worse(enum hxs_check_state a,
				     enum hxs_check_state b);

/* ---- facts --------------------------------------------------------------- */

struct hxs_check_snapshot {
	enum hxs_kind kind;
	char id[HXS_ID_LEN + 1];
	int64_t made; /* what the id says */
	bool has_bytes;
	uint64_t bytes; /* of its sources */
	char *damage; /* what is known to be wrong with it, or NULL */
	bool verified; /* it passed, and has not changed since */
	int64_t when; /* then, by the clock of whoever did it */
};

/* The newest, by its id: ids ascend, whatever a clock said. */
struct hxs_check_drill {
	bool hidden; /* this user may not look whether there is one */
	bool there; /* some report is */
	char *fault; /* why the newest cannot be read, or NULL */
	char id[HXS_ID_LEN + 1], status[32];
	bool passed;
	int64_t finished;
};

struct hxs_check_env {
	char name[HXS_ENV_MAX + 1];
	struct hxs_config_objectives objectives;
	/* Oldest first, backups and then rollback points. */
	struct hxs_check_snapshot *snapshots;
	size_t count, backups; /* of all of them; the backups alone */
	struct hxs_check_drill drill;
	bool restores_hidden; /* this user may not look for what follows */
	bool interrupted; /* a restore, and nobody is at work */
	bool unconfirmed; /* one waits for confirmation, until */
	int64_t confirm_until;
	bool confirm_failed; /* ... which is over: the old state stays away */
	char *unconfirmed_fault; /* why that cannot be told, or NULL */
	char *trouble; /* why it could not be looked at, or NULL */
};

struct hxs_check_facts {
	char *store; /* its path, or NULL */
	int64_t now;
	struct hxs_check_env *envs;
	size_t env_count;
	/* Of the store's file system; nothing is known without a total. */
	uint64_t bytes, bytes_free, inodes, inodes_free;
	bool audit_hidden; /* this user may not look at the audit log */
	char *audit_fault; /* what is wrong with the chain, or NULL */
	/* What this user may not look at; NULL-terminated, or NULL. */
	char **notes;
	size_t note_count;
};

void hxs_check_facts_release(struct hxs_check_facts *f);
#define HXS_AUTO_CHECK_FACTS __attribute__((cleanup(hxs_check_facts_release)))

/*
 * Gather them, of environment @env or, with NULL, of all that @config (may be
 * NULL) names or the store has. -HXS_ENOSUCH when neither knows @env, -ENOMEM,
 * -errno. *@out is zeroed, and the caller's to release in every case.
 */
HXS_MUST_CHECK
int hxs_check_gather(const struct hxs_store *s, const struct hxs_config *config,
		     const char *env, struct hxs_check_facts *out,
		     struct hxs_err *err);

/* ---- judgement ----------------------------------------------------------- */

struct hxs_check_finding {
	enum hxs_check_state state; /* never OK */
	enum hxs_check_condition condition;
	char env[HXS_ENV_MAX + 1]; /* "" for the store */
	char object[HXS_REF_TEXT]; /* the snapshot it is about, or "" */
	char text[768]; /* what is wrong */
	char action[256]; /* what to do about it */
};

struct hxs_check_report {
	enum hxs_check_state state; /* the worst */
	struct hxs_check_finding *findings; /* worst first */
	size_t count;
	size_t states[4]; /* how many of each */
	/*
	 * Which conditions were judged, a bit each, of each environment of the
	 * facts and at last of the store; NULL: nothing was.
	 */
	unsigned *judged;
	size_t judged_count;
};

void hxs_check_report_release(struct hxs_check_report *r);
#define HXS_AUTO_CHECK_REPORT __attribute__((cleanup(hxs_check_report_release)))

/* Judge @f. -ENOMEM. *@out is zeroed, and the caller's to release. */
HXS_MUST_CHECK
int hxs_check_judge(const struct hxs_check_facts *f,
		    struct hxs_check_report *out);

/* Add one finding, such as that there is nothing to judge. -ENOMEM. */
HXS_MUST_CHECK
int hxs_check_add(struct hxs_check_report *r,
		  const struct hxs_check_finding *one);

/*
 * Whether @c was judged of environment number @env of the facts, or with their
 * number of the store: that nothing was found says something only then.
 */
bool hxs_check_is_judged(const struct hxs_check_report *r, size_t env,
			 enum hxs_check_condition c);

/* The state of one condition of environment @env ("" for the store). */
enum hxs_check_state hxs_check_state_of(const struct hxs_check_report *r,
					const char *env,
					enum hxs_check_condition c);

#endif
