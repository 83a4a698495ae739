/*
 * The commit of the software that the data belong to: the one checked out
 * where the configuration is.
 */
#include "verbs/create_parts.h"

#include <fcntl.h>
#include <string.h>

#define GIT_MS 5000
#define GIT_OUTPUT 256

static char *config_dir(const struct hxs_config *config)
{
	const char *slash = config->file ? strrchr(config->file, '/') : NULL;

	if (!slash)
		return strdup(".");
	if (slash == config->file)
		return strdup("/");
	return strndup(config->file, (size_t)(slash - config->file));
}

static bool holds(int fd, const char *name)
{
	return faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Whether git would look into some repository from @dir: one is there, or
 * above, bare or not, or was named to git. Starting a program takes longer
 * than all else that a small backup does.
 */
static bool may_have_git(const char *dir)
{
	HXS_AUTO_CLOSE int at = -1;
	struct stat st, above;
	int up;

	if (getenv("GIT_DIR"))
		return true;
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0 || fstat(at, &st) < 0)
		return true; /* git may know more */
	while (!holds(at, ".git") && !holds(at, "HEAD")) {
		up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (up < 0)
			return true;
		(void)close(at); /* only a place */
		at = up;
		if (fstat(at, &above) < 0)
			return true;
		if (above.st_dev == st.st_dev && above.st_ino == st.st_ino)
			return false;
		st = above;
	}
	return true;
}

void hxs_create_ask_commit(struct hxs_create *c)
{
	struct hxs_create_commit *q = &c->commit;
	const struct hxs_proc_opts opts = {
		.argv = q->argv,
		.timeout_ms = GIT_MS,
		.max_output = GIT_OUTPUT,
	};

	q->dir = config_dir(c->opts->config);
	if (!q->dir || !may_have_git(q->dir))
		return;
	q->argv[0] = "git";
	q->argv[1] = "-C";
	q->argv[2] = q->dir;
	q->argv[3] = "rev-parse";
	q->argv[4] = "HEAD";
	if (hxs_proc_start(&opts, true, &q->git, NULL) < 0)
		q->git = NULL; /* no git, no commit */
}

static bool is_commit(const char *s, size_t len)
{
	return (len == 40 || len == 64) && strspn(s, "0123456789abcdef") == len;
}

char *hxs_create_take_commit(struct hxs_create *c)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	int status;

	if (!c->commit.git ||
	    hxs_proc_finish(c->commit.git, &out, &status, NULL) < 0 ||
	    status != 0)
		return NULL;
	while (out.len && out.data[out.len - 1] == '\n')
		hxs_buf_truncate(&out, out.len - 1);
	if (!is_commit(hxs_buf_str(&out), out.len))
		return NULL;
	return hxs_buf_steal(&out, NULL);
}

void hxs_create_forget_commit(struct hxs_create *c)
{
	hxs_proc_free(c->commit.git);
	free(c->commit.dir);
}
