#include "tools/args.h"

#include "base/path.h"
#include "tools/cmd.h"

#include <errno.h>
#include <string.h>

const struct hxs_opt hxs_global_opts[] = {
	{ "config", 0, "FILE", "the configuration to use" },
	{ "store", 0, "DIR", "the store, instead of the configuration's" },
	{ "json", 0, NULL, "print results as JSON" },
	{ "quiet", 'q', NULL, "no progress, warnings or summaries" },
	{ "help", 'h', NULL, "print this help" },
	{ "version", 0, NULL, "print the version" },
	{ NULL, 0, NULL, NULL },
};

static int hint(const struct hxs_args *args, struct hxs_err *err, int r)
{
	if (args->cmd)
		hxs_err_hint(err, "run '" HXS_TOOL_NAME " %s -h' for its usage",
			     args->cmd->name);
	else
		hxs_err_hint(err, "run '" HXS_TOOL_NAME
				  " -h' for the commands and options");
	return r;
}

static const struct hxs_opt *find_long(const struct hxs_opt *table,
				       const char *name, size_t len)
{
	for (; table && table->name; table++)
		if (strlen(table->name) == len &&
		    memcmp(table->name, name, len) == 0)
			return table;
	return NULL;
}

static const struct hxs_opt *find_letter(const struct hxs_opt *table, char c)
{
	for (; table && table->name; table++)
		if (table->letter == c)
			return table;
	return NULL;
}

static int take(struct hxs_args *args, const struct hxs_opt *opt,
		const char *value, struct hxs_err *err)
{
	if (value && !*value)
		return hint(args, err,
			    hxs_err_set(err, HXS_EUSAGE,
					"option '--%s' wants %s, and got an "
					"empty word",
					opt->name, opt->arg));
	args->given[args->given_count++] =
		(struct hxs_given){ .opt = opt, .value = value };
	return 0;
}

/* @argv[*i] begins with two dashes. */
static int parse_long(struct hxs_args *args, int argc, char **argv, int *i,
		      struct hxs_err *err)
{
	const char *name = argv[*i] + 2, *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	const struct hxs_opt *opt = find_long(hxs_global_opts, name, len);
	int r = 0;

	if (!opt && args->cmd)
		opt = find_long(args->cmd->opts, name, len);
	if (value)
		value++;
	if (!opt)
		r = hxs_err_set(err, HXS_EUSAGE, "unknown option '--%.*s'",
				(int)len, name);
	else if (!opt->arg && value)
		r = hxs_err_set(err, HXS_EUSAGE,
				"option '--%s' takes no argument", opt->name);
	else if (opt->arg && !value && *i + 1 == argc)
		r = hxs_err_set(err, HXS_EUSAGE, "option '--%s' wants %s",
				opt->name, opt->arg);
	if (r < 0)
		return hint(args, err, r);
	if (opt->arg && !value)
		value = argv[++*i];
	return take(args, opt, value, err);
}

/* Letters take no arguments, so that several may share a dash. */
static int parse_letters(struct hxs_args *args, const char *letters,
			 struct hxs_err *err)
{
	const struct hxs_opt *opt;
	int r;

	for (; *letters; letters++) {
		opt = find_letter(hxs_global_opts, *letters);
		if (!opt && args->cmd)
			opt = find_letter(args->cmd->opts, *letters);
		if (!opt)
			return hint(args, err,
				    hxs_err_set(err, HXS_EUSAGE,
						"unknown option '-%s'",
						letters));
		r = take(args, opt, NULL, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_word(struct hxs_args *args, const char *word,
		      struct hxs_err *err)
{
	if (args->cmd) {
		args->word[args->word_count++] = word;
		return 0;
	}
	args->cmd = hxs_cmd_find(word);
	return args->cmd ? 0 : hxs_cmd_unknown(word, err);
}

static size_t letters_in(int argc, char **argv)
{
	size_t n = 0;
	int i;

	for (i = 1; i < argc; i++)
		n += strlen(argv[i]) + 1;
	return n;
}

int hxs_args_parse(int argc, char **argv, struct hxs_args *out,
		   struct hxs_err *err)
{
	bool options = true;
	int i, r = 0;

	*out = (struct hxs_args){ .cmd = NULL };
	/* No more options than letters, no more words than arguments. */
	out->given = calloc(letters_in(argc, argv) + 1, sizeof(*out->given));
	out->word = calloc((size_t)argc + 1, sizeof(*out->word));
	if (!out->given || !out->word)
		return hxs_err_errno(err, ENOMEM,
				     "cannot read the command line");

	for (i = 1; r == 0 && i < argc; i++) {
		if (!options || argv[i][0] != '-' || argv[i][1] == '\0')
			r = parse_word(out, argv[i], err);
		else if (strcmp(argv[i], "--") == 0)
			options = false;
		else if (argv[i][1] == '-')
			r = parse_long(out, argc, argv, &i, err);
		else
			r = parse_letters(out, argv[i] + 1, err);
	}
	return r;
}

void hxs_args_release(struct hxs_args *args)
{
	free(args->given);
	free(args->word);
	*args = (struct hxs_args){ .cmd = NULL };
}

static const struct hxs_given *last(const struct hxs_args *args,
				    const char *name)
{
	size_t i;

	for (i = args->given_count; i-- > 0;)
		if (strcmp(args->given[i].opt->name, name) == 0)
			return &args->given[i];
	return NULL;
}

bool hxs_args_has(const struct hxs_args *args, const char *name)
{
	return last(args, name) != NULL;
}

const char *hxs_args_value(const struct hxs_args *args, const char *name)
{
	const struct hxs_given *given = last(args, name);

	return given ? given->value : NULL;
}

int hxs_args_words(const struct hxs_args *args, size_t min, size_t max,
		   const char *what, struct hxs_err *err)
{
	if (args->word_count < min)
		return hint(args, err,
			    hxs_err_set(err, HXS_EUSAGE, "%s wants %s",
					args->cmd->name, what));
	if (args->word_count > max)
		return hint(args, err,
			    hxs_err_set(err, HXS_EUSAGE, "unexpected word '%s'",
					args->word[max]));
	return 0;
}

int hxs_args_apart(const struct hxs_args *args, const char *a, const char *b,
		   struct hxs_err *err)
{
	if (!hxs_args_has(args, a) || !hxs_args_has(args, b))
		return 0;
	return hint(args, err,
		    hxs_err_set(err, HXS_EUSAGE,
				"options '--%s' and '--%s' exclude each other",
				a, b));
}

int hxs_args_env(const char *word, struct hxs_err *err)
{
	if (hxs_path_is_name(word))
		return 0;
	(void)hxs_err_set(err, HXS_EUSAGE, "'%s' is no environment's name",
			  word);
	hxs_err_hint(err, "a name is made of a-z, 0-9, '_' and '-', begins "
			  "with a letter or digit, and has at most 64");
	return -HXS_EUSAGE;
}
