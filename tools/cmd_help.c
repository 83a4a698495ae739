#include "tools/cmd.h"

#include <stdio.h>
#include <string.h>

/* Failures to print stay with the stream; hxs_out_finish() asks for them. */

static void print_opts(const struct hxs_opt *opt)
{
	char left[64];

	for (; opt->name; opt++) {
		(void)snprintf(left, sizeof(left), "%c%c%s--%s%s%s",
			       opt->letter ? '-' : ' ',
			       opt->letter ? opt->letter : ' ',
			       opt->letter ? ", " : "  ", opt->name,
			       opt->arg ? " " : "", opt->arg ? opt->arg : "");
		(void)printf("  %-20s  %s\n", left, opt->help);
	}
}

static void print_cmd(const struct hxs_cmd *cmd)
{
	(void)printf("usage: %s %s%s%s\n\n%s\n", HXS_TOOL_NAME, cmd->name,
		     *cmd->synopsis ? " " : "", cmd->synopsis, cmd->summary);
	if (cmd->text)
		(void)printf("\n%s", cmd->text);
	if (cmd->opts) {
		(void)printf("\noptions:\n");
		print_opts(cmd->opts);
	}
	(void)printf("\noptions of every command:\n");
	print_opts(hxs_global_opts);
}

static void print_all(void)
{
	size_t i;

	(void)printf("usage: %s [OPTION]... COMMAND [WORD]...\n\n"
		     "checksummed backups that are plain files\n\ncommands:\n",
		     HXS_TOOL_NAME);
	for (i = 0; hxs_cmds[i]; i++)
		(void)printf("  %-8s %s\n", hxs_cmds[i]->name,
			     hxs_cmds[i]->summary);
	(void)printf("\noptions:\n");
	print_opts(hxs_global_opts);
	(void)printf("\nA snapshot is named ENV/ID, ENV/latest, "
		     "ENV/latest-verified, ENV@TIME,\n"
		     "ENV/.rollbacks/ID or ENV/.rollbacks/latest; an ID may be "
		     "cut "
		     "short.\n"
		     "Exit status: 0 done, 1 failed, 2 usage, 3 damage found, "
		     "4 no such thing,\n5 refused, 6 busy. "
		     "'%s help COMMAND' and hxsnap(1) tell more.\n",
		     HXS_TOOL_NAME);
}

void hxs_help_print(const struct hxs_cmd *cmd)
{
	if (cmd)
		print_cmd(cmd);
	else
		print_all();
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	const struct hxs_cmd *cmd = NULL;
	int r;

	r = hxs_args_words(tool->args, 0, 1, "", err);
	if (r < 0)
		return r;
	if (tool->args->word_count == 1) {
		cmd = hxs_cmd_find(tool->args->word[0]);
		if (!cmd)
			return hxs_cmd_unknown(tool->args->word[0], err);
	}
	hxs_help_print(cmd);
	return 0;
}

const struct hxs_cmd hxs_cmd_help = {
	.name = "help",
	.synopsis = "[COMMAND]",
	.summary = "tell what a command does",
	.run = run,
};
