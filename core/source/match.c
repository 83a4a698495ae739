/*
 * What of a source is as it was in an earlier backup. Asked when all of it
 * has been found, so that the earlier index can be read meanwhile.
 */
#include "source/sqlite.h"
#include "source/tree.h"

#include <stdatomic.h>
#include <string.h>

/*
 * A file that changed this shortly before it was captured may have changed
 * again within the same tick of the file system's clock, unseen.
 */
#define RACY_NS 50000000
/* Where times have whole (or, as on FAT, even) seconds only. */
#define RACY_SECONDS 3
#define SLICE 1024 /* items taken at once */

struct match {
	const struct hxs_index *prev;
	struct hxs_tree *t;
	atomic_size_t next; /* item */
};

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whether @ctime lies safely before @captured. */
static bool is_settled(struct timespec ctime, struct timespec captured)
{
	int64_t sec = (int64_t)captured.tv_sec - ctime.tv_sec;

	if (ctime.tv_nsec == 0)
		return sec >= RACY_SECONDS;
	if (sec > 1 || sec < 0)
		return sec > 1;
	return sec * 1000000000 + captured.tv_nsec - ctime.tv_nsec >= RACY_NS;
}

/* The entry named @name in the earlier backup's directory @dir, or NONE. */
static uint32_t find(const struct hxs_index *prev, uint32_t dir,
		     const char *name)
{
	int64_t n = -1;

	if (dir != HXS_TREE_NONE)
		n = hxs_index_lookup(prev, dir, name, strlen(name));
	return n < 0 ? HXS_TREE_NONE : (uint32_t)n;
}

/* Whether file @it is what entry it->prev of the earlier backup was. */
static bool is_unchanged(const struct hxs_index *prev,
			 const struct hxs_tree_item *it)
{
	struct hxs_node n;

	if (it->prev == HXS_TREE_NONE)
		return false;
	hxs_index_get(prev, it->prev, &n);
	/* The file of a database in WAL mode does not tell of its changes. */
	if (n.sqlite_wal)
		return false;
	return n.mode == it->st.mode && n.size == it->st.size &&
	       n.ino == it->st.ino && n.uid == it->st.uid &&
	       n.gid == it->st.gid && same_time(n.mtime, it->st.mtime) &&
	       same_time(n.ctime, it->st.ctime) &&
	       is_settled(n.ctime, hxs_index_head(prev)->captured);
}

/* A worker's place: directory @dir is open as @fd, if that is not -1. */
struct place {
	const struct hxs_tree *t;
	size_t dir;
	int fd;
};

/*
 * A database in rollback mode is linked as any other file: SQLite's copy of
 * one, too, was made while writers were kept out, and the times noted are
 * those of then. Not so one that has a -wal.
 */
static bool has_wal(struct place *p, const struct hxs_tree_item *it)
{
	const struct hxs_tree *t = p->t;

	if (!t->dirs[it->dir].beside)
		return false;
	if (p->fd < 0 || p->dir != it->dir) {
		if (p->fd >= 0)
			(void)close(p->fd); /* a directory */
		p->dir = it->dir;
		p->fd = hxs_tree_open(t, p->dir, t->fd, false);
	}
	return p->fd < 0 ||
	       hxs_sqlite_has_wal(p->fd,
				  t->live_name ? t->live_name : it->name);
}

static void match_item(const struct match *m, struct place *p,
		       struct hxs_tree_item *it)
{
	it->prev = find(m->prev, m->t->dirs[it->dir].prev, it->name);
	if (S_ISREG(it->st.mode) && it->state == HXS_TREE_COPY &&
	    is_unchanged(m->prev, it) && !has_wal(p, it))
		it->state = HXS_TREE_SAME;
}

static void work(void *arg)
{
	struct match *m = arg;
	struct place p = { .t = m->t, .fd = -1 };
	size_t i, first;

	for (;;) {
		first = atomic_fetch_add(&m->next, SLICE);
		if (first >= m->t->item_count)
			break;
		for (i = first; i < first + SLICE && i < m->t->item_count; i++)
			match_item(m, &p, &m->t->items[i]);
	}
	if (p.fd >= 0)
		(void)close(p.fd); /* a directory */
}

void hxs_match(struct hxs_capture *cap, struct hxs_tree *t)
{
	struct match m = { .prev = cap->prev, .t = t };
	struct hxs_tree_dir *dirs = t->dirs;
	unsigned workers = hxs_pool_processors();
	size_t i;

	if (!cap->prev || t->matched)
		return;
	t->matched = true;
	dirs[0].prev = find(cap->prev, 0, dirs[0].name);
	for (i = 1; i < t->dir_count; i++)
		dirs[i].prev = find(cap->prev, dirs[dirs[i].parent].prev,
				    dirs[i].name);
	atomic_init(&m.next, 0);
	if (t->item_count <= SLICE) {
		work(&m);
		return;
	}
	for (i = 0; i < workers; i++)
		hxs_pool_submit(cap->pool, work, &m);
	hxs_pool_wait(cap->pool);
}
