/*
 * .history without a mount: what it shows of snapshots as a script makes them,
 * compared with what they hold; what is remembered, and for how long.
 */
#include "fs/history.h"
#include "fs/history_parts.h"
#include "fs/notes.h"
#include "fs/registry.h"
#include "fs/slots.h"
#include "tests/unit/scratch.h"

#include "base/clock.h"
#include "base/digest.h"

#include <time.h>

#define TURNS 6
#define NAMES 9

static const struct hxfs_options options = { .xattr = HXFS_XATTR_AUTO };

/* Some sort otherwise when they are directories. */
static const char *const names[NAMES] = {
	"a", "a b", "a!", "a-", "a.b", "a0", "ab", "b", "\xff",
};

/* What a name of the test's tree is in each snapshot: ' ', 'd', or a digit. */
static char tree[TURNS][NAMES];

static const char *id_of(int turn)
{
	static char id[TURNS][32];

	(void)snprintf(id[turn], sizeof(id[turn]), "2026010%dT000000Z",
		       turn + 1);
	return id[turn];
}

/* ---- making snapshots ---------------------------------------------------- */

static void add_file(const char *id, const char *path, const char *text,
		     struct hxs_buf *manifest)
{
	char full[1024], hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest d;

	(void)snprintf(full, sizeof(full), "store/backups/dev/%s/%s", id, path);
	scratch_file(AT_FDCWD, full, text);
	hxs_digest_of(text, strlen(text), &d);
	hxs_digest_to_hex(&d, hex);
	(void)hxs_buf_printf(manifest, "%s  %s\n", hex, path);
}

static void make(int turn)
{
	HXS_AUTO_BUF struct hxs_buf manifest = HXS_BUF_INIT;
	char path[512], text[2] = "";
	int i;

	(void)snprintf(path, sizeof(path), "store/backups/dev/%s/src",
		       id_of(turn));
	if (hxs_io_mkdirs(AT_FDCWD, path, 0755) < 0)
		scratch_die("cannot make a snapshot");
	for (i = 0; i < NAMES; i++) {
		(void)snprintf(path, sizeof(path),
			       "store/backups/dev/%s/src/%s", id_of(turn),
			       names[i]);
		if (tree[turn][i] == 'd' && mkdir(path, 0755) < 0)
			scratch_die("cannot make a directory");
		(void)snprintf(path, sizeof(path), "src/%s%s", names[i],
			       tree[turn][i] == 'd' ? "/in" : "");
		text[0] = tree[turn][i];
		if (text[0] != ' ')
			add_file(id_of(turn), path, text, &manifest);
	}
	(void)snprintf(path, sizeof(path),
		       "store/backups/dev/%s/manifest.sha256", id_of(turn));
	scratch_file(AT_FDCWD, path, hxs_buf_str(&manifest));
}

static void drop(int turn)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "store/backups/dev/%s", id_of(turn));
	if (hxs_io_remove_tree(AT_FDCWD, path) < 0)
		scratch_die("cannot remove a snapshot");
}

/* ---- looking ------------------------------------------------------------- */

/* The number of @path from the root, or a negative status. */
static int64_t walk(struct hxfs *fs, const char *path)
{
	struct hxfs_found found = { .ino = HXFS_ROOT };
	char copy[512], *save = NULL, *name;
	uint64_t at = HXFS_ROOT;
	int r;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (name = strtok_r(copy, "/", &save); name;
	     name = strtok_r(NULL, "/", &save)) {
		r = hxfs_lookup(fs, at, name, HXFS_HASH, false, &found, NULL);
		if (r < 0)
			return r;
		at = found.ino;
	}
	return (int64_t)at;
}

struct seen {
	char name[64][256];
	size_t count;
	uint64_t next;
	int room;
};

static int see(void *ctx, const struct hxfs_dirent *d)
{
	struct seen *s = ctx;

	if (s->room-- <= 0 || s->count == HXS_ARRAY_LEN(s->name))
		return 1;
	(void)snprintf(s->name[s->count++], sizeof(s->name[0]), "%s", d->name);
	s->next = d->next;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* What is listed, sorted, @step at a time; a negative status. */
static int list(struct hxfs *fs, const char *path, int step, struct hxs_buf *to)
{
	int64_t dir = walk(fs, path);
	struct seen s = { .count = 0 };
	size_t before, i;
	int r;

	hxs_buf_truncate(to, 0);
	if (dir < 0)
		return (int)dir;
	do {
		before = s.count;
		s.room = step;
		r = hxfs_list(fs, (uint64_t)dir, s.next, HXFS_HASH, step % 2,
			      see, &s, NULL);
		if (r < 0)
			return r;
	} while (s.count > before);
	qsort(s.name, s.count, sizeof(s.name[0]), by_name);
	for (i = 0; i < s.count; i++)
		(void)hxs_buf_printf(to, "%s|", s.name[i]);
	return 0;
}

/* ---- what it shows ------------------------------------------------------- */

/* Fill the tree at random, with few changes from one turn to the next. */
static void grow_tree(void)
{
	static const char kinds[] = "  d123";
	int i, t;

	for (t = 0; t < TURNS; t++)
		for (i = 0; i < NAMES; i++)
			tree[t][i] = t && random() % 3 ? tree[t - 1][i]
						       : kinds[random() % 6];
}

static void want_names(struct hxs_buf *out)
{
	int i, t;

	(void)hxs_buf_puts(out, ".|..|");
	for (i = 0; i < NAMES; i++) {
		for (t = 0; t < TURNS && tree[t][i] == ' '; t++)
			;
		if (t < TURNS)
			(void)hxs_buf_printf(out, "%s|", names[i]);
	}
}

/* The ids under which name @i is a file that it was not before. */
static int want_versions(int i, struct hxs_buf *out)
{
	bool any = false, dir = false;
	char last = ' ';
	int t;

	hxs_buf_truncate(out, 0);
	(void)hxs_buf_puts(out, ".|..|");
	for (t = 0; t < TURNS; t++) {
		char now = tree[t][i];

		if (now != ' ' && now != 'd' && now != last)
			(void)hxs_buf_printf(out, "%s|", id_of(t));
		any |= now != ' ';
		dir |= now == 'd';
		last = now;
	}
	if (dir)
		(void)hxs_buf_puts(out, "in|");
	return any ? 0 : -ENOENT;
}

/* That each version is the very entry of its snapshot. */
static bool same_nodes(struct hxfs *fs, int i)
{
	char path[512], there[512];
	int64_t a, b;
	int t;

	for (t = 0; t < TURNS; t++) {
		(void)snprintf(path, sizeof(path), "dev/.history/src/%s/%s",
			       names[i], id_of(t));
		(void)snprintf(there, sizeof(there), "dev/%s/src/%s", id_of(t),
			       names[i]);
		a = walk(fs, path);
		b = walk(fs, there);
		if (a != b && a != -ENOENT)
			return false;
	}
	return true;
}

static void test_shown(struct hxfs *fs, int step)
{
	HXS_AUTO_BUF struct hxs_buf got = HXS_BUF_INIT, want = HXS_BUF_INIT;
	char path[512];
	int i, r;

	want_names(&want);
	is_int(list(fs, "dev/.history/src", step, &got), 0, "names by %d",
	       step);
	is_str(hxs_buf_str(&got), hxs_buf_str(&want), "are all there were");
	for (i = 0; i < NAMES; i++) {
		r = want_versions(i, &want);
		(void)snprintf(path, sizeof(path), "dev/.history/src/%s",
			       names[i]);
		is_int(list(fs, path, step, &got), r, "name %d by %d", i, step);
		if (r == 0)
			is_str(hxs_buf_str(&got), hxs_buf_str(&want),
			       "is what it was");
		ok(same_nodes(fs, i), "and leads to where it was");
	}
}

/* ---- what is remembered -------------------------------------------------- */

static void forget_notes(struct hxfs *fs)
{
	struct hxfs_note n;

	while (hxfs_notes_take(fs->notes, &n))
		;
}

static void fill(int turn, const char *kinds)
{
	memset(tree[turn], ' ', NAMES);
	memcpy(tree[turn], kinds, strlen(kinds));
	make(turn);
}

static void test_waiting(struct hxfs *fs, uint64_t top)
{
	struct hxfs_found found;
	struct stat st;

	is_int(hxfs_lookup(fs, top, "src", HXFS_NOW, false, &found, NULL),
	       -EINPROGRESS, "the first look takes long");
	is_int(hxfs_lookup(fs, top, "src", HXFS_LOAD, false, &found, NULL),
	       -EINPROGRESS, "longer than an index");
	is_int(hxfs_lookup(fs, top, "src", HXFS_HASH, false, &found, NULL), 0,
	       "it is had");
	is_int(hxfs_lookup(fs, top, "src", HXFS_NOW, false, &found, NULL), 0,
	       "and had at once after that");
	ok(!found.lasting && !found.fleeting, "for a while");
	is_int(hxfs_stat(fs, found.ino, HXFS_NOW, &st, NULL), 0, "its stat");
	ok(st.st_ino == found.ino && st.st_mode == (S_IFDIR | 0555) &&
		   st.st_nlink == 1,
	   "is a directory's");
	is_int(hxfs_lookup(fs, top, "none", HXFS_NOW, false, &found, NULL),
	       -ENOENT, "what is not there is known as soon");
	ok(!found.lasting, "and may come");
}

static void test_forgetting(struct hxfs *fs)
{
	uint64_t src = (uint64_t)walk(fs, "dev/.history/src");
	uint64_t a = (uint64_t)walk(fs, "dev/.history/src/a");
	struct stat st;

	is_int(hxfs_stat(fs, a, HXFS_HASH, &st, NULL), 0, "a path is known");
	hxfs_history_forget(fs, src, 1000);
	is_int(hxfs_stat(fs, a, HXFS_HASH, &st, NULL), 0,
	       "what is above it is, as long as it is");
	hxfs_history_forget(fs, a, 1000);
	is_int(hxfs_stat(fs, a, HXFS_HASH, &st, NULL), -ESTALE,
	       "forgotten, its number is stale");
	is_int(hxfs_stat(fs, src, HXFS_HASH, &st, NULL), -ESTALE,
	       "and so is what was above it");
	hxfs_history_forget(fs, a, 1);
	is_int(walk(fs, "dev/.history/src/a"), (int64_t)a,
	       "found again it has its number");
	is_int(walk(fs, "dev/.history/src/a"), (int64_t)a, "twice");
	hxfs_history_forget(fs, a, 1);
	is_int(hxfs_stat(fs, a, HXFS_HASH, &st, NULL), 0,
	       "forgotten once it is remembered once");
}

static bool noted(struct hxfs *fs, uint64_t dir)
{
	struct hxfs_note n;
	bool found = false;

	while (hxfs_notes_take(fs->notes, &n))
		found |= n.kind == HXFS_NOTE_DIR && n.dir == dir;
	return found;
}

static int add_one(void *ctx, const struct hxfs_dirent *d HXS_UNUSED)
{
	struct hxfs **fs = ctx;

	/* A snapshot comes while somebody lists. */
	if (*fs) {
		fill(3, "3");
		is_int(hxfs_registry_scan_env(*fs, 0, NULL), 0, "a scan");
		*fs = NULL;
	}
	return 0;
}

static void test_telling(struct hxfs *fs)
{
	HXS_AUTO_BUF struct hxs_buf got = HXS_BUF_INIT;
	int64_t a = walk(fs, "dev/.history/src/a"), b;
	struct hxfs *once = fs;

	while (hxfs_history_unlist(fs, 0))
		;
	is_int(list(fs, "dev/.history/src/a", 3, &got), 0, "it is listed");
	is_int((int64_t)hxfs_history_unlist(fs, 0), a, "which is remembered");
	is_int((int64_t)hxfs_history_unlist(fs, 0), 0, "until it is told");
	is_int(list(fs, "dev/.history/src/a", 3, &got), 0, "listed again");
	is_int((int64_t)hxfs_history_unlist(fs, 7), 0, "it is no other's");
	forget_notes(fs);
	is_int(hxfs_list(fs, (uint64_t)a, 0, HXFS_HASH, false, add_one, &once,
			 NULL),
	       0, "listed while a snapshot comes");
	ok(noted(fs, (uint64_t)a), "it is put down that it is old already");
	b = walk(fs, "dev/.history/src/a/2026010"
		     "4T000000Z");
	is_int(b, walk(fs, "dev/20260104T000000Z/src/a"), "and the new is had");
	hxfs_history_forget(fs, (uint64_t)a, 1000);
	is_int((int64_t)hxfs_history_unlist(fs, 0), 0, "forgotten, not told");
}

static void test_going(struct hxfs *fs)
{
	HXS_AUTO_BUF struct hxs_buf got = HXS_BUF_INIT;
	int64_t a = walk(fs, "dev/.history/src/a");
	int64_t gone = walk(fs, "dev/.history/src/a b");
	struct stat st;

	drop(0);
	is_int(hxfs_registry_scan_env(fs, 0, NULL), 0, "the first one goes");
	is_int(hxfs_stat(fs, (uint64_t)gone, HXFS_HASH, &st, NULL), -ESTALE,
	       "what it alone had is no more");
	is_int(hxfs_list(fs, (uint64_t)gone, 0, HXFS_HASH, false, see,
			 &(struct seen){ .room = 9 }, NULL),
	       -ESTALE, "and has no listing");
	is_int(list(fs, "dev/.history/src/a", 2, &got), 0, "the other is");
	is_str(hxs_buf_str(&got),
	       ".|..|20260102T000000Z|20260103T000000Z|"
	       "20260104T000000Z|",
	       "and begins with the next");
	is_int(walk(fs, "dev/.history/src/a"), a, "by the same number");
}

/* Damage is never an absence. */
static void test_damage(struct hxfs *fs)
{
	struct stat st;
	int64_t r;

	scratch_file(AT_FDCWD,
		     "store/backups/dev/20260103T000000Z/manifest.sha256",
		     "nonsense\n");
	r = walk(fs, "dev/20260103T000000Z"); /* another slot */
	ok(r > 0, "one is damaged");
	is_int(walk(fs, "dev/.history/src/nothing"), -HXS_ECORRUPT,
	       "what is not found may be in it");
	ok(walk(fs, "dev/.history/src/a/20260104T000000Z") > 0,
	   "what is found elsewhere is found");
	is_int(walk(fs, "dev/.history/src/a/20260103T000000Z"), -HXS_ECORRUPT,
	       "its own versions are not");
	drop(3);
	drop(1);
	is_int(hxfs_registry_scan_env(fs, 0, NULL), 0, "the others go");
	is_int(walk(fs, "dev/.history/src"), -HXS_ECORRUPT, "nothing is left");
	is_int(hxfs_stat(fs, hxfs_number_env(0, HXFS_IS_HISTORY), HXFS_HASH,
			 &st, NULL),
	       0, "but the directory itself");
}

static void test_ending(struct hxfs *fs)
{
	uint64_t top = hxfs_number_env(0, HXFS_IS_HISTORY);
	struct hxfs_found found;

	fill(4, "1");
	is_int(hxfs_registry_scan_env(fs, 0, NULL), 0, "a new one");
	atomic_store(&fs->ending, true);
	is_int(hxfs_lookup(fs, top, "src", HXFS_HASH, false, &found, NULL),
	       -ECANCELED, "when the mount ends nobody is waited for");
	atomic_store(&fs->ending, false);
	drop(4);
	drop(2);
	is_int(hxfs_registry_scan(fs, NULL), 0, "all go");
}

static void test_remembered(struct hxfs *fs)
{
	fill(0, "11");
	fill(1, "1");
	fill(2, "2");
	is_int(hxfs_registry_scan(fs, NULL), 0, "three snapshots");
	test_waiting(fs, hxfs_number_env(0, HXFS_IS_HISTORY));
	test_forgetting(fs);
	test_telling(fs);
	test_going(fs);
	test_damage(fs);
	test_ending(fs);
}

/* ---- who may ------------------------------------------------------------- */

static void test_access(void)
{
	static const struct {
		const char *label;
		struct hxfs_access a, other;
		mode_t want;
	} cases[] = {
		{ "the same", { 0755, 1, 2 }, { 0755, 1, 2 }, 0755 },
		{ "less", { 0755, 1, 2 }, { 0750, 1, 2 }, 0750 },
		{ "each less", { 0711, 1, 2 }, { 0170, 1, 2 }, 0110 },
		{ "another owner", { 0755, 1, 2 }, { 0700, 3, 2 }, 0000 },
		{ "open to all", { 0700, 1, 2 }, { 0755, 3, 4 }, 0500 },
		{ "another group", { 0770, 1, 2 }, { 0770, 1, 4 }, 0700 },
		{ "barred group", { 0777, 1, 2 }, { 0707, 1, 4 }, 0700 },
		{ "barred owner", { 0777, 1, 2 }, { 0077, 3, 2 }, 0700 },
	};
	struct hxfs_access a;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		a = cases[i].a;
		hxfs_access_narrow(&a, &cases[i].other);
		is_int(a.mode, cases[i].want, "%s", cases[i].label);
	}
}

static void test_gates(void)
{
	static const struct {
		const char *label;
		struct hxfs_access gate, dir;
		mode_t want;
	} cases[] = {
		{ "an open one", { 0711, 1, 2 }, { 0755, 3, 4 }, 0755 },
		{ "for the owner", { 0700, 1, 2 }, { 0755, 1, 2 }, 0700 },
		{ "for another", { 0700, 1, 2 }, { 0755, 3, 2 }, 0000 },
		{ "for the group", { 0750, 1, 2 }, { 0755, 1, 2 }, 0750 },
		{ "to be read", { 0744, 1, 2 }, { 0755, 1, 2 }, 0700 },
		{ "of others' group", { 0701, 1, 2 }, { 0755, 1, 4 }, 0700 },
	};
	struct hxfs_gates g;
	struct hxfs_access a;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		g.count = 0;
		hxfs_gates_add(&g, &cases[i].gate);
		a = cases[i].dir;
		hxfs_gates_narrow(&g, &a);
		is_int(a.mode, cases[i].want, "%s", cases[i].label);
	}
	g.count = 0;
	for (i = 0; i < 2 * HXFS_GATES_MAX; i++) {
		a = (struct hxfs_access){ 0750, (uid_t)(i + 1), 2 };
		hxfs_gates_add(&g, &a);
		hxfs_gates_add(&g, &a);
	}
	is_int((int)g.count, HXFS_GATES_MAX, "there are so many gates");
	a = (struct hxfs_access){ 0755, 1, 2 };
	hxfs_gates_narrow(&g, &a);
	is_int(a.mode, 0, "nobody gets by more");
}

int main(void)
{
	unsigned seed = (unsigned)time(NULL);
	struct hxs_store *store = NULL;
	struct hxfs *fs = NULL;
	struct scratch dir;
	int round, t;

	printf("# seed %u\n", seed);
	srandom(seed);
	scratch_open(&dir);
	if (hxs_io_mkdirs(AT_FDCWD, "store/backups/dev", 0755) < 0)
		scratch_die("cannot make a store");
	is_int(hxs_store_open("store", &store, NULL), 0, "a store");
	is_int(hxfs_new(store, &options, "/mnt", &fs, NULL), 0, "its tables");
	test_access();
	test_gates();
	test_remembered(fs);
	fs->budget = 1; /* only the last two stay loaded */
	for (round = 0; round < 5; round++) {
		grow_tree();
		for (t = 0; t < TURNS; t++)
			make(t);
		is_int(hxfs_registry_scan(fs, NULL), 0, "round %d", round);
		test_shown(fs, round + 1);
		for (t = 0; t < TURNS; t++)
			drop(t);
		is_int(hxfs_registry_scan(fs, NULL), 0, "it ends");
	}
	hxfs_free(fs);
	hxs_store_close(store);
	scratch_close(&dir);
	return tap_done();
}
