/*
 * What a dump holds, from pg_restore's own list. Of a line
 *
 *	3363; 0 16388 TABLE DATA lens a b app
 *
 * the numbers are sure: the entry's own, and which object of the captured
 * database it is, by catalog and OID. After its kind come names, with nothing
 * to tell where one ends.
 */
#include "source/postgres.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define NEEDS ";\tdepends on:"

void hxs_postgres_toc_release(struct hxs_postgres_toc *t)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		free(t->entries[i].needs);
	free(t->entries);
	free(t->by_id);
	hxs_buf_release(&t->list);
	*t = (struct hxs_postgres_toc){ .entries = NULL };
}

/* A number and @after it; NULL if there is none. */
static char *number(char *p, const char *after, uint32_t *out)
{
	unsigned long n;
	char *end;

	if (*p < '0' || *p > '9')
		return NULL;
	errno = 0;
	n = strtoul(p, &end, 10);
	if (errno || n > UINT32_MAX || strncmp(end, after, strlen(after)) != 0)
		return NULL;
	*out = (uint32_t)n;
	return end + strlen(after);
}

static int add_needs(struct hxs_postgres_entry *e, char *p)
{
	uint32_t *grown;
	size_t n = 0;
	char *at;

	for (at = p; *at; at++)
		n += *at == ' ';
	grown = reallocarray(e->needs, e->need_count + n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	e->needs = grown;
	while (*p == ' ') {
		p = number(p + 1, "", &grown[e->need_count]);
		if (!p)
			return -HXS_ECORRUPT;
		e->need_count++;
	}
	return 0;
}

static int add_line(struct hxs_postgres_toc *t, char *line)
{
	struct hxs_postgres_entry *e;
	char *p;

	if (strncmp(line, NEEDS, strlen(NEEDS)) == 0)
		return t->count ? add_needs(&t->entries[t->count - 1],
					    line + strlen(NEEDS))
				: -HXS_ECORRUPT;
	if (!*line || *line == ';')
		return 0;
	e = &t->entries[t->count];
	*e = (struct hxs_postgres_entry){ .id = 0 };
	p = number(line, "; ", &e->id);
	if (p)
		p = number(p, " ", &e->catalog);
	if (p)
		p = number(p, " ", &e->oid);
	if (!p)
		return -HXS_ECORRUPT;
	e->text = p;
	t->count++;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = (*(struct hxs_postgres_entry *const *)a)->id;
	uint32_t y = (*(struct hxs_postgres_entry *const *)b)->id;

	return x < y ? -1 : x > y;
}

static int sort(struct hxs_postgres_toc *t)
{
	size_t i;

	t->by_id = calloc(t->count + 1, sizeof(*t->by_id));
	if (!t->by_id)
		return -ENOMEM;
	for (i = 0; i < t->count; i++)
		t->by_id[i] = &t->entries[i];
	qsort(t->by_id, t->count, sizeof(*t->by_id), compare);
	return 0;
}

const struct hxs_postgres_entry *hxs_postgres_entry_by_id(
	const struct hxs_postgres_toc *t, uint32_t id)
{
	struct hxs_postgres_entry key = { .id = id }, *wanted = &key, **found;

	found = bsearch(&wanted, t->by_id, t->count, sizeof(*t->by_id),
			compare);
	return found ? *found : NULL;
}

int hxs_postgres_toc_read(struct hxs_postgres_toc *t,
			  struct hxs_postgres_run *run, const char *path,
			  struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf dump = HXS_BUF_INIT;
	const char *const argv[] = { "pg_restore", "-l", "-v", NULL, NULL };
	const char *args[HXS_ARRAY_LEN(argv)];
	char *line, *next;
	size_t lines = 1;
	int r;

	memcpy(args, argv, sizeof(args));
	(void)hxs_buf_printf(&dump, "%s/" HXS_POSTGRES_DUMP, path);
	args[3] = hxs_buf_str(&dump);
	r = hxs_buf_status(&dump);
	if (r < 0)
		return hxs_err_errno(err, -r, "cannot list a dump");
	r = hxs_postgres_run(run, args, &t->list, err);
	if (r < 0)
		return r;
	for (line = t->list.data; line && *line; line++)
		lines += *line == '\n';
	t->entries = calloc(lines, sizeof(*t->entries));
	if (!t->entries)
		return hxs_err_errno(err, ENOMEM, "cannot list a dump");
	for (line = t->list.data; r == 0 && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		r = add_line(t, line);
	}
	if (r == 0)
		r = sort(t);
	if (r == -ENOMEM)
		return hxs_err_errno(err, ENOMEM, "cannot list a dump");
	return r < 0 ? hxs_err_set(err, HXS_ECORRUPT,
				   "what 'pg_restore' tells of the dump is "
				   "not understood")
		     : 0;
}

bool hxs_postgres_entry_is(const struct hxs_postgres_entry *e, const char *kind)
{
	size_t len = strlen(kind);

	return strncmp(e->text, kind, len) == 0 && e->text[len] == ' ';
}

bool hxs_postgres_entry_of(const struct hxs_postgres_entry *e, uint32_t catalog,
			   uint32_t oid)
{
	return e->catalog == catalog && e->oid == oid && oid != 0;
}

int hxs_postgres_toc_oids(const struct hxs_postgres_toc *t, uint32_t catalog,
			  struct hxs_buf *out)
{
	const struct hxs_postgres_entry *e;
	const char *comma = "{";
	size_t i;

	for (i = 0; i < t->count; i++) {
		e = &t->entries[i];
		if (!e->oid || e->catalog != catalog)
			continue;
		if (!catalog && !hxs_postgres_entry_is(e, "TABLE DATA") &&
		    !hxs_postgres_entry_is(e, "MATERIALIZED VIEW DATA"))
			continue;
		(void)hxs_buf_printf(out, "%s%" PRIu32, comma, e->oid);
		comma = ",";
	}
	(void)hxs_buf_puts(out, *comma == '{' ? "{}" : "}");
	return hxs_buf_status(out);
}
