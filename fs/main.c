/* hxsnapfs: mount a store. */
#include "base/log.h"
#include "fs/daemon.h"
#include "fs/hxfs.h"
#include "fs/mount.h"
#include "fs/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

static const char usage[] =
	"usage: hxsnapfs STORE MOUNTPOINT [-fdhV] [-o OPTION[,OPTION]...]\n";

static const char help[] =
	"\n"
	"Show the snapshots of STORE as files below MOUNTPOINT, read-only, "
	"every\n"
	"block checked before it is handed over.\n"
	"\n"
	"  -f  stay in the foreground, log to standard error\n"
	"  -d  the same, and log every request\n"
	"  -h  this text\n"
	"  -V  the version\n"
	"\n"
	"  -o config=FILE      the configuration\n"
	"  -o allow_other      let other users in; permissions are checked\n"
	"  -o control_gid=GID  members of this group may control the mount\n"
	"  -o nocontrol        no control file, faster opens\n"
	"  -o xattr=auto|on|off\n"
	"                      show extended attributes; auto: if there are "
	"any\n"
	"  -o ro, noexec       as for any mount\n"
	"  -o debug            log more\n"
	"  Other words of mount(8) and fstab(5) are accepted.\n";

static void to_syslog(enum hxs_log_level level, const char *line,
		      void *ctx HXS_UNUSED)
{
	static const int priority[] = { LOG_ERR, LOG_WARNING, LOG_INFO,
					LOG_DEBUG };

	syslog(priority[level], "%s", line);
}

static char program[] = "hxsnapfs";

static void print_error(const struct hxs_err *err)
{
	hxs_log_to_stderr(HXS_LOG_ERROR, err->message, program);
	if (err->hint[0])
		(void)fprintf(stderr, "hint: %s\n", err->hint);
}

struct start {
	struct hxfs_daemon daemon;
	enum hxs_log_level level;
	bool was_ready;
};

/* In the thread that answers the kernel's first request. */
static void ready(void *ctx)
{
	struct start *s = ctx;

	s->was_ready = true;
	if (!s->daemon.foreground) {
		openlog(program, LOG_PID, LOG_DAEMON);
		hxs_log_set_sink(to_syslog, NULL, s->level);
	}
	hxfs_daemon_ready(&s->daemon);
}

/* What of a failure is the caller's doing and what the system's. */
static int status_of(int r)
{
	return r == -HXS_EUSAGE || r == -HXS_ENOSUCH || r == -HXS_EDENIED
		       ? HXFS_EXIT_USAGE
	       : r == -HXS_EBUSY ? HXFS_EXIT_MOUNT
				 : HXFS_EXIT_SYSTEM;
}

/*
 * Where the configuration will be looked for, whenever a command wants it: as
 * seen from here, since the daemon leaves this directory. Links in the path
 * are not resolved: what they lead to may change.
 */
static int find_config(struct hxfs_options *o, struct hxs_err *err)
{
	const char *named = getenv("HXSNAP_CONFIG");
	char *full;

	if (o->config && access(o->config, F_OK) < 0)
		return hxs_err_errno(err, errno,
				     "cannot find configuration '%s'",
				     o->config);
	o->start = getcwd(NULL, 0);
	if (!o->start) /* removed, or hidden from us: then nothing is in it */
		o->start = strdup("/");
	if (o->config)
		named = o->config;
	if (!o->start)
		return hxs_err_errno(err, ENOMEM, "cannot begin");
	if (!named || named[0] == '\0')
		return 0;
	if (asprintf(&full, "%s%s%s", named[0] == '/' ? "" : o->start,
		     named[0] == '/' ? "" : "/", named) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot begin");
	free(o->config);
	o->config = full;
	return 0;
}

/* In the daemon: mount and serve. */
static int serve(struct hxs_store *store, const struct hxfs_options *opt,
		 const char *mountpoint, struct start *s)
{
	struct hxs_err err = HXS_ERR_INIT;
	HXS_AUTO(hxfs) struct hxfs *fs = NULL;
	int r, status;

	r = hxfs_new(store, opt, mountpoint, &fs, &err);
	if (r < 0) {
		print_error(&err);
		hxfs_daemon_failed(&s->daemon, HXFS_EXIT_SYSTEM);
		return HXFS_EXIT_SYSTEM;
	}
	r = hxfs_serve(fs, ready, s, &err);
	if (r >= 0)
		return HXFS_EXIT_OK;
	status = s->was_ready ? HXFS_EXIT_SYSTEM : HXFS_EXIT_MOUNT;
	if (s->was_ready)
		hxs_log_error("%s", err.message);
	else
		print_error(&err);
	hxfs_daemon_failed(&s->daemon, status);
	return status;
}

static int run(struct hxfs_options *opt)
{
	struct hxs_err err = HXS_ERR_INIT;
	HXS_AUTO(store) struct hxs_store *store = NULL;
	HXS_AUTO_FREE char *mountpoint = NULL;
	struct start s = {
		.level = opt->debug ? HXS_LOG_DEBUG : HXS_LOG_INFO,
	};
	int r;

	hxs_log_set_sink(hxs_log_to_stderr, program, s.level);
	/* A daemon must not keep its starter's locks and pipes for years. */
	if (!opt->foreground)
		(void)close_range(STDERR_FILENO + 1, ~0u, 0); /* may lack */
	r = find_config(opt, &err);
	if (r == 0)
		r = hxs_store_open(opt->store, &store, &err);
	if (r == 0)
		r = hxfs_mountpoint_check(store, opt->mountpoint, &mountpoint,
					  &err);
	if (r == 0 && chdir("/") < 0)
		r = hxs_err_errno(&err, errno, "cannot leave the directory");
	if (r == 0)
		r = hxfs_daemon_begin(&s.daemon, opt->foreground, mountpoint,
				      &err);
	if (r < 0) {
		print_error(&err);
		return status_of(r);
	}
	return serve(store, opt, mountpoint, &s);
}

int main(int argc, char **argv)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxfs_options opt;
	int r, status;

	r = hxfs_options_parse(argc, argv, &opt, &err);
	if (r < 0) {
		print_error(&err);
		(void)fputs(usage, stderr);
		status = HXFS_EXIT_USAGE;
	} else if (opt.help || opt.version) {
		if (opt.help)
			r = fputs(usage, stdout) < 0 || fputs(help, stdout) < 0;
		else
			r = puts("hxsnapfs " HXS_VERSION) < 0;
		status = r || fflush(stdout) != 0 ? HXFS_EXIT_SYSTEM
						  : HXFS_EXIT_OK;
	} else {
		status = run(&opt);
	}
	hxfs_options_release(&opt);
	return status;
}
