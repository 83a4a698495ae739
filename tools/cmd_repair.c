#include "base/io.h"
#include "tools/act.h"
#include "tools/out.h"
#include "tools/progress.h"
#include "verbs/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct run_state {
	const struct hxs_tool *tool;
	struct hxs_meter meter;
	const struct hxs_named *snap;
	struct hxs_err *err;
	int print_status;
};

static void on_file(const char *path, int r, const char *why, void *ctx)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct run_state *s = ctx;
	struct hxs_json_out o;

	hxs_meter_clear(&s->meter);
	if (s->tool->json) {
		hxs_json_out_init(&o, &out, false);
		hxs_json_out_object(&o, NULL);
		hxs_json_out_string(&o, "type", "file");
		hxs_json_out_string(&o, "path", path);
		hxs_json_out_bool(&o, "repaired", r == 0);
		hxs_json_out_string(&o, "message", r == 0 ? NULL : why);
		hxs_json_out_end_object(&o);
	} else {
		(void)hxs_buf_puts(&out, r == 0 ? "repaired " : "left ");
		hxs_out_shown(&out, path);
		(void)hxs_buf_puts(&out, r == 0 ? "" : ": ");
		hxs_out_shown(&out, r == 0 ? "" : why);
	}
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	if (s->print_status == 0)
		s->print_status = hxs_out_print(&out, s->err);
}

/* A directory, or the snapshot of a reference. */
static int open_from(struct hxs_tool *tool, const char *word, int *out,
		     struct hxs_err *err)
{
	struct hxs_named other;
	int r;

	*out = open(word, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out >= 0)
		return 0;
	if (word[0] == '/' || word[0] == '.')
		return hxs_err_errno(err, errno, "cannot open '%s'", word);
	r = hxs_tool_named(tool, word, &other, err);
	return r < 0 ? r
		     : hxs_store_open_dir(tool->store, other.kind, other.env,
					  other.id, out, err);
}

static int report(struct run_state *s, int r,
		  const struct hxs_repair_report *rep)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	char count[HXS_COUNT_TEXT];
	struct hxs_json_out o;

	if (!s->tool->json) {
		if (r == 0 && !s->tool->quiet)
			hxs_out_talk("'%s' is right: %s put back",
				     s->snap->text,
				     hxs_out_count(rep->repaired, "file",
						   count));
		return 0;
	}
	hxs_json_out_init(&o, &out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "type", "snapshot");
	hxs_json_out_string(&o, "reference", s->snap->text);
	hxs_json_out_bool(&o, "passed", r == 0);
	hxs_json_out_uint(&o, "damaged", rep->damaged);
	hxs_json_out_uint(&o, "repaired", rep->repaired);
	hxs_json_out_uint(&o, "faults", rep->left);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	return hxs_out_print(&out, s->err);
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	struct run_state s = { .tool = tool, .err = err };
	struct hxs_repair_report rep = { .damaged = 0 };
	const char *word = hxs_args_value(tool->args, "from");
	HXS_AUTO_CLOSE int from = -1;
	struct hxs_repair_opts opts = { .file = on_file, .ctx = &s };
	struct hxs_named snap;
	int r, printed;

	r = hxs_args_words(tool->args, 1, 1, "a snapshot", err);
	if (r == 0 && !word) {
		(void)hxs_err_set(err, HXS_EUSAGE, "repair wants '--from'");
		hxs_err_hint(err, "a directory or a snapshot that holds the "
				  "same files");
		r = -HXS_EUSAGE;
	}
	if (r == 0)
		r = hxs_tool_named(tool, tool->args->word[0], &snap, err);
	if (r == 0)
		r = open_from(tool, word, &from, err);
	if (r < 0)
		return r;
	s.snap = &snap;
	hxs_act_begin(tool, snap.env);
	memcpy(tool->act.reference, snap.text, sizeof(snap.text));
	(void)snprintf(tool->act.done, sizeof(tool->act.done),
		       "snapshot '%s' was repaired", snap.text);
	hxs_meter_init(&s.meter, tool->quiet);
	opts.listener = &s.meter.listener;
	r = hxs_repair(tool->store, snap.kind, snap.env, snap.id, from, &opts,
		       &rep, err);
	hxs_meter_clear(&s.meter);
	hxs_meter_release(&s.meter);
	printed = s.print_status < 0 ? s.print_status : report(&s, r, &rep);
	return r < 0 ? r : printed;
}

static const struct hxs_opt opts[] = {
	{ "from", 0, "DIR|REF", "where another copy of its files is" },
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_repair = {
	.name = "repair",
	.synopsis = "REF --from DIR|REF",
	.summary = "put back damaged files from another copy of them",
	.text = "DIR is laid out as a snapshot is. What the manifest lists, "
		"and nothing else, is\ntaken from it, and takes the damaged "
		"file's place in one step. What is right\nis not touched. In "
		"the end all of it is verified.\n",
	.opts = opts,
	.run = run,
};
