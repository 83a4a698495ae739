#ifndef HXFS_CONFIG_H
#define HXFS_CONFIG_H

/* The configuration a mount works with: read anew whenever one is needed. */
#include "format/config.h"
#include "fs/hxfs.h"

/*
 * That of @env, which must be of the store that is mounted. Errors as
 * hxs_settings_load(); -HXS_EUSAGE when it is of another.
 */
HXS_MUST_CHECK
int hxfs_config_load(const struct hxfs *fs, const char *env,
		     struct hxs_config **out, struct hxs_err *err);

#endif
