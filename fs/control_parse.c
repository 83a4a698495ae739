#include "fs/control_parse.h"

#include "base/path.h"
#include "format/config.h"

#include <errno.h>
#include <string.h>

#define CONFIRM "CONFIRM_LIVE="
#define CONFIRMED CONFIRM "YES"
#define WITHIN "confirm-within="
#define WITHIN_MAX 2592000u /* seconds: 30 days */
#define TAG "tag="
#define SHOWN_MAX 100u /* bytes of a word that a message repeats */

static const char *const verbs[] = {
	[HXFS_RESTORE] = "restore", [HXFS_ROLLBACK] = "rollback",
	[HXFS_VERIFY] = "verify",   [HXFS_CREATE] = "create",
	[HXFS_CONFIRM] = "confirm", [HXFS_CANCEL] = "cancel",
};

const char *hxfs_verb_name(enum hxfs_verb verb)
{
	return verbs[verb];
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "'word' IS WRONG", the word shown as a person should see it. */
static int refuse(struct hxs_err *err, const char *word, const char *wrong)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;
	size_t len = strnlen(word, SHOWN_MAX + 1);
	bool whole = len <= SHOWN_MAX;

	/* Without memory the message is without the word. */
	(void)hxs_path_show(&shown, word, whole ? len : SHOWN_MAX);
	return hxs_err_set(err, HXS_EUSAGE, "'%s'%s %s", hxs_buf_str(&shown),
			   whole ? "" : "...", wrong);
}

/* ---- words --------------------------------------------------------------- */

struct words {
	char *text;
	const char **word;
	size_t count;
};

static int check_bytes(const char *line, size_t len, struct hxs_err *err)
{
	unsigned char c;
	size_t i;

	for (i = 0; i < len; i++) {
		c = (unsigned char)line[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return hxs_err_set(err, HXS_EUSAGE,
					   "byte %zu of the line is a control "
					   "character (0x%02x)",
					   i + 1, c);
	}
	return 0;
}

/*
 * One word from @line at *@pos to *@to, which is moved behind its NUL. There
 * is room: a word is never longer than what it was made from.
 */
static int take_word(const char *line, size_t len, size_t *pos, char **to,
		     struct hxs_err *err)
{
	bool quoted = false;
	char *at = *to;
	size_t i = *pos;

	for (; i < len && (quoted || !is_blank(line[i])); i++) {
		if (line[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && line[i] == '\\') {
			i++;
			if (i == len || (line[i] != '"' && line[i] != '\\'))
				return hxs_err_set(err, HXS_EUSAGE,
						   "within quotes a backslash "
						   "stands before a quote or "
						   "another backslash");
		}
		*at++ = line[i];
	}
	if (quoted)
		return hxs_err_set(err, HXS_EUSAGE, "a quote does not end");
	if (at == *to)
		return hxs_err_set(err, HXS_EUSAGE, "a word is empty");
	*at++ = '\0';
	*to = at;
	*pos = i;
	return 0;
}

static int split(const char *line, size_t len, struct words *w,
		 struct hxs_err *err)
{
	size_t pos = 0;
	char *to;
	int r;

	r = check_bytes(line, len, err);
	if (r < 0)
		return r;
	w->text = malloc(len + 1);
	w->word = calloc(len / 2 + 2, sizeof(*w->word));
	if (!w->text || !w->word)
		return hxs_err_errno(err, ENOMEM, "cannot read the command");
	to = w->text;
	for (;;) {
		while (pos < len && is_blank(line[pos]))
			pos++;
		if (pos == len)
			return 0;
		w->word[w->count++] = to;
		r = take_word(line, len, &pos, &to, err);
		if (r < 0)
			return r;
	}
}

/* ---- commands ------------------------------------------------------------ */

static int find_verb(const char *word, struct hxs_err *err)
{
	size_t i;
	int r;

	for (i = 0; i < HXS_ARRAY_LEN(verbs); i++)
		if (strcmp(word, verbs[i]) == 0)
			return (int)i;
	r = refuse(err, word, "is no command");
	hxs_err_hint(err, "the commands are restore, rollback, confirm, "
			  "verify, create and cancel");
	return r;
}

static bool begins(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

static int take_yes(struct hxfs_command *c, const char *word,
		    struct hxs_err *err)
{
	if (strcmp(word, CONFIRMED) != 0)
		return refuse(err, word, "is not " CONFIRMED);
	if (c->confirmed)
		return refuse(err, word, "is said twice");
	c->confirmed = true;
	return 0;
}

static int take_within(struct hxfs_command *c, const char *word,
		       struct hxs_err *err)
{
	uint64_t seconds;

	if (!hxs_config_duration(word + strlen(WITHIN), &seconds) ||
	    seconds == 0 || seconds > WITHIN_MAX)
		return refuse(err, word,
			      "has no duration such as 10m, at most 30d");
	if (c->within)
		return refuse(err, word, "is said twice");
	c->within = (unsigned)seconds;
	return 0;
}

/*
 * That it is confirmed, and that it is to be, are words of their own, wherever
 * they stand; they are taken out. No source has such a name.
 */
static int take_confirmation(struct hxfs_command *c, struct hxs_err *err)
{
	size_t i, kept = 0;
	bool within;
	int r;

	for (i = 0; i < c->count; i++) {
		within = begins(c->word[i], WITHIN);
		if (!within && !begins(c->word[i], CONFIRM)) {
			c->word[kept++] = c->word[i];
			continue;
		}
		if (c->verb != HXFS_RESTORE && c->verb != HXFS_ROLLBACK)
			return refuse(err, c->word[i],
				      "has no meaning for this command");
		r = within ? take_within(c, c->word[i], err)
			   : take_yes(c, c->word[i], err);
		if (r < 0)
			return r;
	}
	c->count = kept;
	return 0;
}

static void take_name(struct hxfs_command *c)
{
	c->name = c->word[0];
	c->count--;
	memmove(c->word, c->word + 1, c->count * sizeof(*c->word));
}

/* What is not a tag before them is the environment. */
static int take_tags(struct hxfs_command *c, struct hxs_err *err)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		if (!begins(c->word[i], TAG))
			return refuse(err, c->word[i], "is no tag (tag=T)");
		c->word[i] += strlen(TAG);
		if (c->word[i][0] == '\0')
			return hxs_err_set(err, HXS_EUSAGE, "a tag is empty");
	}
	return 0;
}

static int want_name(const struct hxfs_command *c, enum hxfs_place place,
		     struct hxs_err *err)
{
	if (c->name || place != HXFS_AT_ROOT || c->verb == HXFS_CANCEL)
		return 0;
	return hxs_err_set(err, HXS_EUSAGE, "'%s' wants %s here",
			   verbs[c->verb],
			   c->verb == HXFS_RESTORE || c->verb == HXFS_VERIFY
				   ? "a reference"
				   : "an environment");
}

/*
 * Inside a snapshot nothing is named but paths and tags, so that a path can
 * never be taken for a reference; elsewhere a restore's first word is one.
 */
static int arrange(struct hxfs_command *c, enum hxfs_place place,
		   struct hxs_err *err)
{
	bool named = place != HXFS_AT_SNAPSHOT && c->verb != HXFS_CANCEL &&
		     c->count > 0 &&
		     !(c->verb == HXFS_CREATE && begins(c->word[0], TAG));
	size_t i;
	int r;

	for (i = 0; i < c->count; i++)
		if (c->word[i][0] == '-')
			return refuse(err, c->word[i],
				      "looks like an option: there are none");
	r = take_confirmation(c, err);
	if (r < 0)
		return r;
	if (named && c->count)
		take_name(c);
	r = want_name(c, place, err);
	if (r < 0 || c->verb == HXFS_RESTORE)
		return r;
	if (c->verb == HXFS_CREATE)
		return take_tags(c, err);
	if (c->count)
		return refuse(err, c->word[0],
			      place == HXFS_AT_SNAPSHOT
				      ? "is one word too many inside a snapshot"
				      : "is one word too many");
	return 0;
}

int hxfs_command_parse(const char *line, size_t len, enum hxfs_place place,
		       struct hxfs_command *out, struct hxs_err *err)
{
	struct words w = { .count = 0 };
	struct hxfs_command c;
	int r;

	r = split(line, len, &w, err);
	if (r == 0 && w.count == 0)
		r = hxs_err_set(err, HXS_EUSAGE, "there is no command");
	if (r == 0)
		r = find_verb(w.word[0], err);
	if (r >= 0) {
		c = (struct hxfs_command){
			.verb = (enum hxfs_verb)r,
			.word = w.word,
			.count = w.count - 1,
			.text = w.text,
		};
		memmove(w.word, w.word + 1, c.count * sizeof(*w.word));
		r = arrange(&c, place, err);
	}
	if (r < 0) {
		free(w.word);
		free(w.text);
		return r;
	}
	*out = c;
	return 0;
}

void hxfs_command_release(struct hxfs_command *c)
{
	free(c->word);
	free(c->text);
	*c = (struct hxfs_command){ .word = NULL };
}

bool hxfs_command_may_begin(const char *s, size_t len)
{
	size_t n = 0, i;

	if (check_bytes(s, len, NULL) < 0)
		return false;
	while (len && is_blank(*s)) {
		s++;
		len--;
	}
	if (memchr(s, '"', len))
		return true; /* it may yet end well */
	while (n < len && !is_blank(s[n]))
		n++;
	for (i = 0; i < HXS_ARRAY_LEN(verbs); i++)
		if (n <= strlen(verbs[i]) && strncmp(s, verbs[i], n) == 0 &&
		    (n == len || verbs[i][n] == '\0'))
			return true;
	return false;
}
