#include "store/journal.h"
#include "tools/out.h"
#include "tools/recovery.h"

#include <string.h>

struct state {
	const struct hxs_tool *tool;
	const char *only; /* this environment; NULL: each */
	bool seen; /* it is there */
	struct hxs_recover_report sum;
	unsigned put_back; /* restores that were not confirmed */
	int failed; /* the first failure; its message is in *err */
	struct hxs_err *err;
};

static void recover_one(struct state *s, const char *env)
{
	struct hxs_err why = HXS_ERR_INIT;
	unsigned busy = s->sum.busy;
	int r;

	r = hxs_recovery_of(s->tool, env, &s->sum, &why);
	if (r == 0 && s->sum.busy != busy)
		r = hxs_err_set(&why, HXS_EBUSY,
				"environment '%s' is busy: another operation "
				"is at work",
				env);
	if (r == 0)
		r = hxs_recovery_due(s->tool, env, true, &s->put_back, &why);
	if (r < 0 && s->failed == 0) {
		s->failed = r;
		*s->err = why;
	} else if (r < 0) {
		hxs_out_error(&why);
	}
}

static bool is_in(const struct hxs_names *names, const char *name)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		if (strcmp(names->name[i], name) == 0)
			return true;
	return false;
}

/* One that cannot be recovered does not keep the others waiting. */
static void recover(struct state *s, const struct hxs_names *envs,
		    const struct hxs_names *not_those)
{
	size_t i;

	for (i = 0; i < envs->count; i++) {
		const char *env = envs->name[i];

		if ((s->only && strcmp(env, s->only) != 0) ||
		    (not_those && is_in(not_those, env)))
			continue;
		s->seen = true;
		recover_one(s, env);
	}
}

static int print(const struct state *s, struct hxs_err *err)
{
	const struct hxs_recover_report *sum = &s->sum;
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_json_out o;

	if (!s->tool->json) {
		if (s->failed == 0 && !s->tool->quiet && !sum->finished &&
		    !sum->undone && !sum->removed && !s->put_back)
			hxs_out_talk("there was nothing to recover");
		return 0;
	}
	hxs_json_out_init(&o, &out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_uint(&o, "finished", sum->finished);
	hxs_json_out_uint(&o, "undone", sum->undone);
	hxs_json_out_uint(&o, "removed", sum->removed);
	hxs_json_out_uint(&o, "put_back", s->put_back);
	hxs_json_out_uint(&o, "busy", sum->busy);
	hxs_json_out_string(&o, "message",
			    s->failed < 0 ? s->err->message : NULL);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	return hxs_out_print(&out, err);
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	HXS_AUTO_NAMES struct hxs_names journals = HXS_NAMES_INIT;
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	struct state s = { .tool = tool, .err = err };
	struct hxs_err lost = HXS_ERR_INIT;
	int r;

	r = hxs_args_words(tool->args, 0, 1, "", err);
	if (r == 0 && tool->args->word_count) {
		s.only = tool->args->word[0];
		r = hxs_args_env(s.only, err);
	}
	if (r == 0)
		r = hxs_tool_store(tool, s.only, NULL, err);
	if (r == 0)
		r = hxs_journal_envs(tool->store, &journals, err);
	if (r == 0)
		r = hxs_store_envs(tool->store, &envs, err);
	if (r < 0)
		return r;
	recover(&s, &journals, NULL);
	recover(&s, &envs, &journals);
	if (s.only && !s.seen)
		return hxs_err_set(err, HXS_ENOSUCH,
				   "no environment '%s' in store '%s'", s.only,
				   hxs_store_path(tool->store));
	r = print(&s, &lost);
	if (r == 0 || s.failed < 0)
		return s.failed;
	*err = lost;
	return r;
}

const struct hxs_cmd hxs_cmd_recover = {
	.name = "recover",
	.synopsis = "[ENV]",
	.summary = "finish or undo what a crash interrupted",
	.text = "Every other command does this first by itself. This one "
		"tells why it could\nnot be done, and removes what crashed "
		"backups left behind, too.\n",
	.recovery = HXS_CMD_LEAVES,
	.run = run,
};
