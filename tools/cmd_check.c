#include "tools/check_out.h"
#include "tools/cmd.h"
#include "tools/out.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

/* What a monitor takes: 0 to 3. What we could not do is not known. */
static int ends_with(int r)
{
	return r < 0 ? HXS_CHECK_UNKNOWN : r;
}

/* A store that was named needs no configuration, though it helps. */
static int look(struct hxs_tool *tool, struct hxs_check_facts *facts,
		struct hxs_check_report *report, struct hxs_err *err)
{
	HXS_AUTO(config) struct hxs_config *config = NULL;
	const char *path = hxs_args_value(tool->args, "store");
	const char *env = NULL;
	int r;

	r = hxs_args_words(tool->args, 0, 1, "", err);
	if (r == 0 && tool->args->word_count) {
		env = tool->args->word[0];
		r = hxs_args_env(env, err);
	}
	if (r < 0)
		return r;
	r = hxs_tool_config(tool, env, &config, err);
	if (r == -HXS_ENOSUCH && path && !hxs_args_has(tool->args, "config") &&
	    !getenv("HXSNAP_CONFIG")) {
		hxs_err_clear(err);
		r = 0;
	}
	if (r == 0)
		r = hxs_tool_store_at(tool, path ? path : config->store, env,
				      err);
	if (r == 0)
		r = hxs_check_gather(tool->store, config, env, facts, err);
	if (r == 0)
		r = hxs_check_judge(facts, report);
	if (r < 0 && !err->code)
		return hxs_err_errno(err, -r, "cannot judge what was found");
	return r;
}

/* That something could not be done is a finding of its own. */
static int add_failure(struct hxs_check_report *report,
		       const struct hxs_err *why)
{
	struct hxs_check_finding one = { .state = HXS_CHECK_UNKNOWN,
					 .condition = HXS_CHECK_ACCESS };

	(void)snprintf(one.text, sizeof(one.text), "%.700s", why->message);
	(void)snprintf(one.action, sizeof(one.action), "%.250s", why->hint);
	return hxs_check_add(report, &one);
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	HXS_AUTO_CHECK_REPORT struct hxs_check_report report = { .count = 0 };
	HXS_AUTO_CHECK_FACTS struct hxs_check_facts facts = { .now = 0 };
	const char *file = hxs_args_value(tool->args, "metrics");
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct hxs_err why = HXS_ERR_INIT;
	struct timespec now;
	int r;

	hxs_clock_now(&now);
	facts.now = now.tv_sec;
	r = look(tool, &facts, &report, &why);
	/* What is said of half of it could pass for all of it. */
	if (r < 0) {
		hxs_check_facts_release(&facts);
		hxs_check_report_release(&report);
		report = (struct hxs_check_report){ .count = 0 };
		facts.now = now.tv_sec;
		r = add_failure(&report, &why);
	}
	hxs_err_clear(&why);
	if (r == 0 && file &&
	    hxs_check_metrics_write(&facts, &report, file, &why) < 0)
		r = add_failure(&report, &why);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot tell what was found");
	if (tool->json)
		hxs_check_out_json(&facts, &report, &out);
	else
		hxs_check_out_text(&facts, &report, tool->quiet, &out);
	r = hxs_out_print(&out, err);
	return r < 0 ? r : (int)report.state;
}

static const struct hxs_opt opts[] = {
	{ "metrics", 0, "FILE", "write them there for Prometheus, too" },
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_check = {
	.name = "check",
	.synopsis = "[ENV] [--metrics FILE]",
	.summary = "tell what is wrong, as a monitor wants it",
	.text = "The first line is for a monitor; then each finding has one, "
		"with what to do.\nThe status is 0 if all is well, 1 for a "
		"warning, 2 if it is critical, 3 if it\ncannot be told. "
		"Nothing is changed, and nobody is kept waiting.\n",
	.opts = opts,
	.recovery = HXS_CMD_LEAVES,
	.run = run,
	.ends_with = ends_with,
};
