#ifndef HXS_TOOLS_ASK_H
#define HXS_TOOLS_ASK_H

/* Asking before an environment that is marked so is changed. */
#include "base/err.h"
#include "format/config.h"

#include <stddef.h>

struct hxs_question {
	const char *act; /* "restore" */
	const struct hxs_config_env *env;
	const char *reference; /* of the snapshot it gets */
	const char *const *paths; /* only these; none: every source */
	size_t path_count;
	const char *until; /* only up to this point, or NULL */
};

/*
 * Ask. At a terminal (standard input and error) the question names host,
 * environment, snapshot and targets, and only "yes" is yes; elsewhere the
 * variable CONFIRM_LIVE has to be "YES". 0, or -HXS_ECONFIRM.
 */
HXS_MUST_CHECK
int hxs_ask(const struct hxs_question *q, struct hxs_err *err);

#endif
