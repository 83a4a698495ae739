/*
 * Listings are read without fs->lock and applied under it. A snapshot that a
 * handler met in between has a younger generation than the listing and is
 * not taken for one that has gone.
 */
#include "base/io.h"
#include "fs/notes.h"
#include "fs/registry.h"
#include "fs/registry_parts.h"
#include "store/result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What one listing of one area gave. */
struct listing {
	struct hxs_names names;
	bool present;
};

static bool area_there(struct hxfs *fs, enum hxs_kind kind, const char *env)
{
	HXS_AUTO_CLOSE int fd = -1;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", hxs_store_area(kind), env);
	fd = hxs_io_open_beneath(hxs_store_fd(fs->store), path,
				 O_PATH | O_DIRECTORY, 0);
	return fd >= 0;
}

static int64_t ask_verified(struct hxfs *fs, const char *env)
{
	char id[HXS_ID_LEN + 1];
	int64_t sec;

	if (hxs_result_latest(fs->store, env, id) == 1 &&
	    hxs_clock_parse_id(id, &sec) == 0)
		return sec;
	return HXFS_NO_TIME;
}

static void set_verified(struct hxfs *fs, struct hxfs_env *e, int64_t sec)
{
	uint64_t dir = hxfs_number_env(e->number, HXFS_IS_ENV);

	if (e->verified == sec)
		return;
	e->verified = sec;
	hxfs_notes_add(fs->notes, HXFS_NOTE_NAME, dir, 0, "latest-verified");
	hxfs_notes_add(fs->notes, HXFS_NOTE_DIR, dir, 0, NULL);
}

/* The seconds of @names, which are valid ids in ascending order. */
static int64_t *to_seconds(const struct hxs_names *names)
{
	int64_t *sec = calloc(names->count + 1, sizeof(*sec));
	size_t i;

	for (i = 0; sec && i < names->count; i++)
		(void)hxs_clock_parse_id(names->name[i], &sec[i]);
	return sec;
}

static int apply_area(struct hxfs *fs, struct hxfs_env *e, enum hxs_kind kind,
		      const struct listing *l, const int64_t *sec,
		      uint64_t before, bool quiet)
{
	struct hxfs_area *a = hxfs_env_area(e, kind);
	struct hxfs_merge m = {
		.fs = fs,
		.env = e,
		.kind = kind,
		.before = before,
		.quiet = quiet,
	};
	int r;

	r = hxfs_registry_merge(&m, a, sec, l->names.count);
	if (a->present != l->present) {
		a->present = l->present;
		if (kind == HXS_ROLLBACK && !quiet) {
			uint64_t dir = hxfs_number_env(e->number, HXFS_IS_ENV);

			hxfs_notes_add(fs->notes, HXFS_NOTE_NAME, dir, 0,
				       ".rollbacks");
			hxfs_notes_add(fs->notes, HXFS_NOTE_DIR, dir, 0, NULL);
		}
	}
	if (m.changed && !quiet)
		hxfs_registry_note_moved(fs, e->number, kind);
	return r;
}

static int scan_area(struct hxfs *fs, struct hxfs_env *e, enum hxs_kind kind,
		     uint64_t before, bool quiet, struct hxs_err *err)
{
	HXS_AUTO_FREE int64_t *sec = NULL;
	struct listing l = { .present = false };
	int r;

	l.present = area_there(fs, kind, e->name);
	r = hxs_store_ids(fs->store, kind, e->name, &l.names, err);
	if (r < 0)
		return r;
	sec = to_seconds(&l.names);
	if (sec) {
		hxfs_lock(fs);
		r = apply_area(fs, e, kind, &l, sec, before, quiet);
		hxfs_unlock(fs);
	} else {
		r = -ENOMEM;
	}
	hxs_names_release(&l.names);
	return r < 0 ? hxs_err_errno(err, -r, "cannot list '%s'", e->name) : 0;
}

/* With scan_lock held. Environments are never freed, so @e stays. */
static int scan_env(struct hxfs *fs, struct hxfs_env *e, bool quiet,
		    struct hxs_err *err)
{
	uint64_t before;
	int64_t verified;
	int r, r2;

	hxfs_lock(fs);
	before = ++fs->generation;
	hxfs_unlock(fs);
	r = scan_area(fs, e, HXS_BACKUP, before, quiet, err);
	r2 = scan_area(fs, e, HXS_ROLLBACK, before, quiet, r ? NULL : err);
	verified = ask_verified(fs, e->name);
	hxfs_lock(fs);
	set_verified(fs, e, verified);
	hxfs_unlock(fs);
	return r ? r : r2;
}

int hxfs_registry_scan_env(struct hxfs *fs, uint32_t env, struct hxs_err *err)
{
	struct hxfs_env *e;
	int r = 0;

	(void)pthread_mutex_lock(&fs->scan_lock);
	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	hxfs_unlock(fs);
	if (e)
		r = scan_env(fs, e, false, err);
	(void)pthread_mutex_unlock(&fs->scan_lock);
	return r;
}

void hxfs_registry_scan_verified(struct hxfs *fs, uint32_t env)
{
	struct hxfs_env *e;
	int64_t sec;

	(void)pthread_mutex_lock(&fs->scan_lock);
	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	hxfs_unlock(fs);
	if (e) {
		sec = ask_verified(fs, e->name);
		hxfs_lock(fs);
		set_verified(fs, e, sec);
		hxfs_unlock(fs);
	}
	(void)pthread_mutex_unlock(&fs->scan_lock);
}

static bool listed(const struct hxs_names *names, const char *name)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		if (strcmp(names->name[i], name) == 0)
			return true;
	return false;
}

/* With fs->lock held. */
static int apply_envs(struct hxfs *fs, const struct hxs_names *names)
{
	struct hxfs_env *e;
	bool changed = false;
	size_t i;
	int r = 0;

	for (i = 0; i < fs->env_count; i++) {
		e = fs->env[i];
		if (e->present && !listed(names, e->name)) {
			hxfs_registry_env_leave(fs, e);
			changed = true;
		}
	}
	for (i = 0; i < names->count && r == 0; i++) {
		e = hxfs_registry_find_any(fs, names->name[i]);
		if (!e)
			r = hxfs_registry_env_new(fs, names->name[i], &e);
		if (r == 0 && !e->present) {
			e->present = true;
			changed = true;
			hxfs_notes_add(fs->notes, HXFS_NOTE_NAME, HXFS_ROOT, 0,
				       e->name);
		}
	}
	if (changed)
		hxfs_notes_add(fs->notes, HXFS_NOTE_DIR, HXFS_ROOT, 0, NULL);
	return r;
}

static int scan_all(struct hxfs *fs, struct hxs_err *err)
{
	struct hxs_names names = { .count = 0 };
	struct hxfs_env *e;
	size_t i, count;
	bool quiet;
	int r, r2;

	r = hxs_store_envs(fs->store, &names, err);
	if (r < 0)
		return r;
	hxfs_lock(fs);
	quiet = fs->generation == 0;
	r = apply_envs(fs, &names);
	count = fs->env_count;
	hxfs_unlock(fs);
	hxs_names_release(&names);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list the environments");
	for (i = 0; i < count; i++) {
		hxfs_lock(fs);
		e = hxfs_registry_env(fs, (uint32_t)i);
		hxfs_unlock(fs);
		if (!e)
			continue;
		/* One that may not be read does not hide the others. */
		r2 = scan_env(fs, e, quiet, r ? NULL : err);
		if (r == 0)
			r = r2;
	}
	return r;
}

int hxfs_registry_scan(struct hxfs *fs, struct hxs_err *err)
{
	int r;

	(void)pthread_mutex_lock(&fs->scan_lock);
	r = scan_all(fs, err);
	(void)pthread_mutex_unlock(&fs->scan_lock);
	return r;
}

bool hxfs_registry_there(struct hxfs *fs, const char *name)
{
	return area_there(fs, HXS_BACKUP, name) ||
	       area_there(fs, HXS_ROLLBACK, name);
}
