/*
 * The other way round: the input tells a tree entry by entry, and whatever
 * the builder makes of it must be taken as an index, hold what was told, and
 * not differ from itself.
 */
#include "base/path.h"
#include "format/manifest.h"
#include "format/treecmp.h"
#include "tests/fuzz/fuzz.h"

#define ENTRIES_MAX 64

enum op { FILE_OP, SPARSE_OP, DIR_OP, LINK_OP, TWIN_OP, DROP_OP, ATTR_OP, OPS };

struct told {
	char name[8];
	mode_t mode;
	uint32_t parent; /* handle */
	bool dropped;
};

struct teller {
	const uint8_t *at, *end;
	struct hxs_index_builder *b;
	struct told told[ENTRIES_MAX];
	uint32_t count;
};

static unsigned next_byte(struct teller *t)
{
	return t->at < t->end ? *t->at++ : 0;
}

static uint32_t some_handle(struct teller *t)
{
	return next_byte(t) % t->count;
}

static uint32_t some_dir(struct teller *t)
{
	uint32_t h = some_handle(t);

	return S_ISDIR(t->told[h].mode) ? h : 0;
}

/* A name of few letters, so that many are alike. */
static size_t some_name(struct teller *t, char out[8])
{
	static const char letters[] = "aab.-0/\n\\\xff..";
	size_t len = next_byte(t) % 4, i;

	for (i = 0; i < len; i++)
		out[i] = letters[next_byte(t) % (sizeof(letters) - 1)];
	out[len] = '\0';
	return len;
}

/* Give @h a chain over as many blocks and holes as the input has it. */
static void add_content(struct teller *t, uint32_t h, bool sparse)
{
	static const char block[HXS_BLOCK_SIZE];
	HXS_AUTO(chain_maker) struct hxs_chain_maker *m = NULL;
	unsigned blocks = next_byte(t) % 5, tail = next_byte(t);
	struct hxs_chain chain;

	must(hxs_chain_maker_new(&m) == 0);
	for (; blocks; blocks--) {
		if (sparse && next_byte(t) & 1)
			must(hxs_chain_maker_hole(m, HXS_BLOCK_SIZE) == 0);
		else
			must(hxs_chain_maker_data(m, block, sizeof(block)) ==
			     0);
	}
	must(hxs_chain_maker_data(m, block, tail) == 0);
	must(hxs_chain_maker_finish(m, &chain) == 0);
	hxs_index_builder_set_chain(t->b, h, &chain);
}

static void add(struct teller *t, enum op op)
{
	struct told *told = &t->told[t->count];
	struct hxs_node node = { .name = told->name };
	uint32_t h = 0, of = some_handle(t);
	int r;

	if (t->count == ENTRIES_MAX)
		return;
	told->parent = some_dir(t);
	node.name_len = some_name(t, told->name);
	node.mode = op == DIR_OP ? S_IFDIR : op == LINK_OP ? S_IFLNK : S_IFREG;
	if (op == TWIN_OP)
		node.mode = t->told[of].mode & S_IFMT;
	if (op == TWIN_OP && S_ISDIR(node.mode))
		return;
	node.mode |= 0640;
	node.target = "../a";
	node.mtime.tv_sec = next_byte(t);
	r = hxs_index_builder_add(t->b, told->parent, &node, &h, NULL);
	must(r == 0 || r == -EINVAL || r == -EEXIST);
	must((r == -EINVAL) ==
	     (hxs_path_name_fault(told->name, node.name_len) != NULL));
	if (r < 0)
		return;
	must(h == t->count);
	told->mode = node.mode;
	told->dropped = false;
	t->count++;
	if (op == TWIN_OP)
		hxs_index_builder_link(t->b, h, of);
	else if (S_ISREG(node.mode))
		add_content(t, h, op == SPARSE_OP);
}

static void set_attributes(struct teller *t)
{
	static const char attr[] = "\6\0\1\0\0\0user.aA";
	uint32_t h = some_handle(t);
	struct hxs_node node = { .mode = t->told[h].mode };

	/* files have a size by their chain, which would have to be known */
	if (!S_ISDIR(node.mode))
		return;
	node.xattrs = attr;
	node.xattrs_len = sizeof(attr) - 1;
	must(hxs_index_builder_update(t->b, h, &node) == 0);
}

static void drop(struct teller *t)
{
	uint32_t h = some_handle(t);

	if (h == 0)
		return;
	hxs_index_builder_drop(t->b, h);
	t->told[h].dropped = true;
}

static int refuse_all(unsigned what, const char *path, const struct hxs_node *a,
		      const struct hxs_node *b, void *ctx)
{
	(void)path, (void)a, (void)b, (void)ctx;
	return (int)what;
}

/* Two living entries of one name in one place. */
static bool has_twins(const struct teller *t)
{
	uint32_t i, j;

	for (i = 1; i < t->count; i++)
		for (j = 1; j < i; j++)
			if (!t->told[i].dropped && !t->told[j].dropped &&
			    t->told[i].parent == t->told[j].parent &&
			    strcmp(t->told[i].name, t->told[j].name) == 0)
				return true;
	return false;
}

/* The number of @h in @idx, looked up level by level. */
static int64_t number_of(const struct teller *t, const struct hxs_index *idx,
			 uint32_t h)
{
	int64_t parent;

	if (h == 0)
		return 0;
	parent = number_of(t, idx, t->told[h].parent);
	if (parent < 0)
		return parent;
	return hxs_index_lookup(idx, (uint32_t)parent, t->told[h].name,
				strlen(t->told[h].name));
}

static void check(const struct teller *t, const struct hxs_index *idx)
{
	HXS_AUTO(manifest) struct hxs_manifest *m = NULL;
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	const struct hxs_digest self = { { 0 } };
	struct hxs_node node;
	uint32_t h, living = 0;
	int64_t n;

	for (h = 0; h < t->count; h++) {
		if (t->told[h].dropped)
			continue;
		living++;
		n = number_of(t, idx, h);
		must(n >= 0);
		hxs_index_get(idx, (uint32_t)n, &node);
		must((node.mode & S_IFMT) == (t->told[h].mode & S_IFMT));
	}
	must(living == hxs_index_count(idx));
	must(hxs_treecmp(idx, 0, idx, 0, refuse_all, NULL) == 0);
	hxs_index_manifest(idx, &self, &text);
	must(hxs_manifest_parse(text.data, text.len, &m, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HXS_AUTO(index_builder) struct hxs_index_builder *b = NULL;
	HXS_AUTO(index) struct hxs_index *idx = NULL;
	struct hxs_index_head head = { .env = "dev",
				       .id = "20260205T152900Z",
				       .kind = HXS_BACKUP };
	struct teller t = { .at = data, .end = data + size, .count = 1 };
	struct hxs_err err = HXS_ERR_INIT;
	void *bytes = NULL;
	size_t len;
	uint32_t h;
	enum op op;
	int r;

	must(hxs_index_builder_new(&head, &b) == 0);
	t.b = b;
	t.told[0].mode = S_IFDIR | 0755;
	while (t.at < t.end) {
		op = next_byte(&t) % OPS;
		if (op == DROP_OP)
			drop(&t);
		else if (op == ATTR_OP)
			set_attributes(&t);
		else
			add(&t, op);
	}
	for (h = 1; h < t.count; h++) /* parents come first */
		t.told[h].dropped |= t.told[t.told[h].parent].dropped;
	r = hxs_index_builder_finish(b, &bytes, &len, &err);
	must(r == 0 || r == -EEXIST);
	must((r == -EEXIST) == has_twins(&t));
	if (r < 0)
		return 0;
	r = hxs_index_take(bytes, len, &idx, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.message);
	must(r == 0);
	check(&t, idx);
	return 0;
}
