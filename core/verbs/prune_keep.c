#include "store/result.h"
#include "verbs/prune.h"

#include <errno.h>
#include <sys/file.h>

int hxs_prune_keep(struct hxs_store *s, enum hxs_kind kind, const char *env,
		   const char *id, bool keep, bool *changed,
		   struct hxs_err *err)
{
	HXS_AUTO_CLOSE int fd = -1;
	char ref[HXS_REF_TEXT];
	int r;

	r = hxs_store_open_dir(s, kind, env, id, &fd, err);
	if (r < 0)
		return r;
	hxs_ref_format(kind, env, id, ref);
	/* Whoever removes it asks whether it is kept once it is locked. */
	if (keep && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return hxs_err_set(err, HXS_EBUSY,
				   "snapshot '%s' is being removed", ref);
	*changed = hxs_result_is_pinned(s, kind, env, id) != keep;
	/* Done again if it is so already: it may not be durable yet. */
	if (keep)
		return hxs_result_pin(s, kind, env, id, err);
	return hxs_result_unpin(s, kind, env, id, err);
}
