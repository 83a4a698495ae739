#include "fs/hxfs.h"

#include "base/log.h"
#include "base/pool.h"
#include "fs/ahead.h"
#include "fs/attributes.h"
#include "fs/config.h"
#include "fs/control.h"
#include "fs/due.h"
#include "fs/faults.h"
#include "fs/files.h"
#include "fs/history.h"
#include "fs/notes.h"
#include "fs/record.h"
#include "fs/registry.h"
#include "fs/slots.h"
#include "store/audit.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

/* Each loaded snapshot holds a directory open. */
#define LOADED_MAX 1024u

/*
 * Files that clients hold open are open here too: take all that we may have.
 * A quarter is for loaded snapshots, another for files kept open.
 */
static size_t raise_limits(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return 64;
	if (lim.rlim_cur < lim.rlim_max) {
		rlim_t was = lim.rlim_cur;

		lim.rlim_cur = lim.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
			lim.rlim_cur = was;
	}
	if (lim.rlim_cur / 4 >= LOADED_MAX)
		return LOADED_MAX;
	return lim.rlim_cur > 8 ? lim.rlim_cur / 4 : 2;
}

static void record_recovery(struct hxfs *fs, int r, const struct hxs_err *why)
{
	const struct hxs_audit a = {
		.act = "recover",
		.from = "mount",
		.uid = fs->uid,
		.pid = getpid(),
		.status = r,
		.message = r < 0 ? why->message : NULL,
	};
	struct hxs_err err = HXS_ERR_INIT;

	if (hxs_audit_append(fs->store, &a, &err) < 0)
		hxs_log_warn("%s", err.message);
}

/*
 * Before anything is shown. Who may only read the store mounts it all the
 * same: what was interrupted waits for who may write.
 */
static void recover(struct hxfs *fs)
{
	struct hxs_recover_report *r = &fs->recovery;
	HXS_AUTO(config) struct hxs_config *config = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	int status;

	if (!hxs_recover_needed(fs->store))
		return;
	/* Without one, what needs none is recovered. */
	if (hxfs_config_load(fs, NULL, &config, NULL) < 0)
		config = NULL;
	status = hxs_recover(fs->store, config, NULL, r, &err);
	if (status < 0) {
		hxs_log_warn("%s", err.message);
		fs->recovery_error = strdup(err.message); /* or it is lost */
	}
	if (status < 0 || r->finished || r->undone || r->removed)
		record_recovery(fs, status, &err);
	if (r->busy)
		hxs_log_warn("%u operations are under way elsewhere", r->busy);
	if (r->finished || r->undone)
		hxs_log_warn("interrupted restores: %u finished, %u undone",
			     r->finished, r->undone);
	if (r->removed)
		hxs_log_info("removed what %u unfinished operations left",
			     r->removed);
}

static int init(struct hxfs *fs, const char *mountpoint, struct hxs_err *err)
{
	struct hxs_err scan = HXS_ERR_INIT;
	struct timespec now;
	int r;

	hxs_clock_now(&now);
	fs->started = now.tv_sec;
	fs->uid = getuid();
	fs->gid = getgid();
	fs->budget = HXFS_BUDGET;
	fs->loaded_min = HXFS_LOADED_MIN;
	fs->loaded_max = raise_limits();
	fs->mountpoint = strdup(mountpoint);
	r = fs->mountpoint ? 0 : -ENOMEM;
	if (r == 0)
		r = hxfs_notes_new(&fs->notes);
	if (r == 0)
		r = hxfs_faults_new(&fs->faults);
	if (r == 0)
		r = hxfs_ahead_new(fs, &fs->ahead);
	if (r == 0)
		r = hxfs_history_new(&fs->history);
	if (r == 0)
		r = hxfs_due_new(fs, &fs->due);
	if (r == 0 && !fs->opt->nocontrol && !fs->opt->read_only)
		r = hxfs_control_new(fs, &fs->control);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot prepare the mount");
	recover(fs);
	hxfs_due(fs);
	/* What cannot be listed now may be later: it hides nothing else. */
	r = hxfs_registry_scan(fs, &scan);
	if (r == -ENOMEM)
		return hxs_err_errno(err, ENOMEM, "cannot prepare the mount");
	if (r < 0)
		hxs_log_warn("%s", scan.message);
	fs->xattr = hxfs_attributes_wanted(fs);
	return 0;
}

int hxfs_new(struct hxs_store *store, const struct hxfs_options *opt,
	     const char *mountpoint, struct hxfs **out, struct hxs_err *err)
{
	struct hxfs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return hxs_err_errno(err, ENOMEM, "cannot prepare the mount");
	fs->store = store;
	fs->opt = opt;
	/* Without attributes these three cannot fail. */
	(void)pthread_mutex_init(&fs->scan_lock, NULL);
	(void)pthread_mutex_init(&fs->lock, NULL);
	(void)pthread_cond_init(&fs->settled, NULL);
	r = init(fs, mountpoint, err);
	if (r < 0) {
		hxfs_free(fs);
		return r;
	}
	*out = fs;
	return 0;
}

void hxfs_free(struct hxfs *fs)
{
	if (!fs)
		return;
	hxs_pool_free(fs->pool); /* first: it feeds the other */
	hxs_pool_free(fs->hash_pool);
	hxfs_record_stop(fs);
	hxfs_ahead_free(fs->ahead);
	hxfs_due_free(fs->due);
	hxfs_control_free(fs->control);
	hxfs_files_close_all(fs);
	hxfs_files_free(fs->files);
	hxfs_texts_free(fs->texts);
	hxfs_history_free(fs->history);
	hxfs_slots_release(fs);
	hxfs_registry_release(fs);
	hxfs_faults_free(fs->faults);
	hxfs_notes_free(fs->notes);
	free(fs->mountpoint);
	free(fs->recovery_error);
	(void)pthread_cond_destroy(&fs->settled);
	(void)pthread_mutex_destroy(&fs->lock);
	(void)pthread_mutex_destroy(&fs->scan_lock);
	free(fs);
}
