#include "tools/ask.h"

#include "tools/out.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define VARIABLE "CONFIRM_LIVE"

/* The status of the buffer keeps failures. */
static void put_target(const struct hxs_config_source *src, struct hxs_buf *out)
{
	(void)hxs_buf_puts(out, "    ");
	hxs_out_shown(out, src->name);
	(void)hxs_buf_puts(out, ": ");
	hxs_out_shown(out,
		      src->path ? src->path : hxs_config_kind_name(src->kind));
	(void)hxs_buf_putc(out, '\n');
}

/* Whether @path is of source @name: "NAME" or "NAME/...". */
static bool is_of(const char *path, const char *name)
{
	size_t n = strlen(name);

	return strncmp(path, name, n) == 0 &&
	       (path[n] == '\0' || path[n] == '/');
}

static bool is_touched(const struct hxs_question *q, const char *source)
{
	size_t i;

	for (i = 0; i < q->path_count; i++)
		if (is_of(q->paths[i], source))
			return true;
	return q->path_count == 0;
}

static void put_question(const struct hxs_question *q, struct hxs_buf *out)
{
	char host[HOST_NAME_MAX + 1] = "";
	size_t i;

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	/* The buffer's status keeps failures. */
	(void)hxs_buf_printf(out, "%s of environment '%s' on host '", q->act,
			     q->env->name);
	hxs_out_shown(out, host);
	(void)hxs_buf_printf(out, "': '%s' takes the place of\n", q->reference);
	for (i = 0; i < q->env->source_count; i++)
		if (is_touched(q, q->env->sources[i].name))
			put_target(&q->env->sources[i], out);
	if (q->path_count)
		(void)hxs_buf_puts(out, "there only of\n");
	for (i = 0; i < q->path_count; i++) {
		(void)hxs_buf_puts(out, "    ");
		hxs_out_shown(out, q->paths[i]);
		(void)hxs_buf_putc(out, '\n');
	}
	if (q->until)
		(void)hxs_buf_printf(out, "and of records those until %s\n",
				     q->until);
	(void)hxs_buf_puts(out, "type 'yes' to go on: ");
}

/* Read a line; whether it is the word, and nothing but it. */
static bool answered_yes(void)
{
	char line[64];
	size_t n;

	if (!fgets(line, sizeof(line), stdin))
		return false;
	n = strlen(line);
	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = '\0';
	return strcmp(line, "yes") == 0;
}

static int ask_person(const struct hxs_question *q, struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;

	put_question(q, &text);
	if (hxs_buf_status(&text) < 0)
		return hxs_err_errno(err, ENOMEM, "cannot ask");
	(void)fputs(text.data, stderr); /* who sees nothing answers nothing */
	(void)fflush(stderr);
	if (answered_yes())
		return 0;
	return hxs_err_set(err, HXS_ECONFIRM,
			   "%s of '%s' was not confirmed; nothing was changed",
			   q->act, q->env->name);
}

int hxs_ask(const struct hxs_question *q, struct hxs_err *err)
{
	const char *said = getenv(VARIABLE);

	if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
		return ask_person(q, err);
	if (said && strcmp(said, "YES") == 0)
		return 0;
	(void)hxs_err_set(err, HXS_ECONFIRM,
			  "refused: %s of '%s' wants confirmation; nothing was "
			  "changed",
			  q->act, q->env->name);
	hxs_err_hint(err, "run it at a terminal, or with " VARIABLE
			  "=YES in the environment");
	return -HXS_ECONFIRM;
}
