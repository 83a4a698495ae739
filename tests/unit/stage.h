#ifndef HXS_TESTS_STAGE_H
#define HXS_TESTS_STAGE_H

/* A store with backups of a directory "live", for tests of what comes back. */
#include "tests/unit/scratch.h"

#include "base/clock.h"
#include "format/treecmp.h"
#include "store/snapshot.h"
#include "verbs/create.h"

#include <sys/xattr.h>

static struct scratch here;
static struct hxs_store *store;

/* A clock that is a second later each time it is waited for. */
static struct timespec fake = { .tv_sec = 1800000000 };

static void stage_now(struct timespec *out, void *ctx HXS_UNUSED)
{
	*out = fake;
}

static void stage_wait(int64_t sec, void *ctx HXS_UNUSED)
{
	fake = (struct timespec){ .tv_sec = sec };
}

static const struct hxs_clock stage_clock = { .now = stage_now,
					      .wait_until = stage_wait };

static inline void stage_set_up(void)
{
	struct hxs_err err = HXS_ERR_INIT;

	scratch_open(&here);
	hxs_clock_set(&stage_clock);
	if (chmod(".", 0755) < 0 || hxs_store_init("s", false, &err) < 0 ||
	    hxs_store_open("s", &store, &err) < 0)
		scratch_die(err.message);
}

static inline void stage_tear_down(void)
{
	hxs_store_close(store);
	hxs_clock_set(NULL);
	scratch_close(&here);
}

/* Back up directory @path, as source "e" of environment @env. */
static inline void stage_backup(const char *env, const char *path,
				char id[HXS_ID_LEN + 1])
{
	struct hxs_create_report rep = { .files = 0 };
	struct hxs_create_opts o = { .env = env,
				     .threads = 2,
				     .allow_shrink = true,
				     .tool_version = "test" };
	struct hxs_config *config = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	char text[512];

	(void)snprintf(text, sizeof(text),
		       "{\"store\": \"s\", \"environments\": {\"%s\": "
		       "{\"sources\": {\"e\": {\"kind\": \"directory\", "
		       "\"path\": \"%s\"}}}}}",
		       env, path);
	if (hxs_config_parse(text, strlen(text), "hxsnap.json", here.path,
			     &config, &err) < 0)
		scratch_die(err.message);
	o.config = config;
	fake.tv_sec += 10;
	if (hxs_create(store, &o, &rep, &err) < 0)
		scratch_die(err.message);
	hxs_config_free(config);
	memcpy(id, rep.id, HXS_ID_LEN + 1);
}

static inline struct hxs_snapshot *stage_open(const char *env, const char *id)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_snapshot *snap;

	if (hxs_snapshot_open(store, HXS_BACKUP, env, id, &snap, &err) < 0)
		scratch_die(err.message);
	return snap;
}

static inline uint32_t stage_find(const struct hxs_snapshot *snap,
				  const char *path)
{
	int64_t n = hxs_index_find(hxs_snapshot_index(snap), path);

	if (n < 0)
		scratch_die(path);
	return (uint32_t)n;
}

static int stage_differs(unsigned what, const char *path,
			 const struct hxs_node *na HXS_UNUSED,
			 const struct hxs_node *nb HXS_UNUSED, void *ctx)
{
	fprintf(stderr, "# '%s' differs: %x\n", path, what);
	++*(int *)ctx;
	return 0;
}

static inline bool stage_same_top(const struct hxs_node *a,
				  const struct hxs_node *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       a->xattrs_len == b->xattrs_len &&
	       (a->xattrs_len == 0 ||
		memcmp(a->xattrs, b->xattrs, a->xattrs_len) == 0);
}

/*
 * Whether directory @path is entry "e" of @snap to the last attribute: a
 * backup is made of it, too, and the indexes are compared.
 */
static inline bool stage_is_equal(const struct hxs_snapshot *snap,
				  const char *path)
{
	HXS_AUTO(snapshot) struct hxs_snapshot *again = NULL;
	struct hxs_node a, b;
	char id[HXS_ID_LEN + 1];
	int differ = 0;

	stage_backup("again", path, id);
	again = stage_open("again", id);
	if (hxs_treecmp(hxs_snapshot_index(snap), stage_find(snap, "e"),
			hxs_snapshot_index(again), stage_find(again, "e"),
			stage_differs, &differ) < 0)
		scratch_die(path);
	hxs_index_get(hxs_snapshot_index(snap), stage_find(snap, "e"), &a);
	hxs_index_get(hxs_snapshot_index(again), stage_find(again, "e"), &b);
	return differ == 0 && stage_same_top(&a, &b);
}

/* Change the byte at @off of @path, below the store. */
static inline void stage_flip(const char *path, off_t off)
{
	struct timespec times[2];
	struct stat st;
	char c;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0 || pread(fd, &c, 1, off) != 1)
		scratch_die(path);
	c = (char)(c ^ 0x20);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (pwrite(fd, &c, 1, off) != 1 || futimens(fd, times) < 0)
		scratch_die(path);
	(void)close(fd);
}

#endif
