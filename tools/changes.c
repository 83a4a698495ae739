#include "tools/changes.h"

#include "tools/out.h"

#include <sys/stat.h>

static const struct {
	unsigned bit;
	const char *name;
} whats[] = {
	{ HXS_DIFF_TYPE, "type" },   { HXS_DIFF_CONTENT, "content" },
	{ HXS_DIFF_MODE, "mode" },   { HXS_DIFF_OWNER, "owner" },
	{ HXS_DIFF_TIME, "time" },   { HXS_DIFF_XATTRS, "xattrs" },
	{ HXS_DIFF_LINKS, "links" },
};

/* Of what was not read nothing but zeros is known. */
bool hxs_changes_is_known(const struct hxs_digest *d)
{
	static const struct hxs_digest none;

	return d && !hxs_digest_equal(d, &none);
}

static const char *type_name(uint32_t mode)
{
	if (S_ISDIR(mode))
		return "directory";
	return S_ISLNK(mode) ? "link" : "file";
}

void hxs_changes_json_node(const struct hxs_node *n, struct hxs_json_out *o)
{
	hxs_json_out_string(o, "type", type_name(n->mode));
	hxs_json_out_uint(o, "mode", n->mode & 07777);
	hxs_json_out_uint(o, "uid", n->uid);
	hxs_json_out_uint(o, "gid", n->gid);
	hxs_json_out_uint(o, "size", n->size);
	hxs_out_json_nanos(o, "mtime", &n->mtime);
	if (hxs_changes_is_known(n->digest))
		hxs_out_json_digest(o, "sha256", n->digest);
	else
		hxs_json_out_null(o, "sha256");
	hxs_json_out_string(o, "target", n->target);
}

static void put_side(struct hxs_json_out *o, const char *key,
		     const struct hxs_node *n)
{
	if (!n) {
		hxs_json_out_null(o, key);
		return;
	}
	hxs_json_out_object(o, key);
	hxs_changes_json_node(n, o);
	hxs_json_out_end_object(o);
}

void hxs_changes_json_words(unsigned what, struct hxs_json_out *o)
{
	size_t i;

	hxs_json_out_array(o, "what");
	for (i = 0; i < HXS_ARRAY_LEN(whats); i++)
		if (what & whats[i].bit)
			hxs_json_out_string(o, NULL, whats[i].name);
	hxs_json_out_end_array(o);
}

void hxs_changes_words(unsigned what, struct hxs_buf *out)
{
	const char *between = "";
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(whats); i++) {
		if (!(what & whats[i].bit))
			continue;
		/* the buffer's status keeps failures */
		(void)hxs_buf_puts(out, between);
		(void)hxs_buf_puts(out, whats[i].name);
		between = ", ";
	}
}

static void put_json(unsigned what, const char *path, const struct hxs_node *na,
		     const struct hxs_node *nb, struct hxs_buf *out)
{
	struct hxs_json_out o;

	hxs_json_out_init(&o, out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "path", path);
	hxs_json_out_string(&o, "change",
			    what & HXS_DIFF_ADDED     ? "added"
			    : what & HXS_DIFF_REMOVED ? "removed"
						      : "modified");
	hxs_changes_json_words(what, &o);
	put_side(&o, "old", na);
	put_side(&o, "new", nb);
	hxs_json_out_end_object(&o);
}

static void put_text(unsigned what, const char *path, const struct hxs_node *n,
		     struct hxs_buf *out)
{
	/* The buffer's status keeps failures. */
	(void)hxs_buf_puts(out, what & HXS_DIFF_ADDED	  ? "+ "
				: what & HXS_DIFF_REMOVED ? "- "
							  : "M ");
	hxs_out_shown(out, path);
	if (S_ISDIR(n->mode))
		(void)hxs_buf_putc(out, '/');
	if (what & (HXS_DIFF_ADDED | HXS_DIFF_REMOVED))
		return;
	(void)hxs_buf_puts(out, " (");
	hxs_changes_words(what, out);
	(void)hxs_buf_putc(out, ')');
}

int hxs_changes_print(unsigned what, const char *path,
		      const struct hxs_node *na, const struct hxs_node *nb,
		      void *changes)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_changes *c = changes;

	if (what & HXS_DIFF_ADDED)
		c->added++;
	else if (what & HXS_DIFF_REMOVED)
		c->removed++;
	else
		c->modified++;
	if (c->json)
		put_json(what, path, na, nb, &out);
	else
		put_text(what, path, nb ? nb : na, &out);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	c->status = hxs_out_print(&out, &c->why);
	return c->status;
}

int hxs_changes_end(const struct hxs_changes *c, int r, struct hxs_err *err)
{
	if (c->status == 0)
		return r;
	*err = c->why;
	return c->status;
}
