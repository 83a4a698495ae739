#ifndef HXFS_CONTROL_PARSE_H
#define HXFS_CONTROL_PARSE_H

/*
 * What is written to a control file, as commands: lines put together from
 * writes, and a line taken apart. Does no I/O and knows nothing of FUSE.
 *
 * Words are separated by blanks and tabs; within "..." these are part of the
 * word, and \" and \\ stand for the second character. Any byte that is no
 * control character may be in a word, whatever its encoding.
 */
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

#define HXFS_LINE_MAX 4096u /* bytes, the newline not counted */

/* Where the control file lies, and so what need not be said. */
enum hxfs_place { HXFS_AT_ROOT, HXFS_AT_ENV, HXFS_AT_SNAPSHOT };

enum hxfs_verb {
	HXFS_RESTORE,
	HXFS_ROLLBACK,
	HXFS_VERIFY,
	HXFS_CREATE,
	HXFS_CONFIRM,
	HXFS_CANCEL,
};

const char *hxfs_verb_name(enum hxfs_verb verb);

struct hxfs_command {
	enum hxfs_verb verb;
	const char *name; /* reference or environment; NULL: the place's */
	const char **word; /* RESTORE: paths, CREATE: tags */
	size_t count;
	bool confirmed;
	unsigned within; /* seconds in which it is to be confirmed; or 0 */
	char *text; /* where the words are */
};

/*
 * Take apart the @len bytes of a line without its newline. -HXS_EUSAGE with
 * what is wrong: control characters, a quote that does not end, an empty
 * word, an unknown verb, too few or too many words, a word like an option.
 * Whether what is named exists is not asked.
 *
 * On success release *@out; on failure *@out is untouched.
 */
HXS_MUST_CHECK
int hxfs_command_parse(const char *line, size_t len, enum hxfs_place place,
		       struct hxfs_command *out, struct hxs_err *err);
void hxfs_command_release(struct hxfs_command *c);

/* Whether a command may begin with these bytes; some that may not pass. */
bool hxfs_command_may_begin(const char *s, size_t len);

/* The line that writes to one handle have begun. */
struct hxfs_line {
	struct hxs_buf text;
	bool spoilt;
};
#define HXFS_LINE_INIT               \
	{                            \
		.text = HXS_BUF_INIT \
	}
void hxfs_line_release(struct hxfs_line *l);

/*
 * Take the bytes of one write, up to and with the first line that is not
 * blank, and blank lines after it if nothing else follows: *@taken of them.
 *
 * Returns 1 when @l->text is a whole line, to be handled and then emptied: its
 * newline has come, or the write begins a line, has no newline, is shorter
 * than HXFS_LINE_MAX and is a command as it is. 0 when more is wanted.
 *
 * -HXS_EUSAGE, and for every later write too, as nobody can tell any more
 * where a line begins: the line is too long, or no end of it could make a
 * command of it. -ENOMEM likewise.
 */
HXS_MUST_CHECK
int hxfs_line_feed(struct hxfs_line *l, enum hxfs_place place, const char *buf,
		   size_t size, size_t *taken, struct hxs_err *err);

#endif
