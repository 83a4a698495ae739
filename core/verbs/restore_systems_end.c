/*
 * Undoing and finishing the restore of systems, by what the journal and the
 * configuration say: in the process that restored, and in one that found a
 * journal and knows nothing else.
 */
#include "base/io.h"
#include "format/manifest.h"
#include "verbs/restore_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define READ_BYTES (256u << 10)

/* ---- one system, from the journal -------------------------------------- */

static int unknown(const struct hxs_journal *j,
		   const struct hxs_journal_system *rec, struct hxs_err *err)
{
	int r = hxs_err_set(err, HXS_EUSAGE,
			    "source '%s' of '%s' was being restored, and the "
			    "configuration that tells where it is was not "
			    "found",
			    rec->source, j->env);

	hxs_err_hint(err, "'hxsnap --config FILE recover %s' names it", j->env);
	return r;
}

/* Another store's may have an environment of the same name. */
static bool is_of(const struct hxs_config *config, struct hxs_store *s)
{
	struct stat a, b;

	return stat(config->store, &a) == 0 &&
	       fstat(hxs_store_fd(s), &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Set @sys up for record @n of @j, by @config (may be NULL). */
static int take_up(struct hxs_store *s, const struct hxs_config *config,
		   const struct hxs_journal *j, size_t n,
		   struct hxs_system *sys, const struct hxs_system_ops **ops,
		   struct hxs_err *err)
{
	struct hxs_journal_system *rec = &j->systems[n];
	const struct hxs_config_env *env;
	size_t i;

	env = config && is_of(config, s) ? hxs_config_env(config, j->env)
					 : NULL;
	for (i = 0; env && i < env->source_count; i++) {
		const struct hxs_config_source *src = &env->sources[i];

		*ops = hxs_system_ops(src->kind);
		if (!*ops || strcmp(src->name, rec->source) != 0)
			continue;
		*sys = (struct hxs_system){
			.src = src,
			.base = config->base,
			.store = hxs_store_path(s),
			.at = s,
			.env = j->env,
			.id = "",
			.rollback_id = j->rollback_id,
			.rec = rec,
		};
		return 0;
	}
	return unknown(j, rec, err);
}

/* ---- what the rollback point holds of it ------------------------------- */

static int check_file(int dir, const struct hxs_manifest_line *line,
		      struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = hxs_io_open_regular(dir, line->path, NULL);
	HXS_AUTO_FREE char *mem = malloc(READ_BYTES);
	struct hxs_hasher h;
	struct hxs_digest found;
	ssize_t n;

	if (!mem)
		return -ENOMEM;
	if (fd < 0)
		return fd;
	hxs_hasher_init(&h);
	while ((n = hxs_io_read_full(fd, mem, READ_BYTES)) > 0)
		hxs_hasher_update(&h, mem, (size_t)n);
	if (n < 0)
		return (int)n;
	hxs_hasher_final(&h, &found);
	if (!hxs_digest_equal(&found, &line->digest))
		return hxs_err_set(err, HXS_ECORRUPT,
				   "'%s' of the rollback point is damaged",
				   line->path);
	return 0;
}

/* Whether all that the snapshot in @dir holds of @source is as it says. */
static int check_files(int dir, const char *source, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd =
		hxs_io_open_regular(dir, HXS_MANIFEST_NAME, NULL);
	HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
	HXS_AUTO_FREE char *text = NULL;
	size_t i, len, count, n = strlen(source);
	int r = fd < 0 ? fd
		       : hxs_io_read_all(fd, HXS_MANIFEST_MAX, &text, &len);

	if (r == 0)
		r = hxs_manifest_parse(text, len, &m, err);
	count = r == 0 ? hxs_manifest_count(m) : 0;
	for (i = 0; r == 0 && i < count; i++) {
		const struct hxs_manifest_line *line = hxs_manifest_line(m, i);

		if (strncmp(line->path, source, n) == 0 && line->path[n] == '/')
			r = check_file(dir, line, err);
	}
	if (r < 0 && r != -HXS_ECORRUPT)
		return hxs_err_errno(err, -r,
				     "cannot read the rollback point of source "
				     "'%s'",
				     source);
	return r;
}

/*
 * Open the files that @j's rollback point, published or not, holds of
 * @source: 1 with *@fd and *@path, 0 if it holds none.
 */
static int open_old(struct hxs_store *s, const struct hxs_journal *j,
		    const char *source, int *fd, struct hxs_buf *path,
		    struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf below = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int dir = -1;
	int r = -ENOENT;

	if (!j->rollback_id[0])
		return 0;
	if (j->rollback_staging[0]) {
		(void)hxs_buf_printf(&below, "%s/%s/%s",
				     hxs_store_area(HXS_ROLLBACK), j->env,
				     j->rollback_staging);
		r = hxs_buf_status(&below);
		if (r == 0)
			r = dir = hxs_io_open_dir(hxs_store_fd(s), below.data);
	}
	if (r == -ENOENT) {
		hxs_buf_truncate(&below, 0);
		(void)hxs_buf_printf(&below, "%s/%s/%s",
				     hxs_store_area(HXS_ROLLBACK), j->env,
				     j->rollback_id);
		r = hxs_buf_status(&below);
		if (r == 0)
			r = dir = hxs_io_open_dir(hxs_store_fd(s), below.data);
	}
	if (r >= 0)
		r = hxs_buf_printf(path, "%s/%s/%s", hxs_store_path(s),
				   below.data, source);
	if (r >= 0)
		r = *fd = hxs_io_open_dir(dir, source);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot open the rollback point of source "
				     "'%s'",
				     source);
	r = check_files(dir, source, err);
	return r < 0 ? r : 1;
}

/* ---- both ends --------------------------------------------------------- */

static int give_back(struct hxs_store *s, const struct hxs_config *config,
		     const struct hxs_journal *j, size_t n, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	const struct hxs_system_ops *ops = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	struct hxs_system sys;
	int r;

	r = take_up(s, config, j, n, &sys, &ops, err);
	if (r == 0)
		r = open_old(s, j, sys.src->name, &fd, &path, err);
	if (r < 0)
		return r;
	return ops->back(&sys, r > 0 ? fd : -1, r > 0 ? path.data : NULL, err);
}

int hxs_restore_systems_back(struct hxs_store *s,
			     const struct hxs_config *config,
			     const struct hxs_journal *j, struct hxs_err *err)
{
	struct hxs_err why = HXS_ERR_INIT;
	size_t i;
	int r, failed = 0;

	for (i = j->system_count; i-- > 0;) {
		if (!j->systems[i].begun)
			continue;
		r = give_back(s, config, j, i, &why);
		if (r < 0 && failed == 0) {
			failed = r;
			if (err)
				*err = why;
		}
		hxs_err_clear(&why);
	}
	return failed;
}

static int remove_area(struct hxs_store *s, const char *env,
		       struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf area = HXS_BUF_INIT;
	int r = hxs_restore_systems_area(s, env, &area);

	if (r == 0)
		r = hxs_io_remove_tree(hxs_store_fd(s), area.data);
	return r < 0 ? hxs_err_errno(err, -r,
				     "cannot remove what was staged in '%s'",
				     hxs_store_path(s))
		     : 0;
}

int hxs_restore_systems_clean(struct hxs_store *s,
			      const struct hxs_config *config,
			      const struct hxs_journal *j, bool ahead,
			      struct hxs_err *err)
{
	size_t i;
	int r = 0;

	if (!j->system_count)
		return 0;
	for (i = 0; r == 0 && i < j->system_count; i++) {
		const struct hxs_system_ops *ops = NULL;
		struct hxs_system sys;

		r = take_up(s, config, j, i, &sys, &ops, err);
		if (r == 0 && ops)
			r = ops->clean(&sys, ahead, err);
	}
	return r < 0 ? r : remove_area(s, j->env, err);
}
