#include "fs/due.h"

#include "base/clock.h"
#include "base/log.h"
#include "fs/config.h"
#include "store/audit.h"
#include "store/unconfirmed.h"
#include "verbs/confirm.h"
#include "verbs/hooks.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EVERY 5.0 /* seconds from one look to the next, at most */
#define EVERY_ASKING 1.0 /* while health hooks are asked */
#define SOON 0.05 /* at least */

/* What was logged of an environment last: it is not said again and again. */
struct said {
	struct said *next;
	char env[HXS_ENV_MAX + 1];
	char text[1024];
};

struct hxfs_due {
	struct hxfs *fs;
	pthread_t thread;
	bool started; /* and not joined yet */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* of the monotonic clock */
	atomic_bool stop; /* set with the lock held */
	bool look; /* guarded by lock */
	struct said *said; /* the thread's own, once it is started */
};

/* ---- telling ------------------------------------------------------------- */

static void warn(struct hxfs *fs, const char *env, const char *text)
{
	struct said *s = fs->due->said;

	while (s && strcmp(s->env, env) != 0)
		s = s->next;
	if (s && strncmp(s->text, text, sizeof(s->text) - 1) == 0)
		return;
	hxs_log_warn("%s", text);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return; /* it is said again */
		(void)snprintf(s->env, sizeof(s->env), "%s", env);
		s->next = fs->due->said;
		fs->due->said = s;
	}
	(void)snprintf(s->text, sizeof(s->text), "%s", text);
}

static void on_warning(const char *text, void *ctx HXS_UNUSED)
{
	hxs_log_warn("%s", text);
}

/* What comes of each question is told in the end, not every second. */
static void on_unhealthy(const char *text HXS_UNUSED, void *ctx HXS_UNUSED)
{
}

static bool on_cancelled(void *ctx)
{
	const struct hxfs *fs = ctx;

	return atomic_load(&fs->due->stop);
}

static void record(struct hxfs *fs, const char *env, double since,
		   const struct hxs_due_report *rep, int r,
		   const struct hxs_err *why)
{
	char reference[HXS_REF_TEXT];
	const struct hxs_audit a = {
		.act = "undo",
		.env = env,
		.reference = reference,
		.rollback_id = rep->undo_id[0] ? rep->undo_id : NULL,
		.from = "mount",
		.uid = fs->uid,
		.pid = getpid(),
		.status = r,
		.message = r < 0 ? why->message : NULL,
		.seconds = hxs_clock_ticks() - since,
	};
	struct hxs_err err = HXS_ERR_INIT;

	hxs_ref_format(HXS_ROLLBACK, env, rep->rollback_id, reference);
	if (hxs_audit_append(fs->store, &a, &err) < 0)
		hxs_log_warn("%s", err.message);
}

static void record_confirmed(struct hxfs *fs, const char *env, double since,
			     const struct hxs_confirm_report *rep)
{
	const struct hxs_audit a = {
		.act = "confirm",
		.env = env,
		.reference = rep->reference,
		.rollback_id = rep->rollback_id,
		.from = "mount",
		.uid = fs->uid,
		.pid = getpid(),
		.seconds = hxs_clock_ticks() - since,
	};
	struct hxs_err err = HXS_ERR_INIT;

	hxs_log_info("the restore of '%s' is confirmed: it is healthy",
		     rep->reference);
	if (hxs_audit_append(fs->store, &a, &err) < 0)
		hxs_log_warn("%s", err.message);
}

/* ---- one environment ----------------------------------------------------- */

/* Whether it is confirmed by that. */
static bool ask(struct hxfs *fs, const struct hxs_config *config,
		const char *env)
{
	const struct hxs_listener listener = { .warning = on_unhealthy,
					       .cancelled = on_cancelled,
					       .ctx = fs };
	struct hxs_err why = HXS_ERR_INIT;
	struct hxs_confirm_report rep;
	double since = hxs_clock_ticks();
	int r;

	r = hxs_confirm_ask(fs->store, config, env, &listener, &rep, &why);
	if (r < 0)
		warn(fs, env, why.message);
	if (r > 0)
		record_confirmed(fs, env, since, &rep);
	return r > 0;
}

static void put_back(struct hxfs *fs, const struct hxs_config *config,
		     const char *env, struct hxs_due_report *rep)
{
	const struct hxs_listener listener = { .warning = on_warning };
	struct hxs_err why = HXS_ERR_INIT;
	double since = hxs_clock_ticks();
	char text[HXS_REF_TEXT + 80];
	int r;

	r = hxs_confirm_due(fs->store, config, env, false, &listener,
			    HXS_VERSION, rep, &why);
	if (r < 0)
		warn(fs, env, why.message);
	if (rep->due == HXS_DUE_PUT_BACK)
		hxs_log_warn("%s", rep->told);
	(void)snprintf(text, sizeof(text),
		       "the restore of '%s' was to be taken back, and could "
		       "not be",
		       rep->reference);
	if (rep->due == HXS_DUE_FAILED)
		warn(fs, env, text);
	if (rep->due == HXS_DUE_PUT_BACK || r == -HXS_EAFTER)
		record(fs, env, since, rep, r, &why);
}

/*
 * Look after @env; how many seconds later to look again. @asks: the health
 * hooks, which may take long.
 */
static double see_to(struct hxfs *fs, const char *env, bool asks)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_due_report rep;
	struct timespec now;
	double left, next = EVERY;

	/* Without one it may be that there is nothing to be done. */
	if (hxfs_config_load(fs, env, &config, NULL) < 0)
		config = NULL;
	if (asks && ask(fs, config, env))
		return next;
	put_back(fs, config, env, &rep);
	if (rep.due != HXS_DUE_LATER)
		return next;
	if (config && hxs_hooks_any(hxs_config_env(config, env), HXS_HEALTH))
		next = EVERY_ASKING;
	hxs_clock_now(&now);
	left = (double)(rep.confirm_until - now.tv_sec) -
	       (double)now.tv_nsec / 1e9;
	return left < SOON ? SOON : left < next ? left : next;
}

static double see_to_all(struct hxfs *fs, bool asks)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	double next = EVERY, one;
	size_t i;

	if (hxs_unconfirmed_envs(fs->store, &envs, &why) < 0)
		warn(fs, "", why.message);
	for (i = 0; i < envs.count && !on_cancelled(fs); i++) {
		one = see_to(fs, envs.name[i], asks);
		next = one < next ? one : next;
	}
	return next;
}

void hxfs_due(struct hxfs *fs)
{
	(void)see_to_all(fs, false); /* the thread looks again */
}

/* ---- the thread ---------------------------------------------------------- */

static void wait_for(struct hxfs_due *d, double seconds)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until); /* it is there */
	until.tv_sec += (time_t)seconds;
	until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&d->lock);
	while (!atomic_load(&d->stop) && !d->look &&
	       pthread_cond_timedwait(&d->changed, &d->lock, &until) !=
		       ETIMEDOUT)
		;
	d->look = false;
	(void)pthread_mutex_unlock(&d->lock);
}

static void *run(void *arg)
{
	struct hxfs_due *d = arg;
	double next = SOON;

	for (;;) {
		wait_for(d, next);
		if (atomic_load(&d->stop))
			return NULL;
		next = see_to_all(d->fs, true);
	}
}

int hxfs_due_new(struct hxfs *fs, struct hxfs_due **out)
{
	struct hxfs_due *d = calloc(1, sizeof(*d));
	pthread_condattr_t attr;

	if (!d)
		return -ENOMEM;
	d->fs = fs;
	atomic_init(&d->stop, false);
	(void)pthread_mutex_init(&d->lock, NULL); /* no attributes: works */
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* is there */
	(void)pthread_cond_init(&d->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	*out = d;
	return 0;
}

int hxfs_due_start(struct hxfs_due *d)
{
	int r = pthread_create(&d->thread, NULL, run, d);

	d->started = r == 0;
	return -r;
}

static void wake(struct hxfs_due *d, bool stop)
{
	(void)pthread_mutex_lock(&d->lock);
	d->look = true;
	if (stop)
		atomic_store(&d->stop, true);
	(void)pthread_cond_signal(&d->changed);
	(void)pthread_mutex_unlock(&d->lock);
}

void hxfs_due_look(struct hxfs_due *d)
{
	wake(d, false);
}

void hxfs_due_stop(struct hxfs_due *d)
{
	if (!d->started)
		return;
	wake(d, true);
	(void)pthread_join(d->thread, NULL); /* ours, not joined before */
	d->started = false;
}

void hxfs_due_free(struct hxfs_due *d)
{
	struct said *s;

	if (!d)
		return;
	hxfs_due_stop(d);
	while ((s = d->said)) {
		d->said = s->next;
		free(s);
	}
	(void)pthread_cond_destroy(&d->changed);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
}
