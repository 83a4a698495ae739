#ifndef HXS_TOOLS_ITEM_H
#define HXS_TOOLS_ITEM_H

/* How one snapshot is told: what `list` and `show` have in common. */
#include "base/buf.h"
#include "base/json.h"
#include "verbs/history.h"

#include <stdbool.h>
#include <stdint.h>

/* When it was made: meta.json's word, else the id's. */
int64_t hxs_item_created(const struct hxs_history_item *item);

/* "backup" or "rollback". */
const char *hxs_item_kind(const struct hxs_history_item *item);

/* Add the keys of `list --json` to the object that is open in @o. */
void hxs_item_json(const struct hxs_history_item *item, struct hxs_json_out *o);

#endif
