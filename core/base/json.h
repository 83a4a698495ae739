#ifndef HXS_BASE_JSON_H
#define HXS_BASE_JSON_H

/*
 * Reading JSON strictly and writing it stably. The only user of cJSON.
 *
 * Reading: one value and nothing after it, no duplicate key, no "\u0000", no
 * invalid UTF-8, at most 64 levels deep, at most 16 MiB. Every getter's error
 * (-HXS_EUSAGE) names the key's path ("environments.live.sources") and what
 * was expected. Callers for whom bad JSON is damage map the code themselves.
 *
 * Writing: a small stream onto an hxs_buf, keys in the order given.
 */
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct hxs_json; /* one value inside a document */
struct hxs_json_doc;

/* Errors name line and column. */
HXS_MUST_CHECK
int hxs_json_parse(const char *text, size_t len, struct hxs_json_doc **out,
		   struct hxs_err *err);
void hxs_json_free(struct hxs_json_doc *doc);
HXS_AUTO_DEFINE(json_doc, struct hxs_json_doc *, hxs_json_free)

/* The document's value; borrowed, like every value below. */
const struct hxs_json *hxs_json_root(const struct hxs_json_doc *doc);

/* "environments.live", "" for the root; valid as long as the document. */
const char *hxs_json_path(const struct hxs_json *v);

enum hxs_json_type {
	HXS_JSON_NULL,
	HXS_JSON_BOOL,
	HXS_JSON_NUMBER,
	HXS_JSON_STRING,
	HXS_JSON_ARRAY,
	HXS_JSON_OBJECT,
};
enum hxs_json_type hxs_json_type(const struct hxs_json *v);

/* Typed values. An integer is whole and within +-2^53. Strings borrowed. */
int hxs_json_string(const struct hxs_json *v, const char **out,
		    struct hxs_err *err);
int hxs_json_int(const struct hxs_json *v, int64_t *out, struct hxs_err *err);
int hxs_json_double(const struct hxs_json *v, double *out, struct hxs_err *err);
int hxs_json_bool(const struct hxs_json *v, bool *out, struct hxs_err *err);

/* A member of an object: NULL when absent (or @v is no object). */
const struct hxs_json *hxs_json_get(const struct hxs_json *v, const char *key);

/* -HXS_EUSAGE unless @v is of this type. */
int hxs_json_expect(const struct hxs_json *v, enum hxs_json_type type,
		    struct hxs_err *err);

/* -HXS_EUSAGE naming the first key of object @v not in @keys (NULL ends). */
int hxs_json_only_keys(const struct hxs_json *v, const char *const *keys,
		       struct hxs_err *err);

/* Children of an array or object in document order; NULL at the end. */
const struct hxs_json *hxs_json_first(const struct hxs_json *v);
const struct hxs_json *hxs_json_next(const struct hxs_json *v);
const char *hxs_json_key(const struct hxs_json *v); /* of an object's child */

/* A piece of a JSON text, as it stands there. */
struct hxs_json_span {
	const char *at; /* borrowed from the text; NULL: nothing */
	size_t len;
};

/*
 * Find members of the object that is all of @text, such as a line of JSONL,
 * without making a document of it: values[i] is that of keys[i]. All of @text
 * is checked as hxs_json_parse() would, but that keys other than @keys are
 * not compared. Errors (-HXS_EUSAGE) name line and column, the first line
 * being @line; -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_json_find(const char *text, size_t len, uint32_t line,
		  const char *const *keys, size_t count,
		  struct hxs_json_span *values, struct hxs_err *err);

/*
 * Writing. Failures are kept in the buffer's status. @key is NULL inside an
 * array and for the outermost value. Strings may hold any bytes: what is not
 * valid UTF-8 is written as the lone surrogates \udc80 to \udcff, which
 * Python's surrogateescape turns back into the very bytes.
 */
struct hxs_json_out {
	struct hxs_buf *buf;
	unsigned depth;
	bool comma; /* a value stands before this place */
	bool pretty; /* two blanks a level, a newline after each value */
};

void hxs_json_out_init(struct hxs_json_out *o, struct hxs_buf *buf,
		       bool pretty);
void hxs_json_out_object(struct hxs_json_out *o, const char *key);
void hxs_json_out_end_object(struct hxs_json_out *o);
void hxs_json_out_array(struct hxs_json_out *o, const char *key);
void hxs_json_out_end_array(struct hxs_json_out *o);
void hxs_json_out_string(struct hxs_json_out *o, const char *key,
			 const char *s); /* NULL writes null */
void hxs_json_out_stringn(struct hxs_json_out *o, const char *key,
			  const char *s, size_t len);
/*
 * A text as such, or, where it is no UTF-8, as hxs_path_show() shows it: for
 * documents that must be read again, by us and by every other program.
 */
void hxs_json_out_text(struct hxs_json_out *o, const char *key, const char *s);
void hxs_json_out_int(struct hxs_json_out *o, const char *key, int64_t n);
void hxs_json_out_uint(struct hxs_json_out *o, const char *key, uint64_t n);
void hxs_json_out_double(struct hxs_json_out *o, const char *key, double n);
void hxs_json_out_bool(struct hxs_json_out *o, const char *key, bool b);
void hxs_json_out_null(struct hxs_json_out *o, const char *key);

#endif
