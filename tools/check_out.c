#include "tools/check_out.h"

#include "tools/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Every result that is ignored here stays in the buffer's status. */

/* "CRITICAL" */
static const char *loud(enum hxs_check_state s)
{
	static const char *const names[] = { "OK", "WARNING", "CRITICAL",
					     "UNKNOWN" };

	return names[s];
}

static void put_counts(const struct hxs_check_facts *f,
		       const struct hxs_check_report *r, struct hxs_buf *out)
{
	static const enum hxs_check_state order[] = { HXS_CHECK_CRITICAL,
						      HXS_CHECK_UNKNOWN,
						      HXS_CHECK_WARNING };
	size_t i, backups = 0, rollbacks = 0;
	const char *between = "";

	for (i = 0; i < HXS_ARRAY_LEN(order); i++) {
		if (!r->states[order[i]])
			continue;
		(void)hxs_buf_printf(out, "%s%zu %s", between,
				     r->states[order[i]],
				     hxs_check_state_name(order[i]));
		between = ", ";
	}
	for (i = 0; i < f->env_count; i++) {
		backups += f->envs[i].backups;
		rollbacks += f->envs[i].count - f->envs[i].backups;
	}
	if (f->env_count)
		(void)hxs_buf_printf(out,
				     "%s%zu environment%s, %zu backup%s, %zu "
				     "rollback point%s",
				     *between ? "; " : "", f->env_count,
				     f->env_count == 1 ? "" : "s", backups,
				     backups == 1 ? "" : "s", rollbacks,
				     rollbacks == 1 ? "" : "s");
}

/* What a finding is about. */
static const char *object_of(const struct hxs_check_facts *f,
			     const struct hxs_check_finding *one)
{
	if (*one->object)
		return one->object;
	if (*one->env)
		return one->env;
	return f->store ? f->store : "";
}

static void put_finding(const struct hxs_check_facts *f,
			const struct hxs_check_finding *one,
			struct hxs_buf *out)
{
	const char *object = object_of(f, one);

	hxs_out_shown(out, object);
	(void)hxs_buf_puts(out, *object ? ": " : "");
	hxs_out_shown(out, one->text);
}

void hxs_check_out_text(const struct hxs_check_facts *f,
			const struct hxs_check_report *r, bool brief,
			struct hxs_buf *out)
{
	const struct hxs_check_finding *one;
	size_t i;

	(void)hxs_buf_printf(out, "HXSNAP %s - ", loud(r->state));
	put_counts(f, r, out);
	if (r->count) {
		(void)hxs_buf_puts(out, "; ");
		put_finding(f, &r->findings[0], out);
	}
	(void)hxs_buf_putc(out, '\n');
	for (i = 0; !brief && i < r->count; i++) {
		one = &r->findings[i];
		(void)hxs_buf_printf(out, "%s %s ",
				     hxs_check_state_name(one->state),
				     hxs_check_condition_name(one->condition));
		put_finding(f, one, out);
		if (*one->action) {
			(void)hxs_buf_puts(out, "; ");
			hxs_out_shown(out, one->action);
		}
		(void)hxs_buf_putc(out, '\n');
	}
	for (i = 0; !brief && i < f->note_count; i++)
		(void)hxs_buf_printf(out,
				     "not looked at, as this user may not: "
				     "%s\n",
				     f->notes[i]);
}

/* ---- JSON ---------------------------------------------------------------- */

static void or_null(struct hxs_json_out *o, const char *key, const char *text)
{
	hxs_json_out_string(o, key, *text ? text : NULL);
}

static enum hxs_check_state state_of(const struct hxs_check_report *r,
				     const char *env)
{
	enum hxs_check_state worst = HXS_CHECK_OK;
	size_t i;

	for (i = 0; i < r->count; i++)
		if (strcmp(r->findings[i].env, env) == 0)
			worst = hxs_check_worse(worst, r->findings[i].state);
	return worst;
}

static void env_json(const struct hxs_check_facts *f,
		     const struct hxs_check_report *r,
		     const struct hxs_check_env *e, struct hxs_json_out *o)
{
	const struct hxs_check_snapshot *s =
		e->backups ? &e->snapshots[e->backups - 1] : NULL;
	size_t i, damaged = 0;

	for (i = 0; i < e->count; i++)
		damaged += e->snapshots[i].damage != NULL;
	hxs_json_out_object(o, NULL);
	hxs_json_out_string(o, "environment", e->name);
	hxs_json_out_string(o, "state",
			    hxs_check_state_name(state_of(r, e->name)));
	hxs_json_out_uint(o, "backups", e->backups);
	hxs_json_out_uint(o, "rollbacks", e->count - e->backups);
	hxs_json_out_uint(o, "damaged", damaged);
	hxs_json_out_string(o, "newest", s ? s->id : NULL);
	if (s)
		hxs_json_out_int(o, "newest_age_seconds", f->now - s->made);
	else
		hxs_json_out_null(o, "newest_age_seconds");
	if (s && s->has_bytes)
		hxs_json_out_uint(o, "newest_bytes", s->bytes);
	else
		hxs_json_out_null(o, "newest_bytes");
	if (e->drill.there)
		hxs_json_out_bool(o, "last_drill_passed", e->drill.passed);
	else
		hxs_json_out_null(o, "last_drill_passed");
	hxs_json_out_end_object(o);
}

static void finding_json(const struct hxs_check_finding *one,
			 struct hxs_json_out *o)
{
	hxs_json_out_object(o, NULL);
	hxs_json_out_string(o, "state", hxs_check_state_name(one->state));
	hxs_json_out_string(o, "condition",
			    hxs_check_condition_name(one->condition));
	or_null(o, "environment", one->env);
	or_null(o, "reference", one->object);
	hxs_json_out_text(o, "message", one->text);
	or_null(o, "action", one->action);
	hxs_json_out_end_object(o);
}

void hxs_check_out_json(const struct hxs_check_facts *f,
			const struct hxs_check_report *r, struct hxs_buf *out)
{
	struct hxs_json_out o;
	size_t i;

	hxs_json_out_init(&o, out, true);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "state", hxs_check_state_name(r->state));
	hxs_json_out_int(&o, "status", r->state);
	hxs_out_json_time(&o, "checked", f->now);
	hxs_json_out_text(&o, "store", f->store);
	if (f->bytes) {
		hxs_json_out_uint(&o, "store_bytes", f->bytes);
		hxs_json_out_uint(&o, "store_bytes_free", f->bytes_free);
	} else {
		hxs_json_out_null(&o, "store_bytes");
		hxs_json_out_null(&o, "store_bytes_free");
	}
	hxs_json_out_array(&o, "environments");
	for (i = 0; i < f->env_count; i++)
		env_json(f, r, &f->envs[i], &o);
	hxs_json_out_end_array(&o);
	hxs_json_out_array(&o, "findings");
	for (i = 0; i < r->count; i++)
		finding_json(&r->findings[i], &o);
	hxs_json_out_end_array(&o);
	hxs_json_out_array(&o, "not_looked_at");
	for (i = 0; i < f->note_count; i++)
		hxs_json_out_string(&o, NULL, f->notes[i]);
	hxs_json_out_end_array(&o);
	hxs_json_out_end_object(&o);
}
