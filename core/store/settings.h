#ifndef HXS_STORE_SETTINGS_H
#define HXS_STORE_SETTINGS_H

/*
 * Finding and reading the configuration (CONTRACT.md, section 7): @file, else
 * $HXSNAP_CONFIG, else ./hxsnap.json, else /etc/hxsnap.json; without any,
 * ./.env.ENV for the environment asked for.
 */
#include "base/err.h"
#include "format/config.h"

/*
 * @file and @env may be NULL. The values of @env's "settings" are filled from
 * .env.ENV beside the configuration where it exists. -HXS_ENOSUCH when there
 * is no configuration at all or the one that was named, -HXS_EUSAGE for one that is wrong, a directory,
 * a FIFO, larger than 16 MiB, or writable by others.
 */
HXS_MUST_CHECK
int hxs_settings_load(const char *file, const char *env,
		      struct hxs_config **out, struct hxs_err *err);

/*
 * The same search as if begun in directory @dir, for who has left the one
 * that he was started in: @dir/hxsnap.json, /etc/hxsnap.json, @dir/.env.ENV.
 */
HXS_MUST_CHECK
int hxs_settings_load_from(const char *dir, const char *env,
			   struct hxs_config **out, struct hxs_err *err);

#endif
