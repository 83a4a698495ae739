#include "fs/number.h"

#define CLASS_SHIFT 60
#define CLASS_ENTRY 0u
#define CLASS_LINK 1u
#define CLASS_TEXT 2u

#define WHICH_SHIFT 58
#define ENV_SHIFT 39
/* An id's year is 1 at least, which lies before 1970: count from there. */
#define SECONDS_BIAS INT64_C(62135596800)
#define SECONDS_MASK ((UINT64_C(1) << ENV_SHIFT) - 1)

#define FIRST_ENV 16u
#define ENV_SELF 0u
#define ENV_STATUS 1u
#define ENV_ROLLBACKS 2u

static void decode_fixed(uint32_t n, struct hxfs_node *out)
{
	switch (n) {
	case HXFS_ROOT:
		out->kind = HXFS_IS_ROOT;
		return;
	case HXFS_ROOT_STATUS:
		out->kind = HXFS_IS_STATUS;
		return;
	case HXFS_ROOT_METRICS:
		out->kind = HXFS_IS_METRICS;
		return;
	default:
		break;
	}
	if (n < FIRST_ENV ||
	    (n - FIRST_ENV) / HXFS_ENV_STRIDE >= HXFS_ENV_COUNT_MAX)
		return;
	out->env = (n - FIRST_ENV) / HXFS_ENV_STRIDE;
	switch ((n - FIRST_ENV) % HXFS_ENV_STRIDE) {
	case ENV_SELF:
		out->kind = HXFS_IS_ENV;
		break;
	case ENV_STATUS:
		out->kind = HXFS_IS_ENV_STATUS;
		break;
	case ENV_ROLLBACKS:
		out->kind = HXFS_IS_ROLLBACKS;
		break;
	default:
		break;
	}
}

static void decode_entry(uint64_t rest, struct hxfs_node *out)
{
	out->slot = (uint32_t)(rest >> 32);
	out->n = (uint32_t)rest;
	if (out->slot > HXFS_SLOT_MAX)
		return;
	if (out->slot == 0)
		decode_fixed(out->n, out);
	else if (out->n == 0)
		out->kind = HXFS_IS_SNAPSHOT;
	else if (out->n == HXFS_N_STATUS)
		out->kind = HXFS_IS_SNAPSHOT_STATUS;
	else if (out->n != HXFS_N_CONTROL)
		out->kind = HXFS_IS_ENTRY;
}

void hxfs_number_decode(uint64_t ino, struct hxfs_node *out)
{
	uint64_t rest = ino & ((UINT64_C(1) << CLASS_SHIFT) - 1);
	unsigned which = (unsigned)(rest >> WHICH_SHIFT);

	*out = (struct hxfs_node){ .kind = HXFS_IS_NOTHING };
	switch (ino >> CLASS_SHIFT) {
	case CLASS_ENTRY:
		decode_entry(rest, out);
		break;
	case CLASS_LINK:
		if (which > HXFS_LATEST_ROLLBACK)
			break;
		out->kind = HXFS_IS_LINK;
		out->link = (enum hxfs_link)which;
		out->env = (uint32_t)(rest >> ENV_SHIFT) &
			   (HXFS_ENV_COUNT_MAX - 1);
		out->seconds = (int64_t)(rest & SECONDS_MASK) - SECONDS_BIAS;
		break;
	case CLASS_TEXT:
		out->kind = HXFS_IS_TEXT;
		out->serial = rest;
		break;
	default:
		break;
	}
}

uint64_t hxfs_number_env(uint32_t env, enum hxfs_kind kind)
{
	uint32_t own = kind == HXFS_IS_ENV_STATUS  ? ENV_STATUS
		       : kind == HXFS_IS_ROLLBACKS ? ENV_ROLLBACKS
						   : ENV_SELF;

	return FIRST_ENV + (uint64_t)env * HXFS_ENV_STRIDE + own;
}

uint64_t hxfs_number_link(uint32_t env, enum hxfs_link link, int64_t seconds)
{
	return (uint64_t)CLASS_LINK << CLASS_SHIFT |
	       (uint64_t)link << WHICH_SHIFT | (uint64_t)env << ENV_SHIFT |
	       ((uint64_t)(seconds + SECONDS_BIAS) & SECONDS_MASK);
}

uint64_t hxfs_number_text(uint64_t serial)
{
	return (uint64_t)CLASS_TEXT << CLASS_SHIFT |
	       (serial & ((UINT64_C(1) << CLASS_SHIFT) - 1));
}
