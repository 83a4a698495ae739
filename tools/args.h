#ifndef HXS_TOOLS_ARGS_H
#define HXS_TOOLS_ARGS_H

/*
 * The command line as a model: global options, the command, its options, its
 * words.
 *
 * Long options are spelled out in full, "--tag=T" or "--tag T". A letter may
 * stand for one. Global options stand anywhere, a command's own after it;
 * "--" ends options. An option's argument is never optional and never empty.
 */
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct hxs_cmd;

struct hxs_opt {
	const char *name; /* without dashes; NULL ends a table */
	char letter; /* or 0 */
	const char *arg; /* what its argument is called; NULL: takes none */
	const char *help;
};

/* The options that every command has. */
extern const struct hxs_opt hxs_global_opts[];

struct hxs_given {
	const struct hxs_opt *opt;
	const char *value; /* NULL unless the option takes one */
};

/* All strings are borrowed from argv. */
struct hxs_args {
	const struct hxs_cmd *cmd; /* NULL: none was named */
	struct hxs_given *given; /* in the order of the command line */
	size_t given_count;
	const char **word; /* after the command */
	size_t word_count;
};

/*
 * Parse the command line. -HXS_EUSAGE naming the word that is wrong, with a
 * hint; -ENOMEM. *@out needs no initialisation and is always to be released.
 */
HXS_MUST_CHECK
int hxs_args_parse(int argc, char **argv, struct hxs_args *out,
		   struct hxs_err *err);
void hxs_args_release(struct hxs_args *args);

bool hxs_args_has(const struct hxs_args *args, const char *name);

/* The value of the last option of this name, or NULL. */
const char *hxs_args_value(const struct hxs_args *args, const char *name);

/*
 * -HXS_EUSAGE unless there are @min to @max words; @what says what the
 * command wants ("an environment").
 */
HXS_MUST_CHECK
int hxs_args_words(const struct hxs_args *args, size_t min, size_t max,
		   const char *what, struct hxs_err *err);

/* -HXS_EUSAGE if both options were given: they exclude each other. */
HXS_MUST_CHECK
int hxs_args_apart(const struct hxs_args *args, const char *a, const char *b,
		   struct hxs_err *err);

/* -HXS_EUSAGE unless @word is an environment's name. */
HXS_MUST_CHECK
int hxs_args_env(const char *word, struct hxs_err *err);

#endif
