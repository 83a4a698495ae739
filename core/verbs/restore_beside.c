/* Databases in a snapshot, and what SQLite keeps beside them. */
#include "source/sqlite.h"
#include "store/content.h"
#include "verbs/restore_parts.h"

#include <string.h>
#include <sys/stat.h>

const char *const hxs_restore_beside[HXS_BESIDE] = { "-wal", "-shm",
						     "-journal" };

bool hxs_restore_is_beside(const char *name, const char *base)
{
	size_t len = strlen(base), i;

	if (strncmp(name, base, len) != 0)
		return false;
	for (i = 0; i < HXS_BESIDE; i++)
		if (strcmp(name + len, hxs_restore_beside[i]) == 0)
			return true;
	return false;
}

int hxs_restore_is_database(const struct hxs_restore *rs, uint32_t n,
			    struct hxs_err *err)
{
	HXS_AUTO(content) struct hxs_content *c = NULL;
	struct hxs_scratch scratch = { .mem = NULL };
	struct hxs_node node;
	struct hxs_fault fault;
	const void *bytes;
	ssize_t len;
	int r;

	hxs_index_get(hxs_snapshot_index(rs->snap), n, &node);
	if (!S_ISREG(node.mode) || node.size < sizeof(HXS_SQLITE_MAGIC))
		return 0;
	r = hxs_content_open_until(rs->snap, n, &rs->stop, &c, &fault, err);
	if (r < 0)
		return r;
	len = hxs_content_read(c, 0, sizeof(HXS_SQLITE_MAGIC), &scratch, &bytes,
			       &fault, err);
	r = len < 0 ? (int)len
		    : memcmp(bytes, HXS_SQLITE_MAGIC,
			     sizeof(HXS_SQLITE_MAGIC)) == 0;
	hxs_scratch_release(&scratch);
	return r;
}

int64_t hxs_restore_stored_beside(const struct hxs_restore *rs, uint32_t n,
				  const char *what)
{
	const struct hxs_index *idx = hxs_snapshot_index(rs->snap);
	HXS_AUTO_BUF struct hxs_buf name = HXS_BUF_INIT;
	struct hxs_node node;

	hxs_index_get(idx, n, &node);
	if (hxs_buf_printf(&name, "%s%s", node.name, what) < 0)
		return -1;
	return hxs_index_lookup(idx, node.parent, name.data, name.len);
}
