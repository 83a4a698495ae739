#ifndef HXS_VERBS_VERIFY_DUE_H
#define HXS_VERBS_VERIFY_DUE_H

/*
 * Which snapshots are to be verified again, and in which order, so that a
 * little of it every night goes round all of them.
 */
#include "base/err.h"
#include "format/ref.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hxs_due_snapshot {
	enum hxs_kind kind;
	char env[HXS_ENV_MAX + 1];
	char id[HXS_ID_LEN + 1];
	bool ever; /* it was verified, whatever that found, */
	int64_t when; /* then */
};

struct hxs_verify_due {
	struct hxs_due_snapshot *snapshots; /* first what is first to be done */
	size_t count;
	size_t seen; /* of all there are */
};
#define HXS_VERIFY_DUE_INIT       \
	{                         \
		.snapshots = NULL \
	}
void hxs_verify_due_release(struct hxs_verify_due *d);
#define HXS_AUTO_VERIFY_DUE __attribute__((cleanup(hxs_verify_due_release)))

/*
 * Backups and rollback points of @env, or of all with NULL, that were never
 * verified or not since @before: never verified ones first, then those whose
 * result is the oldest; among equals the older snapshot first. A result that is
 * dated in the future counts as none.
 */
HXS_MUST_CHECK
int hxs_verify_due_list(const struct hxs_store *s, const char *env,
			int64_t before, struct hxs_verify_due *out,
			struct hxs_err *err);

/*
 * How many bytes verifying it would read, 0 where that cannot be told: there
 * verify will say why. -HXS_ENOSUCH, -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_verify_due_bytes(const struct hxs_store *s,
			 const struct hxs_due_snapshot *one, uint64_t *out,
			 struct hxs_err *err);

#endif
