/*
 * Where a drill restores to. In the store it has a name of its own; elsewhere
 * a random one, and a symbolic link in the store, made before it, tells where:
 * that link is never followed, only read. So whatever a drill left that was
 * killed is found by the next one.
 */
#include "base/io.h"
#include "source/apart.h"
#include "source/stage.h"
#include "verbs/drill_parts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#define LOCK ".lock"
#define INSIDE ".scratch"
#define NOTE ".elsewhere"
#define PREFIX ".hxsnap-drill-"

static const char *where(const struct hxs_drill_run *run)
{
	return run->opts->scratch ? run->opts->scratch
				  : hxs_store_path(run->store);
}

static int fail(const char *what, const char *path, int r, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	(void)hxs_path_show(&shown, path, strlen(path));
	return hxs_err_errno(err, -r, "cannot %s '%s'", what,
			     hxs_buf_str(&shown));
}

/* ---- whose turn it is -------------------------------------------------- */

int hxs_drill_scratch_open(struct hxs_drill_run *run, struct hxs_err *err)
{
	struct hxs_drill_scratch *sc = &run->scratch;
	const char *store = hxs_store_path(run->store);
	int r;

	sc->dir = hxs_drills_dir(run->store, run->env->name);
	if (sc->dir < 0)
		return fail("keep drills in", store, sc->dir, err);
	/* 0600: whoever can open it can hold it. */
	sc->lock = hxs_io_open_beneath(sc->dir, LOCK, O_RDWR | O_CREAT, 0600);
	if (sc->lock < 0)
		return fail("keep drills in", store, sc->lock, err);
	do
		r = flock(sc->lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r == -EWOULDBLOCK)
		return hxs_err_set(err, HXS_EBUSY,
				   "another drill of '%s' is under way",
				   run->env->name);
	return r < 0 ? fail("keep drills in", store, r, err) : 0;
}

/* ---- what was left ----------------------------------------------------- */

/* Whether @name is one that make_name() makes for this environment. */
static bool is_ours(const struct hxs_drill_run *run, const char *name)
{
	const char *env = run->env->name;
	size_t n = strlen(PREFIX), e = strlen(env);

	return strncmp(name, PREFIX, n) == 0 &&
	       strncmp(name + n, env, e) == 0 && name[n + e] == '-' &&
	       strlen(name + n + e + 1) == 16 &&
	       strspn(name + n + e + 1, "0123456789abcdef") == 16;
}

static int forget(struct hxs_drill_scratch *sc)
{
	if (unlinkat(sc->dir, NOTE, 0) < 0 && errno != ENOENT)
		return -errno;
	return fsync(sc->dir) < 0 ? -errno : 0;
}

/* Remove what the note speaks of: @path, which is taken apart. */
static int sweep_elsewhere(struct hxs_drill_run *run, char *path)
{
	HXS_AUTO_CLOSE int place = -1;
	char *slash = strrchr(path, '/');

	if (!slash || !is_ours(run, slash + 1))
		return -EINVAL;
	*slash = '\0';
	place = open(path[0] ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place < 0) /* with the place it went itself */
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	return hxs_io_remove_tree(place, slash + 1);
}

int hxs_drill_scratch_sweep(struct hxs_drill_run *run, struct hxs_err *err)
{
	struct hxs_drill_scratch *sc = &run->scratch;
	char path[PATH_MAX], shown[PATH_MAX];
	ssize_t n;
	int r;

	r = hxs_io_remove_tree(sc->dir, INSIDE);
	if (r < 0)
		return fail("remove what an earlier drill left in",
			    hxs_store_path(run->store), r, err);
	n = readlinkat(sc->dir, NOTE, path, sizeof(path) - 1);
	if (n < 0)
		return errno == ENOENT
			       ? 0
			       : fail("read what an earlier drill left in",
				      hxs_store_path(run->store), -errno, err);
	path[n] = '\0';
	memcpy(shown, path, (size_t)n + 1);
	r = sweep_elsewhere(run, path);
	if (r == 0)
		r = forget(sc);
	return r < 0 ? fail("remove what an earlier drill left,", shown, r, err)
		     : 0;
}

/* ---- making it --------------------------------------------------------- */

/* Whether the place is in directory @live, or is it. */
static int lies_in(const struct hxs_drill_run *run, const char *live)
{
	HXS_AUTO_CAPTURE struct hxs_capture cap;
	struct stat st;

	hxs_capture_init(&cap);
	if (stat(live, &st) < 0 || !S_ISDIR(st.st_mode))
		return HXS_APART; /* there is nothing that could be touched */
	cap.own_count = 2; /* the first is where the store would be */
	cap.own[1].dev = st.st_dev;
	cap.own[1].ino = st.st_ino;
	return hxs_apart_look(&cap, run->scratch.place, true);
}

static int refuse(const struct hxs_drill_run *run, const char *what,
		  struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	(void)hxs_path_show(&shown, where(run), strlen(where(run)));
	return hxs_err_set(err, HXS_EDENIED, "refused: '%s' lies in %s",
			   hxs_buf_str(&shown), what);
}

/* Neither in the store nor in any live data. */
static int check_place(const struct hxs_drill_run *run, struct hxs_err *err)
{
	const struct hxs_config *c = run->opts->config;
	HXS_AUTO_CAPTURE struct hxs_capture cap;
	size_t i, k;
	int r;

	hxs_capture_init(&cap);
	r = hxs_apart_note(&cap, run->store, err);
	if (r < 0)
		return r;
	r = hxs_apart_look(&cap, run->scratch.place, true);
	if (r > HXS_APART)
		return refuse(run,
			      r == HXS_APART_MOUNT ? "a mount of backups"
						   : "the store",
			      err);
	for (i = 0; r == HXS_APART && i < c->env_count; i++)
		for (k = 0; r == HXS_APART && k < c->envs[i].source_count; k++)
			if (c->envs[i].sources[k].path)
				r = lies_in(run, c->envs[i].sources[k].path);
	if (r < 0)
		return fail("tell where it lies:", where(run), r, err);
	return r == HXS_APART ? 0 : refuse(run, "live data", err);
}

static int open_place(struct hxs_drill_run *run, char **path,
		      struct hxs_err *err)
{
	struct hxs_drill_scratch *sc = &run->scratch;
	const char *given = run->opts->scratch;

	if (given)
		*path = realpath(given, NULL);
	else if (asprintf(path, "%s/" HXS_DRILLS_DIR "/%s",
			  hxs_store_path(run->store), run->env->name) < 0)
		*path = NULL;
	if (!*path)
		return fail("open", where(run), given ? -errno : -ENOMEM, err);
	sc->place = given ? open(*path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			  : hxs_io_open_dir(sc->dir, ".");
	if (sc->place < 0)
		return fail("open", where(run), given ? -errno : sc->place,
			    err);
	return given ? check_place(run, err) : 0;
}

static int make_name(struct hxs_drill_run *run)
{
	struct hxs_drill_scratch *sc = &run->scratch;
	uint64_t rnd;

	if (!run->opts->scratch) {
		(void)snprintf(sc->name, sizeof(sc->name), INSIDE);
		return 0;
	}
	if (getrandom(&rnd, sizeof(rnd), 0) != (ssize_t)sizeof(rnd))
		return -EIO;
	(void)snprintf(sc->name, sizeof(sc->name), PREFIX "%s-%016llx",
		       run->env->name, (unsigned long long)rnd);
	return 0;
}

/* Durably, before there is anything. */
static int note(struct hxs_drill_scratch *sc)
{
	if (symlinkat(sc->path, sc->dir, NOTE) < 0)
		return -errno;
	sc->noted = true;
	return fsync(sc->dir) < 0 ? -errno : 0;
}

static int make(struct hxs_drill_run *run)
{
	struct hxs_drill_scratch *sc = &run->scratch;
	int r = 0;

	if (run->opts->scratch)
		r = note(sc);
	if (r == 0 && mkdirat(sc->place, sc->name, 0700) < 0)
		r = -errno;
	/* Neither the umask nor the directory above has a say. */
	if (r == 0 && fchmodat(sc->place, sc->name, 0700, 0) < 0)
		r = -errno;
	if (r == 0)
		r = sc->fd = hxs_io_open_dir(sc->place, sc->name);
	return r < 0 ? r : hxs_stage_disown(sc->fd);
}

int hxs_drill_scratch_make(struct hxs_drill_run *run, struct hxs_err *err)
{
	struct hxs_drill_scratch *sc = &run->scratch;
	HXS_AUTO_FREE char *place = NULL;
	int r;

	r = open_place(run, &place, err);
	if (r < 0)
		return r;
	assert(place); /* of what was opened */
	r = make_name(run);
	if (r == 0 &&
	    asprintf(&sc->path, "%s/%s", strcmp(place, "/") == 0 ? "" : place,
		     sc->name) < 0) {
		sc->path = NULL;
		r = -ENOMEM;
	}
	if (r == 0)
		r = make(run);
	return r < 0 ? fail("make scratch space in", where(run), r, err) : 0;
}

/* ---- the end ----------------------------------------------------------- */

int hxs_drill_scratch_remove(struct hxs_drill_run *run, struct hxs_err *err)
{
	struct hxs_drill_scratch *sc = &run->scratch;
	int r = 0;

	if (sc->fd >= 0)
		(void)close(HXS_STEAL_FD(sc->fd)); /* a directory */
	if (sc->name[0] && sc->place >= 0)
		r = hxs_io_remove_tree(sc->place, sc->name);
	if (r == 0 && sc->noted)
		r = forget(sc);
	if (r < 0)
		return fail("remove the scratch space", sc->path, r, err);
	sc->name[0] = '\0';
	return 0;
}

void hxs_drill_scratch_close(struct hxs_drill_scratch *sc)
{
	if (sc->fd >= 0)
		(void)close(sc->fd); /* directories, all of them */
	if (sc->place >= 0)
		(void)close(sc->place);
	if (sc->dir >= 0)
		(void)close(sc->dir);
	if (sc->lock >= 0)
		(void)close(sc->lock); /* this is what releases it */
	free(sc->path);
	*sc = (struct hxs_drill_scratch)HXS_DRILL_SCRATCH_INIT;
}
