#include "tools/drills.h"

#include "tools/out.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_TEXT 32

static const char *seconds(double n, int digits, char text[SECONDS_TEXT])
{
	(void)snprintf(text, SECONDS_TEXT, "%.*f s", digits, n);
	return text;
}

/* ---- one --------------------------------------------------------------- */

static void put_steps(const struct hxs_drill_report *rep, struct hxs_buf *out)
{
	struct hxs_table t = { .align = "lrll" };
	char text[SECONDS_TEXT];
	size_t i;

	for (i = 0; i < rep->step_count; i++) {
		const struct hxs_drill_step *s = &rep->steps[i];

		hxs_table_add(&t, s->passed ? "ok" : "not ok");
		hxs_table_add(&t, seconds(s->seconds, 2, text));
		hxs_table_add(&t, s->step);
		hxs_table_add(&t, s->detail);
	}
	hxs_table_print(&t, out, "");
	hxs_table_release(&t);
}

int hxs_drills_print(const struct hxs_tool *tool,
		     const struct hxs_drill_report *rep, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_json_out o;

	if (tool->json) {
		hxs_json_out_init(&o, &out, false);
		hxs_json_out_object(&o, NULL);
		hxs_drills_json(rep, &o);
		hxs_json_out_end_object(&o);
		(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	} else {
		put_steps(rep, &out);
	}
	return hxs_out_print(&out, err);
}

/* ---- all --------------------------------------------------------------- */

struct history {
	const struct hxs_tool *tool;
	struct hxs_table table;
	struct hxs_buf out; /* JSON */
	size_t count, timed; /* reports; those that came to an RTO */
	double last, sum, worst; /* of these */
};

/* What is in a cell of a time that may not be known. */
static const char *or_dash(double n, int digits, char text[SECONDS_TEXT])
{
	return n < 0 ? "-" : seconds(n, digits, text);
}

static const char *change(const struct history *h, double n,
			  char text[SECONDS_TEXT])
{
	if (n < 0 || h->timed == 0)
		return "-";
	(void)snprintf(text, SECONDS_TEXT, "%+.2f s", n - h->last);
	return text;
}

static void add_row(struct history *h, const struct hxs_drill_report *rep)
{
	char text[SECONDS_TEXT];

	hxs_table_add(&h->table, rep->id);
	hxs_table_add(&h->table, hxs_drills_status_name(rep->status));
	hxs_table_add(&h->table, or_dash(rep->rto_actual, 2, text));
	hxs_table_add(&h->table, change(h, rep->rto_actual, text));
	hxs_table_add(&h->table, or_dash(rep->rto_target, 0, text));
	hxs_table_add(&h->table, rep->reference);
}

static void add_json(struct history *h, const struct hxs_drill_report *rep)
{
	struct hxs_json_out o;

	hxs_json_out_init(&o, &h->out, false);
	hxs_json_out_object(&o, NULL);
	hxs_drills_json(rep, &o);
	/* To the microsecond, as the times themselves. */
	if (rep->rto_actual >= 0 && h->timed)
		hxs_json_out_double(&o, "rto_change_seconds",
				    rint((rep->rto_actual - h->last) * 1e6) /
					    1e6);
	else
		hxs_json_out_null(&o, "rto_change_seconds");
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&h->out, '\n'); /* the status keeps failures */
}

static void add(struct history *h, const struct hxs_drill_report *rep)
{
	if (h->tool->json)
		add_json(h, rep);
	else
		add_row(h, rep);
	h->count++;
	if (rep->rto_actual < 0)
		return;
	if (h->timed == 0 || rep->rto_actual > h->worst)
		h->worst = rep->rto_actual;
	h->timed++;
	h->sum += rep->rto_actual;
	h->last = rep->rto_actual;
}

/* The last against all before it. */
static void tell_trend(const struct history *h, const char *env)
{
	char count[HXS_COUNT_TEXT];
	double before;

	if (h->timed < 2)
		return;
	before = (h->sum - h->last) / (double)(h->timed - 1);
	hxs_out_talk("'%s': the last of %s took %.2f s, those before it %.2f s "
		     "on average (%+.2f s), the slowest %.2f s",
		     env, hxs_out_count(h->timed, "timed drill", count),
		     h->last, before, h->last - before, h->worst);
}

static int list(struct history *h, const char *env, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	size_t i;
	int r;

	r = hxs_drills_ids(h->tool->store, env, &ids, err);
	for (i = 0; r == 0 && i < ids.count; i++) {
		struct hxs_drill_report rep;
		int one = hxs_drills_load(h->tool->store, env, ids.name[i],
					  &rep, &why);

		if (one == 0) {
			add(h, &rep);
			hxs_drills_release(&rep);
		} else if (!h->tool->quiet) {
			hxs_out_warning(why.message);
		}
	}
	if (r == 0 && ids.count == 0)
		r = hxs_err_set(err, HXS_ENOSUCH, "no drill of '%s' in '%s'",
				env, hxs_store_path(h->tool->store));
	return r;
}

int hxs_drills_history(const struct hxs_tool *tool, const char *env,
		       struct hxs_err *err)
{
	struct history h = { .tool = tool, .table = { .align = "llrrrl" } };
	int r;

	r = list(&h, env, err);
	if (r == 0 && !tool->json && h.count)
		hxs_table_print(&h.table, &h.out, "");
	if (r == 0)
		r = hxs_out_print(&h.out, err);
	if (r == 0 && !tool->json && !tool->quiet)
		tell_trend(&h, env);
	hxs_table_release(&h.table);
	hxs_buf_release(&h.out);
	return r;
}
