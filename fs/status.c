#include "fs/status.h"

#include "base/json.h"
#include "fs/faults.h"
#include "fs/metrics.h"
#include "fs/registry.h"
#include "fs/slots.h"
#include "fs/status_parts.h"
#include "store/result.h"

#include <errno.h>
#include <string.h>

/* ---- pieces -------------------------------------------------------------- */

void hxfs_status_time(struct hxs_json_out *o, const char *key, int64_t sec)
{
	char text[HXS_RFC3339_LEN + 1];

	hxs_json_out_string(o, key,
			    hxs_clock_format_rfc3339(sec, text) == 0 ? text
								     : NULL);
}

static void put_id(struct hxs_json_out *o, const char *key, int64_t sec)
{
	char id[HXS_ID_LEN + 1];
	bool ok = sec != HXFS_NO_TIME && hxs_clock_format_id(sec, id) == 0;

	hxs_json_out_string(o, key, ok ? id : NULL);
}

static void put_digest(struct hxs_json_out *o, const char *key,
		       const struct hxs_digest *d)
{
	char hex[HXS_DIGEST_HEX_LEN + 1];

	hxs_digest_to_hex(d, hex);
	hxs_json_out_string(o, key, hex);
}

struct faults_out {
	struct hxs_json_out *o;
	bool stranger;
};

static int put_fault(const struct hxfs_fault *f, void *ctx)
{
	struct faults_out *w = ctx;
	struct hxs_json_out *o = w->o;
	bool digests = f->fault.kind == HXS_FAULT_BLOCK ||
		       f->fault.kind == HXS_FAULT_DIGEST;

	hxs_json_out_object(o, NULL);
	hxs_json_out_string(o, "snapshot", f->ref);
	hxs_json_out_string(o, "path", w->stranger ? NULL : f->path);
	hxs_json_out_string(o, "kind", hxs_fault_name(f->fault.kind));
	hxs_json_out_uint(o, "offset", f->fault.offset);
	hxs_json_out_uint(o, "length", f->fault.len);
	if (digests) {
		put_digest(o, "expected", &f->fault.expected);
		put_digest(o, "found", &f->fault.found);
	} else {
		hxs_json_out_null(o, "expected");
		hxs_json_out_null(o, "found");
	}
	hxs_json_out_string(o, "reason", f->fault.reason);
	hxfs_status_time(o, "first_seen", f->first_seen);
	hxs_json_out_end_object(o);
	return 0;
}

static void put_faults(struct hxs_json_out *o, struct hxfs *fs, uint32_t env,
		       uint32_t slot, bool stranger)
{
	struct faults_out w = { .o = o, .stranger = stranger };

	hxs_json_out_array(o, "faults");
	(void)hxfs_faults_each(fs->faults, env, slot, put_fault, &w);
	hxs_json_out_end_array(o);
}

/* ---- one environment ----------------------------------------------------- */

/* With fs->lock held. */
static void put_env(struct hxs_json_out *o, const char *key,
		    const struct hxfs_env *e)
{
	const struct hxfs_area *b = &e->area[0], *r = &e->area[1];

	hxs_json_out_object(o, key);
	hxs_json_out_string(o, "name", e->name);
	hxs_json_out_uint(o, "snapshots", b->count);
	hxs_json_out_uint(o, "rollbacks", r->count);
	put_id(o, "latest",
	       b->count ? b->slot[b->count - 1]->seconds : HXFS_NO_TIME);
	put_id(o, "latest_verified", e->verified);
	hxs_json_out_end_object(o);
}

/*
 * With fs->lock held: the snapshots of @env (or all) that could not be loaded.
 * There are few, or the list is cut at @max.
 */
static void put_bad(struct hxs_json_out *o, struct hxfs *fs, uint32_t env,
		    size_t max)
{
	char id[HXS_ID_LEN + 1], ref[HXS_REF_TEXT];
	const struct hxfs_slot *s;
	size_t i, left = fs->failed < max ? fs->failed : max;

	hxs_json_out_array(o, "damaged_snapshots");
	for (i = 1; i < fs->slot_count && left; i++) {
		s = fs->slot[i];
		if (!s || s->state != HXFS_FAILED)
			continue;
		left--;
		if (env != HXFS_ANY && s->env != env)
			continue;
		if (hxs_clock_format_id(s->seconds, id) < 0)
			continue;
		hxs_ref_format(s->kind, fs->env[s->env]->name, id, ref);
		hxs_json_out_object(o, NULL);
		hxs_json_out_string(o, "snapshot", ref);
		hxs_json_out_string(o, "reason", s->past->reason);
		hxs_json_out_end_object(o);
	}
	hxs_json_out_end_array(o);
}

static int env_text(struct hxfs *fs, uint32_t env, bool stranger,
		    struct hxs_json_out *o)
{
	const struct hxfs_env *e; /* never freed, and its name stays */

	hxs_json_out_object(o, NULL);
	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	if (e) {
		put_env(o, "environment", e);
		put_bad(o, fs, env, 1000);
	}
	hxfs_unlock(fs);
	put_faults(o, fs, env, HXFS_ANY, stranger);
	hxfs_status_operation(o, fs, e ? e->name : "", NULL);
	hxs_json_out_end_object(o);
	return e ? 0 : -ESTALE;
}

/* ---- everything ---------------------------------------------------------- */

/* The next loaded slot whose unlisted files were not counted, or 0. */
static uint32_t next_uncounted(struct hxfs *fs, uint32_t after)
{
	uint32_t i, found = 0;

	hxfs_lock(fs);
	for (i = after + 1; i < fs->slot_count && !found; i++)
		if (fs->slot[i] && fs->slot[i]->state == HXFS_LOADED &&
		    fs->slot[i]->past->unlisted < 0)
			found = i;
	hxfs_unlock(fs);
	return found;
}

static int count_all(struct hxfs *fs, enum hxfs_patience patience)
{
	struct hxfs_slot *s;
	uint32_t i = 0;

	while ((i = next_uncounted(fs, i))) {
		if (patience == HXFS_NOW)
			return -EAGAIN;
		if (hxfs_slots_enter(fs, i, HXFS_NOW, &s, NULL) < 0)
			continue; /* dropped meanwhile */
		(void)hxfs_slots_unlisted(fs, s); /* else it stays unknown */
		hxfs_slots_leave(fs, s);
	}
	return 0;
}

static void put_store(struct hxs_json_out *o, struct hxfs *fs)
{
	hxs_json_out_string(o, "version", HXS_VERSION);
	hxs_json_out_string(o, "store", hxs_store_path(fs->store));
	hxs_json_out_string(o, "mountpoint", fs->mountpoint);
	hxs_json_out_int(o, "pid", getpid());
	hxfs_status_time(o, "started_at", fs->started);
	hxs_json_out_bool(o, "control", fs->control != NULL);
	hxs_json_out_object(o, "xattr");
	hxs_json_out_string(o, "mode", hxfs_options_xattr_name(fs->opt->xattr));
	hxs_json_out_bool(o, "active", fs->xattr);
	hxs_json_out_bool(o, "remount_would_show",
			  !fs->xattr && fs->opt->xattr == HXFS_XATTR_AUTO &&
				  atomic_load(&fs->xattr_wanted));
	hxs_json_out_end_object(o);
}

/* With fs->lock held. */
static void put_tables(struct hxs_json_out *o, struct hxfs *fs)
{
	struct hxfs_damage d;
	size_t i;

	hxs_json_out_array(o, "environments");
	for (i = 0; i < fs->env_count; i++)
		if (fs->env[i]->present)
			put_env(o, NULL, fs->env[i]);
	hxs_json_out_end_array(o);
	hxs_json_out_object(o, "loaded");
	hxs_json_out_uint(o, "snapshots", fs->loaded);
	hxs_json_out_uint(o, "bytes", fs->loaded_bytes);
	hxs_json_out_uint(o, "budget", fs->budget);
	hxs_json_out_end_object(o);
	hxfs_faults_damage(fs->faults, &d);
	hxs_json_out_object(o, "damage");
	hxs_json_out_uint(o, "blocks", d.blocks);
	hxs_json_out_uint(o, "files", d.files);
	hxs_json_out_uint(o, "snapshots", fs->failed);
	hxs_json_out_uint(o, "unlisted", fs->unlisted);
	hxs_json_out_end_object(o);
	put_bad(o, fs, HXFS_ANY, 1000);
}

static int root_text(struct hxfs *fs, enum hxfs_patience patience,
		     bool stranger, struct hxs_json_out *o)
{
	int r = count_all(fs, patience);

	if (r < 0)
		return r;
	hxs_json_out_object(o, NULL);
	put_store(o, fs);
	hxfs_lock(fs);
	put_tables(o, fs);
	hxfs_unlock(fs);
	put_faults(o, fs, HXFS_ANY, HXFS_ANY, stranger);
	hxfs_status_recovery(o, fs);
	hxfs_status_operation(o, fs, NULL, NULL);
	hxs_json_out_end_object(o);
	return 0;
}

/* ---- one snapshot -------------------------------------------------------- */

static void put_past(struct hxs_json_out *o, const struct hxfs_past *p)
{
	hxs_json_out_bool(o, "foreign", p->foreign);
	hxs_json_out_bool(o, "xattrs", p->has_xattrs);
	hxs_json_out_uint(o, "files", p->files);
	hxs_json_out_uint(o, "bytes", p->bytes);
	put_digest(o, "manifest", &p->manifest);
}

static void put_verify(struct hxs_json_out *o, struct hxfs *fs,
		       const struct hxfs_slot *s, const char *env,
		       const char *id)
{
	struct hxs_result res;

	if (hxs_result_load(fs->store, s->kind, env, id, &res) != 1) {
		hxs_json_out_null(o, "verify");
		return;
	}
	hxs_json_out_object(o, "verify");
	hxs_json_out_bool(o, "passed", res.passed);
	hxfs_status_time(o, "when", res.when);
	hxs_json_out_bool(o, "current",
			  s->past && s->past->proven &&
				  hxs_digest_equal(&res.manifest,
						   &s->past->manifest));
	hxs_json_out_uint(o, "faults", res.faults);
	hxs_json_out_end_object(o);
}

/* @s is a copy, its past too; @r tells whether it is loaded. */
static int put_snapshot(struct hxs_json_out *o, struct hxfs *fs,
			const struct hxfs_slot *s, int r, const char *reason,
			bool stranger)
{
	char id[HXS_ID_LEN + 1], ref[HXS_REF_TEXT];
	const char *env;

	if (hxs_clock_format_id(s->seconds, id) < 0)
		return -ESTALE;
	hxfs_lock(fs);
	env = fs->env[s->env]->name; /* stays */
	hxfs_unlock(fs);
	hxs_ref_format(s->kind, env, id, ref);
	hxs_json_out_object(o, NULL);
	hxs_json_out_string(o, "snapshot", ref);
	hxs_json_out_string(o, "state",
			    r == 0			? "ok"
			    : hxfs_slots_is_shortage(r) ? "unavailable"
							: "damaged");
	hxs_json_out_string(o, "reason", r == 0 ? NULL : reason);
	if (s->past && s->past->proven)
		put_past(o, s->past);
	if (s->past && s->past->unlisted >= 0)
		hxs_json_out_int(o, "unlisted", s->past->unlisted);
	else
		hxs_json_out_null(o, "unlisted");
	put_verify(o, fs, s, env, id);
	put_faults(o, fs, HXFS_ANY, s->number, stranger);
	hxfs_status_operation(o, fs, NULL, ref);
	hxs_json_out_end_object(o);
	return 0;
}

static int snapshot_text(struct hxfs *fs, uint32_t number,
			 enum hxfs_patience patience, bool stranger,
			 struct hxs_json_out *o)
{
	struct hxs_err why = HXS_ERR_INIT;
	struct hxfs_slot *s, *known, copy;
	struct hxfs_past past;
	int r;

	if (patience == HXFS_NOW)
		return -EAGAIN; /* counting unlisted files walks directories */
	r = hxfs_slots_enter(fs, number, patience, &s, &why);
	if (r == -ESTALE)
		return r;
	if (r == 0)
		(void)hxfs_slots_unlisted(fs, s); /* else it stays unknown */
	hxfs_lock(fs);
	known = hxfs_registry_slot(fs, number);
	if (known) {
		copy = *known;
		if (known->past) {
			past = *known->past;
			past.reason = NULL;
			copy.past = &past;
		}
	}
	hxfs_unlock(fs);
	if (r == 0)
		hxfs_slots_leave(fs, s);
	return known ? put_snapshot(o, fs, &copy, r, why.message, stranger)
		     : -ESTALE;
}

int hxfs_status_text(struct hxfs *fs, const struct hxfs_node *node,
		     enum hxfs_patience patience, bool stranger, char **out,
		     size_t *len, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf buf = HXS_BUF_INIT;
	struct hxs_json_out o;
	int r = -ESTALE;

	hxs_json_out_init(&o, &buf, true);
	switch (node->kind) {
	case HXFS_IS_STATUS:
		r = root_text(fs, patience, stranger, &o);
		break;
	case HXFS_IS_ENV_STATUS:
		r = env_text(fs, node->env, stranger, &o);
		break;
	case HXFS_IS_SNAPSHOT_STATUS:
		r = snapshot_text(fs, node->slot, patience, stranger, &o);
		break;
	case HXFS_IS_METRICS:
		hxfs_metrics_put(fs, &buf);
		r = 0;
		break;
	default:
		break;
	}
	if (r < 0)
		return r;
	r = hxs_buf_status(&buf);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot tell the status");
	*out = hxs_buf_steal(&buf, len);
	return *out ? 0 : -ENOMEM;
}
