/* What was restored of one source, checked as its kind and its files allow. */
#include "base/io.h"
#include "source/sqlite.h"
#include "verbs/drill_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE 512 /* whose multiple a database has to be, to be looked at */

static char any_log[] = "*.jsonl";

/* What is known of the source that is checked. */
struct look {
	struct hxs_drill_run *run;
	const struct hxs_config_source *src; /* or what stands for one */
	struct hxs_drill_records records;
	bool logs; /* some files may be such */
	uint64_t files, bytes;
};

/* ---- one file ---------------------------------------------------------- */

static int fail(const char *shown, int r, struct hxs_err *err)
{
	return hxs_err_errno(err, -r, "cannot check '%s'", shown);
}

/*
 * A database whose size is that of none: hxs_stage_check() takes it for
 * another file.
 */
static int check_odd(struct look *l, int fd, const char *path,
		     const char *shown, struct hxs_err *err)
{
	HXS_AUTO_CAPTURE struct hxs_capture cap;
	const char *slash = strrchr(path, '/');
	HXS_AUTO_FREE char *above = NULL;
	HXS_AUTO_CLOSE int dir = -1;
	char why[128];
	int r = hxs_sqlite_look(fd);

	hxs_capture_init(&cap);
	if (r <= HXS_SQLITE_NONE)
		return r < 0 ? fail(shown, r, err) : 0;
	above = strndup(path, slash ? (size_t)(slash - path) : 0);
	dir = above ? hxs_io_open_dir(l->run->scratch.fd, above) : -ENOMEM;
	if (dir < 0)
		return fail(shown, dir, err);
	cap.ears = hxs_relay_ears(&l->run->relay);
	r = hxs_sqlite_try(&cap, dir, slash ? slash + 1 : path, why, err);
	if (r == 0)
		l->run->stage.databases++;
	if (r > 0)
		hxs_capture_warn(&cap,
				 "'%s': SQLite could not check all of it: %s",
				 shown, why);
	return r < 0 ? hxs_err_prefix(err, r, "'%s'", shown) : 0;
}

static int check_file(struct look *l, const struct hxs_node *node,
		      const char *path, struct hxs_err *err)
{
	bool log = l->logs && hxs_restore_holds_records(l->src, node, path);
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	int r;

	if (!log && node->size % PAGE == 0)
		return 0;
	if (hxs_path_show(&shown, path, strlen(path)) < 0)
		return fail("a file", -ENOMEM, err);
	fd = hxs_io_open_regular(l->run->scratch.fd, path, NULL);
	if (fd < 0)
		return fail(shown.data, fd, err);
	if (log)
		return hxs_drill_records_read(l->run, &l->records, fd,
					      shown.data, err);
	r = check_odd(l, fd, path, shown.data, err);
	return r;
}

static int check_files(struct look *l, uint32_t top, struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(l->run->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_node node;
	int64_t n;
	int r = 0;

	for (n = top; r == 0 && n >= 0;
	     n = hxs_index_next(idx, (uint32_t)n, top)) {
		hxs_index_get(idx, (uint32_t)n, &node);
		if (!S_ISREG(node.mode))
			continue;
		l->files++;
		l->bytes += node.size;
		hxs_buf_truncate(&path, 0);
		if (hxs_index_path(idx, (uint32_t)n, &path) < 0)
			return fail("files", -ENOMEM, err);
		r = hxs_relay_goes_on(&l->run->relay, err);
		if (r == 0)
			r = check_file(l, &node, path.data, err);
	}
	return r;
}

/* ---- what was found ---------------------------------------------------- */

static void tell(const struct look *l, struct hxs_buf *out)
{
	const struct hxs_drill_records *rec = &l->records;

	(void)hxs_buf_printf(out, "%" PRIu64 " file%s, %" PRIu64 " bytes",
			     l->files, l->files == 1 ? "" : "s", l->bytes);
	if (l->run->stage.databases)
		(void)hxs_buf_printf(out, "; %" PRIu64 " database%s whole",
				     l->run->stage.databases,
				     l->run->stage.databases == 1 ? " is"
								  : "s are");
	if (rec->files)
		(void)hxs_buf_printf(out,
				     "; %" PRIu64 " record%s in %" PRIu64
				     " log%s",
				     rec->records, rec->records == 1 ? "" : "s",
				     rec->files, rec->files == 1 ? "" : "s");
	if (rec->has_sequence)
		(void)hxs_buf_printf(out, ", to number %s",
				     rec->newest_sequence.text);
	if (rec->has_time)
		(void)hxs_buf_printf(out, ", to %s", rec->newest_time.text);
}

/* ---- by kind ----------------------------------------------------------- */

static int check_directory(struct hxs_drill_run *run,
			   const struct hxs_config_source *src, uint32_t top,
			   struct hxs_buf *detail, struct hxs_err *err)
{
	struct hxs_config_source own = *src;
	struct look l = { .run = run, .src = &own };
	int r;

	l.logs = !own.records.none;
	if (l.logs && !own.records.files)
		own.records.files = any_log;
	l.records.sequence = own.records.sequence;
	l.records.time = own.records.time;
	run->stage.databases = 0;
	r = hxs_stage_check(&run->stage, top, run->scratch.fd, src->name, err);
	if (r == 0)
		r = check_files(&l, top, err);
	if (r < 0)
		return r;
	tell(&l, detail);
	hxs_drill_records_note(run, src->name, &l.records);
	return 0;
}

/* The one file of source @src is there, and a database if it has to be. */
static int check_single(struct hxs_drill_run *run,
			const struct hxs_config_source *src, bool database,
			struct hxs_buf *detail, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	struct stat st;
	int r;

	r = hxs_drill_health_file(run, src, &path);
	if (r == 0)
		r = hxs_path_show(&shown, hxs_buf_str(&path), path.len);
	if (r < 0)
		return fail(src->name, r, err);
	if (path.len)
		fd = hxs_io_open_regular(run->scratch.fd, path.data, &st);
	if (fd == -ENOENT || path.len == 0)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "the snapshot does not hold the file that "
				   "is all of source '%s'",
				   src->name);
	if (fd < 0)
		return fail(shown.data, fd, err);
	if (database) {
		r = hxs_sqlite_look(fd);
		if (r < 0)
			return fail(shown.data, r, err);
		return r == HXS_SQLITE_NONE
			       ? hxs_err_set(err, HXS_ECORRUPT,
					     "'%s' is no SQLite database",
					     shown.data)
			       : 0;
	}
	if (st.st_size == 0 && !src->command.may_be_empty)
		return hxs_err_set(err, HXS_ECORRUPT, "'%s' is empty",
				   shown.data);
	(void)hxs_buf_printf(detail, "%" PRIu64 " bytes", (uint64_t)st.st_size);
	return 0;
}

int hxs_drill_check(struct hxs_drill_run *run,
		    const struct hxs_config_source *src, const char *name,
		    struct hxs_buf *detail, struct hxs_err *err)
{
	int64_t n = hxs_index_find(hxs_snapshot_index(run->snap), name);
	int r;

	if (!src)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "snapshot '%s' holds '%s', and '%s' has no "
				   "source of that name now",
				   hxs_snapshot_name(run->snap), name,
				   run->env->name);
	if (n < 0)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "snapshot '%s' has nothing of source '%s'",
				   hxs_snapshot_name(run->snap), name);
	if (src->kind == HXS_SOURCE_POSTGRES)
		return hxs_drill_systems_check(run, src, (uint32_t)n, detail,
					       err);
	if (src->kind == HXS_SOURCE_COMMAND)
		return check_single(run, src, false, detail, err);
	if (src->kind == HXS_SOURCE_SQLITE) {
		r = check_single(run, src, true, detail, err);
		if (r < 0)
			return r;
	}
	return check_directory(run, src, (uint32_t)n, detail, err);
}
