/*
 * Restoring what lives elsewhere than in files (source/system.h). Its files in
 * the snapshot are staged in the store, verified, and it is given those: no
 * program reads a stored byte that was not hashed.
 */
#include "base/clock.h"
#include "base/io.h"
#include "verbs/restore_parts.h"
#include "verbs/restore_room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define STAGED ".hxsnap/staged"

int hxs_restore_systems_area(struct hxs_store *s, const char *env,
			     struct hxs_buf *path)
{
	HXS_AUTO_CLOSE int fd = hxs_store_make_dir(s, STAGED, 0700, NULL);

	if (fd < 0)
		return fd;
	(void)hxs_buf_printf(path, STAGED "/%s", env);
	return hxs_buf_status(path);
}

static int no_memory(const struct hxs_restore *rs, struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "cannot restore '%s'", rs->env->name);
}

/* ---- which ------------------------------------------------------------- */

static struct hxs_restore_system *find(struct hxs_restore *rs, size_t number)
{
	size_t i;

	for (i = 0; i < rs->system_count; i++)
		if (rs->systems[i].number == number)
			return &rs->systems[i];
	return NULL;
}

static struct hxs_restore_system *add(struct hxs_restore *rs, size_t number,
				      uint32_t entry)
{
	const struct hxs_config_source *src = &rs->env->sources[number];
	struct hxs_restore_system *grown;

	grown = reallocarray(rs->systems, rs->system_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	rs->systems = grown;
	grown += rs->system_count++;
	*grown = (struct hxs_restore_system){
		.ops = hxs_system_ops(src->kind),
		.number = number,
		.entry = entry,
		.sys = {
			.src = src,
			.base = rs->opts->config->base,
			.store = hxs_store_path(rs->store),
			.at = rs->store,
			.env = rs->env->name,
			.id = rs->opts->id,
			.rollback_id = rs->rollback.id,
			.threads = rs->opts->threads,
			.ears = hxs_relay_ears(&rs->relay),
			.until = src->records.none ? NULL : rs->opts->until,
		},
	};
	return grown;
}

static int add_part(struct hxs_restore *rs, struct hxs_restore_system *s,
		    const char *path, struct hxs_err *err)
{
	const struct hxs_config_source *src = s->sys.src;
	const char *fault;
	char **grown;
	int r;

	if (!s->ops->part_fault)
		fault = "it is restored as a whole";
	else
		fault = s->ops->part_fault(src, path);
	if (fault) {
		r = hxs_err_set(err, HXS_EUSAGE,
				"'%s/%s' cannot be restored by itself: %s",
				src->name, path, fault);
		hxs_err_hint(err, "'hxsnap restore %s %s' restores all of it",
			     hxs_snapshot_name(rs->snap), src->name);
		return r;
	}
	grown = reallocarray(s->parts, s->part_count + 2, sizeof(*grown));
	if (!grown)
		return no_memory(rs, err);
	s->parts = grown;
	grown[s->part_count] = strdup(path);
	if (!grown[s->part_count])
		return no_memory(rs, err);
	grown[++s->part_count] = NULL;
	return 0;
}

int hxs_restore_systems_add(struct hxs_restore *rs, size_t number,
			    uint32_t entry, const char *path,
			    struct hxs_err *err)
{
	const struct hxs_config_source *src = &rs->env->sources[number];
	struct hxs_restore_system *s;
	struct hxs_node node;

	if (rs->again) /* looked at before, and nothing moves them */
		return 0;
	if (!hxs_system_ops(src->kind))
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': kind '%s' cannot be restored "
				   "by this version",
				   src->name, hxs_config_kind_name(src->kind));
	hxs_index_get(hxs_snapshot_index(rs->snap), entry, &node);
	if (!S_ISDIR(node.mode))
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: source '%s' is of kind '%s', and "
				   "what snapshot '%s' has of it is a file",
				   src->name, hxs_config_kind_name(src->kind),
				   hxs_snapshot_name(rs->snap));
	s = find(rs, number);
	if (!s)
		s = add(rs, number, entry);
	if (!s)
		return no_memory(rs, err);
	return path ? add_part(rs, s, path, err) : 0;
}

void hxs_restore_systems_free(struct hxs_restore *rs)
{
	size_t i, k;

	for (i = 0; i < rs->system_count; i++) {
		for (k = 0; k < rs->systems[i].part_count; k++)
			free(rs->systems[i].parts[k]);
		free(rs->systems[i].parts);
		free(rs->systems[i].mark);
	}
	free(rs->systems);
	rs->systems = NULL;
	rs->system_count = 0;
}

/* ---- before anything is made ------------------------------------------- */

static int check_room(const struct hxs_restore *rs, struct hxs_err *err)
{
	struct hxs_room room;
	size_t i;

	hxs_restore_room_begin(&room, rs->store, hxs_store_fd(rs->store));
	for (i = 0; i < rs->system_count; i++)
		hxs_restore_room_add(&room, rs->snap, rs->systems[i].entry);
	return hxs_restore_room_check(&room, hxs_store_fd(rs->store),
				      hxs_store_path(rs->store), err);
}

int hxs_restore_systems_probe(struct hxs_restore *rs, struct hxs_err *err)
{
	size_t i;
	int r = rs->system_count ? check_room(rs, err) : 0;

	for (i = 0; r == 0 && i < rs->system_count; i++)
		r = rs->systems[i].ops->probe(&rs->systems[i].sys, err);
	return r;
}

static int fill_record(const struct hxs_restore_system *s,
		       struct hxs_journal_system *rec)
{
	size_t i;

	rec->source = strdup(s->sys.src->name);
	if (!rec->source)
		return -ENOMEM;
	if (!s->part_count)
		return 0;
	rec->parts = calloc(s->part_count + 1, sizeof(*rec->parts));
	for (i = 0; rec->parts && i < s->part_count; i++) {
		rec->parts[i] = strdup(s->parts[i]);
		if (!rec->parts[i])
			return -ENOMEM;
	}
	return rec->parts ? 0 : -ENOMEM;
}

int hxs_restore_systems_plan(struct hxs_restore *rs, struct hxs_err *err)
{
	struct hxs_journal *j = rs->journal;
	size_t i;
	int r = 0;

	/* First all of them: they move while there come more. */
	for (i = 0; i < rs->system_count; i++)
		if (!hxs_journal_add_system(j))
			return no_memory(rs, err);
	for (i = 0; r == 0 && i < rs->system_count; i++) {
		struct hxs_restore_system *s = &rs->systems[i];

		s->sys.rec = &j->systems[i];
		if (fill_record(s, s->sys.rec) < 0)
			return no_memory(rs, err);
		r = s->ops->plan(&s->sys, err);
	}
	return r;
}

/* ---- staging and exchanging -------------------------------------------- */

/* Open where the files of @s are staged; *@path is its absolute path. */
static int open_files(const struct hxs_restore *rs,
		      const struct hxs_restore_system *s, struct hxs_buf *path,
		      struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf area = HXS_BUF_INIT;
	int r;

	r = hxs_restore_systems_area(rs->store, rs->env->name, &area);
	if (r == 0)
		(void)hxs_buf_printf(&area, "/%s", s->sys.src->name);
	if (r == 0)
		(void)hxs_buf_printf(path, "%s/%s", hxs_store_path(rs->store),
				     hxs_buf_str(&area));
	if (r == 0)
		r = hxs_buf_status(&area);
	if (r == 0)
		r = hxs_buf_status(path);
	if (r == 0)
		r = hxs_io_open_dir(hxs_store_fd(rs->store), area.data);
	return r < 0 ? hxs_err_errno(err, -r,
				     "cannot open what was staged of source "
				     "'%s'",
				     s->sys.src->name)
		     : r;
}

/* A new, empty directory for the files of all of them. */
static int make_area(struct hxs_restore *rs, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf area = HXS_BUF_INIT;
	int r, fd = -1;

	r = hxs_restore_systems_area(rs->store, rs->env->name, &area);
	if (r == 0)
		r = hxs_io_remove_tree(hxs_store_fd(rs->store), area.data);
	if (r == 0)
		fd = r = hxs_store_make_dir(rs->store, area.data, 0700, NULL);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot stage in '%s'",
				     hxs_store_path(rs->store));
	return fd;
}

static void note_dropped(struct hxs_restore *rs,
			 const struct hxs_restore_system *s)
{
	if (rs->until.point)
		rs->until.records[s->number].dropped = s->sys.dropped;
}

int hxs_restore_systems_stage(struct hxs_restore *rs, struct hxs_stage *stage,
			      struct hxs_err *err)
{
	HXS_AUTO_CLOSE int area = -1;
	size_t i;
	int r = 0;

	if (!rs->system_count)
		return 0;
	area = make_area(rs, err);
	if (area < 0)
		return area;
	for (i = 0; r == 0 && i < rs->system_count; i++) {
		struct hxs_restore_system *s = &rs->systems[i];
		HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
		HXS_AUTO_CLOSE int dir = -1;

		r = hxs_stage_entry(stage, s->entry, area, s->sys.src->name,
				    err);
		if (r < 0)
			return r;
		dir = open_files(rs, s, &path, err);
		if (dir < 0)
			return dir;
		r = s->ops->stage(&s->sys, dir, hxs_buf_str(&path), err);
		if (r == 0)
			note_dropped(rs, s);
	}
	return r;
}

int hxs_restore_systems_intend(struct hxs_restore *rs, struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < rs->system_count; i++)
		r = rs->systems[i].ops->intend(&rs->systems[i].sys, err);
	return r;
}

int hxs_restore_systems_swap(struct hxs_restore *rs, double *absent,
			     struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < rs->system_count; i++) {
		struct hxs_restore_system *s = &rs->systems[i];
		HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
		HXS_AUTO_CLOSE int dir = open_files(rs, s, &path, err);

		if (dir < 0)
			return dir;
		/* One that was not touched is not to get an older state. */
		s->sys.rec->begun = true;
		s->sys.mark = s->mark;
		s->sys.guarded = !rs->opts->force && !rs->opts->discards;
		r = hxs_journal_write(rs->store, rs->journal, err);
		if (r == 0)
			r = s->ops->swap(&s->sys, dir, hxs_buf_str(&path), err);
		*absent += s->sys.absent;
	}
	return r;
}
