/*
 * What the configuration may say of work that reads it by itself: checked
 * whole, so that a mistake shows on the first run and not on the day of the
 * restore.
 */
#include "format/config_internal.h"

#include <errno.h>
#include <string.h>

#define SECONDS_MAX (100ull * 366 * 24 * 3600) /* a hundred years */
#define SIZE_LIMIT (1ull << 60)

int hxs_config_refuse(const struct hxs_json *v, const char *key,
		      const char *what, struct hxs_err *err)
{
	const char *path = hxs_json_path(v);

	if (key)
		(void)hxs_err_set(err, HXS_EUSAGE, "'%s%s%s': %s", path,
				  *path ? "." : "", key, what);
	else
		(void)hxs_err_set(err, HXS_EUSAGE, "'%s': %s", path, what);
	return -HXS_EUSAGE;
}

int hxs_config_want(const struct hxs_json *v, const char *key,
		    enum hxs_json_type type, const struct hxs_json **out,
		    struct hxs_err *err)
{
	const struct hxs_json *member = hxs_json_get(v, key);
	int r;

	if (!member)
		return hxs_config_refuse(v, key, "it is missing", err);
	r = hxs_json_expect(member, type, err);
	if (r < 0)
		return r;
	*out = member;
	return 0;
}

int hxs_config_text(const struct hxs_json *v, const char **out,
		    struct hxs_err *err)
{
	const char *s = NULL;
	int r = hxs_json_string(v, &s, err);

	if (r < 0)
		return r;
	if (*s == '\0') {
		(void)hxs_config_refuse(v, NULL, "it is empty", err);
		return -HXS_EUSAGE;
	}
	*out = s;
	return 0;
}

int hxs_config_check_texts(const struct hxs_json *v, struct hxs_err *err)
{
	const struct hxs_json *c;
	const char *text = NULL;
	int r;

	r = hxs_json_expect(v, HXS_JSON_ARRAY, err);
	if (r < 0)
		return r;
	if (!hxs_json_first(v))
		return hxs_config_refuse(v, NULL, "it is empty", err);
	for (c = hxs_json_first(v); c; c = hxs_json_next(c)) {
		r = hxs_config_text(c, &text, err);
		if (r < 0)
			return r;
	}
	return 0;
}

size_t hxs_config_count(const struct hxs_json *v)
{
	const struct hxs_json *c;
	size_t n = 0;

	for (c = hxs_json_first(v); c; c = hxs_json_next(c))
		n++;
	return n;
}

static int take_text(const struct hxs_json *v, char **out, struct hxs_err *err)
{
	const char *text = NULL;
	int r = hxs_config_text(v, &text, err);

	if (r < 0)
		return r;
	*out = strdup(text);
	return *out ? 0 : hxs_err_errno(err, ENOMEM, "cannot take it in");
}

int hxs_config_take_texts(const struct hxs_json *v, char ***out, size_t *count,
			  struct hxs_err *err)
{
	const struct hxs_json *c;
	size_t n = 0;
	int r = 0;

	*out = calloc(hxs_config_count(v) + 1, sizeof(**out));
	if (!*out)
		return hxs_err_errno(err, ENOMEM, "cannot take it in");
	for (c = hxs_json_first(v); r == 0 && c; c = hxs_json_next(c)) {
		r = take_text(c, &(*out)[n], err);
		n += r == 0;
	}
	if (count)
		*count = n;
	return r;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* A whole number without sign or leading nought, above 0, and a unit. */
static bool is_measure(const char *s, const struct unit *units, size_t count,
		       uint64_t limit, uint64_t *out)
{
	uint64_t n = 0;
	size_t i;

	if (*s == '0')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
			return false;
	for (i = 0; i < count; i++) {
		if (strcmp(s, units[i].name) != 0)
			continue;
		if (n == 0 || n > limit / units[i].factor)
			return false;
		*out = n * units[i].factor;
		return true;
	}
	return false;
}

bool hxs_config_duration(const char *s, uint64_t *seconds)
{
	static const struct unit units[] = {
		{ "s", 1 },
		{ "m", 60 },
		{ "h", 3600 },
		{ "d", 86400 },
	};

	return is_measure(s, units, HXS_ARRAY_LEN(units), SECONDS_MAX, seconds);
}

bool hxs_config_size(const char *s, uint64_t *bytes)
{
	static const struct unit units[] = {
		{ "B", 1 },
		{ "KiB", 1ull << 10 },
		{ "MiB", 1ull << 20 },
		{ "GiB", 1ull << 30 },
		{ "TiB", 1ull << 40 },
	};

	return is_measure(s, units, HXS_ARRAY_LEN(units), SIZE_LIMIT, bytes);
}
