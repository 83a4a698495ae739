/* What earlier snapshots have to say when a new one is made. */
#include "verbs/create_parts.h"

#include "base/io.h"
#include "base/log.h"
#include "format/manifest.h"
#include "store/result.h"
#include "verbs/history.h"

#include <errno.h>
#include <string.h>

#define SHRUNK 10 /* times smaller */

/* The newest verified backup, if it can be linked from. */
static void open_verified(struct hxs_create *c)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_result res;
	char id[HXS_ID_LEN + 1];
	const char *env = c->opts->env;

	if (c->opts->full || hxs_result_latest(c->store, env, id) <= 0 ||
	    !hxs_result_load(c->store, HXS_BACKUP, env, id, &res))
		return;
	if (hxs_snapshot_open(c->store, HXS_BACKUP, env, id, &snap, &err) < 0) {
		hxs_log_info("'%s/%s' is not linked from: %s", env, id,
			     err.message);
		return;
	}
	/* What was verified must be what is there now; an index is needed. */
	if (hxs_snapshot_is_foreign(snap) ||
	    !hxs_digest_equal(&res.manifest,
			      hxs_snapshot_manifest_digest(snap)))
		return;
	c->verified = HXS_STEAL(snap);
	memcpy(c->verified_id, id, sizeof(id));
}

/* Parse meta.json of backup @id; false if that cannot be done. */
static bool read_meta(struct hxs_create *c, const char *id,
		      struct hxs_meta *out)
{
	HXS_AUTO_CLOSE int dir = -1;

	return hxs_store_open_dir(c->store, HXS_BACKUP, c->opts->env, id, &dir,
				  NULL) == 0 &&
	       hxs_history_read_meta(dir, out, NULL) == 0;
}

static void take_before(struct hxs_create *c, const struct hxs_meta *m)
{
	struct hxs_create_source *src;
	size_t i, k;

	for (i = 0; i < c->env->source_count; i++) {
		src = &c->sources[i];
		for (k = 0; k < m->source_count; k++) {
			if (strcmp(m->sources[k].name, src->config->name) != 0)
				continue;
			src->has_before = true;
			src->files_before = m->sources[k].files;
			src->bytes_before = m->sources[k].bytes;
		}
	}
}

int hxs_create_read_before(struct hxs_create *c, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_meta m;
	size_t i;
	int r;

	r = hxs_store_ids(c->store, HXS_BACKUP, c->opts->env, &ids, err);
	if (r < 0)
		return r;
	for (i = ids.count; i-- > 0;) {
		if (!read_meta(c, ids.name[i], &m))
			continue;
		take_before(c, &m);
		hxs_meta_release(&m);
		break;
	}
	return 0;
}

static bool is_tenth(uint64_t now, uint64_t before)
{
	return before > 0 && now <= before / SHRUNK;
}

static int check_source(const struct hxs_create_source *s, struct hxs_err *err)
{
	const char *name = s->config->name;

	if (s->totals.entries == 0)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s' is empty", name);
	if (!s->has_before)
		return 0;
	if (is_tenth(s->totals.files, s->files_before))
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s' shrank from %llu "
				   "files to %llu",
				   name, (unsigned long long)s->files_before,
				   (unsigned long long)s->totals.files);
	if (is_tenth(s->totals.bytes, s->bytes_before))
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s' shrank from %llu "
				   "bytes to %llu",
				   name, (unsigned long long)s->bytes_before,
				   (unsigned long long)s->totals.bytes);
	return 0;
}

int hxs_create_check_shrink(const struct hxs_create *c, struct hxs_err *err)
{
	size_t i;
	int r;

	if (c->opts->allow_shrink)
		return 0;
	for (i = 0; i < c->env->source_count; i++) {
		r = check_source(&c->sources[i], err);
		if (r < 0) {
			hxs_err_hint(err, "is its file system mounted? If it "
					  "is meant to be so, say "
					  "--allow-shrink");
			return r;
		}
	}
	return 0;
}

/* The digest of snapshot @id's manifest, whatever it says. */
static int digest_manifest(struct hxs_create *c, const char *id,
			   struct hxs_digest *out)
{
	HXS_AUTO_CLOSE int dir = -1, fd = -1;
	HXS_AUTO_FREE char *text = NULL;
	size_t len;
	int r;

	if (c->kind == HXS_BACKUP && strcmp(id, c->verified_id) == 0) {
		*out = *hxs_snapshot_manifest_digest(c->verified);
		return 0; /* it was read a moment ago */
	}
	r = hxs_store_open_dir(c->store, c->kind, c->opts->env, id, &dir, NULL);
	if (r < 0)
		return r;
	fd = hxs_io_open_regular(dir, HXS_MANIFEST_NAME, NULL);
	if (fd < 0)
		return fd;
	r = hxs_io_read_all(fd, HXS_MANIFEST_MAX, &text, &len);
	if (r < 0)
		return r;
	hxs_digest_of(text, len, out);
	return 0;
}

/* Fill meta's previous from the newest snapshot. */
static int note_previous(struct hxs_create *c, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	size_t i;
	int r;

	r = hxs_store_ids(c->store, c->kind, c->opts->env, &ids, err);
	if (r < 0)
		return r;
	for (i = ids.count; i-- > 0;) {
		r = digest_manifest(c, ids.name[i], &c->meta.previous_manifest);
		if (r == -ENOMEM)
			return hxs_err_errno(err, ENOMEM,
					     "cannot read the manifest of '%s'",
					     ids.name[i]);
		if (r == 0) {
			memcpy(c->meta.previous_id, ids.name[i],
			       HXS_ID_LEN + 1);
			return 0;
		}
		hxs_capture_warn(&c->cap,
				 "snapshot '%s' before this one has no "
				 "manifest that could be read",
				 ids.name[i]);
	}
	return 0;
}

void hxs_create_look_back(void *arg)
{
	struct hxs_create *c = arg;
	struct hxs_err err = HXS_ERR_INIT;
	int r;

	open_verified(c);
	r = note_previous(c, &err);
	if (r < 0)
		hxs_capture_fail(&c->cap, r, &err);
}
