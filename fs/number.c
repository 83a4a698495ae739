#include "fs/number.h"

#include "base/cleanup.h"
#include "base/digest.h"

#include <string.h>

#define CLASS_SHIFT 60
#define CLASS_ENTRY 0u
#define CLASS_LINK 1u
#define CLASS_TEXT 2u
#define CLASS_CONTROL 3u
#define CLASS_TRAIL 4u
#define REST_MASK ((UINT64_C(1) << CLASS_SHIFT) - 1)

#define WHICH_SHIFT 58
#define ENV_SHIFT 39
/* An id's year is 1 at least, which lies before 1970: count from there. */
#define SECONDS_BIAS INT64_C(62135596800)
#define SECONDS_MASK ((UINT64_C(1) << ENV_SHIFT) - 1)

#define FIRST_ENV 16u
#define ENV_SELF 0u
#define ENV_STATUS 1u
#define ENV_ROLLBACKS 2u
#define ENV_CONTROL 3u /* in attributes alone */
#define ENV_HISTORY 4u

/* Of a .control. */
#define OF_SHIFT 58
#define OF_WHICH_SHIFT 30
#define OF_WHICH_MASK ((1u << 28) - 1)
#define OF_SERIAL_MASK ((1u << OF_WHICH_SHIFT) - 1)

static const enum hxfs_kind control_of[] = { HXFS_IS_ROOT, HXFS_IS_ENV,
					     HXFS_IS_SNAPSHOT };

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
	case ENV_HISTORY:
		out->kind = HXFS_IS_HISTORY;
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

static void decode_control(uint64_t rest, struct hxfs_node *out)
{
	uint32_t which = (uint32_t)(rest >> OF_WHICH_SHIFT) & OF_WHICH_MASK;
	size_t of = (size_t)(rest >> OF_SHIFT);

	if (of >= HXS_ARRAY_LEN(control_of))
		return;
	out->kind = HXFS_IS_CONTROL;
	out->of = control_of[of];
	out->serial = rest & OF_SERIAL_MASK;
	if (out->of == HXFS_IS_ENV)
		out->env = which;
	else if (out->of == HXFS_IS_SNAPSHOT)
		out->slot = which;
}

void hxfs_number_decode(uint64_t ino, struct hxfs_node *out)
{
	uint64_t rest = ino & REST_MASK;
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
	case CLASS_CONTROL:
		decode_control(rest, out);
		break;
	case CLASS_TRAIL:
		out->kind = HXFS_IS_TRAIL;
		break;
	default:
		break;
	}
}

uint64_t hxfs_number_env(uint32_t env, enum hxfs_kind kind)
{
	uint32_t own = kind == HXFS_IS_ENV_STATUS  ? ENV_STATUS
		       : kind == HXFS_IS_ROLLBACKS ? ENV_ROLLBACKS
		       : kind == HXFS_IS_CONTROL   ? ENV_CONTROL
		       : kind == HXFS_IS_HISTORY   ? ENV_HISTORY
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
	return (uint64_t)CLASS_TEXT << CLASS_SHIFT | (serial & REST_MASK);
}

uint64_t hxfs_number_trail(uint64_t parent, const char *name)
{
	struct hxs_digest digest;
	struct hxs_hasher h;
	uint64_t number;

	hxs_hasher_init(&h);
	hxs_hasher_update(&h, &parent, sizeof(parent));
	hxs_hasher_update(&h, name, strlen(name));
	hxs_hasher_final(&h, &digest);
	memcpy(&number, digest.b, sizeof(number));
	return (uint64_t)CLASS_TRAIL << CLASS_SHIFT | (number & REST_MASK);
}

uint64_t hxfs_number_control(enum hxfs_kind of, uint32_t which, uint32_t serial)
{
	uint64_t i = of == HXFS_IS_SNAPSHOT ? 2 : of == HXFS_IS_ENV ? 1 : 0;

	return (uint64_t)CLASS_CONTROL << CLASS_SHIFT | i << OF_SHIFT |
	       (uint64_t)(which & OF_WHICH_MASK) << OF_WHICH_SHIFT |
	       (serial & OF_SERIAL_MASK);
}

uint64_t hxfs_number_control_file(const struct hxfs_node *control)
{
	if (control->of == HXFS_IS_SNAPSHOT)
		return hxfs_number_entry(control->slot, HXFS_N_CONTROL);
	if (control->of == HXFS_IS_ENV)
		return hxfs_number_env(control->env, HXFS_IS_CONTROL);
	return HXFS_ROOT_CONTROL;
}
