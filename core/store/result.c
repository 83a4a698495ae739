#include "store/result.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/path.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RESULT_MAX (64u << 10) /* bytes */
#define SUFFIX ".json"
#define PATH_SIZE 160

/* ".hxsnap/verify/backups/dev", then what is in it if @id is not NULL. */
static void path_of(char out[PATH_SIZE], const char *what, enum hxs_kind kind,
		    const char *env, const char *id, const char *suffix)
{
	(void)snprintf(out, PATH_SIZE, ".hxsnap/%s/%s/%s%s%s%s", what,
		       hxs_store_area(kind), env, id ? "/" : "", id ? id : "",
		       id ? suffix : "");
}

/* Durably write STORE/.hxsnap/WHAT/AREA/ENV/NAME. */
static int put(struct hxs_store *s, const char *what, enum hxs_kind kind,
	       const char *env, const char *name, const struct hxs_buf *text)
{
	HXS_AUTO_CLOSE int fd = -1;
	char dir[PATH_SIZE];

	path_of(dir, what, kind, env, NULL, NULL);
	fd = hxs_store_make_dir(s, dir, 0755, NULL);
	if (fd < 0)
		return fd;
	return hxs_io_publish(fd, name, hxs_buf_str(text), text->len, 0644);
}

/* @text without the piece of a character that cutting may have left. */
static size_t whole_characters(const char *text)
{
	size_t len = strlen(text), i = 0, n;

	while (i < len) {
		n = hxs_utf8_char(text + i, len - i, NULL);
		if (n == 0)
			break;
		i += n;
	}
	return i;
}

int hxs_result_save(struct hxs_store *s, enum hxs_kind kind, const char *env,
		    const char *id, const struct hxs_result *r,
		    struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	char when[HXS_RFC3339_LEN + 1], hex[HXS_DIGEST_HEX_LEN + 1];
	char name[HXS_ID_LEN + sizeof(SUFFIX)], ref[HXS_REF_TEXT];
	struct hxs_json_out o;
	int e;

	if (!hxs_path_is_name(env) || !hxs_clock_is_id(id))
		return hxs_err_set(err, EINVAL, "no snapshot is named so");
	hxs_ref_format(kind, env, id, ref);
	e = hxs_clock_format_rfc3339(r->when, when);
	if (e < 0)
		return hxs_err_errno(err, -e, "cannot date the result of '%s'",
				     ref);
	hxs_digest_to_hex(&r->manifest, hex);
	hxs_json_out_init(&o, &text, true);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_bool(&o, "passed", r->passed);
	hxs_json_out_string(&o, "when", when);
	hxs_json_out_string(&o, "manifest_sha256", hex);
	hxs_json_out_uint(&o, "files", r->files);
	hxs_json_out_uint(&o, "bytes", r->bytes);
	hxs_json_out_uint(&o, "faults", r->faults);
	hxs_json_out_stringn(&o, "first_fault", r->first_fault,
			     whole_characters(r->first_fault));
	if (r->by_reader)
		hxs_json_out_bool(&o, "by_reader", true);
	hxs_json_out_end_object(&o);
	e = hxs_buf_status(&text);
	if (e == 0) {
		(void)snprintf(name, sizeof(name), "%s" SUFFIX, id);
		e = put(s, "verify", kind, env, name, &text);
	}
	if (e < 0)
		return hxs_err_errno(err, -e,
				     "cannot store the verify result of '%s'",
				     ref);
	return 0;
}

static bool get_uint(const struct hxs_json *root, const char *key,
		     uint64_t *out)
{
	const struct hxs_json *v = hxs_json_get(root, key);
	int64_t n;

	if (!v || hxs_json_int(v, &n, NULL) < 0 || n < 0)
		return false;
	*out = (uint64_t)n;
	return true;
}

static const char *get_string(const struct hxs_json *root, const char *key)
{
	const struct hxs_json *v = hxs_json_get(root, key);
	const char *s;

	return v && hxs_json_string(v, &s, NULL) >= 0 ? s : NULL;
}

static bool decode(const struct hxs_json *root, struct hxs_result *out)
{
	const struct hxs_json *passed = hxs_json_get(root, "passed");
	const char *when = get_string(root, "when");
	const char *hex = get_string(root, "manifest_sha256");
	const struct hxs_json *reader = hxs_json_get(root, "by_reader");
	const char *fault = get_string(root, "first_fault");

	memset(out, 0, sizeof(*out));
	if (!passed || hxs_json_bool(passed, &out->passed, NULL) < 0 || !when ||
	    hxs_clock_parse_rfc3339(when, &out->when) < 0 || !hex ||
	    hxs_digest_from_hex(hex, &out->manifest) < 0 || !fault ||
	    !get_uint(root, "files", &out->files) ||
	    !get_uint(root, "bytes", &out->bytes) ||
	    !get_uint(root, "faults", &out->faults))
		return false;
	if (out->passed && out->faults)
		return false; /* cannot both be so: believe neither */
	if (reader && hxs_json_bool(reader, &out->by_reader, NULL) < 0)
		return false;
	(void)snprintf(out->first_fault, sizeof(out->first_fault), "%s", fault);
	return true;
}

int hxs_result_load(const struct hxs_store *s, enum hxs_kind kind,
		    const char *env, const char *id, struct hxs_result *out)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	HXS_AUTO_FREE char *text = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	char path[PATH_SIZE];
	struct hxs_result got;
	size_t len;

	if (!hxs_path_is_name(env) || !hxs_clock_is_id(id))
		return 0;
	path_of(path, "verify", kind, env, id, SUFFIX);
	fd = hxs_io_open_regular(hxs_store_fd(s), path, NULL);
	if (fd < 0 || hxs_io_read_all(fd, RESULT_MAX, &text, &len) < 0 ||
	    hxs_json_parse(text, len, &doc, NULL) < 0 ||
	    !decode(hxs_json_root(doc), &got))
		return 0;
	*out = got;
	return 1;
}

static bool is_there(const struct hxs_store *s, enum hxs_kind kind,
		     const char *env, const char *id)
{
	HXS_AUTO_CLOSE int fd = -1;

	return hxs_store_open_dir(s, kind, env, id, &fd, NULL) == 0;
}

int hxs_result_note(struct hxs_store *s, enum hxs_kind kind, const char *env,
		    const char *id, const struct hxs_digest *manifest,
		    const char *fault, struct hxs_err *err)
{
	struct hxs_result known, note = { .faults = 1, .by_reader = true };
	struct timespec now;
	int r;

	if (hxs_result_load(s, kind, env, id, &known) > 0 && !known.passed &&
	    hxs_digest_equal(&known.manifest, manifest))
		return 0;
	if (!is_there(s, kind, env, id))
		return 0;
	hxs_clock_now(&now);
	note.when = now.tv_sec;
	note.manifest = *manifest;
	(void)snprintf(note.first_fault, sizeof(note.first_fault), "%s", fault);
	r = hxs_result_save(s, kind, env, id, &note, err);
	return r < 0 ? r : 1;
}

/* The ids that have a result. */
struct ids {
	char (*id)[HXS_ID_LEN + 1];
	size_t count, cap, next;
};

static int see_result(const char *name, unsigned char type HXS_UNUSED,
		      void *ctx)
{
	char id[HXS_ID_LEN + 1], (*grown)[HXS_ID_LEN + 1];
	struct ids *ids = ctx;
	size_t cap;

	if (strlen(name) != HXS_ID_LEN + strlen(SUFFIX) ||
	    strcmp(name + HXS_ID_LEN, SUFFIX) != 0)
		return 0;
	memcpy(id, name, HXS_ID_LEN);
	id[HXS_ID_LEN] = '\0';
	if (!hxs_clock_is_id(id))
		return 0;
	if (ids->count == ids->cap) {
		cap = ids->cap ? ids->cap * 2 : 64;
		grown = reallocarray(ids->id, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		ids->id = grown;
		ids->cap = cap;
	}
	memcpy(ids->id[ids->count++], id, sizeof(id));
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(b, a);
}

int hxs_result_latest(const struct hxs_store *s, const char *env,
		      char id[HXS_ID_LEN + 1])
{
	HXS_AUTO_CLOSE int fd = -1;
	struct ids ids = { 0 };
	struct hxs_result res;
	char dir[PATH_SIZE];
	int r;

	if (!hxs_path_is_name(env))
		return 0;
	path_of(dir, "verify", HXS_BACKUP, env, NULL, NULL);
	fd = hxs_io_open_dir(hxs_store_fd(s), dir);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return fd;
	r = hxs_io_list(fd, see_result, &ids);
	if (r == 0 && ids.count)
		qsort(ids.id, ids.count, sizeof(*ids.id), newest_first);
	for (; r == 0 && ids.next < ids.count; ids.next++) {
		const char *at = ids.id[ids.next];

		if (hxs_result_load(s, HXS_BACKUP, env, at, &res) == 1 &&
		    res.passed && is_there(s, HXS_BACKUP, env, at)) {
			memcpy(id, at, sizeof(*ids.id));
			r = 1;
		}
	}
	free(ids.id);
	return r;
}

int hxs_result_pin(struct hxs_store *s, enum hxs_kind kind, const char *env,
		   const char *id, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf empty = HXS_BUF_INIT;
	char ref[HXS_REF_TEXT];
	int r;

	if (!hxs_path_is_name(env) || !hxs_clock_is_id(id))
		return hxs_err_set(err, EINVAL, "no snapshot is named so");
	r = put(s, "pins", kind, env, id, &empty);
	if (r < 0) {
		hxs_ref_format(kind, env, id, ref);
		return hxs_err_errno(err, -r, "cannot mark '%s' as kept", ref);
	}
	return 0;
}

/* Remove STORE/.hxsnap/WHAT/AREA/ENV/ID: 1 if it was there, 0, or -errno. */
static int take_away(struct hxs_store *s, const char *what, enum hxs_kind kind,
		     const char *env, const char *id, const char *suffix)
{
	char dir[PATH_SIZE], name[HXS_ID_LEN + sizeof(SUFFIX)];
	HXS_AUTO_CLOSE int fd = -1;

	path_of(dir, what, kind, env, NULL, NULL);
	fd = hxs_io_open_dir(hxs_store_fd(s), dir);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	(void)snprintf(name, sizeof(name), "%s%s", id, suffix);
	if (unlinkat(fd, name, 0) == 0)
		return fsync(fd) < 0 ? -errno : 1;
	return errno == ENOENT ? 0 : -errno;
}

int hxs_result_unpin(struct hxs_store *s, enum hxs_kind kind, const char *env,
		     const char *id, struct hxs_err *err)
{
	char ref[HXS_REF_TEXT];
	int r;

	if (!hxs_path_is_name(env) || !hxs_clock_is_id(id))
		return hxs_err_set(err, EINVAL, "no snapshot is named so");
	r = take_away(s, "pins", kind, env, id, "");
	if (r >= 0)
		return 0;
	hxs_ref_format(kind, env, id, ref);
	return hxs_err_errno(err, -r, "cannot take away that '%s' is kept",
			     ref);
}

int hxs_result_forget(struct hxs_store *s, enum hxs_kind kind, const char *env,
		      const char *id)
{
	int r;

	if (!hxs_path_is_name(env) || !hxs_clock_is_id(id))
		return -EINVAL;
	r = take_away(s, "verify", kind, env, id, SUFFIX);
	if (r >= 0)
		r = take_away(s, "pins", kind, env, id, "");
	return r < 0 ? r : 0;
}

static bool has_file(const struct hxs_store *s, const char *what,
		     enum hxs_kind kind, const char *env, const char *id,
		     const char *suffix)
{
	char path[PATH_SIZE];
	HXS_AUTO_CLOSE int fd = -1;

	if (!hxs_path_is_name(env) || !hxs_clock_is_id(id))
		return false;
	path_of(path, what, kind, env, id, suffix);
	fd = hxs_io_open_beneath(hxs_store_fd(s), path, O_PATH, 0);
	/* What cannot be told counts as there: the error that loses nothing. */
	return fd != -ENOENT && fd != -ENOTDIR;
}

bool hxs_result_is_pinned(const struct hxs_store *s, enum hxs_kind kind,
			  const char *env, const char *id)
{
	return has_file(s, "pins", kind, env, id, "");
}

bool hxs_result_is_there(const struct hxs_store *s, enum hxs_kind kind,
			 const char *env, const char *id)
{
	return has_file(s, "verify", kind, env, id, SUFFIX);
}
