#include "fs/record.h"

#include "base/log.h"
#include "base/pool.h"
#include "fs/faults.h"
#include "store/result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 64u

struct job {
	struct hxfs *fs;
	enum hxs_kind kind;
	char env[HXS_ENV_MAX + 1];
	char id[HXS_ID_LEN + 1];
	struct hxs_digest manifest;
	char text[512]; /* "events/a.json: block at byte ..." */
};

int hxfs_record_start(struct hxfs *fs)
{
	if (fs->opt->read_only)
		return 0;
	return hxs_pool_new(1, WAITING_MAX, &fs->record_pool);
}

void hxfs_record_stop(struct hxfs *fs)
{
	hxs_pool_free(HXS_STEAL(fs->record_pool));
}

static void put_down(void *arg)
{
	struct job *job = arg;
	struct hxs_err err = HXS_ERR_INIT;
	int r;

	r = hxs_result_note(job->fs->store, job->kind, job->env, job->id,
			    &job->manifest, job->text, &err);
	/* That we may not is as it should be for many a mount. */
	if (r < 0 && r != -EACCES && r != -EPERM && r != -EROFS)
		hxs_log_warn("%s", err.message);
	atomic_fetch_sub(&job->fs->recording, 1);
	free(job);
}

/* Whether it says something about the store, and not about this process. */
static bool is_damage(const struct hxs_fault *fault, int r)
{
	return fault->kind != HXS_FAULT_READ || r == -EIO || r == -EUCLEAN ||
	       r == -EBADMSG;
}

static struct job *make_job(struct hxfs *fs, const struct hxfs_slot *s,
			    uint32_t entry, const struct hxs_fault *fault)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	const struct hxs_index_head *head;
	struct job *job;

	hxfs_faults_name(s->snap, entry, &text);
	(void)hxs_buf_puts(&text, ": ");
	job = hxs_buf_puts(&text, fault->reason) < 0 ? NULL
						     : calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	head = hxs_index_head(hxs_snapshot_index(s->snap));
	job->fs = fs;
	job->kind = s->kind;
	(void)snprintf(job->env, sizeof(job->env), "%s", head->env);
	(void)snprintf(job->id, sizeof(job->id), "%s", head->id);
	job->manifest = *hxs_snapshot_manifest_digest(s->snap);
	(void)snprintf(job->text, sizeof(job->text), "%.511s",
		       hxs_buf_str(&text));
	return job;
}

void hxfs_record_fault(struct hxfs *fs, const struct hxfs_slot *s,
		       uint32_t entry, const struct hxs_fault *fault, int r)
{
	struct job *job;

	if (!fs->record_pool || !is_damage(fault, r))
		return;
	/* One that waits for room in the queue would be a reader who waits. */
	if (atomic_fetch_add(&fs->recording, 1) >= WAITING_MAX)
		job = NULL;
	else
		job = make_job(fs, s, entry, fault);
	if (job)
		hxs_pool_submit(fs->record_pool, put_down, job);
	else
		atomic_fetch_sub(&fs->recording, 1);
}
