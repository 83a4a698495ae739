/* The files of a snapshot that create itself writes. */
#include "verbs/create_parts.h"

#include "base/io.h"
#include "base/json.h"
#include "base/path.h"
#include "format/chain.h"
#include "format/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Write @name into the staging directory, with exactly @mode. */
static int put(struct hxs_create *c, const char *name, const void *data,
	       size_t len, mode_t mode, struct stat *st, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	int r;

	fd = openat(c->staging.fd, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return hxs_err_errno(err, errno, "cannot create '%s'", name);
	r = hxs_io_write_full(fd, data, len);
	if (r == 0 && (fchmod(fd, mode) < 0 || fstat(fd, st) < 0))
		r = -errno;
	if (close(HXS_STEAL_FD(fd)) < 0 && r == 0)
		r = -errno;
	return r < 0 ? hxs_err_errno(err, -r, "cannot write '%s'", name) : 0;
}

/* The same, and give it an entry in the index. */
static int put_entry(struct hxs_create *c, const char *name,
		     const struct hxs_buf *text, struct hxs_err *err)
{
	HXS_AUTO(chain_maker) struct hxs_chain_maker *maker = NULL;
	struct hxs_chain chain;
	struct stat st;
	struct hxs_node node;
	uint32_t handle;
	int r;

	r = hxs_buf_status(text);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot write '%s'", name);
	r = put(c, name, text->data, text->len, 0644, &st, err);
	if (r < 0)
		return r;
	node = (struct hxs_node){
		.name = name,
		.name_len = strlen(name),
		.mode = st.st_mode,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.size = text->len,
		.ino = st.st_ino,
		.mtime = st.st_mtim,
		.ctime = st.st_ctim,
	};
	r = hxs_index_builder_add(c->builder, 0, &node, &handle, err);
	if (r < 0)
		return r;
	r = hxs_chain_maker_new(&maker);
	if (r == 0)
		r = hxs_chain_maker_data(maker, text->data, text->len);
	if (r == 0)
		r = hxs_chain_maker_finish(maker, &chain);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot hash '%s'", name);
	hxs_index_builder_set_chain(c->builder, handle, &chain);
	return 0;
}

/* ---- meta.json --------------------------------------------------------- */

/* JSON is UTF-8, and a path any bytes: others are shown. */
static char *show(const char *s)
{
	struct hxs_buf out = HXS_BUF_INIT;

	if (hxs_path_is_plain(s, strlen(s)))
		return strdup(s);
	if (hxs_path_show(&out, s, strlen(s)) < 0) {
		hxs_buf_release(&out);
		return NULL;
	}
	return hxs_buf_steal(&out, NULL);
}

static int fill_sources(struct hxs_create *c)
{
	size_t i, n = c->env->source_count;
	struct hxs_meta_source *s;

	c->meta.sources = calloc(n ? n : 1, sizeof(*s));
	if (!c->meta.sources)
		return -ENOMEM;
	c->meta.source_count = n;
	for (i = 0; i < n; i++) {
		const struct hxs_config_source *config = c->sources[i].config;

		s = &c->meta.sources[i];
		s->name = strdup(config->name);
		s->kind = strdup(hxs_config_kind_name(config->kind));
		if (config->path)
			s->path = show(config->path);
		s->files = c->sources[i].totals.files;
		s->bytes = c->sources[i].totals.bytes;
		if (!s->name || !s->kind || (config->path && !s->path))
			return -ENOMEM;
	}
	return 0;
}

static int fill_meta(struct hxs_create *c, struct hxs_err *err)
{
	struct hxs_meta *m = &c->meta;
	char host[256];
	size_t i;
	int r;

	memcpy(m->env, c->staging.env, sizeof(m->env));
	memcpy(m->id, c->staging.id, sizeof(m->id));
	m->kind = c->staging.kind;
	m->git_commit = hxs_create_take_commit(c);
	if (gethostname(host, sizeof(host)) < 0)
		host[0] = '\0';
	host[sizeof(host) - 1] = '\0';
	m->hostname = show(host);
	m->tool_version = strdup(c->opts->tool_version);
	r = m->hostname && m->tool_version ? fill_sources(c) : -ENOMEM;
	for (i = 0; r == 0 && i < c->opts->tag_count; i++)
		r = hxs_meta_add(&m->tags, &m->tag_count, c->opts->tags[i]);
	hxs_capture_end_warnings(&c->cap);
	for (i = 0; r == 0 && i < c->cap.warning_count; i++)
		r = hxs_meta_add(&m->warnings, &m->warning_count,
				 c->cap.warnings[i]);
	if (r == 0)
		r = hxs_clock_parse_id(m->id, &m->created);
	return r < 0 ? hxs_err_errno(err, -r,
				     "cannot write '" HXS_META_NAME "'")
		     : 0;
}

/* ---- config.json ------------------------------------------------------- */

/* What a restore wants to know of the configuration; nothing secret. */
static void render_settings(const struct hxs_create *c, struct hxs_buf *out)
{
	struct hxs_json_out o;
	size_t i;

	hxs_json_out_init(&o, out, true);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "env", c->env->name);
	hxs_json_out_object(&o, "settings");
	for (i = 0; i < c->env->setting_count; i++)
		hxs_json_out_text(&o, c->env->settings[i].name,
				  c->env->settings[i].value);
	hxs_json_out_end_object(&o);
	hxs_json_out_object(&o, "sources");
	for (i = 0; i < c->env->source_count; i++) {
		const struct hxs_config_source *s = &c->env->sources[i];

		hxs_json_out_object(&o, s->name);
		hxs_json_out_string(&o, "kind", hxs_config_kind_name(s->kind));
		hxs_json_out_text(&o, "path", s->path);
		hxs_json_out_end_object(&o);
	}
	hxs_json_out_end_object(&o);
	hxs_json_out_end_object(&o);
}

/* ---- index and manifest ------------------------------------------------ */

static int note_top(struct hxs_create *c, struct hxs_err *err)
{
	const struct timespec times[2] = { c->captured, c->captured };
	struct hxs_node node = { .mode = S_IFDIR | 0755 };
	struct stat st;
	int r;

	if (fstat(c->staging.fd, &st) < 0)
		return hxs_err_errno(err, errno, "cannot look at '%s'",
				     c->staging.name);
	node.uid = st.st_uid;
	node.gid = st.st_gid;
	node.ino = st.st_ino;
	node.mtime = node.ctime = times[0];
	r = hxs_index_builder_update(c->builder, 0, &node);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot write '" HXS_INDEX_NAME "'");
	return 0;
}

/* Writing the index, which is large, on a worker. */
struct index_job {
	struct hxs_create *c;
	const struct hxs_index *idx;
	int r;
	struct hxs_err err;
};

static void write_index_job(void *arg)
{
	struct index_job *job = arg;
	struct stat st;
	size_t len;
	const void *bytes = hxs_index_bytes(job->idx, &len);

	job->r = put(job->c, HXS_INDEX_NAME, bytes, len, 0600, &st, &job->err);
}

static int write_manifest(struct hxs_create *c, const struct hxs_index *idx,
			  struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf manifest = HXS_BUF_INIT;
	struct hxs_digest self;
	const void *bytes;
	struct stat st;
	size_t len;
	int r;

	bytes = hxs_index_bytes(idx, &len);
	hxs_digest_of(bytes, len, &self);
	hxs_index_manifest(idx, &self, &manifest);
	r = hxs_buf_status(&manifest);
	if (r == 0 && manifest.len > HXS_MANIFEST_MAX)
		r = -EFBIG;
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot write '" HXS_MANIFEST_NAME "'");
	return put(c, HXS_MANIFEST_NAME, manifest.data, manifest.len, 0600, &st,
		   err);
}

static int write_index(struct hxs_create *c, struct hxs_err *err)
{
	HXS_AUTO(index) struct hxs_index *idx = NULL;
	struct index_job job = { .c = c, .err = HXS_ERR_INIT };
	void *made;
	size_t len;
	int r;

	r = note_top(c, err);
	if (r == 0)
		r = hxs_index_builder_finish(c->builder, &made, &len, err);
	if (r < 0)
		return r;
	/* Read as a reader will: what it would refuse is not published. */
	r = hxs_index_take(made, len, &idx, err);
	if (r < 0)
		return hxs_err_prefix(err, r, "the index just made");
	if (hxs_index_head(idx)->has_xattrs) {
		r = hxs_store_mark_xattrs(c->store);
		if (r < 0)
			return hxs_err_errno(err, -r,
					     "cannot mark the store as one "
					     "with extended attributes");
	}
	job.idx = idx;
	hxs_pool_submit(c->cap.pool, write_index_job, &job);
	r = write_manifest(c, idx, err);
	hxs_pool_wait(c->cap.pool);
	if (r == 0 && job.r < 0) {
		r = job.r;
		if (err)
			*err = job.err;
	}
	return r;
}

static int set_top_times(struct hxs_create *c, struct hxs_err *err)
{
	const struct timespec times[2] = { c->captured, c->captured };

	if (futimens(c->staging.fd, times) < 0)
		return hxs_err_errno(err, errno, "cannot set the times of '%s'",
				     c->staging.name);
	return 0;
}

int hxs_create_write(struct hxs_create *c, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf meta = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf settings = HXS_BUF_INIT;
	int r;

	r = fill_meta(c, err);
	if (r < 0)
		return r;
	hxs_meta_render(&c->meta, &meta);
	if (hxs_buf_status(&meta) == 0 && meta.len > HXS_META_MAX)
		return hxs_err_errno(err, EFBIG,
				     "cannot write '" HXS_META_NAME "'");
	r = put_entry(c, HXS_META_NAME, &meta, err);
	if (r == 0) {
		render_settings(c, &settings);
		r = put_entry(c, HXS_SETTINGS_NAME, &settings, err);
	}
	if (r == 0)
		r = write_index(c, err);
	if (r == 0)
		r = set_top_times(c, err);
	return r;
}

int hxs_create_read_index(const struct hxs_staging *st, struct hxs_index **out,
			  struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct stat found;
	char *bytes;
	size_t len;
	int r;

	fd = hxs_io_open_regular(st->fd, HXS_INDEX_NAME, &found);
	r = fd < 0 ? fd : hxs_io_read_all(fd, HXS_INDEX_MAX, &bytes, &len);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot read '" HXS_INDEX_NAME "' again");
	return hxs_index_take(bytes, len, out, err);
}
