#include "source/capture.h"

#include "base/clock.h"
#include "source/copy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* meta.json, which holds the warnings, is at most 1 MiB. */
#define WARNINGS_MAX 1000
#define WARNING_BYTES_MAX (256u << 10)
#define PROGRESS_SECONDS 0.1

void hxs_capture_init(struct hxs_capture *cap)
{
	memset(cap, 0, sizeof(*cap));
	cap->dest = cap->prev_fd = cap->store_fd = -1;
	(void)pthread_mutex_init(&cap->lock, NULL); /* cannot fail on Linux */
}

void hxs_capture_release(struct hxs_capture *cap)
{
	size_t i;

	for (i = 0; i < cap->warning_count; i++)
		free(cap->warnings[i]);
	free(cap->warnings);
	hxs_copy_free_scribes(cap);
	(void)pthread_mutex_destroy(&cap->lock);
}

bool hxs_capture_is_own(const struct hxs_capture *cap, dev_t dev, ino_t ino)
{
	unsigned i;

	for (i = 0; i < cap->own_count; i++)
		if (cap->own[i].dev == dev && cap->own[i].ino == ino)
			return true;
	return false;
}

/* Takes @text; called with the lock held. */
static void keep_warning(struct hxs_capture *cap, char *text)
{
	size_t len = strlen(text);
	char **grown;

	if (cap->ears.warning)
		cap->ears.warning(text, cap->ears.ctx);
	grown = NULL;
	if (cap->warning_count < WARNINGS_MAX &&
	    cap->warning_bytes + len <= WARNING_BYTES_MAX)
		grown = reallocarray(cap->warnings, cap->warning_count + 2,
				     sizeof(*grown));
	if (!grown) {
		cap->warnings_dropped++;
		free(text);
		return;
	}
	cap->warnings = grown;
	cap->warnings[cap->warning_count++] = text;
	cap->warning_bytes += len;
}

void hxs_capture_warn(struct hxs_capture *cap, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	(void)pthread_mutex_lock(&cap->lock);
	if (n < 0)
		cap->warnings_dropped++; /* out of memory: at least counted */
	else
		keep_warning(cap, text);
	(void)pthread_mutex_unlock(&cap->lock);
}

void hxs_capture_end_warnings(struct hxs_capture *cap)
{
	char *text;

	if (!cap->warnings_dropped)
		return;
	if (asprintf(&text, "%llu more warnings are not listed here",
		     (unsigned long long)cap->warnings_dropped) < 0)
		return;
	/* Room for one more was always kept. */
	if (cap->warnings)
		cap->warnings[cap->warning_count++] = text;
	else
		free(text);
	cap->warnings_dropped = 0;
}

void hxs_capture_done(struct hxs_capture *cap, uint64_t files, uint64_t bytes,
		      bool linked)
{
	double now = hxs_clock_ticks();

	(void)pthread_mutex_lock(&cap->lock);
	cap->files += files;
	cap->bytes += bytes;
	if (linked) {
		cap->linked_files += files;
		cap->linked_bytes += bytes;
	}
	if (cap->ears.progress &&
	    now - cap->last_progress >= PROGRESS_SECONDS) {
		cap->last_progress = now;
		cap->ears.progress(cap->files, cap->bytes, cap->ears.ctx);
	}
	(void)pthread_mutex_unlock(&cap->lock);
}

void hxs_capture_fail(struct hxs_capture *cap, int r, const struct hxs_err *err)
{
	(void)pthread_mutex_lock(&cap->lock);
	if (cap->failed == 0) {
		cap->err = *err;
		__atomic_store_n(&cap->failed, r, __ATOMIC_RELAXED);
	}
	(void)pthread_mutex_unlock(&cap->lock);
}

bool hxs_capture_goes_on(struct hxs_capture *cap)
{
	struct hxs_err err = HXS_ERR_INIT;

	/* Asked for each file: without the lock, which is only for the why. */
	if (__atomic_load_n(&cap->failed, __ATOMIC_RELAXED) != 0)
		return false;
	if (!cap->ears.cancelled || !cap->ears.cancelled(cap->ears.ctx))
		return true;
	hxs_capture_fail(cap, hxs_err_set(&err, ECANCELED, "cancelled"), &err);
	return false;
}

int hxs_capture_status(struct hxs_capture *cap, struct hxs_err *err)
{
	int r;

	(void)pthread_mutex_lock(&cap->lock);
	r = cap->failed;
	if (r < 0 && err)
		*err = cap->err;
	(void)pthread_mutex_unlock(&cap->lock);
	return r;
}
