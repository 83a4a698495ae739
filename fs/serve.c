/* The session: from mounting to unmounting. */
#include "base/log.h"
#include "base/pool.h"
#include "fs/control.h"
#include "fs/due.h"
#include "fs/ending.h"
#include "fs/files.h"
#include "fs/mount.h"
#include "fs/mountinfo.h"
#include "fs/notes.h"
#include "fs/record.h"
#include "fs/tell.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAKE_SIGNAL SIGUSR2 /* ends the main thread's wait */
#define QUIT_SIGNAL SIGUSR1 /* ends the signals' thread */
#define HASH_THREADS 8u /* so many large files are hashed at once */

/* ---- INIT ---------------------------------------------------------------- */

static void want(struct fuse_conn_info *conn, unsigned cap)
{
	conn->want |= conn->capable & cap;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct hxfs_mount *m = userdata;
	struct hxfs *fs = m->fs;

	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_IOCTL_DIR |
				  FUSE_CAP_AUTO_INVAL_DATA |
				  FUSE_CAP_HANDLE_KILLPRIV);
	want(conn, FUSE_CAP_ASYNC_READ | FUSE_CAP_READDIRPLUS |
			   FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_CACHE_SYMLINKS |
			   FUSE_CAP_EXPLICIT_INVAL_DATA);
	if (fs->xattr)
		want(conn, FUSE_CAP_POSIX_ACL);
	m->no_opendir = (conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT) != 0;
	fs->no_open = fs->opt->nocontrol &&
		      (conn->capable & FUSE_CAP_NO_OPEN_SUPPORT) != 0;
	atomic_store(&m->greeted, true);
	if (m->ready)
		m->ready(m->ready_ctx);
}

void hxfs_ops_init(struct fuse_lowlevel_ops *ops)
{
	ops->init = op_init;
}

/* ---- threads ------------------------------------------------------------- */

static void scratch_free(void *arg)
{
	hxs_scratch_release(arg);
	free(arg);
}

static void on_wake(int sig HXS_UNUSED)
{
}

/*
 * End the loop. It waits on a semaphore that only a signal interrupts, and a
 * signal that comes a moment before the wait is lost: so send it until the
 * loop has ended.
 */
static void end_loop(struct hxfs_mount *m)
{
	struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	fuse_session_exit(m->se);
	while (!atomic_load(&m->ended)) {
		(void)pthread_kill(m->main_thread, WAKE_SIGNAL);
		(void)nanosleep(&pause, NULL);
	}
}

static void signal_set(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGHUP);
	(void)sigaddset(set, QUIT_SIGNAL);
}

static void *run_signals(void *arg)
{
	struct hxfs_mount *m = arg;
	sigset_t set;
	int sig;

	signal_set(&set);
	for (;;) {
		if (sigwait(&set, &sig) != 0)
			continue;
		if (sig == SIGHUP)
			hxfs_notes_wish(m->fs->notes, HXFS_WISH_RESCAN);
		else
			break;
	}
	if (sig == QUIT_SIGNAL && atomic_load(&m->ended))
		return NULL;
	atomic_store(&m->stopping, true);
	hxs_log_info("unmounting '%s' (%s)", m->fs->mountpoint, strsignal(sig));
	/*
	 * These threads end first: while they tell the kernel something they
	 * may wait for a request, and requests are still answered now.
	 */
	hxfs_control_stop(m->fs->control);
	hxfs_due_stop(m->fs->due);
	hxfs_ending_hurry(m->ending);
	hxfs_watch_stop(HXS_STEAL(m->watch));
	end_loop(m);
	return NULL;
}

/* ---- the session --------------------------------------------------------- */

static void log_fuse(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	size_t len;

	/* The caller's format is libfuse's own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)vsnprintf(line, sizeof(line), fmt, ap);
#pragma GCC diagnostic pop
	len = strlen(line);
	while (len && line[len - 1] == '\n')
		line[--len] = '\0';
	if (len == 0)
		return;
	if (level <= FUSE_LOG_ERR)
		hxs_log_error("%s", line);
	else if (level == FUSE_LOG_DEBUG)
		hxs_log_debug("%s", line);
	else
		hxs_log_info("%s", line);
}

/*
 * What the mount is made with. nosuid and nodev stand last and hold, whatever
 * was asked for; permissions are always the kernel's to check.
 */
static int make_args(const struct hxfs *fs, struct fuse_args *args)
{
	const struct hxfs_options *o = fs->opt;
	HXS_AUTO_FREE char *fsname = NULL;
	char *words = NULL;
	int r = -1;

	if (asprintf(&fsname, "fsname=%s", hxs_store_path(fs->store)) < 0) {
		fsname = NULL;
		return -ENOMEM;
	}
	if (fuse_opt_add_opt_escaped(&words, fsname) == 0 &&
	    fuse_opt_add_opt(&words, "subtype=hxsnapfs") == 0 &&
	    fuse_opt_add_opt(&words, "default_permissions") == 0 &&
	    (!o->allow_other || fuse_opt_add_opt(&words, "allow_other") == 0) &&
	    (!(o->read_only || o->nocontrol) ||
	     fuse_opt_add_opt(&words, "ro") == 0) &&
	    (!o->noexec || fuse_opt_add_opt(&words, "noexec") == 0) &&
	    fuse_opt_add_opt(&words, "nosuid") == 0 &&
	    fuse_opt_add_opt(&words, "nodev") == 0)
		r = 0;
	if (r == 0 &&
	    (fuse_opt_add_arg(args, "hxsnapfs") != 0 ||
	     fuse_opt_add_arg(args, "-o") != 0 ||
	     fuse_opt_add_arg(args, words) != 0 ||
	     (o->foreground && o->debug && fuse_opt_add_arg(args, "-d") != 0)))
		r = -1;
	free(words);
	return r < 0 ? -ENOMEM : 0;
}

static struct fuse_session *new_session(struct hxfs_mount *m)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_lowlevel_ops ops;
	struct fuse_session *se = NULL;

	memset(&ops, 0, sizeof(ops));
	hxfs_ops_init(&ops);
	hxfs_ops_meta(&ops);
	hxfs_ops_data(&ops);
	hxfs_ops_refuse(&ops);
	if (make_args(m->fs, &args) == 0)
		se = fuse_session_new(&args, &ops, sizeof(ops), m);
	fuse_opt_free_args(&args);
	return se;
}

static unsigned thread_count(void)
{
	unsigned n = 2 * hxs_pool_processors();

	return n < 4 ? 4 : n > 16 ? 16 : n;
}

static int run_loop(struct hxfs_mount *m)
{
	struct fuse_loop_config *cfg = fuse_loop_cfg_create();
	int r;

	if (!cfg)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(cfg, 0);
	fuse_loop_cfg_set_max_threads(cfg, thread_count());
	r = fuse_session_loop_mt(m->se, cfg);
	fuse_loop_cfg_destroy(cfg);
	/* Unmounted by force (umount -f) is unmounted: that aborts it. */
	return r == -ECONNABORTED ? 0 : r;
}

/* Everything that must be there before requests come. */
static int prepare(struct hxfs_mount *m, struct hxs_err *err)
{
	struct sigaction wake = { .sa_handler = on_wake };
	struct hxfs *fs = m->fs;
	sigset_t set;
	int r;

	signal_set(&set);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)sigaction(WAKE_SIGNAL, &wake, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	m->ending = hxfs_ending_new();
	if (!m->ending)
		return hxs_err_errno(err, ENOMEM, "cannot start serving");
	r = -pthread_key_create(&m->scratch, scratch_free);
	if (r == 0)
		r = hxs_pool_new(thread_count(), 256, &fs->pool);
	if (r == 0)
		r = hxs_pool_new(HASH_THREADS, 256, &fs->hash_pool);
	if (r == 0)
		r = hxfs_record_start(fs);
	if (r == 0 && fs->opt->nocontrol) {
		r = hxfs_files_new(fs->loaded_max, &fs->files);
		if (r == 0)
			r = hxfs_texts_new(&fs->texts);
	}
	if (r == 0)
		return 0;
	free(m->ending);
	return hxs_err_errno(err, -r, "cannot start serving");
}

static void tell(void *ctx)
{
	hxfs_tell_notes(ctx);
}

/* The mount is there: serve until it ends. */
static int serve_mounted(struct hxfs_mount *m, struct hxs_err *err)
{
	struct hxfs_control *control = m->fs->control;
	pthread_t signals;
	int r;

	r = hxfs_due_start(m->fs->due);
	if (r == 0 && control)
		r = hxfs_control_start(control, tell, m);
	if (r == 0)
		r = hxfs_watch_start(m, &m->watch);
	if (r == 0) {
		r = -pthread_create(&signals, NULL, run_signals, m);
		if (r < 0)
			hxfs_watch_stop(HXS_STEAL(m->watch));
	}
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot start a thread");
	r = run_loop(m);
	atomic_store(&m->ended, true);
	(void)pthread_kill(signals, QUIT_SIGNAL); /* or it has ended already */
	(void)pthread_join(signals, NULL);
	/* When it was unmounted nobody has stopped them yet. */
	hxfs_control_stop(control);
	hxfs_due_stop(m->fs->due);
	hxfs_watch_stop(HXS_STEAL(m->watch));
	if (r < 0)
		return hxs_err_errno(err, -r, "the mount ended");
	return 0;
}

static int mount_it(struct hxfs_mount *m, struct hxs_err *err)
{
	const char *where = m->fs->mountpoint;
	int r;

	r = hxfs_mountpoint_clear(m->fs->store, where, err);
	if (r < 0)
		return r;
	if (fuse_session_mount(m->se, where) != 0)
		return hxs_err_set(err, EIO, "cannot mount on '%s'", where);
	hxfs_ending_mounted(m->ending, m);
	return 0;
}

static int serve(struct hxfs_mount *m, struct hxs_err *err)
{
	struct hxfs *fs = m->fs;
	int r = mount_it(m, err);

	if (r < 0) {
		free(m->ending);
		return r;
	}
	r = serve_mounted(m, err);
	atomic_store(&fs->ending, true);
	hxfs_call_abandon_all(m);
	hxfs_ending_unmount(m->ending);
	hxfs_ending_hurry(m->ending);
	hxfs_control_end(fs->control);
	hxs_pool_free(HXS_STEAL(fs->pool)); /* first: it feeds the other */
	hxs_pool_free(HXS_STEAL(fs->hash_pool));
	hxfs_record_stop(fs);
	if (r == 0 && !atomic_load(&m->greeted) && !atomic_load(&m->stopping))
		r = hxs_err_set(err, EIO,
				"'%s' was unmounted before it was ready",
				fs->mountpoint);
	return r;
}

int hxfs_serve(struct hxfs *fs, void (*ready)(void *ctx), void *ctx,
	       struct hxs_err *err)
{
	struct hxfs_mount m = {
		.fs = fs,
		.main_thread = pthread_self(),
		.ready = ready,
		.ready_ctx = ctx,
	};
	int r;

	/* Without attributes these cannot fail. */
	(void)pthread_mutex_init(&m.tell_lock, NULL);
	(void)pthread_mutex_init(&m.calls_lock, NULL);
	(void)pthread_rwlock_init(&m.answering, NULL);
	fuse_set_log_func(log_fuse);
	r = prepare(&m, err);
	if (r < 0)
		return r;
	m.se = new_session(&m);
	if (!m.se) {
		free(m.ending);
		return hxs_err_set(err, EIO, "cannot make a FUSE session");
	}
	r = serve(&m, err);
	fuse_session_destroy(m.se);
	(void)pthread_rwlock_destroy(&m.answering);
	(void)pthread_mutex_destroy(&m.calls_lock);
	(void)pthread_mutex_destroy(&m.tell_lock);
	return r;
}
