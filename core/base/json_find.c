#include "base/json_scan.h"

#include <string.h>

struct find {
	const char *const *keys;
	struct hxs_json_span *values;
	size_t count;
	uint32_t line;
	struct hxs_err *err;
};

static int take(struct find *f, size_t i, const struct hxs_json_span *value)
{
	if (f->values[i].at)
		return hxs_err_set(f->err, HXS_EUSAGE,
				   "line %u: '%s' occurs twice", f->line,
				   f->keys[i]);
	f->values[i] = *value;
	return 0;
}

static int see(const struct hxs_json_span *key,
	       const struct hxs_json_span *value, void *ctx)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	const char *text = key->at + 1;
	size_t len = key->len - 2, i;
	struct find *f = ctx;
	int r;

	if (memchr(text, '\\', len)) { /* it may spell one of ours */
		r = hxs_json_parse(key->at, key->len, &doc, f->err);
		if (r == 0)
			r = hxs_json_string(hxs_json_root(doc), &text, f->err);
		if (r < 0)
			return r;
		len = strlen(text);
	}
	for (i = 0; i < f->count; i++)
		if (strlen(f->keys[i]) == len &&
		    memcmp(f->keys[i], text, len) == 0)
			return take(f, i, value);
	return 0;
}

int hxs_json_find(const char *text, size_t len, uint32_t line,
		  const char *const *keys, size_t count,
		  struct hxs_json_span *values, struct hxs_err *err)
{
	struct find f = { keys, values, count, line, err };

	memset(values, 0, count * sizeof(*values));
	return hxs_json_scan_members(text, len, line, see, &f, err);
}
