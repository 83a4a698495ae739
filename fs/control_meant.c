/* What a command is about. */
#include "base/clock.h"
#include "base/path.h"
#include "format/ref.h"
#include "fs/control_run.h"
#include "fs/registry.h"

#include <string.h>

int hxfs_run_find_place(struct hxfs_run *run)
{
	const struct hxfs_node *node = &run->ticket->h->node;
	const struct hxfs_slot *s = NULL;
	const struct hxfs_env *e = NULL;
	int r = 0;

	if (node->of == HXFS_IS_ROOT)
		return 0;
	hxfs_lock(run->fs);
	if (node->of == HXFS_IS_ENV) {
		e = hxfs_registry_env(run->fs, node->env);
	} else {
		s = hxfs_registry_slot(run->fs, node->slot);
		if (s && !s->gone)
			e = run->fs->env[s->env];
	}
	if (e)
		memcpy(run->env, e->name, sizeof(run->env));
	if (e && s) {
		run->kind = s->kind;
		r = hxs_clock_format_id(s->seconds, run->id);
	}
	hxfs_unlock(run->fs);
	if (!e || r < 0)
		return hxs_err_set(run->err, HXS_ENOSUCH,
				   "the %s of this control file is no longer "
				   "in the store",
				   node->of == HXFS_IS_ENV ? "environment"
							   : "snapshot");
	return 0;
}

/* One slip must not touch another environment. */
static int check_env(const struct hxfs_run *run, const char *env)
{
	if (run->env[0] == '\0' || strcmp(run->env, env) == 0)
		return 0;
	return hxs_err_set(run->err, HXS_EUSAGE,
			   "this control file is of environment '%s', not of "
			   "'%s'",
			   run->env, env);
}

static void set_env(struct hxfs_run *run, const char *env)
{
	struct hxfs_control *c = run->c;

	memcpy(run->out->env, env, strlen(env) + 1);
	if (run->aside)
		return;
	(void)pthread_mutex_lock(&c->lock);
	memcpy(c->now.env, env, strlen(env) + 1);
	(void)pthread_mutex_unlock(&c->lock);
}

void hxfs_run_set_reference(struct hxfs_run *run, enum hxs_kind kind,
			    const char *env, const char *id)
{
	struct hxfs_control *c = run->c;

	hxs_ref_format(kind, env, id, run->out->reference);
	(void)pthread_mutex_lock(&c->lock);
	memcpy(c->now.reference, run->out->reference, sizeof(c->now.reference));
	(void)pthread_mutex_unlock(&c->lock);
}

int hxfs_run_find_env(struct hxfs_run *run)
{
	const char *env = run->cmd->name ? run->cmd->name : run->env;
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	int r;

	if (!hxs_path_is_name(env)) {
		(void)hxs_path_show(&shown, env, strnlen(env, 100));
		return hxs_err_set(run->err, HXS_EUSAGE,
				   "'%s' is no name of an environment",
				   hxs_buf_str(&shown));
	}
	r = check_env(run, env);
	if (r == 0)
		set_env(run, env);
	return r;
}

int hxfs_run_find_snapshot(struct hxfs_run *run, enum hxs_kind *kind,
			   char id[HXS_ID_LEN + 1])
{
	struct hxs_ref ref = { .which = HXS_REF_LATEST, .kind = HXS_BACKUP };
	int r = 0;

	*kind = run->kind;
	memcpy(id, run->id, sizeof(run->id));
	memcpy(ref.env, run->env, sizeof(ref.env));
	if (run->cmd->name)
		r = hxs_ref_parse(run->cmd->name, &ref, run->err);
	if (r == 0)
		r = check_env(run, ref.env);
	if (r < 0)
		return r;
	set_env(run, ref.env);
	if (run->id[0] == '\0') {
		*kind = ref.kind;
		r = hxs_store_resolve(run->fs->store, &ref, id, run->err);
	}
	if (r == 0)
		hxfs_run_set_reference(run, *kind, run->out->env, id);
	return r;
}
