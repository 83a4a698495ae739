#include "base/path.h"
#include "base/utf8.h"
#include "tools/out.h"

#include <errno.h>
#include <string.h>

static int grow(struct hxs_table *t)
{
	size_t cap = t->cap ? t->cap * 2 : 64;
	char **cell;

	if (t->count < t->cap)
		return 0;
	cell = reallocarray(t->cell, cap, sizeof(*cell));
	if (!cell)
		return -ENOMEM;
	t->cell = cell;
	t->cap = cap;
	return 0;
}

void hxs_table_add(struct hxs_table *t, const char *text)
{
	HXS_AUTO_BUF struct hxs_buf shown = HXS_BUF_INIT;

	if (t->status < 0)
		return;
	hxs_out_shown(&shown, *text ? text : "-");
	t->status = grow(t);
	if (t->status < 0)
		return;
	t->cell[t->count] = hxs_buf_steal(&shown, NULL);
	if (t->cell[t->count])
		t->count++;
	else
		t->status = -ENOMEM;
}

/* Columns on a screen, as far as one can know: characters. */
static size_t width_of(const char *s)
{
	size_t len = strlen(s), n = 0, step;

	for (; len; n++, s += step, len -= step) {
		step = hxs_utf8_char(s, len, NULL);
		if (step == 0)
			step = 1;
	}
	return n;
}

static void pad(struct hxs_buf *out, size_t n)
{
	while (n--)
		(void)hxs_buf_putc(out, ' '); /* the status keeps failures */
}

static void print_cell(struct hxs_buf *out, const char *text, char align,
		       size_t width, bool last)
{
	size_t gap = width - width_of(text);

	if (align == 'r')
		pad(out, gap);
	(void)hxs_buf_puts(out, text); /* the status keeps failures */
	if (last) {
		(void)hxs_buf_putc(out, '\n');
		return;
	}
	if (align != 'r')
		pad(out, gap);
	pad(out, 2);
}

static size_t column_width(const struct hxs_table *t, size_t column,
			   size_t columns)
{
	size_t width = 0, i, w;

	for (i = column; i < t->count; i += columns) {
		w = width_of(t->cell[i]);
		if (w > width)
			width = w;
	}
	return width;
}

void hxs_table_print(const struct hxs_table *t, struct hxs_buf *out,
		     const char *indent)
{
	size_t columns = strlen(t->align), i, c;
	HXS_AUTO_FREE size_t *width = calloc(columns, sizeof(*width));

	if (t->status < 0 || !width) {
		out->status = -ENOMEM;
		return;
	}
	for (c = 0; c < columns; c++)
		width[c] = column_width(t, c, columns);
	for (i = 0; i < t->count; i++) {
		c = i % columns;
		if (c == 0)
			(void)hxs_buf_puts(out, indent);
		print_cell(out, t->cell[i], t->align[c], width[c],
			   c + 1 == columns);
	}
}

void hxs_table_release(struct hxs_table *t)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		free(t->cell[i]);
	free(t->cell);
	t->cell = NULL;
	t->count = t->cap = 0;
}
