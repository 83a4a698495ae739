/*
 * What a program gives on its standard output and another takes back on its
 * standard input. Neither can be asked what it has done already: so whatever
 * was begun is undone by giving back what was captured before. Nor can two be
 * at work at once: so what a process of ours left behind when it was killed,
 * or a program that failed, is ended first (store/running.h).
 */
#include "base/io.h"
#include "base/proc.h"
#include "source/program.h"
#include "source/system.h"
#include "store/running.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static bool is_cancelled(void *ctx)
{
	const struct hxs_capture_ears *ears = ctx;

	return ears->cancelled(ears->ctx);
}

/* A program, and what becomes of it. */
struct run {
	struct hxs_system *sys;
	const char *event;
	const char *input; /* the path in the store of what it reads, or NULL */
	struct hxs_proc_opts opts;
	struct hxs_program_env env;
	int status;
};

/* Whether a program may run without a word of that in the store. */
static bool may_be_silent(const struct run *run)
{
	return !run->sys->at || strcmp(run->event, "restore") != 0;
}

/* Nothing else is at work for the source now, and this will be. */
static int enter(const struct run *run, struct hxs_running **note,
		 struct hxs_err *err)
{
	const struct hxs_system *sys = run->sys;
	const char *const given[] = {
		run->env.own[HXS_PROGRAM_STORE],
		run->env.own[HXS_PROGRAM_ENV],
		run->env.own[HXS_PROGRAM_SOURCE],
		NULL,
	};
	int r;

	if (!sys->at)
		return 0;
	r = hxs_running_settle(sys->at, sys->env, sys->src->name, given, err);
	if (r < 0)
		return r;
	r = hxs_running_begin(sys->at, sys->env, sys->src->name, run->event,
			      run->input, run->opts.in_fd, note, err);
	if (r < 0 && may_be_silent(run)) {
		hxs_err_clear(err);
		return 0;
	}
	return r;
}

static int carry_out(struct run *run, struct hxs_err *err)
{
	HXS_AUTO(running) struct hxs_running *note = NULL;
	HXS_AUTO(proc) struct hxs_proc *p = NULL;
	int r;

	r = enter(run, &note, err);
	if (r < 0)
		return r;
	r = hxs_proc_start(&run->opts, false, &p, err);
	if (r < 0 && note)
		hxs_running_ended(note); /* there was none */
	if (r < 0)
		return r;
	assert(p); /* it was started */
	if (note) {
		r = hxs_running_started(note, hxs_proc_pid(p), err);
		if (r < 0 && !may_be_silent(run))
			return r;
		hxs_err_clear(err);
	}
	r = hxs_proc_finish(p, NULL, &run->status, err);
	/* Of one that failed, others may go on that it has started. */
	if (note && (run->opts.out_fd || (r == 0 && run->status == 0)))
		hxs_running_ended(note);
	return r;
}

/*
 * Run @argv to @event; standard input and output as in hxs_proc_opts, the
 * former at @input in the store.
 */
static int run(struct hxs_system *sys, char **argv, const char *event,
	       const char *input, int in, int out, struct hxs_err *err)
{
	const struct hxs_config_command *command = &sys->src->command;
	const char *const value[HXS_PROGRAM_VARIABLES] = {
		[HXS_PROGRAM_EVENT] = event,
		[HXS_PROGRAM_ENV] = sys->env,
		[HXS_PROGRAM_STORE] = sys->store,
		[HXS_PROGRAM_ID] = sys->id,
		[HXS_PROGRAM_ROLLBACK_ID] = sys->rollback_id,
		[HXS_PROGRAM_SOURCE] = sys->src->name,
	};
	HXS_AUTO_BUF struct hxs_buf said = HXS_BUF_INIT;
	HXS_AUTO_BUF struct hxs_buf told = HXS_BUF_INIT;
	struct run one = {
		.sys = sys,
		.event = event,
		.input = input,
		.env = HXS_PROGRAM_ENV_INIT,
		.opts = {
			.argv = (const char *const *)argv,
			.cwd = sys->base,
			.timeout_ms = command->timeout_ms,
			.in_fd = in,
			.out_fd = out,
			.said = &said,
			.stop = sys->ears.cancelled ? is_cancelled : NULL,
			.stop_ctx = &sys->ears,
		},
	};
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	r = hxs_program_env_fill(&one.env, value);
	if (r == 0) {
		one.opts.env = one.env.list;
		r = carry_out(&one, &why);
	} else {
		(void)hxs_err_errno(&why, -r, "cannot run '%s'", argv[0]);
	}
	hxs_program_env_release(&one.env);
	if (r == 0 && one.status == 0)
		return 0;
	if (r == 0)
		r = hxs_err_set(&why, EIO, "'%s' failed with status %d",
				argv[0], one.status);
	hxs_program_put_said((const char *const *)argv, &said, &told);
	(void)hxs_err_set(err, -r, "source '%s': %s%s", sys->src->name,
			  why.message, hxs_buf_str(&told));
	return r;
}

/* ---- capturing ---------------------------------------------------------- */

static int make_file(struct hxs_system *sys, int dir, struct hxs_err *err)
{
	const char *name = sys->src->command.file;
	HXS_AUTO_CLOSE int fd = -1;

	fd = openat(dir, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* The umask may have taken away what we need. */
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return hxs_err_errno(err, errno,
				     "source '%s': cannot create '%s'",
				     sys->src->name, name);
	return HXS_STEAL_FD(fd);
}

static int fetch(struct hxs_system *sys, int dir, const char *path HXS_UNUSED,
		 struct hxs_err *err)
{
	const struct hxs_config_command *command = &sys->src->command;
	HXS_AUTO_CLOSE int fd = make_file(sys, dir, err);
	struct stat st = { .st_size = 0 };
	int r;

	if (fd < 0)
		return fd;
	r = run(sys, command->capture, "capture", NULL, 0, fd, err);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		r = -errno;
	/* Where close() tells of failed writes, it tells it only once. */
	if (close(HXS_STEAL_FD(fd)) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		return hxs_err_errno(err, -r, "source '%s': cannot write '%s'",
				     sys->src->name, command->file);
	if (st.st_size == 0 && !command->may_be_empty) {
		r = hxs_err_set(err, EIO,
				"source '%s': '%s' ended well, and wrote "
				"nothing",
				sys->src->name, command->capture[0]);
		hxs_err_hint(err, "\"may_be_empty\": true in the "
				  "configuration takes that as its state");
	}
	return r;
}

/* ---- giving back -------------------------------------------------------- */

/*
 * Whether program @name can be run in @base: 0, -ENOENT, -EACCES. As execvp(3)
 * will look for it, once it has gone there.
 */
static int look_up(int base, const char *name)
{
	const char *path = getenv("PATH"), *end;
	int r = -ENOENT;

	if (strchr(name, '/'))
		return faccessat(base, name, X_OK, AT_EACCESS) < 0 ? -errno : 0;
	for (path = path ? path : "/bin:/usr/bin"; path; path = end) {
		HXS_AUTO_BUF struct hxs_buf at = HXS_BUF_INIT;
		struct stat st;

		end = strchrnul(path, ':');
		(void)hxs_buf_append(&at, path, (size_t)(end - path));
		if (at.len)
			(void)hxs_buf_putc(&at, '/');
		if (hxs_buf_puts(&at, name) < 0)
			return -ENOMEM;
		end = *end ? end + 1 : NULL;
		if (fstatat(base, at.data, &st, 0) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (faccessat(base, at.data, X_OK, AT_EACCESS) == 0)
			return 0;
		r = -EACCES;
	}
	return r;
}

static int probe(struct hxs_system *sys, struct hxs_err *err)
{
	const char *name = sys->src->command.restore[0];
	HXS_AUTO_CLOSE int base = -1;
	int r;

	base = open(sys->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = base < 0 ? -errno : look_up(base, name);
	return r < 0 ? hxs_err_errno(err, -r,
				     "source '%s': cannot run '%s', which is "
				     "to restore it",
				     sys->src->name, name)
		     : 0;
}

/* Open what was captured; what is in it was checked by who calls. */
static int open_file(struct hxs_system *sys, int dir, struct hxs_err *err)
{
	const char *name = sys->src->command.file;
	int fd = hxs_io_open_regular(dir, name, NULL);

	if (fd == -ENOENT)
		return hxs_err_set(err, HXS_EUSAGE,
				   "source '%s': the snapshot has no '%s' of "
				   "it, as the configuration calls the file",
				   sys->src->name, name);
	return fd < 0 ? hxs_err_errno(err, -fd, "source '%s': cannot read '%s'",
				      sys->src->name, name)
		      : fd;
}

static int nothing(struct hxs_system *sys HXS_UNUSED,
		   struct hxs_err *err HXS_UNUSED)
{
	return 0;
}

static int stage(struct hxs_system *sys, int dir, const char *path HXS_UNUSED,
		 struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = open_file(sys, dir, err);

	return fd < 0 ? fd : 0;
}

/* @path is that of directory @dir. */
static int feed(struct hxs_system *sys, int dir, const char *path,
		const char *event, struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = open_file(sys, dir, err);
	HXS_AUTO_BUF struct hxs_buf input = HXS_BUF_INIT;
	size_t len = strlen(sys->store);

	if (fd < 0)
		return fd;
	if (strncmp(path, sys->store, len) == 0 && path[len] == '/')
		(void)hxs_buf_printf(&input, "%s/%s", path + len + 1,
				     sys->src->command.file);
	if (hxs_buf_status(&input) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot restore source '%s'",
				     sys->src->name);
	return run(sys, sys->src->command.restore, event,
		   input.len ? input.data : NULL, fd, 0, err);
}

static int swap(struct hxs_system *sys, int dir, const char *path,
		struct hxs_err *err)
{
	return feed(sys, dir, path, "restore", err);
}

static int back(struct hxs_system *sys, int dir, const char *path,
		struct hxs_err *err)
{
	if (dir < 0)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "source '%s': its old state was not "
				   "captured, and cannot be given back to '%s'",
				   sys->src->name,
				   sys->src->command.restore[0]);
	return feed(sys, dir, path, "undo", err);
}

static int clean(struct hxs_system *sys HXS_UNUSED, bool ahead HXS_UNUSED,
		 struct hxs_err *err HXS_UNUSED)
{
	return 0;
}

static int sweep(struct hxs_system *sys HXS_UNUSED,
		 const struct hxs_names *ids HXS_UNUSED,
		 struct hxs_err *err HXS_UNUSED)
{
	return 0;
}

const struct hxs_system_ops hxs_system_command = {
	.kind = HXS_SOURCE_COMMAND,
	.fetch = fetch,
	.probe = probe,
	.plan = nothing,
	.stage = stage,
	.intend = nothing,
	.swap = swap,
	.back = back,
	.clean = clean,
	.sweep = sweep,
};
