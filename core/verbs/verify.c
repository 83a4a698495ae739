/* Reading and checking all of one snapshot; verify_work.c does the reading. */
#include "verbs/verify.h"

#include "base/clock.h"
#include "base/pool.h"
#include "store/result.h"
#include "verbs/verify_work.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

static void report_extra(const char *path, void *ctx)
{
	struct hxs_fault fault = { .kind = HXS_FAULT_EXTRA };

	(void)snprintf(fault.reason, sizeof(fault.reason),
		       "the manifest does not list it");
	hxs_verify_report_fault(ctx, &fault, path);
}

static void report_unlisted(struct hxs_verify_run *run, int e)
{
	struct hxs_fault fault = { .kind = HXS_FAULT_READ };

	(void)snprintf(fault.reason, sizeof(fault.reason),
		       "the names in a directory cannot be read: %s",
		       strerror(e));
	hxs_verify_report_fault(run, &fault, "");
}

/* Totals beforehand, so that progress has an end. */
static void count_work(struct hxs_verify_run *run)
{
	struct hxs_index *idx = hxs_snapshot_index(run->snap);
	uint32_t n, count = hxs_index_count(idx);
	struct hxs_node node;

	run->progress.phase = "verifying";
	for (n = 0; n < count; n++) {
		hxs_index_get(idx, n, &node);
		if (!S_ISREG(node.mode))
			continue;
		run->progress.files_total++;
		run->progress.bytes_total += node.size;
	}
}

static int check_all(struct hxs_verify_run *run)
{
	HXS_AUTO(pool) struct hxs_pool *pool = NULL;
	unsigned threads = run->opts->threads, i;
	int64_t extras;
	int r;

	if (!threads)
		threads = hxs_pool_processors();
	r = hxs_pool_new(threads, threads, &pool);
	if (r < 0)
		return hxs_err_errno(run->err, -r, "cannot start threads");
	for (i = 0; i < threads; i++)
		hxs_pool_submit(pool, hxs_verify_work, run);
	hxs_pool_wait(pool);
	hxs_verify_close_large(run);
	if (run->status < 0)
		return run->status;
	extras = hxs_snapshot_extras(run->snap, report_extra, run);
	if (extras < 0 && hxs_verify_is_ours((int)extras))
		return hxs_err_errno(run->err, (int)-extras,
				     "cannot list the snapshot's directories");
	if (extras < 0)
		report_unlisted(run, (int)-extras);
	return 0;
}

static void warn(const struct hxs_verify_opts *opts, const char *text)
{
	const struct hxs_listener *l = opts->listener;

	if (l && l->warning)
		l->warning(text, l->ctx);
}

/* What is known of a snapshot when its verify begins. */
struct known {
	bool any;
	struct hxs_result result;
};

static void take_known(const struct hxs_store *s, enum hxs_kind kind,
		       const char *env, const char *id, struct known *out)
{
	out->any = hxs_result_load(s, kind, env, id, &out->result) > 0;
}

/*
 * Whether a reader or another verify met damage since then: what is right in
 * our eyes may have been read before that. By what is said, not by its date,
 * which a clock that is wrong may have written.
 */
static bool was_met(const struct known *before, const struct known *now)
{
	const struct hxs_result *a = &before->result, *b = &now->result;

	if (!now->any || b->passed)
		return false;
	return !before->any || a->passed || a->when != b->when ||
	       a->faults != b->faults || a->by_reader != b->by_reader ||
	       strcmp(a->first_fault, b->first_fault) != 0;
}

static void save_result(struct hxs_store *s, enum hxs_kind kind,
			const char *env, const char *id,
			const struct hxs_digest *manifest,
			const struct hxs_verify_opts *opts,
			const struct known *before,
			struct hxs_verify_report *report)
{
	struct hxs_result result = {
		.passed = report->faults == 0,
		.files = report->files,
		.bytes = report->bytes,
		.faults = report->faults,
	};
	struct hxs_err err = HXS_ERR_INIT;
	struct timespec now;
	struct known after;

	if (!opts->save)
		return;
	take_known(s, kind, env, id, &after);
	if (result.passed && was_met(before, &after)) {
		warn(opts, "a reader met damage meanwhile: that stays on "
			   "record until it is verified again");
		return;
	}
	hxs_clock_now(&now);
	result.when = now.tv_sec;
	if (manifest)
		result.manifest = *manifest;
	(void)snprintf(result.first_fault, sizeof(result.first_fault), "%s",
		       report->first_fault);
	report->saved = hxs_result_save(s, kind, env, id, &result, &err) >= 0;
	if (report->saved)
		return;
	(void)snprintf(report->unsaved, sizeof(report->unsaved), "%.500s",
		       err.message);
	warn(opts, err.message);
}

/* The snapshot itself is damaged: that is the one fault there is. */
static void report_snapshot(struct hxs_verify_run *run, const char *name,
			    const struct hxs_err *why)
{
	struct hxs_fault fault = { .kind = HXS_FAULT_SNAPSHOT };
	const char *reason = why->message;
	char prefix[HXS_REF_TEXT + 16];

	/* Whoever reports the fault names the snapshot. */
	(void)snprintf(prefix, sizeof(prefix), "snapshot '%s': ", name);
	if (strncmp(reason, prefix, strlen(prefix)) == 0)
		reason += strlen(prefix);
	(void)snprintf(fault.reason, sizeof(fault.reason), "%.255s", reason);
	hxs_verify_report_fault(run, &fault, "");
}

static int verify_open(struct hxs_verify_run *run, const char *name)
{
	struct hxs_verify_report *out = run->report;
	int r;

	/* Whoever removes snapshots leaves a locked one alone. */
	if (flock(hxs_snapshot_fd(run->snap), LOCK_SH | LOCK_NB) < 0 &&
	    errno == EWOULDBLOCK)
		return hxs_err_set(run->err, HXS_EBUSY,
				   "snapshot '%s' is being removed", name);
	out->foreign = hxs_snapshot_is_foreign(run->snap);
	run->next = hxs_index_next(hxs_snapshot_index(run->snap), 0, 0);
	count_work(run);
	r = check_all(run);
	out->files = run->progress.files;
	out->bytes = run->progress.bytes;
	if (r == -ECANCELED)
		return hxs_err_errno(run->err, ECANCELED,
				     "verifying '%s' ended early", name);
	if (r < 0 && run->err && !run->err->code)
		return hxs_err_errno(run->err, -r, "cannot verify '%s'", name);
	return r;
}

int hxs_verify(struct hxs_store *s, enum hxs_kind kind, const char *env,
	       const char *id, const struct hxs_verify_opts *opts,
	       struct hxs_verify_report *out, struct hxs_err *err)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	struct hxs_verify_run run = { .opts = opts, .report = out, .err = err };
	double start = hxs_clock_ticks();
	char name[HXS_REF_TEXT];
	struct known before;
	int r;

	take_known(s, kind, env, id, &before);
	memset(out, 0, sizeof(*out));
	hxs_ref_format(kind, env, id, name);
	(void)pthread_mutex_init(&run.lock, NULL); /* cannot fail on Linux */
	(void)pthread_cond_init(&run.opened, NULL);
	r = hxs_snapshot_open(s, kind, env, id, &snap, &why);
	if (r == 0) {
		run.snap = snap;
		r = verify_open(&run, name);
	} else if (r == -HXS_ECORRUPT || r == -EIO || r == -EUCLEAN ||
		   r == -EBADMSG) {
		report_snapshot(&run, name, &why);
		r = 0;
	} else if (err) {
		*err = why;
	}
	(void)pthread_mutex_destroy(&run.lock);
	(void)pthread_cond_destroy(&run.opened);
	out->seconds = hxs_clock_ticks() - start;
	/* What was found stays found, whatever ended the run. */
	if (r < 0 && (!out->faults || r == -ECANCELED))
		return r;
	hxs_err_clear(err);
	save_result(s, kind, env, id,
		    snap ? hxs_snapshot_manifest_digest(snap) : NULL, opts,
		    &before, out);
	if (out->faults)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "snapshot '%s' is damaged: %" PRIu64
				   " fault%s, the first: %s",
				   name, out->faults,
				   out->faults == 1 ? "" : "s",
				   out->first_fault);
	return 0;
}
