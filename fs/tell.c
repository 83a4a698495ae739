#include "fs/tell.h"

#include "fs/history.h"
#include "fs/notes.h"

#include <string.h>

/*
 * That the kernel knows nothing of a name is no failure, and neither is that
 * it still uses it: then it asks again before the next use.
 *
 * The root's listing is told of only when somebody may have it. The kernel
 * begins with a root that nobody may enter and asks for its attributes first
 * of all; what we answer it throws away if it was told of a change meanwhile,
 * and refuses whoever came. Who lists the root has come in already.
 */
static void tell_listing(struct hxfs_mount *m, uint64_t dir)
{
	struct hxfs_node node;
	uint64_t trail;

	(void)fuse_lowlevel_notify_inval_inode(m->se, dir, 0, 0);
	hxfs_number_decode(dir, &node);
	if (node.kind != HXFS_IS_ENV)
		return;
	/* What it has had is made of what it has. */
	(void)fuse_lowlevel_notify_inval_inode(m->se,
					       hxfs_number_env(node.env,
							       HXFS_IS_HISTORY),
					       0, 0);
	while ((trail = hxfs_history_unlist(m->fs, node.env)))
		(void)fuse_lowlevel_notify_inval_inode(m->se, trail, 0, 0);
}

static void tell(struct hxfs_mount *m, const struct hxfs_note *n)
{
	size_t len = strlen(n->name);

	switch (n->kind) {
	case HXFS_NOTE_NAME:
		(void)fuse_lowlevel_notify_inval_entry(m->se, n->dir, n->name,
						       len);
		break;
	case HXFS_NOTE_GONE:
		(void)fuse_lowlevel_notify_delete(m->se, n->dir, n->child,
						  n->name, len);
		break;
	case HXFS_NOTE_DIR:
		if (n->dir == HXFS_ROOT && !atomic_load(&m->root_listed))
			break;
		tell_listing(m, n->dir);
		break;
	}
}

/* Which listings are stale is not known any more: all may be. */
static void tell_all_listings(struct hxfs_mount *m)
{
	struct hxfs_note n = { .kind = HXFS_NOTE_DIR, .dir = HXFS_ROOT };
	size_t i, count;

	tell(m, &n);
	hxfs_lock(m->fs);
	count = m->fs->env_count;
	hxfs_unlock(m->fs);
	for (i = 0; i < count; i++) {
		n.dir = hxfs_number_env((uint32_t)i, HXFS_IS_ENV);
		tell(m, &n);
		n.dir = hxfs_number_env((uint32_t)i, HXFS_IS_ROLLBACKS);
		tell(m, &n);
	}
}

void hxfs_tell_notes(struct hxfs_mount *m)
{
	struct hxfs_note n;

	/* Nobody takes this lock but who tells: holding it hinders no one. */
	(void)pthread_mutex_lock(&m->tell_lock);
	while (hxfs_notes_take(m->fs->notes, &n))
		tell(m, &n);
	if (hxfs_notes_lost(m->fs->notes))
		tell_all_listings(m);
	(void)pthread_mutex_unlock(&m->tell_lock);
}
