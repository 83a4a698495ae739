#include "base/places.h"

#include "base/buf.h"
#include "base/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* What is left of @path below @top: "" or "/x"; NULL if it is elsewhere. */
static const char *below(const char *path, const char *top)
{
	size_t n = strlen(top);

	if (n && top[n - 1] == '/')
		n--; /* "/" */
	if (strncmp(path, top, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return strcmp(path + n, "/") == 0 ? "" : path + n;
}

/* @a, @b and @c one behind the other, as a path: no "//", never empty. */
static char *join(const char *a, const char *b, const char *c)
{
	HXS_AUTO_BUF struct hxs_buf buf = HXS_BUF_INIT;
	const char *part[] = { a, b, c };
	size_t i, n;

	for (i = 0; i < HXS_ARRAY_LEN(part); i++) {
		n = strlen(part[i]);
		if (n && part[i][n - 1] == '/')
			n--;
		/* The status keeps failures; steal() tells them. */
		(void)hxs_buf_append(&buf, part[i], n);
	}
	if (buf.len == 0)
		(void)hxs_buf_putc(&buf, '/');
	return hxs_buf_steal(&buf, NULL);
}

/* ---- what it is ----------------------------------------------------------- */

struct search {
	struct hxs_object *o;
	bool by_id;
	uint64_t id;
	size_t longest;
};

static int see_own_mount(const struct hxs_mount *m, void *ctx)
{
	struct search *s = ctx;
	const char *rest = below(s->o->path, m->where);
	size_t len = strlen(m->where);

	if (!rest || (s->by_id ? m->id != s->id : len < s->longest))
		return 0;
	s->longest = len;
	free(s->o->inside);
	s->o->inside = join(m->root, rest, "");
	s->o->major = m->major;
	s->o->minor = m->minor;
	if (!s->o->inside)
		return -ENOMEM;
	return s->by_id;
}

int hxs_places_identify(struct hxs_object *o, const char *path,
			const char *text, size_t len)
{
	struct search s = { .o = o };
	struct statx stx;
	int r;

	*o = (struct hxs_object)HXS_OBJECT_INIT;
	o->path = path;
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_MNT_ID, &stx) < 0)
		return -errno;
	o->is_dir = S_ISDIR(stx.stx_mode);
	s.by_id = stx.stx_mask & STATX_MNT_ID; /* since Linux 5.8 */
	s.id = stx.stx_mnt_id;
	r = hxs_mountinfo_each(text, len, see_own_mount, &s);
	if (r < 0)
		return r;
	return o->inside ? 0 : -EINVAL;
}

void hxs_places_forget(struct hxs_object *o)
{
	free(o->inside);
	o->inside = NULL;
}

/* ---- where it is seen ----------------------------------------------------- */

struct finding {
	const struct hxs_object *o;
	const char *root;
	struct hxs_places *out;
};

/* Takes both strings, whatever becomes of it. */
static int add(struct hxs_places *p, char *text, char *ours, uint64_t mount,
	       bool exact)
{
	struct hxs_place *grown = NULL;

	if (text && ours)
		grown = reallocarray(p->place, p->count + 1, sizeof(*grown));
	if (!grown) {
		free(text);
		free(ours);
		return -ENOMEM;
	}
	p->place = grown;
	p->place[p->count++] = (struct hxs_place){
		.text = text, .ours = ours, .mount = mount, .exact = exact
	};
	return 0;
}

static int see_file(const struct finding *f, const struct hxs_mount *m)
{
	static const char *const beside[] = { "", "-wal", "-shm", "-journal" };
	HXS_AUTO_FREE char *inside = NULL;
	const char *rest;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < HXS_ARRAY_LEN(beside); i++) {
		free(inside);
		inside = join(f->o->inside, beside[i], "");
		if (!inside)
			return -ENOMEM;
		rest = below(inside, m->root);
		if (rest)
			r = add(f->out, join(f->root, m->where, rest),
				join(f->o->path, beside[i], ""), m->id, true);
	}
	return r;
}

/* A mount of the object's file system that shows all or a part of it. */
static int see_mount(const struct hxs_mount *m, void *ctx)
{
	const struct finding *f = ctx;
	const char *rest;

	if (m->major != f->o->major || m->minor != f->o->minor)
		return 0;
	if (!f->o->is_dir)
		return see_file(f, m);
	rest = below(f->o->inside, m->root);
	if (rest)
		return add(f->out, join(f->root, m->where, rest),
			   join(f->o->path, "", ""), m->id, false);
	rest = below(m->root, f->o->inside);
	if (rest)
		return add(f->out, join(f->root, m->where, ""),
			   join(f->o->path, rest, ""), m->id, false);
	return 0;
}

static bool has_mount(const struct hxs_places *p, uint64_t id)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		if (p->place[i].mount == id)
			return true;
	return false;
}

/* A mount of whatever file system on a directory inside one of the places. */
static int see_nested(const struct hxs_mount *m, void *ctx)
{
	const struct finding *f = ctx;
	HXS_AUTO_FREE char *where = NULL;
	const char *rest;
	size_t i;

	if (has_mount(f->out, m->id) || !has_mount(f->out, m->parent))
		return 0;
	where = join(f->root, m->where, "");
	if (!where)
		return -ENOMEM;
	for (i = 0; i < f->out->count; i++) {
		rest = below(where, f->out->place[i].text);
		if (!rest || !*rest || f->out->place[i].mount != m->parent)
			continue;
		return add(f->out, HXS_STEAL(where),
			   join(f->out->place[i].ours, rest, ""), m->id, false);
	}
	return 0;
}

int hxs_places_find(const struct hxs_object *o, const char *text, size_t len,
		    const char *root, struct hxs_places *out)
{
	struct finding f = { .o = o, .root = root, .out = out };
	size_t before;
	int r;

	r = hxs_mountinfo_each(text, len, see_mount, &f);
	/* Until there are no more: a mount may be listed before its parent. */
	for (before = 0; r == 0 && o->is_dir && before != out->count;) {
		before = out->count;
		r = hxs_mountinfo_each(text, len, see_nested, &f);
	}
	return r;
}

const struct hxs_place *hxs_places_next(const struct hxs_places *p,
					const char *path, size_t *from,
					const char **rest)
{
	const struct hxs_place *at;

	while (*from < p->count) {
		at = &p->place[(*from)++];
		*rest = below(path, at->text);
		if (*rest && !(at->exact && **rest))
			return at;
	}
	return NULL;
}

void hxs_places_release(struct hxs_places *p)
{
	size_t i;

	for (i = 0; i < p->count; i++) {
		free(p->place[i].text);
		free(p->place[i].ours);
	}
	free(p->place);
	p->place = NULL;
	p->count = 0;
}
