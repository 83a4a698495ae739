/* The record of a restore as text, and back (store/journal.h). */
#include "store/journal_text.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "hxsnap-journal"
#define VERSION 2 /* 1 had no systems */
#define HEADER_MAX 128
#define IDENT_TEXT 96

/* ---- writing ----------------------------------------------------------- */

static const char *const states[] = {
	[HXS_JOURNAL_STAGING] = "staging",
	[HXS_JOURNAL_INTENT] = "intent",
	[HXS_JOURNAL_COMMITTED] = "committed",
};

/* Any bytes, as text that can be turned back into them. */
static void put_name(struct hxs_json_out *o, const char *key, const char *s)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	if (hxs_path_show(&shown, s, strlen(s)) < 0) {
		o->buf->status = -ENOMEM;
		return;
	}
	hxs_json_out_string(o, key, hxs_buf_str(&shown));
}

static void put_ident(struct hxs_json_out *o, const char *key,
		      const struct hxs_ident *id)
{
	char text[IDENT_TEXT];

	if (id->ino == 0) {
		hxs_json_out_null(o, key);
		return;
	}
	(void)snprintf(text, sizeof(text),
		       "%" PRIu64 " %" PRIo32 " %" PRId64 " %" PRIu32, id->ino,
		       id->type, id->birth_sec, id->birth_nsec);
	hxs_json_out_string(o, key, text);
}

static void put_time(struct hxs_json_out *o, const char *key,
		     const struct timespec *t)
{
	char text[IDENT_TEXT];

	(void)snprintf(text, sizeof(text), "%" PRId64 " %ld",
		       (int64_t)t->tv_sec, t->tv_nsec);
	hxs_json_out_string(o, key, text);
}

static void put_target(struct hxs_json_out *o, const struct hxs_target *t)
{
	size_t i;

	hxs_json_out_object(o, NULL);
	hxs_json_out_string(o, "source", t->source);
	put_name(o, "place", t->place);
	put_ident(o, "place_id", &t->place_id);
	hxs_json_out_string(o, "stage", t->stage);
	hxs_json_out_bool(o, "contents", t->contents);
	put_time(o, "old_time", &t->old_time);
	put_time(o, "new_time", &t->new_time);
	hxs_json_out_bool(o, "adopted", t->adopted);
	hxs_json_out_array(o, "moves");
	for (i = 0; i < t->move_count; i++) {
		hxs_json_out_object(o, NULL);
		put_name(o, "dir", t->moves[i].dir);
		put_name(o, "name", t->moves[i].name);
		put_ident(o, "old", &t->moves[i].old);
		put_ident(o, "new", &t->moves[i].new);
		put_time(o, "dir_time", &t->moves[i].dir_time);
		put_time(o, "old_time", &t->moves[i].old_time);
		put_time(o, "new_time", &t->moves[i].new_time);
		hxs_json_out_end_object(o);
	}
	hxs_json_out_end_array(o);
	hxs_json_out_end_object(o);
}

/* What may be NULL. */
static void put_maybe(struct hxs_json_out *o, const char *key, const char *s)
{
	if (s)
		put_name(o, key, s);
	else
		hxs_json_out_null(o, key);
}

static void put_system(struct hxs_json_out *o,
		       const struct hxs_journal_system *s)
{
	size_t i;

	hxs_json_out_object(o, NULL);
	hxs_json_out_string(o, "source", s->source);
	hxs_json_out_bool(o, "begun", s->begun);
	put_maybe(o, "name", s->name);
	put_maybe(o, "staged", s->staged);
	put_maybe(o, "kept", s->kept);
	hxs_json_out_int(o, "old_oid", s->old_oid);
	hxs_json_out_int(o, "new_oid", s->new_oid);
	put_maybe(o, "marker", s->marker);
	hxs_json_out_array(o, "parts");
	for (i = 0; s->parts && s->parts[i]; i++)
		put_name(o, NULL, s->parts[i]);
	hxs_json_out_end_array(o);
	hxs_json_out_end_object(o);
}

static void render(const struct hxs_journal *j, struct hxs_buf *out)
{
	struct hxs_json_out o;
	size_t i;

	hxs_json_out_init(&o, out, true);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "state", states[j->state]);
	hxs_json_out_string(&o, "env", j->env);
	hxs_json_out_string(&o, "reference", j->reference);
	hxs_json_out_string(&o, "rollback_id", j->rollback_id);
	hxs_json_out_string(&o, "rollback_staging", j->rollback_staging);
	hxs_json_out_array(&o, "targets");
	for (i = 0; i < j->target_count; i++)
		put_target(&o, &j->targets[i]);
	hxs_json_out_end_array(&o);
	hxs_json_out_array(&o, "systems");
	for (i = 0; i < j->system_count; i++)
		put_system(&o, &j->systems[i]);
	hxs_json_out_end_array(&o);
	hxs_json_out_end_object(&o);
}
int hxs_journal_text_make(const struct hxs_journal *j, struct hxs_buf *out)
{
	HXS_AUTO_BUF struct hxs_buf body = HXS_BUF_INIT;
	char hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest digest;
	int r;

	render(j, &body);
	r = hxs_buf_status(&body);
	if (r < 0)
		return r;
	if (body.len > HXS_JOURNAL_TEXT_MAX - HEADER_MAX)
		return -EFBIG;
	hxs_digest_of(body.data, body.len, &digest);
	hxs_digest_to_hex(&digest, hex);
	(void)hxs_buf_printf(out, MAGIC " %d %zu %s\n", VERSION, body.len, hex);
	(void)hxs_buf_append(out, body.data, body.len);
	return hxs_buf_status(out);
}

/* ---- reading ----------------------------------------------------------- */

/* What is taken out of the record; the first failure stays. */
struct reader {
	int r; /* 0, -EBADMSG or -ENOMEM */
};

static const char *get_text(struct reader *rd, const struct hxs_json *v,
			    const char *key)
{
	const struct hxs_json *member = hxs_json_get(v, key);
	const char *s = NULL;

	if (!member || hxs_json_string(member, &s, NULL) < 0) {
		rd->r = rd->r ? rd->r : -EBADMSG;
		return "";
	}
	return s;
}

static char *get_name(struct reader *rd, const struct hxs_json *v,
		      const char *key)
{
	char *s = hxs_path_unshow(get_text(rd, v, key));

	if (!s)
		rd->r = rd->r ? rd->r : -ENOMEM;
	return s;
}

static bool get_bool(struct reader *rd, const struct hxs_json *v,
		     const char *key)
{
	const struct hxs_json *member = hxs_json_get(v, key);
	bool b = false;

	if (!member || hxs_json_bool(member, &b, NULL) < 0)
		rd->r = rd->r ? rd->r : -EBADMSG;
	return b;
}

static void get_ident(struct reader *rd, const struct hxs_json *v,
		      const char *key, struct hxs_ident *out)
{
	const struct hxs_json *member = hxs_json_get(v, key);
	const char *s;

	memset(out, 0, sizeof(*out));
	if (member && hxs_json_type(member) == HXS_JSON_NULL)
		return;
	if (!member || hxs_json_string(member, &s, NULL) < 0 ||
	    sscanf(s, "%" SCNu64 " %" SCNo32 " %" SCNd64 " %" SCNu32, &out->ino,
		   &out->type, &out->birth_sec, &out->birth_nsec) != 4 ||
	    out->ino == 0)
		rd->r = rd->r ? rd->r : -EBADMSG;
}

static void get_time(struct reader *rd, const struct hxs_json *v,
		     const char *key, struct timespec *out)
{
	int64_t sec = 0;
	long nsec = 0;

	if (sscanf(get_text(rd, v, key), "%" SCNd64 " %ld", &sec, &nsec) != 2 ||
	    nsec < 0 || nsec > 999999999)
		rd->r = rd->r ? rd->r : -EBADMSG;
	out->tv_sec = sec;
	out->tv_nsec = nsec;
}

static void copy_text(struct reader *rd, const struct hxs_json *v,
		      const char *key, char *out, size_t size)
{
	if ((size_t)snprintf(out, size, "%s", get_text(rd, v, key)) >= size)
		rd->r = rd->r ? rd->r : -EBADMSG;
}

/* A name that can be in a directory. */
static void want_name(struct reader *rd, const char *s)
{
	if (rd->r == 0 && (!s || hxs_path_name_fault(s, strlen(s))))
		rd->r = -EBADMSG;
}

static void read_move(struct reader *rd, const struct hxs_json *v,
		      struct hxs_target *t)
{
	struct hxs_move *m = hxs_target_add_move(t);

	if (!m) {
		rd->r = -ENOMEM;
		return;
	}
	m->dir = get_name(rd, v, "dir");
	m->name = get_name(rd, v, "name");
	get_ident(rd, v, "old", &m->old);
	get_ident(rd, v, "new", &m->new);
	get_time(rd, v, "dir_time", &m->dir_time);
	get_time(rd, v, "old_time", &m->old_time);
	get_time(rd, v, "new_time", &m->new_time);
	want_name(rd, m->name);
	if (rd->r == 0 && m->dir[0] && hxs_path_fault(m->dir, strlen(m->dir)))
		rd->r = -EBADMSG;
}

static void read_target(struct reader *rd, const struct hxs_json *v,
			struct hxs_journal *j)
{
	struct hxs_target *t = hxs_journal_add_target(j);
	const struct hxs_json *moves, *m;

	if (!t) {
		rd->r = -ENOMEM;
		return;
	}
	t->source = get_name(rd, v, "source");
	t->place = get_name(rd, v, "place");
	get_ident(rd, v, "place_id", &t->place_id);
	t->stage = get_name(rd, v, "stage");
	t->contents = get_bool(rd, v, "contents");
	get_time(rd, v, "old_time", &t->old_time);
	get_time(rd, v, "new_time", &t->new_time);
	t->adopted = get_bool(rd, v, "adopted");
	want_name(rd, t->stage);
	if (rd->r == 0 && (t->place[0] != '/' || t->place_id.ino == 0 ||
			   !hxs_path_is_name(t->source)))
		rd->r = -EBADMSG;
	moves = hxs_json_get(v, "moves");
	if (!moves || hxs_json_type(moves) != HXS_JSON_ARRAY)
		rd->r = rd->r ? rd->r : -EBADMSG;
	for (m = rd->r ? NULL : hxs_json_first(moves); m && rd->r == 0;
	     m = hxs_json_next(m))
		read_move(rd, m, t);
}

static char *get_maybe(struct reader *rd, const struct hxs_json *v,
		       const char *key)
{
	const struct hxs_json *member = hxs_json_get(v, key);

	return member && hxs_json_type(member) == HXS_JSON_NULL
		       ? NULL
		       : get_name(rd, v, key);
}

static uint32_t get_number(struct reader *rd, const struct hxs_json *v,
			   const char *key)
{
	const struct hxs_json *member = hxs_json_get(v, key);
	int64_t n = 0;

	if (!member || hxs_json_int(member, &n, NULL) < 0 || n < 0 ||
	    n > UINT32_MAX)
		rd->r = rd->r ? rd->r : -EBADMSG;
	return (uint32_t)n;
}

static void read_parts(struct reader *rd, const struct hxs_json *v,
		       struct hxs_journal_system *s)
{
	const struct hxs_json *c;
	const char *text;
	size_t n = 0;

	if (!v || hxs_json_type(v) != HXS_JSON_ARRAY) {
		rd->r = rd->r ? rd->r : -EBADMSG;
		return;
	}
	for (c = hxs_json_first(v); c; c = hxs_json_next(c))
		n++;
	if (n == 0)
		return;
	s->parts = calloc(n + 1, sizeof(*s->parts));
	if (!s->parts)
		rd->r = rd->r ? rd->r : -ENOMEM;
	for (c = hxs_json_first(v), n = 0; c && rd->r == 0;
	     c = hxs_json_next(c)) {
		if (hxs_json_string(c, &text, NULL) < 0)
			rd->r = -EBADMSG;
		else if (!(s->parts[n++] = hxs_path_unshow(text)))
			rd->r = -ENOMEM;
	}
}

static void read_system(struct reader *rd, const struct hxs_json *v,
			struct hxs_journal *j)
{
	struct hxs_journal_system *s = hxs_journal_add_system(j);

	if (!s) {
		rd->r = -ENOMEM;
		return;
	}
	s->source = get_name(rd, v, "source");
	s->begun = get_bool(rd, v, "begun");
	s->name = get_maybe(rd, v, "name");
	s->staged = get_maybe(rd, v, "staged");
	s->kept = get_maybe(rd, v, "kept");
	s->old_oid = get_number(rd, v, "old_oid");
	s->new_oid = get_number(rd, v, "new_oid");
	s->marker = get_maybe(rd, v, "marker");
	read_parts(rd, hxs_json_get(v, "parts"), s);
	if (rd->r == 0 && !hxs_path_is_name(s->source))
		rd->r = -EBADMSG;
}

/* The elements of member @key, which a first version may not have. */
static void read_list(struct reader *rd, const struct hxs_json *root,
		      const char *key, bool may_lack, struct hxs_journal *j,
		      void (*read)(struct reader *rd, const struct hxs_json *v,
				   struct hxs_journal *j))
{
	const struct hxs_json *list = hxs_json_get(root, key), *c;

	if (!list && may_lack)
		return;
	if (!list || hxs_json_type(list) != HXS_JSON_ARRAY) {
		rd->r = rd->r ? rd->r : -EBADMSG;
		return;
	}
	for (c = hxs_json_first(list); c && rd->r == 0; c = hxs_json_next(c))
		read(rd, c, j);
}

static int read_body(const struct hxs_json *root, int version,
		     struct hxs_journal *j)
{
	struct reader rd = { .r = 0 };
	const char *state = get_text(&rd, root, "state");
	size_t i;

	for (i = HXS_JOURNAL_STAGING; i < HXS_ARRAY_LEN(states); i++)
		if (strcmp(state, states[i]) == 0)
			j->state = (enum hxs_journal_state)i;
	copy_text(&rd, root, "env", j->env, sizeof(j->env));
	copy_text(&rd, root, "reference", j->reference, sizeof(j->reference));
	copy_text(&rd, root, "rollback_id", j->rollback_id,
		  sizeof(j->rollback_id));
	copy_text(&rd, root, "rollback_staging", j->rollback_staging,
		  sizeof(j->rollback_staging));
	if (!j->state)
		rd.r = rd.r ? rd.r : -EBADMSG;
	read_list(&rd, root, "targets", false, j, read_target);
	read_list(&rd, root, "systems", version < 2, j, read_system);
	return rd.r;
}

/* The body, if the header speaks of it: NULL for damage. */
static const char *find_body(const char *text, size_t len, int *version,
			     size_t *body_len)
{
	const char *nl =
		memchr(text, '\n', len < HEADER_MAX ? len : HEADER_MAX);
	char hex[HXS_DIGEST_HEX_LEN + 1], header[HEADER_MAX + 1];
	struct hxs_digest want, found;
	int end = 0;

	if (!nl)
		return NULL;
	(void)snprintf(header, sizeof(header), "%.*s", (int)(nl - text), text);
	if (sscanf(header, MAGIC " %d %zu %64[0-9a-f]%n", version, body_len,
		   hex, &end) != 3 ||
	    *version < 1 || *version > VERSION || header[end] != '\0' ||
	    hxs_digest_from_hex(hex, &want) < 0)
		return NULL;
	if (*body_len != len - (size_t)(nl + 1 - text))
		return NULL;
	hxs_digest_of(nl + 1, *body_len, &found);
	return memcmp(&want, &found, sizeof(want)) == 0 ? nl + 1 : NULL;
}

int hxs_journal_text_read(const char *text, size_t len, const char *env,
			  struct hxs_journal **out)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	HXS_AUTO(journal) struct hxs_journal *j = NULL;
	const char *body;
	int r, version;
	size_t n;

	body = find_body(text, len, &version, &n);
	if (!body)
		return -EBADMSG;
	r = hxs_json_parse(body, n, &doc, NULL);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	r = read_body(hxs_json_root(doc), version, j);
	if (r == 0 && strcmp(j->env, env) != 0)
		r = -EBADMSG;
	if (r < 0)
		return r;
	*out = HXS_STEAL(j);
	return 1;
}
