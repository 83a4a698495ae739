/* What a control file says when it is read. */
#include "base/clock.h"
#include "base/json.h"
#include "fs/control_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void hxfs_outcome_release(struct hxfs_outcome *o)
{
	unsigned i;

	for (i = 0; i < HXFS_WARNINGS; i++)
		free(o->warning[i]);
}

static void put_known(struct hxs_json_out *o, const char *key, const char *s)
{
	hxs_json_out_string(o, key, s[0] ? s : NULL);
}

static void put_error(struct hxs_json_out *o, int status)
{
	const char *name = NULL;
	char number[16];
	int e;

	if (status < 0) {
		e = hxs_err_to_errno(status);
		name = strerrorname_np(e);
		(void)snprintf(number, sizeof(number), "%d", e);
	}
	hxs_json_out_string(o, "error", status < 0 && !name ? number : name);
}

static void put_seconds(struct hxs_json_out *o, double seconds)
{
	/* Milliseconds are more than anybody looks at. */
	hxs_json_out_double(o, "seconds",
			    (double)(uint64_t)(seconds * 1000) / 1000);
}

static void put_warnings(struct hxs_json_out *out, const struct hxfs_outcome *o)
{
	unsigned i;

	hxs_json_out_array(out, "warnings");
	for (i = 0; i < HXFS_WARNINGS && o->warning[i]; i++)
		hxs_json_out_text(out, NULL, o->warning[i]);
	hxs_json_out_end_array(out);
	hxs_json_out_uint(out, "warning_count", o->warnings);
}

static void put_outcome(struct hxs_json_out *out, const struct hxfs_outcome *o)
{
	char until[HXS_RFC3339_LEN + 1] = "";

	(void)hxs_clock_format_rfc3339(o->confirm_until, until);
	hxs_json_out_bool(out, "ok", o->status >= 0);
	hxs_json_out_string(out, "command", o->command);
	put_known(out, "environment", o->env);
	put_known(out, "reference", o->reference);
	put_known(out, "id", o->id);
	put_known(out, "rollback_id", o->rollback_id);
	put_error(out, o->status);
	hxs_json_out_text(out, "message", o->err.message);
	if (o->err.hint[0])
		hxs_json_out_text(out, "hint", o->err.hint);
	else
		hxs_json_out_null(out, "hint");
	put_seconds(out, o->seconds);
	if (o->counted) {
		hxs_json_out_uint(out, "files", o->files);
		hxs_json_out_uint(out, "bytes", o->bytes);
		hxs_json_out_uint(out, "faults", o->faults);
		hxs_json_out_uint(out, "failed_hooks", o->after.failed);
		if (o->confirm_until)
			hxs_json_out_string(out, "confirm_until", until);
		else
			hxs_json_out_null(out, "confirm_until");
		if (o->after.checked)
			hxs_json_out_bool(out, "healthy", o->after.healthy);
		else
			hxs_json_out_null(out, "healthy");
	}
	if (o->command && strcmp(o->command, hxfs_verb_name(HXFS_CANCEL)) == 0)
		hxs_json_out_bool(out, "cancelled", o->cancelled);
	put_warnings(out, o);
}

struct hxfs_reply *hxfs_reply_new(const struct hxfs_outcome *o)
{
	HXS_AUTO_BUF struct hxs_buf buf = HXS_BUF_INIT;
	struct hxfs_reply *r;
	struct hxs_json_out out;

	hxs_json_out_init(&out, &buf, false);
	hxs_json_out_object(&out, NULL);
	if (o) {
		put_outcome(&out, o);
	} else {
		hxs_json_out_null(&out, "ok");
		hxs_json_out_null(&out, "command");
		hxs_json_out_string(&out, "message",
				    "no command was given since this was "
				    "mounted");
	}
	hxs_json_out_end_object(&out);
	(void)hxs_buf_putc(&buf, '\n'); /* the status keeps failures */
	if (hxs_buf_status(&buf) < 0)
		return NULL;
	r = malloc(sizeof(*r) + buf.len);
	if (!r)
		return NULL;
	r->refs = 1;
	r->len = buf.len;
	memcpy(r->text, buf.data, buf.len);
	return r;
}
