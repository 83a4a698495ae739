/* The report of a drill as JSON. What is read may be anybody's work. */
#include "store/drills.h"

#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WHOLE_MAX (1ll << 53) /* what a JSON number holds for everybody */

static const char *const status_names[] = {
	[HXS_DRILL_PASSED] = "passed",
	[HXS_DRILL_FAILED] = "failed",
	[HXS_DRILL_INCONCLUSIVE] = "inconclusive",
};

const char *hxs_drills_status_name(enum hxs_drill_status status)
{
	return status_names[status];
}

/* ---- writing ----------------------------------------------------------- */

/* To the microsecond; what is below 0 is not known. */
static void put_seconds(struct hxs_json_out *o, const char *key, double n)
{
	if (n < 0)
		hxs_json_out_null(o, key);
	else
		hxs_json_out_double(o, key,
				    (double)(uint64_t)(n * 1e6 + 0.5) / 1e6);
}

static void put_time(struct hxs_json_out *o, const char *key, int64_t sec)
{
	char text[HXS_RFC3339_LEN + 1];

	if (hxs_clock_format_rfc3339(sec, text) < 0)
		hxs_json_out_null(o, key);
	else
		hxs_json_out_string(o, key, text);
}

static void put_sequence(struct hxs_json_out *o, int64_t n)
{
	char text[32];

	if (n > -WHOLE_MAX && n < WHOLE_MAX) {
		hxs_json_out_int(o, "sequence", n);
		return;
	}
	(void)snprintf(text, sizeof(text), "%lld", (long long)n);
	hxs_json_out_string(o, "sequence", text);
}

static void put_point(const struct hxs_drill_point *p, struct hxs_json_out *o)
{
	if (!p->source[0]) {
		hxs_json_out_null(o, "recovery_point");
		return;
	}
	hxs_json_out_object(o, "recovery_point");
	hxs_json_out_string(o, "source", p->source);
	if (p->has_sequence)
		put_sequence(o, p->sequence);
	else
		hxs_json_out_null(o, "sequence");
	hxs_json_out_string(o, "time", p->has_time ? p->time : NULL);
	if (p->has_time)
		hxs_json_out_int(o, "age_seconds", p->age);
	else
		hxs_json_out_null(o, "age_seconds");
	hxs_json_out_end_object(o);
}

void hxs_drills_json(const struct hxs_drill_report *d, struct hxs_json_out *o)
{
	size_t i;

	hxs_json_out_string(o, "drill_id", d->id);
	hxs_json_out_string(o, "env", d->env);
	hxs_json_out_string(o, "reference", d->reference);
	hxs_json_out_string(o, "status", status_names[d->status]);
	hxs_json_out_bool(o, "passed", d->status == HXS_DRILL_PASSED);
	put_time(o, "started_at_utc", d->started);
	put_time(o, "finished_at_utc", d->finished);
	put_seconds(o, "rto_actual_seconds", d->rto_actual);
	put_seconds(o, "rto_target_seconds", d->rto_target);
	put_point(&d->point, o);
	hxs_json_out_array(o, "steps");
	for (i = 0; i < d->step_count; i++) {
		hxs_json_out_object(o, NULL);
		hxs_json_out_text(o, "step", d->steps[i].step);
		hxs_json_out_bool(o, "passed", d->steps[i].passed);
		put_seconds(o, "duration_seconds", d->steps[i].seconds);
		hxs_json_out_text(o, "detail", d->steps[i].detail);
		hxs_json_out_end_object(o);
	}
	hxs_json_out_end_array(o);
	hxs_json_out_array(o, "warnings");
	for (i = 0; i < d->warning_count; i++)
		hxs_json_out_text(o, NULL, d->warnings[i]);
	hxs_json_out_end_array(o);
}

/* ---- reading ----------------------------------------------------------- */

static int wrong(struct hxs_err *err, const char *key)
{
	return hxs_err_set(err, HXS_ECORRUPT, "its '%s' is not what it was",
			   key);
}

/* NULL unless member @key is a string. */
static const char *get_string(const struct hxs_json *v, const char *key)
{
	const struct hxs_json *m = hxs_json_get(v, key);
	const char *s;

	return m && hxs_json_string(m, &s, NULL) == 0 ? s : NULL;
}

static bool take_string(const struct hxs_json *v, const char *key, char *out,
			size_t size)
{
	const char *s = get_string(v, key);

	if (!s || strlen(s) >= size)
		return false;
	memcpy(out, s, strlen(s) + 1);
	return true;
}

static bool take_time(const struct hxs_json *v, const char *key, int64_t *out)
{
	const char *s = get_string(v, key);

	return s && hxs_clock_parse_rfc3339(s, out) == 0;
}

static bool is_null(const struct hxs_json *v, const char *key)
{
	const struct hxs_json *m = hxs_json_get(v, key);

	return m && hxs_json_type(m) == HXS_JSON_NULL;
}

/* Null is below 0: not known. */
static bool take_seconds(const struct hxs_json *v, const char *key, double *out)
{
	const struct hxs_json *m = hxs_json_get(v, key);

	*out = -1;
	if (is_null(v, key))
		return true;
	return m && hxs_json_double(m, out, NULL) == 0 && *out >= 0;
}

static bool take_bool(const struct hxs_json *v, const char *key, bool *out)
{
	const struct hxs_json *m = hxs_json_get(v, key);

	return m && hxs_json_bool(m, out, NULL) == 0;
}

static bool take_status(const struct hxs_json *v, enum hxs_drill_status *out)
{
	const char *s = get_string(v, "status");
	bool passed;
	int i;

	if (!s || !take_bool(v, "passed", &passed))
		return false;
	for (i = HXS_DRILL_PASSED; i <= HXS_DRILL_INCONCLUSIVE; i++)
		if (strcmp(s, status_names[i]) == 0) {
			*out = (enum hxs_drill_status)i;
			return passed == (i == HXS_DRILL_PASSED);
		}
	return false;
}

static bool take_point(const struct hxs_json *root, struct hxs_drill_point *p)
{
	const struct hxs_json *v = hxs_json_get(root, "recovery_point");
	const struct hxs_json *seq, *age;
	const char *s;
	char *end;

	if (is_null(root, "recovery_point"))
		return true;
	if (!v || !take_string(v, "source", p->source, sizeof(p->source)))
		return false;
	seq = hxs_json_get(v, "sequence");
	age = hxs_json_get(v, "age_seconds");
	if (!seq)
		return false;
	if (hxs_json_string(seq, &s, NULL) == 0) {
		p->has_sequence = true;
		p->sequence = strtoll(s, &end, 10);
		if (end == s || *end)
			return false;
	} else {
		p->has_sequence = hxs_json_int(seq, &p->sequence, NULL) == 0;
	}
	if (is_null(v, "time"))
		return true;
	p->has_time = true;
	return take_string(v, "time", p->time, sizeof(p->time)) && age &&
	       hxs_json_int(age, &p->age, NULL) == 0;
}

static int take_steps(const struct hxs_json *root, struct hxs_drill_report *d)
{
	const struct hxs_json *v = hxs_json_get(root, "steps"), *s;
	const char *step, *detail;
	double seconds;
	bool passed;
	int r = 0;

	if (!v || hxs_json_type(v) != HXS_JSON_ARRAY)
		return -HXS_ECORRUPT;
	for (s = hxs_json_first(v); r == 0 && s; s = hxs_json_next(s)) {
		step = get_string(s, "step");
		detail = get_string(s, "detail");
		if (!step || !detail || !take_bool(s, "passed", &passed) ||
		    !take_seconds(s, "duration_seconds", &seconds))
			return -HXS_ECORRUPT;
		r = hxs_drills_add_step(d, step, passed, seconds, detail);
	}
	return r;
}

static int take_warnings(const struct hxs_json *root,
			 struct hxs_drill_report *d)
{
	const struct hxs_json *v = hxs_json_get(root, "warnings"), *w;
	const char *text;
	int r = 0;

	if (!v || hxs_json_type(v) != HXS_JSON_ARRAY)
		return -HXS_ECORRUPT;
	for (w = hxs_json_first(v); r == 0 && w; w = hxs_json_next(w)) {
		if (hxs_json_string(w, &text, NULL) < 0)
			return -HXS_ECORRUPT;
		r = hxs_drills_add_warning(d, text);
	}
	return r;
}

static int decode(const struct hxs_json *v, struct hxs_drill_report *d,
		  struct hxs_err *err)
{
	int r;

	if (!take_string(v, "drill_id", d->id, sizeof(d->id)) ||
	    !hxs_clock_is_id(d->id))
		return wrong(err, "drill_id");
	if (!take_string(v, "env", d->env, sizeof(d->env)) ||
	    !hxs_path_is_name(d->env))
		return wrong(err, "env");
	if (!take_string(v, "reference", d->reference, sizeof(d->reference)))
		return wrong(err, "reference");
	if (!take_status(v, &d->status))
		return wrong(err, "status");
	if (!take_time(v, "started_at_utc", &d->started) ||
	    !take_time(v, "finished_at_utc", &d->finished))
		return wrong(err, "finished_at_utc");
	if (!take_seconds(v, "rto_actual_seconds", &d->rto_actual) ||
	    !take_seconds(v, "rto_target_seconds", &d->rto_target))
		return wrong(err, "rto_actual_seconds");
	if (!take_point(v, &d->point))
		return wrong(err, "recovery_point");
	r = take_steps(v, d);
	if (r == -HXS_ECORRUPT)
		return wrong(err, "steps");
	if (r == 0)
		r = take_warnings(v, d);
	return r == -HXS_ECORRUPT ? wrong(err, "warnings") : r;
}

int hxs_drills_parse(const char *text, size_t len, struct hxs_drill_report *out,
		     struct hxs_err *err)
{
	HXS_AUTO(json_doc) struct hxs_json_doc *doc = NULL;
	struct hxs_drill_report got = { .id = "" };
	int r;

	r = hxs_json_parse(text, len, &doc, err);
	if (r == -HXS_EUSAGE) {
		if (err)
			err->code = -HXS_ECORRUPT;
		return -HXS_ECORRUPT;
	}
	if (r == 0)
		r = decode(hxs_json_root(doc), &got, err);
	if (r == -ENOMEM)
		(void)hxs_err_errno(err, ENOMEM, "cannot read a report");
	if (r < 0)
		hxs_drills_release(&got);
	else
		*out = got;
	return r;
}
