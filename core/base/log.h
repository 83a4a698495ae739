#ifndef HXS_BASE_LOG_H
#define HXS_BASE_LOG_H

/*
 * The one sink for what a person may want to read later. Core never prints:
 * the program decides where lines go. Lines have no newline; control bytes
 * that came from names are replaced before the sink sees them.
 */
#include "base/cleanup.h"

enum hxs_log_level { HXS_LOG_ERROR, HXS_LOG_WARN, HXS_LOG_INFO, HXS_LOG_DEBUG };

typedef void (*hxs_log_fn)(enum hxs_log_level level, const char *line,
			   void *ctx);

/*
 * Send lines of @max_level and graver to @fn. Before the first call lines
 * are dropped. Call it before threads start.
 */
void hxs_log_set_sink(hxs_log_fn fn, void *ctx, enum hxs_log_level max_level);

/* A sink that writes "PROGRAM: line" to standard error; @ctx is the name. */
void hxs_log_to_stderr(enum hxs_log_level level, const char *line, void *ctx);

void hxs_log(enum hxs_log_level level, const char *fmt, ...) HXS_PRINTF(2, 3);

#define hxs_log_error(...) hxs_log(HXS_LOG_ERROR, __VA_ARGS__)
#define hxs_log_warn(...) hxs_log(HXS_LOG_WARN, __VA_ARGS__)
#define hxs_log_info(...) hxs_log(HXS_LOG_INFO, __VA_ARGS__)
#define hxs_log_debug(...) hxs_log(HXS_LOG_DEBUG, __VA_ARGS__)

#endif
