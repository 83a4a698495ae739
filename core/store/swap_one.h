#ifndef HXS_STORE_SWAP_ONE_H
#define HXS_STORE_SWAP_ONE_H

/* The swap of one name. For swap*.c only. */
#include "store/swap.h"

/* Where one move takes place, and what has which name now. */
struct hxs_swap_step {
	const struct hxs_target *t;
	const struct hxs_move *m;
	int live_dir, stage; /* borrowed */
	char fresh[32], kept[32]; /* "new-N" and "old-N" */
	struct hxs_ident live, in_fresh, in_kept; /* found by the calls */
};

/*
 * Give the name its new file, or back its old one, whatever of it was done
 * before. To *@absent (may be NULL) the seconds are added during which the
 * name had no file. -HXS_ECORRUPT when it is neither of the two, -errno.
 */
HXS_MUST_CHECK
int hxs_swap_one_forward(struct hxs_swap_step *s, double *absent,
			 struct hxs_err *err);
HXS_MUST_CHECK
int hxs_swap_one_back(struct hxs_swap_step *s, struct hxs_err *err);

/* That the move failed with @r, -errno, as a status with a sentence. */
HXS_MUST_CHECK
int hxs_swap_one_cannot(const struct hxs_swap_step *s, int r,
			struct hxs_err *err);

/* A rename that replaces nothing: 0 or -errno. */
HXS_MUST_CHECK
int hxs_swap_move(int from_dir, const char *from, int to_dir, const char *to);

/* Whether what was @found is there at all and is @want. */
static inline bool hxs_swap_is(const struct hxs_ident *found,
			       const struct hxs_ident *want)
{
	return want->ino != 0 && hxs_ident_equal(found, want);
}

#endif
