#include "store/record.h"

#include "base/io.h"
#include "base/path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int hxs_record_write(struct hxs_store *s, const char *dir, const char *env,
		     const struct hxs_buf *text)
{
	HXS_AUTO_CLOSE int fd = hxs_store_make_dir(s, dir, 0700, NULL);

	return fd < 0 ? fd
		      : hxs_io_publish(fd, env, text->data, text->len, 0600);
}

int hxs_record_read(const struct hxs_store *s, const char *dir, const char *env,
		    size_t max, char **text, size_t *len)
{
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	struct stat st;
	int r;

	if (hxs_buf_printf(&path, "%s/%s", dir, env) < 0)
		return -ENOMEM;
	fd = hxs_io_open_regular(hxs_store_fd(s), path.data, &st);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	if (st.st_mode & 022)
		return -HXS_EDENIED;
	r = hxs_io_read_all(fd, max, text, len);
	return r < 0 ? r : 1;
}

static int drop(int fd, const char *env)
{
	if (unlinkat(fd, env, 0) < 0 && errno != ENOENT)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

int hxs_record_drop(struct hxs_store *s, const char *dir, const char *env,
		    struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = hxs_io_open_dir(hxs_store_fd(s), dir);
	int r;

	if (fd == -ENOENT)
		return 0;
	r = fd < 0 ? fd : drop(fd, env);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot remove '%s/%s/%s'",
				     hxs_store_path(s), dir, env);
	return 0;
}

int hxs_record_clean(struct hxs_store *s, const char *dir, const char *env,
		     struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = hxs_io_open_dir(hxs_store_fd(s), dir);
	int r;

	if (fd == -ENOENT || fd == -EACCES) /* whose it is not left nothing */
		return 0;
	r = fd < 0 ? fd : hxs_io_publish_clean(fd, env);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot clean '%s/%s' of what was being "
				     "written for '%s'",
				     hxs_store_path(s), dir, env);
	return 0;
}

static int see_env(const char *name, unsigned char type HXS_UNUSED, void *ctx)
{
	struct hxs_names *out = ctx;
	char **grown;

	if (!hxs_path_is_name(name)) /* one that was being written */
		return 0;
	grown = reallocarray(out->name, out->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	out->name = grown;
	grown[out->count] = strdup(name);
	if (!grown[out->count])
		return -ENOMEM;
	out->count++;
	return 0;
}

int hxs_record_envs(const struct hxs_store *s, const char *dir,
		    struct hxs_names *out, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = hxs_io_open_dir(hxs_store_fd(s), dir);
	int r;

	if (fd == -ENOENT)
		return 0;
	r = fd < 0 ? fd : hxs_io_list(fd, see_env, out);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list '%s/%s'",
				     hxs_store_path(s), dir);
	return 0;
}
