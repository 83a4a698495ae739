/*
 * Included first by the analyzers of `make lint`, never by a build: what
 * they cannot know of our conventions. errno is positive after a failure,
 * and the functions that record an error return a negative status. Without
 * this every "r = f(&out); if (r < 0) return r;" looks as if out might be
 * used without having been set.
 */
#include "base/err.h"

#include <errno.h>

#define HXS_LINT_ASSUME(cond)                    \
	do {                                     \
		if (!(cond))                     \
			__builtin_unreachable(); \
	} while (0)

#undef errno
#define errno                                 \
	(*({                                  \
		int *e_ = __errno_location(); \
		HXS_LINT_ASSUME(*e_ > 0);     \
		e_;                           \
	}))

#define HXS_LINT_NEGATIVE(call)          \
	({                               \
		int r_ = (call);         \
		HXS_LINT_ASSUME(r_ < 0); \
		r_;                      \
	})
#define hxs_err_set(...) HXS_LINT_NEGATIVE((hxs_err_set)(__VA_ARGS__))
#define hxs_err_errno(...) HXS_LINT_NEGATIVE((hxs_err_errno)(__VA_ARGS__))
