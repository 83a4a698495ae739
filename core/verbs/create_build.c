/*
 * What a snapshot is made of, up to the rename: the same for a backup and for
 * a rollback point.
 */
#include "verbs/create_parts.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "source/apart.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FDS_SPARE 24 /* ours beside the workers', and the caller's */
#define FDS_PER_WORKER 10 /* SQLite copying a database wants four of them */

static void enter(struct hxs_create *c, const char *phase)
{
	hxs_relay_enter(&c->relay, phase, c->cap.files, c->cap.bytes);
}

/* ---- what is asked for ------------------------------------------------- */

static bool is_utf8(const char *s)
{
	size_t len = strlen(s), n;

	for (; len; s += n, len -= n) {
		n = hxs_utf8_char(s, len, NULL);
		if (n == 0)
			return false;
	}
	return true;
}

/* What a rollback point takes otherwise than a backup would. -ENOMEM. */
static int change_source(struct hxs_create *c, size_t i)
{
	struct hxs_create_source *s = &c->sources[i];
	const char *own = c->own ? c->own[i] : NULL;
	const char *why = c->raw ? c->raw[i] : NULL;
	size_t n = s->config->exclude_count;

	if (!own && !why)
		return 0;
	s->changed = *s->config;
	s->config = &s->changed;
	if (own) {
		s->exclude = calloc(n + 1, sizeof(*s->exclude));
		if (!s->exclude)
			return -ENOMEM;
		if (n)
			memcpy(s->exclude, s->changed.exclude,
			       n * sizeof(*s->exclude));
		s->exclude[n] = (char *)own;
		s->changed.exclude = s->exclude;
		s->changed.exclude_count++;
	}
	if (why) {
		s->changed.sqlite_raw = true;
		hxs_capture_warn(&c->cap,
				 "%s; the databases of source '%s' are kept as "
				 "they are, byte by byte",
				 why, s->changed.name);
	}
	return 0;
}

int hxs_create_check_request(struct hxs_create *c, struct hxs_err *err)
{
	const struct hxs_create_opts *o = c->opts;
	const struct hxs_config_source *src;
	size_t i;

	c->env = hxs_config_env(o->config, o->env);
	if (!c->env)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "'%s' has no environment '%s'",
				   o->config->file, o->env);
	for (i = 0; i < o->tag_count; i++)
		if (o->tags[i][0] == '\0' || !is_utf8(o->tags[i]))
			return hxs_err_set(err, HXS_EUSAGE,
					   "a tag is empty or not UTF-8");
	c->sources = calloc(c->env->source_count + 1, sizeof(*c->sources));
	if (!c->sources)
		return hxs_err_errno(err, ENOMEM, "cannot make a snapshot");
	for (i = 0; i < c->env->source_count; i++) {
		src = &c->env->sources[i];
		c->sources[i].config = src;
		if (change_source(c, i) < 0)
			return hxs_err_errno(err, ENOMEM,
					     "cannot make a snapshot");
		c->sources[i].ops = hxs_source_ops(src->kind);
		if (!c->sources[i].ops)
			return hxs_err_set(err, HXS_EUSAGE,
					   "source '%s': kind '%s' cannot be "
					   "captured by this version",
					   src->name,
					   hxs_config_kind_name(src->kind));
	}
	return 0;
}

/* ---- the steps --------------------------------------------------------- */

static int begin(struct hxs_create *c, struct hxs_err *err)
{
	struct hxs_index_head head = { .kind = c->kind };
	int r;

	r = hxs_staging_begin(c->store, c->kind, c->opts->env, &c->staging,
			      err);
	if (r < 0)
		return r;
	hxs_clock_now(&c->captured);
	memcpy(head.env, c->staging.env, sizeof(head.env));
	memcpy(head.id, c->staging.id, sizeof(head.id));
	head.captured = c->captured;
	r = hxs_index_builder_new(&head, &c->builder);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot make an index");
	c->cap.builder = c->builder;
	c->cap.dest = c->staging.fd;
	return hxs_apart_note(&c->cap, c->store, err);
}

/* A source that is not there: refused, or left out and told. */
static int miss(struct hxs_create *c, size_t i, struct hxs_err *err)
{
	if (c->kind == HXS_ROLLBACK) {
		hxs_err_clear(err); /* there is nothing to go back to */
		return 0;
	}
	if (!c->opts->allow_shrink) {
		int r = hxs_err_set(err, HXS_EDENIED,
				    "refused: source '%s': '%s' does not exist",
				    c->sources[i].config->name,
				    c->sources[i].config->path);

		hxs_err_hint(err, "is its file system mounted?");
		return r;
	}
	hxs_err_clear(err);
	hxs_capture_warn(&c->cap, "source '%s' was left out: it does not exist",
			 c->sources[i].config->name);
	return 0;
}

static int list_sources(struct hxs_create *c, struct hxs_err *err)
{
	struct hxs_create_source *s;
	bool any = false;
	size_t i;
	int r;

	enter(c, "looking");
	for (i = 0; i < c->env->source_count; i++) {
		s = &c->sources[i];
		if (s->left_out) /* it was told already */
			continue;
		r = s->ops->list(&c->cap, s->config, &s->state, &s->totals,
				 err);
		if (r == -HXS_ENOSUCH)
			r = miss(c, i, err);
		if (r < 0)
			return r;
		any |= s->state != NULL;
		c->relay.files_total += s->totals.files;
		c->relay.bytes_total += s->totals.bytes;
	}
	if (!any && c->kind == HXS_ROLLBACK)
		return HXS_CREATE_NOTHING;
	if (!any)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: no source of '%s' exists",
				   c->opts->env);
	return 0;
}

static int copy_sources(struct hxs_create *c, struct hxs_err *err)
{
	struct hxs_create_source *s;
	size_t i;
	int r;

	enter(c, "reading");
	for (i = 0; i < c->env->source_count; i++) {
		s = &c->sources[i];
		if (!s->state)
			continue;
		r = 0;
		if (c->adopt && c->adopt[i])
			r = s->ops->survey(&c->cap, s->state, &s->totals, err);
		if (c->adopt)
			c->adopt[i] = r > 0;
		if (r == 0)
			r = s->ops->copy(&c->cap, s->state, &s->totals, err);
		if (r == -EIO && !s->config->sqlite_raw)
			c->broken = i;
		if (r < 0)
			return r;
		s->ops->free(s->state); /* it can be large */
		s->state = NULL;
	}
	return 0;
}

static int start_workers(struct hxs_create *c, struct hxs_err *err)
{
	return hxs_pool_start(c->opts->threads, FDS_SPARE, FDS_PER_WORKER,
			      &c->cap.pool, err);
}

/*
 * Look at the sources, and meanwhile at the snapshots before: reading the
 * index of a large one takes as long.
 */
static int look(struct hxs_create *c, struct hxs_err *err)
{
	int r, before;

	hxs_pool_submit(c->cap.pool, hxs_create_look_back, c);
	r = list_sources(c, err);
	hxs_pool_wait(c->cap.pool);
	if (r != 0)
		return r;
	before = hxs_capture_status(&c->cap, err);
	if (before < 0)
		return before;
	if (c->verified) {
		c->cap.prev = hxs_snapshot_index(c->verified);
		c->cap.prev_fd = hxs_snapshot_fd(c->verified);
	}
	return 0;
}

int hxs_create_build(struct hxs_create *c, struct hxs_err *err)
{
	int r;

	hxs_create_ask_commit(c);
	r = begin(c, err);
	if (r == 0 && c->kind == HXS_BACKUP)
		r = hxs_create_read_before(c, err);
	if (r == 0 && hxs_create_has_systems(c)) {
		enter(c, "asking");
		r = hxs_create_fetch(c, err);
	}
	if (r == 0)
		r = start_workers(c, err);
	if (r == 0)
		r = look(c, err);
	if (r == 0 && c->kind == HXS_BACKUP)
		r = hxs_create_check_shrink(c, err);
	if (r != 0)
		return r;
	r = copy_sources(c, err);
	/* Once more: much may have vanished since it was seen. */
	if (r == 0 && c->kind == HXS_BACKUP)
		r = hxs_create_check_shrink(c, err);
	if (r < 0)
		return r;
	enter(c, "writing");
	r = hxs_create_write(c, err);
	if (r == 0 && !hxs_capture_goes_on(&c->cap))
		r = hxs_capture_status(&c->cap, err);
	return r;
}

void hxs_create_let_go(void *arg)
{
	struct hxs_create *c = arg;

	hxs_index_builder_free(c->builder);
	hxs_snapshot_unref(c->verified);
	c->builder = NULL;
	c->verified = NULL;
}

void hxs_create_release(struct hxs_create *c)
{
	size_t i;

	hxs_pool_free(c->cap.pool); /* first: it may be at work on the rest */
	for (i = 0; c->sources && i < c->env->source_count; i++) {
		if (c->sources[i].state)
			c->sources[i].ops->free(c->sources[i].state);
		free(c->sources[i].exclude);
	}
	free(c->sources);
	hxs_create_forget_commit(c);
	hxs_meta_release(&c->meta);
	hxs_create_let_go(c);
	hxs_staging_release(&c->staging);
	hxs_capture_release(&c->cap);
}
