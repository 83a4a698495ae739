#ifndef HXS_FORMAT_CONFIG_H
#define HXS_FORMAT_CONFIG_H

/*
 * The configuration (CONTRACT.md, section 7) as a model: from hxsnap.json,
 * or from a .env.ENV file. No I/O: store/settings finds and reads the files.
 */
#include "base/buf.h"
#include "base/err.h"
#include "format/retention.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hxs_source_kind {
	HXS_SOURCE_DIRECTORY,
	HXS_SOURCE_SQLITE,
	HXS_SOURCE_POSTGRES,
	HXS_SOURCE_COMMAND,
};

/* Which files of a directory hold records, one a line, and their keys. */
struct hxs_config_records {
	bool none; /* said to have none: it always comes back whole */
	char *files; /* a pattern, fnmatch(3); NULL: nothing was said */
	char *sequence, *time; /* NULL: records have none */
};

/*
 * A PostgreSQL database, or a part of one. What it restores is either all of
 * the database, exchanged by name, or, of a part, loaded into the database in
 * one transaction.
 */
struct hxs_config_postgres {
	char *dsn; /* a URI or KEY=VALUE; may hold a password: never shown */
	/* Patterns as pg_dump's --schema and --table; NULL-terminated. */
	char **schemas, **tables;
	size_t schema_count, table_count; /* both 0: the whole database */
	bool data_only; /* the tables are there; only rows come and go */
	unsigned jobs; /* at once; 0: by the number of processors */
	int compress; /* 0 to 9; -1: as pg_dump thinks best */
	/*
	 * Statements that take the new database back to a point in time, with
	 * ":until" for it; NULL-terminated, NULL: none.
	 */
	char **until_sequence, **until_time;
};

/* What one program gives on its standard output and another takes back. */
struct hxs_config_command {
	char **capture, **restore; /* argument lists, NULL-terminated */
	char *file; /* its name in the snapshot */
	unsigned timeout_ms; /* of either; never 0 */
	bool may_be_empty;
};

struct hxs_config_source {
	char *name;
	enum hxs_source_kind kind;
	char *path; /* directory, sqlite: absolute; else NULL */
	char **exclude; /* patterns, fnmatch(3) */
	size_t exclude_count;
	bool sqlite_raw; /* copy databases byte by byte */
	struct hxs_config_records records;
	struct hxs_config_postgres postgres; /* of that kind, else zeroed */
	struct hxs_config_command command; /* likewise */
};

/* Whether @src lives elsewhere than in files of its own (source/system.h). */
bool hxs_config_is_system(const struct hxs_config_source *src);

struct hxs_config_setting {
	char *name, *value; /* value NULL: not set, or a secret */
};

/* Before or after what, hooks run. */
enum hxs_hook_event {
	HXS_BEFORE_CREATE,
	HXS_AFTER_CREATE,
	HXS_BEFORE_RESTORE,
	HXS_AFTER_RESTORE,
	HXS_ON_FAILURE,
	HXS_HEALTH,
	HXS_HOOK_EVENTS
};

struct hxs_config_hook {
	char **argv; /* NULL-terminated, argv[0] there */
	unsigned timeout_ms; /* never 0 */
	bool warn; /* its failure is a warning and nothing else */
};

struct hxs_config_hooks {
	struct hxs_config_hook *hook; /* in the order they run */
	size_t count;
};

/* What an environment's backups are to be like; 0: nothing is asked for. */
struct hxs_config_objectives {
	uint64_t rpo; /* seconds: the newest backup is no older */
	uint64_t rto; /* seconds: a restore takes no longer */
	uint64_t min_size; /* bytes: a backup holds no less */
	uint64_t verify_every, drill_every; /* seconds */
	/* What is to be free where the store is: one of the two, or none. */
	uint64_t store_free;
	unsigned store_free_percent;
};

/* Of an environment that says nothing. */
extern const struct hxs_config_objectives hxs_config_objectives_default;

struct hxs_config_env {
	char *name;
	bool confirm;
	struct hxs_config_source *sources; /* sorted by name */
	size_t source_count;
	struct hxs_config_setting *settings; /* sorted, none that is secret */
	size_t setting_count;
	struct hxs_config_hooks hooks[HXS_HOOK_EVENTS];
	unsigned parallel; /* systems captured at once; never 0 */
	bool undo_on_failed_health; /* after a restore */
	struct hxs_config_objectives objectives;
	struct hxs_retention retention; /* without any: nothing goes */
};

struct hxs_config {
	char *file; /* where it came from, for messages */
	char *base; /* absolute: what relative paths count from */
	char *store; /* absolute */
	bool from_env_file; /* the store is the project's own ./data */
	struct hxs_config_env *envs; /* sorted by name */
	size_t env_count;
};

void hxs_config_free(struct hxs_config *c);
HXS_AUTO_DEFINE(config, struct hxs_config *, hxs_config_free)

/*
 * Parse hxsnap.json. Relative paths ("store", "path") count from @base, the
 * absolute directory of the file; "~" and "$" are not expanded and refused
 * at a path's beginning, as are ".." components and empty paths. Unknown
 * keys, wrong types, impossible values, two sources of one path or one
 * inside the other, a source inside the store or around it, a name that is
 * none: -HXS_EUSAGE naming the key's path. @file is for messages.
 */
HXS_MUST_CHECK
int hxs_config_parse(const char *text, size_t len, const char *file,
		     const char *base, struct hxs_config **out,
		     struct hxs_err *err);

/*
 * Parse a .env.ENV file into a configuration of the one environment @env:
 * sources "events" (EVENT_STORE_PATH) and "projections"
 * (PROJECTIONS_DB_PATH), both of kind directory here (a directory source may
 * be a single file), store ./data below @base, @confirm for "live". Lines are
 * KEY=VALUE with optional "export ", quotes and # comments; a line that is
 * none of these is refused by number. At least one of the two must be set.
 * BACKUP_ROOT is taken as a setting only. Settings: the three names above and
 * API_HOST, API_PORT, LOG_LEVEL, ENV, as far as set.
 */
HXS_MUST_CHECK
int hxs_config_parse_env(const char *text, size_t len, const char *file,
			 const char *base, const char *env,
			 struct hxs_config **out, struct hxs_err *err);

/*
 * The value of @key in the text of a .env file: 1 with *@value the caller's,
 * 0 when not there, -HXS_EUSAGE naming the line, -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_config_env_value(const char *text, size_t len, const char *file,
			 const char *key, char **value, struct hxs_err *err);

/* Whether a name says secret: KEY, TOKEN, SECRET, PASSWORD, ... any case. */
bool hxs_config_is_secret(const char *name);

/* Whether a value holds a password: x://user:password@y, password=... */
bool hxs_config_has_password(const char *value);

/* The environment named so, or NULL. */
const struct hxs_config_env *hxs_config_env(const struct hxs_config *c,
					    const char *name);

/*
 * A duration such as "30s" or "7d", a size such as "1MiB": its seconds or
 * bytes, more than 0; else false.
 */
bool hxs_config_duration(const char *s, uint64_t *seconds);
bool hxs_config_size(const char *s, uint64_t *bytes);

/* "before_create" and so on. */
const char *hxs_config_hook_name(enum hxs_hook_event event);

/* "directory" and so on. */
const char *hxs_config_kind_name(enum hxs_source_kind kind);

#endif
