#ifndef HXS_VERBS_RELAY_H
#define HXS_VERBS_RELAY_H

/* From what works for a verb to the verb's listener. For verbs/ only. */
#include "source/capture.h"
#include "store/content.h"
#include "verbs/progress.h"

struct hxs_relay {
	const struct hxs_listener *to; /* may be NULL */
	const char *phase; /* a static string */
	uint64_t files_total, bytes_total; /* 0: not known */
};

/* Ears that tell @r's listener; @r must stay where it is. */
struct hxs_capture_ears hxs_relay_ears(struct hxs_relay *r);

/* Tell that @phase begins, with so much done. */
void hxs_relay_enter(struct hxs_relay *r, const char *phase, uint64_t files,
		     uint64_t bytes);

void hxs_relay_warn(const struct hxs_relay *r, const char *text);

/* The same question, for store/content.h; @r must stay where it is. */
struct hxs_stop hxs_relay_stop(struct hxs_relay *r);

/* -ECANCELED when the listener wants an end, else 0. */
HXS_MUST_CHECK
int hxs_relay_goes_on(const struct hxs_relay *r, struct hxs_err *err);

#endif
