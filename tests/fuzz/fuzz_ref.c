/* References, ids and times: what is taken is written and taken the same. */
#include "base/clock.h"
#include "base/path.h"
#include "format/ref.h"
#include "tests/fuzz/fuzz.h"

static void check(const char *text, const struct hxs_ref *ref)
{
	char formatted[HXS_REF_TEXT];
	struct hxs_ref again;
	int64_t sec;

	must(hxs_path_is_name(ref->env));
	must(strncmp(text, ref->env, strlen(ref->env)) == 0);
	must(ref->kind == HXS_BACKUP || ref->kind == HXS_ROLLBACK);
	switch (ref->which) {
	case HXS_REF_ID:
		must(hxs_clock_parse_id(ref->id, &sec) == 0);
		break;
	case HXS_REF_PREFIX:
		must(*ref->id && strlen(ref->id) < HXS_ID_LEN);
		must(strspn(ref->id, "0123456789T") == strlen(ref->id));
		break;
	default:
		must(!*ref->id);
		must(ref->kind == HXS_BACKUP || ref->which == HXS_REF_LATEST);
		return;
	}
	hxs_ref_format(ref->kind, ref->env, ref->id, formatted);
	must(hxs_ref_parse(formatted, &again, NULL) == 0);
	must(again.which == ref->which && again.kind == ref->kind);
	must(strcmp(again.env, ref->env) == 0);
	must(strcmp(again.id, ref->id) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_ref ref;
	int r;

	if (!text)
		return 0;
	r = hxs_ref_parse(text, &ref, &err);
	if (r < 0) {
		must_explain(r, -HXS_EUSAGE, &err);
		must(err.hint[0]);
	} else {
		check(text, &ref);
	}
	free(text);
	return 0;
}
