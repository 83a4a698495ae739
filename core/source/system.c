#include "source/system.h"

static const struct hxs_system_ops *const all[] = {
	NULL, /* the end */
};

const struct hxs_system_ops *hxs_system_ops(enum hxs_source_kind kind)
{
	size_t i;

	for (i = 0; all[i]; i++)
		if (all[i]->kind == kind)
			return all[i];
	return NULL;
}
