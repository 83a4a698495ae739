/* What is known of a store, read without a lock and without changing it. */
#include "verbs/check.h"

#include "base/clock.h"
#include "base/io.h"
#include "store/audit.h"
#include "store/drills.h"
#include "store/journal.h"
#include "store/lock.h"
#include "store/snapshot.h"
#include "store/unconfirmed.h"
#include "verbs/history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

struct gather {
	const struct hxs_store *store;
	const struct hxs_config *config;
	struct hxs_check_facts *out;
	struct hxs_err *err;
};

void hxs_check_facts_release(struct hxs_check_facts *f)
{
	size_t i, k;

	for (i = 0; i < f->env_count; i++) {
		for (k = 0; k < f->envs[i].count; k++)
			free(f->envs[i].snapshots[k].damage);
		free(f->envs[i].snapshots);
		free(f->envs[i].drill.fault);
		free(f->envs[i].unconfirmed_fault);
		free(f->envs[i].trouble);
	}
	free(f->envs);
	for (i = 0; i < f->note_count; i++)
		free(f->notes[i]);
	free(f->notes);
	free(f->audit_fault);
	free(f->store);
	memset(f, 0, sizeof(*f));
}

static int no_memory(struct gather *g)
{
	return hxs_err_errno(g->err, ENOMEM, "cannot look at the store");
}

static bool is_denied(int r)
{
	return r == -EACCES || r == -EPERM || r == -HXS_EDENIED;
}

static int note(struct gather *g, const char *text)
{
	return hxs_meta_add(&g->out->notes, &g->out->note_count, text) < 0
		       ? no_memory(g)
		       : 0;
}

/* *@out becomes @text unless something is there already. */
static int keep(struct gather *g, char **out, const char *text)
{
	if (!*out)
		*out = strdup(text);
	return *out ? 0 : no_memory(g);
}

/* ---- snapshots ----------------------------------------------------------- */

static int take_item(struct gather *g, const struct hxs_history_item *item,
		     struct hxs_check_env *e, struct hxs_check_snapshot *s)
{
	const struct hxs_result *res = &item->result;
	uint64_t files;

	s->has_bytes = hxs_history_totals(item, &files, &s->bytes);
	if (item->has_result) {
		s->verified = res->passed;
		s->when = res->when;
	}
	if (item->has_result && !res->passed)
		return keep(g, &s->damage,
			    *res->first_fault ? res->first_fault
					      : "a fault was found");
	if (item->readable)
		return 0;
	return keep(g, item->denied ? &e->trouble : &s->damage, item->reason);
}

static int see_snapshot(struct gather *g, struct hxs_check_env *e,
			enum hxs_kind kind, const char *id)
{
	struct hxs_check_snapshot *s = &e->snapshots[e->count];
	struct hxs_history_item item;
	int r;

	r = hxs_history_describe(g->store, kind, e->name, id, &item, NULL);
	if (r == -HXS_ENOSUCH)
		return 0; /* removed since it was listed */
	if (r < 0)
		return no_memory(g);
	s->kind = kind;
	memcpy(s->id, id, sizeof(s->id));
	(void)hxs_clock_parse_id(id, &s->made); /* the store checked it */
	e->count++;
	e->backups += kind == HXS_BACKUP;
	r = take_item(g, &item, e, s);
	hxs_history_item_release(&item);
	return r;
}

static int see_area(struct gather *g, struct hxs_check_env *e,
		    enum hxs_kind kind)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_check_snapshot *grown;
	struct hxs_err why = HXS_ERR_INIT;
	size_t i;
	int r;

	r = hxs_store_ids(g->store, kind, e->name, &ids, &why);
	if (r == -ENOMEM)
		return no_memory(g);
	if (r < 0)
		return keep(g, &e->trouble, why.message);
	grown = reallocarray(e->snapshots, e->count + ids.count + 1,
			     sizeof(*grown));
	if (!grown)
		return no_memory(g);
	e->snapshots = grown;
	memset(&grown[e->count], 0, (ids.count + 1) * sizeof(*grown));
	for (i = 0; r == 0 && i < ids.count; i++)
		r = see_snapshot(g, e, kind, ids.name[i]);
	return r;
}

/*
 * The newest backup is the one that will be wanted: that its manifest and
 * index are right is worth the time, and that what was verified is still it.
 */
static int see_newest(struct gather *g, struct hxs_check_env *e)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *snap = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	struct hxs_check_snapshot *s;
	struct hxs_result res;
	int r;

	if (!e->backups)
		return 0;
	s = &e->snapshots[e->backups - 1];
	r = hxs_snapshot_open(g->store, s->kind, e->name, s->id, &snap, &why);
	if (r == -ENOMEM)
		return no_memory(g);
	if (r == -HXS_ENOSUCH)
		return 0;
	if (is_denied(r))
		return keep(g, &e->trouble, why.message);
	if (r < 0)
		return keep(g, &s->damage, why.message);
	if (!s->has_bytes) {
		s->bytes = hxs_snapshot_bytes(snap);
		s->has_bytes = true;
	}
	/* It is right in itself: what is known of it is from a result. */
	if (hxs_result_load(g->store, s->kind, e->name, s->id, &res) > 0 &&
	    !hxs_digest_equal(&res.manifest,
			      hxs_snapshot_manifest_digest(snap))) {
		s->verified = false;
		free(s->damage);
		s->damage = NULL;
	}
	return 0;
}

/* ---- drills -------------------------------------------------------------- */

static void take_drill(const struct hxs_drill_report *rep,
		       struct hxs_check_drill *d)
{
	d->there = true;
	d->passed = rep->status == HXS_DRILL_PASSED;
	d->finished = rep->finished;
	(void)snprintf(d->status, sizeof(d->status), "%s",
		       hxs_drills_status_name(rep->status));
}

static int hide_drills(struct gather *g, struct hxs_check_env *e)
{
	e->drill.hidden = true;
	return note(g, "the reports of drills");
}

/*
 * The last one is the one with the highest id, which counts on where a clock
 * was set back: dates do not.
 */
static int see_drills(struct gather *g, struct hxs_check_env *e)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	struct hxs_drill_report rep = { .id = "" };
	size_t i;
	int r;

	r = hxs_drills_ids(g->store, e->name, &ids, &why);
	for (i = ids.count; r == 0 && i > 0; i--) {
		r = hxs_drills_load(g->store, e->name, ids.name[i - 1], &rep,
				    &why);
		memcpy(e->drill.id, ids.name[i - 1], sizeof(e->drill.id));
		if (r != -HXS_ENOSUCH)
			break;
		hxs_err_clear(&why);
		r = 0; /* removed since it was listed */
	}
	if (r == -ENOMEM)
		return no_memory(g);
	if (is_denied(r))
		return hide_drills(g, e);
	if (r < 0)
		return keep(g, &e->drill.fault, why.message);
	if (i > 0) {
		take_drill(&rep, &e->drill);
		hxs_drills_release(&rep);
	}
	return 0;
}

/* ---- restores ------------------------------------------------------------ */

static int see_restores(struct gather *g, struct hxs_check_env *e)
{
	HXS_AUTO(journal) struct hxs_journal *j = NULL;
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	r = hxs_journal_read(g->store, e->name, &j, &why);
	if (r == -ENOMEM)
		return no_memory(g);
	e->restores_hidden = is_denied(r);
	/* That it is there but damaged is no better; one that is told once. */
	if (r > 0 || (r < 0 && !is_denied(r)))
		e->interrupted = !hxs_lock_held(g->store, e->name);
	hxs_err_clear(&why);
	r = hxs_unconfirmed_read(g->store, e->name, &u, &why);
	if (r == -ENOMEM)
		return no_memory(g);
	e->restores_hidden = e->restores_hidden || is_denied(r);
	if (r < 0 && !is_denied(r))
		return keep(g, &e->unconfirmed_fault, why.message);
	/* One that is being carried out will say by itself how it ended. */
	if (r > 0 && u.state == HXS_UNCONFIRMED_BEGUN &&
	    hxs_lock_held(g->store, e->name))
		return 0;
	if (r > 0 && (hxs_unconfirmed_is_open(&u) ||
		      u.state == HXS_UNCONFIRMED_FAILED)) {
		e->unconfirmed = true;
		e->confirm_failed = u.state == HXS_UNCONFIRMED_FAILED;
		e->confirm_until = u.deadline;
	}
	return 0;
}

/* ---- all of it ----------------------------------------------------------- */

static int see_env(struct gather *g, const char *name)
{
	const struct hxs_config_env *conf =
		g->config ? hxs_config_env(g->config, name) : NULL;
	struct hxs_check_env *e;
	int r;

	e = reallocarray(g->out->envs, g->out->env_count + 1, sizeof(*e));
	if (!e)
		return no_memory(g);
	g->out->envs = e;
	e += g->out->env_count++;
	memset(e, 0, sizeof(*e));
	(void)snprintf(e->name, sizeof(e->name), "%s", name);
	e->objectives = conf ? conf->objectives : hxs_config_objectives_default;
	r = see_area(g, e, HXS_BACKUP);
	if (r == 0)
		r = see_area(g, e, HXS_ROLLBACK);
	if (r == 0)
		r = see_newest(g, e);
	if (r == 0)
		r = see_drills(g, e);
	return r < 0 ? r : see_restores(g, e);
}

static bool is_seen(const struct hxs_check_facts *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->env_count; i++)
		if (strcmp(f->envs[i].name, name) == 0)
			return true;
	return false;
}

static int see_envs(struct gather *g, const char *wanted)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	size_t i;
	int r;

	for (i = 0; g->config && i < g->config->env_count; i++) {
		const char *name = g->config->envs[i].name;

		r = !wanted || strcmp(wanted, name) == 0 ? see_env(g, name) : 0;
		if (r < 0)
			return r;
	}
	r = hxs_store_envs(g->store, &envs, g->err);
	for (i = 0; r == 0 && i < envs.count; i++)
		if ((!wanted || strcmp(wanted, envs.name[i]) == 0) &&
		    !is_seen(g->out, envs.name[i]))
			r = see_env(g, envs.name[i]);
	if (r == 0 && wanted && !g->out->env_count)
		return hxs_err_set(g->err, HXS_ENOSUCH,
				   "no environment '%s' in store '%s'", wanted,
				   hxs_store_path(g->store));
	return r;
}

static int see_space(struct gather *g)
{
	struct hxs_check_facts *f = g->out;
	struct statvfs v;

	if (fstatvfs(hxs_store_fd(g->store), &v) < 0)
		return hxs_err_errno(g->err, errno,
				     "cannot ask what room '%s' has",
				     hxs_store_path(g->store));
	/* What is kept for root is nobody's to fill. */
	f->bytes = (uint64_t)(v.f_blocks - v.f_bfree + v.f_bavail) * v.f_frsize;
	f->bytes_free = (uint64_t)v.f_bavail * v.f_frsize;
	f->inodes = v.f_files;
	f->inodes_free = v.f_favail;
	return 0;
}

static int see_audit(struct gather *g)
{
	struct hxs_err why = HXS_ERR_INIT;
	uint64_t lines;
	int r = hxs_audit_check(g->store, &lines, &why);

	if (r == -ENOMEM)
		return no_memory(g);
	if (is_denied(r)) {
		g->out->audit_hidden = true;
		return note(g, "the audit log");
	}
	return r < 0 ? keep(g, &g->out->audit_fault, why.message) : 0;
}

int hxs_check_gather(const struct hxs_store *s, const struct hxs_config *config,
		     const char *env, struct hxs_check_facts *out,
		     struct hxs_err *err)
{
	struct gather g = {
		.store = s, .config = config, .out = out, .err = err
	};
	HXS_AUTO_NAMES struct hxs_names waiting = HXS_NAMES_INIT;
	struct timespec now;
	int r;

	memset(out, 0, sizeof(*out));
	hxs_clock_now(&now);
	out->now = now.tv_sec;
	r = keep(&g, &out->store, hxs_store_path(s));
	if (r == 0)
		r = see_envs(&g, env);
	if (r == 0)
		r = see_space(&g);
	if (r == 0)
		r = see_audit(&g);
	if (r == 0 && is_denied(hxs_journal_envs(s, &waiting, NULL)))
		r = note(&g, "whether a restore was interrupted or is to be "
			     "confirmed");
	return r;
}
