#ifndef HXS_FORMAT_META_H
#define HXS_FORMAT_META_H

/* meta.json: what a snapshot says of itself (CONTRACT.md, section 2). */
#include "base/buf.h"
#include "base/err.h"
#include "format/index.h"

#include <stdint.h>

#define HXS_META_NAME "meta.json"
#define HXS_SETTINGS_NAME "config.json"
#define HXS_META_MAX (1u << 20) /* bytes */

struct hxs_meta_source {
	char *name, *kind, *path;
	uint64_t files, bytes;
};

struct hxs_meta {
	char env[HXS_ENV_MAX + 1];
	char id[HXS_ID_LEN + 1];
	enum hxs_kind kind;
	int64_t created; /* seconds */
	char *git_commit; /* or NULL */
	char *hostname, *tool_version;
	char **tags;
	size_t tag_count;
	struct hxs_meta_source *sources;
	size_t source_count;
	char previous_id[HXS_ID_LEN + 1]; /* "" when there is none */
	struct hxs_digest previous_manifest;
	char **warnings;
	size_t warning_count;
};

void hxs_meta_release(struct hxs_meta *m);

/*
 * Parse meta.json. Keys: env, backup_id, created_at_utc, git_commit, kind
 * ("backup" or "rollback"), hostname, tool_version, tags, sources {NAME:
 * {kind, path, files, bytes}}, previous {id, manifest_sha256} or null,
 * warnings. Another program may write fewer or other keys: only env and
 * backup_id must be there, the rest is taken if its type is right.
 * -HXS_ECORRUPT, -ENOMEM. *@out needs no initialisation and is released by
 * the caller on success only.
 */
HXS_MUST_CHECK
int hxs_meta_parse(const char *text, size_t len, struct hxs_meta *out,
		   struct hxs_err *err);

/* Append the JSON text. Failures stay in the buffer's status. */
void hxs_meta_render(const struct hxs_meta *m, struct hxs_buf *out);

/* Add a copy of @text to a list of strings such as tags. -ENOMEM. */
HXS_MUST_CHECK
int hxs_meta_add(char ***list, size_t *count, const char *text);

#endif
