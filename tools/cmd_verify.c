#include "tools/cmd.h"
#include "tools/out.h"
#include "tools/progress.h"
#include "verbs/verify.h"

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
	hxs_out_json_seconds(&o, "seconds", rep->seconds);
	hxs_json_out_string(&o, "message", r == 0 ? NULL : why->message);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	return hxs_out_print(&out, s->err);
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
	if (r == -HXS_ENOSUCH && listed)
		return 0; /* removed since it was listed */
	s->checked++;
	printed = print_report(s, r, &why, &rep);
	if (r < 0)
		hxs_out_error(&why);
	/* Damage is worse news than anything else. */
	if (r < 0 && (s->worst == 0 || r == -HXS_ECORRUPT))
		s->worst = r;
	return printed;
}

static int verify_area(struct run_state *s, enum hxs_kind kind, const char *env)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	struct hxs_named snap = { .kind = kind };
	size_t i;
	int r;

	memcpy(snap.env, env, strlen(env) + 1);
	r = hxs_store_ids(s->store, kind, env, &ids, s->err);
	for (i = 0; r == 0 && i < ids.count; i++) {
		memcpy(snap.id, ids.name[i], sizeof(snap.id));
		hxs_ref_format(kind, env, snap.id, snap.text);
		r = verify_one(s, &snap, true);
	}
	return r;
}

static int verify_env(struct run_state *s, const char *env)
{
	int r = verify_area(s, HXS_BACKUP, env);

	return r < 0 ? r : verify_area(s, HXS_ROLLBACK, env);
}

static int verify_all(struct run_state *s)
{
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	size_t i;
	int r;

	r = hxs_store_envs(s->store, &envs, s->err);
	for (i = 0; r == 0 && i < envs.count; i++)
		r = verify_env(s, envs.name[i]);
	return r;
}

static int verify(struct run_state *s, const char *word,
		  const struct hxs_ref *ref)
{
	struct hxs_named snap;
	int r;

	if (!word)
		r = verify_all(s);
	else if (ref->which == HXS_REF_ENV)
		r = verify_env(s, ref->env);
	else {
		r = hxs_tool_resolve(s->store, ref, &snap, s->err);
		if (r == 0)
			r = verify_one(s, &snap, false);
	}
	if (r < 0)
		return s->worst == -HXS_ECORRUPT && r == -ECANCELED ? s->worst
								    : r;
	if (s->checked == 0)
		return hxs_err_set(s->err, HXS_ENOSUCH,
				   "no snapshot%s%s%s in '%s'",
				   word ? " of '" : "", word ? ref->env : "",
				   word ? "'" : "", hxs_store_path(s->store));
	return s->worst;
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
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_verify = {
	.name = "verify",
	.synopsis = "REF | ENV | --all",
	.summary = "read and check everything, report every fault",
	.text = "Faults are lines on standard output: what kind, where, why. "
		"An environment\nmeans its backups and its rollback points. "
		"The status is 3 if anything is\ndamaged; the others are "
		"looked at all the same.\n",
	.opts = opts,
	.run = run,
};
