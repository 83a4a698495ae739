/*
 * The snapshots of an environment in the order in which copies are looked for
 * in them, and which of them share what is damaged.
 */
#include "verbs/repair_parts.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int by_apart(const void *a, const void *b)
{
	const struct hxs_repair_place *x = a, *y = b;

	if (x->apart != y->apart)
		return x->apart < y->apart ? -1 : 1;
	return strcmp(y->id, x->id); /* the newer first */
}

void hxs_repair_places_release(struct hxs_repair_places *l)
{
	free(l->place);
}

static int add_places(const struct hxs_store *s, enum hxs_kind kind,
		      const char *env, struct hxs_repair_places *out,
		      struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_repair_place *grown, *p;
	size_t i;
	int r;

	r = hxs_store_ids(s, kind, env, &ids, err);
	if (r < 0 || ids.count == 0)
		return r;
	grown = reallocarray(out->place, out->count + ids.count,
			     sizeof(*grown));
	if (!grown)
		return hxs_err_errno(err, ENOMEM, "cannot look for copies");
	out->place = grown;
	for (i = 0; i < ids.count; i++) {
		p = &grown[out->count++];
		p->kind = kind;
		memcpy(p->id, ids.name[i], sizeof(p->id));
	}
	return 0;
}

static void measure(struct hxs_repair_places *l, int64_t from)
{
	int64_t made = 0;
	size_t i;

	for (i = 0; i < l->count; i++) {
		/* The store has checked that it is one. */
		(void)hxs_clock_parse_id(l->place[i].id, &made);
		l->place[i].apart =
			(uint64_t)(made > from ? made - from : from - made);
	}
}

static const struct hxs_index_head *own_head(const struct hxs_repair_run *run)
{
	return hxs_index_head(hxs_snapshot_index(run->snap));
}

bool hxs_repair_places_is_own(const struct hxs_repair_run *run, const char *env,
			      const struct hxs_repair_place *p)
{
	const struct hxs_index_head *own = own_head(run);

	return p->kind == own->kind && strcmp(env, own->env) == 0 &&
	       strcmp(p->id, own->id) == 0;
}

int hxs_repair_places_list(const struct hxs_repair_run *run, const char *env,
			   struct hxs_repair_places *out, struct hxs_err *err)
{
	const struct hxs_index_head *own = own_head(run);
	int64_t from = INT64_C(1) << 40; /* behind them all */
	int r;

	/* The index that was checked has an id that is one. */
	if (strcmp(env, own->env) == 0)
		(void)hxs_clock_parse_id(own->id, &from);
	r = add_places(run->store, HXS_BACKUP, env, out, err);
	if (r == 0)
		r = add_places(run->store, HXS_ROLLBACK, env, out, err);
	measure(out, from);
	if (r == 0 && out->count)
		qsort(out->place, out->count, sizeof(*out->place), by_apart);
	return r;
}

/* ---- what shares the damage ---------------------------------------------- */

/* How many of the damaged files lie in the snapshot @fd, too, as links. */
static uint64_t count_shared(const struct hxs_repair_run *run, int fd)
{
	const struct hxs_index *idx = hxs_snapshot_index(run->snap);
	HXS_AUTO_BUF struct hxs_buf path = HXS_BUF_INIT;
	const struct hxs_repair_file *f;
	uint64_t found = 0;
	struct stat st;
	size_t i;
	int there;

	for (i = 0; i < run->count; i++) {
		f = &run->files[i];
		if (f->links < 2)
			continue;
		hxs_buf_truncate(&path, 0);
		if (hxs_index_path(idx, f->entry, &path) < 0)
			continue; /* it is told when that one is verified */
		there = hxs_io_open_beneath(fd, path.data, O_PATH | O_NOFOLLOW,
					    0);
		if (there < 0)
			continue;
		found += fstat(there, &st) == 0 && st.st_dev == f->dev &&
			 st.st_ino == f->ino;
		(void)close(there); /* not even read */
	}
	return found;
}

static bool has_links(const struct hxs_repair_run *run)
{
	size_t i;

	for (i = 0; i < run->count; i++)
		if (run->files[i].links > 1)
			return true;
	return false;
}

int hxs_repair_tell_shared(struct hxs_repair_run *run, struct hxs_err *err)
{
	HXS_AUTO_REPAIR_PLACES struct hxs_repair_places list = { .place =
									 NULL };
	/* Files are linked within one environment alone. */
	const char *env = own_head(run)->env;
	const struct hxs_repair_place *p;
	char name[HXS_REF_TEXT];
	uint64_t found;
	size_t i;
	int fd, r;

	if (!has_links(run))
		return 0;
	r = hxs_repair_places_list(run, env, &list, err);
	for (i = 0; r == 0 && i < list.count; i++) {
		p = &list.place[i];
		if (hxs_repair_places_is_own(run, env, p) ||
		    hxs_store_open_dir(run->store, p->kind, env, p->id, &fd,
				       NULL) < 0)
			continue;
		found = count_shared(run, fd);
		(void)close(fd); /* a directory */
		run->out->shared += found > 0;
		hxs_ref_format(p->kind, env, p->id, name);
		if (found && run->opts->shared)
			run->opts->shared(name, found, run->opts->ctx);
	}
	return r;
}
