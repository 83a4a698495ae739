#ifndef HXS_TESTS_FUZZ_H
#define HXS_TESTS_FUZZ_H

/* What every fuzz target needs. */
#include "base/err.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* End the run with a word why; unlike assert() it cannot be compiled away. */
#define must(cond)                                                         \
	do {                                                               \
		if (!(cond)) {                                             \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
				#cond);                                    \
			abort();                                           \
		}                                                          \
	} while (0)

/* What every failure owes: its code, kept in the message too, and a reason. */
static inline void must_explain(int r, int code, const struct hxs_err *err)
{
	must(r == code || r == -ENOMEM);
	must(err->code == r);
	must(err->message[0] != '\0');
	must(!strchr(err->message, '\n') || r == -ENOMEM);
}

#endif
