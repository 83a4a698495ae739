/*
 * Databases on a server are restored as a restore stages them: beside the live
 * one, under the environment's lock and a journal. It is undone at the end;
 * whoever comes after a drill that was killed undoes it by that journal.
 */
#include "base/io.h"
#include "verbs/drill_parts.h"
#include "verbs/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ROWS_MAX 4096 /* bytes of the file that counts them */

bool hxs_drill_systems_any(const struct hxs_config_env *env)
{
	size_t i;

	for (i = 0; i < env->source_count; i++)
		if (env->sources[i].kind == HXS_SOURCE_POSTGRES)
			return true;
	return false;
}

/* ---- beginning --------------------------------------------------------- */

static int add_all(struct hxs_drill_run *run, struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(run->snap);
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < run->env->source_count; i++) {
		const struct hxs_config_source *src = &run->env->sources[i];
		int64_t n = hxs_index_find(idx, src->name);

		if (src->kind == HXS_SOURCE_POSTGRES && n >= 0)
			r = hxs_restore_systems_add(&run->systems, i,
						    (uint32_t)n, NULL, err);
	}
	for (i = 0; i < run->systems.system_count; i++)
		run->systems.systems[i].sys.trial = true;
	return r;
}

static int probe_all(struct hxs_restore *rs, struct hxs_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < rs->system_count; i++)
		r = rs->systems[i].ops->probe(&rs->systems[i].sys, err);
	return r;
}

/* All of them have one journal. */
static int begin_all(struct hxs_drill_run *run, struct hxs_err *err)
{
	struct hxs_restore *rs = &run->systems;
	struct hxs_journal *j;
	int r;

	*rs = (struct hxs_restore){
		.store = run->store,
		.opts = &run->ropts,
		.env = run->env,
		.snap = run->snap,
		.relay = { .to = &run->ears, .phase = run->relay.phase },
		.rollback = HXS_ROLLBACK_INIT,
	};
	r = add_all(run, err);
	if (r == 0)
		r = probe_all(rs, err);
	if (r < 0)
		return r;
	j = rs->journal = calloc(1, sizeof(*j));
	if (!j)
		return hxs_err_errno(err, ENOMEM, "cannot try a restore");
	(void)snprintf(j->env, sizeof(j->env), "%s", run->env->name);
	(void)snprintf(j->reference, sizeof(j->reference), "%s",
		       run->rep->reference);
	r = hxs_restore_systems_plan(rs, err);
	if (r < 0)
		return r;
	/* From here on there is something to undo. */
	j->state = HXS_JOURNAL_STAGING;
	return hxs_journal_write(run->store, j, err);
}

static int begin(struct hxs_drill_run *run, struct hxs_err *err)
{
	int r;

	if (run->systems.journal)
		return 0;
	r = begin_all(run, err);
	/* What cannot be undone now has a journal, and is undone by that. */
	if (r < 0)
		(void)!hxs_drill_systems_end(run, NULL);
	return r;
}

static struct hxs_restore_system *find(const struct hxs_drill_run *run,
				       const struct hxs_config_source *src)
{
	const struct hxs_restore *rs = &run->systems;
	size_t i;

	for (i = 0; i < rs->system_count; i++)
		if (rs->systems[i].sys.src == src)
			return &rs->systems[i];
	return NULL;
}

/* ---- one of them ------------------------------------------------------- */

/* How many rows file @path, of one table, says there are. */
static int read_rows(const struct hxs_drill_run *run, const char *path,
		     uint64_t *rows)
{
	HXS_AUTO_CLOSE int fd =
		hxs_io_open_regular(run->scratch.fd, path, NULL);
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	HXS_AUTO_FREE char *text = NULL;
	const struct hxs_json *v;
	int64_t n = 0;
	size_t len;
	int r = fd < 0 ? fd : hxs_io_read_all(fd, ROWS_MAX, &text, &len);

	if (r == 0)
		r = hxs_json_parse(text, len, &doc, NULL);
	v = r == 0 ? hxs_json_get(hxs_json_root(doc), "rows") : NULL;
	if (r == 0 && v && hxs_json_int(v, &n, NULL) == 0 && n >= 0)
		*rows += (uint64_t)n;
	return r;
}

/* The tables and rows of @src, which stage() found to be there. */
static int tell(const struct hxs_drill_run *run,
		const struct hxs_config_source *src, uint32_t top,
		const char *name, struct hxs_buf *detail)
{
	const struct hxs_index *idx = hxs_snapshot_index(run->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf tables = HXS_BUF_INIT;
	uint64_t count = 0, rows = 0;
	struct hxs_node node;
	int64_t n;
	int r = 0;

	(void)hxs_buf_printf(&tables, "%s/schemas/", src->name);
	if (hxs_buf_status(&tables) < 0)
		return -ENOMEM;
	for (n = top; r == 0 && n >= 0;
	     n = hxs_index_next(idx, (uint32_t)n, top)) {
		hxs_index_get(idx, (uint32_t)n, &node);
		hxs_buf_truncate(&path, 0);
		if (hxs_index_path(idx, (uint32_t)n, &path) < 0)
			return -ENOMEM;
		if (!S_ISREG(node.mode) || !path.data ||
		    strncmp(path.data, tables.data, tables.len) != 0)
			continue;
		count++;
		r = read_rows(run, path.data, &rows);
	}
	(void)hxs_buf_printf(detail, "%" PRIu64 " table%s, %" PRIu64 " row%s",
			     count, count == 1 ? "" : "s", rows,
			     rows == 1 ? "" : "s");
	if (name)
		(void)hxs_buf_printf(detail, ", in database '%s'", name);
	return r < 0 ? r : hxs_buf_status(detail);
}

/* What is missing now, all programs being there, the snapshot does not hold. */
static int lacks(int r, struct hxs_err *err)
{
	if (r != -ENOENT && r != -ENOTDIR && r != -EISDIR)
		return r;
	if (err)
		err->code = -HXS_ECORRUPT;
	return -HXS_ECORRUPT;
}

int hxs_drill_systems_check(struct hxs_drill_run *run,
			    const struct hxs_config_source *src, uint32_t entry,
			    struct hxs_buf *detail, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_restore_system *s;
	HXS_AUTO_CLOSE int dir = -1;
	int r;

	r = begin(run, err);
	if (r < 0)
		return r;
	s = find(run, src);
	if (!s) /* the journal could not be begun, and was not for it either */
		return hxs_err_set(err, EIO, "source '%s' cannot be tried",
				   src->name);
	r = dir = hxs_io_open_dir(run->scratch.fd, src->name);
	if (r >= 0)
		r = hxs_buf_printf(&path, "%s/%s", run->scratch.path,
				   src->name);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot open what was restored of '%s'",
				     src->name);
	r = s->ops->stage(&s->sys, dir, path.data, err);
	if (r < 0)
		return lacks(r, err);
	r = tell(run, src, entry, s->sys.rec->staged, detail);
	return r < 0 ? hxs_err_errno(err, -r, "cannot count the rows of '%s'",
				     src->name)
		     : 0;
}

const char *hxs_drill_systems_name(const struct hxs_drill_run *run,
				   const struct hxs_config_source *src)
{
	const struct hxs_restore_system *s = find(run, src);

	return s && s->sys.rec ? s->sys.rec->staged : NULL;
}

int hxs_drill_systems_end(struct hxs_drill_run *run, struct hxs_err *err)
{
	struct hxs_restore *rs = &run->systems;
	int r = 0;

	if (rs->journal)
		r = hxs_restore_undo(run->store, run->opts->config, rs->journal,
				     err);
	hxs_restore_systems_free(rs);
	hxs_journal_free(rs->journal);
	rs->journal = NULL;
	return r;
}
