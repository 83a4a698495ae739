#include "base/log.h"

#include "base/utf8.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct {
	hxs_log_fn fn;
	void *ctx;
	enum hxs_log_level max_level;
} sink; /* set before threads start */

/* One line at a time, so that a sink needs no lock of its own. */
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;

void hxs_log_set_sink(hxs_log_fn fn, void *ctx, enum hxs_log_level max_level)
{
	(void)pthread_mutex_lock(&sink_lock); /* cannot fail: a plain mutex */
	sink.fn = fn;
	sink.ctx = ctx;
	sink.max_level = max_level;
	(void)pthread_mutex_unlock(&sink_lock);
}

void hxs_log_to_stderr(enum hxs_log_level level HXS_UNUSED, const char *line,
		       void *ctx)
{
	/* One call, so that lines of several processes do not mix. */
	(void)fprintf(stderr, "%s: %s\n", ctx ? (const char *)ctx : "hxsnap",
		      line);
}

/*
 * A line is not for reading back, so every byte that a terminal or a log
 * reader could act on becomes one '?': a newline must not forge a line.
 */
static void replace_controls(char *s)
{
	size_t len = strlen(s), i = 0, n;
	uint32_t cp;

	while (i < len) {
		n = hxs_utf8_char(s + i, len - i, &cp);
		if (n == 0) {
			s[i++] = '?';
			continue;
		}
		if (hxs_utf8_is_control(cp))
			memset(s + i, '?', n);
		i += n;
	}
}

static void hand_over(enum hxs_log_level level, char *line)
{
	replace_controls(line);
	(void)pthread_mutex_lock(&sink_lock);
	if (sink.fn && level <= sink.max_level)
		sink.fn(level, line, sink.ctx);
	(void)pthread_mutex_unlock(&sink_lock);
}

static bool wanted(enum hxs_log_level level)
{
	bool yes;

	(void)pthread_mutex_lock(&sink_lock);
	yes = sink.fn && level <= sink.max_level;
	(void)pthread_mutex_unlock(&sink_lock);
	return yes;
}

void hxs_log(enum hxs_log_level level, const char *fmt, ...)
{
	HXS_AUTO_FREE char *big = NULL;
	char line[1024];
	va_list ap;
	int n;

	if (!wanted(level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		(void)snprintf(line, sizeof(line), "%s", fmt);
	if (n >= (int)sizeof(line))
		big = malloc((size_t)n + 1); /* else the line is cut short */
	if (big) {
		va_start(ap, fmt);
		n = vsnprintf(big, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	hand_over(level, big && n >= 0 ? big : line);
}
