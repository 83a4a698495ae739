#include "source/source.h"

#include "source/system.h"

static const struct hxs_source_ops *const all[] = {
	&hxs_source_directory,
	&hxs_source_sqlite,
	&hxs_source_postgres,
	&hxs_source_command,
};

const struct hxs_source_ops *hxs_source_ops(enum hxs_source_kind kind)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(all); i++)
		if (all[i]->kind == kind)
			return all[i];
	return NULL;
}
