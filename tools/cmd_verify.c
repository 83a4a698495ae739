#include "tools/cmd.h"
#include "tools/out.h"
#include "tools/progress.h"
#include "verbs/verify.h"
#include "verbs/verify_due.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct run_state {
	const struct hxs_tool *tool;
	struct hxs_store *store;
	struct hxs_meter meter;
	const struct hxs_named *now; /* the snapshot under work */
	struct hxs_err *err;
	int print_status; /* the first failure to print a fault */
	int worst; /* what the command will return */
	size_t checked;
	bool told_unsaved;
	/* Only what is due, only so much of it. */
	bool some;
	int64_t before; /* verified before then: due */
	uint64_t budget, spent; /* bytes; UINT64_MAX: all of it */
};

static void fault_json(const char *ref, const struct hxs_fault *fault,
		       const char *path, struct hxs_buf *out)
{
	bool digests = fault->kind == HXS_FAULT_BLOCK ||
		       fault->kind == HXS_FAULT_DIGEST;
	struct hxs_json_out o;

	hxs_json_out_init(&o, out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "type", "fault");
	hxs_json_out_string(&o, "reference", ref);
	hxs_json_out_string(&o, "path", path);
	hxs_json_out_string(&o, "fault", hxs_fault_name(fault->kind));
	if (fault->kind == HXS_FAULT_BLOCK) {
		hxs_json_out_uint(&o, "offset", fault->offset);
		hxs_json_out_uint(&o, "length", fault->len);
	} else {
		hxs_json_out_null(&o, "offset");
		hxs_json_out_null(&o, "length");
	}
	if (digests) {
		hxs_out_json_digest(&o, "expected", &fault->expected);
		hxs_out_json_digest(&o, "found", &fault->found);
	} else {
		hxs_json_out_null(&o, "expected");
		hxs_json_out_null(&o, "found");
	}
	hxs_json_out_string(&o, "reason", fault->reason);
	hxs_json_out_end_object(&o);
}

/* "block dev/20260205T152900Z/events/a.json: reason" */
static void fault_text(const char *ref, const struct hxs_fault *fault,
		       const char *path, struct hxs_buf *out)
{
	(void)hxs_buf_printf(out, "%s %s%s", hxs_fault_name(fault->kind), ref,
			     *path ? "/" : "");
	hxs_out_shown(out, path);
	(void)hxs_buf_puts(out, ": "); /* the status keeps failures */
	hxs_out_shown(out, fault->reason);
}

/* Faults come from the verb's threads, one at a time. */
static void on_fault(const struct hxs_fault *fault, const char *path, void *ctx)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct run_state *s = ctx;

	hxs_meter_clear(&s->meter);
	if (s->tool->json)
		fault_json(s->now->text, fault, path, &out);
	else
		fault_text(s->now->text, fault, path, &out);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	if (s->print_status == 0)
		s->print_status = hxs_out_print(&out, s->err);
}

static int print_report(struct run_state *s, int r, const struct hxs_err *why,
			const struct hxs_verify_report *rep)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	char files[HXS_COUNT_TEXT], size[HXS_SIZE_TEXT];
	struct hxs_json_out o;

	if (!s->tool->json) {
		if (r == 0 && !s->tool->quiet)
			hxs_out_talk("'%s' is right: %s, %s, in %.1f s",
				     s->now->text,
				     hxs_out_count(rep->files, "file", files),
				     hxs_out_size(rep->bytes, size),
				     rep->seconds);
		return 0;
	}
	hxs_json_out_init(&o, &out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "type", "snapshot");
	hxs_json_out_string(&o, "reference", s->now->text);
	hxs_json_out_bool(&o, "passed", r == 0);
	hxs_json_out_uint(&o, "files", rep->files);
	hxs_json_out_uint(&o, "bytes", rep->bytes);
	hxs_json_out_uint(&o, "faults", rep->faults);
	hxs_json_out_bool(&o, "foreign", rep->foreign);
	hxs_json_out_bool(&o, "recorded", rep->saved);
	hxs_out_json_seconds(&o, "seconds", rep->seconds);
	hxs_json_out_string(&o, "message", r == 0 ? NULL : why->message);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	return hxs_out_print(&out, s->err);
}

/*
 * That nobody will know of it must be said to whoever asked for quiet, too:
 * else a timer that may not write to the store verifies for ever in vain.
 */
static void tell_unsaved(struct run_state *s,
			 const struct hxs_verify_report *rep)
{
	if (!s->tool->quiet || !*rep->unsaved || s->told_unsaved)
		return;
	s->told_unsaved = true; /* the others have the same reason */
	hxs_out_warning(rep->unsaved);
}

/*
 * Verify one. Damage, or one that cannot be read, is printed and kept in
 * @worst, and the next one is looked at; negative only when there is no
 * going on. @listed: that it is there was read from the store.
 */
static int verify_one(struct run_state *s, const struct hxs_named *snap,
		      bool listed)
{
	const struct hxs_verify_opts opts = {
		.save = true,
		.listener = &s->meter.listener,
		.fault = on_fault,
		.fault_ctx = s,
	};
	struct hxs_verify_report rep = { .files = 0 };
	struct hxs_err why = HXS_ERR_INIT;
	int r, printed;

	s->now = snap;
	r = hxs_verify(s->store, snap->kind, snap->env, snap->id, &opts, &rep,
		       &why);
	hxs_meter_clear(&s->meter);
	if (s->print_status < 0)
		return s->print_status;
	if (r == -ECANCELED) {
		*s->err = why;
		return r;
	}
	if ((r == -HXS_ENOSUCH || r == -HXS_EBUSY) && listed)
		return 0; /* removed since it was listed, or just now */
	s->checked++;
	printed = print_report(s, r, &why, &rep);
	tell_unsaved(s, &rep);
	if (r < 0)
		hxs_out_error(&why);
	/* Damage is worse news than anything else. */
	if (r < 0 && (s->worst == 0 || r == -HXS_ECORRUPT))
		s->worst = r;
	return printed;
}

/* What was left for another time. */
static int print_rest(struct run_state *s, size_t done, size_t left)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	char count[HXS_COUNT_TEXT], rest[HXS_COUNT_TEXT];
	struct hxs_json_out o;

	if (!s->tool->json) {
		if (!s->tool->quiet)
			hxs_out_talk("verified %s; %s left for another time",
				     hxs_out_count(done, "snapshot", count),
				     left == 0 ? "none is"
				     : left == 1
					     ? "1 is"
					     : hxs_out_count(left, "more are",
							     rest));
		return 0;
	}
	hxs_json_out_init(&o, &out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "type", "summary");
	hxs_json_out_uint(&o, "verified", done);
	hxs_json_out_uint(&o, "left", left);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	return hxs_out_print(&out, s->err);
}

/*
 * What comes first is done, whatever its size: else one that is larger than
 * every night's budget would never be.
 */
static int verify_list(struct run_state *s, const struct hxs_verify_due *due)
{
	struct hxs_named snap;
	uint64_t bytes;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < due->count; i++) {
		const struct hxs_due_snapshot *one = &due->snapshots[i];

		bytes = 0;
		if (s->budget < UINT64_MAX) {
			r = hxs_verify_due_bytes(s->store, one, &bytes, s->err);
			if (r == -HXS_ENOSUCH) {
				hxs_err_clear(s->err);
				r = 0; /* removed since it was listed */
				continue;
			}
			if (r < 0)
				return r;
			if (s->checked && (s->spent > s->budget ||
					   bytes > s->budget - s->spent))
				break;
		}
		snap.kind = one->kind;
		memcpy(snap.env, one->env, sizeof(snap.env));
		memcpy(snap.id, one->id, sizeof(snap.id));
		hxs_ref_format(snap.kind, snap.env, snap.id, snap.text);
		r = verify_one(s, &snap, true);
		if (__builtin_add_overflow(s->spent, bytes, &s->spent))
			s->spent = UINT64_MAX;
	}
	if (r == 0 && s->some)
		r = print_rest(s, s->checked, due->count - i);
	return r;
}

/* All of @env, or of all there are. */
static int verify_env(struct run_state *s, const char *env)
{
	HXS_AUTO_VERIFY_DUE struct hxs_verify_due due = HXS_VERIFY_DUE_INIT;
	int r;

	r = hxs_verify_due_list(s->store, env, s->before, &due, s->err);
	if (r < 0)
		return r;
	if (due.seen == 0)
		return hxs_err_set(s->err, HXS_ENOSUCH,
				   "no snapshot%s%s%s in '%s'",
				   env ? " of '" : "", env ? env : "",
				   env ? "'" : "", hxs_store_path(s->store));
	return verify_list(s, &due);
}

static int verify(struct run_state *s, const char *word,
		  const struct hxs_ref *ref)
{
	struct hxs_named snap;
	int r;

	if (!word || ref->which == HXS_REF_ENV) {
		r = verify_env(s, word ? ref->env : NULL);
	} else {
		r = hxs_tool_resolve(s->store, ref, &snap, s->err);
		if (r == 0)
			r = verify_one(s, &snap, false);
	}
	if (r < 0)
		return s->worst == -HXS_ECORRUPT && r == -ECANCELED ? s->worst
								    : r;
	return s->worst;
}

/* A time, or how long ago that was. */
static int take_before(struct run_state *s, const char *text)
{
	struct timespec now;
	uint64_t seconds;

	hxs_clock_now(&now);
	if (hxs_config_duration(text, &seconds)) {
		s->before = now.tv_sec - (int64_t)seconds;
		return 0;
	}
	if (hxs_clock_parse_rfc3339(text, &s->before) >= 0)
		return 0;
	(void)hxs_err_set(s->err, HXS_EUSAGE,
			  "option '--older-than': '%s' is neither a duration "
			  "nor a time",
			  text);
	hxs_err_hint(s->err, "such as 7d (s, m, h, d) or "
			     "2026-02-05T15:29:00Z");
	return -HXS_EUSAGE;
}

static int take_options(struct run_state *s, bool one)
{
	const struct hxs_args *args = s->tool->args;
	const char *older = hxs_args_value(args, "older-than");
	const char *budget = hxs_args_value(args, "budget");

	s->before = INT64_MAX;
	s->budget = UINT64_MAX;
	s->some = older || budget;
	if (s->some && one) {
		(void)hxs_err_set(s->err, HXS_EUSAGE,
				  "option '--%s' wants an environment or "
				  "'--all'",
				  older ? "older-than" : "budget");
		hxs_err_hint(s->err, "a snapshot that is named is verified in "
				     "any case");
		return -HXS_EUSAGE;
	}
	if (budget && !hxs_config_size(budget, &s->budget)) {
		(void)hxs_err_set(s->err, HXS_EUSAGE,
				  "option '--budget': '%s' is no size", budget);
		hxs_err_hint(s->err, "such as 20GiB (B, KiB, MiB, GiB, TiB)");
		return -HXS_EUSAGE;
	}
	return older ? take_before(s, older) : 0;
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	struct run_state s = { .tool = tool, .err = err };
	bool all = hxs_args_has(tool->args, "all");
	struct hxs_ref ref = { .which = HXS_REF_ENV };
	const char *word = NULL;
	int r;

	r = hxs_args_words(tool->args, all ? 0 : 1, all ? 0 : 1,
			   "a snapshot, an environment or '--all'", err);
	if (r == 0 && !all) {
		word = tool->args->word[0];
		r = hxs_ref_parse(word, &ref, err);
	}
	if (r == 0)
		r = take_options(&s, word && ref.which != HXS_REF_ENV);
	if (r == 0)
		r = hxs_tool_store(tool, word ? ref.env : NULL, NULL, err);
	if (r < 0)
		return r;
	s.store = tool->store;
	hxs_meter_init(&s.meter, tool->quiet);
	r = verify(&s, word, &ref);
	hxs_meter_release(&s.meter);
	return r;
}

static const struct hxs_opt opts[] = {
	{ "all", 0, NULL, "every snapshot of the store" },
	{ "older-than", 0, "TIME", "only what was not verified since" },
	{ "budget", 0, "SIZE", "no more than so much, but one at least" },
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_verify = {
	.name = "verify",
	.synopsis = "REF | ENV | --all [--older-than TIME] [--budget SIZE]",
	.summary = "read and check everything, report every fault",
	.text = "Faults are lines on standard output: what kind, where, why. "
		"An environment\nmeans its backups and its rollback points. "
		"The status is 3 if anything is\ndamaged; the others are "
		"looked at all the same.\n",
	.opts = opts,
	.run = run,
};
