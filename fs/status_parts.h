#ifndef HXFS_STATUS_PARTS_H
#define HXFS_STATUS_PARTS_H

/* What fs/status.c and fs/status_control.c share. */
#include "base/json.h"
#include "fs/hxfs.h"

void hxfs_status_time(struct hxs_json_out *o, const char *key, int64_t sec);

/*
 * The command under way, if it concerns @env (NULL: any) and snapshot @ref
 * (NULL: any).
 */
void hxfs_status_operation(struct hxs_json_out *o, struct hxfs *fs,
			   const char *env, const char *ref);

void hxfs_status_recovery(struct hxs_json_out *o, const struct hxfs *fs);

#endif
