/*
 * Attributes. Inside a snapshot they come from its index. The directories
 * above are the store's own and show the store's owners and modes, so that
 * nobody sees through the mount what the store would not show.
 */
#include "base/io.h"
#include "base/xattr.h"
#include "fs/acl.h"
#include "fs/files.h"
#include "fs/history.h"
#include "fs/nodes.h"
#include "fs/registry.h"
#include "fs/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Attributes of directory @path of the store, by handle. */
static int stat_dir(struct hxfs *fs, const char *path, struct stat *st)
{
	HXS_AUTO_CLOSE int fd = -1;

	fd = hxs_io_open_beneath(hxs_store_fd(fs->store), path,
				 O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	return fstat(fd, st) < 0 ? -errno : 0;
}

/* Take from @st what directory @path, if it is there, does not allow. */
static void narrow(struct hxfs *fs, const char *path, struct stat *st)
{
	mode_t user, group, other;
	struct stat above;

	if (stat_dir(fs, path, &above) != 0)
		return;
	/* Who is owner or group here may be anybody there. */
	other = above.st_mode & 7;
	user = above.st_uid == st->st_uid ? above.st_mode >> 6 & 7 : other;
	group = above.st_gid == st->st_gid ? above.st_mode >> 3 & 7 : other;
	st->st_mode &= S_IFMT | user << 6 | group << 3 | other;
}

/* What the mount says of a directory of the store. */
static void as_dir(struct stat *st, uint64_t ino)
{
	st->st_ino = ino;
	st->st_dev = 0;
	st->st_nlink = 1; /* as many do who do not count subdirectories */
	st->st_mode = S_IFDIR | (st->st_mode & 0755);
	st->st_size = 0;
	st->st_blocks = 0;
}

static int stat_root(struct hxfs *fs, struct stat *st)
{
	if (fstat(hxs_store_fd(fs->store), st) < 0)
		return -errno;
	narrow(fs, "backups", st);
	as_dir(st, HXFS_ROOT);
	return 0;
}

int hxfs_stat_env(struct hxfs *fs, uint32_t env, bool rollbacks,
		  struct stat *st)
{
	bool rollbacks_only = false;
	char path[2][128];
	struct hxfs_env *e;
	int r;

	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	if (e) {
		(void)snprintf(path[0], sizeof(path[0]), "backups/%s", e->name);
		(void)snprintf(path[1], sizeof(path[1]), "rollbacks/%s",
			       e->name);
	}
	hxfs_unlock(fs);
	if (!e)
		return -ESTALE;
	r = stat_dir(fs, path[rollbacks], st);
	if (r == -ENOENT && !rollbacks) {
		rollbacks_only = true;
		r = stat_dir(fs, path[1], st);
	}
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	if (rollbacks || rollbacks_only)
		narrow(fs, "rollbacks", st);
	as_dir(st, hxfs_number_env(env, rollbacks ? HXFS_IS_ROLLBACKS
						  : HXFS_IS_ENV));
	return 0;
}

int hxfs_stat_snapshot(struct hxfs *fs, uint32_t env, enum hxs_kind kind,
		       int64_t seconds, struct stat *st)
{
	char path[128], id[HXS_ID_LEN + 1];
	struct hxfs_env *e;

	if (hxs_clock_format_id(seconds, id) < 0)
		return -ENOENT;
	hxfs_lock(fs);
	e = hxfs_registry_env(fs, env);
	if (e)
		(void)snprintf(path, sizeof(path), "%s/%s/%s",
			       hxs_store_area(kind), e->name, id);
	hxfs_unlock(fs);
	return e ? stat_dir(fs, path, st) : -ENOENT;
}

void hxfs_stat_text(struct hxfs *fs, uint64_t ino, uint64_t size,
		    struct stat *st)
{
	/* One time, or programs think that it changes while they read. */
	struct timespec when = { .tv_sec = fs->started };

	*st = (struct stat){
		.st_ino = ino,
		.st_mode = S_IFREG | 0444,
		.st_nlink = 1,
		.st_uid = fs->uid,
		.st_gid = fs->gid,
		.st_size = (off_t)size,
		.st_mtim = when,
		.st_ctim = when,
		.st_atim = when,
	};
}

/*
 * The kernel checks who may open it, by these; who writes is checked again.
 * Reading is for the same people, as a reply may name paths.
 */
void hxfs_stat_control(struct hxfs *fs, const struct hxfs_node *node,
		       struct stat *st)
{
	hxfs_stat_text(fs, hxfs_number_control_file(node), 0, st);
	st->st_mode = S_IFREG | 0600;
	if (fs->opt->has_control_gid) {
		st->st_mode |= 0060;
		st->st_gid = fs->opt->control_gid;
	}
}

void hxfs_stat_link(struct hxfs *fs, uint64_t ino, int64_t seconds,
		    struct stat *st)
{
	struct timespec when = { .tv_sec = seconds };

	*st = (struct stat){
		.st_ino = ino,
		.st_mode = S_IFLNK | 0777,
		.st_nlink = 1,
		.st_uid = fs->uid,
		.st_gid = fs->gid,
		.st_size = HXS_ID_LEN,
		.st_mtim = when,
		.st_ctim = when,
		.st_atim = when,
	};
}

/* Whether a foreign file has no bytes and should have some, or is missing. */
static bool lost_all(const struct hxs_node *node)
{
	struct hxs_digest empty;

	if (!S_ISREG(node->mode) || node->size != 0)
		return false;
	hxs_digest_of("", 0, &empty);
	return !hxs_digest_equal(node->digest, &empty);
}

int hxfs_stat_entry(struct hxfs *fs, const struct hxfs_slot *s, uint32_t *n,
		    struct stat *st)
{
	const struct hxs_index *idx = hxs_snapshot_index(s->snap);
	struct hxs_xattr acl;
	struct hxs_node node;
	int r;

	node.xattrs_len = 0;
	if (*n < HXS_ENTRY_INDEX) {
		if (*n >= hxs_index_count(idx))
			return -ESTALE;
		hxs_index_get(idx, *n, &node);
		*n = node.leader;
	}
	r = hxs_snapshot_stat(s->snap, *n, st);
	if (r < 0)
		return r;
	st->st_ino = hxfs_number_entry(s->number, *n);
	/*
	 * Where the kernel opens files by itself it asks nothing of one that
	 * is empty, and nobody would learn that this one should not be.
	 */
	if (fs->no_open && *n < HXS_ENTRY_INDEX && lost_all(&node))
		st->st_size = 1;
	if (!fs->xattr && node.xattrs_len &&
	    hxs_xattr_find(node.xattrs, node.xattrs_len,
			   "system.posix_acl_access", &acl))
		st->st_mode =
			hxfs_acl_narrow(st->st_mode, acl.value, acl.value_len);
	return 0;
}

/* By slot: the directory must still be the one that the slot stands for. */
static int stat_slot_dir(struct hxfs *fs, uint32_t number, struct stat *st)
{
	struct hxfs_slot *s, copy = { .gone = true };
	int r;

	hxfs_lock(fs);
	s = hxfs_registry_slot(fs, number);
	if (s)
		copy = *s;
	hxfs_unlock(fs);
	if (copy.gone)
		return -ESTALE;
	r = hxfs_stat_snapshot(fs, copy.env, copy.kind, copy.seconds, st);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	if (copy.met && (copy.dev != st->st_dev || copy.ino != st->st_ino))
		return -ESTALE;
	st->st_ino = hxfs_number_entry(number, 0);
	st->st_dev = 0;
	return 0;
}

static int stat_inside(struct hxfs *fs, const struct hxfs_node *node,
		       enum hxfs_patience patience, struct stat *st,
		       struct hxs_err *err)
{
	struct hxfs_slot *s;
	uint32_t n = node->n;
	int r;

	r = hxfs_slots_enter(fs, node->slot, patience, &s, err);
	if (r < 0)
		return r;
	r = hxfs_stat_entry(fs, s, &n, st);
	hxfs_slots_leave(fs, s);
	return r;
}

int hxfs_stat(struct hxfs *fs, uint64_t ino, enum hxfs_patience patience,
	      struct stat *st, struct hxs_err *err)
{
	struct hxfs_node node;
	int64_t size;

	hxfs_number_decode(ino, &node);
	switch (node.kind) {
	case HXFS_IS_ROOT:
		return stat_root(fs, st);
	case HXFS_IS_ENV:
	case HXFS_IS_ROLLBACKS:
		return hxfs_stat_env(fs, node.env,
				     node.kind == HXFS_IS_ROLLBACKS, st);
	case HXFS_IS_STATUS:
	case HXFS_IS_METRICS:
	case HXFS_IS_ENV_STATUS:
	case HXFS_IS_SNAPSHOT_STATUS:
		hxfs_stat_text(fs, ino, 0, st);
		return 0;
	case HXFS_IS_TEXT:
		size = hxfs_texts_size(fs->texts, node.serial, &ino);
		if (size < 0)
			return (int)size;
		hxfs_stat_text(fs, ino, (uint64_t)size, st);
		return 0;
	case HXFS_IS_CONTROL:
		hxfs_stat_control(fs, &node, st);
		return 0;
	case HXFS_IS_LINK:
		hxfs_stat_link(fs, ino, node.seconds, st);
		return 0;
	case HXFS_IS_SNAPSHOT:
		return stat_slot_dir(fs, node.slot, st);
	case HXFS_IS_ENTRY:
		return stat_inside(fs, &node, patience, st, err);
	case HXFS_IS_HISTORY:
	case HXFS_IS_TRAIL:
		return hxfs_history_stat(fs, ino, patience, st, err);
	case HXFS_IS_NOTHING:
		break;
	}
	return -ESTALE;
}
