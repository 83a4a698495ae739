/*
 * Reading. json_scan.c has checked the grammar and noted the places; cJSON
 * makes the values; the nodes here are one array in document order, each
 * pointing at its cJSON item and knowing its place and its parent.
 */
#include "base/json.h"

#include "base/json_scan.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define INT_LIMIT 9007199254740992.0 /* 2^53: 2^53 + 1 reads as this one */

struct hxs_json {
	const cJSON *item;
	const struct hxs_json *parent, *first, *next;
	_Atomic(char *) path; /* made when first asked for */
	size_t index; /* in its array */
	struct hxs_json_place place;
};

struct hxs_json_doc {
	cJSON *root;
	struct hxs_json *nodes;
	size_t count;
};

static void free_cjson(cJSON **item)
{
	cJSON_Delete(*item); /* takes NULL */
}

void hxs_json_free(struct hxs_json_doc *doc)
{
	size_t i;

	if (!doc)
		return;
	for (i = 0; i < doc->count; i++)
		free(atomic_load(&doc->nodes[i].path));
	free(doc->nodes);
	cJSON_Delete(doc->root);
	free(doc);
}

/*
 * Fill nodes from doc->count on with @item and all below it, in the order in
 * which the places were noted. Recursion is bounded by the scan's depth.
 */
static const struct hxs_json *build(struct hxs_json_doc *doc,
				    const struct hxs_json_scan *scan,
				    const cJSON *item,
				    const struct hxs_json *parent)
{
	struct hxs_json *node = &doc->nodes[doc->count], *last = NULL, *child;
	const cJSON *c;
	size_t index = 0;

	assert(doc->count < scan->count);
	node->item = item;
	node->parent = parent;
	node->place = scan->places[doc->count++];
	for (c = item->child; c; c = c->next) {
		child = &doc->nodes[doc->count];
		(void)build(doc, scan, c, node); /* it is at child */
		child->index = index++;
		if (last)
			last->next = child;
		else
			node->first = child;
		last = child;
	}
	return node;
}

static int by_key(const void *a, const void *b)
{
	const struct hxs_json *x = *(const struct hxs_json *const *)a;
	const struct hxs_json *y = *(const struct hxs_json *const *)b;
	int c = strcmp(x->item->string, y->item->string);

	return c ? c : (x > y) - (x < y); /* the one in front first */
}

/* The second of two members of @v with one key, or NULL, in *@out. */
static int find_duplicate(const struct hxs_json *v, const struct hxs_json **out)
{
	HXS_AUTO_FREE const struct hxs_json **members = NULL;
	const struct hxs_json *c;
	size_t n = 0, i;

	*out = NULL;
	for (c = v->first; c; c = c->next)
		n++;
	if (!cJSON_IsObject(v->item) || n < 2)
		return 0;
	members = calloc(n, sizeof(*members));
	if (!members)
		return -ENOMEM;
	for (c = v->first, i = 0; c; c = c->next)
		members[i++] = c;
	qsort(members, n, sizeof(*members), by_key);
	for (i = 1; i < n; i++)
		if (strcmp(members[i - 1]->item->string,
			   members[i]->item->string) == 0 &&
		    (!*out || members[i] < *out))
			*out = members[i];
	return 0;
}

/* What the grammar alone does not forbid. */
static int check_node(const struct hxs_json *v, struct hxs_err *err)
{
	const struct hxs_json *twin;
	int r;

	if (cJSON_IsNumber(v->item) && !isfinite(v->item->valuedouble))
		return hxs_err_set(err, HXS_EUSAGE,
				   "line %u, column %u: the number is too "
				   "large",
				   v->place.line, v->place.column);
	r = find_duplicate(v, &twin);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot read JSON");
	if (twin)
		return hxs_err_set(err, HXS_EUSAGE,
				   "line %u, column %u: key '%s' occurs twice",
				   twin->place.line, twin->place.column,
				   twin->item->string);
	return 0;
}

static int parse_scanned(const char *text, size_t len,
			 const struct hxs_json_scan *scan,
			 struct hxs_json_doc **out, struct hxs_err *err)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	__attribute__((cleanup(free_cjson))) cJSON *root = NULL;
	size_t i;
	int r;

	root = cJSON_ParseWithLengthOpts(text, len, NULL, false);
	doc = calloc(1, sizeof(*doc));
	if (!root || !doc) /* the text is right: it was scanned */
		return hxs_err_errno(err, ENOMEM, "cannot read JSON");
	doc->root = HXS_STEAL(root);
	doc->nodes = calloc(scan->count, sizeof(*doc->nodes));
	if (!doc->nodes)
		return hxs_err_errno(err, ENOMEM, "cannot read JSON");
	(void)build(doc, scan, doc->root, NULL); /* it is the first node */
	assert(doc->count == scan->count);
	for (i = 0; i < doc->count; i++) {
		r = check_node(&doc->nodes[i], err);
		if (r < 0)
			return r;
	}
	*out = HXS_STEAL(doc);
	return 0;
}

int hxs_json_parse(const char *text, size_t len, struct hxs_json_doc **out,
		   struct hxs_err *err)
{
	struct hxs_json_scan scan;
	int r;

	r = hxs_json_scan(text, len, &scan, err);
	if (r < 0)
		return r;
	r = parse_scanned(text, len, &scan, out, err);
	hxs_json_scan_release(&scan);
	return r;
}

const struct hxs_json *hxs_json_root(const struct hxs_json_doc *doc)
{
	return &doc->nodes[0];
}

/* The steps from the root to @v: at most the scan's depth. */
static void append_path(struct hxs_buf *b, const struct hxs_json *v)
{
	const char *key = hxs_json_key(v);

	if (!v->parent)
		return;
	append_path(b, v->parent);
	if (!key) {
		(void)hxs_buf_printf(b, "[%zu]", v->index);
		return;
	}
	if (b->len)
		(void)hxs_buf_putc(b, '.');
	(void)hxs_buf_puts(b, key);
}

const char *hxs_json_path(const struct hxs_json *v)
{
	/* The node is const to its readers; only this fills in what it says. */
	_Atomic(char *) *slot = (_Atomic(char *) *)&v->path;
	HXS_AUTO_BUF struct hxs_buf b = HXS_BUF_INIT;
	char *path = atomic_load(slot), *made;

	if (path)
		return path;
	append_path(&b, v);
	made = hxs_buf_steal(&b, NULL);
	if (!made)
		return "(out of memory)";
	if (atomic_compare_exchange_strong(slot, &path, made))
		return made;
	free(made); /* another thread was faster */
	return path;
}

enum hxs_json_type hxs_json_type(const struct hxs_json *v)
{
	switch (v->item->type & 0xff) {
	case cJSON_False:
	case cJSON_True:
		return HXS_JSON_BOOL;
	case cJSON_Number:
		return HXS_JSON_NUMBER;
	case cJSON_String:
		return HXS_JSON_STRING;
	case cJSON_Array:
		return HXS_JSON_ARRAY;
	case cJSON_Object:
		return HXS_JSON_OBJECT;
	default:
		return HXS_JSON_NULL;
	}
}

static const char *const type_names[] = {
	[HXS_JSON_NULL] = "null",	[HXS_JSON_BOOL] = "true or false",
	[HXS_JSON_NUMBER] = "a number", [HXS_JSON_STRING] = "a string",
	[HXS_JSON_ARRAY] = "a list",	[HXS_JSON_OBJECT] = "an object",
};

static int wrong(const struct hxs_json *v, const char *expected,
		 const char *found, struct hxs_err *err)
{
	const char *path = hxs_json_path(v);

	if (!*path)
		return hxs_err_set(err, HXS_EUSAGE,
				   "expected %s, found %s (line %u, column %u)",
				   expected, found, v->place.line,
				   v->place.column);
	return hxs_err_set(err, HXS_EUSAGE,
			   "'%s': expected %s, found %s (line %u, column %u)",
			   path, expected, found, v->place.line,
			   v->place.column);
}

int hxs_json_expect(const struct hxs_json *v, enum hxs_json_type type,
		    struct hxs_err *err)
{
	enum hxs_json_type found = hxs_json_type(v);

	if (found == type)
		return 0;
	return wrong(v, type_names[type], type_names[found], err);
}

int hxs_json_string(const struct hxs_json *v, const char **out,
		    struct hxs_err *err)
{
	int r = hxs_json_expect(v, HXS_JSON_STRING, err);

	if (r < 0)
		return r;
	*out = v->item->valuestring;
	return 0;
}

int hxs_json_int(const struct hxs_json *v, int64_t *out, struct hxs_err *err)
{
	enum hxs_json_type type = hxs_json_type(v);
	char found[32];
	double n;

	if (type != HXS_JSON_NUMBER)
		return wrong(v, "a whole number", type_names[type], err);
	n = v->item->valuedouble;
	if (n > -INT_LIMIT && n < INT_LIMIT && n == (double)(int64_t)n) {
		*out = (int64_t)n;
		return 0;
	}
	(void)snprintf(found, sizeof(found), "%.17g", n);
	return wrong(v, "a whole number below 2^53", found, err);
}

int hxs_json_double(const struct hxs_json *v, double *out, struct hxs_err *err)
{
	enum hxs_json_type type = hxs_json_type(v);

	if (type != HXS_JSON_NUMBER)
		return wrong(v, "a number", type_names[type], err);
	*out = v->item->valuedouble; /* finite, or it was refused */
	return 0;
}

int hxs_json_bool(const struct hxs_json *v, bool *out, struct hxs_err *err)
{
	int r = hxs_json_expect(v, HXS_JSON_BOOL, err);

	if (r < 0)
		return r;
	*out = cJSON_IsTrue(v->item);
	return 0;
}

const struct hxs_json *hxs_json_get(const struct hxs_json *v, const char *key)
{
	const struct hxs_json *c;

	if (!cJSON_IsObject(v->item))
		return NULL;
	for (c = v->first; c; c = c->next)
		if (strcmp(c->item->string, key) == 0)
			return c;
	return NULL;
}

int hxs_json_only_keys(const struct hxs_json *v, const char *const *keys,
		       struct hxs_err *err)
{
	const struct hxs_json *c;
	size_t i;
	int r;

	r = hxs_json_expect(v, HXS_JSON_OBJECT, err);
	if (r < 0)
		return r;
	for (c = v->first; c; c = c->next) {
		for (i = 0; keys[i]; i++)
			if (strcmp(c->item->string, keys[i]) == 0)
				break;
		if (!keys[i])
			return hxs_err_set(err, HXS_EUSAGE,
					   "'%s' is not a known key "
					   "(line %u, column %u)",
					   hxs_json_path(c), c->place.line,
					   c->place.column);
	}
	return 0;
}

const struct hxs_json *hxs_json_first(const struct hxs_json *v)
{
	return v->first;
}

const struct hxs_json *hxs_json_next(const struct hxs_json *v)
{
	return v->next;
}

const char *hxs_json_key(const struct hxs_json *v)
{
	return v->parent && cJSON_IsObject(v->parent->item) ? v->item->string
							    : NULL;
}
