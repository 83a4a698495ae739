#include "format/ref.h"

#include "base/clock.h"
#include "base/path.h"

#include <stdio.h>
#include <string.h>

#define ROLLBACKS ".rollbacks"
#define SHOWN_MAX 200 /* bytes of a reference that a message repeats */

static int refuse(struct hxs_err *err, const char *text, const char *what)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	size_t len = strnlen(text, SHOWN_MAX + 1);
	bool whole = len <= SHOWN_MAX;
	int r;

	(void)hxs_path_show(&shown, text, whole ? len : SHOWN_MAX);
	r = hxs_err_set(err, HXS_EUSAGE, "'%s'%s is no reference: %s",
			hxs_buf_str(&shown), whole ? "" : "...", what);
	hxs_err_hint(err, "a reference is ENV/ID, ENV/latest, "
			  "ENV/latest-verified, ENV/.rollbacks/ID, "
			  "ENV/.rollbacks/latest or ENV@TIME");
	return r;
}

/* Whether the @len bytes at @s may begin an id: YYYYmmddTHHMMSSZ. */
static bool begins_id(const char *s, size_t len)
{
	static const char form[] = "dddddddd"
				   "T"
				   "dddddd"
				   "Z";
	size_t i;

	for (i = 0; i < len; i++) {
		if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return false;
	}
	return true;
}

/* What stands where an id may stand; NULL or what is wrong. */
static const char *parse_id(const char *s, size_t len, struct hxs_ref *ref)
{
	int64_t sec;

	if (len == 6 && memcmp(s, "latest", len) == 0) {
		ref->which = HXS_REF_LATEST;
		return NULL;
	}
	if (len == 15 && memcmp(s, "latest-verified", len) == 0) {
		if (ref->kind == HXS_ROLLBACK)
			return "rollback points have no latest-verified";
		ref->which = HXS_REF_VERIFIED;
		return NULL;
	}
	if (len == 0)
		return "an id is missing";
	if (memchr(s, '/', len))
		return "something follows the id";
	if (len > HXS_ID_LEN || !begins_id(s, len))
		return "an id is YYYYmmddTHHMMSSZ or the beginning of one";
	memcpy(ref->id, s, len);
	ref->id[len] = '\0';
	ref->which = HXS_REF_PREFIX;
	if (len < HXS_ID_LEN)
		return NULL;
	ref->which = HXS_REF_ID;
	if (hxs_clock_parse_id(ref->id, &sec) < 0)
		return "there is no such date or time";
	return NULL;
}

static const char *parse_time(const char *s, size_t len, struct hxs_ref *ref)
{
	char text[64];

	ref->which = HXS_REF_TIME;
	if (len >= sizeof(text))
		return "its time is too long";
	memcpy(text, s, len);
	text[len] = '\0';
	if (hxs_clock_parse_rfc3339(text, &ref->time) < 0)
		return "a time is written as 2026-02-05T15:29:00Z";
	return NULL;
}

static const char *parse(const char *text, size_t len, struct hxs_ref *ref)
{
	const char *rest;
	size_t n = strcspn(text, "/@");

	if (len == 0)
		return "it is empty";
	if (n > HXS_ENV_MAX)
		return "an environment's name has at most 64 characters";
	memcpy(ref->env, text, n);
	ref->env[n] = '\0';
	if (!hxs_path_is_name(ref->env))
		return "it does not begin with an environment's name";
	if (n >= len) {
		ref->which = HXS_REF_ENV;
		return NULL;
	}
	rest = text + n + 1;
	len -= n + 1;
	if (text[n] == '@')
		return parse_time(rest, len, ref);
	n = strlen(ROLLBACKS);
	if (len >= n && memcmp(rest, ROLLBACKS, n) == 0 &&
	    (len == n || rest[n] == '/')) {
		ref->kind = HXS_ROLLBACK;
		if (len == n)
			return "an id is missing";
		rest += n + 1;
		len -= n + 1;
	}
	return parse_id(rest, len, ref);
}

int hxs_ref_parse(const char *text, struct hxs_ref *out, struct hxs_err *err)
{
	struct hxs_ref ref = { .kind = HXS_BACKUP };
	size_t len = strlen(text);
	const char *fault;

	if (len > 1 && text[len - 1] == '/')
		len--;
	fault = parse(text, len, &ref);
	if (fault)
		return refuse(err, text, fault);
	*out = ref;
	return 0;
}

void hxs_ref_format(enum hxs_kind kind, const char *env, const char *id,
		    char out[HXS_REF_TEXT])
{
	(void)snprintf(out, HXS_REF_TEXT, "%s/%s%s", env,
		       kind == HXS_ROLLBACK ? ROLLBACKS "/" : "", id);
}
