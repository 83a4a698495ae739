#include "store/journal.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/path.h"
#include "store/journal_text.h"
#include "store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DIRECTORY ".hxsnap/journal"

/* ---- the model --------------------------------------------------------- */

static void release_target(struct hxs_target *t)
{
	size_t i;

	for (i = 0; i < t->move_count; i++) {
		free(t->moves[i].dir);
		free(t->moves[i].name);
	}
	free(t->moves);
	free(t->source);
	free(t->place);
	free(t->stage);
}

static void release_system(struct hxs_journal_system *s)
{
	size_t i;

	for (i = 0; s->parts && s->parts[i]; i++)
		free(s->parts[i]);
	free(s->parts);
	free(s->source);
	free(s->name);
	free(s->staged);
	free(s->kept);
	free(s->marker);
}

void hxs_journal_free(struct hxs_journal *j)
{
	size_t i;

	if (!j)
		return;
	for (i = 0; i < j->target_count; i++)
		release_target(&j->targets[i]);
	free(j->targets);
	for (i = 0; i < j->system_count; i++)
		release_system(&j->systems[i]);
	free(j->systems);
	free(j);
}

/* One more zeroed element of @size bytes at the end of *@array, or NULL. */
static void *add_one(void **array, size_t *count, size_t size)
{
	void *grown = reallocarray(*array, *count + 1, size);

	if (!grown)
		return NULL;
	*array = grown;
	return memset((char *)grown + size * (*count)++, 0, size);
}

struct hxs_target *hxs_journal_add_target(struct hxs_journal *j)
{
	return add_one((void **)&j->targets, &j->target_count,
		       sizeof(*j->targets));
}

struct hxs_journal_system *hxs_journal_add_system(struct hxs_journal *j)
{
	return add_one((void **)&j->systems, &j->system_count,
		       sizeof(*j->systems));
}

struct hxs_move *hxs_target_add_move(struct hxs_target *t)
{
	return add_one((void **)&t->moves, &t->move_count, sizeof(*t->moves));
}

/* ---- the file ---------------------------------------------------------- */

int hxs_journal_write(struct hxs_store *s, const struct hxs_journal *j,
		      struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf all = HXS_BUF_INIT;
	int r;

	r = hxs_journal_text_make(j, &all);
	if (r == 0)
		r = hxs_record_write(s, DIRECTORY, j->env, &all);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot write the journal '%s/" DIRECTORY
				     "/%s'",
				     hxs_store_path(s), j->env);
	return 0;
}

int hxs_journal_read(const struct hxs_store *s, const char *env,
		     struct hxs_journal **out, struct hxs_err *err)
{
	HXS_AUTO_FREE char *text = NULL;
	size_t len;
	int r;

	r = hxs_record_read(s, DIRECTORY, env, HXS_JOURNAL_TEXT_MAX, &text,
			    &len);
	if (r == 0)
		return 0;
	if (r == -HXS_EDENIED)
		return hxs_err_set(err, HXS_EDENIED,
				   "refused: others may write the journal "
				   "'%s/" DIRECTORY "/%s'",
				   hxs_store_path(s), env);
	if (r > 0)
		r = hxs_journal_text_read(text, len, env, out);
	if (r == -EBADMSG || r == -EFBIG || r == -EINVAL)
		return hxs_err_set(err, HXS_ECORRUPT,
				   "the journal '%s/" DIRECTORY
				   "/%s' is damaged: what a restore that did "
				   "not end has left cannot be told",
				   hxs_store_path(s), env);
	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot read the journal '%s/" DIRECTORY
				     "/%s'",
				     hxs_store_path(s), env);
	return r;
}

int hxs_journal_sync(struct hxs_store *s, struct hxs_err *err)
{
	int r = hxs_io_sync_dir(hxs_store_fd(s), DIRECTORY);

	if (r < 0)
		return hxs_err_errno(err, -r,
				     "cannot make the journal '%s/" DIRECTORY
				     "' durable",
				     hxs_store_path(s));
	return 0;
}

int hxs_journal_drop(struct hxs_store *s, const char *env, struct hxs_err *err)
{
	return hxs_record_drop(s, DIRECTORY, env, err);
}

int hxs_journal_clean(struct hxs_store *s, const char *env, struct hxs_err *err)
{
	return hxs_record_clean(s, DIRECTORY, env, err);
}

int hxs_journal_envs(const struct hxs_store *s, struct hxs_names *out,
		     struct hxs_err *err)
{
	return hxs_record_envs(s, DIRECTORY, out, err);
}
