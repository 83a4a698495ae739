#ifndef HXS_TOOLS_CHECK_OUT_H
#define HXS_TOOLS_CHECK_OUT_H

/* How `check` tells what it found: to a person, a program, a monitor. */
#include "base/buf.h"
#include "verbs/check.h"

/* The lines of text; the first one alone if @brief. */
void hxs_check_out_text(const struct hxs_check_facts *f,
			const struct hxs_check_report *r, bool brief,
			struct hxs_buf *out);

/* One object. */
void hxs_check_out_json(const struct hxs_check_facts *f,
			const struct hxs_check_report *r, struct hxs_buf *out);

/* Prometheus' text. */
void hxs_check_metrics_put(const struct hxs_check_facts *f,
			   const struct hxs_check_report *r,
			   struct hxs_buf *out);

/* The same into @file, whole or not at all. */
HXS_MUST_CHECK
int hxs_check_metrics_write(const struct hxs_check_facts *f,
			    const struct hxs_check_report *r, const char *file,
			    struct hxs_err *err);

#endif
