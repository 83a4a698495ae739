/* From a name in a directory to the node it means. */
#include "base/path.h"
#include "format/manifest.h"
#include "fs/control.h"
#include "fs/files.h"
#include "fs/history.h"
#include "fs/nodes.h"
#include "fs/notes.h"
#include "fs/registry.h"
#include "fs/slots.h"
#include "fs/status.h"

#include <errno.h>
#include <string.h>

#define STATUS_NAME ".status"
#define METRICS_NAME ".metrics"
#define CONTROL_NAME ".control"
#define HISTORY_NAME ".history"

struct request {
	struct hxfs *fs;
	const char *name;
	enum hxfs_patience patience;
	bool stranger;
	struct hxs_err *err;
};

/* A text that does not lie in a directory as other files do. */
static int found_text(const struct request *q, uint64_t ino,
		      struct hxfs_found *out)
{
	struct hxfs_node node;
	uint64_t serial;
	size_t len;
	char *text;
	int r;

	out->fleeting = true;
	if (q->fs->no_open) {
		hxfs_number_decode(ino, &node);
		r = hxfs_status_text(q->fs, &node, q->patience, q->stranger,
				     &text, &len, q->err);
		if (r < 0)
			return r;
		hxfs_texts_add(q->fs->texts, ino, text, len, &serial);
		out->ino = hxfs_number_text(serial);
		/* Programs know a file by st_ino, and it is the same file. */
		hxfs_stat_text(q->fs, ino, len, &out->st);
		return 0;
	}
	out->ino = ino;
	hxfs_stat_text(q->fs, ino, 0, &out->st);
	return 0;
}

/* Whether @q is for a control file, in a mount that has some. */
static bool is_control(const struct request *q)
{
	return q->fs->control && strcmp(q->name, CONTROL_NAME) == 0;
}

static int found_control(const struct request *q, enum hxfs_kind of,
			 uint32_t which, struct hxfs_found *out)
{
	struct hxfs_node node;

	out->fleeting = true;
	out->lasting = false;
	out->ino = hxfs_control_number(q->fs->control, of, which);
	hxfs_number_decode(out->ino, &node);
	hxfs_stat_control(q->fs, &node, &out->st);
	return 0;
}

static int found_link(const struct request *q, uint32_t env,
		      enum hxfs_link link, struct hxfs_found *out)
{
	int64_t sec;

	hxfs_lock(q->fs);
	sec = hxfs_registry_link(q->fs, env, link);
	hxfs_unlock(q->fs);
	if (sec == HXFS_NO_TIME)
		return -ENOENT;
	out->ino = hxfs_number_link(env, link, sec);
	hxfs_stat_link(q->fs, out->ino, sec, &out->st);
	return 0;
}

/*
 * An id. Asked of the store itself rather than of our tables: one that was
 * published a moment ago is found, one that is another directory than before
 * becomes another node.
 */
static int found_snapshot(const struct request *q, uint32_t env,
			  enum hxs_kind kind, struct hxfs_found *out)
{
	int64_t sec, number;
	int r;

	if (hxs_clock_parse_id(q->name, &sec) < 0)
		return -ENOENT;
	r = hxfs_stat_snapshot(q->fs, env, kind, sec, &out->st);
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP) {
		if (hxfs_registry_knows(q->fs, env, kind, sec))
			hxfs_notes_wish(q->fs->notes, HXFS_WISH_RESCAN);
		return -ENOENT;
	}
	if (r < 0)
		return r;
	number = hxfs_registry_meet(q->fs, env, kind, sec, &out->st);
	if (number < 0)
		return (int)number;
	out->ino = hxfs_number_entry((uint32_t)number, 0);
	out->st.st_ino = out->ino;
	out->st.st_dev = 0;
	return 0;
}

static int in_root(const struct request *q, struct hxfs_found *out)
{
	struct hxfs_env *e;
	uint32_t env = 0;
	int r;

	if (strcmp(q->name, STATUS_NAME) == 0)
		return found_text(q, HXFS_ROOT_STATUS, out);
	if (strcmp(q->name, METRICS_NAME) == 0)
		return found_text(q, HXFS_ROOT_METRICS, out);
	if (is_control(q))
		return found_control(q, HXFS_IS_ROOT, 0, out);
	if (!hxs_path_is_name(q->name))
		return -ENOENT;
	hxfs_lock(q->fs);
	e = hxfs_registry_find(q->fs, q->name);
	if (e)
		env = e->number;
	hxfs_unlock(q->fs);
	if (!e) {
		/* It may have been made a moment ago. */
		if (!hxfs_registry_there(q->fs, q->name))
			return -ENOENT;
		if (q->patience == HXFS_NOW)
			return -EAGAIN;
		r = hxfs_registry_scan(q->fs, q->err);
		hxfs_lock(q->fs);
		e = hxfs_registry_find(q->fs, q->name);
		if (e)
			env = e->number;
		hxfs_unlock(q->fs);
		if (!e)
			return r < 0 ? r : -ENOENT;
	}
	out->ino = hxfs_number_env(env, HXFS_IS_ENV);
	r = hxfs_stat_env(q->fs, env, false, &out->st);
	return r == -ESTALE ? -ENOENT : r;
}

static int in_env(const struct request *q, uint32_t env, struct hxfs_found *out)
{
	int r;

	if (strcmp(q->name, "latest") == 0)
		return found_link(q, env, HXFS_LATEST, out);
	if (strcmp(q->name, "latest-verified") == 0)
		return found_link(q, env, HXFS_LATEST_VERIFIED, out);
	if (strcmp(q->name, STATUS_NAME) == 0)
		return found_text(q, hxfs_number_env(env, HXFS_IS_ENV_STATUS),
				  out);
	if (is_control(q))
		return found_control(q, HXFS_IS_ENV, env, out);
	if (strcmp(q->name, ".rollbacks") == 0) {
		out->ino = hxfs_number_env(env, HXFS_IS_ROLLBACKS);
		r = hxfs_stat_env(q->fs, env, true, &out->st);
		return r == -ESTALE ? -ENOENT : r;
	}
	if (strcmp(q->name, HISTORY_NAME) == 0) {
		out->ino = hxfs_number_env(env, HXFS_IS_HISTORY);
		r = hxfs_stat(q->fs, out->ino, q->patience, &out->st, q->err);
		return r == -ESTALE ? -ENOENT : r;
	}
	return found_snapshot(q, env, HXS_BACKUP, out);
}

static int in_rollbacks(const struct request *q, uint32_t env,
			struct hxfs_found *out)
{
	if (strcmp(q->name, "latest") == 0)
		return found_link(q, env, HXFS_LATEST_ROLLBACK, out);
	return found_snapshot(q, env, HXS_ROLLBACK, out);
}

/* The entry of this name in directory @dir of the loaded slot @s. */
static int in_index(const struct request *q, const struct hxfs_slot *s,
		    uint32_t dir, struct hxfs_found *out)
{
	const struct hxs_index *idx = hxs_snapshot_index(s->snap);
	int64_t at;
	uint32_t n;
	int r;

	out->lasting = true;
	if (dir >= hxs_index_count(idx))
		return dir < HXS_ENTRY_INDEX ? -ESTALE : -ENOTDIR;
	at = hxs_index_lookup(idx, dir, q->name, strlen(q->name));
	if (at == -ENOENT && dir == 0 && strcmp(q->name, HXS_INDEX_NAME) == 0)
		at = HXS_ENTRY_INDEX;
	if (at == -ENOENT && dir == 0 &&
	    strcmp(q->name, HXS_MANIFEST_NAME) == 0)
		at = HXS_ENTRY_MANIFEST;
	if (at < 0)
		return (int)at;
	n = (uint32_t)at;
	r = hxfs_stat_entry(q->fs, s, &n, &out->st);
	out->ino = hxfs_number_entry(s->number, n);
	return r;
}

/*
 * A snapshot that holds a file of our name shows its own; one that cannot be
 * loaded says why.
 */
static int in_snapshot(const struct request *q, const struct hxfs_node *dir,
		       struct hxfs_found *out)
{
	bool control = dir->n == 0 && is_control(q);
	bool ours =
		control || (dir->n == 0 && strcmp(q->name, STATUS_NAME) == 0);
	struct hxfs_slot *s;
	int r;

	r = hxfs_slots_enter(q->fs, dir->slot, q->patience, &s, q->err);
	if (r == 0) {
		r = in_index(q, s, dir->n, out);
		hxfs_slots_leave(q->fs, s);
		if (!ours || r != -ENOENT)
			return r;
	} else if (!ours || r == -EAGAIN || r == -ESTALE) {
		return r;
	}
	if (control)
		return found_control(q, HXFS_IS_SNAPSHOT, dir->slot, out);
	out->lasting = false;
	return found_text(q, hxfs_number_entry(dir->slot, HXFS_N_STATUS), out);
}

int hxfs_lookup(struct hxfs *fs, uint64_t dir, const char *name,
		enum hxfs_patience patience, bool stranger,
		struct hxfs_found *out, struct hxs_err *err)
{
	struct request q = {
		.fs = fs,
		.name = name,
		.patience = patience,
		.stranger = stranger,
		.err = err,
	};
	struct hxfs_node node;

	*out = (struct hxfs_found){ .ino = 0 };
	hxfs_number_decode(dir, &node);
	switch (node.kind) {
	case HXFS_IS_ROOT:
		return in_root(&q, out);
	case HXFS_IS_ENV:
		return in_env(&q, node.env, out);
	case HXFS_IS_ROLLBACKS:
		return in_rollbacks(&q, node.env, out);
	case HXFS_IS_SNAPSHOT:
	case HXFS_IS_ENTRY:
		return in_snapshot(&q, &node, out);
	case HXFS_IS_HISTORY:
	case HXFS_IS_TRAIL:
		return hxfs_history_lookup(fs, dir, name, patience, out, err);
	case HXFS_IS_NOTHING:
		return -ESTALE;
	default:
		return -ENOTDIR;
	}
}

int hxfs_readlink(struct hxfs *fs, uint64_t ino, enum hxfs_patience patience,
		  char **out, struct hxs_err *err)
{
	char id[HXS_ID_LEN + 1];
	struct hxs_node entry;
	struct hxfs_node node;
	struct hxfs_slot *s;
	int r;

	hxfs_number_decode(ino, &node);
	if (node.kind == HXFS_IS_LINK) {
		r = hxs_clock_format_id(node.seconds, id);
		if (r < 0)
			return -ESTALE;
		*out = strdup(id);
		return *out ? 0 : -ENOMEM;
	}
	if (node.kind != HXFS_IS_ENTRY)
		return -EINVAL;
	r = hxfs_slots_enter(fs, node.slot, patience, &s, err);
	if (r < 0)
		return r;
	r = -EINVAL;
	if (node.n < hxs_index_count(hxs_snapshot_index(s->snap))) {
		hxs_index_get(hxs_snapshot_index(s->snap), node.n, &entry);
		if (entry.target) {
			*out = strdup(entry.target);
			r = *out ? 0 : -ENOMEM;
		}
	}
	hxfs_slots_leave(fs, s);
	return r;
}
