#ifndef HXS_TOOLS_COMPLETE_H
#define HXS_TOOLS_COMPLETE_H

/*
 * What may stand next on a command line: the candidates that a shell offers.
 * All that is known of commands comes from their rows, as for the help.
 */
#include "base/buf.h"
#include "tools/cmd.h"

#include <stdbool.h>
#include <stddef.h>

/* Candidates on their way out. */
struct hxs_offers {
	struct hxs_tool *tool; /* with the line's own --config and --store */
	const char *begun; /* what each begins with */
	struct hxs_buf out; /* "candidate TAB description" a line */
};

/* Offer @text if it begins as it must; @about may be NULL. */
void hxs_offer(struct hxs_offers *o, const char *text, const char *about);

/*
 * Offer what stands for @kind: "ENV", "REF", "PATH", "COMMAND", "FILE", "DIR",
 * or a word that is itself; nothing for any other. @first is the command's
 * first word, or NULL. FILE and DIR are left to the shell, by a line ":FILE"
 * or ":DIR". Whatever goes wrong only means fewer candidates.
 */
void hxs_offer_kind(struct hxs_offers *o, const char *kind, size_t len,
		    const char *first);

#endif
