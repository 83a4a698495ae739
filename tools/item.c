#include "tools/item.h"

#include "tools/out.h"

int64_t hxs_item_created(const struct hxs_history_item *item)
{
	int64_t sec = 0;

	if (item->has_meta)
		return item->meta.created;
	(void)hxs_clock_parse_id(item->id, &sec); /* the store checked it */
	return sec;
}

const char *hxs_item_kind(const struct hxs_history_item *item)
{
	return item->kind == HXS_ROLLBACK ? "rollback" : "backup";
}

static void put_result(const struct hxs_history_item *item,
		       struct hxs_json_out *o)
{
	const struct hxs_result *res = &item->result;

	if (!item->has_result) {
		hxs_json_out_null(o, "verified");
		return;
	}
	hxs_json_out_object(o, "verified");
	hxs_json_out_bool(o, "passed", res->passed);
	hxs_out_json_time(o, "when", res->when);
	hxs_json_out_uint(o, "files", res->files);
	hxs_json_out_uint(o, "bytes", res->bytes);
	hxs_json_out_uint(o, "faults", res->faults);
	hxs_json_out_string(o, "first_fault",
			    *res->first_fault ? res->first_fault : NULL);
	hxs_json_out_bool(o, "by_reader", res->by_reader);
	hxs_json_out_end_object(o);
}

void hxs_item_json(const struct hxs_history_item *item, struct hxs_json_out *o)
{
	char ref[HXS_REF_TEXT];
	uint64_t files, bytes;
	size_t i;

	hxs_ref_format(item->kind, item->env, item->id, ref);
	hxs_json_out_string(o, "reference", ref);
	hxs_json_out_string(o, "environment", item->env);
	hxs_json_out_string(o, "id", item->id);
	hxs_json_out_string(o, "kind", hxs_item_kind(item));
	hxs_out_json_time(o, "created", hxs_item_created(item));
	if (hxs_history_totals(item, &files, &bytes)) {
		hxs_json_out_uint(o, "files", files);
		hxs_json_out_uint(o, "bytes", bytes);
	} else {
		hxs_json_out_null(o, "files");
		hxs_json_out_null(o, "bytes");
	}
	hxs_json_out_array(o, "tags");
	for (i = 0; item->has_meta && i < item->meta.tag_count; i++)
		hxs_json_out_string(o, NULL, item->meta.tags[i]);
	hxs_json_out_end_array(o);
	hxs_json_out_bool(o, "kept", item->pinned);
	hxs_json_out_bool(o, "foreign", item->foreign);
	put_result(item, o);
	hxs_json_out_bool(o, "readable", item->readable);
	hxs_json_out_string(o, "reason", item->readable ? NULL : item->reason);
}
