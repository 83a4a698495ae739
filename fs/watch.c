/*
 * Following the store.
 *
 * inotify watches the store's own directories and each environment's; the
 * directories are reached by handle, so that no link is followed. What an
 * event says is not looked at: the directory is listed anew, which for ten
 * thousand snapshots takes a few milliseconds. Besides, the directories'
 * times are compared every few seconds, or twice a second where there is no
 * inotify or it cannot be trusted (network file systems), so that nothing is
 * missed for good.
 */
#include "base/io.h"
#include "base/log.h"
#include "fs/mount.h"
#include "fs/notes.h"
#include "fs/registry.h"
#include "fs/slots.h"
#include "fs/tell.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/statfs.h>

#define POLL_SAFETY_MS 5000
#define POLL_ALONE_MS 400
#define SETTLE_MS 20 /* what comes within it is looked at together */

#define EVENTS                                                 \
	(IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR)
#define EVENTS_RESULT (EVENTS | IN_CLOSE_WRITE)

#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

enum what { TOP, SNAPSHOTS, RESULTS };

struct watched {
	int wd; /* -1: polled only */
	enum what what;
	uint32_t env; /* SNAPSHOTS, RESULTS */
	char path[128];
	/* as the directory was when it was last looked at */
	bool there, sure;
	dev_t dev;
	ino_t ino;
	struct timespec mtime, ctime;
	bool dirty;
};

struct hxfs_watch {
	struct hxfs_mount *m;
	pthread_t thread;
	int inotify; /* -1: polling alone */
	bool alone;
	bool told; /* that scanning failed; once until it works again */
	struct watched *list;
	size_t count, cap;
};

/* ---- which directories --------------------------------------------------- */

static struct watched *find_path(struct hxfs_watch *w, const char *path)
{
	size_t i;

	for (i = 0; i < w->count; i++)
		if (strcmp(w->list[i].path, path) == 0)
			return &w->list[i];
	return NULL;
}

static struct watched *add_path(struct hxfs_watch *w, const char *path)
{
	struct watched *grown;
	size_t cap;

	if (w->count == w->cap) {
		cap = w->cap ? w->cap * 2 : 16;
		grown = reallocarray(w->list, cap, sizeof(*grown));
		if (!grown)
			return NULL;
		w->list = grown;
		w->cap = cap;
	}
	grown = &w->list[w->count++];
	*grown = (struct watched){ .wd = -1 };
	(void)snprintf(grown->path, sizeof(grown->path), "%s", path);
	return grown;
}

/* Without inotify, or where it fails, times are compared more often. */
static void go_alone(struct hxfs_watch *w, const char *why)
{
	if (!w->alone)
		hxs_log_info("cannot rely on inotify (%s): polling the store",
			     why);
	w->alone = true;
}

static void watch_fd(struct hxfs_watch *w, struct watched *d, int fd)
{
	char proc[64];

	if (w->inotify < 0)
		return;
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	/* The same directory gives the same number again. */
	d->wd = inotify_add_watch(w->inotify, proc,
				  d->what == RESULTS ? EVENTS_RESULT : EVENTS);
	if (d->wd < 0)
		go_alone(w, strerror(errno));
}

/* A time this close to now may not change with the next change. */
static bool is_settled(const struct timespec *t)
{
	struct timespec now;

	hxs_clock_now(&now);
	return now.tv_sec - t->tv_sec > 2;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/*
 * Look at the directory: is it another, or changed? Remembers how it is and,
 * with @watch, has it watched. To be called before it is listed.
 */
static bool look(struct hxfs_watch *w, struct watched *d, bool watch)
{
	HXS_AUTO_CLOSE int fd = -1;
	struct stat st = { 0 };
	bool there, changed;

	fd = hxs_io_open_beneath(hxs_store_fd(w->m->fs->store), d->path,
				 O_PATH | O_DIRECTORY, 0);
	there = fd >= 0 && fstat(fd, &st) == 0;
	changed = there != d->there ||
		  (there &&
		   (!d->sure || d->dev != st.st_dev || d->ino != st.st_ino ||
		    !same_time(&d->mtime, &st.st_mtim) ||
		    !same_time(&d->ctime, &st.st_ctim)));
	if (there && (watch || d->dev != st.st_dev || d->ino != st.st_ino))
		watch_fd(w, d, fd);
	d->there = there;
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	d->mtime = st.st_mtim;
	d->ctime = st.st_ctim;
	d->sure = is_settled(&st.st_ctim) && is_settled(&st.st_mtim);
	return changed;
}

static void ensure(struct hxfs_watch *w, enum what what, uint32_t env,
		   const char *path)
{
	struct watched *d = find_path(w, path);

	if (!d)
		d = add_path(w, path);
	if (!d)
		return; /* no memory: the next full look tries again */
	d->what = what;
	d->env = env;
	(void)look(w, d, true);
}

/* Watch whatever is there now. */
static void ensure_all(struct hxfs_watch *w)
{
	static const char *const tops[] = {
		"",	   "backups",	     "rollbacks",
		".hxsnap", ".hxsnap/verify", ".hxsnap/verify/backups",
	};
	struct hxfs *fs = w->m->fs;
	struct hxfs_env *e;
	size_t i, count;
	char path[128];

	for (i = 0; i < HXS_ARRAY_LEN(tops); i++)
		ensure(w, TOP, 0, tops[i]);
	hxfs_lock(fs);
	count = fs->env_count;
	hxfs_unlock(fs);
	for (i = 0; i < count; i++) {
		hxfs_lock(fs);
		e = hxfs_registry_env(fs, (uint32_t)i);
		hxfs_unlock(fs);
		if (!e)
			continue;
		(void)snprintf(path, sizeof(path), "backups/%s", e->name);
		ensure(w, SNAPSHOTS, e->number, path);
		(void)snprintf(path, sizeof(path), "rollbacks/%s", e->name);
		ensure(w, SNAPSHOTS, e->number, path);
		(void)snprintf(path, sizeof(path), ".hxsnap/verify/backups/%s",
			       e->name);
		ensure(w, RESULTS, e->number, path);
	}
}

/* ---- looking ------------------------------------------------------------- */

static void tell_failure(struct hxfs_watch *w, int r, const struct hxs_err *err)
{
	if (r < 0 && !w->told)
		hxs_log_warn("%s; what was known of it is still shown",
			     err->message);
	w->told = r < 0;
}

/*
 * Everything anew. Directories are watched before they are listed, and once
 * more after it for those that the listing brought to light.
 */
static void scan_everything(struct hxfs_watch *w)
{
	struct hxs_err err = HXS_ERR_INIT;
	size_t i, before;
	int r;

	ensure_all(w);
	do {
		for (i = 0; i < w->count; i++)
			w->list[i].dirty = false;
		hxs_err_clear(&err);
		r = hxfs_registry_scan(w->m->fs, &err);
		before = w->count;
		ensure_all(w);
	} while (w->count != before);
	tell_failure(w, r, &err);
	hxfs_slots_sweep(w->m->fs);
}

static void scan_dirty(struct hxfs_watch *w)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct watched *d;
	bool swept = false;
	size_t i;
	int r;

	for (i = 0; i < w->count; i++) {
		if (w->list[i].dirty && w->list[i].what == TOP) {
			scan_everything(w);
			return;
		}
	}
	for (i = 0; i < w->count; i++) {
		d = &w->list[i];
		if (!d->dirty)
			continue;
		d->dirty = false;
		(void)look(w, d, false);
		if (d->what == RESULTS) {
			hxfs_registry_scan_verified(w->m->fs, d->env);
			continue;
		}
		hxs_err_clear(&err);
		r = hxfs_registry_scan_env(w->m->fs, d->env, &err);
		tell_failure(w, r, &err);
		swept = true;
	}
	if (swept)
		hxfs_slots_sweep(w->m->fs);
}

static void compare_times(struct hxfs_watch *w)
{
	size_t i;

	for (i = 0; i < w->count; i++)
		if (look(w, &w->list[i], false))
			w->list[i].dirty = true;
	scan_dirty(w);
}

/* ---- events -------------------------------------------------------------- */

static void mark(struct hxfs_watch *w, const struct inotify_event *ev,
		 bool *everything)
{
	size_t i;

	if (ev->mask & IN_Q_OVERFLOW) {
		*everything = true;
		return;
	}
	for (i = 0; i < w->count; i++) {
		if (w->list[i].wd != ev->wd)
			continue;
		if (ev->mask & IN_IGNORED)
			w->list[i].wd = -1;
		w->list[i].dirty = true;
	}
}

static void read_events(struct hxfs_watch *w)
{
	_Alignas(struct inotify_event) char buf[16384];
	const struct inotify_event *ev;
	bool everything = false;
	ssize_t n, at;

	(void)poll(NULL, 0, SETTLE_MS); /* a pause: its end does not matter */
	while ((n = read(w->inotify, buf, sizeof(buf))) > 0) {
		for (at = 0; at < n;) {
			ev = (const struct inotify_event *)(buf + at);
			mark(w, ev, &everything);
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
	}
	if (everything)
		scan_everything(w);
	else
		scan_dirty(w);
}

/* ---- the thread ---------------------------------------------------------- */

static void *run(void *arg)
{
	struct hxfs_watch *w = arg;
	struct hxfs_notes *notes = w->m->fs->notes;
	struct pollfd fd[2];
	unsigned wishes;
	int n;

	scan_everything(w);
	for (;;) {
		hxfs_tell_notes(w->m);
		fd[0] = (struct pollfd){ .fd = hxfs_notes_fd(notes),
					 .events = POLLIN };
		fd[1] = (struct pollfd){ .fd = w->inotify, .events = POLLIN };
		n = poll(fd, w->inotify >= 0 ? 2 : 1,
			 w->alone ? POLL_ALONE_MS : POLL_SAFETY_MS);
		wishes = hxfs_notes_wishes(notes);
		if (wishes & HXFS_WISH_STOP)
			return NULL;
		if (wishes & HXFS_WISH_RESCAN)
			scan_everything(w);
		else if (n > 0 && w->inotify >= 0 && fd[1].revents)
			read_events(w);
		else if (n == 0)
			compare_times(w);
	}
}

/* Changes made on other machines raise no events. */
static bool is_remote(struct hxfs *fs)
{
	struct statfs sf;

	if (fstatfs(hxs_store_fd(fs->store), &sf) < 0)
		return true;
	switch ((unsigned long)sf.f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case FUSE_SUPER_MAGIC:
	case V9FS_MAGIC:
	case CEPH_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

static void watch_free(struct hxfs_watch *w)
{
	if (w->inotify >= 0)
		(void)close(w->inotify); /* nothing is lost with it */
	free(w->list);
	free(w);
}

int hxfs_watch_start(struct hxfs_mount *m, struct hxfs_watch **out)
{
	struct hxfs_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->m = m;
	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->inotify < 0)
		go_alone(w, strerror(errno));
	else if (is_remote(m->fs))
		go_alone(w, "the store is on a network file system");
	r = pthread_create(&w->thread, NULL, run, w);
	if (r != 0) {
		watch_free(w);
		return -r;
	}
	*out = w;
	return 0;
}

void hxfs_watch_stop(struct hxfs_watch *w)
{
	if (!w)
		return;
	hxfs_notes_wish(w->m->fs->notes, HXFS_WISH_STOP);
	(void)pthread_join(w->thread, NULL); /* ours, and not joined before */
	watch_free(w);
}
