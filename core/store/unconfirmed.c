#include "store/unconfirmed.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/path.h"
#include "store/record.h"
#include "store/unconfirmed_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DIRECTORY ".hxsnap/unconfirmed"
#define PATIENCE 5.0 /* seconds: nobody holds the record's lock for long */

/* ---- the model --------------------------------------------------------- */

void hxs_unconfirmed_release(struct hxs_unconfirmed *u)
{
	size_t i;

	for (i = 0; i < u->path_count; i++)
		free(u->paths[i]);
	free(u->paths);
	u->paths = NULL;
	u->path_count = 0;
}

int hxs_unconfirmed_take_paths(struct hxs_unconfirmed *u,
			       const char *const *paths, size_t count)
{
	u->paths = calloc(count + 1, sizeof(*u->paths));
	if (!u->paths)
		return -ENOMEM;
	for (; u->path_count < count; u->path_count++) {
		u->paths[u->path_count] = strdup(paths[u->path_count]);
		if (!u->paths[u->path_count])
			return -ENOMEM;
	}
	return 0;
}

bool hxs_unconfirmed_is_open(const struct hxs_unconfirmed *u)
{
	return u->state == HXS_UNCONFIRMED_BEGUN ||
	       u->state == HXS_UNCONFIRMED_WAITING ||
	       u->state == HXS_UNCONFIRMED_UNDOING;
}

/* ---- the file ---------------------------------------------------------- */

int hxs_unconfirmed_read(const struct hxs_store *s, const char *env,
			 struct hxs_unconfirmed *out, struct hxs_err *err)
{
	HXS_AUTO_FREE char *text = NULL;
	size_t len;
	int r;

	r = hxs_record_read(s, DIRECTORY, env, HXS_UNCONFIRMED_TEXT_MAX, &text,
			    &len);
	if (r == 0)
		return 0;
	if (r == -HXS_EDENIED)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: others may write '%s/" DIRECTORY
				   "/%s'",
				   hxs_store_path(s), env);
	if (r > 0)
		r = hxs_unconfirmed_text_take(text, len, env, out);
	if (r == -EBADMSG || r == -EFBIG || r == -EINVAL) {
		r = hxs_err_set(err, HXS_ECORRUPT,
				"'%s/" DIRECTORY "/%s' is damaged: whether a "
				"restore of '%s' is to be confirmed cannot be "
				"told",
				hxs_store_path(s), env, env);
		hxs_err_hint(err, "'hxsnap confirm %s' removes it", env);
		return r;
	}
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot read '%s/" DIRECTORY "/%s'",
				     hxs_store_path(s), env);
	return 1;
}

int hxs_unconfirmed_write(struct hxs_store *s, const struct hxs_unconfirmed *u,
			  struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf all = HXS_BUF_INIT;
	int r;

	r = hxs_unconfirmed_text_make(u, &all);
	if (r == 0)
		r = hxs_record_write(s, DIRECTORY, u->env, &all);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot write '%s/" DIRECTORY "/%s'",
				     hxs_store_path(s), u->env);
	return 0;
}

int hxs_unconfirmed_drop(struct hxs_store *s, const char *env,
			 struct hxs_err *err)
{
	return hxs_record_drop(s, DIRECTORY, env, err);
}

int hxs_unconfirmed_clean(struct hxs_store *s, const char *env,
			  struct hxs_err *err)
{
	return hxs_record_clean(s, DIRECTORY, env, err);
}

int hxs_unconfirmed_envs(const struct hxs_store *s, struct hxs_names *out,
			 struct hxs_err *err)
{
	struct hxs_err why = HXS_ERR_INIT;
	int r = hxs_record_envs(s, DIRECTORY, out, &why);

	if (r == -EACCES) /* who may not look has nothing to do with them */
		return 0;
	if (r < 0 && err)
		*err = why;
	return r;
}

bool hxs_unconfirmed_wants(const struct hxs_store *s, const char *env,
			   const char *id)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	int r = hxs_unconfirmed_read(s, env, &u, NULL);

	return r < 0 || (r > 0 && (strcmp(u.rollback_id, id) == 0 ||
				   strcmp(u.undo_id, id) == 0));
}

bool hxs_unconfirmed_old(const struct hxs_store *s, const char *env,
			 char id[HXS_ID_LEN + 1])
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;

	if (hxs_unconfirmed_read(s, env, &u, NULL) <= 0 ||
	    !(hxs_unconfirmed_is_open(&u) || u.state == HXS_UNCONFIRMED_FAILED))
		return false;
	memcpy(id, u.rollback_id, sizeof(u.rollback_id));
	return true;
}

/* ---- its locks --------------------------------------------------------- */

int hxs_unconfirmed_own(struct hxs_store *s, const char *env,
			struct hxs_lock **out, struct hxs_err *err)
{
	int r = hxs_lock_other(s, env, "unconfirmed", out, err);

	if (r == -HXS_EBUSY)
		return hxs_err_set(err, HXS_EBUSY,
				   "a restore of '%s' waits for confirmation",
				   env);
	return r;
}

/* To change the record. Whoever holds this does not hold it for long. */
static int lock_record(struct hxs_store *s, const char *env,
		       struct hxs_lock **out, struct hxs_err *err)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	double until = hxs_clock_ticks() + PATIENCE;
	int r;

	for (;;) {
		r = hxs_lock_other(s, env, "record", out, err);
		if (r != -HXS_EBUSY || hxs_clock_ticks() > until)
			break;
		(void)nanosleep(&pause, NULL); /* a signal only shortens it */
	}
	if (r == -HXS_EBUSY)
		return hxs_err_set(err, HXS_EBUSY,
				   "'%s/" DIRECTORY "/%s' is held by another "
				   "process",
				   hxs_store_path(s), env);
	return r;
}

/* ---- changing it ------------------------------------------------------- */

int hxs_unconfirmed_turn(struct hxs_store *s, const char *env,
			 const char *rollback_id, unsigned from,
			 enum hxs_unconfirmed_state to,
			 enum hxs_unconfirmed_state *found, struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	int r;

	*found = 0;
	r = lock_record(s, env, &lock, err);
	if (r == 0)
		r = hxs_unconfirmed_read(s, env, &u, err);
	if (r <= 0 || strcmp(u.rollback_id, rollback_id) != 0)
		return r < 0 ? r : 0;
	*found = u.state;
	if (!(from & 1u << u.state))
		return 0;
	u.state = to;
	r = hxs_unconfirmed_write(s, &u, err);
	return r < 0 ? r : 1;
}

int hxs_unconfirmed_note_undo(struct hxs_store *s, const char *env,
			      const char *undo_id, struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	int r;

	r = lock_record(s, env, &lock, err);
	if (r == 0)
		r = hxs_unconfirmed_read(s, env, &u, err);
	if (r <= 0)
		return r;
	memcpy(u.undo_id, undo_id, strnlen(undo_id, HXS_ID_LEN) + 1);
	return hxs_unconfirmed_write(s, &u, err);
}

int hxs_unconfirmed_undone(struct hxs_store *s, const char *env,
			   struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	struct hxs_err why = HXS_ERR_INIT;
	int r;

	r = hxs_unconfirmed_read(s, env, &u, &why);
	/* One that is damaged is none of a restore that is undone. */
	if (r == 0 || r == -HXS_ECORRUPT || r == -HXS_EDENIED)
		return 0;
	hxs_unconfirmed_release(&u);
	r = lock_record(s, env, &lock, err);
	if (r == 0)
		r = hxs_unconfirmed_read(s, env, &u, err);
	if (r <= 0)
		return r;
	if (u.state == HXS_UNCONFIRMED_BEGUN)
		return hxs_unconfirmed_drop(s, env, err);
	if (u.undo_id[0] == '\0')
		return 0;
	u.undo_id[0] = '\0';
	return hxs_unconfirmed_write(s, &u, err);
}

int hxs_unconfirmed_settle(struct hxs_store *s, const char *env,
			   struct hxs_unconfirmed *out, struct hxs_err *err)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	HXS_AUTO(lock) struct hxs_lock *lock = NULL;
	enum hxs_unconfirmed_state to;
	int r;

	r = lock_record(s, env, &lock, err);
	if (r == 0)
		r = hxs_unconfirmed_read(s, env, &u, err);
	if (r <= 0)
		return r;
	to = u.state;
	if (u.undo_id[0])
		to = HXS_UNCONFIRMED_TAKEN_BACK;
	else if (u.state == HXS_UNCONFIRMED_BEGUN)
		to = HXS_UNCONFIRMED_WAITING;
	r = 0;
	if (to != u.state) {
		u.state = to;
		r = hxs_unconfirmed_write(s, &u, err);
	}
	if (r < 0)
		return r;
	*out = u;
	u.paths = NULL;
	u.path_count = 0;
	return 1;
}
