/*
 * PostgreSQL's own programs. The password is in a file in memory that only
 * we and what we start can reach, as long as we live: so a program that we
 * left behind when we were killed cannot connect any more.
 */
#include "source/postgres.h"

#include "base/io.h"
#include "base/pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_JOBS 64
#define MAX_PRINTED (256u << 20) /* a dump's list: some 100 bytes an entry */

void hxs_postgres_run_release(struct hxs_postgres_run *run)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(run->own); i++)
		free(run->own[i]);
	free(run->env);
	if (run->secret >= 0)
		(void)close(run->secret); /* it ends with us */
	*run = (struct hxs_postgres_run){ .secret = -1 };
}

/* "host:port:database:user:password", with ':' and '\' told by a '\'. */
static int make_secret(const char *password)
{
	HXS_AUTO_CLOSE int fd = memfd_create("hxsnap", MFD_CLOEXEC);
	char line[2];
	int r;

	if (fd < 0 || fchmod(fd, 0600) < 0)
		return -errno;
	r = hxs_io_write_full(fd, "*:*:*:*:", 8);
	for (; r == 0 && *password; password++) {
		line[0] = '\\';
		line[1] = *password;
		if (*password == ':' || *password == '\\')
			r = hxs_io_write_full(fd, line, 2);
		else
			r = hxs_io_write_full(fd, password, 1);
	}
	if (r == 0)
		r = hxs_io_write_full(fd, "\n", 1);
	return r < 0 ? r : HXS_STEAL_FD(fd);
}

static bool is_ours(const char *variable, bool secret)
{
	if (strncmp(variable, "LC_ALL=", 7) == 0)
		return true;
	return secret && (strncmp(variable, "PGPASSWORD=", 11) == 0 ||
			  strncmp(variable, "PGPASSFILE=", 11) == 0);
}

static int make_env(struct hxs_postgres_run *run)
{
	size_t n = 0, i;
	char **e;

	/* What they say is looked at. */
	run->own[0] = strdup("LC_ALL=C");
	if (!run->own[0])
		return -ENOMEM;
	if (run->secret >= 0 &&
	    asprintf(&run->own[1], "PGPASSFILE=/proc/%d/fd/%d", (int)getpid(),
		     run->secret) < 0) {
		run->own[1] = NULL;
		return -ENOMEM;
	}
	for (e = environ; e && *e; e++)
		n++;
	run->env = calloc(n + HXS_ARRAY_LEN(run->own) + 1, sizeof(*run->env));
	if (!run->env)
		return -ENOMEM;
	for (n = 0, e = environ; e && *e; e++)
		if (!is_ours(*e, run->secret >= 0))
			run->env[n++] = *e;
	for (i = 0; i < HXS_ARRAY_LEN(run->own); i++)
		if (run->own[i])
			run->env[n++] = run->own[i];
	return 0;
}

int hxs_postgres_run_init(struct hxs_postgres_run *run,
			  const struct hxs_system *sys,
			  const struct hxs_postgres_dsn *dsn,
			  struct hxs_err *err)
{
	int r = 0;

	*run = (struct hxs_postgres_run){ .sys = sys, .dsn = dsn };
	run->secret = -1;
	if (dsn->password) {
		run->secret = make_secret(dsn->password);
		r = run->secret < 0 ? run->secret : 0;
	}
	if (r == 0)
		r = make_env(run);
	return r < 0 ? hxs_err_errno(err, -r,
				     "cannot prepare programs for database "
				     "'%s'",
				     dsn->database)
		     : 0;
}

static bool is_cancelled(void *ctx)
{
	const struct hxs_capture_ears *ears = ctx;

	return ears->cancelled && ears->cancelled(ears->ctx);
}

/* The line that tells what went wrong: what comes after it are details. */
static void pick(char *said, const char **from)
{
	static const char *const words[] = { "ERROR:  ", "FATAL:  ",
					     "error: " };
	char *found = NULL, *at, *end;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(words) && !found; i++) {
		at = strstr(said, words[i]);
		if (at)
			found = at + strlen(words[i]);
	}
	if (!found) {
		at = strrchr(said, '\n');
		*from = at ? at + 1 : said;
		return;
	}
	end = strchr(found, '\n');
	if (end)
		*end = '\0';
	*from = found;
}

static int failed(struct hxs_postgres_run *run, const char *program, int status,
		  struct hxs_buf *said, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf told = HXS_BUF_INIT;
	const char *line = "";
	bool full = false;
	size_t i;

	for (i = 0; i < said->len; i++)
		if (said->data[i] == '\0')
			said->data[i] = ' ';
	if (said->len) {
		full = strstr(said->data, "No space left on device");
		pick(said->data, &line);
		hxs_postgres_dsn_say(run->dsn, line, &told);
	}
	return hxs_err_set(err, full ? ENOSPC : EIO,
			   "'%s' failed with status %d%s%s", program, status,
			   told.len ? ": " : "", hxs_buf_str(&told));
}

int hxs_postgres_run(struct hxs_postgres_run *run, const char *const *argv,
		     struct hxs_buf *out, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf said = HXS_BUF_INIT;
	const struct hxs_proc_opts opts = {
		.argv = argv,
		.cwd = "/",
		.env = run->env,
		.max_output = MAX_PRINTED,
		.said = &said,
		.said_all = true,
		.stop = is_cancelled,
		.stop_ctx = (void *)&run->sys->ears,
	};
	int status = 0, r;

	r = hxs_proc_run(&opts, out, &status, err);
	if (r == -ENOENT)
		hxs_err_hint(err, "install the package postgresql-client");
	if (r < 0)
		return r;
	return status ? failed(run, argv[0], status, &said, err) : 0;
}

unsigned hxs_postgres_jobs(const struct hxs_system *sys)
{
	unsigned n = sys->src->postgres.jobs;

	if (!n)
		n = sys->threads ? sys->threads : hxs_pool_processors();
	return n < MAX_JOBS ? n : MAX_JOBS;
}
