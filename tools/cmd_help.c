#include "tools/cmd.h"

#include <stdio.h>
#include <string.h>

/* Failures to print stay with the stream; hxs_out_finish() asks for them. */

#define WIDTH 79 /* of a line */
#define INDENT 13 /* below the name of the program */

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

/* The length of the first piece of @s: a word, or all of a bracket. */
static int piece_of(const char *s)
{
	int depth = 0, n;

	for (n = 0; s[n] && (s[n] != ' ' || depth > 0); n++)
		depth += (s[n] == '[') - (s[n] == ']');
	return n;
}

/* In as many lines as a terminal's width wants. */
static void print_usage(const struct hxs_cmd *cmd)
{
	int at = printf("usage: %s %s", HXS_TOOL_NAME, cmd->name), n;
	const char *s;

	for (s = cmd->synopsis; *s; s += n + (s[n] == ' ')) {
		n = piece_of(s);
		if (at + 1 + n > WIDTH)
			at = printf("\n%*s", INDENT, "");
		at += printf(" %.*s", n, s);
	}
	(void)printf("\n\n%s\n", cmd->summary);
}

static void print_cmd(const struct hxs_cmd *cmd)
{
	print_usage(cmd);
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
		if (!hxs_cmds[i]->hidden)
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
