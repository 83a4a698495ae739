/*
 * The shells' completion asks this command what may stand next. It is not
 * listed in the help: nobody types it.
 */
#include "tools/complete.h"
#include "tools/out.h"

#include <string.h>

/* What stands on the line before the word that is being written. */
struct before {
	const struct hxs_cmd *cmd;
	const char *config, *store; /* or NULL */
	const struct hxs_opt *open; /* the option whose argument comes now */
	bool ended; /* by "--" */
	size_t words; /* of the command */
	const char *first; /* the first of them, or NULL */
};

/* ---- reading the line -------------------------------------------------- */

static const struct hxs_opt *find(const struct hxs_opt *table, const char *name,
				  size_t len)
{
	for (; table && table->name; table++)
		if (strlen(table->name) == len &&
		    strncmp(table->name, name, len) == 0)
			return table;
	return NULL;
}

static const struct hxs_opt *option(const struct hxs_cmd *cmd, const char *name,
				    size_t len)
{
	const struct hxs_opt *opt = find(hxs_global_opts, name, len);

	return opt || !cmd ? opt : find(cmd->opts, name, len);
}

static void take_value(struct before *b, const struct hxs_opt *opt,
		       const char *value)
{
	if (strcmp(opt->name, "config") == 0)
		b->config = value;
	else if (strcmp(opt->name, "store") == 0)
		b->store = value;
}

static void take_option(struct before *b, const char *name)
{
	size_t len = strcspn(name, "=");
	const struct hxs_opt *opt = option(b->cmd, name, len);

	if (!opt || !opt->arg)
		return;
	if (name[len] == '=')
		take_value(b, opt, name + len + 1);
	else
		b->open = opt;
}

static void take_word(struct before *b, const char *word)
{
	if (b->open) {
		take_value(b, b->open, word);
		b->open = NULL;
	} else if (!b->ended && strcmp(word, "--") == 0) {
		b->ended = true;
	} else if (!b->ended && strncmp(word, "--", 2) == 0) {
		take_option(b, word + 2);
	} else if (!b->ended && word[0] == '-' && word[1]) {
		return; /* letters take nothing */
	} else if (!b->cmd) {
		b->cmd = hxs_cmd_find(word);
	} else {
		if (b->words++ == 0)
			b->first = word;
	}
}

/* ---- what the synopsis says -------------------------------------------- */

/* The length of the next word of a synopsis, brackets and dots left out. */
static size_t next_word(const char **s)
{
	size_t len;

	*s += strspn(*s, " []");
	len = strcspn(*s, " []");
	while (len && (*s)[len - 1] == '.')
		len--;
	return len;
}

static bool is_repeated(const char *after)
{
	return strncmp(after, "...", 3) == 0 || strncmp(after, "]...", 4) == 0;
}

/*
 * Offer what word number @b->words of the command may be. "REF | ENV" is one
 * place with two kinds; of a place that is repeated there is no end.
 */
static void offer_place(struct hxs_offers *o, const struct before *b)
{
	const char *s = b->cmd->synopsis;
	const struct hxs_opt *opt;
	bool joined = false, repeated = false;
	size_t len, places = 0;

	for (; (len = next_word(&s)) > 0; s += len + strspn(s + len, ".")) {
		if (len == 1 && *s == '|') {
			joined = true;
			continue;
		}
		if (*s == '-') {
			opt = option(b->cmd, s + 2, len - 2);
			s += len;
			len = 0;
			if (opt && opt->arg)
				len = next_word(&s);
			joined = false;
			continue;
		}
		if (!joined)
			places++;
		joined = false;
		repeated = is_repeated(s + len);
		if (places == b->words + 1 || (repeated && places <= b->words))
			hxs_offer_kind(o, s, len, b->first);
	}
}

/* ---- the command ------------------------------------------------------- */

static void offer_options(struct hxs_offers *o, const struct hxs_opt *opt)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;

	for (; opt && opt->name; opt++) {
		hxs_buf_truncate(&text, 0);
		(void)hxs_buf_printf(&text, "--%s%s", opt->name,
				     opt->arg ? "=" : "");
		if (hxs_buf_status(&text) == 0)
			hxs_offer(o, hxs_buf_str(&text), opt->help);
	}
}

static void offer(struct hxs_offers *o, const struct before *b,
		  const char *present)
{
	const char *eq = strchr(present, '=');
	const struct hxs_opt *opt;

	o->begun = present;
	if (b->open) {
		hxs_offer_kind(o, b->open->arg, strlen(b->open->arg), NULL);
	} else if (!b->ended && strncmp(present, "--", 2) == 0 && eq) {
		opt = option(b->cmd, present + 2, (size_t)(eq - present) - 2);
		o->begun = eq + 1;
		if (opt && opt->arg)
			hxs_offer_kind(o, opt->arg, strlen(opt->arg), NULL);
	} else if (!b->ended && present[0] == '-') {
		offer_options(o, b->cmd ? b->cmd->opts : NULL);
		offer_options(o, hxs_global_opts);
	} else if (!b->cmd) {
		hxs_offer_kind(o, "COMMAND", strlen("COMMAND"), NULL);
	} else {
		offer_place(o, b);
	}
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	static const struct hxs_opt config = { "config", 0, "FILE", NULL };
	static const struct hxs_opt store = { "store", 0, "DIR", NULL };
	const struct hxs_args *args = tool->args;
	struct hxs_given given[2];
	struct hxs_args of_line = { .cmd = args->cmd, .given = given };
	struct hxs_tool then = { .args = &of_line, .quiet = true };
	struct hxs_offers o = { .tool = &then, .out = HXS_BUF_INIT };
	struct before b = { .cmd = NULL };
	size_t i;
	int r;

	for (i = 0; i + 1 < args->word_count; i++)
		take_word(&b, args->word[i]);
	if (b.config)
		given[of_line.given_count++] =
			(struct hxs_given){ &config, b.config };
	if (b.store)
		given[of_line.given_count++] =
			(struct hxs_given){ &store, b.store };
	offer(&o, &b, args->word_count ? args->word[i] : "");
	hxs_store_close(then.store);
	r = hxs_out_print(&o.out, err);
	hxs_buf_release(&o.out);
	return r;
}

const struct hxs_cmd hxs_cmd_complete = {
	.name = "complete",
	.synopsis = "-- [WORD]...",
	.summary = "print what the last word of a command line may become",
	.text = "For the completion of shells. The words are those after the "
		"program's name up to\nthe cursor; the last one, which may be "
		"empty, is being written.\n",
	.recovery = HXS_CMD_LEAVES,
	.hidden = true,
	.run = run,
};
