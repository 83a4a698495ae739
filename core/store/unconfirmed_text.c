#include "store/unconfirmed_text.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "hxsnap-unconfirmed 1"
#define HEADER_MAX 128

static const char *const states[] = {
	[HXS_UNCONFIRMED_BEGUN] = "begun",
	[HXS_UNCONFIRMED_WAITING] = "waiting",
	[HXS_UNCONFIRMED_UNDOING] = "undoing",
	[HXS_UNCONFIRMED_FAILED] = "failed",
	[HXS_UNCONFIRMED_CONFIRMED] = "confirmed",
	[HXS_UNCONFIRMED_TAKEN_BACK] = "taken-back",
};

/* ---- writing ----------------------------------------------------------- */

static void put_path(struct hxs_json_out *o, const char *path)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	(void)hxs_path_show(&shown, path, strlen(path));
	if (shown.status < 0)
		o->buf->status = shown.status;
	hxs_json_out_string(o, NULL, hxs_buf_str(&shown));
}

static int render(const struct hxs_unconfirmed *u, struct hxs_buf *out)
{
	char when[HXS_RFC3339_LEN + 1];
	struct hxs_json_out o;
	size_t i;
	int r;

	r = hxs_clock_format_rfc3339(u->deadline, when);
	if (r < 0)
		return r;
	hxs_json_out_init(&o, out, true);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "state", states[u->state]);
	hxs_json_out_string(&o, "env", u->env);
	hxs_json_out_string(&o, "reference", u->reference);
	hxs_json_out_string(&o, "rollback_id", u->rollback_id);
	hxs_json_out_string(&o, "undo_id", u->undo_id[0] ? u->undo_id : NULL);
	hxs_json_out_string(&o, "confirm_until", when);
	hxs_json_out_bool(&o, "force", u->force);
	hxs_json_out_array(&o, "paths");
	for (i = 0; i < u->path_count; i++)
		put_path(&o, u->paths[i]);
	hxs_json_out_end_array(&o);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(out, '\n'); /* the status keeps failures */
	return hxs_buf_status(out);
}

int hxs_unconfirmed_text_make(const struct hxs_unconfirmed *u,
			      struct hxs_buf *out)
{
	HXS_AUTO_BUF struct hxs_buf body = HXS_BUF_INIT;
	char hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest digest;
	int r;

	r = render(u, &body);
	if (r < 0)
		return r;
	if (body.len > HXS_UNCONFIRMED_TEXT_MAX - HEADER_MAX)
		return -EFBIG;
	hxs_digest_of(body.data, body.len, &digest);
	hxs_digest_to_hex(&digest, hex);
	(void)hxs_buf_printf(out, MAGIC " %zu %s\n", body.len, hex);
	(void)hxs_buf_append(out, body.data, body.len);
	return hxs_buf_status(out);
}

/* ---- reading ----------------------------------------------------------- */

/* Where the JSON of @text begins, if all of it is there and right. */
static const char *find_body(const char *text, size_t len, size_t *body_len)
{
	const char *end =
		memchr(text, '\n', len < HEADER_MAX ? len : HEADER_MAX);
	char hex[HXS_DIGEST_HEX_LEN + 1];
	char head[HEADER_MAX + 1], again[HEADER_MAX + 1];
	struct hxs_digest digest;
	size_t n;

	if (!end)
		return NULL;
	n = (size_t)(end - text);
	memcpy(head, text, n);
	head[n] = '\0';
	*body_len = len - n - 1;
	hxs_digest_of(end + 1, *body_len, &digest);
	hxs_digest_to_hex(&digest, hex);
	(void)snprintf(again, sizeof(again), MAGIC " %zu %s", *body_len, hex);
	return strcmp(head, again) == 0 ? end + 1 : NULL;
}

static bool get_text(const struct hxs_json *root, const char *key, char *out,
		     size_t size)
{
	const struct hxs_json *v = hxs_json_get(root, key);
	const char *s;

	return v && hxs_json_string(v, &s, NULL) >= 0 &&
	       (size_t)snprintf(out, size, "%s", s) < size;
}

static bool get_id(const struct hxs_json *root, const char *key, bool may_lack,
		   char out[HXS_ID_LEN + 1])
{
	const struct hxs_json *v = hxs_json_get(root, key);

	out[0] = '\0';
	if (v && may_lack && hxs_json_type(v) == HXS_JSON_NULL)
		return true;
	return get_text(root, key, out, HXS_ID_LEN + 1) && hxs_clock_is_id(out);
}

static int get_paths(const struct hxs_json *root, struct hxs_unconfirmed *u)
{
	const struct hxs_json *list = hxs_json_get(root, "paths"), *v;
	const char *shown;
	size_t n = 0;

	if (!list || hxs_json_type(list) != HXS_JSON_ARRAY)
		return -EBADMSG;
	for (v = hxs_json_first(list); v; v = hxs_json_next(v))
		n++;
	u->paths = calloc(n + 1, sizeof(*u->paths));
	if (!u->paths)
		return -ENOMEM;
	for (v = hxs_json_first(list); v; v = hxs_json_next(v)) {
		if (hxs_json_string(v, &shown, NULL) < 0)
			return -EBADMSG;
		u->paths[u->path_count] = hxs_path_unshow(shown);
		if (!u->paths[u->path_count])
			return -ENOMEM;
		u->path_count++;
	}
	return 0;
}

static bool get_state(const struct hxs_json *root,
		      enum hxs_unconfirmed_state *out)
{
	char text[16];
	size_t i;

	if (!get_text(root, "state", text, sizeof(text)))
		return false;
	for (i = 1; i < HXS_ARRAY_LEN(states); i++) {
		if (strcmp(states[i], text) == 0) {
			*out = (enum hxs_unconfirmed_state)i;
			return true;
		}
	}
	return false;
}

static int read_body(const struct hxs_json *root, const char *env,
		     struct hxs_unconfirmed *u)
{
	const struct hxs_json *force = hxs_json_get(root, "force");
	char when[HXS_RFC3339_LEN + 1];

	if (!get_state(root, &u->state) ||
	    !get_text(root, "env", u->env, sizeof(u->env)) ||
	    strcmp(u->env, env) != 0 ||
	    !get_text(root, "reference", u->reference, sizeof(u->reference)) ||
	    !get_id(root, "rollback_id", false, u->rollback_id) ||
	    !get_id(root, "undo_id", true, u->undo_id) ||
	    !get_text(root, "confirm_until", when, sizeof(when)) ||
	    hxs_clock_parse_rfc3339(when, &u->deadline) < 0 || !force ||
	    hxs_json_bool(force, &u->force, NULL) < 0)
		return -EBADMSG;
	return get_paths(root, u);
}

int hxs_unconfirmed_text_take(const char *text, size_t len, const char *env,
			      struct hxs_unconfirmed *out)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	const char *body;
	size_t body_len;
	int r;

	body = find_body(text, len, &body_len);
	if (!body)
		return -EBADMSG;
	r = hxs_json_parse(body, body_len, &doc, NULL);
	if (r == 0)
		r = read_body(hxs_json_root(doc), env, &u);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	*out = u;
	u.paths = NULL;
	u.path_count = 0;
	return 0;
}
