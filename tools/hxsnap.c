/* hxsnap: the tool. Reads the command line and runs the command. */
#include "base/log.h"
#include "tools/cmd.h"
#include "tools/out.h"

#include <stdio.h>

static int run_command(struct hxs_tool *tool, struct hxs_err *err)
{
	return hxs_tool_end(tool, tool->args->cmd->run(tool, err), err);
}

static int run(int argc, char **argv, struct hxs_args *args,
	       struct hxs_err *err)
{
	struct hxs_tool tool = { .args = args };
	int r;

	r = hxs_args_parse(argc, argv, args, err);
	if (r < 0)
		return r;
	tool.json = hxs_args_has(args, "json");
	tool.quiet = hxs_args_has(args, "quiet");
	hxs_log_set_sink(hxs_log_to_stderr, (void *)HXS_TOOL_NAME,
			 tool.quiet ? HXS_LOG_ERROR : HXS_LOG_WARN);
	if (hxs_args_has(args, "help")) {
		hxs_help_print(args->cmd);
		return 0;
	}
	if (hxs_args_has(args, "version")) {
		(void)printf("%s %s\n", HXS_TOOL_NAME, HXS_VERSION);
		return 0;
	}
	if (!args->cmd) {
		(void)hxs_err_set(err, HXS_EUSAGE, "no command was given");
		hxs_err_hint(err, "run '" HXS_TOOL_NAME " -h' for the "
				  "commands");
		return -HXS_EUSAGE;
	}
	return run_command(&tool, err);
}

int main(int argc, char **argv)
{
	struct hxs_err err = HXS_ERR_INIT, lost = HXS_ERR_INIT;
	struct hxs_args args = { .cmd = NULL };
	const struct hxs_cmd *cmd;
	int r;

	r = hxs_out_guard(&err);
	if (r == 0)
		r = run(argc, argv, &args, &err);
	if (r < 0)
		hxs_out_error(&err);
	if (hxs_out_finish(&lost) < 0) {
		hxs_out_error(&lost);
		if (r >= 0)
			r = lost.code;
	}
	cmd = args.cmd;
	hxs_args_release(&args);
	return cmd && cmd->ends_with ? cmd->ends_with(r) : hxs_err_to_exit(r);
}
