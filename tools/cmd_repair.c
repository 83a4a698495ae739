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
	const char *named; /* what '--from' said, or NULL */
	struct hxs_err *err;
	int print_status;
};

/* Print @out, a line without its end. */
static void print_line(struct run_state *s, struct hxs_buf *out)
{
	(void)hxs_buf_putc(out, '\n'); /* the status keeps failures */
	hxs_meter_clear(&s->meter);
	if (s->print_status == 0)
		s->print_status = hxs_out_print(out, s->err);
}

static void file_json(const struct run_state *s,
		      const struct hxs_repair_outcome *f, struct hxs_buf *out)
{
	struct hxs_json_out o;

	hxs_json_out_init(&o, out, false);
	hxs_json_out_object(&o, NULL);
	hxs_json_out_string(&o, "type", "file");
	hxs_json_out_string(&o, "path", f->path);
	hxs_json_out_bool(&o, "repaired", f->repaired);
	hxs_json_out_string(&o, "from",
			    f->from_path && !f->from ? s->named : f->from);
	hxs_json_out_string(&o, "from_path", f->from_path);
	hxs_json_out_string(&o, "message", f->why);
	hxs_json_out_end_object(&o);
}

static void file_text(const struct run_state *s,
		      const struct hxs_repair_outcome *f, struct hxs_buf *out)
{
	(void)hxs_buf_puts(out, f->repaired ? "repaired " : "left ");
	hxs_out_shown(out, f->path);
	if (!f->repaired) {
		(void)hxs_buf_puts(out, ": ");
		hxs_out_shown(out, f->why);
	} else if (f->from_path) {
		(void)hxs_buf_puts(out, " from ");
		hxs_out_shown(out, f->from ? f->from : s->named);
		if (strcmp(f->from_path, f->path) != 0) {
			(void)hxs_buf_puts(out, "/");
			hxs_out_shown(out, f->from_path);
		}
	}
}

static void on_file(const struct hxs_repair_outcome *f, void *ctx)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct run_state *s = ctx;

	if (s->tool->json)
		file_json(s, f, &out);
	else
		file_text(s, f, &out);
	print_line(s, &out);
}

static void on_shared(const char *reference, uint64_t files, void *ctx)
{
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	struct run_state *s = ctx;
	char count[HXS_COUNT_TEXT];
	struct hxs_json_out o;

	if (s->tool->json) {
		hxs_json_out_init(&o, &out, false);
		hxs_json_out_object(&o, NULL);
		hxs_json_out_string(&o, "type", "shared");
		hxs_json_out_string(&o, "reference", reference);
		hxs_json_out_uint(&o, "files", files);
		hxs_json_out_end_object(&o);
	} else {
		(void)hxs_buf_printf(&out, "shared %s: %s", reference,
				     hxs_out_count(files, "damaged file",
						   count));
	}
	print_line(s, &out);
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

	if (rep->shared && !s->tool->json && !s->tool->quiet)
		hxs_out_talk("hint: run 'hxsnap repair' for each that shares "
			     "what is damaged");
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
	hxs_json_out_uint(&o, "shared", rep->shared);
	hxs_json_out_end_object(&o);
	(void)hxs_buf_putc(&out, '\n'); /* the status keeps failures */
	return hxs_out_print(&out, s->err);
}

static int run(struct hxs_tool *tool, struct hxs_err *err)
{
	struct run_state s = {
		.tool = tool,
		.named = hxs_args_value(tool->args, "from"),
		.err = err,
	};
	struct hxs_repair_opts opts = {
		.file = on_file,
		.shared = on_shared,
		.ctx = &s,
	};
	struct hxs_repair_report rep = { .damaged = 0 };
	HXS_AUTO_CLOSE int from = -1;
	struct hxs_named snap;
	int r, printed;

	r = hxs_args_words(tool->args, 1, 1, "a snapshot", err);
	if (r == 0)
		r = hxs_tool_named(tool, tool->args->word[0], &snap, err);
	if (r == 0 && s.named)
		r = open_from(tool, s.named, &from, err);
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
	{ "from", 0, "DIR|REF", "where to look for copies first" },
	{ NULL, 0, NULL, NULL },
};

const struct hxs_cmd hxs_cmd_repair = {
	.name = "repair",
	.synopsis = "REF [--from DIR|REF]",
	.summary = "put back damaged files from other copies of them",
	.text = "Copies are looked for in DIR, laid out as a snapshot is, and "
		"in all snapshots of\nthe store. What the manifest lists, and "
		"nothing else, is taken, and takes the\ndamaged file's place "
		"in one step. What is right is not touched. In the end all\nof "
		"it is verified.\n",
	.opts = opts,
	.run = run,
};
