#ifndef HXS_FORMAT_REF_H
#define HXS_FORMAT_REF_H

/*
 * A reference: ENV, ENV/ID, ENV/latest, ENV/latest-verified,
 * ENV/.rollbacks/ID, ENV/.rollbacks/latest, ENV@TIME, and where an id may
 * stand a unique prefix of one. A trailing slash is allowed.
 */
#include "base/err.h"
#include "format/index.h"

#include <stdint.h>

enum hxs_ref_which {
	HXS_REF_ENV, /* the environment alone */
	HXS_REF_LATEST,
	HXS_REF_VERIFIED,
	HXS_REF_ID,
	HXS_REF_PREFIX,
	HXS_REF_TIME,
};

struct hxs_ref {
	enum hxs_ref_which which;
	enum hxs_kind kind;
	char env[HXS_ENV_MAX + 1];
	char id[HXS_ID_LEN + 1]; /* ID and PREFIX */
	int64_t time; /* TIME, seconds */
};

/* -HXS_EUSAGE with what is wrong; a prefix is 1 to 15 characters of an id. */
HXS_MUST_CHECK
int hxs_ref_parse(const char *text, struct hxs_ref *out, struct hxs_err *err);

/* "dev/20260205T152900Z" or "dev/.rollbacks/2026...". @out: 96 bytes. */
#define HXS_REF_TEXT 96
void hxs_ref_format(enum hxs_kind kind, const char *env, const char *id,
		    char out[HXS_REF_TEXT]);

#endif
