#include "fs/hxfs.h"

#include "base/log.h"
#include "base/pool.h"
#include "fs/ahead.h"
#include "fs/attributes.h"
#include "fs/faults.h"
#include "fs/files.h"
#include "fs/notes.h"
#include "fs/registry.h"
#include "fs/slots.h"

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
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot prepare the mount");
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
	hxfs_ahead_free(fs->ahead);
	hxfs_files_close_all(fs);
	hxfs_files_free(fs->files);
	hxfs_texts_free(fs->texts);
	hxfs_slots_release(fs);
	hxfs_registry_release(fs);
	hxfs_faults_free(fs->faults);
	hxfs_notes_free(fs->notes);
	free(fs->mountpoint);
	(void)pthread_cond_destroy(&fs->settled);
	(void)pthread_mutex_destroy(&fs->lock);
	(void)pthread_mutex_destroy(&fs->scan_lock);
	free(fs);
}
