/* What .status says of commands, and of what was interrupted before. */
#include "fs/control.h"
#include "fs/status_parts.h"

#include <string.h>

void hxfs_status_operation(struct hxs_json_out *o, struct hxfs *fs,
			   const char *env, const char *ref)
{
	struct hxfs_operation op;

	if (!hxfs_control_now(fs->control, &op) ||
	    (env && strcmp(env, op.env) != 0) ||
	    (ref && strcmp(ref, op.reference) != 0)) {
		hxs_json_out_null(o, "operation");
		return;
	}
	hxs_json_out_object(o, "operation");
	hxs_json_out_string(o, "command", hxfs_verb_name(op.verb));
	hxs_json_out_string(o, "environment", op.env[0] ? op.env : NULL);
	hxs_json_out_string(o, "reference",
			    op.reference[0] ? op.reference : NULL);
	hxfs_status_time(o, "started_at", op.started);
	hxs_json_out_uint(o, "seconds", (uint64_t)op.seconds);
	hxs_json_out_string(o, "phase", op.progress.phase);
	hxs_json_out_uint(o, "files", op.progress.files);
	hxs_json_out_uint(o, "files_total", op.progress.files_total);
	hxs_json_out_uint(o, "bytes", op.progress.bytes);
	hxs_json_out_uint(o, "bytes_total", op.progress.bytes_total);
	hxs_json_out_bool(o, "cancelling", op.cancelling);
	hxs_json_out_end_object(o);
}

void hxfs_status_recovery(struct hxs_json_out *o, const struct hxfs *fs)
{
	const struct hxs_recover_report *r = &fs->recovery;

	hxs_json_out_object(o, "recovery");
	hxs_json_out_uint(o, "finished", r->finished);
	hxs_json_out_uint(o, "undone", r->undone);
	hxs_json_out_uint(o, "busy", r->busy);
	hxs_json_out_uint(o, "removed", r->removed);
	hxs_json_out_text(o, "error", fs->recovery_error);
	hxs_json_out_end_object(o);
}
