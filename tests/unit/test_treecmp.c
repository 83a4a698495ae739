#include "format/treecmp.h"
#include "tests/unit/oom.h"

#include <sys/stat.h>

/* One entry of a made-up tree; parents come first. */
struct entry {
	const char *path;
	char type; /* d, f, l, or h for another name of the file @data */
	const char *data; /* content, target */
	unsigned mode; /* 0: the usual */
	unsigned uid;
	long mtime;
	const char *xattrs;
};

#define MAX_ENTRIES 64
#define XATTR_A "\6\0\1\0\0\0user.aA"
#define XATTR_B "\6\0\1\0\0\0user.aB"

static unsigned mode_of(const struct entry *e)
{
	static const unsigned usual[] = { ['d'] = S_IFDIR | 0755,
					  ['f'] = S_IFREG | 0644,
					  ['h'] = S_IFREG | 0644,
					  ['l'] = S_IFLNK | 0777 };

	return e->mode ? (usual[(int)e->type] & S_IFMT) | e->mode
		       : usual[(int)e->type];
}

static int find_path(const struct entry *e, size_t count, const char *path,
		     size_t len, size_t *out)
{
	for (*out = 0; *out < count; (*out)++)
		if (strlen(e[*out].path) == len &&
		    memcmp(e[*out].path, path, len) == 0)
			return 0;
	return -ENOENT;
}

static int add(struct hxs_index_builder *b, const struct entry *all, size_t i,
	       uint32_t *handles)
{
	const struct entry *e = &all[i];
	const char *slash = strrchr(e->path, '/');
	struct hxs_node node = { .mode = mode_of(e), .uid = e->uid };
	struct hxs_digest digest;
	uint32_t parent = 0;
	size_t j;
	int r;

	if (slash) {
		r = find_path(all, i, e->path, (size_t)(slash - e->path), &j);
		if (r < 0)
			return r;
		parent = handles[j];
	}
	node.name = slash ? slash + 1 : e->path;
	node.name_len = strlen(node.name);
	node.size = e->type == 'f' ? strlen(e->data) : 0;
	node.target = e->type == 'l' ? e->data : NULL;
	node.mtime.tv_sec = e->mtime;
	node.xattrs = e->xattrs;
	node.xattrs_len = e->xattrs ? 13 : 0;
	r = hxs_index_builder_add(b, parent, &node, &handles[i], NULL);
	if (r < 0)
		return r;
	if (e->type == 'f') {
		hxs_digest_of(e->data, strlen(e->data), &digest);
		hxs_index_builder_set_digest(b, handles[i], &digest);
	} else if (e->type == 'h') {
		r = find_path(all, i, e->data, strlen(e->data), &j);
		if (r < 0)
			return r;
		hxs_index_builder_link(b, handles[i], handles[j]);
	}
	return 0;
}

/* An index of what lies before the first entry without path. */
static int make(const struct entry *e, struct hxs_index **out)
{
	HXS_AUTO(index_builder) struct hxs_index_builder *b = NULL;
	struct hxs_index_head head = { .env = "dev",
				       .id = "20260205T152900Z",
				       .kind = HXS_BACKUP };
	uint32_t handles[MAX_ENTRIES];
	void *bytes = NULL;
	size_t len, i;
	int r;

	r = hxs_index_builder_new(&head, &b);
	for (i = 0; r >= 0 && e[i].path; i++)
		r = add(b, e, i, handles);
	if (r >= 0)
		r = hxs_index_builder_finish(b, &bytes, &len, NULL);
	if (r < 0)
		return r;
	return hxs_index_take_bare(bytes, len, out, NULL);
}

static const struct {
	unsigned bit;
	char letter;
} letters[] = {
	{ HXS_DIFF_ADDED, '+' }, { HXS_DIFF_REMOVED, '-' },
	{ HXS_DIFF_TYPE, 'T' },	 { HXS_DIFF_CONTENT, 'c' },
	{ HXS_DIFF_MODE, 'm' },	 { HXS_DIFF_OWNER, 'o' },
	{ HXS_DIFF_TIME, 't' },	 { HXS_DIFF_XATTRS, 'x' },
	{ HXS_DIFF_LINKS, 'l' },
};

/* "+ path\n" and so on into the buffer at @ctx. */
static int note(unsigned what, const char *path, const struct hxs_node *na,
		const struct hxs_node *nb, void *ctx)
{
	struct hxs_buf *out = ctx;
	size_t i;

	if (!na != !!(what & HXS_DIFF_ADDED) ||
	    !nb != !!(what & HXS_DIFF_REMOVED))
		(void)hxs_buf_puts(out, "(wrong nodes) ");
	for (i = 0; i < HXS_ARRAY_LEN(letters); i++)
		if (what & letters[i].bit)
			(void)hxs_buf_putc(out, letters[i].letter);
	(void)hxs_buf_printf(out, " %s\n", path);
	return hxs_buf_status(out);
}

static const struct entry plain[] = {
	{ .path = "events", .type = 'd' },
	{ .path = "events/a", .type = 'f', .data = "1" },
	{ .path = "events/a.txt", .type = 'f', .data = "2" },
	{ .path = "events/b", .type = 'l', .data = "a" },
	{ .path = "events/c", .type = 'd' },
	{ .path = "events/c/d", .type = 'f', .data = "3", .xattrs = XATTR_A },
	{ .path = "meta.json", .type = 'f', .data = "m" },
	{ .path = NULL },
};

static const struct {
	const char *label;
	struct entry b[12]; /* against plain */
	const char *want, *back; /* and the other way round */
} cases[] = {
	{ "everything gone",
	  { { .path = NULL } },
	  "- events\n- events/a\n- events/a.txt\n- events/b\n- events/c\n"
	  "- events/c/d\n",
	  "+ events\n+ events/a\n+ events/a.txt\n+ events/b\n+ events/c\n"
	  "+ events/c/d\n" },
	{ "a change of every kind",
	  { { .path = "events", .type = 'd', .mode = 0700, .mtime = 5 },
	    { .path = "events/a", .type = 'f', .data = "x", .uid = 3 },
	    { .path = "events/a.txt", .type = 'f', .data = "2", .mtime = 1 },
	    { .path = "events/b", .type = 'l', .data = "b" },
	    { .path = "events/c", .type = 'd', .xattrs = XATTR_A },
	    { .path = "events/c/d",
	      .type = 'f',
	      .data = "3",
	      .xattrs = XATTR_B },
	    { .path = NULL } },
	  "mt events\nco events/a\nt events/a.txt\nc events/b\nx events/c\n"
	  "x events/c/d\n",
	  NULL },
	{ "longer, and without attributes",
	  { { .path = "events", .type = 'd' },
	    { .path = "events/a", .type = 'f', .data = "11" },
	    { .path = "events/a.txt", .type = 'f', .data = "2", .mode = 04644 },
	    { .path = "events/b", .type = 'l', .data = "a" },
	    { .path = "events/c", .type = 'd' },
	    { .path = "events/c/d", .type = 'f', .data = "3" },
	    { .path = NULL } },
	  "c events/a\nm events/a.txt\nx events/c/d\n",
	  NULL },
	{ "a file becomes a directory, its neighbour a link",
	  { { .path = "events", .type = 'd' },
	    { .path = "events/a", .type = 'd' },
	    { .path = "events/a/z", .type = 'f', .data = "" },
	    { .path = "events/a.txt", .type = 'l', .data = "2" },
	    { .path = "events/b", .type = 'l', .data = "a" },
	    { .path = "events/c", .type = 'd' },
	    { .path = "events/c/d",
	      .type = 'f',
	      .data = "3",
	      .xattrs = XATTR_A },
	    { .path = NULL } },
	  "Tm events/a\nTm events/a.txt\n+ events/a/z\n",
	  "Tm events/a\nTm events/a.txt\n- events/a/z\n" },
	{ "a directory becomes a link",
	  { { .path = "events", .type = 'd' },
	    { .path = "events/a", .type = 'f', .data = "1" },
	    { .path = "events/a.txt", .type = 'f', .data = "2" },
	    { .path = "events/b", .type = 'l', .data = "a" },
	    { .path = "events/c", .type = 'l', .data = "a" },
	    { .path = NULL } },
	  "Tm events/c\n- events/c/d\n",
	  "Tm events/c\n+ events/c/d\n" },
	{ "one directory within another",
	  { { .path = "events", .type = 'd' },
	    { .path = "events/a", .type = 'f', .data = "1" },
	    { .path = "events/a.txt", .type = 'f', .data = "2" },
	    { .path = "events/b", .type = 'l', .data = "a" },
	    { .path = "events/c", .type = 'd' },
	    { .path = "events/c/c", .type = 'd' },
	    { .path = "events/c/c/d", .type = 'f', .data = "3" },
	    { .path = "events/c/d",
	      .type = 'f',
	      .data = "3",
	      .xattrs = XATTR_A },
	    { .path = NULL } },
	  "+ events/c/c\n+ events/c/c/d\n",
	  "- events/c/c\n- events/c/c/d\n" },
	{ "only what is passed over",
	  { { .path = "config.json", .type = 'f', .data = "c" },
	    { .path = "events", .type = 'd' },
	    { .path = "events/a", .type = 'f', .data = "1" },
	    { .path = "events/a.txt", .type = 'f', .data = "2" },
	    { .path = "events/b", .type = 'l', .data = "a" },
	    { .path = "events/c", .type = 'd' },
	    { .path = "events/c/d",
	      .type = 'f',
	      .data = "3",
	      .xattrs = XATTR_A },
	    { .path = "meta.json", .type = 'f', .data = "other" },
	    { .path = NULL } },
	  "",
	  "" },
	{ "the same names deeper down",
	  { { .path = "events", .type = 'd' },
	    { .path = "events/a", .type = 'f', .data = "1" },
	    { .path = "events/a.txt", .type = 'f', .data = "2" },
	    { .path = "events/b", .type = 'l', .data = "a" },
	    { .path = "events/c", .type = 'd' },
	    { .path = "events/c/d",
	      .type = 'f',
	      .data = "3",
	      .xattrs = XATTR_A },
	    { .path = "events/config.json", .type = 'f', .data = "" },
	    { .path = "events/meta.json", .type = 'f', .data = "" },
	    { .path = NULL } },
	  "+ events/config.json\n+ events/meta.json\n",
	  "- events/config.json\n- events/meta.json\n" },
};

static void compare(const struct entry *a, const char *top_a,
		    const struct entry *b, const char *top_b, const char *want,
		    const char *label)
{
	HXS_AUTO(index) struct hxs_index *ia = NULL;
	HXS_AUTO(index) struct hxs_index *ib = NULL;
	HXS_AUTO_BUF struct hxs_buf out = HXS_BUF_INIT;
	int64_t ta, tb;

	if (!ok(make(a, &ia) == 0 && make(b, &ib) == 0, "%s: made", label))
		return;
	ta = hxs_index_find(ia, top_a);
	tb = hxs_index_find(ib, top_b);
	if (!ok(ta >= 0 && tb >= 0, "%s: has its tops", label))
		return;
	is_int(hxs_treecmp(ia, (uint32_t)ta, ib, (uint32_t)tb, note, &out), 0,
	       "%s: compared", label);
	is_str(hxs_buf_str(&out), want, "%s: told", label);
}

static void test_cases(void)
{
	size_t i;

	compare(plain, "", plain, "", "", "one tree with itself");
	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		compare(plain, "", cases[i].b, "", cases[i].want,
			cases[i].label);
		compare(cases[i].b, "", plain, "",
			cases[i].back ? cases[i].back : cases[i].want,
			cases[i].label);
	}
}

/* Paths and links count from the tops, whatever those are called. */
static void test_tops(void)
{
	static const struct entry one[] = {
		{ .path = "e", .type = 'd' },
		{ .path = "e/f", .type = 'f', .data = "1" },
		{ .path = "e/g", .type = 'h', .data = "e/f" },
		{ .path = "e/meta.json", .type = 'f', .data = "1" },
		{ .path = NULL },
	};
	static const struct entry other[] = {
		{ .path = "x", .type = 'd' },
		{ .path = "x/events", .type = 'd', .mode = 0700 },
		{ .path = "x/events/f", .type = 'f', .data = "1" },
		{ .path = "x/events/g", .type = 'h', .data = "x/events/f" },
		{ .path = "x/events/h", .type = 'd' },
		{ .path = "x/events/h/i", .type = 'f', .data = "1" },
		{ .path = NULL },
	};

	compare(one, "e", other, "x/events", "+ h\n+ h/i\n- meta.json\n",
		"below tops");
	compare(one, "e", one, "e", "", "below one top");
	compare(one, "e/f", one, "e/meta.json", "", "two files");
	compare(one, "e", one, "e/f", "- f\n- g\n- meta.json\n",
		"a directory and a file");
}

static void test_links(void)
{
	static const struct entry pair[] = {
		{ .path = "a", .type = 'f', .data = "1" },
		{ .path = "b", .type = 'h', .data = "a" },
		{ .path = "c", .type = 'f', .data = "1" },
		{ .path = "d", .type = 'h', .data = "c" },
		{ .path = NULL },
	};
	static const struct entry apart[] = {
		{ .path = "a", .type = 'f', .data = "1" },
		{ .path = "b", .type = 'f', .data = "1" },
		{ .path = "c", .type = 'f', .data = "1" },
		{ .path = "d", .type = 'h', .data = "c" },
		{ .path = NULL },
	};
	static const struct entry crossed[] = {
		{ .path = "a", .type = 'f', .data = "1" },
		{ .path = "b", .type = 'f', .data = "1" },
		{ .path = "c", .type = 'h', .data = "a" },
		{ .path = "d", .type = 'h', .data = "b" },
		{ .path = NULL },
	};
	static const struct entry moved[] = {
		{ .path = "0", .type = 'd' },
		{ .path = "a", .type = 'f', .data = "1" },
		{ .path = "b", .type = 'h', .data = "a" },
		{ .path = "c", .type = 'f', .data = "1" },
		{ .path = "d", .type = 'h', .data = "c" },
		{ .path = NULL },
	};

	compare(pair, "", pair, "", "", "the same links");
	compare(pair, "", apart, "", "l a\nl b\n", "a pair parted");
	compare(pair, "", crossed, "", "l b\nl c\nl d\n", "pairs crossed");
	compare(pair, "", moved, "", "+ 0\n", "the same with other numbers");
}

static int stop_at_b(unsigned what HXS_UNUSED, const char *path,
		     const struct hxs_node *na HXS_UNUSED,
		     const struct hxs_node *nb HXS_UNUSED, void *ctx)
{
	++*(int *)ctx;
	return strcmp(path, "events/b") == 0 ? 7 : 0;
}

static void test_stop(void)
{
	static const struct entry nothing[] = { { .path = NULL } };
	HXS_AUTO(index) struct hxs_index *a = NULL;
	HXS_AUTO(index) struct hxs_index *b = NULL;
	int calls = 0;

	if (!ok(make(plain, &a) == 0 && make(nothing, &b) == 0, "made"))
		return;
	is_int(hxs_treecmp(a, 0, b, 0, stop_at_b, &calls), 7,
	       "what the callback says is returned");
	is_int(calls, 4, "and nothing more is told");
}

/* ------------------------------------------------------------------------ */

static uint64_t seed;

static unsigned roll(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

struct random_tree {
	char paths[MAX_ENTRIES][32];
	struct entry entries[MAX_ENTRIES];
};

/* Few names in few places, so that two trees have much in common. */
static void grow_tree(struct random_tree *t)
{
	static const char *const names[] = { "a", "a.b", "a0", "b", "-" };
	static const char *const data[] = { "x", "y" };
	size_t n = 0, parent, other;
	struct entry *e;
	unsigned tries;

	memset(t, 0, sizeof(*t));
	for (tries = 0; tries < 40; tries++) {
		char path[32];
		size_t from = roll((unsigned)n + 1);

		parent = from;
		if (parent < n && (t->entries[parent].type != 'd' ||
				   strlen(t->paths[parent]) > 24))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s%s",
			       parent < n ? t->paths[parent] : "",
			       parent < n ? "/" : "", names[roll(5)]);
		if (find_path(t->entries, n, path, strlen(path), &other) == 0)
			continue;
		memcpy(t->paths[n], path, sizeof(path));
		e = &t->entries[n];
		e->path = t->paths[n++];
		e->type = "dffl"[roll(4)];
		e->data = data[roll(2)];
		e->mtime = roll(4) == 0;
	}
}

/* What treecmp should say of one path, by looking it up in both lists. */
static void expect_path(struct hxs_buf *out, const char *path,
			const struct entry *a, const struct entry *b)
{
	if (!a || !b) {
		(void)hxs_buf_printf(out, "%c %s\n", a ? '-' : '+', path);
		return;
	}
	if (a->type == b->type && a->mtime == b->mtime &&
	    (a->type == 'd' || strcmp(a->data, b->data) == 0))
		return;
	if (a->type != b->type)
		(void)hxs_buf_puts(out, "Tm");
	else if (a->type != 'd' && strcmp(a->data, b->data) != 0)
		(void)hxs_buf_putc(out, 'c');
	if (a->mtime != b->mtime)
		(void)hxs_buf_putc(out, 't');
	(void)hxs_buf_printf(out, " %s\n", path);
}

struct key {
	char text[34]; /* the path, a directory's with a slash */
	size_t len;
	const struct entry *a, *b;
};

static int by_key(const void *x, const void *y)
{
	return strcmp(((const struct key *)x)->text,
		      ((const struct key *)y)->text);
}

static size_t count_entries(const struct random_tree *t)
{
	size_t n;

	for (n = 0; n < MAX_ENTRIES && t->entries[n].path; n++)
		;
	return n;
}

static const struct entry *look(const struct random_tree *t, const char *path)
{
	size_t i;

	if (find_path(t->entries, count_entries(t), path, strlen(path), &i))
		return NULL;
	return &t->entries[i];
}

static void expect(const struct random_tree *a, const struct random_tree *b,
		   struct hxs_buf *out)
{
	struct key keys[2 * MAX_ENTRIES];
	size_t count = 0, i;
	const struct random_tree *sides[] = { a, b };
	int s;

	for (s = 0; s < 2; s++) {
		for (i = 0; i < count_entries(sides[s]); i++) {
			const char *path = sides[s]->entries[i].path;
			struct key *k = &keys[count];

			k->a = look(a, path);
			k->b = look(b, path);
			if (s == 1 && k->a)
				continue;
			/* what is a directory on one side only is told early */
			k->len = strlen(path);
			(void)snprintf(k->text, sizeof(k->text), "%s%s", path,
				       (!k->a || k->a->type == 'd') &&
						       (!k->b ||
							k->b->type == 'd')
					       ? "/"
					       : "");
			count++;
		}
	}
	qsort(keys, count, sizeof(*keys), by_key);
	for (i = 0; i < count; i++) {
		keys[i].text[keys[i].len] = '\0';
		expect_path(out, keys[i].text, keys[i].a, keys[i].b);
	}
}

static void test_random(void)
{
	enum { ROUNDS = 2000 };
	const char *given = getenv("HXS_TEST_SEED");
	unsigned long first = given ? strtoul(given, NULL, 0) : 20260205;
	unsigned long i, wrong = 0;

	printf("# seed %lu; HXS_TEST_SEED sets another\n", first);
	for (i = first; i < first + ROUNDS; i++) {
		HXS_AUTO(index) struct hxs_index *ia = NULL;
		HXS_AUTO(index) struct hxs_index *ib = NULL;
		HXS_AUTO_BUF struct hxs_buf want = HXS_BUF_INIT;
		HXS_AUTO_BUF struct hxs_buf got = HXS_BUF_INIT;
		struct random_tree a, b;

		seed = i * 2654435761u;
		grow_tree(&a);
		grow_tree(&b);
		expect(&a, &b, &want);
		if (make(a.entries, &ia) == 0 && make(b.entries, &ib) == 0 &&
		    hxs_treecmp(ia, 0, ib, 0, note, &got) == 0 &&
		    strcmp(hxs_buf_str(&want), hxs_buf_str(&got)) == 0)
			continue;
		if (!wrong++)
			is_str(hxs_buf_str(&got), hxs_buf_str(&want),
			       "trees of seed %lu", i);
	}
	is_int(wrong, 0, "%d pairs of made-up trees", ROUNDS);
}

static struct hxs_index *kept_a, *kept_b;

static int count_call(unsigned what HXS_UNUSED, const char *path HXS_UNUSED,
		      const struct hxs_node *na HXS_UNUSED,
		      const struct hxs_node *nb HXS_UNUSED, void *ctx)
{
	++*(int *)ctx;
	return 0;
}

static int compare_kept(void)
{
	int calls = 0;
	int r = hxs_treecmp(kept_a, 0, kept_b, 0, count_call, &calls);

	return r == 0 && calls != 6 ? 1 : r;
}

int main(void)
{
	test_cases();
	test_tops();
	test_links();
	test_stop();
	test_random();
	if (ok(make(plain, &kept_a) == 0 && make(cases[1].b, &kept_b) == 0,
	       "made two"))
		oom_each("comparing", compare_kept);
	hxs_index_unref(kept_a);
	hxs_index_unref(kept_b);
	return tap_done();
}
