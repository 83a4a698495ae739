/*
 * A point in time is made in the staged tree, which is ours alone: the
 * snapshot is only read. Here is which files that is about.
 */
#include "verbs/restore_until.h"

#include "base/buf.h"
#include "verbs/confirm.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void hxs_restore_until_release(struct hxs_restore_until *u)
{
	hxs_scratch_release(&u->scratch);
	free(u->records);
	u->records = NULL;
}

void hxs_restore_report_release(struct hxs_restore_report *rep)
{
	free(rep->records);
	rep->records = NULL;
	rep->record_count = 0;
	hxs_confirm_wait_free(rep->pending);
	rep->pending = NULL;
}

/* ---- which files ------------------------------------------------------- */

static int no_memory(struct hxs_err *err)
{
	return hxs_err_errno(err, ENOMEM, "cannot look for records");
}

/* The path of entry @n, and the source it is of; NULL: the latter is none. */
static const struct hxs_config_source *source_of(
	const struct hxs_restore_until *u, uint32_t n, struct hxs_buf *path,
	size_t *number)
{
	size_t len, i;

	hxs_buf_truncate(path, 0);
	if (hxs_index_path(hxs_snapshot_index(u->snap), n, path) < 0)
		return NULL;
	len = strcspn(path->data, "/");
	for (i = 0; i < u->env->source_count; i++) {
		const struct hxs_config_source *src = &u->env->sources[i];

		if (strlen(src->name) == len &&
		    memcmp(src->name, path->data, len) == 0) {
			*number = i;
			return src;
		}
	}
	return NULL;
}

bool hxs_restore_holds_records(const struct hxs_config_source *src,
			       const struct hxs_node *node, const char *path)
{
	const char *files = src->records.files, *below = strchr(path, '/');

	if (!S_ISREG(node->mode) || !below)
		return false;
	return fnmatch(files, strchr(files, '/') ? below + 1 : node->name, 0) ==
	       0;
}

/* Whether any file at or below @top does; *@any: whether there is a file. */
static int look_below(const struct hxs_restore_until *u,
		      const struct hxs_config_source *src, uint32_t top,
		      bool *any)
{
	const struct hxs_index *idx = hxs_snapshot_index(u->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_node node;
	int64_t n;

	for (n = top; n >= 0; n = hxs_index_next(idx, (uint32_t)n, top)) {
		hxs_index_get(idx, (uint32_t)n, &node);
		if (!S_ISREG(node.mode))
			continue;
		*any = true;
		hxs_buf_truncate(&path, 0);
		if (hxs_index_path(idx, (uint32_t)n, &path) < 0)
			return -ENOMEM;
		if (hxs_restore_holds_records(src, &node, path.data))
			return 1;
	}
	return 0;
}

/* ---- which sources ----------------------------------------------------- */

static int refuse_source(const struct hxs_restore_until *u,
			 const struct hxs_config_source *src,
			 struct hxs_err *err)
{
	const struct hxs_config_records *rec = &src->records;
	int r;

	if (!rec->files) {
		r = hxs_err_set(err, HXS_EUSAGE,
				"source '%s' declares no \"records\", and "
				"cannot be brought to a point in time",
				src->name);
		hxs_err_hint(err,
			     "name the PATHs to restore, or give it "
			     "\"records\": null in the configuration, which "
			     "brings all of it back");
		return r;
	}
	r = hxs_err_set(err, HXS_EUSAGE,
			"the records of source '%s' have no \"%s\" to compare "
			"'%s' with",
			src->name, u->point->by_time ? "time" : "sequence",
			u->point->text);
	hxs_err_hint(err, "its \"records\" in the configuration name the keys");
	return r;
}

/* One whose own statements do it, when it is restored. */
static int check_stated(struct hxs_restore_until *u,
			const struct hxs_config_source *src,
			struct hxs_restore_records *rec, struct hxs_err *err)
{
	char **list = u->point->by_time ? src->postgres.until_time
					: src->postgres.until_sequence;
	int r;

	if (list) {
		rec->stated = true;
		u->stated = src->name;
		return 0;
	}
	r = hxs_err_set(err, HXS_EUSAGE,
			"source '%s' declares no statement that brings it to "
			"a %s",
			src->name,
			u->point->by_time ? "time" : "sequence number");
	hxs_err_hint(err, "its \"until\" in the configuration does, if it is "
			  "a database; \"records\": null brings all of it "
			  "back");
	return r;
}

static int check_source(struct hxs_restore_until *u, uint32_t entry,
			bool *matched, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	const struct hxs_config_source *src;
	struct hxs_restore_records *rec;
	bool any = false;
	size_t i = 0;
	int r;

	src = source_of(u, entry, &path, &i);
	if (hxs_buf_status(&path) < 0)
		return no_memory(err);
	if (!src)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "snapshot '%s' holds '%s', and '%s' has no "
				   "source of that name now",
				   hxs_snapshot_name(u->snap),
				   hxs_buf_str(&path), u->env->name);
	rec = &u->records[i];
	(void)snprintf(rec->source, sizeof(rec->source), "%s", src->name);
	rec->whole = src->records.none;
	matched[i] |= hxs_config_is_system(src);
	if (rec->whole)
		return 0;
	if (hxs_config_is_system(src))
		return check_stated(u, src, rec, err);
	if (!src->records.files ||
	    !(u->point->by_time ? src->records.time : src->records.sequence))
		return refuse_source(u, src, err);
	r = look_below(u, src, entry, &any);
	if (r < 0)
		return no_memory(err);
	matched[i] |= r > 0 || !any;
	return 0;
}

/* A pattern that fits nothing would bring back all there is, uncut. */
static int check_matched(const struct hxs_restore_until *u, const bool *matched,
			 struct hxs_err *err)
{
	size_t i;

	for (i = 0; i < u->env->source_count; i++)
		if (u->records[i].source[0] && !u->records[i].whole &&
		    !matched[i])
			return hxs_err_set(err, HXS_EUSAGE,
					   "no file that is to be restored of "
					   "source '%s' is one of records: "
					   "none "
					   "matches '%s'",
					   u->env->sources[i].name,
					   u->env->sources[i].records.files);
	return 0;
}

int hxs_restore_until_begin(struct hxs_restore_until *u,
			    const struct hxs_restore_opts *opts,
			    struct hxs_snapshot *snap,
			    const struct hxs_restore_pick *pick,
			    struct hxs_relay *relay, struct hxs_err *err)
{
	HXS_AUTO_FREE bool *matched = NULL;
	size_t i;
	int r = 0;

	*u = (struct hxs_restore_until){
		.point = opts->until,
		.snap = snap,
		.relay = relay,
		.stop = hxs_relay_stop(relay),
	};
	if (!u->point)
		return 0;
	u->env = hxs_config_env(opts->config, opts->env);
	if (!u->env)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "'%s' has no environment '%s'",
				   opts->config->file, opts->env);
	u->records = calloc(u->env->source_count + 1, sizeof(*u->records));
	matched = calloc(u->env->source_count + 1, sizeof(*matched));
	if (!u->records || !matched)
		return no_memory(err);
	for (i = 0; r == 0 && i < pick->count; i++)
		r = check_source(u, pick->entries[i], matched, err);
	return r == 0 ? check_matched(u, matched, err) : r;
}

void hxs_restore_until_report(struct hxs_restore_until *u,
			      struct hxs_restore_report *out)
{
	size_t i, n = 0;

	if (!u->point)
		return;
	for (i = 0; i < u->env->source_count; i++)
		if (u->records[i].source[0])
			u->records[n++] = u->records[i];
	out->records = HXS_STEAL(u->records);
	out->record_count = n;
}

/* ---- all that was staged ----------------------------------------------- */

static int cut_entry(struct hxs_restore_until *u, struct hxs_stage *stage,
		     uint32_t top, const struct hxs_node *node, int dirfd,
		     const char *name, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	struct hxs_restore_log log = { .top = top, .entry = node->number };
	const struct hxs_config_source *src;
	size_t i = 0;

	src = source_of(u, node->number, &path, &i);
	if (hxs_buf_status(&path) < 0)
		return no_memory(err);
	if (!src || src->records.none ||
	    !hxs_restore_holds_records(src, node, path.data))
		return 0;
	log.path = path.data;
	log.key = u->point->by_time ? src->records.time : src->records.sequence;
	log.rec = &u->records[i];
	return hxs_restore_cut_file(u, stage, &log, dirfd, name, err);
}

int hxs_restore_until_cut(struct hxs_restore_until *u, struct hxs_stage *stage,
			  uint32_t entry, int dirfd, const char *name,
			  struct hxs_err *err)
{
	const struct hxs_index *idx = hxs_snapshot_index(u->snap);
	struct hxs_node node;
	int64_t n;
	int r = 0;

	if (!u->point)
		return 0;
	for (n = entry; r == 0 && n >= 0;
	     n = hxs_index_next(idx, (uint32_t)n, entry)) {
		hxs_index_get(idx, (uint32_t)n, &node);
		if (S_ISREG(node.mode))
			r = cut_entry(u, stage, entry, &node, dirfd, name, err);
	}
	return r;
}
